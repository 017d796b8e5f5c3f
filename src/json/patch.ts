/**
 * JSON Patch on a document: the six operations of RFC 6902, and `text`, which edits inside a text.
 *
 * A pointer leads through the JSON that an export gives: its first name is a root, then keys of maps and places of lists.
 * Where it leads into one value (an object that an application wrote whole), that value is written anew. Where it leads into a
 * rich text, it means the export's view of that (a delta, the tree of ProseMirror or of Lexical): the operation is done on the
 * view, and the text is then made what the view says, by the smallest difference.
 *
 * A root cannot be taken away in Yjs: `remove` empties it. A root that is not there is empty, and what is put into it says
 * what it is: a place of a list where the name is "-" or "0", else a key.
 */
import type * as Y from "yjs"
import { SyncError } from "../errors.ts"
import { type Json, valueToJson } from "../export/json.ts"
import { findRoots } from "../export/roots.ts"
import { isSharedType, type Kind, kindOf, type SharedType } from "../export/shared-types.ts"
import type { Limits } from "../limits.ts"
import { actAt, getAt, isObject, isSameJson, mergeJson, readIndex } from "./plain.ts"
import { parsePointer, show } from "./pointer.ts"
import { asPlain, createValue, replaceValue, type WriteOptions, writeRoot, writeType } from "./reconcile.ts"
import { editText } from "./text-operation.ts"
import {
  clear,
  deleteKey,
  deleteValues,
  insertValues,
  lengthOf,
  setKey,
  valueAt,
  valueUnder,
} from "./types.ts"

/** How a document may be changed. */
export interface ChangeOptions extends WriteOptions {
  readonly limits: Limits
  /** Called before a root is written. @throws where it may not be */
  readonly touch: (root: string) => void
}

/** Where a pointer leads. */
type Place =
  | { readonly at: "document" }
  | { readonly at: "root"; readonly type: SharedType }
  /** Into a map, and from there on inside one value. */
  | {
      readonly at: "key"
      readonly holder: SharedType
      readonly key: string
      readonly rest: readonly string[]
    }
  | {
      readonly at: "item"
      readonly holder: SharedType
      readonly name: string
      readonly rest: readonly string[]
    }
  /** Into the view of a rich text. */
  | { readonly at: "view"; readonly holder: SharedType; readonly rest: readonly string[] }

/**
 * Do all operations of a patch, in order.
 *
 * @param doc inside a transaction, which the caller undoes where this throws
 * @throws SyncError "bad-request" | "patch-failed" | "test-failed" | "too-large" that names the operation, its path, and what
 *   stood there
 */
export function applyPatch(doc: Y.Doc, patch: Json, options: ChangeOptions): void {
  const { patchOperations } = options.limits
  if (!Array.isArray(patch))
    throw new SyncError("bad-request", `A JSON Patch is a list of operations, not ${show(patch)}.`)
  if (patch.length > patchOperations)
    throw new SyncError("too-large", `The patch has ${patch.length} operations; at most ${patchOperations}.`)
  const patcher = new Patcher(doc, options)
  for (const [index, operation] of patch.entries()) {
    const { op, path } = (isObject(operation) ? operation : {}) as { op?: Json; path?: Json }
    try {
      patcher.act(isObject(operation) ? operation : {})
    } catch (thrown) {
      if (!(thrown instanceof SyncError)) throw thrown
      throw new SyncError(thrown.code, `Operation ${index} (${show(op)} ${show(path)}): ${thrown.message}`)
    }
  }
  patcher.end()
}

/** Do a JSON Merge Patch: roots by name; null empties one. @source RFC 7396 */
export function applyMergePatch(doc: Y.Doc, patch: Json, options: ChangeOptions): void {
  if (!isObject(patch))
    throw new SyncError(
      "bad-request",
      `A JSON Merge Patch of a document is an object of its roots, not ${show(patch)}.`,
    )
  for (const [name, change] of Object.entries(patch)) {
    options.touch(name)
    try {
      mergeRoot(doc.get(name), change, options)
    } catch (thrown) {
      if (!(thrown instanceof SyncError)) throw thrown
      throw new SyncError(thrown.code, `The root ${show(name)}: ${thrown.message}`)
    }
  }
}

