/** Blocks that everyone who opens them writes together: BlockNote without a framework, and one provider. */
import { BlockNoteEditor } from "@blocknote/core"
import "@blocknote/core/style.css"
import { yUndoPluginKey } from "y-prosemirror"
import * as Y from "yjs"
import { indexedDb } from "../src/client/offline.ts"
import { Provider } from "../src/client/provider.ts"
import { begin } from "./begin.ts"
import source from "./blocknote.ts?raw"
import { renderCaret, spreadCaretNames } from "./caret-names.ts"
import { find } from "./element.ts"
import { firstText } from "./first-line.ts"
import { showHeader } from "./header.ts"
import { showHistory } from "./history-panel.ts"
import { layOutTree } from "./history-tree.ts"
import { showInvitation } from "./invitation.ts"
import { takeBackOwn } from "./own-undo.ts"
import { page, roomsUrl } from "./page.ts"
import { watchRights } from "./rights.ts"
import { showSource } from "./source-button.ts"
import { ICONS, toolbar } from "./tools.ts"
import { me } from "./visitor.ts"

const doc = new Y.Doc()
const provider = new Provider(roomsUrl(), page.docId, doc, { token: page.token, offline: indexedDb })

const editor = BlockNoteEditor.create({
  collaboration: {
    provider,
    fragment: doc.getXmlFragment("document-store"),
    user: { ...me() },
    renderCursor: renderCaret,
    showCursorLabels: "always",
  },
  domAttributes: { editor: { class: "content", "aria-label": `The text of ${page.docId}` } },
})
editor.mount(find("sheet"))
takeBackOwn(yUndoPluginKey.getState(editor.prosemirrorState)!.undoManager)

const here = () => editor.getTextCursorPosition().block
const tools = toolbar({
  kinds: {
    paragraph: "Text",
    heading1: "Heading 1",
    heading2: "Heading 2",
    quote: "Quote",
    bulletListItem: "Bullets",
    numberedListItem: "Numbers",
    checkListItem: "Tasks",
    toggleListItem: "To fold",
    codeBlock: "Code",
  },
  kind: () => {
    const { type, props } = here()
    return type === "heading" ? `heading${props.level}` : type
  },
  setKind: (kind) => {
    const level = kind === "heading1" ? 1 : 2
    if (kind.startsWith("heading")) editor.updateBlock(here(), { type: "heading", props: { level } })
    else editor.updateBlock(here(), { type: kind as "paragraph" })
    editor.focus()
  },
  groups: [
    [
      style("bold", "B", "Bold (Ctrl B)"),
      style("italic", "I", "Italic (Ctrl I)"),
      style("code", "<>", "Code (Ctrl E)"),
    ],
    [
      { face: "→", title: "Indent under the block above (Tab)", press: () => editor.nestBlock() },
      { face: "←", title: "Indent less (Shift Tab)", press: () => editor.unnestBlock() },
    ],
    [
      { face: ICONS.undo, title: "Take back my last change (Ctrl Z)", press: () => editor.undo() },
      { face: ICONS.redo, title: "Do it again (Ctrl Shift Z)", press: () => editor.redo() },
    ],
  ],
})
find("editor").prepend(tools.element)
editor.onSelectionChange(tools.update)
editor.onChange(tools.update)

function style(name: "bold" | "italic" | "code", face: string, title: string) {
  const press = () => {
    editor.toggleStyles({ [name]: true })
    editor.focus()
  }
  return { face, title, kind: name, press, isOn: () => name in editor.getActiveStyles() }
}

spreadCaretNames(find("editor"))
showHeader(provider, { title: "BlockNote", name: () => firstText(doc.getXmlFragment("document-store")) })
showHistory(provider, { root: "document-store", layOut: layOutTree("document-store") })
showInvitation(provider)
showSource("blocknote.ts", source)
begin(provider, (draft) => {
  const [group, container] = [new Y.XmlElement("blockGroup"), new Y.XmlElement("blockContainer")]
  container.setAttribute("id", "first")
  container.insert(0, [new Y.XmlElement("paragraph")])
  group.insert(0, [container])
  draft.getXmlFragment("document-store").insert(0, [group])
})
watchRights(provider, (readOnly) => {
  editor.isEditable = !readOnly
  tools.element.hidden = readOnly
})
// Whoever asks for a new text wants to write.
if (page.asked === null && !page.mini) editor.focus()
