/** The greeting in the documents of the start page, so that nobody meets an empty one. */
import type * as Y from "yjs"
import type { Provider } from "../src/client/provider.ts"
import { begin } from "./begin.ts"
import { page } from "./page.ts"

/** The ids of the start page's documents begin with this. */
const HELLO = "hello-"

/**
 * Greet if this is a document of the start page and nobody has ever written in it.
 * @param write writes the greeting into an empty document; the same one every time it is called
 */
export function greet(provider: Provider, write: (doc: Y.Doc) => void): void {
  if (page.docId.startsWith(HELLO)) begin(provider, write)
}
