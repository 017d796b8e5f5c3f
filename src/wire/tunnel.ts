/**
 * A socket over HTTP, for networks that let no WebSocket through. What goes each way are the messages of channels (see
 * bundle.ts), on channel 0:
 *
 *     down   text/event-stream, for as long as the network lets it: `opened`, messages, and at its end `close`
 *                :                                 a sign of life
 *                data: base64(channel message)
 *     up     the body of a PATCH: { varBytes(channel message) }: messages, or `close`
 *
 * Both carry the header SESSION_HEADER, a number that the client has drawn, by which the room knows them as one.
 */
import * as decoding from "lib0/decoding"
import * as encoding from "lib0/encoding"
import { SyncError } from "../errors.ts"
import { type ChannelFrame, readChannelFrame, writeChannelFrame } from "./bundle.ts"
import { readBytes } from "./fields.ts"

/** The session: 128 random bits in hexadecimal. Whoever knows it, and is who opened it, speaks on it, with no more rights than their own token gives. */
export const SESSION_HEADER = "yurt-session"

/**
 * On a request for what goes down: the answer is to end with the first news, or after so many milliseconds, and the room
 * keeps what comes until the next one. For networks that show a client no answer before its end. 0 begins the session.
 */
export const WAIT_HEADER = "yurt-wait"

/** The body that brings these up. */
export function writeUp(said: readonly ChannelFrame[]): Uint8Array<ArrayBuffer> {
  return encoding.encode((encoder) => {
    for (const frame of said) encoding.writeVarUint8Array(encoder, writeChannelFrame(frame))
  }) as Uint8Array<ArrayBuffer>
}

/**
 * What a body brings, one by one. Messages are views into it.
 * @throws SyncError "bad-frame" where one is reached that cannot be read
 */
export function* readUp(body: Uint8Array): Generator<ChannelFrame> {
  const decoder = decoding.createDecoder(body)
  while (decoding.hasContent(decoder)) {
    let bytes: Uint8Array
    try {
      bytes = readBytes(decoder)
    } catch (cause) {
      throw new SyncError("bad-frame", `Body of ${body.length} bytes ends inside a message`, { cause })
    }
    yield readChannelFrame(bytes)
  }
}
