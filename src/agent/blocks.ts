/**
 * A text as an agent sees it: blocks, each with a handle. A handle is the id of what stands there (of an element, or of the
 * first letter of a line), so it means the same block however the document changes around it, and in no other document.
 */
import * as Y from "yjs"
import { SyncError } from "../errors.ts"
import { inlineText } from "../export/blocks.ts"
import type { Budget } from "../export/budget.ts"
import { blocksToMarkdown } from "../export/markdown.ts"
import { findRoot, findRoots } from "../export/roots.ts"
import { isSharedType, liveItems, type SharedType } from "../export/shared-types.ts"
import { readLexical, readXml } from "../export/tree.ts"
import { readBlocks } from "../export/tree-blocks.ts"
import { EDITOR_ROOTS, type Editor } from "../import/editors.ts"
import { editorOf } from "../import/recognise.ts"

/** The text that an agent is about. */
export interface AgentText {
  readonly root: string
  readonly editor: Editor
  /** Where the blocks stand: the root, or BlockNote's group in it. */
  readonly holder: SharedType
}

/** One block. */
export interface AgentBlock {
  readonly handle: string
  /** The element; null for a line of a plain text. */
  readonly element: SharedType | null
  /** Of a line its letters; an object in it is U+FFFC. "" for elements. */
  readonly letters: string
  /** Which one it is, and where in the holder's list it stands, and how long it is there. */
  readonly index: number
  readonly place: number
  readonly length: number
}

/** Letters in a row, and where in a type's list each stands. */
export interface Span {
  readonly holder: SharedType
  readonly letters: string
  readonly places: readonly number[]
}

/**
 * The text that is meant: a root by its name, else the only one, or the first in name order, else where a plain text goes.
 * @throws SyncError "not-found" where the root is none, "patch-failed" where it is no text
 */
export function findText(doc: Y.Doc, root: string | null, budget: Budget): AgentText {
  const texts = findRoots(doc).filter(({ kind }) => kind === "text" || kind === "xml")
  const found = root === null ? texts[0] : texts.find(({ name }) => name === root)
  if (found === undefined) {
    if (root !== null && findRoots(doc).some(({ name, kind }) => name === root && kind !== "empty"))
      throw new SyncError(
        "patch-failed",
        `the root ${JSON.stringify(root)} is ${findRoot(doc, root).kind} and no text`,
      )
    const name = root ?? EDITOR_ROOTS.text
    return { root: name, editor: "text", holder: doc.get(name) }
  }
  const editor = editorOf(found, budget)
  const group =
    editor === "blocknote" ? childrenOf(found.type).find((child) => isNamed(child, "blockGroup")) : null
  return { root: found.name, editor, holder: group ?? found.type }
}

/** Every block, in order. */
export function listBlocks({ editor, holder }: AgentText): AgentBlock[] {
  return editor === "text" ? listLines(holder) : listElements(holder)
}

/** The block that a handle means; null where it is gone, or of another document. */
export function findBlock(doc: Y.Doc, { editor, holder }: AgentText, handle: string): AgentBlock | null {
  const blocks = listBlocks({ root: "", editor, holder })
  const exact = blocks.find((block) => block.handle === handle)
  if (exact !== undefined || editor !== "text") return exact ?? null
  // The first letter of the line may have been deleted: what stands there now is meant.
  const item = itemOf(doc, handle)
  if (item === null || item.parent !== holder) return null
  let place = 0
  for (let at = item.left; at !== null; at = at.left) if (!at.deleted && at.countable) place += at.length
  return blocks.findLast((block) => block.place <= place) ?? null
}

/** A block as Markdown. */
export function showBlock({ editor }: AgentText, block: AgentBlock, budget: Budget): string {
  if (block.element === null) return block.letters
  const tree = editor === "lexical" ? readLexical(block.element, budget) : readXml(block.element, budget)
  return blocksToMarkdown(readBlocks([tree]), budget).trimEnd()
}

