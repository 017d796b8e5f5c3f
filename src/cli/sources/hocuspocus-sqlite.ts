/**
 * Hocuspocus with its SQLite extension: a table `documents(name, data)`, each `data` the whole state as a Yjs V1 update.
 *
 * @source @hocuspocus/extension-sqlite 4.7, its schema
 */
import { existsSync } from "node:fs"
import { openSqlite } from "../sqlite.ts"
import { CommandError } from "../terminal.ts"
import type { OpenSource, SourceDocument } from "./source.ts"

/** Open the file that the extension calls `database`. */
export const openHocuspocusSqlite: OpenSource = async (where) => {
  if (!existsSync(where)) throw new CommandError("bad-source", `There is no file ${where}.`)
  // Its server may be running: nothing is written here.
  const database = await openSqlite(where, { readOnly: true })
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
