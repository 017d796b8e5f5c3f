/**
 * Many documents on one socket, for our own client. Each document has a channel, a number that the client picks, and on
 * it goes what would go over a socket of its own:
 *
 *     message   = varUint(channel) varUint(kind) payload
 *     0 open    = varString(path) varString(token)         client → server; the path from the documents' address on, with its query
 *     1 opened  =                                          server → client
 *     2 bytes   = the bytes                                a binary message
 *     3 text    = UTF-8                                    a text message
 *     4 close   = varUint(code) varString(reason)          either way: the end of this channel
 *     5 probe   = varBytes(nonce)                          server → client: echo this; channel 0
 */
import * as decoding from "lib0/decoding"
import * as encoding from "lib0/encoding"
import { SyncError } from "../errors.ts"
import { readBytes } from "./fields.ts"

const OPEN = 0
const OPENED = 1
const BYTES = 2
const TEXT = 3
const CLOSE = 4
const PROBE = 5

/** What is said on a channel. Byte fields are views into the message they were read from. */
export type ChannelFrame = { readonly channel: number } & (
  | { readonly type: "open"; readonly path: string; readonly token: string }
  | { readonly type: "opened" }
  | { readonly type: "message"; readonly message: Uint8Array | string }
  | { readonly type: "close"; readonly code: number; readonly reason: string }
  | { readonly type: "probe"; readonly nonce: Uint8Array }
)

/**
 * Read one message.
 * @throws SyncError "bad-frame" on bytes of an unknown kind, a truncated field, or bytes left over
 */
export function readChannelFrame(bytes: Uint8Array): ChannelFrame {
  const decoder = decoding.createDecoder(bytes)
  try {
    const frame = readTyped(decoder)
    if (decoding.hasContent(decoder)) throw new SyncError("bad-frame", "Bytes are left over")
    return frame
  } catch (cause) {
    if (cause instanceof SyncError) throw cause
    throw new SyncError("bad-frame", `Frame of ${bytes.length} bytes ends inside a field`, { cause })
  }
}

function readTyped(decoder: decoding.Decoder): ChannelFrame {
  const channel = decoding.readVarUint(decoder)
  const kind = decoding.readVarUint(decoder)
  switch (kind) {
    case OPEN:
      return { channel, type: "open", path: readText(decoder), token: readText(decoder) }
    case OPENED:
      return { channel, type: "opened" }
    case BYTES:
      return { channel, type: "message", message: decoding.readTailAsUint8Array(decoder) }
    case TEXT:
      return {
        channel,
        type: "message",
        message: new TextDecoder().decode(decoding.readTailAsUint8Array(decoder)),
      }
    case CLOSE:
      return { channel, type: "close", code: decoding.readVarUint(decoder), reason: readText(decoder) }
    case PROBE:
      return { channel, type: "probe", nonce: readBytes(decoder) }
    default:
      throw new SyncError("bad-frame", `Unknown kind ${kind}`)
  }
}

/** lib0 itself would read beyond the end where a text is shorter than it says. */
function readText(decoder: decoding.Decoder): string {
  return new TextDecoder().decode(readBytes(decoder))
}

/** One message. */
export function writeChannelFrame(frame: ChannelFrame): Uint8Array {
  if (frame.type === "message" && typeof frame.message !== "string")
    return behind(frame.channel, BYTES, frame.message)
  return encoding.encode((encoder) => {
    encoding.writeVarUint(encoder, frame.channel)
    switch (frame.type) {
      case "open":
        encoding.writeVarUint(encoder, OPEN)
        encoding.writeVarString(encoder, frame.path)
        return encoding.writeVarString(encoder, frame.token)
      case "opened":
        return encoding.writeVarUint(encoder, OPENED)
      case "message":
        encoding.writeVarUint(encoder, TEXT)
        return encoding.writeUint8Array(encoder, new TextEncoder().encode(frame.message as string))
      case "close":
        encoding.writeVarUint(encoder, CLOSE)
        encoding.writeVarUint(encoder, frame.code)
        return encoding.writeVarString(encoder, frame.reason)
      case "probe":
        encoding.writeVarUint(encoder, PROBE)
        return encoding.writeVarUint8Array(encoder, frame.nonce)
      default:
        throw new TypeError(`No frame ${JSON.stringify(frame satisfies never)}`)
    }
  })
}

/** One allocation of the right size: an encoder would copy a large update three times while it grows. */
function behind(channel: number, kind: number, bytes: Uint8Array): Uint8Array {
  const head = encoding.encode((encoder) => {
    encoding.writeVarUint(encoder, channel)
    encoding.writeVarUint(encoder, kind)
  })
  const message = new Uint8Array(head.length + bytes.length)
  message.set(head)
  message.set(bytes, head.length)
  return message
}
