/** The one door to the exports: a document in a format a person or a database can read. */
import type * as Y from "yjs"
import { toHtml } from "./html.ts"
import { toJson } from "./json.ts"
import { toMarkdown } from "./markdown.ts"
import { toSvg } from "./svg.ts"
import { toText } from "./text.ts"

/** The formats that need the document itself, not only its bytes. */
export type ReadableFormat = "json" | "text" | "markdown" | "html" | "svg"

/**
 * A document, or with `root` that root of it, as a string in a format. Reads only: the document is the same
 * afterwards, to the byte and to the next reader.
 *
 * @throws SyncError "not-found" when there is no root of that name, "not-acceptable" when the document is not
 * of a kind that the format can show
 */
export function exportDocument(doc: Y.Doc, format: ReadableFormat, options: { root?: string } = {}): string {
  switch (format) {
    case "json":
      return JSON.stringify(options.root === undefined ? toJson(doc) : toJson(doc, { root: options.root }))
    case "text":
      return toText(doc, options)
    case "markdown":
      return toMarkdown(doc, options)
    case "html":
      return toHtml(doc, options)
    case "svg":
      return toSvg(doc, options)
    default:
      throw new TypeError(`unknown format ${format satisfies never}`)
  }
}
