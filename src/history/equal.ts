/** Whether two shared types hold the same, whatever their ids: what a reader of their JSON or delta would call equal. */
import { equalityDeep } from "lib0/function"
import * as Y from "yjs"
import { liveItems, mapEntries, type SharedType } from "../export/shared-types.ts"

/** Whether two plain values are equal; of two subdocuments, whether they are the same one. */
export function isEqualValue(one: unknown, other: unknown): boolean {
  if (one instanceof Y.Doc || other instanceof Y.Doc)
    return one instanceof Y.Doc && other instanceof Y.Doc && one.guid === other.guid
  return equalityDeep(one, other)
}

/** Whether two types hold the same. null is a type with nothing in it. */
export function isEqualType(one: SharedType | null, other: SharedType | null): boolean {
  return equalityDeep(contentOf(one), contentOf(other))
}

/** A type as plain values, of which two are deeply equal exactly where the types hold the same. */
function contentOf(type: SharedType | null): unknown {
  if (type === null) return { kind: "", list: [], entries: [] }
  return {
    kind: kindOf(type),
    list: listOf(type),
    entries: mapEntries(type).map(([key, value]) => [key, plain(value)]),
  }
}

/** Of a root nothing: it is what it was read as, and that is not in the document. */
function kindOf(type: SharedType): string {
  if (type._item === null) return ""
  if (type instanceof Y.XmlElement) return `XmlElement ${type.nodeName}`
  if (type instanceof Y.XmlHook) return `XmlHook ${type.hookName}`
  if (type instanceof Y.XmlText) return "XmlText"
  if (type instanceof Y.Text) return "Text"
  if (type instanceof Y.XmlFragment) return "XmlFragment"
  if (type instanceof Y.Map) return "Map"
  return "Array"
}

function listOf(type: SharedType): unknown[] {
  const list: { insert: unknown; attributes: object }[] = []
  const open = new Map<string, unknown>()
  let attributes: object = {}
  const attribute = () => Object.fromEntries([...open].sort(([a], [b]) => (a < b ? -1 : 1)))
  for (const item of liveItems(type)) {
    const format = formatOf(item)
    if (format !== null) {
      if (format.value === null) open.delete(format.key)
      else open.set(format.key, format.value)
      attributes = attribute()
      continue
    }
    if (!item.countable) continue
    const last = list.at(-1)
    if (item.content instanceof Y.ContentString) {
      if (typeof last?.insert === "string" && equalityDeep(last.attributes, attributes))
        last.insert += item.content.str
      else list.push({ insert: item.content.str, attributes })
      continue
    }
    // A string pushed to an array is no text.
    for (const value of item.content.getContent())
      list.push({ insert: typeof value === "string" ? { value } : plain(value), attributes })
  }
  return list
}

function plain(value: unknown): unknown {
  if (value instanceof Y.AbstractType) return contentOf(value)
  if (value instanceof Y.Doc) return { guid: value.guid }
  return { value }
}

/** The format that an item begins or ends, or null where it is none. */
function formatOf({ content }: Y.Item): { key: string; value: unknown } | null {
  // reason: Yjs types the value of a format as an object, and writes any JSON
  return content instanceof Y.ContentFormat ? (content as { key: string; value: unknown }) : null
}
