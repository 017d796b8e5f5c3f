/**
 * Makes a tree of Lexical (@lexical/yjs, V1) what it should be. There an element is an XmlText; a text in it is a Map of its
 * format, followed by its characters in the element's own list; a line break is a Map alone, and what has no children (an
 * image, a rule) is an XmlElement. The JSON has Lexical's names without their leading underscores, as the export writes it.
 */
import * as Y from "yjs"
import { SyncError } from "../errors.ts"
import type { Budget } from "../export/budget.ts"
import { type Json, valueToJson } from "../export/json.ts"
import { liveItems, mapEntries, type SharedType } from "../export/shared-types.ts"
import { align, type Standing, type Wanted } from "./align.ts"
import { differText } from "./difference.ts"
import { isObject, isSameJson } from "./plain.ts"
import { show } from "./pointer.ts"
import type { TreeOptions } from "./tree.ts"
import { deleteKey, deleteText, type Insert, insertDelta, insertText, setKey } from "./types.ts"

type Props = { readonly [name: string]: Json }

/** A node of Lexical as it should be. */
export type LexicalNode =
  | { readonly kind: "text"; readonly type: string; readonly props: Props; readonly text: string }
  | { readonly kind: "break" }
  | { readonly kind: "leaf"; readonly type: string; readonly props: Props }
  | {
      readonly kind: "element"
      readonly type: string
      readonly props: Props
      readonly children: LexicalNode[]
    }

/** What stands in an element: a node, and where in the element's list. */
interface Unit {
  readonly kind: LexicalNode["kind"] | "other"
  readonly value: unknown
  readonly text: string
  readonly length: number
}

/** Elements that have children even where JSON lists none; other nodes without a list are leaves. */
const ELEMENTS: ReadonlySet<string> = new Set([
  ...["paragraph", "heading", "quote", "list", "listitem", "link", "autolink", "code"],
  ...["table", "tablerow", "tablecell"],
])

/** What @lexical/yjs writes for every node of a kind, and a reader of it looks for. @source lexical 0.52 */
const ELEMENT_PROPS: Props = { format: 0, style: "", indent: 0, dir: null, textFormat: 0, textStyle: "" }
const TEXT_PROPS: Props = { format: 0, style: "", mode: 0, detail: 0 }

/** JSON as the export writes it, as a node. @throws SyncError "patch-failed" where it is none */
export function readLexicalNode(json: Json): LexicalNode {
  const { type, text, children, ...props } = (isObject(json) ? json : {}) as Record<string, Json>
  if (typeof type !== "string" || type === "")
    throw new SyncError(
      "patch-failed",
      `a node of Lexical is {type, text? or children?}, and ${show(json)} is none`,
    )
  if (type === "linebreak") return { kind: "break" }
  if (typeof text === "string") return { kind: "text", type, props, text: text.toWellFormed() }
  if (Array.isArray(children) || ELEMENTS.has(type)) {
    const list = Array.isArray(children) ? children : []
    return { kind: "element", type, props, children: list.map(readLexicalNode) }
  }
  return { kind: "leaf", type, props }
}

/**
 * Make what stands in the root, or in an element, these nodes.
 * @param range only the nodes from one place among them to another
 */
export function writeLexical(
  type: SharedType,
  nodes: readonly LexicalNode[],
  options: TreeOptions,
  { from = 0, to }: { from?: number; to?: number } = {},
): void {
  const all = listUnits(type)
  const units = all.slice(from, to)
  const start = all.slice(0, from).reduce((sum, { length }) => sum + length, 0)
  const standing = units.map((unit) => standingOf(unit, options))
  const wanted = nodes.map((node) => wantedOf(node, options))
  align(standing, wanted, {
    update: (at, next, place) =>
      updateNode(type, { unit: units[at]!, node: nodes[next]!, place: start + place }, options),
    insert: (place, first, last) =>
      insertDelta(type, start + place, nodes.slice(first, last).flatMap(createNode)),
    remove: (place, length) => deleteText(type, start + place, length),
  })
}

/** The members of an element's list. */
function listUnits(type: SharedType): Unit[] {
  const units: Unit[] = []
  const addText = (text: string) => {
    const last = units.at(-1)
    if (last?.kind === "text")
      units[units.length - 1] = { ...last, text: last.text + text, length: last.length + text.length }
    else units.push({ kind: "text", value: null, text, length: text.length })
  }
  for (const { content, countable } of liveItems(type)) {
    if (content instanceof Y.ContentString) {
      addText(content.str)
      continue
    }
    if (!countable) continue
    for (const value of content.getContent()) units.push({ kind: kindOf(value), value, text: "", length: 1 })
  }
  return units
}

function kindOf(value: unknown): Unit["kind"] {
  if (value instanceof Y.XmlText) return "element"
  if (value instanceof Y.XmlElement) return "leaf"
  if (!(value instanceof Y.Map)) return "other"
  return value._map.get("__type")?.content.getContent()[0] === "linebreak" ? "break" : "text"
}