/** Make the document, or one root of it, this value. Roots that the value does not name are emptied. */
export function writeDocument(doc: Y.Doc, value: Json, options: ChangeOptions): void {
  if (!isObject(value))
    throw new SyncError("patch-failed", `a document is an object of its roots, and ${show(value)} is none`)
  for (const { name, type, kind } of findRoots(doc)) {
    if (Object.hasOwn(value, name) || kind === "empty") continue
    options.touch(name)
    clear(type)
  }
  for (const [name, root] of Object.entries(value)) {
    options.touch(name)
    writeRoot(doc.get(name), root, options)
  }
}

function mergeRoot(type: SharedType, change: Json, options: ChangeOptions): void {
  const kind = kindOf(type)
  if (!isObject(change) || kind === "array") return writeRoot(type, change, options)
  if (kind === "map" || kind === "empty") return mergeMap(type, change, options)
  writeRoot(type, mergeJson(valueToJson(type, options.budget), change), options)
}

function mergeMap(type: SharedType, change: { [key: string]: Json }, options: ChangeOptions): void {
  for (const [key, member] of Object.entries(change)) {
    const there = valueUnder(type, key)
    if (member === null) deleteKey(type, key)
    else if (isObject(member) && isSharedType(there) && kindOf(there) === "map")
      mergeMap(there, member, options)
    else {
      const before = there === undefined ? undefined : valueToJson(there, options.budget)
      const put = (fresh: unknown) => setKey(type, key, fresh)
      const value = mergeJson(before, member)
      if (there === undefined) put(createValue(value, asPlain(type, options)))
      else replaceValue(there, value, { ...options, holder: type, put })
    }
  }
}

/** Does the operations of one patch. */
class Patcher {
  readonly #doc: Y.Doc
  readonly #options: ChangeOptions
  /** What types are: a list that was emptied is a list for the rest of the patch, and a root need not be looked through twice. */
  readonly #kinds = new Map<SharedType, Kind>()
  /** The view of a rich text that operations are being done on. */
  #view: { readonly holder: SharedType; json: Json; dirty: boolean } | null = null

  constructor(doc: Y.Doc, options: ChangeOptions) {
    this.#doc = doc
    this.#options = options
  }

  act(operation: { [name: string]: Json }): void {
    const { op } = operation
    switch (op) {
      case "add":
      case "replace":
        if (operation.value === undefined) throw new SyncError("bad-request", `${show(op)} needs a value.`)
        return this.#put(this.#names(operation.path), op, operation.value)
      case "remove":
        return this.#remove(this.#names(operation.path))
      case "copy":
      case "move":
        return this.#carry(this.#names(operation.from), this.#names(operation.path), op)
      case "test":
        if (operation.value === undefined) throw new SyncError("bad-request", `"test" needs a value.`)
        return this.#test(this.#names(operation.path), operation.value)
      case "text":
        return this.#text(this.#names(operation.path), operation)
      default:
        throw new SyncError(
          "bad-request",
          `The operations are add, remove, replace, move, copy, test and text, not ${show(op)}.`,
        )
    }
  }

  /** Write what was done to a view. */
  end(): void {
    const view = this.#view
    this.#view = null
    if (view === null || !view.dirty) return
    // A text that is a root may have become empty, and then anything can stand there.
    if (!writeType(view.holder, view.json, this.#options)) writeRoot(view.holder, view.json, this.#options)
  }

  #names(pointer: Json | undefined): string[] {
    return parsePointer(pointer, this.#options.limits.pointerNames)
  }

  #test(names: readonly string[], wanted: Json): void {
    const there = this.#read(names)
    if (there === undefined || !isSameJson(there, wanted))
      throw new SyncError("test-failed", `there is ${show(there)}, not ${show(wanted)}`)
  }

  #carry(from: readonly string[], to: readonly string[], op: "copy" | "move"): void {
    const value = this.#read(from)
    if (value === undefined) throw new SyncError("patch-failed", "there is nothing at its from")
    if (op === "move") {
      const isInside = to.length > from.length && from.every((name, i) => name === to[i])
      if (isInside) throw new SyncError("patch-failed", "nothing can be moved into itself")
      this.#remove(from)
    }
    this.#put(to, "add", value)
  }

