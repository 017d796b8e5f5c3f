/**
 * What a shared type holds, read without touching it: no `doc.get(name, Type)` (which fixes a root's type for
 * everyone), no search marker, no transaction. So it reads a root whose type nobody has named yet, and the
 * document is the same afterwards, to the byte and to the next reader.
 */
import * as Y from "yjs"

/** Any shared type; a root that nobody has read as anything is a bare AbstractType. */
export type SharedType = Y.AbstractType<unknown>

/**
 * What a shared type is. "xml" is an XmlFragment or XmlElement; a Text and an XmlText are both "text".
 * "empty": a root with nothing live in it, of which nobody has said what it is.
 */
export type Kind = "text" | "map" | "array" | "xml" | "empty"

/** One run of a text: a string, or one embedded value (a shared type, or what `insertEmbed` was given). */
export interface Run {
  readonly insert: unknown
  readonly attributes: Readonly<Record<string, unknown>>
}

/** The items of a type's list that are not deleted, in document order. */
export function* liveItems(type: SharedType): Generator<Y.Item> {
  for (let item = type._start; item !== null; item = item.right) if (!item.deleted) yield item
}

/** The values of a type read as an array, or the children of one read as XML. */
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

/** The runs of a type read as text, as Yjs's own `toDelta`. */
export function textRuns(type: SharedType): Run[] {
  const runs: Run[] = []
  const current = new Map<string, unknown>()
  let text = ""
  const endRun = () => {
    if (text !== "") runs.push({ insert: text, attributes: Object.fromEntries(current) })
    text = ""
  }
  for (const { content } of liveItems(type)) {
    if (content instanceof Y.ContentString) text += content.str
    else if (content instanceof Y.ContentFormat) {
      const { key, value } = content as { key: string; value: unknown }
      if ((current.get(key) ?? null) === value) continue
      endRun()
      if (value === null) current.delete(key)
      else current.set(key, value)
    } else if (content instanceof Y.ContentType || content instanceof Y.ContentEmbed) {
      endRun()
      runs.push({ insert: content.getContent()[0], attributes: Object.fromEntries(current) })
    }
  }
  endRun()
  return runs
}

/** The characters of a text, as Yjs's own `toString`: no formatting, no embeds. */
export function plainText(type: SharedType): string {
  let text = ""
  for (const { content } of liveItems(type)) if (content instanceof Y.ContentString) text += content.str
  return text
}

/** What this type is. What Yjs knows (a nested type, a root someone has read) is believed; the rest is inferred. */
export function kindOf(type: SharedType): Kind {
  if (type instanceof Y.Text) return "text"
  if (type instanceof Y.XmlFragment) return "xml"
  if (type instanceof Y.Map) return "map"
  if (type instanceof Y.Array) return "array"
  return inferKind(type)
}

/** The rules are in the docstring of `listRoots`. */
function inferKind(type: SharedType): Kind {
  let onlyXml = true
  let empty = true
  for (const { content } of liveItems(type)) {
    if (
      content instanceof Y.ContentString ||
      content instanceof Y.ContentFormat ||
      content instanceof Y.ContentEmbed ||
      (content instanceof Y.ContentType && isLexicalNode(content.type))
    ) {
      return "text"
    }
    empty = false
    onlyXml &&= content instanceof Y.ContentType && isXml(content.type)
  }
  if (!empty) return onlyXml ? "xml" : "array"
  return mapEntries(type).length > 0 ? "map" : "empty"
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
