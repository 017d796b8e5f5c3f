/** What the pages of stock editors share: which document they open, and how a test finds them. */
import type { Doc } from "yjs"

declare global {
  /** Writes a document of all that this editor knows, by the editor's own commands. */
  var fill: () => void
  /** The document of the page. */
  var doc: Doc
}

/** The document that the address names. */
export const docId: string = new URLSearchParams(location.search).get("doc") ?? ""

/** ws://host:port */
export const server: string = location.origin.replace("http", "ws")

/** Who is at this page. */
export const user = { name: location.hash.slice(1), color: "#0369a1" }

/** Where the editor stands. */
export const place: HTMLElement = document.getElementById("editor")!

/** A picture of 1 × 1, and no request. */
export const IMAGE = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"

/** What the test waits for. */
export function isSynced(): void {
  document.body.dataset.synced = ""
}
