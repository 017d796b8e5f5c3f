/**
 * What a room lacks of a document.
 *
 * Yjs answers every step 1 with the whole delete set, for a state vector says nothing of deletions: 100 kB on each
 * reconnect of a long-lived document, and a reader would be refused for it. The room's own step 2 brings its whole
 * delete set in turn, so the two can be compared, and in the usual case nothing has to be sent.
 *
 * Needs yjs 13.6.16 or newer, the first to export `mergeDeleteSets`.
 */
import * as Y from "yjs"
import type { Clocks } from "./ledger.ts"

/** What a room has, as it told in its step 1 and its step 2. */
export interface RoomState {
  /** From its step 1. */
  readonly stateVector: Uint8Array
  /** Its step 2, already applied to the document. */
  readonly update: Uint8Array
}

/** The step 2 that brings a room what it lacks, or null when it has everything. It may repeat, and never leaves out. */
export function missingUpdate(doc: Y.Doc, room: RoomState): Uint8Array | null {
  return lacksStructs(doc, room.stateVector) || lacksDeletions(doc, room.update)
    ? Y.encodeStateAsUpdate(doc, room.stateVector)
    : null
}

/** Whether a replica with this state vector lacks something of the document, deletions aside. */
export function lacksStructs(doc: Y.Doc, stateVector: Uint8Array): boolean {
  return doc.store.pendingStructs !== null || isAhead(Y.encodeStateVector(doc), stateVector)
}

/** Whether the first state vector has something that the second has not. */
export function isAhead(stateVector: Uint8Array, other: Uint8Array): boolean {
  const others = Y.decodeStateVector(other)
  for (const [client, clock] of Y.decodeStateVector(stateVector)) {
    if (clock > (others.get(client) ?? 0)) return true
  }
  return false
}

/** The clocks of a document, lowered to these where it has more of a client: so that a room's step 2 brings that as well. */
export function lowerClocks(doc: Y.Doc, lower: Clocks): Uint8Array {
  const clocks = Y.decodeStateVector(Y.encodeStateVector(doc))
  for (const [client, clock] of lower) {
    if (clock < (clocks.get(client) ?? 0)) clocks.set(client, clock)
  }
  return Y.encodeStateVector(clocks)
}

/** Of each client in an update, or of this one alone: the clock of its first struct. */
export function firstClocks(update: Uint8Array, only?: number): Map<number, number> {
  const { from } = Y.parseUpdateMeta(update)
  for (const client of from.keys()) if (only !== undefined && client !== only) from.delete(client)
  return from
}

/** Whether nothing at all is in this document. */
export function isEmpty(doc: Y.Doc): boolean {
  const { clients, pendingStructs, pendingDs } = doc.store
  return clients.size === 0 && pendingStructs === null && pendingDs === null
}

function lacksDeletions(doc: Y.Doc, update: Uint8Array): boolean {
  if (doc.store.pendingDs !== null) return true
  const ours = Y.createDeleteSetFromStructStore(doc.store)
  return !Y.equalDeleteSets(ours, Y.mergeDeleteSets([Y.decodeUpdate(update).ds]))
}
