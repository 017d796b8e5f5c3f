/**
 * Text of ProseMirror's kin in the history: Tiptap's and BlockNote's. Their document is a tree of elements; those that hold
 * words are blocks, and how one looks is said by its own name and by those around it.
 */
import * as Y from "yjs"
import { headingTag, type Look, makeBlock, PLAIN, signOf } from "./history-blocks.ts"
import type { LayOut } from "./history-panel.ts"

/** Elements that hold blocks, and are there by them. */
const AROUND: readonly string[] = [
  ...["blockquote", "bulletList", "orderedList", "listItem", "taskList", "taskItem"],
  ...["blockGroup", "blockContainer"],
]

/** Lays out the pieces of a fragment. @param root its name in the document */
export function layOutTree(root: string): LayOut {
  return (pieces, then) => {
    const fragment = then.getXmlFragment(root)
    const blocks: HTMLElement[] = []
    for (const { op, text, value, path = [], node } of pieces) {
      const { nodeName } = Object(value) as { nodeName?: string }
      if (text !== undefined) {
        if (blocks.length === 0) blocks.push(makeBlock(PLAIN))
        blocks.at(-1)!.append(node)
      } else if (nodeName === "hardBreak") blocks.at(-1)?.append("\n")
      else if (nodeName !== undefined && !AROUND.includes(nodeName))
        blocks.push(makeBlock(op === "delete" ? PLAIN : lookOf(elementsOn(fragment, path))))
    }
    return blocks
  }
}

/** The elements on the way to a block, and last the block itself. */
function elementsOn(fragment: Y.XmlFragment, path: readonly (string | number)[]): Y.XmlElement[] {
  const way: Y.XmlElement[] = []
  let around = fragment
  for (const index of path) {
    const inner: unknown = around.get(Number(index))
    if (!(inner instanceof Y.XmlElement)) break
    way.push(inner)
    around = inner
  }
  return way
}

function lookOf(way: readonly Y.XmlElement[]): Look {
  const own = way.at(-1)
  if (own === undefined) return PLAIN
  const lists = way.filter(({ nodeName }) => /List$/.test(nodeName))
  const groups = way.filter(({ nodeName }) => nodeName === "blockGroup")
  const sign = signOfItem(way)
  const isItem = sign !== null && lists.length === 0
  const depth = lists.length + Math.max(0, groups.length - 1) + Number(isItem)
  if (own.nodeName === "heading")
    return { tag: headingTag(Number(own.getAttribute("level") ?? 1)), sign, depth }
  if (own.nodeName === "codeBlock") return { tag: "pre", sign, depth }
  const isQuote = way.some(({ nodeName }) => nodeName === "blockquote" || nodeName === "quote")
  return { tag: isQuote ? "blockquote" : "p", sign, depth }
}

/** What stands before a block: of Tiptap's by the list that it is the first block of an item of, of BlockNote's by itself. */
function signOfItem(way: readonly Y.XmlElement[]): string | null {
  const [list, item, own] = way.slice(-3)
  const block = way.at(-1)!
  const checked = block.getAttribute("checked") ?? item?.getAttribute("checked")
  const isChecked = String(checked) === "true"
  switch (block.nodeName) {
    case "bulletListItem":
      return signOf("bullet", {})
    case "toggleListItem":
      return "▸"
    case "checkListItem":
      return signOf("check", { checked: isChecked })
    case "numberedListItem":
      return signOf("number", { place: placeOf(block) })
  }
  if (list === undefined || item === undefined || item.get(0) !== own) return null
  switch (list.nodeName) {
    case "bulletList":
      return signOf("bullet", {})
    case "taskList":
      return signOf("check", { checked: isChecked })
    case "orderedList":
      return signOf("number", {
        place: Number(list.getAttribute("start") ?? 1) + list.toArray().indexOf(item),
      })
  }
  return null
}

/** The number of an item of BlockNote's, whose list is the items one after another. */
function placeOf(item: Y.XmlElement): number {
  let place = 1
  for (let at: Y.XmlElement | null = item; at !== null; place++) {
    const start: unknown = at.getAttribute("start")
    if (start != null) return Number(start) + place - 1
    const before: unknown = (at.parent as Y.XmlElement).prevSibling
    const block: unknown = before instanceof Y.XmlElement ? before.get(0) : null
    if (!(block instanceof Y.XmlElement) || block.nodeName !== item.nodeName) return place
    at = block
  }
  return place
}
