/**
 * What a new document begins with. Of two who open one at the same moment each page would make its own first paragraph, and the
 * undo of whoever was first would take it away with the words of the other in it; what seed.ts writes is there once.
 */
import type * as Y from "yjs"
import type { Provider } from "../src/client/provider.ts"
import { isReadOnly } from "./rights.ts"
import { seed } from "./seed.ts"

/**
 * Begin the document if nobody has ever written in it.
 * @param write writes into an empty document; the same every time it is called
 */
export function begin(provider: Provider, write: (doc: Y.Doc) => void): void {
  if (isReadOnly()) return
  provider.on("sync", (synced) => {
    if (synced && provider.doc.store.clients.size === 0) seed(provider.doc, write)
  })
}