  /** The JSON at a place; undefined where nothing is. */
  #read(names: readonly string[]): Json | undefined {
    const { budget } = this.#options
    const place = this.#find(names, false)
    if (place === null) return undefined
    switch (place.at) {
      case "document":
        this.end()
        return Object.fromEntries(
          findRoots(this.#doc).map(({ name, type }) => [name, valueToJson(type, budget)]),
        )
      case "root":
        this.end()
        return valueToJson(place.type, budget)
      case "view":
        return getAt(this.#viewOf(place.holder), place.rest)
      case "key":
      case "item": {
        this.end()
        const value =
          place.at === "key"
            ? valueUnder(place.holder, place.key)
            : /^\d{1,15}$/.test(place.name)
              ? valueAt(place.holder, Number(place.name))
              : undefined
        return value === undefined ? undefined : getAt(valueToJson(value, budget), place.rest)
      }
      default:
        throw new TypeError(`unknown place ${JSON.stringify(place satisfies never)}`)
    }
  }

  #put(names: readonly string[], kind: "add" | "replace", value: Json): void {
    const options = this.#options
    const place = this.#find(names, kind === "add")
    if (place === null) throw new SyncError("patch-failed", "there is no such root")
    if (place.at !== "document") options.touch(names[0]!)
    switch (place.at) {
      case "document":
        this.#settle()
        return writeDocument(this.#doc, value, options)
      case "root":
        this.#settle()
        if (kind === "replace" && kindOf(place.type) === "empty")
          throw new SyncError("patch-failed", "there is nothing to replace")
        return writeRoot(place.type, value, options)
      case "view":
        return this.#actOnView(place.holder, place.rest, { kind, value })
      case "key": {
        const { holder, key, rest } = place
        this.end()
        const there = valueUnder(holder, key)
        const put = (fresh: unknown) => setKey(holder, key, fresh)
        if (rest.length > 0) return put(this.#inside(there, rest, { kind, value }))
        if (there === undefined && kind === "replace")
          throw new SyncError("patch-failed", `there is no key ${show(key)}`)
        if (there === undefined) put(createValue(value, asPlain(holder, options)))
        else replaceValue(there, value, { ...options, holder, put })
        return
      }
      case "item": {
        const { holder, name, rest } = place
        this.end()
        const mayEnd = kind === "add" && rest.length === 0
        const index = readIndex(name, lengthOf(holder), { mayEnd })
        const put = (fresh: unknown) => {
          deleteValues(holder, index, 1)
          insertValues(holder, index, [fresh])
        }
        if (rest.length > 0) return put(this.#inside(valueAt(holder, index), rest, { kind, value }))
        if (kind === "add") insertValues(holder, index, [createValue(value, asPlain(holder, options))])
        else replaceValue(valueAt(holder, index), value, { ...options, holder, put })
        return
      }
      default:
        throw new TypeError(`unknown place ${JSON.stringify(place satisfies never)}`)
    }
  }

  #remove(names: readonly string[]): void {
    const place = this.#find(names, false)
    if (place === null) throw new SyncError("patch-failed", "there is no such root")
    if (place.at !== "document") this.#options.touch(names[0]!)
    switch (place.at) {
      case "document":
        throw new SyncError("patch-failed", "a document is removed by DELETE")
      case "root":
        this.#settle()
        return clear(place.type)
      case "view":
        return this.#actOnView(place.holder, place.rest, { kind: "remove" })
      case "key": {
        const { holder, key, rest } = place
        this.end()
        const there = valueUnder(holder, key)
        if (there === undefined) throw new SyncError("patch-failed", `there is no key ${show(key)}`)
        if (rest.length === 0) return deleteKey(holder, key)
        return setKey(holder, key, this.#inside(there, rest, { kind: "remove" }))
      }
      case "item": {
        const { holder, name, rest } = place
        this.end()
        const index = readIndex(name, lengthOf(holder), { mayEnd: false })
        const there = valueAt(holder, index)
        const fresh = rest.length === 0 ? [] : [this.#inside(there, rest, { kind: "remove" })]
        deleteValues(holder, index, 1)
        return insertValues(holder, index, fresh)
      }
      default:
        throw new TypeError(`unknown place ${JSON.stringify(place satisfies never)}`)
    }
  }

  /** A plain value with something done inside it. */
  #inside(there: unknown, rest: readonly string[], act: Parameters<typeof actAt>[2]): unknown {
    if (there === undefined) throw new SyncError("patch-failed", "there is nothing on the way")
    return createValue(actAt(valueToJson(there, this.#options.budget), rest, act), true)
  }

  #text(names: readonly string[], operation: { [name: string]: Json }): void {
    this.end()
    const place = this.#find(names, true)
    if (place === null || place.at === "document") throw new SyncError("patch-failed", "there is no text")
    this.#options.touch(names[0]!)
    const holder =
      place.at === "root" || place.at === "view"
        ? place.at === "root"
          ? place.type
          : place.holder
        : place.rest.length > 0
          ? null
          : place.at === "key"
            ? valueUnder(place.holder, place.key)
            : valueAt(place.holder, readIndex(place.name, lengthOf(place.holder), { mayEnd: false }))
    if (!isSharedType(holder))
      throw new SyncError("patch-failed", `there is ${show(holder)}, which is no shared text`)
    editText(holder, place.at === "view" ? place.rest : [], operation, this.#options)
  }

  #actOnView(holder: SharedType, rest: readonly string[], act: Parameters<typeof actAt>[2]): void {
    const json = actAt(this.#viewOf(holder), rest, act)
    this.#view = { holder, json, dirty: true }
  }

  #viewOf(holder: SharedType): Json {
    if (this.#view?.holder !== holder) {
      this.end()
      this.#view = { holder, json: valueToJson(holder, this.#options.budget), dirty: false }
    }
    return this.#view.json
  }

  /** Before something is written whole: what types were says nothing any more. */
  #settle(): void {
    this.end()
    this.#kinds.clear()
  }

  /** @param mayMake an absent root is an empty one · @returns null where there is no such root */
  #find(names: readonly string[], mayMake: boolean): Place | null {
    const [name, ...path] = names
    if (name === undefined) return { at: "document" }
    let type: SharedType | undefined = this.#doc.share.get(name)
    if (type === undefined && mayMake) type = this.#doc.get(name)
    if (type === undefined) return null
    for (let rest = path; ; rest = rest.slice(1)) {
      const [next, ...after] = rest
      if (next === undefined) return { at: "root", type }
      const kind = this.#kindOf(type, next)
      if (kind === "text" || kind === "xml") return { at: "view", holder: type, rest }
      const isMap = kind === "map"
      if (after.length > 0) {
        const child: unknown = isMap
          ? valueUnder(type, next)
          : valueAt(type, readIndex(next, lengthOf(type), { mayEnd: false }))
        if (isSharedType(child)) {
          const holdsText = ["text", "xml"].includes(this.#kindOf(child, after[0]!))
          if (holdsText) return { at: "view", holder: child, rest: after }
          type = child
          continue
        }
      }
      return isMap
        ? { at: "key", holder: type, key: next, rest: after }
        : { at: "item", holder: type, name: next, rest: after }
    }
  }

  #kindOf(type: SharedType, next: string): Kind {
    let kind = this.#kinds.get(type)
    if (kind === undefined) {
      kind = kindOf(type)
      if (kind === "empty") kind = next === "-" || next === "0" ? "array" : "map"
      this.#kinds.set(type, kind)
    }
    return kind
  }
}
