/** A socket of a room → a stream of events, for a client whose network lets no WebSocket through: see wire/tunnel.ts. */
import { toBase64 } from "lib0/buffer"
import { asSyncError } from "../errors.ts"
import { type ChannelFrame, writeChannelFrame } from "../wire/bundle.ts"
import type { Loss, Socket } from "./bundle.ts"

export { SESSION_HEADER, WAIT_HEADER } from "../wire/tunnel.ts"

const utf8 = new TextEncoder()

/** A comment, which keeps proxies from closing a silent connection. */
const BEAT = ":\n\n"

/** Channel messages as events; a comment where there are none. */
export function writeEvents(messages: readonly Uint8Array[]): string {
  return messages.map((message) => `data: ${toBase64(message)}\n\n`).join("") || BEAT
}

/**
 * What comes on a socket, as events. They begin before it is open: a client that hears nothing for some seconds knows that
 * its network holds them back. What is not read yet is bounded by the room, whose probes only the client answers.
 *
 * @param open opens the socket, not accepted yet
 * @param beatMs silence is broken after this long
 */
export function streamSocket(open: () => Promise<Socket>, beatMs: number): ReadableStream<Uint8Array> {
  let isOpen = true
  let beat: ReturnType<typeof setInterval>
  let socket: Socket | null = null
  const end = () => {
    isOpen = false
    clearInterval(beat)
    try {
      socket?.close(1000, "")
    } catch {
      // It is closed already.
    }
  }
  return new ReadableStream<Uint8Array>({
    async start(controller) {
      const write = (events: string) => isOpen && controller.enqueue(utf8.encode(events))
      const say = (frame: ChannelFrame) => write(writeEvents([writeChannelFrame(frame)]))
      const lose = ({ code, reason }: Loss) => {
        if (!isOpen) return
        say({ channel: 0, type: "close", code, reason })
        end()
        controller.close()
      }
      write(BEAT)
      beat = setInterval(() => write(BEAT), beatMs)
      try {
        socket = await open()
      } catch (thrown) {
        const { closeCode, message } = asSyncError(thrown)
        return lose({ code: closeCode, reason: message })
      }
      socket.addEventListener("message", ({ data }) => {
        const message = typeof data === "string" ? data : new Uint8Array(data as ArrayBuffer)
        say({ channel: 0, type: "message", message })
      })
      socket.addEventListener("close", lose)
      socket.addEventListener("error", () => lose({ code: 1011, reason: "" }))
      socket.accept()
      say({ channel: 0, type: "opened" })
      if (!isOpen) end()
    },
    cancel: end,
  })
}
