/** A Durable Object's SQLite in plain Node, as far as the log of a room uses it: for tests of what is stored. */
import { DatabaseSync, type SQLInputValue } from "node:sqlite"

/** A storage in memory. It outlives the parts that were made over it, as on the platform. */
export function memoryStorage(): DurableObjectStorage {
  const database = new DatabaseSync(":memory:")
  let depth = 0
  const exec = (query: string, ...bindings: SQLInputValue[]) => {
    // A migration is many statements, and gives no rows.
    if (bindings.length === 0 && query.includes(";")) {
      database.exec(query)
      return cursorOf([])
    }
    return cursorOf(database.prepare(query).iterate(...bindings))
  }
  const transactionSync = <Result>(change: () => Result): Result => {
    const point = `p${++depth}`
    database.exec(`SAVEPOINT ${point}`)
    try {
      const result = change()
      database.exec(`RELEASE ${point}`)
      return result
    } catch (thrown) {
      database.exec(`ROLLBACK TO ${point}; RELEASE ${point}`)
      throw thrown
    } finally {
      depth--
    }
  }
  // reason: the log uses these two, and the platform's type has thirty more
  return { sql: { exec }, transactionSync } as unknown as DurableObjectStorage
}

/** The platform runs a statement at once; SQLite's own iterator waits to be read. */
function cursorOf(rows: Iterable<unknown>): Iterable<unknown> & { toArray(): unknown[] } {
  const all = [...rows]
  return Object.assign(all.values(), { toArray: () => all })
}
