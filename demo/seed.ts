/** What a document begins with, whoever opens it first. */
import * as Y from "yjs"

/** The origin of the seed's transaction; no undo manager tracks it, so no visitor can undo it. */
const SEED = Symbol("seed")

/**
 * Write the beginning of a document. Two visitors may do so at the same moment, so it is written under a client id that is
 * made from its own words: the same words are the same update, and merging it twice changes nothing.
 *
 * @param write the same every time it is called
 */
export function seed(doc: Y.Doc, write: (doc: Y.Doc) => void): void {
  const draft = new Y.Doc()
  draft.clientID = 1
  draft.transact(() => write(draft))
  const beginning = new Y.Doc()
  beginning.clientID = hash(Y.encodeStateAsUpdate(draft))
  beginning.transact(() => write(beginning))
  Y.applyUpdate(doc, Y.encodeStateAsUpdate(beginning), SEED)
}

/** FNV-1a, 32 bits. */
function hash(bytes: Uint8Array): number {
  return bytes.reduce((value, byte) => Math.imul(value ^ byte, 0x01000193) >>> 0, 0x811c9dc5)
}