function standingOf(unit: Unit, options: TreeOptions): Standing {
  const node = nodeOf(unit, options.budget)
  return node === null
    ? { token: "?", kind: null, length: unit.length }
    : { ...wantedOf(node, options), length: unit.length }
}

/** A unit as JSON would have it; null for what is no node of Lexical. */
function nodeOf({ kind, value, text }: Unit, budget: Budget): LexicalNode | null {
  if (kind === "other") return null
  if (kind === "break") return { kind }
  const { type = "text", ...props } = value === null ? {} : propsOf(value as SharedType, budget)
  const name = String(type)
  if (kind === "text") return { kind, type: name, props, text }
  if (kind === "leaf") return { kind, type: name, props }
  const children = listUnits(value as SharedType).map((unit) => nodeOf(unit, budget))
  return { kind, type: name, props, children: children.filter((child) => child !== null) }
}

function propsOf(type: SharedType, budget: Budget): Record<string, Json> {
  return Object.fromEntries(
    mapEntries(type).map(([key, value]) => [key.replace(/^__/, ""), valueToJson(value, budget)]),
  )
}

function wantedOf(node: LexicalNode, options: TreeOptions): Wanted {
  const token = JSON.stringify(tokenOf(node, options))
  return { token, kind: node.kind === "break" ? null : `${node.kind} ${node.type}` }
}

function tokenOf(node: LexicalNode, options: TreeOptions): unknown {
  if (node.kind === "break") return ["break"]
  const defaults = node.kind === "text" ? TEXT_PROPS : ELEMENT_PROPS
  const counted = Object.entries(node.props)
    .filter(([key, value]) => options.known?.has(key) ?? !isSameJson(defaults[key], value))
    .filter(([key, value]) => value !== null && !isSameJson(defaults[key], value))
    .sort(([one], [other]) => (one < other ? -1 : 1))
  const rest =
    node.kind === "text"
      ? node.text
      : node.kind === "leaf"
        ? null
        : node.children.map((child) => tokenOf(child, options))
  return [node.type, counted, rest]
}

function updateNode(
  type: SharedType,
  { unit, node, place }: { unit: Unit; node: LexicalNode; place: number },
  options: TreeOptions,
): void {
  if (node.kind === "break" || unit.kind !== node.kind) return
  if (unit.value === null) {
    // Characters without a Map before them, which no Lexical writes.
    deleteText(type, place, unit.length)
    insertDelta(type, place, createNode(node))
    return
  }
  const value = unit.value as SharedType
  updateProps(value, node.props, options)
  if (node.kind === "element") writeLexical(value, node.children, options)
  if (node.kind !== "text") return
  for (const { at, remove, insert } of differText(unit.text, node.text).toReversed()) {
    insertText(type, place + 1 + at + remove, insert, {})
    deleteText(type, place + 1 + at, remove)
  }
}

function updateProps(type: SharedType, props: Props, { known, budget }: TreeOptions): void {
  for (const [key, value] of mapEntries(type)) {
    const name = key.replace(/^__/, "")
    if (name === "type") continue
    if (!Object.hasOwn(props, name)) {
      if (known === null) deleteKey(type, key)
    } else if (!isSameJson(valueToJson(value, budget), props[name])) setKey(type, key, props[name])
  }
  for (const [name, value] of Object.entries(props)) {
    if (type._map.get(`__${name}`)?.deleted !== false) setKey(type, `__${name}`, value)
  }
}

/** What stands for a node in its parent's list: the characters of a text follow its Map. */
function createNode(node: LexicalNode): Insert[] {
  if (node.kind === "break") return [{ insert: new Y.Map([["__type", "linebreak"]]) }]
  const { kind, type } = node
  if (kind === "text") {
    const format = new Y.Map(entriesOf(type, { ...TEXT_PROPS, ...node.props }))
    return [{ insert: format }, { insert: node.text }]
  }
  // reason: Yjs stores any JSON as an attribute of XML, and Lexical relies on it; the types only know strings
  if (kind === "leaf") {
    const leaf = new Y.XmlElement()
    for (const [key, value] of entriesOf(type, node.props)) leaf.setAttribute(key, value as string)
    return [{ insert: leaf }]
  }
  const element = new Y.XmlText()
  for (const [key, value] of entriesOf(type, { ...ELEMENT_PROPS, ...node.props }))
    element.setAttribute(key, value as string)
  insertDelta(element, 0, node.children.flatMap(createNode))
  return [{ insert: element }]
}

function entriesOf(type: string, props: Props): [string, Json][] {
  return [
    ["__type", type],
    ...Object.entries(props).map(([name, value]): [string, Json] => [`__${name}`, value]),
  ]
}
