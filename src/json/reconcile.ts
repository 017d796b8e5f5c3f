/** Makes a shared type what a JSON value says, by the smallest difference. */
import * as Y from "yjs"
import { SyncError } from "../errors.ts"
import type { Budget } from "../export/budget.ts"
import { type Json, valueToJson } from "../export/json.ts"
import {
  isPlain,
  isSharedType,
  type Kind,
  kindOf,
  listValues,
  mapEntries,
  plainText,
  type SharedType,
} from "../export/shared-types.ts"
import { isLexical } from "../export/tree.ts"
import { align } from "./align.ts"
import { readLexicalNode, writeLexical } from "./lexical.ts"
import { isObject, isSameJson } from "./plain.ts"
import { show } from "./pointer.ts"
import { isDelta, readDelta, writePlain, writeRuns } from "./text.ts"
import { readNode, writeChildren } from "./tree.ts"
import { clear, deleteKey, deleteValues, holdsPlain, insertValues, setKey } from "./types.ts"

/** How objects and lists are written that were not there before. */
export interface WriteOptions {
  readonly budget: Budget
  /**
   * "shared": as Y.Map and Y.Array, in which several people can change different things; "plain": as one value; null: as
   * their neighbours are, and shared where there are none.
   */
  readonly nested: "shared" | "plain" | null
  /** See `TreeOptions`. */
  readonly known: ReadonlySet<string> | null
}

/** What a value would be as a root; null is nothing. @throws SyncError "patch-failed" for what cannot be one */
export function kindOfJson(value: Json): Kind {
  if (value === null) return "empty"
  if (typeof value === "string") return "text"
  if (Array.isArray(value)) return value.length > 0 && isDelta(value) ? "text" : "array"
  if (!isObject(value))
    throw new SyncError("patch-failed", `a root is an object, a list or a text, and cannot be ${show(value)}`)
  if (value.type === "root" && Array.isArray(value.children)) return "text"
  return value.type === "doc" && Array.isArray(value.content ?? []) ? "xml" : "map"
}

/**
 * Make a root this value, whatever it was before; null empties it.
 * @throws SyncError "patch-failed" for what cannot be a root
 */
export function writeRoot(type: SharedType, value: Json, options: WriteOptions): void {
  const wanted = kindOfJson(value)
  const kind = kindOf(type)
  if (kind !== "empty" && writeType(type, value, options)) return
  clear(type)
  switch (wanted) {
    case "map":
      return writeMap(type, value as { [key: string]: Json }, options)
    case "array":
      return writeArray(type, value as Json[], options)
    case "text":
    case "xml":
      return writeRich(type, value, options)
    case "empty":
      return
    default:
      throw new TypeError(`unknown kind ${wanted satisfies never}`)
  }
}

/**
 * Make a shared type this value.
 * @returns false where it is of a kind that cannot be this; then nothing was done
 */
export function writeType(type: SharedType, value: Json, options: WriteOptions): boolean {
  const kind = kindOf(type)
  switch (kind) {
    case "map":
      // A tree in JSON looks like an object.
      if (!isObject(value)) return false
      writeMap(type, value, options)
      return true
    case "array":
      if (!Array.isArray(value)) return false
      writeArray(type, value, options)
      return true
    case "text":
    case "xml":
      if (!isRich(kind, value)) return false
      writeRich(type, value, options)
      return true
    case "empty":
      return false
    default:
      throw new TypeError(`unknown kind ${kind satisfies never}`)
  }
}

function isRich(kind: "text" | "xml", value: Json): boolean {
  if (kind === "xml")
    return isObject(value) && Array.isArray(value.content ?? []) && typeof value.type === "string"
  if (isObject(value)) return value.type === "root" && Array.isArray(value.children ?? [])
  return typeof value === "string" || isDelta(value)
}

