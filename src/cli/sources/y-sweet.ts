/**
 * The data folder of a Y-Sweet server: `{id}/data.ysweet` each, a key-value store of one document written by bincode.
 *
 *     count u64, then per entry: key length u64, key, value length u64, value; little-endian
 *     00 00 {name} 00             the number of the document `name`, which is "doc"
 *     00 01 {number u32 BE} 00    its state, a Yjs V1 update
 *     00 01 {number} 02 {clock u32 BE} 00    an update on top of that
 *
 * @source y-sweet-core 0.9, sync_kv.rs and doc_sync.rs; yrs-kvstore 0.3, keys.rs
 */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import * as Y from "yjs"
import { CommandError } from "../terminal.ts"
import type { OpenSource } from "./source.ts"

/** Open the folder that Y-Sweet was started with. */
export const openYSweet: OpenSource = async (where) => {
  let files: string[]
  try {
    files = readdirSync(where, { recursive: true, encoding: "utf8" })
  } catch (thrown) {
    throw new CommandError(
      "bad-source",
      `${where} is no folder that can be read: ${(thrown as Error).message}.`,
    )
  }
  const ids = files
    .map((name) => /^(.+)\/data\.ysweet$/.exec(name.replaceAll("\\", "/"))?.[1])
    .filter((id) => id !== undefined)
    .sort()
  if (ids.length === 0)
    throw new CommandError("bad-source", `${where} has no …/data.ysweet: it is no data folder of Y-Sweet.`)
  return {
    documents: () => ids.map((id) => ({ id, read: async () => readStore(join(where, id, "data.ysweet")) })),
    close: async () => {},
  }
}

/** The document in a store. @throws CommandError "bad-source" */
function readStore(path: string): Uint8Array {
  let entries: Map<string, Uint8Array>
  try {
    entries = readEntries(readFileSync(path))
  } catch (thrown) {
    throw new CommandError("bad-source", `${path} cannot be read: ${(thrown as Error).message}`)
  }
  const number = entries.get(hexOf([0, 0, ...new TextEncoder().encode("doc"), 0]))
  if (number === undefined || number.length !== 4) return Y.encodeStateAsUpdate(new Y.Doc())
  // The value is little-endian; in keys it is big-endian.
  const document = hexOf([0, 1, ...number.toReversed()])
  const state = entries.get(`${document}00`)
  const updates = [...entries]
    .filter(([key]) => key.startsWith(`${document}02`))
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([, update]) => update)
  return Y.mergeUpdates(state === undefined ? updates : [state, ...updates])
}

/** @returns values by their keys in hex. @throws RangeError where the file is cut off */
function readEntries(bytes: Uint8Array): Map<string, Uint8Array> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let at = 0
  const readCount = () => {
    const count = Number(view.getBigUint64(at, true))
    at += 8
    return count
  }
  const readBytes = () => {
    const length = readCount()
    if (length > bytes.length - at)
      throw new RangeError(`it is cut off: ${length} bytes are missing at ${at}.`)
    at += length
    return bytes.subarray(at - length, at)
  }
  const entries = new Map<string, Uint8Array>()
  for (let left = readCount(); left > 0; left--) entries.set(hexOf(readBytes()), readBytes())
  return entries
}

function hexOf(bytes: Iterable<number>): string {
  return Buffer.from([...bytes]).toString("hex")
}
