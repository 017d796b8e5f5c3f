/**
 * Hocuspocus with its SQLite extension: a table `documents(name, data)`, each `data` the whole state as a Yjs V1 update.
 * Read by Node's own SQLite, which Node 22.13 and newer have.
 *
 * @source @hocuspocus/extension-sqlite 4.7, its schema
 */
import { existsSync } from "node:fs"
import { CommandError } from "../terminal.ts"
import type { OpenSource, SourceDocument } from "./source.ts"

/** Open the file that the extension calls `database`. */
export const openHocuspocusSqlite: OpenSource = async (where) => {
  if (!existsSync(where)) throw new CommandError("bad-source", `There is no file ${where}.`)
  const { DatabaseSync } = await import("node:sqlite").catch(() => {
    throw new CommandError(
      "not-installed",
      `Node ${process.versions.node} has no SQLite of its own.`,
      "Use Node 22.13 or newer.",
    )
  })
  // Its server may be running: nothing is written here.
  const database = new DatabaseSync(where, { readOnly: true })
  const prepare = (sql: string) => {
    try {
      return database.prepare(sql)
    } catch (thrown) {
      database.close()
      throw new CommandError(
        "bad-source",
        `${where} is no database of Hocuspocus' SQLite extension: ${(thrown as Error).message}.`,
      )
    }
  }
  const names = prepare('SELECT name FROM "documents" ORDER BY name')
  const one = prepare('SELECT data FROM "documents" WHERE name = ?')
  return {
    *documents(): Generator<SourceDocument> {
      for (const { name } of names.iterate()) {
        const id = String(name)
        yield {
          id,
          async read() {
            const data = one.get(id)?.data
            if (data instanceof Uint8Array) return data
            throw new CommandError("bad-source", `${where}: the row ${id} holds no bytes.`)
          },
        }
      }
    },
    close: async () => database.close(),
  }
}
