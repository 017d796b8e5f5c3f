/** Whether a document that was imported is all there: by what it is made of, not by how it looks. */
import * as Y from "yjs"
import { exportBudget } from "../export/budget.ts"
import { type Json, jsonWithin } from "../export/json.ts"

/** "equal": the same structs and deletions. "contains": the server has more, which somebody wrote there since. */
export type Comparison = "equal" | "contains" | "differs"

/**
 * Compare a source's document with the server's.
 * @param source one Yjs V1 update
 * @param held what the server exports of it; null: it has none
 */
export function compareDocuments(source: Uint8Array, held: Uint8Array | null): Comparison {
  const wanted = documentOf(source)
  // A part of it is missing at the source: nobody can have all of it.
  if (wanted.store.pendingStructs !== null) return "differs"
  if (held === null) return isEmpty(wanted) ? "equal" : "differs"
  const server = documentOf(held)
  const before = Y.snapshot(server)
  if (Y.equalSnapshots(before, Y.snapshot(wanted))) return "equal"
  // Merging again what is all there changes nothing.
  Y.applyUpdate(server, source)
  return Y.equalSnapshots(before, Y.snapshot(server)) ? "contains" : "differs"
}

/** Whether a document holds nothing, so that a server has no reason to keep it. */
export function isEmptyUpdate(update: Uint8Array): boolean {
  return isEmpty(documentOf(update))
}

/** The document as the server exports it; null where that would be longer than an export may be. */
export function readJson(update: Uint8Array): Json | null {
  return jsonWithin(documentOf(update), exportBudget(update.length))
}

function documentOf(update: Uint8Array): Y.Doc {
  const doc = new Y.Doc()
  Y.applyUpdate(doc, update)
  return doc
}

function isEmpty(doc: Y.Doc): boolean {
  return doc.store.clients.size === 0 && doc.store.pendingStructs === null
}
