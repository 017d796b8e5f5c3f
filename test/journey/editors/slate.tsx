/** Slate with slate-yjs, as its walkthrough has it, on Hocuspocus' provider. */
import { HocuspocusProvider } from "@hocuspocus/provider"
import { withCursors, withYHistory, withYjs, YjsEditor } from "@slate-yjs/core"
import { useEffect, useMemo } from "react"
import { createRoot } from "react-dom/client"
import { createEditor, type Descendant, Editor, type Node, type NodeEntry, Transforms } from "slate"
import { Editable, type RenderElementProps, type RenderLeafProps, Slate, withReact } from "slate-react"
import * as Y from "yjs"
import { takeBackOwn } from "../../../demo/own-undo.ts"
import { docId, IMAGE, isSynced, place, server, user } from "./page.ts"

const doc = new Y.Doc()
const provider = new HocuspocusProvider({
  url: `${server}/hocuspocus`,
  name: docId,
  document: doc,
  onSynced: isSynced,
})
const type = doc.get("content", Y.XmlText)

// reason: which elements there are is the application's own, and here nothing but the sample says it
const nodes = (...list: object[]) => list as Descendant[]

function Page() {
  const editor = useMemo(() => {
    const editor = withReact(
      withCursors(withYHistory(withYjs(createEditor(), type, { autoConnect: false })), provider.awareness!, {
        data: { ...user },
      }),
    )
    takeBackOwn(editor.undoManager)
    const { isVoid, isInline, normalizeNode } = editor
    editor.isVoid = (element: Node) => kindOf(element) === "image" || isVoid(element)
    editor.isInline = (element: Node) => kindOf(element) === "link" || isInline(element)
    // From the walkthrough: an editor has always something to type in.
    editor.normalizeNode = (entry: NodeEntry, options?: object) => {
      if (!Editor.isEditor(entry[0]) || entry[0].children.length > 0) return normalizeNode(entry, options)
      Transforms.insertNodes(editor, nodes({ type: "paragraph", children: [{ text: "" }] }), { at: [0] })
    }
    return editor
  }, [])
  useEffect(() => {
    // Before the document is here, what an empty editor is filled with would be written into it.
    const connect = () => YjsEditor.connect(editor)
    if (provider.isSynced) connect()
    else provider.on("synced", connect)
    globalThis.fill = () => {
      Editor.withoutNormalizing(editor, () => {
        for (const _ of [...editor.children]) Transforms.removeNodes(editor, { at: [0] })
        Transforms.insertNodes(editor, SAMPLE, { at: [0] })
      })
    }
    return () => YjsEditor.disconnect(editor)
  }, [editor])
  return (
    <Slate editor={editor} initialValue={nodes({ type: "paragraph", children: [{ text: "" }] })}>
      <Editable renderElement={Element} renderLeaf={Leaf} />
    </Slate>
  )
}

function kindOf(node: Node): unknown {
  return "type" in node ? node.type : null
}

function Element({ attributes, children, element }: RenderElementProps) {
  return kindOf(element) === "link" ? (
    <a {...attributes}>{children}</a>
  ) : (
    <div {...attributes}>{children}</div>
  )
}

function Leaf({ attributes, children }: RenderLeafProps) {
  return <span {...attributes}>{children}</span>
}

const item = (...children: object[]) => ({ type: "list-item", children })

/** In the words of Slate's own examples. */
const SAMPLE = nodes(
  { type: "heading-two", children: [{ text: "Title" }] },
  {
    type: "paragraph",
    children: [
      { text: "bold", bold: true },
      { text: " and " },
      { text: "italic", italic: true },
      { text: ", " },
      { text: "under", underline: true },
      { text: ", " },
      { text: "code", code: true },
      { text: ", " },
      { type: "link", url: "https://example.com/", children: [{ text: "link" }] },
      { text: "" },
    ],
  },
  { type: "block-quote", children: [{ text: "quoted" }] },
  {
    type: "code-block",
    language: "javascript",
    children: [
      { type: "code-line", children: [{ text: "let x = 1" }] },
      { type: "code-line", children: [{ text: "let y" }] },
    ],
  },
  { type: "bulleted-list", children: [item({ text: "one" }), item({ text: "two" })] },
  { type: "numbered-list", children: [item({ text: "first" })] },
  { type: "check-list-item", checked: true, children: [{ text: "done" }] },
  { type: "check-list-item", checked: false, children: [{ text: "open" }] },
  { type: "image", url: IMAGE, alt: "dot", children: [{ text: "" }] },
  {
    type: "table",
    children: [
      {
        type: "table-row",
        children: [
          { type: "table-cell", children: [{ text: "a" }] },
          { type: "table-cell", children: [{ text: "b" }] },
        ],
      },
    ],
  },
  { type: "paragraph", children: [{ text: "end" }] },
)

globalThis.doc = doc
createRoot(place).render(<Page />)
