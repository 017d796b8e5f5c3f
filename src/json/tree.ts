/**
 * Makes a tree of XML (ProseMirror, Tiptap, BlockNote) what it should be: a node at a time, so that a change to one
 * paragraph is a change to that paragraph. The JSON is ProseMirror's, as the export writes it.
 */
import * as Y from "yjs"
import { SyncError } from "../errors.ts"
import type { Budget } from "../export/budget.ts"
import { type Json, valueToJson } from "../export/json.ts"
import { listRuns, liveItems, mapEntries, type SharedType } from "../export/shared-types.ts"
import { align, type Standing, type Wanted } from "./align.ts"
import { isObject, isSameJson } from "./plain.ts"
import { show } from "./pointer.ts"
import { type WantedRun, writeRuns } from "./text.ts"
import { deleteKey, deleteValues, insertDelta, insertValues, setKey } from "./types.ts"

/** A node of a tree as it should be. */
export interface TreeNode {
  readonly type: string
  readonly attrs: { readonly [name: string]: Json }
  readonly content: readonly TreeChild[]
}

/** What stands in a node: texts that follow one another are one. */
export type TreeChild = { readonly node: TreeNode } | { readonly runs: readonly Inline[] }

interface Inline {
  readonly text: string
  readonly marks: readonly Json[]
}

/** How a tree is written. */
export interface TreeOptions {
  readonly budget: Budget
  /**
   * The only attributes that whoever wrote the tree knows of: others that stand there stay (an import from Markdown says
   * nothing of alignment or of ids). null: it knows all.
   */
  readonly known: ReadonlySet<string> | null
}

/** ProseMirror's JSON as a node. @throws SyncError "patch-failed" where it is none */
export function readNode(json: Json): TreeNode {
  const { type, attrs = {}, content = [] } = (isObject(json) ? json : {}) as Record<string, Json>
  const isNode = typeof type === "string" && type !== "" && isObject(attrs) && Array.isArray(content)
  if (!isNode || type === "text")
    throw new SyncError("patch-failed", `a node is {type, attrs?, content?}, and ${show(json)} is none`)
  const children: TreeChild[] = []
  let runs: Inline[] | null = null
  for (const child of content) {
    if (!isText(child)) {
      runs = null
      children.push({ node: readNode(child) })
    } else if (child.text !== "") {
      if (runs === null) {
        runs = []
        children.push({ runs })
      }
      runs.push({ text: child.text, marks: Array.isArray(child.marks) ? child.marks : [] })
    }
  }
  // An attribute that is null is not written down by y-prosemirror either.
  const set = Object.entries(attrs).filter(([, value]) => value !== null)
  return { type, attrs: Object.fromEntries(set), content: children }
}

function isText(json: Json): json is { text: string; marks?: Json } {
  return isObject(json) && json.type === "text" && typeof json.text === "string"
}

/**
 * Make what stands in a root, or in an element, what stands in this node.
 * @param range only the children from one place to another
 */
export function writeChildren(
  type: SharedType,
  { content }: TreeNode,
  options: TreeOptions,
  { from = 0, to }: { from?: number; to?: number } = {},
): void {
  const children = listChildren(type).slice(from, to)
  const standing = children.map((child) => standingOf(child, options))
  const wanted = content.map((child) => wantedOf(child, options))
  align(standing, wanted, {
    update(at, next) {
      const [child, target] = [children[at]!, content[next]!]
      if (child instanceof Y.XmlText && "runs" in target)
        writeRuns(child, runsOf(target.runs, marksOf(child, options.budget)), options.budget)
      else if (child instanceof Y.XmlElement && "node" in target) writeElement(child, target.node, options)
    },
    insert: (place, first, last) =>
      insertValues(type, from + place, content.slice(first, last).map(createChild)),
    remove: (place, length) => deleteValues(type, from + place, length),
  })
}

function writeElement(element: Y.XmlElement, node: TreeNode, options: TreeOptions): void {
  const { known } = options
  for (const [key, value] of mapEntries(element)) {
    if (Object.hasOwn(node.attrs, key)) {
      if (!isSameJson(valueToJson(value, options.budget), node.attrs[key]))
        setKey(element, key, node.attrs[key])
    } else if (known === null || known.has(key)) deleteKey(element, key)
  }
  for (const [key, value] of Object.entries(node.attrs)) {
    if (element._map.get(key)?.deleted !== false) setKey(element, key, value)
  }
  writeChildren(element, node, options)
}

/** The children of a type; each takes one place of its list. @throws SyncError "patch-failed" where some cannot be changed */
function listChildren(type: SharedType): unknown[] {
  const children: unknown[] = []
  for (const { content, countable } of liveItems(type)) {
    if (!countable) continue
    if (content instanceof Y.ContentString)
      throw new SyncError(
        "patch-failed",
        "there is a text that Yjs 14 wrote into an element, which can be read only",
      )
    for (const value of content.getContent()) children.push(value)
  }
  return children
}

