/**
 * Whether a frame that could not be handled was at fault, or whoever listens to what it brought. Loaded when that is
 * the question.
 */
import * as decoding from "lib0/decoding"
import * as Y from "yjs"
import type * as wire from "../wire/y-websocket.ts"

/** Whether what a frame carries can be read. */
export function isReadable(frame: wire.Frame): boolean {
  try {
    read(frame)
    return true
  } catch {
    return false
  }
}

/** @throws where it cannot be read */
function read(frame: wire.Frame): void {
  switch (frame.type) {
    case "step-1":
      Y.decodeStateVector(frame.stateVector)
      break
    case "step-2":
    case "update":
      Y.decodeUpdate(frame.update)
      break
    case "awareness": {
      const decoder = decoding.createDecoder(frame.entries)
      for (let left = decoding.readVarUint(decoder); left > 0; left--) {
        decoding.readVarUint(decoder)
        decoding.readVarUint(decoder)
        JSON.parse(decoding.readVarString(decoder))
      }
      break
    }
    case "saved":
    case "renewal":
      decoding.readVarUint(decoding.createDecoder(frame.payload))
      break
    case "query":
    case "refusal":
    case "notice":
    case "probe":
      break
    default:
      throw new TypeError(`Unknown frame ${JSON.stringify(frame satisfies never)}`)
  }
}
