/** The sync messages, which every dialect carries alike: what I have, what you lack, and what just happened. */
import * as decoding from "lib0/decoding"
import * as encoding from "lib0/encoding"
import { SyncError } from "../errors.ts"
import { readBytes } from "./fields.ts"

/** The frame type of a sync message, in every dialect. @source y-protocols PROTOCOL.md */
export const SYNC = 0

/** The kinds of sync message, by their number. */
const STEPS = ["step-1", "step-2", "update"] as const

/** A sync message. Byte fields are views into the message they were read from. */
export type SyncMessage =
  | {
      /** What the sender has. */
      readonly type: "step-1"
      readonly stateVector: Uint8Array
    }
  | {
      /** What the receiver lacks. A client calls itself synced after it. */
      readonly type: "step-2"
      readonly update: Uint8Array
    }
  | {
      /** An update as it happens. */
      readonly type: "update"
      readonly update: Uint8Array
    }

/** Which kind it is; its bytes come next. @throws SyncError "bad-frame" */
export function readStep(decoder: decoding.Decoder): SyncMessage["type"] {
  const number = decoding.readVarUint(decoder)
  const step = STEPS[number]
  if (step === undefined) throw new SyncError("bad-frame", `Unknown sync step ${number}`)
  return step
}

/**
 * What stands behind the frame type.
 * @throws SyncError "bad-frame", or what lib0 throws where the frame ends inside a field
 */
export function readSync(decoder: decoding.Decoder): SyncMessage {
  const type = readStep(decoder)
  const bytes = readBytes(decoder)
  return type === "step-1" ? { type, stateVector: bytes } : { type, update: bytes }
}

/**
 * The whole frame. One allocation of the right size: an encoder would copy a large update three times while it grows.
 * @param prefix what stands before every frame of the dialect
 */
export function writeSync(message: SyncMessage, prefix: Uint8Array = NOTHING): Uint8Array {
  const bytes = message.type === "step-1" ? message.stateVector : message.update
  const head = encoding.encode((encoder) => {
    encoding.writeUint8Array(encoder, prefix)
    encoding.writeVarUint(encoder, SYNC)
    encoding.writeVarUint(encoder, STEPS.indexOf(message.type))
    encoding.writeVarUint(encoder, bytes.length)
  })
  const frame = new Uint8Array(head.length + bytes.length)
  frame.set(head)
  frame.set(bytes, head.length)
  return frame
}

const NOTHING = new Uint8Array()

/**
 * A frame that is read to its end.
 * @throws SyncError "bad-frame" where it ends inside a field, or where bytes are left over
 */
export function readWhole<Read>(
  message: Uint8Array,
  read: (decoder: decoding.Decoder) => Read,
  from = 0,
): Read {
  const decoder = decoding.createDecoder(message)
  decoder.pos = from
  let frame: Read
  try {
    frame = read(decoder)
  } catch (cause) {
    if (cause instanceof SyncError) throw cause
    throw new SyncError("bad-frame", `Frame of ${message.length} bytes ends inside a field`, { cause })
  }
  const left = message.length - decoder.pos
  if (left > 0) throw new SyncError("bad-frame", `Frame of ${message.length} bytes has ${left} left over`)
  return frame
}
