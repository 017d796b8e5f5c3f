/** ProseMirror as the READMEs of y-prosemirror and y-websocket have it, with its own lists and tables. */
import { baseKeymap } from "prosemirror-commands"
import { keymap } from "prosemirror-keymap"
import { type Node, Schema } from "prosemirror-model"
import { schema as basic } from "prosemirror-schema-basic"
import { addListNodes } from "prosemirror-schema-list"
import { EditorState } from "prosemirror-state"
import { tableNodes } from "prosemirror-tables"
import { EditorView } from "prosemirror-view"
import { redo, undo, yCursorPlugin, ySyncPlugin, yUndoPlugin } from "y-prosemirror"
import { WebsocketProvider } from "y-websocket"
import * as Y from "yjs"
import { docId, IMAGE, isSynced, place, server } from "./page.ts"

const schema = new Schema({
  nodes: addListNodes(basic.spec.nodes, "paragraph block*", "block").append(
    tableNodes({ tableGroup: "block", cellContent: "block+", cellAttributes: {} }),
  ),
  marks: basic.spec.marks,
})

const doc = new Y.Doc()
const provider = new WebsocketProvider(`${server}/docs`, docId, doc)
const type = doc.getXmlFragment("prosemirror")

const view = new EditorView(place, {
  state: EditorState.create({
    schema,
    plugins: [
      ySyncPlugin(type),
      yCursorPlugin(provider.awareness),
      yUndoPlugin(),
      keymap({ "Mod-z": undo, "Mod-y": redo, "Mod-Shift-z": redo }),
      keymap(baseKeymap),
    ],
  }),
})

provider.on("sync", isSynced)

globalThis.doc = doc
globalThis.fill = () => {
  const { nodes } = schema
  const text = (value: string, ...marks: [name: string, attrs?: Record<string, unknown>][]) =>
    schema.text(
      value,
      marks.map(([name, attrs]) => schema.mark(name, attrs)),
    )
  const p = (...inlines: Node[]) => schema.node("paragraph", null, inlines)
  const cell = (value: string, name = "table_cell") => schema.node(name, null, p(text(value)))
  const content = [
    schema.node("heading", { level: 2 }, text("Title")),
    p(
      text("bold", ["strong"]),
      text(" and "),
      text("italic", ["em"]),
      text(", "),
      text("code", ["code"]),
      text(", "),
      text("link", ["link", { href: "https://example.com/" }]),
      nodes.hard_break!.create(),
      text("next line"),
    ),
    schema.node("blockquote", null, p(text("quoted"))),
    schema.node("code_block", null, text("let x = 1\nlet y")),
    schema.node("bullet_list", null, [
      schema.node("list_item", null, [
        p(text("one")),
        schema.node("ordered_list", { order: 3 }, schema.node("list_item", null, p(text("under")))),
      ]),
      schema.node("list_item", null, p(text("two"))),
    ]),
    schema.node("horizontal_rule"),
    p(schema.node("image", { src: IMAGE, alt: "dot" })),
    schema.node("table", null, [
      schema.node("table_row", null, [cell("h", "table_header"), cell("k", "table_header")]),
      schema.node("table_row", null, [cell("a"), cell("b")]),
    ]),
    p(text("end")),
  ]
  view.dispatch(view.state.tr.replaceWith(0, view.state.doc.content.size, content))
}
