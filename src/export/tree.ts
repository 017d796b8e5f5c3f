/**
 * A rich-text document as a tree of nodes, as its editor wrote it and under the editor's own names:
 * ProseMirror, Tiptap and BlockNote (an XmlFragment), Lexical V2 (an XmlElement), Lexical V1 (an XmlText whose
 * children are XmlTexts, Maps and XmlElements with a `__type`).
 */
import * as Y from "yjs"
import {
  isLexicalNode,
  listValues,
  liveItems,
  mapEntries,
  type SharedType,
  textRuns,
} from "./shared-types.ts"

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

/** An XmlFragment or XmlElement; a root, which has no name on the wire, is a "doc". */
export function readXml(type: SharedType): TreeNode {
  return {
    type: type instanceof Y.XmlElement && type._item !== null ? type.nodeName : "doc",
    attrs: readAttributes(type),
    children: listValues(type).flatMap(readXmlChild),
  }
}

function readXmlChild(child: unknown): TreeNode[] {
  if (child instanceof Y.XmlText) {
    return textRuns(child as SharedType).flatMap(({ insert, attributes }) =>
      typeof insert === "string"
        ? [{ type: "text", attrs: {}, text: insert, marks: attributes, children: [] }]
        : readXmlChild(insert),
    )
  }
  if (child instanceof Y.XmlFragment) return [readXml(child as SharedType)]
  if (child instanceof Y.XmlHook) {
    return [{ type: child.hookName, attrs: readAttributes(child as SharedType), children: [] }]
  }
  return [{ type: "embed", attrs: { value: child }, children: [] }]
}

/** A Lexical V1 element; the root, which has no `__type` of its own, is a "root". */
export function readLexical(type: SharedType): TreeNode {
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
  for (const { insert } of textRuns(type)) {
    if (typeof insert === "string") {
      text += insert
      continue
    }
    endText()
    if (insert instanceof Y.Map) {
      const attributes = readAttributes(insert as SharedType)
      if (attributes.type === "linebreak") children.push({ type: "linebreak", attrs: {}, children: [] })
      else format = attributes
    } else if (insert instanceof Y.XmlText) children.push(readLexical(insert as SharedType))
    else if (insert instanceof Y.XmlElement) {
      const { type: decorator, ...rest } = readAttributes(insert as SharedType)
      children.push({ type: String(decorator ?? insert.nodeName), attrs: rest, children: [] })
    }
  }
  endText()
  return { type: String(name ?? "root"), attrs, children }
}

function readAttributes(type: SharedType): Record<string, unknown> {
  return Object.fromEntries(mapEntries(type).map(([key, value]) => [key.replace(/^__/, ""), value]))
}
