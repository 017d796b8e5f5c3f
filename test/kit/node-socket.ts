/** `ws` as the socket of a DocumentClient, and of whoever sends frames by hand. */
import { WebSocket } from "ws"
import type { ClientSocket } from "./client.ts"

/** Large enough for a whole document in one message, bytes. */
const MAX_MESSAGE_BYTES = 256 * 1024 * 1024

/**
 * Open a socket of the `ws` package, without compression unless it is asked for.
 *
 * @param url ws://…/docs/id, with its query
 */
export function openWebSocket(
  url: string,
  {
    protocols = [],
    headers = {},
    deflate = false,
  }: { protocols?: string[]; headers?: Record<string, string>; deflate?: boolean } = {},
): WebSocket {
  const socket = new WebSocket(url, protocols, {
    headers,
    perMessageDeflate: deflate,
    maxPayload: MAX_MESSAGE_BYTES,
  })
  socket.on("error", () => {}) // its close follows
  return socket
}

/** The socket in the shape that a DocumentClient takes. */
export function clientSocketOf(socket: WebSocket): ClientSocket {
  return {
    get protocol() {
      return socket.protocol
    },
    get isOpen() {
      return socket.readyState === WebSocket.OPEN
    },
    send: (message) => socket.send(message),
    onOpen: (listener) => {
      if (socket.readyState === WebSocket.OPEN) listener()
      else socket.on("open", listener)
    },
    onMessage: (listener) =>
      socket.on("message", (data: Buffer, isBinary) => listener(isBinary ? data : data.toString())),
    onClose: (listener) => socket.on("close", (code, reason) => listener(code, reason.toString())),
    terminate: () => socket.terminate(),
  }
}
