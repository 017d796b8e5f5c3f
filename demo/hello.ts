/**
 * The greeting in the documents of the start page, so that nobody meets an empty one.
 *
 * Two visitors may open an empty document at the same moment, and both greet. So the greeting is written by a
 * client id made from its own words: the same words are the same update, and merging it twice changes nothing.
 */
import * as Y from "yjs"
import type { Provider } from "../src/client/provider.ts"
import { page } from "./page.ts"
import { isReadOnly } from "./rights.ts"

/** The ids of the start page's documents begin with this. */
const HELLO = "hello-"

/** The origin of the greeting's transaction; no undo manager tracks it, so no visitor can undo the greeting. */
const GREETING = Symbol("greeting")

/**
 * Greet if this is a document of the start page and nobody has ever written in it.
 * @param write writes the greeting into an empty document; the same one every time it is called
 */
export function greet(provider: Provider, write: (doc: Y.Doc) => void): void {
  if (!page.docId.startsWith(HELLO) || isReadOnly()) return
  provider.on("sync", (synced) => {
    if (synced && provider.doc.store.clients.size === 0)
      Y.applyUpdate(provider.doc, greeting(write), GREETING)
  })
}

function greeting(write: (doc: Y.Doc) => void): Uint8Array {
  const draft = new Y.Doc()
  draft.clientID = 1
  draft.transact(() => write(draft))
  const doc = new Y.Doc()
  doc.clientID = hash(Y.encodeStateAsUpdate(draft))
  doc.transact(() => write(doc))
  return Y.encodeStateAsUpdate(doc)
}

/** FNV-1a, 32 bits. */
function hash(bytes: Uint8Array): number {
  return bytes.reduce((value, byte) => Math.imul(value ^ byte, 0x01000193) >>> 0, 0x811c9dc5)
}
