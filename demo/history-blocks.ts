/**
 * Rich text in the history: blocks as they stand in the editor, with what changed inside of them. Lexical keeps each block as a
 * text in the text, and before its words a map that says how they look; so a nested text begins a block, and a changed
 * map is a format of the words after it.
 */
import * as Y from "yjs"
import { el } from "./element.ts"
import type { Piece } from "./history-panel.ts"

/** The blocks that pieces of a root of Lexical's make. */
export function layOutBlocks(pieces: readonly Piece[], then: Y.Doc): HTMLElement[] {
  const kinds: unknown[] = then
    .get("root", Y.XmlText)
    .toDelta()
    .map(({ insert }: { insert: unknown }) => insert)
  const blocks: HTMLElement[] = []
  let block: HTMLElement | null = null
  let isFormatted = false
  for (const { op, text, value, path = [], node } of pieces) {
    const [top] = path
    if (text !== undefined) {
      block ??= begin(blocks, null, 1)
      if (isFormatted && op === "equal") block.append(el("mark", { title: "Another format" }, text))
      else block.append(node)
    } else if (typeof path.at(-1) === "string") {
      // How the words after it look; of a block itself it is what kind it is.
      isFormatted ||= op === "insert" && path.length > 2
    } else if (isText(value)) {
      const kind = op === "delete" || typeof top !== "number" ? null : kinds[top]
      block = begin(blocks, kind instanceof Y.XmlText ? kind : null, path.length)
      isFormatted = false
    } else isFormatted = false
  }
  // A list is there by its items.
  return blocks.filter((one) => one.dataset.kind !== "list" || one.childNodes.length > 0)
}

/** A block after those before it, as the document's own looks. @param depth 1: it stands in the root */
function begin(blocks: HTMLElement[], own: Y.XmlText | null, depth: number): HTMLElement {
  const kind: unknown = own?.getAttribute("__type")
  const tag: unknown = own?.getAttribute("__tag")
  const isItem = kind === "list" && depth > 1
  const made = el(
    kind === "heading" && (tag === "h1" || tag === "h2" || tag === "h3")
      ? tag
      : kind === "quote"
        ? "blockquote"
        : "p",
    { class: isItem && "item", "data-kind": isItem ? "item" : String(kind ?? "paragraph") },
  )
  made.style.setProperty("--depth", String(depth - 1))
  blocks.push(made)
  return made
}

function isText(value: unknown): boolean {
  const { type } = Object(value) as { type?: unknown }
  return type === "text" || type === "xml"
}