function standingOf(child: unknown, options: TreeOptions): Standing {
  if (child instanceof Y.XmlText) {
    if (mapEntries(child).length > 0)
      throw new SyncError("patch-failed", "there is an element of Slate, which can be read only")
    const runs = [...listRuns(child, options.budget)]
    const inlines = runs.map(({ insert, attributes }) => ({
      text: typeof insert === "string" ? insert : "\ufffc",
      marks: Object.entries(attributes).map(markToJson),
    }))
    return { ...wantedOf({ runs: inlines }, options), length: 1 }
  }
  if (child instanceof Y.XmlElement) {
    const attrs = mapEntries(child)
    if (attrs.some(([key]) => key.startsWith("__")))
      throw new SyncError(
        "patch-failed",
        "there is a tree of Lexical's experimental binding, which can be read only",
      )
    const json = valueToJson(child, options.budget) as Json
    return { ...wantedOf({ node: readNode(json) }, options), length: 1 }
  }
  return { token: "?", kind: null, length: 1 }
}

function wantedOf(child: TreeChild, options: TreeOptions): Wanted {
  if ("runs" in child) return { token: JSON.stringify(mergeRuns(child.runs)), kind: "text" }
  const { type, attrs } = child.node
  // A block's own id tells which one it is.
  const id = options.known === null && typeof attrs.id === "string" ? ` ${attrs.id}` : ""
  return { token: JSON.stringify(tokenOf(child.node, options)), kind: `<${type}>${id}` }
}

function tokenOf({ type, attrs, content }: TreeNode, options: TreeOptions): unknown {
  const counted = Object.entries(attrs)
    .filter(([key]) => options.known === null || options.known.has(key))
    .sort(([one], [other]) => (one < other ? -1 : 1))
  return [
    type,
    counted,
    content.map((child) => ("runs" in child ? mergeRuns(child.runs) : tokenOf(child.node, options))),
  ]
}

/** Texts with the same marks are one run, however they were written. */
function mergeRuns(runs: readonly Inline[]): unknown[] {
  const merged: { text: string; marks: string }[] = []
  for (const { text, marks } of runs) {
    const key = marks.map(markKey).sort().join()
    const last = merged.at(-1)
    if (last !== undefined && last.marks === key) last.text += text
    else merged.push({ text, marks: key })
  }
  return merged.map(({ text, marks }) => [text, marks])
}

function markToJson([name, value]: [string, unknown]): Json {
  const type = name.replace(/--[\w+/=]{8}$/, "")
  const isBare = value === true || (value instanceof Object && Object.keys(value).length === 0)
  return isBare ? { type } : { type, attrs: value as Json }
}

function markKey(mark: Json): string {
  const { type = "", attrs = {} } = (isObject(mark) ? mark : {}) as Record<string, Json>
  return JSON.stringify([type, attrs])
}

/** How the marks of a text are written there: y-prosemirror tells some apart by a hash, some editors write true. */
function marksOf(text: SharedType, budget: Budget): Map<string, [string, unknown]> {
  const marks = new Map<string, [string, unknown]>()
  for (const { attributes } of listRuns(text, budget)) {
    for (const mark of Object.entries(attributes)) marks.set(markKey(markToJson(mark)), mark)
  }
  return marks
}

function runsOf(runs: readonly Inline[], there: ReadonlyMap<string, [string, unknown]>): WantedRun[] {
  return runs.map(({ text, marks }) => ({
    insert: text,
    attributes: Object.fromEntries(
      marks.map((mark) => {
        const { type, attrs = {} } = (isObject(mark) ? mark : {}) as Record<string, Json>
        if (typeof type !== "string")
          throw new SyncError("patch-failed", `a mark is {type, attrs?}, and ${show(mark)} is none`)
        return there.get(markKey(mark)) ?? [type, attrs]
      }),
    ),
  }))
}

function createChild(child: TreeChild): Y.XmlText | Y.XmlElement {
  if ("runs" in child) {
    const text = new Y.XmlText()
    insertDelta(text, 0, runsOf(child.runs, NO_MARKS))
    return text
  }
  const { type, attrs, content } = child.node
  const element = new Y.XmlElement<Record<string, never>>(type)
  // reason: Yjs stores any JSON as an attribute, and y-prosemirror relies on it; the types only know strings
  for (const [name, value] of Object.entries(attrs)) element.setAttribute(name, value as never)
  element.insert(0, content.map(createChild))
  return element as unknown as Y.XmlElement
}

const NO_MARKS: ReadonlyMap<string, [string, unknown]> = new Map()
