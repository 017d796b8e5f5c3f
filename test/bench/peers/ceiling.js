// What the load process itself can take: a raw socket that blasts ready-made frames at whoever connects to
// /blast/{count}, and swallows what is sent to anything else. Usage: node ceiling.js PORT
import { createHash } from "node:crypto"
import { createServer } from "node:http"

const payload = Buffer.alloc(30, 1)
payload.set([0, 2, 27])
const frame = Buffer.concat([Buffer.from([0x82, payload.length]), payload])
const burst = Buffer.concat(Array.from({ length: 500 }, () => frame))

const server = createServer((_request, response) => response.end("ok"))
server.on("upgrade", (request, socket) => {
  const accept = createHash("sha1")
    .update(`${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
    .digest("base64")
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
  )
  socket.on("error", () => socket.destroy())
  const blast = /^\/blast\/(\d+)$/.exec(request.url)
  let left = blast === null ? 0 : Number(blast[1])
  if (left === 0) {
    socket.resume()
    return
  }
  const pump = () => {
    while (left > 0) {
      left -= 500
      if (!socket.write(burst)) return
    }
  }
  // It starts when the client says so: any byte will do.
  socket.once("data", () => {
    socket.resume()
    socket.on("drain", pump)
    pump()
  })
})
server.listen(Number(process.argv[2]), "127.0.0.1")
