/** Quill 2 as the README of y-quill has it. */
import Quill from "quill"
import QuillCursors from "quill-cursors"
import { QuillBinding } from "y-quill"
import { WebsocketProvider } from "y-websocket"
import * as Y from "yjs"
import { docId, IMAGE, isSynced, place, server } from "./page.ts"

Quill.register("modules/cursors", QuillCursors)

const doc = new Y.Doc()
const provider = new WebsocketProvider(`${server}/docs`, docId, doc)
const type = doc.getText("quill")

const editor = new Quill(place, {
  modules: { cursors: true, table: true, history: { userOnly: true } },
})

new QuillBinding(type, editor, provider.awareness)
provider.on("sync", isSynced)

globalThis.doc = doc
globalThis.fill = () => {
  editor.setContents(
    [
      { insert: "Title" },
      { insert: "\n", attributes: { header: 2 } },
      { insert: "bold", attributes: { bold: true } },
      { insert: " and " },
      { insert: "italic", attributes: { italic: true } },
      { insert: ", " },
      { insert: "under", attributes: { underline: true } },
      { insert: ", " },
      { insert: "struck", attributes: { strike: true } },
      { insert: ", " },
      { insert: "code", attributes: { code: true } },
      { insert: ", " },
      { insert: "link", attributes: { link: "https://example.com/" } },
      { insert: ", x" },
      { insert: "2", attributes: { script: "super" } },
      { insert: "\n" },
      { insert: "indented" },
      { insert: "\n", attributes: { indent: 1 } },
      { insert: "quoted" },
      { insert: "\n", attributes: { blockquote: true } },
      { insert: "let x = 1" },
      { insert: "\n", attributes: { "code-block": "javascript" } },
      { insert: "let y" },
      { insert: "\n", attributes: { "code-block": "javascript" } },
      { insert: "one" },
      { insert: "\n", attributes: { list: "bullet" } },
      { insert: "under" },
      { insert: "\n", attributes: { list: "ordered", indent: 1 } },
      { insert: "two" },
      { insert: "\n", attributes: { list: "bullet" } },
      { insert: "done" },
      { insert: "\n", attributes: { list: "checked" } },
      { insert: "open" },
      { insert: "\n", attributes: { list: "unchecked" } },
      { insert: { image: IMAGE }, attributes: { alt: "dot" } },
      { insert: "\n" },
      { insert: { video: "https://www.youtube.com/embed/abc" } },
      { insert: "h" },
      { insert: "\n", attributes: { table: "row-1" } },
      { insert: "k" },
      { insert: "\n", attributes: { table: "row-1" } },
      { insert: "a" },
      { insert: "\n", attributes: { table: "row-2" } },
      { insert: "b" },
      { insert: "\n", attributes: { table: "row-2" } },
      { insert: "end\n" },
    ],
    "user",
  )
}
