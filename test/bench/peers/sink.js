// The platform's own price. A Durable Object with the hibernation API that receives every binary message and
// does nothing; a text message is echoed (what came before it has been received). Two texts are orders:
// "fill N" stores N bytes in rows of 1 MB, "send" reads them back and sends them as one message.
import { DurableObject } from "cloudflare:workers"

const ROW_BYTES = 1024 * 1024

export class Main extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env)
    ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS parts (id INTEGER PRIMARY KEY, bytes BLOB)")
  }

  fetch() {
    const [client, server] = Object.values(new WebSocketPair())
    this.ctx.acceptWebSocket(server)
    return new Response(null, { status: 101, webSocket: client })
  }

  webSocketMessage(socket, message) {
    if (typeof message !== "string") return
    if (message === "send") return this.#send(socket)
    const [order, bytes] = message.split(" ")
    if (order === "fill") this.#fill(Number(bytes))
    socket.send(message)
  }

  #fill(bytes) {
    for (let at = 0; at < bytes; at += ROW_BYTES) {
      const part = new Uint8Array(Math.min(ROW_BYTES, bytes - at)).fill(1)
      this.ctx.storage.sql.exec("INSERT INTO parts (bytes) VALUES (?)", part)
    }
  }

  #send(socket) {
    const parts = [...this.ctx.storage.sql.exec("SELECT bytes FROM parts ORDER BY id")].map(
      (row) => new Uint8Array(row.bytes),
    )
    const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0))
    let at = 0
    for (const part of parts) {
      whole.set(part, at)
      at += part.byteLength
    }
    socket.send(whole)
  }
}

export default {
  fetch(request, env) {
    return env.Main.getByName(new URL(request.url).pathname).fetch(request)
  },
}
