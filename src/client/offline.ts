/** A document kept in this browser's IndexedDB. The package is loaded only where it is asked for. */
import type * as Y from "yjs"

/** Where the browser forbids IndexedDB, opening it may never end, and must not keep a socket from opening. A guess. */
const LOAD_MS = 3_000

export interface OfflineCopy {
  /** Lets go of the document; what is kept stays. */
  destroy(): Promise<void>
}

/**
 * Open the database of this name and load what it holds into the document; from then on it keeps every change.
 * @returns when it is loaded, or has taken too long; null where there is no IndexedDB (in Node)
 */
export async function openOfflineCopy(name: string, doc: Y.Doc): Promise<OfflineCopy | null> {
  if (globalThis.indexedDB === undefined) return null
  const { IndexeddbPersistence } = await import("y-indexeddb")
  const copy = new IndexeddbPersistence(name, doc)
  await Promise.race([copy.whenSynced, new Promise((resolve) => setTimeout(resolve, LOAD_MS))])
  return copy
}
