/**
 * What a room lacks of a document.
 *
 * Yjs answers every step 1 with the whole delete set, for a state vector says nothing of deletions: 100 kB on each
 * reconnect of a long-lived document, and a reader would be refused for it. The room's own step 2 brings its whole
 * delete set in turn, so the two can be compared, and in the usual case nothing has to be said.
 */
import * as Y from "yjs"

/** What a room has, as it told in its step 1 and its step 2. */
export interface RoomState {
  /** From its step 1. */
  readonly stateVector: Uint8Array
  /** Its step 2, already applied to the document. */
  readonly update: Uint8Array
}

/** The step 2 for this room, or null when it has everything. Rather says too much than too little. */
export function missingUpdate(doc: Y.Doc, room: RoomState): Uint8Array | null {
  return lacksStructs(doc, room.stateVector) || lacksDeletions(doc, room.update)
    ? Y.encodeStateAsUpdate(doc, room.stateVector)
    : null
}

/** Whether `theirs` is behind this document, deletions aside. */
export function lacksStructs(doc: Y.Doc, theirs: Uint8Array): boolean {
  if (doc.store.pendingStructs !== null || doc.store.pendingDs !== null) return true
  const vector = Y.decodeStateVector(theirs)
  for (const [client, clock] of Y.decodeStateVector(Y.encodeStateVector(doc))) {
    if (clock > (vector.get(client) ?? 0)) return true
  }
  return false
}

function lacksDeletions(doc: Y.Doc, update: Uint8Array): boolean {
  const ours = Y.createDeleteSetFromStructStore(doc.store)
  return !Y.equalDeleteSets(ours, Y.mergeDeleteSets([Y.decodeUpdate(update).ds]))
}
