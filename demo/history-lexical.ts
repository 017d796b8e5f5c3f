/**
 * Rich text in the history: blocks as they stand in the editor, with what changed inside of them. Lexical keeps each block as a
 * text in the text, and before its words a map that says how they look; so a nested text begins a block, and a changed
 * map is a format of the words after it.
 */
import * as Y from "yjs"
import { el } from "./element.ts"
import { headingTag, type Look, makeBlock, PLAIN, signOf } from "./history-blocks.ts"
import type { Piece } from "./history-panel.ts"

/** The blocks that pieces of a root of Lexical's make. */
export function layOutLexical(pieces: readonly Piece[], then: Y.Doc): HTMLElement[] {
  const root = then.get("root", Y.XmlText)
  const blocks: HTMLElement[] = []
  let block: HTMLElement | null = null
  let isFormatted = false
  for (const { op, text, value, path = [], node } of pieces) {
    if (text !== undefined) {
      if (block === null) {
        block = makeBlock(PLAIN)
        blocks.push(block)
      }
      if (isFormatted && op === "equal") block.append(el("mark", { title: "Another format" }, text))
      else block.append(node)
    } else if (typeof path.at(-1) === "string") {
      // How the words after it look; of a block itself it is what kind it is.
      isFormatted ||= op === "insert" && path.length > 2
    } else if (isText(value)) {
      const look = op === "delete" ? { ...PLAIN, depth: path.length - 1 } : lookAt(root, path)
      isFormatted = false
      // A list is there by its items, and an item that holds a list by that one's.
      block = look === null ? null : makeBlock(look)
      if (block !== null) blocks.push(block)
    } else isFormatted = false
  }
  return blocks
}

/** How the block at a path looks; null where other blocks stand in it. */
function lookAt(root: Y.XmlText, path: readonly (string | number)[]): Look | null {
  let [list, own]: [Y.XmlText, Y.XmlText] = [root, root]
  for (const index of path) {
    const inner = embedAt(own, Number(index))
    if (inner === null) return PLAIN
    ;[list, own] = [own, inner]
  }
  const kind: unknown = own.getAttribute("__type")
  const tag = String(own.getAttribute("__tag"))
  if (kind === "list" || embedAt(own, 0)?.getAttribute("__type") === "list") return null
  if (kind === "heading") return { ...PLAIN, tag: headingTag(Number(tag.slice(1))) }
  if (kind === "quote") return { ...PLAIN, tag: "blockquote" }
  if (kind !== "listitem") return PLAIN
  const type: unknown = list.getAttribute("__listType")
  const sign = signOf(type === "number" || type === "check" ? type : "bullet", {
    place: Number(own.getAttribute("__value")),
    checked: Boolean(own.getAttribute("__checked")),
  })
  // Of a list in a list every second text is an item that holds it.
  return { tag: "p", sign, depth: path.length / 2 }
}

/** The text at an index of another one; null where something else is there. */
function embedAt(text: Y.XmlText, index: number): Y.XmlText | null {
  let at = 0
  for (const { insert } of text.toDelta() as { insert: unknown }[]) {
    if (at === index) return insert instanceof Y.XmlText ? insert : null
    at += typeof insert === "string" ? insert.length : 1
  }
  return null
}

function isText(value: unknown): boolean {
  const { type } = Object(value) as { type?: unknown }
  return type === "text" || type === "xml"
}
