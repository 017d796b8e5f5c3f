/** Writing on: letters at the end of a block, or after those that were written last, wherever these are by now. */
import * as Y from "yjs"
import { SyncError } from "../errors.ts"
import { liveItems, type SharedType } from "../export/shared-types.ts"
import { writeForEditor } from "../import/editors.ts"
import { readLexicalNode, writeLexical } from "../json/lexical.ts"
import type { ChangeOptions } from "../json/patch.ts"
import { readNode, writeChildren } from "../json/tree.ts"
import { insertDelta, insertText, insertValues, lengthOf, valueAt } from "../json/types.ts"
import { type AgentBlock, type AgentText, endOf, findBlock, findText, itemOf, listBlocks } from "./blocks.ts"

/** Where the writing has ended. */
export interface Written {
  readonly handle: string | null
  /** To be given back, to go on there. */
  readonly stream: string
  readonly caret: { readonly holder: SharedType; readonly place: number }
}

/**
 * Write letters on. A newline begins a new block in a rich text.
 * @param where.stream what the last piece was answered; the handle is where the first one goes, null: the end of the text
 * @throws SyncError "not-found" where the block is gone
 */
export function appendText(
  doc: Y.Doc,
  {
    root,
    handle,
    stream,
    text,
  }: { root: string | null; handle: string | null; stream: string | null; text: string },
  options: ChangeOptions,
): Written {
  const target = findText(doc, root, options.budget)
  options.touch(target.root)
  const [first = "", ...rest] = target.editor === "text" ? [text] : text.split(/\r?\n/)
  const start =
    (stream === null ? null : placeAfter(doc, target, stream)) ?? placeIn(doc, target, handle, options)
  insert(target, start, first)
  let caret = { holder: start.holder, place: start.place + first.length }
  for (const line of rest) {
    const index = listBlocks(target).findIndex((block) => holds(target, block, caret.holder))
    addBlock(target, index < 0 ? listBlocks(target).length : index + 1, line, options)
    const block = listBlocks(target)[index < 0 ? listBlocks(target).length - 1 : index + 1]!
    caret = endOf(target, block) ?? beginText(target, block.element!)
  }
  const block = listBlocks(target).find((one) => holds(target, one, caret.holder))
  return { handle: block?.handle ?? null, stream: idBefore(caret) ?? stream ?? "", caret }
}

function insert(
  { editor }: AgentText,
  { holder, place }: { holder: SharedType; place: number },
  text: string,
): void {
  if (editor === "lexical") insertText(holder, place, text, {})
  else insertText(holder, place, text)
}

function placeIn(
  doc: Y.Doc,
  text: AgentText,
  handle: string | null,
  options: ChangeOptions,
): { holder: SharedType; place: number } {
  const blocks = listBlocks(text)
  const block = handle === null || handle === "end" ? blocks.at(-1) : findBlock(doc, text, handle)
  if (block === null)
    throw new SyncError("not-found", `There is no block ${JSON.stringify(handle)} any more.`)
  if (block === undefined) addBlock(text, 0, "", options)
  const target = block ?? listBlocks(text)[0]
  if (target === undefined) return { holder: text.holder, place: 0 }
  return endOf(text, target) ?? beginText(text, target.element!)
}

/** Make room for letters in a block that has none. */
function beginText({ editor }: AgentText, element: SharedType): { holder: SharedType; place: number } {
  if (editor === "lexical") {
    const place = lengthOf(element)
    const format = new Y.Map<unknown>(
      Object.entries({ __type: "text", __format: 0, __style: "", __mode: 0, __detail: 0 }),
    )
    insertDelta(element, place, [{ insert: format }])
    return { holder: element, place: place + 1 }
  }
  let at = element
  for (;;) {
    const inner = valueAt(at, 0)
    if (!(inner instanceof Y.XmlElement)) break
    at = inner as SharedType
  }
  const text = new Y.XmlText()
  insertValues(at, 0, [text])
  return { holder: text as SharedType, place: 0 }
}

/** Add a paragraph of these letters. */
function addBlock(text: AgentText, index: number, line: string, options: ChangeOptions): void {
  const inlines = line === "" ? [] : [{ kind: "text" as const, text: line, marks: {} }]
  const json = writeForEditor([{ kind: "paragraph", inlines }], text.editor) as {
    content?: never
    children?: never
  }
  const range = { from: index, to: index }
  if (text.editor === "lexical")
    writeLexical(text.holder, [...(json.children ?? [])].map(readLexicalNode), options, range)
  else {
    const content = [...(json.content ?? [])] as { content?: never }[]
    const nodes = text.editor === "blocknote" ? [...(content[0]?.content ?? [])] : content
    writeChildren(text.holder, readNode({ type: "doc", content: nodes as never }), options, range)
  }
}

/** Just behind a letter, or where it stood; null where it is gone with all around it. */
function placeAfter(
  doc: Y.Doc,
  { holder }: AgentText,
  stream: string,
): { holder: SharedType; place: number } | null {
  const item = itemOf(doc, stream)
  const parent = item?.parent
  if (item === null || !(parent instanceof Y.AbstractType)) return null
  if (parent._item?.deleted === true || !isWithin(parent as SharedType, holder)) return null
  const clock = Number.parseInt(stream.slice(stream.indexOf(".") + 1), 36)
  let place = item.deleted ? 0 : clock - item.id.clock + 1
  for (let at = item.left; at !== null; at = at.left) if (!at.deleted && at.countable) place += at.length
  return { holder: parent as SharedType, place }
}

function isWithin(type: SharedType, around: SharedType): boolean {
  let at: unknown = type
  while (at instanceof Y.AbstractType && at !== around) at = at._item?.parent
  return at === around
}

function holds({ editor }: AgentText, { element }: AgentBlock, type: SharedType): boolean {
  return editor !== "text" && element !== null && isWithin(type, element)
}

/** The id of the letter before a place. */
function idBefore({ holder, place }: { holder: SharedType; place: number }): string | null {
  let left = place - 1
  for (const item of liveItems(holder)) {
    if (!item.countable) continue
    if (left < item.length)
      return left < 0 ? null : `${item.id.client.toString(36)}.${(item.id.clock + left).toString(36)}`
    left -= item.length
  }
  return null
}
