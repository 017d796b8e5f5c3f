/**
 * Writing into a shared type whatever it has been read as. `doc.getMap(name)` would fix for everyone what a root is, and
 * throws where the program around it has read it as something else; Yjs's own methods need no more than the type's list
 * and its keys, which every type has. All calls belong in a transaction.
 */
import * as Y from "yjs"
import { isSharedType, liveItems, type SharedType } from "../export/shared-types.ts"

/** A value with what is in it: JSON, or a shared type that is in no document yet. */
export type Writable = unknown

/** Set a key of a map, or an attribute. */
export function setKey(type: SharedType, key: string, value: Writable): void {
  Y.Map.prototype.set.call(type, key, value)
}

/** Delete a key of a map, or an attribute. */
export function deleteKey(type: SharedType, key: string): void {
  Y.Map.prototype.delete.call(type, key)
}

/** Insert values into a list, or nodes into a tree. */
export function insertValues(type: SharedType, index: number, values: Writable[]): void {
  if (values.length > 0) Y.Array.prototype.insert.call(type, index, values)
}

/** Delete values of a list. */
export function deleteValues(type: SharedType, index: number, count: number): void {
  if (count > 0) Y.Array.prototype.delete.call(type, index, count)
}

/**
 * Insert characters.
 * @param attributes exactly these; without them what stands before decides
 */
export function insertText(
  type: SharedType,
  index: number,
  text: string,
  attributes?: Readonly<Record<string, unknown>>,
): void {
  if (text !== "") Y.Text.prototype.insert.call(type as Y.Text, index, text, attributes && { ...attributes })
}

/** Delete characters and embeds. */
export function deleteText(type: SharedType, index: number, length: number): void {
  if (length > 0) Y.Text.prototype.delete.call(type as Y.Text, index, length)
}

/** A stretch of a text: characters, or an embed, which counts as one. */
export interface Insert {
  readonly insert: string | object
  /** Exactly these; none where they are left out. */
  readonly attributes?: Readonly<Record<string, unknown>>
}

/** A step of a walk through a text, from its beginning. */
export type Step =
  | Insert
  | { readonly retain: number; readonly attributes?: Readonly<Record<string, unknown>> }
  | { readonly delete: number }

/** Insert stretches in a row, in one walk to their place. The type may be in no document yet. */
export function insertDelta(type: SharedType, index: number, delta: readonly Insert[]): void {
  editDelta(type, [{ retain: index }, ...delta])
}

/** Edit a text in one walk; an attribute that is null is taken away. */
export function editDelta(type: SharedType, steps: readonly Step[]): void {
  const delta = steps.flatMap((step): Step[] => {
    if ("delete" in step) return step.delete > 0 ? [step] : []
    if ("retain" in step) return step.retain > 0 ? [step] : []
    const { insert, attributes = {} } = step
    if (insert === "") return []
    return [
      { insert: typeof insert === "string" ? insert.toWellFormed() : insert, attributes: { ...attributes } },
    ]
  })
  const changes = delta.some((step) => !("retain" in step) || step.attributes !== undefined)
  if (changes) Y.Text.prototype.applyDelta.call(type as Y.Text, delta)
}

/** How many places the list of a type has: characters, values, nodes. */
export function lengthOf(type: SharedType): number {
  let length = 0
  for (const item of liveItems(type)) if (item.countable) length += item.length
  return length
}

/** The value at a place of a list; undefined beyond its end. */
export function valueAt(type: SharedType, index: number): unknown {
  let left = index
  for (const item of liveItems(type)) {
    if (!item.countable) continue
    if (left < item.length) return item.content.getContent()[left]
    left -= item.length
  }
  return undefined
}

/** The value under a key; undefined where there is none. */
export function valueUnder(type: SharedType, key: string): unknown {
  const item = type._map.get(key)
  return item === undefined || item.deleted ? undefined : item.content.getContent()[item.length - 1]
}

/** Delete all that a type holds. */
export function clear(type: SharedType): void {
  deleteValues(type, 0, lengthOf(type))
  for (const [key, item] of [...type._map]) if (!item.deleted) deleteKey(type, key)
}

/** Whether something in a list or a map is an object or a list that is one value, as applications without nested types write it. */
export function holdsPlain(type: SharedType): boolean {
  const isPlain = (value: unknown) => typeof value === "object" && value !== null && !isSharedType(value)
  let looked = 0
  for (const { content, countable } of liveItems(type)) {
    if (countable && content.getContent().some(isPlain)) return true
    if (++looked > LOOKED_AT) return false
  }
  for (const item of type._map.values()) {
    if (!item.deleted && item.content.getContent().some(isPlain)) return true
    if (++looked > LOOKED_AT) return false
  }
  return false
}

/** Of a long list the first items say how the application writes. */
const LOOKED_AT = 64
