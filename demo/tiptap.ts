/** Rich text that everyone who opens it writes together: Tiptap, its own collaboration extensions, and one provider. */
import { Editor } from "@tiptap/core"
import { Collaboration } from "@tiptap/extension-collaboration"
import { CollaborationCaret } from "@tiptap/extension-collaboration-caret"
import { TaskItem, TaskList } from "@tiptap/extension-list"
import { Placeholder } from "@tiptap/extensions"
import { StarterKit } from "@tiptap/starter-kit"
import { yUndoPluginKey } from "@tiptap/y-tiptap"
import * as Y from "yjs"
import { indexedDb } from "../src/client/offline.ts"
import { Provider } from "../src/client/provider.ts"
import { begin } from "./begin.ts"
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
import source from "./tiptap.ts?raw"
import { ICONS, toolbar } from "./tools.ts"
import { me } from "./visitor.ts"

const doc = new Y.Doc()
const provider = new Provider(roomsUrl(), page.docId, doc, { token: page.token, offline: indexedDb })

const editor = new Editor({
  element: find("sheet"),
  extensions: [
    // Its own undo would take back what others have written.
    StarterKit.configure({ undoRedo: false, link: { openOnClick: false } }),
    TaskList,
    TaskItem.configure({ nested: true }),
    Placeholder.configure({ placeholder: "Write something, together." }),
    Collaboration.configure({ document: doc }),
    CollaborationCaret.configure({ provider, user: { ...me() }, render: renderCaret }),
  ],
  editorProps: { attributes: { class: "content", "aria-label": `The text of ${page.docId}` } },
})

takeBackOwn(yUndoPluginKey.getState(editor.state).undoManager)

const tools = toolbar({
  kinds: { paragraph: "Text", h1: "Heading 1", h2: "Heading 2", blockquote: "Quote", codeBlock: "Code" },
  kind: () => {
    if (editor.isActive("heading")) return editor.isActive("heading", { level: 1 }) ? "h1" : "h2"
    return ["blockquote", "codeBlock"].find((name) => editor.isActive(name)) ?? "paragraph"
  },
  setKind: (kind) => {
    const plain = editor.chain().focus().clearNodes()
    if (kind === "h1" || kind === "h2") plain.setHeading({ level: kind === "h1" ? 1 : 2 }).run()
    else if (kind === "blockquote") plain.setBlockquote().run()
    else if (kind === "codeBlock") plain.setCodeBlock().run()
    else plain.run()
  },
  groups: [
    [
      mark("bold", "B", "Bold (Ctrl B)"),
      mark("italic", "I", "Italic (Ctrl I)"),
      mark("code", "<>", "Code (Ctrl E)"),
    ],
    [
      {
        ...{ face: ICONS.bullets, title: "Bullets" },
        press: () => editor.chain().focus().toggleBulletList().run(),
        isOn: () => editor.isActive("bulletList"),
      },
      {
        ...{ face: ICONS.tasks, title: "Tasks" },
        press: () => editor.chain().focus().toggleTaskList().run(),
        isOn: () => editor.isActive("taskList"),
      },
    ],
    [
      {
        ...{ face: ICONS.undo, title: "Take back my last change (Ctrl Z)" },
        press: () => editor.commands.undo(),
      },
      { ...{ face: ICONS.redo, title: "Do it again (Ctrl Shift Z)" }, press: () => editor.commands.redo() },
    ],
  ],
})
find("editor").prepend(tools.element)
editor.on("transaction", tools.update)

function mark(name: "bold" | "italic" | "code", face: string, title: string) {
  const press = () => editor.chain().focus().toggleMark(name).run()
  return { face, title, kind: name, press, isOn: () => editor.isActive(name) }
}

spreadCaretNames(find("editor"))
showHeader(provider, { title: "Tiptap", name: () => firstText(doc.getXmlFragment("default")) })
showHistory(provider, { root: "default", layOut: layOutTree("default") })
showInvitation(provider)
showSource("tiptap.ts", source)
begin(provider, (draft) => draft.getXmlFragment("default").insert(0, [new Y.XmlElement("paragraph")]))
watchRights(provider, (readOnly) => {
  editor.setEditable(!readOnly)
  tools.element.hidden = readOnly
})
// Whoever asks for a new text wants to write.
if (page.asked === null && !page.mini) editor.commands.focus()
