/**
 * The first paragraph of a new document, made by the server: of two who open one at the same moment each page would make its own,
 * and the undo of whoever was first would take it away with the words of the other in it.
 */
import { page, requestHeaders, requestUrl } from "./page.ts"
import { isReadOnly } from "./rights.ts"

/** Make the document for this editor where there is none; 412 says that there is one. Offline the page begins without. */
export async function begin(editor: "tiptap" | "blocknote"): Promise<void> {
  if (isReadOnly() || page.mini) return
  const headers = { ...requestHeaders(), "if-none-match": "*", "content-type": "text/markdown" }
  try {
    await fetch(`${requestUrl()}?editor=${editor}`, { method: "PUT", headers, body: "" })
  } catch {
    // No network: what was kept of the document opens anyway, and the provider says that it is offline.
  }
}
