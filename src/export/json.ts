/** A document as JSON: what Yjs's own `toJSON` says, and a tree or a delta where that would lose what was written. */
import { toBase64 } from "lib0/buffer"
import * as Y from "yjs"
import { type Budget, type ExportOptions, startBudget, within } from "./budget.ts"
import { findRoot, findRoots } from "./roots.ts"
import {
  isPlain,
  isSharedType,
  kindOf,
  listRuns,
  listValues,
  mapEntries,
  plainText,
  type SharedType,
} from "./shared-types.ts"
import { isLexical, readLexical, readXml, type TreeNode } from "./tree.ts"

/** What JSON has words for. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json }

/**
 * The document as JSON: root name → value, or with `root` the value of that root alone. Names and keys are in
 * order, so the same state gives the same bytes. Reads only.
 *
 * - text: its string. Where something in it is formatted or embedded: its delta, `[{insert, attributes?}]`.
 *   Where a Lexical editor wrote it: the tree `{type: "root", children: [{type: "paragraph", children: [{type:
 *   "text", text, format, …}]}]}`, properties under Lexical's names without their underscores.
 * - map: an object. array: an array.
 * - xml: a tree in ProseMirror's JSON, `{type: "doc", content: [{type, attrs?, content?} | {type: "text", text,
 *   marks?}]}`. (Yjs's own string does not escape: a typed `<b>` could not be told from an element.)
 * - empty: null.
 * - inside them: bytes as a base64 string, a BigInt as a decimal string, a subdocument as `{guid}`; undefined and
 *   numbers JSON has no word for (NaN, Infinity) as null.
 *
 * @throws SyncError "not-found" when there is no root of that name, "too-large" when the JSON outgrows its budget
 * @example
 * toJson(doc) // { notes: "hello", settings: { title: "A paper" } }
 */
export function toJson(doc: Y.Doc, options?: ExportOptions & { root?: never }): { [name: string]: Json }
export function toJson(doc: Y.Doc, options: ExportOptions): Json
export function toJson(doc: Y.Doc, options: ExportOptions = {}): Json {
  const budget = startBudget(doc, options)
  if (options.root !== undefined) return typeToJson(findRoot(doc, options.root).type, budget)
  const roots = findRoots(doc)
  return Object.fromEntries(roots.map(({ name, type }) => [spendKey(name, budget), typeToJson(type, budget)]))
}

/**
 * The whole document as JSON, or null where that is longer than the budget: what an archive keeps beside the bytes.
 *
 * @param budgetBytes see `exportBudget`
 */
export function jsonWithin(doc: Y.Doc, budgetBytes: number): { [name: string]: Json } | null {
  return within(() => toJson(doc, { budgetBytes }))
}

function typeToJson(type: SharedType, budget: Budget): Json {
  const kind = kindOf(type)
  switch (kind) {
    case "text":
      return isLexical(type) ? lexicalToJson(readLexical(type, budget), budget) : runsToJson(type, budget)
    case "xml":
      return nodeToJson(readXml(type, budget), budget)
    case "map":
      return entriesToJson(mapEntries(type), budget)
    case "array":
      return listToJson(listValues(type), budget)
    case "empty":
      budget.spend("null,".length)
      return null
    default:
      throw new TypeError(`unknown kind ${kind satisfies never}`)
  }
}

/**
 * Any value in a document as JSON, by the rules of `toJson`.
 *
 * @throws SyncError "too-large" when the JSON outgrows the budget
 */
export function valueToJson(value: unknown, budget: Budget): Json {
  if (isSharedType(value)) return typeToJson(value, budget)
  if (value instanceof Y.Doc) return entriesToJson([["guid", value.guid]], budget)
  if (value instanceof Uint8Array) {
    budget.spend((value.byteLength * 4) / 3)
    return toBase64(value)
  }
  if (Array.isArray(value)) return listToJson(value, budget)
  switch (typeof value) {
    case "string":
      return spendString(value, budget)
    case "boolean":
      budget.spend("false,".length)
      return value
    case "number":
      budget.spend(Number.isSafeInteger(value) ? 8 : 20)
      return Number.isFinite(value) ? value : null
    case "bigint":
      budget.spend(20)
      return value.toString()
    case "object":
      if (value !== null) return entriesToJson(Object.entries(value), budget)
      budget.spend("null,".length)
      return null
    default:
      budget.spend("null,".length)
      return null
  }
}

function listToJson(values: readonly unknown[], budget: Budget): Json {
  budget.spend("[],".length)
  return values.map((value) => valueToJson(value, budget))
}

/** `Object.fromEntries` defines, where an assignment to the key `__proto__` would do something else. */
function entriesToJson(entries: readonly [string, unknown][], budget: Budget): { [key: string]: Json } {
  budget.spend("{},".length)
  return Object.fromEntries(
    entries.map(([key, value]) => [spendKey(key, budget), valueToJson(value, budget)]),
  )
}

function runsToJson(type: SharedType, budget: Budget): Json {
  if (isPlain(type)) return spendString(plainText(type), budget)
  const runs: Json[] = []
  for (const { insert, attributes } of listRuns(type, budget)) {
    budget.spend('{"insert":},'.length)
    runs.push({
      insert: valueToJson(insert, budget),
      ...(hasEntries(attributes) ? { attributes: valueToJson(attributes, budget) } : {}),
    })
  }
  return runs
}

function nodeToJson({ type, attrs, text, marks = {}, children }: TreeNode, budget: Budget): Json {
  budget.spend('{"type":"","content":[]},'.length + type.length)
  return {
    type,
    ...(hasEntries(attrs) ? { attrs: valueToJson(attrs, budget) } : {}),
    ...(text === undefined ? {} : { text: spendString(text, budget) }),
    ...(hasEntries(marks) ? { marks: Object.entries(marks).map((mark) => markToJson(mark, budget)) } : {}),
    ...(children.length > 0 ? { content: children.map((child) => nodeToJson(child, budget)) } : {}),
  }
}

function markToJson([name, value]: [string, unknown], budget: Budget): Json {
  // y-prosemirror tells marks of one name apart, which a text can have twice, by a hash at the end.
  const type = name.replace(/--[\w+/=]{8}$/, "")
  budget.spend('{"type":""},'.length + type.length)
  if (value === true || (value instanceof Object && !hasEntries(value))) return { type }
  return { type, attrs: valueToJson(value, budget) }
}

function lexicalToJson({ type, attrs, text, children }: TreeNode, budget: Budget): Json {
  budget.spend('{"type":"","children":[]},'.length + type.length)
  return {
    ...entriesToJson(Object.entries(attrs), budget),
    type,
    ...(text === undefined ? {} : { text: spendString(text, budget) }),
    ...(children.length > 0 ? { children: children.map((child) => lexicalToJson(child, budget)) } : {}),
  }
}

function spendKey(key: string, budget: Budget): string {
  budget.spend(1)
  return spendString(key, budget)
}

function spendString(text: string, budget: Budget): string {
  // Escapes make a string up to six times as long. A lone surrogate is escaped as well.
  const escapes = /["\\\p{Cc}\p{Cs}]/u.test(text)
  budget.spend(escapes ? JSON.stringify(text).length : text.length + 2)
  return text
}

function hasEntries(value: object): boolean {
  return Object.keys(value).length > 0
}
