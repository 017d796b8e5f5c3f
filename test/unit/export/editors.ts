/** Documents as the editors write them, and what an export shows of them. */
import { CodeHighlightNode, CodeNode } from "@lexical/code"
import { createHeadlessEditor } from "@lexical/headless"
import { AutoLinkNode, LinkNode } from "@lexical/link"
import { ListItemNode, ListNode } from "@lexical/list"
import { HeadingNode, QuoteNode } from "@lexical/rich-text"
import {
  createBindingV2__EXPERIMENTAL,
  createYjsBinding,
  type Provider,
  syncLexicalUpdateToYjs,
  syncLexicalUpdateToYjsV2__EXPERIMENTAL,
} from "@lexical/yjs"
import { type Klass, type LexicalEditor, type LexicalNode, ParagraphNode } from "lexical"
import { Awareness } from "y-protocols/awareness"
import * as Y from "yjs"
import { toHtml } from "../../../src/export/html.ts"

/** The document as a server meets it: loaded from bytes, no root read by anyone. */
export function load(written: Y.Doc): Y.Doc {
  const loaded = new Y.Doc()
  Y.applyUpdate(loaded, Y.encodeStateAsUpdate(written))
  return loaded
}

/** What stands in the page's body. */
export function body(doc: Y.Doc, options?: { root?: string }): string {
  const [, inside = ""] = /<body dir="auto">\n(.*)\n<\/body>/s.exec(toHtml(doc, options)) ?? []
  return inside
}

/** A document as @lexical/yjs writes it: a headless editor, bound, and edited. */
export function writeLexical(
  version: "V1" | "V2",
  edit: () => void,
  more: readonly Klass<LexicalNode>[] = [],
): Y.Doc {
  const doc = new Y.Doc()
  const awareness = new Awareness(doc)
  // reason: a binding asks its provider for nothing but the awareness, whose states Lexical types as its own
  const provider = { awareness } as unknown as Provider
  const nodes = [
    HeadingNode,
    QuoteNode,
    ListNode,
    ListItemNode,
    LinkNode,
    AutoLinkNode,
    CodeNode,
    CodeHighlightNode,
  ]
  const editor: LexicalEditor = createHeadlessEditor({
    nodes: [...nodes, ParagraphNode, ...more],
    onError: (error) => {
      throw error
    },
  })
  const options = { editor, id: "main", doc, docMap: new Map([["main", doc]]) }
  if (version === "V1") {
    const binding = createYjsBinding(options)
    editor.registerUpdateListener((update) => {
      const { prevEditorState, editorState, dirtyElements, dirtyLeaves, normalizedNodes, tags } = update
      const changes = [dirtyElements, dirtyLeaves, normalizedNodes, tags] as const
      syncLexicalUpdateToYjs(binding, provider, prevEditorState, editorState, ...changes)
    })
  } else {
    const binding = createBindingV2__EXPERIMENTAL(editor, "main", doc, options.docMap)
    editor.registerUpdateListener((update) => {
      const { prevEditorState, editorState, dirtyElements, dirtyLeaves, normalizedNodes, tags } = update
      const changes = [dirtyElements, dirtyLeaves, normalizedNodes, tags] as const
      syncLexicalUpdateToYjsV2__EXPERIMENTAL(binding, provider, prevEditorState, editorState, ...changes)
    })
  }
  editor.update(edit, { discrete: true })
  awareness.destroy()
  return load(doc)
}

/** A document of XML elements in the root "default", as Tiptap and BlockNote write one. */
export function writeElements(...elements: Y.XmlElement[]): Y.Doc {
  const doc = new Y.Doc()
  doc.getXmlFragment("default").insert(0, elements)
  return load(doc)
}

/** An element; a string is an XmlText in it. */
export function element(
  name: string,
  attributes: Record<string, string | number | boolean>,
  ...children: (Y.XmlElement | string)[]
): Y.XmlElement {
  const node = new Y.XmlElement<Record<string, string | number | boolean>>(name)
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value)
  node.insert(
    0,
    children.map((child) => (typeof child === "string" ? new Y.XmlText(child) : child)),
  )
  return node as Y.XmlElement
}
