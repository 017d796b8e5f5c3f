/** BlockNote without a framework, on y-partyserver's provider. */
import { BlockNoteEditor } from "@blocknote/core"
import YProvider from "y-partyserver/provider"
import { yUndoPluginKey } from "y-prosemirror"
import * as Y from "yjs"
import { takeBackOwn } from "../../../demo/own-undo.ts"
import { docId, IMAGE, isSynced, place, user } from "./page.ts"

const doc = new Y.Doc()
const provider = new YProvider(location.host, docId, doc, { party: "main" })

const editor = BlockNoteEditor.create({
  collaboration: { provider, fragment: doc.getXmlFragment("document-store"), user },
})
editor.mount(place)
// Its own takes a block away with the words of others in it.
takeBackOwn(yUndoPluginKey.getState(editor.prosemirrorState).undoManager)
provider.on("sync", isSynced)

globalThis.doc = doc
globalThis.fill = () => {
  editor.replaceBlocks(editor.document, [
    { type: "heading", props: { level: 2 }, content: "Title" },
    {
      type: "paragraph",
      content: [
        { type: "text", text: "bold", styles: { bold: true } },
        { type: "text", text: " and ", styles: {} },
        { type: "text", text: "italic", styles: { italic: true } },
        { type: "text", text: ", ", styles: {} },
        { type: "text", text: "under", styles: { underline: true } },
        { type: "text", text: ", ", styles: {} },
        { type: "text", text: "struck", styles: { strike: true } },
        { type: "text", text: ", ", styles: {} },
        { type: "text", text: "code", styles: { code: true } },
        { type: "text", text: ", ", styles: {} },
        { type: "text", text: "red", styles: { textColor: "red", backgroundColor: "blue" } },
        { type: "text", text: ", ", styles: {} },
        { type: "link", href: "https://example.com/", content: "link" },
        { type: "text", text: "\nnext line", styles: {} },
      ],
      children: [{ type: "paragraph", content: "indented" }],
    },
    { type: "quote", content: "quoted" },
    { type: "codeBlock", props: { language: "javascript" }, content: "let x = 1\nlet y" },
    { type: "bulletListItem", content: "one", children: [{ type: "numberedListItem", content: "under" }] },
    { type: "bulletListItem", content: "two" },
    { type: "checkListItem", props: { checked: true }, content: "done" },
    { type: "checkListItem", content: "open" },
    { type: "toggleListItem", content: "folded", children: [{ type: "paragraph", content: "inside" }] },
    { type: "divider" },
    { type: "image", props: { url: IMAGE, name: "dot.gif", caption: "A dot" } },
    { type: "file", props: { url: "https://example.com/a.pdf", name: "a.pdf" } },
    {
      type: "table",
      content: {
        type: "tableContent",
        headerRows: 1,
        rows: [{ cells: ["h", "k"] }, { cells: ["a", "b"] }],
      },
    },
    { type: "paragraph", content: "end" },
  ])
}
