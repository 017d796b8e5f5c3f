/**
 * What a shared type holds, read without touching it: no `doc.get(name, Type)` (which fixes a root's type for
 * everyone), no search marker, no transaction. So it reads a root whose type nobody has named yet, and the
 * document is the same afterwards, to the byte and to the next reader.
 */
import * as Y from "yjs"
import type { Budget } from "./budget.ts"

/** What an export reads of a shared type. Every type of Yjs is one, and so is a root that nobody has read as anything. */
export interface SharedType {
  /** The item that holds the type; null for a root. */
  readonly _item: Y.Item | null
  readonly _start: Y.Item | null
  readonly _map: ReadonlyMap<string, Y.Item>
}

/**
 * What a shared type is. "xml" is a tree: an XmlFragment or XmlElement, or a text with such nodes in it. Other Texts and
 * XmlTexts are "text". "empty" is a root with nothing live in it: what it was is not on the wire.
 */
export type Kind = "text" | "map" | "array" | "xml" | "empty"

/** One run of a list: a string, or one value (a shared type, or what `insertEmbed` or `push` was given). */
export interface Run {
  readonly insert: unknown
  readonly attributes: Readonly<Record<string, unknown>>
}

/** About what one attribute of a run takes in memory, bytes. */
const ATTRIBUTE_BYTES = 32

/** Whether any of Yjs's shared types; nested values of a document are such, or plain values. */
export function isSharedType(value: unknown): value is SharedType {
  return value instanceof Y.AbstractType
}

/** The items of a type's list that are not deleted, in document order. */
export function* liveItems(type: SharedType): Generator<Y.Item> {
  for (let item = type._start; item !== null; item = item.right) if (!item.deleted) yield item
}

/** The values of a type read as an array. */
export function listValues(type: SharedType): unknown[] {
  const values: unknown[] = []
  for (const item of liveItems(type)) {
    if (item.countable) for (const value of item.content.getContent()) values.push(value)
  }
  return values
}

/** The entries of a type read as a map, or the attributes of one read as XML, in key order. */
export function mapEntries(type: SharedType): [key: string, value: unknown][] {
  const entries: [string, unknown][] = []
  for (const [key, item] of type._map) {
    if (!item.deleted) entries.push([key, item.content.getContent()[item.length - 1]])
  }
  return entries.sort(([a], [b]) => (a < b ? -1 : 1))
}

/**
 * The runs of a type's list: of a text as Yjs's own `toDelta`, of an XML node its children, where the strings of a Yjs 14
 * client stand directly among the nodes.
 *
 * @throws SyncError "too-large" when the attributes of all runs together outgrow the budget
 */
export function* listRuns(type: SharedType, budget: Budget): Generator<Run> {
  const current = new Map<string, unknown>()
  const run = (insert: unknown): Run => {
    budget.spend(ATTRIBUTE_BYTES * current.size)
    return { insert, attributes: Object.fromEntries(current) }
  }
  let text = ""
  for (const { content, countable } of liveItems(type)) {
    if (content instanceof Y.ContentString) {
      text += content.str
      continue
    }
    if (content instanceof Y.ContentFormat) {
      // reason: Yjs types the value of a format as an object, and writes any JSON
      const { key, value } = content as { key: string; value: unknown }
      if ((current.get(key) ?? null) === value) continue
      if (text !== "") yield run(text)
      text = ""
      if (value === null) current.delete(key)
      else current.set(key, value)
    } else if (countable) {
      if (text !== "") yield run(text)
      text = ""
      for (const value of content.getContent()) yield run(value)
    }
  }
  if (text !== "") yield run(text)
}

/** Whether a type read as text is characters alone: nothing formatted, nothing embedded. */
export function isPlain(type: SharedType): boolean {
  const open = new Set<string>()
  for (const { content, countable } of liveItems(type)) {
    if (content instanceof Y.ContentString) {
      if (open.size > 0 && content.str !== "") return false
    } else if (content instanceof Y.ContentFormat) {
      if (content.value === null) open.delete(content.key)
      else open.add(content.key)
    } else if (countable) return false
  }
  return true
}

/** The characters of a text, as Yjs's own `toString`: no formatting, no embeds. */
export function plainText(type: SharedType): string {
  let text = ""
  for (const { content } of liveItems(type)) if (content instanceof Y.ContentString) text += content.str
  return text
}

/**
 * What this type is. Of a nested type the wire says it, up to two of its own that hold XML or characters: an XmlText of
 * Slate with elements in it, and the nameless types of Yjs 14, which all come as XmlFragments. Of a root it is inferred,
 * by the rules in the docstring of `findRoots`: also where the program has read the root as something, so that an export is
 * of the document's state and not of who has looked at it.
 */
export function kindOf(type: SharedType): Kind {
  const inferred = inferKind(type)
  if (type._item === null) return inferred
  if (type instanceof Y.Text) return inferred === "xml" ? "xml" : "text"
  if (type instanceof Y.XmlElement) return "xml"
  if (type instanceof Y.XmlFragment) return inferred === "empty" ? "xml" : inferred
  if (type instanceof Y.Map) return "map"
  if (type instanceof Y.Array) return "array"
  return inferred
}

function inferKind(type: SharedType): Kind {
  let hasXml = false
  let hasText = false
  let hasOther = false
  for (const { content } of liveItems(type)) {
    if (content instanceof Y.ContentType && isLexicalNode(content.type)) return "text"
    if (content instanceof Y.ContentType && isXml(content.type)) hasXml = true
    else if (isTextContent(content)) hasText = true
    else hasOther = true
  }
  if (hasText) return hasXml ? "xml" : "text"
  if (hasOther) return "array"
  if (hasXml) return "xml"
  return mapEntries(type).length > 0 ? "map" : "empty"
}

function isTextContent(content: Y.Item["content"]): boolean {
  return (
    content instanceof Y.ContentString ||
    content instanceof Y.ContentFormat ||
    content instanceof Y.ContentEmbed
  )
}

function isXml(value: unknown): boolean {
  return value instanceof Y.XmlFragment || value instanceof Y.XmlText || value instanceof Y.XmlHook
}

/** Whether this is a node as @lexical/yjs (V1) writes one: an XmlText or XmlElement with a `__type`. */
export function isLexicalNode(value: unknown): value is Y.XmlText | Y.XmlElement {
  if (!(value instanceof Y.XmlText || value instanceof Y.XmlElement)) return false
  const type = value._map.get("__type")
  return type !== undefined && !type.deleted
}
