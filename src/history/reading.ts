/** How the past reads a shared type: its items with their places, without touching the type. */
import * as Y from "yjs"
import { isSharedType, kindOf, type SharedType } from "../export/shared-types.ts"

/** Where something stands in a document: the keys and indexes from its root down. */
export type Path = readonly (string | number)[]

/** The items of a type's list, deleted ones included, in document order. */
export function* itemsOf(type: SharedType): Generator<Y.Item> {
  for (let item = type._start; item !== null; item = item.right) yield item
}

/** The type that an item holds; null where it holds something else. */
export function typeIn(item: Y.Item): SharedType | null {
  return item.content instanceof Y.ContentType && isSharedType(item.content.type) ? item.content.type : null
}

/** A value as JSON can show it: of a type what it is, of bytes their length. */
export function shownValue(item: Y.Item, index = 0): unknown {
  const { content } = item
  if (content instanceof Y.ContentType) {
    const type = content.type as SharedType
    return type instanceof Y.XmlElement
      ? { type: "xml", nodeName: (type as Y.XmlElement).nodeName }
      : { type: kindOf(type) }
  }
  if (content instanceof Y.ContentFormat) return { [content.key]: content.value }
  const value: unknown = content.getContent()[index]
  if (value instanceof Uint8Array) return { type: "bytes", length: value.length }
  if (value instanceof Y.Doc) return { type: "document", guid: value.guid }
  return value === undefined ? null : value
}

/** The letters of an item between two of its clocks; null where it is no text. */
export function lettersOf(item: Y.Item, clock: number, end: number): string | null {
  if (!(item.content instanceof Y.ContentString)) return null
  return item.content.str.slice(clock - item.id.clock, end - item.id.clock)
}

/** Whether two places are one. Absent: the root. */
export function isSamePath(one: Path = [], other: Path = []): boolean {
  return one === other || (one.length === other.length && one.every((step, i) => step === other[i]))
}