/** Of a heading its level and text; null for other blocks. */
export function headingOf(
  { editor }: AgentText,
  block: AgentBlock,
  budget: Budget,
): { level: number; text: string } | null {
  if (block.element === null) {
    const [, marks, text] = /^(#{1,6}) +(.*?)#*$/.exec(block.letters) ?? []
    return marks === undefined ? null : { level: marks.length, text: text!.trim() }
  }
  const tree = editor === "lexical" ? readLexical(block.element, budget) : readXml(block.element, budget)
  const [first] = readBlocks([tree])
  return first?.kind === "heading" ? { level: first.level, text: inlineText(first.inlines) } : null
}

/** The letters of a block, in stretches that one edit can be in. */
export function spansOf({ holder }: AgentText, block: AgentBlock): Span[] {
  if (block.element !== null) return spansIn(block.element)
  const { letters, place } = block
  return [{ holder, letters, places: Array.from({ length: letters.length }, (_, i) => place + i) }]
}

/** The end of the letters of a block, where what is written on goes; null where it has none. */
export function endOf(text: AgentText, block: AgentBlock): { holder: SharedType; place: number } | null {
  if (block.element === null) return { holder: text.holder, place: block.place + block.length }
  const last = spansOf(text, block).at(-1)
  return last === undefined ? null : { holder: last.holder, place: last.places.at(-1)! + 1 }
}

function spansIn(type: SharedType): Span[] {
  const spans: Span[] = []
  let letters = ""
  const places: number[] = []
  let place = 0
  for (const { content, countable, length } of liveItems(type)) {
    if (!countable) continue
    if (content instanceof Y.ContentString) {
      letters += content.str
      for (let i = 0; i < length; i++) places.push(place + i)
    }
    for (const value of content instanceof Y.ContentString ? [] : content.getContent()) {
      if (isSharedType(value) && !(value instanceof Y.Map)) spans.push(...spansIn(value))
    }
    place += length
  }
  return letters === "" ? spans : [{ holder: type, letters, places }, ...spans]
}

/** The handle of the first letter or element after a place, for what was just written there. */
export function handleAt(text: AgentText, index: number): string | null {
  return listBlocks(text)[index]?.handle ?? null
}

function listElements(holder: SharedType): AgentBlock[] {
  const blocks: AgentBlock[] = []
  let place = 0
  for (const item of liveItems(holder)) {
    if (!item.countable) continue
    if (item.content instanceof Y.ContentType) {
      const element = item.content.type as SharedType
      const handle = writeHandle(item.id.client, item.id.clock)
      blocks.push({ handle, element, letters: "", index: blocks.length, place, length: 1 })
    }
    place += item.length
  }
  return blocks
}

/** A line of no letters is known by the newline that ends it; the last one by the end of the text. */
function listLines(holder: SharedType): AgentBlock[] {
  const blocks: AgentBlock[] = []
  let [place, start, line] = [0, 0, ""]
  let handle: string | null = null
  const add = (known: string): void => {
    blocks.push({
      ...{ handle: known, element: null, letters: line },
      ...{ index: blocks.length, place: start, length: line.length },
    })
  }
  for (const { content, countable, id, length } of liveItems(holder)) {
    if (!countable) continue
    const letters = content instanceof Y.ContentString ? content.str : "\ufffc".repeat(length)
    for (let at = 0; at < length; ) {
      handle ??= writeHandle(id.client, id.clock + at)
      const newline = letters.indexOf("\n", at)
      const end = newline < 0 ? length : newline
      line += letters.slice(at, end)
      at = end
      if (newline < 0) break
      add(handle)
      at = newline + 1
      start = place + at
      ;[line, handle] = ["", null]
    }
    place += length
  }
  if (place > start || blocks.length === 0) add(handle ?? "end")
  return blocks
}

function childrenOf(type: SharedType): SharedType[] {
  return [...liveItems(type)].flatMap(({ content }) => content.getContent()).filter(isSharedType)
}

function isNamed(type: SharedType, name: string): boolean {
  return type instanceof Y.XmlElement && type.nodeName === name
}

function writeHandle(client: number, clock: number): string {
  return `${client.toString(36)}.${clock.toString(36)}`
}

/** The item of a handle, deleted or not; null where this document has none. */
export function itemOf(doc: Y.Doc, handle: string): Y.Item | null {
  const [, client, clock] = /^([0-9a-z]{1,11})\.([0-9a-z]{1,11})$/.exec(handle) ?? []
  if (client === undefined) return null
  const id = Y.createID(Number.parseInt(client, 36), Number.parseInt(clock!, 36))
  if (!(id.clock < Y.getState(doc.store, id.client))) return null
  const item: unknown = Y.getItem(doc.store, id)
  return item instanceof Y.Item ? item : null
}
