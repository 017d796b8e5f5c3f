/** Fields of a frame, read with the checks that lib0 leaves to its caller. */
import * as decoding from "lib0/decoding"
import { SyncError } from "../errors.ts"

/**
 * Bytes behind their length. lib0 makes a view of the declared length without looking whether the bytes are there.
 * @returns a view into the message
 * @throws SyncError "bad-frame" where the frame ends before them
 */
export function readBytes(decoder: decoding.Decoder): Uint8Array {
  const length = decoding.readVarUint(decoder)
  if (length > decoder.arr.length - decoder.pos) {
    throw new SyncError(
      "bad-frame",
      `Field of ${length} bytes in a frame with ${decoder.arr.length - decoder.pos} left`,
    )
  }
  return decoding.readUint8Array(decoder, length)
}
