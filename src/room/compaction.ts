/** Folding a document into a snapshot, and the proof that it loads to the same document (D4). */
import * as Y from "yjs"
import { SyncError } from "../errors.ts"
import { createDocument } from "../update/settle.ts"

/** A document as bytes, and its state as Yjs compares it. */
export interface Folded {
  readonly snapshot: Uint8Array
  readonly state: Y.Snapshot
}

/** A document as bytes. */
export function fold(doc: Y.Doc): Folded {
  return { snapshot: Y.encodeStateAsUpdate(doc), state: Y.snapshot(doc) }
}

/**
 * Prove that the snapshot loads in a fresh Y.Doc to the same structs and deletes.
 * @returns that document
 * @throws SyncError internal
 */
export function prove({ snapshot, state }: Folded): Y.Doc {
  const doc = createDocument()
  Y.applyUpdate(doc, snapshot)
  if (!Y.equalSnapshots(Y.snapshot(doc), state))
    throw new SyncError("internal", `Snapshot of ${snapshot.length} bytes does not load to its document`)
  return doc
}
