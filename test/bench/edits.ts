/**
 * The edits that are sent: real Yjs V1 updates of real Y.Docs, prepared before any clock starts. Client ids and
 * random numbers are fixed, so every run and every system gets the same bytes.
 */

import { readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { promisify } from "node:util"
import { gunzip } from "node:zlib"
import * as decoding from "lib0/decoding"
import * as encoding from "lib0/encoding"
import * as prng from "lib0/prng"
import * as Y from "yjs"
import { OUTPUT_FOLDER } from "./servers.ts"

/** The root that all documents of the benchmark use. */
export const ROOT = "text"

const SENTENCE = "the quick brown fox jumps over the lazy dog "

/** Someone types: one letter an update, each appended to what that client typed before. Clock n is update n. */
export function typing(clientId: number, count: number): Uint8Array[] {
  const doc = new Y.Doc()
  doc.clientID = clientId
  const updates: Uint8Array[] = []
  doc.on("update", (update: Uint8Array) => updates.push(update))
  const text = doc.getText(ROOT)
  for (let i = 0; i < count; i++) text.insert(i, SENTENCE[i % SENTENCE.length]!)
  return updates
}

/** Someone types at the end of a document that is already there. */
export function typingOnto(document: Uint8Array, clientId: number, count: number): Uint8Array[] {
  const doc = new Y.Doc()
  doc.clientID = clientId
  Y.applyUpdate(doc, document)
  const updates: Uint8Array[] = []
  doc.on("update", (update: Uint8Array) => updates.push(update))
  const text = doc.getText(ROOT)
  for (let i = 0; i < count; i++) text.insert(text.length, SENTENCE[i % SENTENCE.length]!)
  return updates
}

/** The text that a set of updates amounts to. */
export function textOf(updates: Iterable<Uint8Array>): string {
  const doc = new Y.Doc()
  doc.transact(() => {
    for (const update of updates) Y.applyUpdate(doc, update)
  })
  return doc.getText(ROOT).toString()
}

export interface Trace {
  /** One edit each, in order, all of one client. */
  readonly updates: Uint8Array[]
  /** The text after the last. */
  readonly text: string
  /** The whole document as one update. */
  readonly document: Uint8Array
}

interface RecordedSession {
  readonly endContent: string
  readonly txns: ReadonlyArray<{ patches: ReadonlyArray<[at: number, deleted: number, inserted: string]> }>
}

/**
 * The recorded editing session as updates; prepared once, then read from the output folder.
 *
 * @param path automerge-paper.json.gz
 * @param limit only this many edits
 * @throws Error when the replayed text is not the recorded one
 */
export async function traceOf(path: string, limit = Number.POSITIVE_INFINITY): Promise<Trace> {
  const cache = join(OUTPUT_FOLDER, `trace-${limit === Number.POSITIVE_INFINITY ? "all" : limit}.bin`)
  const cached = await readFile(cache).catch(() => null)
  if (cached !== null) {
    const decoder = decoding.createDecoder(cached)
    const text = decoding.readVarString(decoder)
    const document = decoding.readVarUint8Array(decoder)
    const updates = Array.from({ length: decoding.readVarUint(decoder) }, () =>
      decoding.readVarUint8Array(decoder),
    )
    return { updates, text, document }
  }

  const session = JSON.parse((await promisify(gunzip)(await readFile(path))).toString()) as RecordedSession
  const doc = new Y.Doc()
  doc.clientID = 1
  const updates: Uint8Array[] = []
  doc.on("update", (update: Uint8Array) => updates.push(update))
  const content = doc.getText(ROOT)
  const patches = session.txns.flatMap((txn) => txn.patches)
  for (const [at, deleted, inserted] of patches.slice(0, limit)) {
    doc.transact(() => {
      if (deleted > 0) content.delete(at, deleted)
      if (inserted !== "") content.insert(at, inserted)
    })
  }
  const text = content.toString()
  if (limit >= patches.length && text !== session.endContent) {
    throw new Error("The replayed text differs from the recorded one")
  }
  const trace: Trace = { updates, text, document: Y.encodeStateAsUpdate(doc) }
  await writeFile(
    cache,
    encoding.encode((encoder) => {
      encoding.writeVarString(encoder, trace.text)
      encoding.writeVarUint8Array(encoder, trace.document)
      encoding.writeVarUint(encoder, trace.updates.length)
      for (const update of trace.updates) encoding.writeVarUint8Array(encoder, update)
    }),
  )
  return trace
}

const BIG_ITEMS = 100_000
const BIG_ITEM_LETTERS = 100

/** A text of 10 MB in 100,000 items: every insertion lands somewhere else, so that none of them merge. */
export async function bigDocument(): Promise<Uint8Array> {
  const cache = join(OUTPUT_FOLDER, "big.bin")
  const cached = await readFile(cache).catch(() => null)
  if (cached !== null) return cached
  const doc = new Y.Doc()
  doc.clientID = 2
  const text = doc.getText(ROOT)
  const random = prng.create(20261122)
  doc.transact(() => {
    for (let i = 0; i < BIG_ITEMS; i++) {
      const letters = Array.from({ length: 10 }, () =>
        prng
          .int53(random, 0, 36 ** 5 - 1)
          .toString(36)
          .padStart(5, "0"),
      )
      // Between two earlier insertions: the list would otherwise become one item.
      text.insert(
        prng.int53(random, 0, Math.max(0, i - 1)) * BIG_ITEM_LETTERS,
        `${letters.join("")}${letters.join("")}`,
      )
    }
  })
  const update = Y.encodeStateAsUpdate(doc)
  await writeFile(cache, update)
  return update
}
