/**
 * Awareness entries: bytes ↔ entries, with bounds that hold before anything is decoded.
 *
 *     entries = varUint(count) · count × (varUint(client id) varUint(clock) varString(state as JSON, "null" = gone))
 *
 * Every dialect carries these bytes as they are.
 *
 * @source y-protocols 1.0.7, awareness: an entry is newer when its clock is greater, or equal and its state null
 */
import * as decoding from "lib0/decoding"
import * as encoding from "lib0/encoding"
import { SyncError } from "../errors.ts"

/** One client's awareness state: its JSON text, as it came. */
export interface Entry {
  readonly client: number
  readonly clock: number
  /** JSON of an object, or "null": gone. */
  readonly state: string
}

/** An entry whose state is not decoded yet. `state` is a view of the JSON's UTF-8 in the message it was read from. */
export interface RawEntry {
  readonly client: number
  readonly clock: number
  readonly state: Uint8Array
}

/** No entries. Stock clients take it as a sign of life and change nothing. */
export const NO_ENTRIES = new Uint8Array([0])

/**
 * Read entries without decoding a state.
 *
 * @param options.maxEntries more are refused before any is read
 * @throws SyncError "bad-frame" where counts and lengths do not fit the bytes, "too-large" above `maxEntries`
 */
export function readEntries(entries: Uint8Array, { maxEntries }: { maxEntries: number }): RawEntry[] {
  const decoder = decoding.createDecoder(entries)
  const read: RawEntry[] = []
  try {
    const count = decoding.readVarUint(decoder)
    if (count > maxEntries) {
      throw new SyncError("too-large", `An awareness frame of ${count} entries; at most ${maxEntries}`)
    }
    for (let i = 0; i < count; i++) {
      const client = decoding.readVarUint(decoder)
      const clock = decoding.readVarUint(decoder)
      const length = decoding.readVarUint(decoder)
      // lib0 makes a view of the declared length without looking whether the bytes are there.
      if (length > entries.length - decoder.pos) throw new RangeError(`A state of ${length} bytes`)
      read.push({ client, clock, state: decoding.readUint8Array(decoder, length) })
    }
  } catch (cause) {
    if (cause instanceof SyncError) throw cause
    throw new SyncError("bad-frame", `Awareness entries of ${entries.length} bytes end inside an entry`, {
      cause,
    })
  }
  if (decoding.hasContent(decoder)) {
    throw new SyncError("bad-frame", `Awareness entries of ${entries.length} bytes have bytes left over`)
  }
  return read
}

/** The bytes of these entries. */
export function writeEntries(entries: readonly Entry[]): Uint8Array {
  return encoding.encode((encoder) => {
    encoding.writeVarUint(encoder, entries.length)
    for (const { client, clock, state } of entries) {
      encoding.writeVarUint(encoder, client)
      encoding.writeVarUint(encoder, clock)
      encoding.writeVarString(encoder, state)
    }
  })
}

/** A state that says "gone", undecoded. */
export function isGone(state: Uint8Array): boolean {
  return state.length === 4 && GONE.every((byte, i) => state[i] === byte)
}

/** The UTF-8 of `null`. */
const GONE = [0x6e, 0x75, 0x6c, 0x6c]
