/** A document as JSON: what Yjs's own `toJSON` says, and a tree or a delta where that would lose what was written. */
import { toBase64 } from "lib0/buffer"
import * as Y from "yjs"
import type { ExportOptions } from "./budget.ts"
import { findRoot, findRoots } from "./roots.ts"
import { kindOf, listValues, mapEntries, type SharedType, textRuns } from "./shared-types.ts"
import { isLexical, readLexical, readXml, type TreeNode } from "./tree.ts"

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
 * @throws SyncError "not-found" when there is no root of that name
 */
export function toJson(doc: Y.Doc, options?: ExportOptions & { root?: never }): { [name: string]: Json }
export function toJson(doc: Y.Doc, options: ExportOptions): Json
export function toJson(doc: Y.Doc, options: ExportOptions = {}): Json {
  if (options.root !== undefined) return typeToJson(findRoot(doc, options.root).type)
  return Object.fromEntries(findRoots(doc).map(({ name, type }) => [name, typeToJson(type)]))
}

function typeToJson(type: SharedType): Json {
  const kind = kindOf(type)
  switch (kind) {
    case "text":
      return isLexical(type) ? lexicalToJson(readLexical(type)) : runsToJson(type)
    case "xml":
      return nodeToJson(readXml(type))
    case "map":
      return entriesToJson(mapEntries(type))
    case "array":
      return listValues(type).map(valueToJson)
    case "empty":
      return null
    default:
      throw new TypeError(`unknown kind ${kind satisfies never}`)
  }
}

/** Any value of a shared type as JSON, by the rules of `toJson`. */
export function valueToJson(value: unknown): Json {
  if (value instanceof Y.AbstractType) return typeToJson(value as SharedType)
  if (value instanceof Y.Doc) return { guid: value.guid }
  if (value instanceof Uint8Array) return toBase64(value)
  if (Array.isArray(value)) return value.map(valueToJson)
  switch (typeof value) {
    case "string":
    case "boolean":
      return value
    case "number":
      return Number.isFinite(value) ? value : null
    case "bigint":
      return value.toString()
    case "object":
      return value === null ? null : entriesToJson(Object.entries(value))
    default:
      return null
  }
}

/** `Object.fromEntries` defines, where an assignment to the key `__proto__` would do something else. */
function entriesToJson(entries: readonly [string, unknown][]): Json {
  return Object.fromEntries(entries.map(([key, value]) => [key, valueToJson(value)]))
}

function runsToJson(type: SharedType): Json {
  const runs = textRuns(type)
  const plain = runs.every((run) => typeof run.insert === "string" && !hasEntries(run.attributes))
  if (plain) return runs.map((run) => run.insert).join("")
  return runs.map(({ insert, attributes }) => ({
    insert: valueToJson(insert),
    ...(hasEntries(attributes) ? { attributes: valueToJson(attributes) } : {}),
  }))
}

function nodeToJson({ type, attrs, text, marks = {}, children }: TreeNode): Json {
  return {
    type,
    ...(hasEntries(attrs) ? { attrs: valueToJson(attrs) } : {}),
    ...(text === undefined ? {} : { text }),
    ...(hasEntries(marks) ? { marks: Object.entries(marks).map(markToJson) } : {}),
    ...(children.length > 0 ? { content: children.map(nodeToJson) } : {}),
  }
}

function markToJson([name, value]: [string, unknown]): Json {
  // y-prosemirror tells marks of one name apart, which a text can have twice, by a hash at the end.
  const type = name.replace(/--[\w+/=]{8}$/, "")
  if (value === true || (value instanceof Object && !hasEntries(value))) return { type }
  return { type, attrs: valueToJson(value) }
}

function lexicalToJson({ type, attrs, text, children }: TreeNode): Json {
  return {
    ...(valueToJson(attrs) as Record<string, Json>),
    type,
    ...(text === undefined ? {} : { text }),
    ...(children.length > 0 ? { children: children.map(lexicalToJson) } : {}),
  }
}

function hasEntries(value: object): boolean {
  return Object.keys(value).length > 0
}