/** Make a text or a tree this value: a string, a delta, or the tree of Lexical or of ProseMirror. */
function writeRich(type: SharedType, value: Json, options: WriteOptions): void {
  if (isObject(value) && value.type === "root") {
    const { children = [] } = value
    writeLexical(type, Array.isArray(children) ? children.map(readLexicalNode) : [], options)
  } else if (isObject(value)) writeChildren(type, readNode(value), options)
  else if (isLexical(type))
    throw new SyncError("patch-failed", `there is a tree of Lexical, and ${show(value)} is none`)
  else if (Array.isArray(value)) writeRuns(type, readDelta(value), options.budget)
  else if (value !== plainText(type) || !isPlain(type)) writePlain(type, String(value), options.budget)
}

function writeMap(type: SharedType, value: { [key: string]: Json }, options: WriteOptions): void {
  for (const [key] of mapEntries(type)) if (!Object.hasOwn(value, key)) deleteKey(type, key)
  const there = new Map(mapEntries(type))
  for (const [key, member] of Object.entries(value)) {
    if (there.has(key))
      replaceValue(there.get(key), member, {
        ...options,
        holder: type,
        put: (fresh) => setKey(type, key, fresh),
      })
    else setKey(type, key, createValue(member, asPlain(type, options)))
  }
}

function writeArray(type: SharedType, value: readonly Json[], options: WriteOptions): void {
  const values = listValues(type)
  const plain = asPlain(type, options)
  const tokenOf = (json: Json) => JSON.stringify(sorted(json))
  align(
    values.map((one) => ({
      token: tokenOf(valueToJson(one, options.budget)),
      kind: isSharedType(one) ? kindOf(one) : null,
      length: 1,
    })),
    value.map((one) => ({
      token: tokenOf(one),
      kind: Array.isArray(one) ? "array" : isObject(one) ? "map" : "text",
    })),
    {
      update(from, to, place) {
        const there = values[from]
        if (isSharedType(there) && writeType(there, value[to]!, options)) return
        deleteValues(type, place, 1)
        insertValues(type, place, [createValue(value[to]!, plain)])
      },
      insert: (place, from, to) =>
        insertValues(
          type,
          place,
          value.slice(from, to).map((one) => createValue(one, plain)),
        ),
      remove: (place, length) => deleteValues(type, place, length),
    },
  )
}

/** Make a value that stands in a map or a list another one: inside where it is a shared type that can be it. */
export function replaceValue(
  there: unknown,
  value: Json,
  options: WriteOptions & { readonly holder: SharedType; readonly put: (fresh: unknown) => void },
): void {
  if (isSharedType(there)) {
    if (writeType(there, value, options)) return
  } else if (isSameJson(valueToJson(there, options.budget), value)) return
  const wasPlain = typeof there === "object" && there !== null && !isSharedType(there)
  options.put(
    createValue(
      value,
      options.nested === null ? wasPlain || asPlain(options.holder, options) : options.nested === "plain",
    ),
  )
}

/** Whether new objects and lists in this type are written as one value each. */
export function asPlain(holder: SharedType, { nested }: WriteOptions): boolean {
  return nested === null ? holdsPlain(holder) : nested === "plain"
}

/**
 * A value to be put into a map or a list.
 * @param plain objects and lists are one value
 * @throws SyncError "bad-request" for what Yjs cannot store
 */
export function createValue(value: Json, plain: boolean): unknown {
  if (typeof value === "string") return value.toWellFormed()
  if (typeof value !== "object" || value === null) return value
  if (plain) {
    // Yjs asks a value for its constructor to know what it is.
    if (Object.hasOwn(value, "constructor"))
      throw new SyncError("bad-request", "An object that is one value can have no key named constructor.")
    return value
  }
  if (!Array.isArray(value))
    return new Y.Map(
      Object.entries(value).map(([key, member]): [string, unknown] => [key, createValue(member, false)]),
    )
  return Y.Array.from(value.map((member) => createValue(member, false)) as object[])
}

/** The same JSON with its keys in order. */
function sorted(json: Json): Json {
  if (Array.isArray(json)) return json.map(sorted)
  if (!isObject(json)) return json
  return Object.fromEntries(
    Object.entries(json)
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .map(([key, value]) => [key, sorted(value)]),
  )
}
