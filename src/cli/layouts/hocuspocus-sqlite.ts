/**
 * Hocuspocus with its SQLite extension: a table `documents(name, data)`, made as the extension makes it.
 *
 * @source @hocuspocus/extension-sqlite 4.7, its schema
 */
import { openSqlite } from "../sqlite.ts"
import { CommandError } from "../terminal.ts"
import type { OpenLayout } from "./layout.ts"

/** Open the file that the extension calls `database`. */
export const writeHocuspocusSqlite: OpenLayout = async (where) => {
  const database = await openSqlite(where, { readOnly: false })
  try {
    database.exec(
      'CREATE TABLE IF NOT EXISTS "documents" ("name" varchar(255) NOT NULL, "data" blob NOT NULL, UNIQUE(name))',
    )
  } catch (thrown) {
    database.close()
    throw new CommandError("bad-source", `${where} is no SQLite database: ${(thrown as Error).message}.`)
  }
  const one = database.prepare('SELECT 1 FROM "documents" WHERE name = ?')
  const put = database.prepare(
    'INSERT INTO "documents" (name, data) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET data = excluded.data',
  )
  return {
    has: async (id) => one.get(id) !== undefined,
    write: async (id, update) => void put.run(id, update),
    close: async () => database.close(),
  }
}
