/**
 * A rich-text document as a tree of nodes, as its editor wrote it and under the editor's own names:
 * ProseMirror, Tiptap and BlockNote (an XmlFragment), the same over Yjs 14 (text directly in an XmlElement), Lexical V2 (an
 * XmlElement), Lexical V1 (an XmlText whose children are XmlTexts, Maps and XmlElements with a `__type`), Slate (an XmlText
 * whose elements are XmlTexts with a `type`).
 */
import * as Y from "yjs"
import type { Budget } from "./budget.ts"
import { isLexicalNode, listRuns, liveItems, mapEntries, type SharedType } from "./shared-types.ts"

/** One node of a document. */
export interface TreeNode {
  readonly type: string
  /** Lexical's properties stand here without their leading underscores. */
  readonly attrs: Readonly<Record<string, unknown>>
  /** Only of a text. */
  readonly text?: string
  /** Only of a text in XML: mark name → its attributes, or true. */
  readonly marks?: Readonly<Record<string, unknown>>
  readonly children: readonly TreeNode[]
}

/** Whether a text is a Lexical V1 element: it is a node itself, or holds one. */
export function isLexical(type: SharedType): boolean {
  if (isLexicalNode(type)) return true
  for (const { content } of liveItems(type)) {
    if (content instanceof Y.ContentType && isLexicalNode(content.type)) return true
  }
  return false
}

/**
 * An XmlFragment, XmlElement or an XmlText with elements in it; a root, which has no name on the wire, is a "doc".
 *
 * @throws SyncError "too-large" when the marks of all texts outgrow the budget
 */
export function readXml(type: SharedType, budget: Budget): TreeNode {
  const attrs = readAttributes(type)
  const children = readXmlChildren(type, budget)
  if (type._item === null) return { type: "doc", attrs, children }
  if (type instanceof Y.XmlElement) return { type: type.nodeName, attrs, children }
  if (type instanceof Y.XmlHook) return { type: type.hookName, attrs, children }
  const { type: name, ...rest } = attrs
  if (typeof name === "string") return { type: name, attrs: rest, children }
  return { type: "doc", attrs, children }
}

function readXmlChildren(type: SharedType, budget: Budget): TreeNode[] {
  const children: TreeNode[] = []
  for (const { insert, attributes } of listRuns(type, budget)) {
    if (typeof insert === "string")
      children.push({ type: "text", attrs: {}, text: insert, marks: attributes, children: [] })
    else if (insert instanceof Y.XmlText && !isSlateElement(insert)) {
      for (const child of readXmlChildren(insert, budget)) children.push(child)
    } else if (insert instanceof Y.XmlFragment || insert instanceof Y.XmlText || insert instanceof Y.XmlHook)
      children.push(readXml(insert, budget))
    else children.push({ type: "embed", attrs: { value: insert }, children: [] })
  }
  return children
}

/** Whether an XmlText is an element, as @slate-yjs/core writes one, and not the text of the element around it. */
function isSlateElement(text: Y.XmlText): boolean {
  return mapEntries(text).some(([key, value]) => key === "type" && typeof value === "string")
}

/**
 * A Lexical V1 element; the root, which has no `__type` of its own, is a "root".
 *
 * @throws SyncError "too-large" when the attributes of all runs outgrow the budget
 */
export function readLexical(type: SharedType, budget: Budget): TreeNode {
  const { type: name, ...attrs } = readAttributes(type)
  const children: TreeNode[] = []
  // A text node is a Map that carries its format, followed by its characters in the parent's list.
  let format: Readonly<Record<string, unknown>> | null = null
  let text = ""
  const endText = () => {
    if (format !== null || text !== "") {
      const { type: textType, ...rest } = format ?? {}
      children.push({ type: String(textType ?? "text"), attrs: rest, text, children: [] })
    }
    format = null
    text = ""
  }
  for (const { insert } of listRuns(type, budget)) {
    if (typeof insert === "string") {
      text += insert
      continue
    }
    endText()
    if (insert instanceof Y.Map) {
      const attributes = readAttributes(insert)
      if (attributes.type === "linebreak") children.push({ type: "linebreak", attrs: {}, children: [] })
      else format = attributes
    } else if (insert instanceof Y.XmlText) children.push(readLexical(insert, budget))
    else if (insert instanceof Y.XmlElement) {
      const { type: decorator, ...rest } = readAttributes(insert)
      children.push({ type: String(decorator ?? insert.nodeName), attrs: rest, children: [] })
    }
  }
  endText()
  return { type: String(name ?? "root"), attrs, children }
}

function readAttributes(type: SharedType): Record<string, unknown> {
  return Object.fromEntries(mapEntries(type).map(([key, value]) => [key.replace(/^__/, ""), value]))
}
