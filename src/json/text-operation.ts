/**
 * The operation `text`: `{op: "text", path, index, delete?, insert?, attributes?}` edits inside a text without sending it.
 *
 * `index` and `delete` count UTF-16 units; what is embedded counts as one. `path` leads to a text; in a tree of ProseMirror to
 * an element, whose texts then count as one, or to one text of the view, where `index` counts from its beginning; in
 * one of Lexical to one text. `attributes` are those of what is inserted; without them it takes what stands before it.
 */
import * as Y from "yjs"
import { SyncError } from "../errors.ts"
import { type Json, valueToJson } from "../export/json.ts"
import { kindOf, listRuns, liveItems, type SharedType } from "../export/shared-types.ts"
import { isLexical } from "../export/tree.ts"
import { actAt, getAt, isObject } from "./plain.ts"
import { show } from "./pointer.ts"
import { type WriteOptions, writeType } from "./reconcile.ts"
import { deleteText, insertText } from "./types.ts"

interface Edit {
  readonly index: number
  readonly remove: number
  readonly insert: string
  readonly attributes: { readonly [name: string]: Json } | undefined
}

/**
 * Do the operation.
 *
 * @param rest what of the path leads into the view of the text
 * @throws SyncError "bad-request" | "patch-failed"
 */
export function editText(
  type: SharedType,
  rest: readonly string[],
  operation: { readonly [name: string]: Json },
  options: WriteOptions,
): void {
  const edit = readEdit(operation)
  const kind = kindOf(type)
  if (kind === "map" || kind === "array")
    throw new SyncError("patch-failed", `there is ${kind === "map" ? "an object" : "a list"} and no text`)
  const isTree = kind === "xml" || isLexical(type)
  if (!isTree) {
    if (rest.length > 0)
      throw new SyncError("patch-failed", "there is a text; the path of an edit ends at it")
    return editCharacters(type, edit, options)
  }
  const view = valueToJson(type, options.budget)
  const target = getAt(view, rest)
  if (typeof target === "string") return editRun(type, { view, rest, text: target, edit }, options)
  if (kind !== "xml") throw new SyncError("patch-failed", `there is ${show(target)} and no text`)
  const element = elementAt(type, rest, options)
  if (element === null) throw new SyncError("patch-failed", `there is ${show(target)} and no text`)
  const texts = [...liveItems(element)].flatMap(({ content }) => content.getContent())
  const [only] = texts
  if (texts.length > 1 || (only !== undefined && !(only instanceof Y.XmlText)))
    throw new SyncError("patch-failed", `there is ${show(target)}, which holds more than one text`)
  if (only instanceof Y.XmlText) return editCharacters(only, edit, options)
  const text = new Y.XmlText()
  Y.Array.prototype.insert.call(element, 0, [text])
  editCharacters(text, edit, options)
}

function readEdit({
  index,
  delete: remove = 0,
  insert = "",
  attributes,
}: {
  readonly [name: string]: Json
}): Edit {
  const isCount = (value: Json | undefined): value is number =>
    Number.isSafeInteger(value) && Number(value) >= 0
  if (!isCount(index) || !isCount(remove))
    throw new SyncError("bad-request", `"text" needs an index, and may delete, whole numbers from 0 on.`)
  if (typeof insert !== "string" || (attributes !== undefined && !isObject(attributes)))
    throw new SyncError("bad-request", `"text" may insert a string, with attributes in an object.`)
  return { index, remove, insert: insert.toWellFormed(), attributes }
}

function editCharacters(type: SharedType, edit: Edit, { budget }: WriteOptions): void {
  let text = ""
  for (const { insert } of listRuns(type, budget)) text += typeof insert === "string" ? insert : "\ufffc"
  checkPlaces(text, edit)
  insertText(type, edit.index + edit.remove, edit.insert, edit.attributes)
  deleteText(type, edit.index, edit.remove)
}

/** Edit one text of a tree's view, and make the tree what the view says. */
function editRun(
  type: SharedType,
  { view, rest, text, edit }: { view: Json; rest: readonly string[]; text: string; edit: Edit },
  options: WriteOptions,
): void {
  if (rest.at(-1) !== "text" || edit.attributes !== undefined)
    throw new SyncError("patch-failed", "a text of a tree is edited at its text, and without attributes")
  checkPlaces(text, edit)
  const value = text.slice(0, edit.index) + edit.insert + text.slice(edit.index + edit.remove)
  writeType(type, actAt(view, rest, { kind: "replace", value }), options)
}

/** @throws SyncError "patch-failed" where the places are not in the text, or would split a character */
function checkPlaces(text: string, { index, remove }: Edit): void {
  if (index + remove > text.length)
    throw new SyncError(
      "patch-failed",
      `there is a text of ${text.length} UTF-16 units, and ${index} + ${remove} is beyond its end`,
    )
  for (const place of [index, index + remove]) {
    const isSplit = /[\ud800-\udbff]/.test(text[place - 1] ?? "") && /[\udc00-\udfff]/.test(text[place] ?? "")
    if (isSplit) throw new SyncError("patch-failed", `there is a character of two units at ${place - 1}`)
  }
}

/** The element that a pointer into ProseMirror's view leads to: places of `content`, where texts stand as runs. */
function elementAt(type: SharedType, rest: readonly string[], { budget }: WriteOptions): Y.XmlElement | null {
  let at: SharedType = type
  for (let i = 0; i < rest.length; i += 2) {
    if (rest[i] !== "content") return null
    let left = Number(rest[i + 1])
    let found: Y.XmlElement | null = null
    for (const { content } of liveItems(at)) {
      for (const child of content.getContent()) {
        const places = child instanceof Y.XmlText ? [...listRuns(child, budget)].length : 1
        if (left < places) found = child instanceof Y.XmlElement ? child : null
        left -= places
        if (left < 0) break
      }
      if (left < 0) break
    }
    if (found === null) return null
    at = found
  }
  return at instanceof Y.XmlElement ? at : null
}
