// y-partyserver as its README documents it: `onLoad` and `onSave`, here to the object's own SQLite.
import { routePartykitRequest } from "partyserver"
import { YServer } from "y-partyserver"
import { applyUpdate, encodeStateAsUpdate } from "yjs"

export class Main extends YServer {
  static options = { hibernate: true }

  async onLoad() {
    this.ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS documents (id TEXT PRIMARY KEY, content BLOB)")
    for (const row of this.ctx.storage.sql.exec("SELECT content FROM documents WHERE id = ?", this.name)) {
      applyUpdate(this.document, new Uint8Array(row.content))
    }
  }

  async onSave() {
    const content = encodeStateAsUpdate(this.document)
    this.ctx.storage.sql.exec(
      "INSERT INTO documents (id, content) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET content = excluded.content",
      this.name,
      content,
    )
  }
}

export default {
  async fetch(request, env) {
    return (await routePartykitRequest(request, env)) ?? new Response("not found", { status: 404 })
  },
}
