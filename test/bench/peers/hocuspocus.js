// Hocuspocus on Node with its Database extension on Node's own SQLite, saving debounced by its defaults
// (2 s, at most 10 s). Usage: node hocuspocus.js PORT DATABASE-FILE
import { DatabaseSync } from "node:sqlite"
import { Database } from "@hocuspocus/extension-database"
import { Server } from "@hocuspocus/server"

const [port, file] = process.argv.slice(2)
const database = new DatabaseSync(file)
database.exec("CREATE TABLE IF NOT EXISTS documents (name TEXT PRIMARY KEY, data BLOB NOT NULL)")
const load = database.prepare("SELECT data FROM documents WHERE name = ?")
const save = database.prepare(
  "INSERT INTO documents (name, data) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET data = excluded.data",
)

const server = new Server({
  address: "127.0.0.1",
  port: Number(port),
  quiet: true,
  stopOnSignals: true,
  extensions: [
    new Database({
      fetch: async ({ documentName }) => load.get(documentName)?.data ?? null,
      store: async ({ documentName, state }) => {
        save.run(documentName, state)
      },
    }),
  ],
})
await server.listen()
