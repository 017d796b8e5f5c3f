/**
 * The data folder of a Y-Sweet server, on a disk or in S3: `{id}/data.ysweet` each, a key-value store of one document written by bincode.
 *
 *     count u64, then per entry: key length u64, key, value length u64, value; little-endian
 *     00 00 {name} 00             the number of the document `name`, which is "doc": u32 BE
 *     00 01 {number u32 BE} 00    its state, a Yjs V1 update
 *     00 01 {number} 02 {clock u32 BE} 00    an update on top of that
 *
 * @source y-sweet-core 0.9, sync_kv.rs and doc_sync.rs; yrs-kvstore, keys.rs and get_oid
 */
import * as Y from "yjs"
import { openPlace } from "../place.ts"
import { CommandError } from "../terminal.ts"
import type { OpenSource } from "./source.ts"

/** Open the folder that Y-Sweet was started with, or its bucket. */
export const openYSweet: OpenSource = async (where, { settings }) => {
  const place = await openPlace(where, settings)
  const ids: string[] = []
  for await (const path of place.list()) {
    const id = /^(.+)\/data\.ysweet$/.exec(path)?.[1]
    if (id !== undefined) ids.push(id)
  }
  if (ids.length === 0)
    throw new CommandError("bad-source", `${where} has no …/data.ysweet: it is no data folder of Y-Sweet.`)
  return {
    documents: () =>
      ids.map((id) => {
        const path = `${id}/data.ysweet`
        const read = async (version?: string) => readStore(path, await place.read(path, version))
        return {
          id,
          read: () => read(),
          versions: async () =>
            (await place.versions(path)).map((version) => ({
              key: version.id,
              name: null,
              at: version.at,
              read: () => read(version.id),
            })),
        }
      }),
    close: async () => {},
  }
}

/** The document in a store. @throws CommandError "bad-source" */
function readStore(path: string, bytes: Uint8Array): Uint8Array {
  let entries: Map<string, Uint8Array>
  try {
    entries = readEntries(bytes)
  } catch (thrown) {
    throw new CommandError("bad-source", `${path} cannot be read: ${(thrown as Error).message}`)
  }
  // Nobody has written in it yet.
  if (entries.size === 0) return Y.encodeStateAsUpdate(new Y.Doc())
  const number = entries.get(hexOf([0, 0, ...new TextEncoder().encode("doc"), 0]))
  const document = number === undefined ? "" : hexOf([0, 1, ...number])
  // What is not found must not pass for a document that is empty.
  if (![...entries.keys()].some((key) => document !== "" && key.startsWith(document)))
    throw new CommandError("bad-source", `${path} holds no document that this command knows.`)
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
