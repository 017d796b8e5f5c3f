/** `yurt/offline`: a document's copy in this browser's IndexedDB, by the package y-indexeddb. */
import { IndexeddbPersistence } from "y-indexeddb"
import type * as Y from "yjs"
import type { OfflineCopy, Unsaved } from "./options.ts"

/** How long loading may delay the socket, ms: where a browser forbids IndexedDB, opening it may never end. A guess. */
const LOAD_MS = 3_000

/** The key of the provider's record in y-indexeddb's store for custom values. */
const RECORD = "yurt"

/**
 * Opens the database of this name, loads its content into the document, and keeps every change from then on. Hand it to
 * the provider as `offline`, so that only a page that wants it needs y-indexeddb.
 *
 * @example
 * import { Provider } from "yurt/client"
 * import { indexedDb } from "yurt/offline"
 *
 * new Provider("wss://host/docs", "notes", doc, { offline: indexedDb })
 *
 * @returns when it is loaded, or has taken 3 s; null where there is no IndexedDB (in Node)
 */
export async function indexedDb(name: string, doc: Y.Doc): Promise<OfflineCopy | null> {
  if (globalThis.indexedDB === undefined) return null
  const copy = new IndexeddbPersistence(name, doc)
  let timer: ReturnType<typeof setTimeout> | undefined
  const tooLong = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), LOAD_MS)
  })
  const unsaved: Unsaved | undefined = await Promise.race([
    copy.whenSynced.then(() => copy.get(RECORD)),
    tooLong,
  ])
  clearTimeout(timer)
  return {
    unsaved: unsaved ?? null,
    async record(now) {
      // reason: y-indexeddb's type names strings and dates; what it stores is any structured clone.
      await copy.set(RECORD, now as unknown as string)
    },
    clear: () => copy.clearData(),
    close: () => copy.destroy(),
  }
}
