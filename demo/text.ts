/** A text that everyone who opens it writes together: CodeMirror, and one provider. */
import { markdown } from "@codemirror/lang-markdown"
import { keymap } from "@codemirror/view"
import { basicSetup, EditorView } from "codemirror"
import { yUndoManagerKeymap } from "y-codemirror.next"
import * as Y from "yjs"
import { indexedDb } from "../src/client/offline.ts"
import { Provider } from "../src/client/provider.ts"
import { spreadCaretNames } from "./caret-names.ts"
import { collaboration } from "./codemirror-collaboration.ts"
import { look } from "./codemirror-look.ts"
import { find } from "./element.ts"
import { firstLine } from "./first-line.ts"
import { showHeader } from "./header.ts"
import { greet } from "./hello.ts"
import { showHistory } from "./history-panel.ts"
import { showInvitation } from "./invitation.ts"
import { page, roomsUrl } from "./page.ts"
import { showSource } from "./source-button.ts"
import source from "./text.ts?raw"

const GREETING = `# Write with me

Open this page in a **second window**, or send the link to a friend, and type.

- everyone has a caret with a name
- undo takes back what *you* wrote
- “Saved” means: on the server’s disk
`

const doc = new Y.Doc()
const text = doc.getText("text")
const provider = new Provider(roomsUrl(), page.docId, doc, { token: page.token, offline: indexedDb })

const view = new EditorView({
  parent: find("editor"),
  extensions: [
    // Before CodeMirror's own keys: this undo takes back only what was typed here, not what came from others.
    keymap.of(yUndoManagerKeymap),
    basicSetup,
    markdown(),
    collaboration(text, provider.awareness),
    look(provider),
  ],
})

spreadCaretNames(find("editor"))
showHeader(provider, { title: "Text", name: () => firstLine(text.toString()) })
showHistory(provider, { root: "text" })
showInvitation(provider)
showSource("text.ts", source)
// Whoever asks for a new text wants to write.
if (page.asked === null && !page.mini) view.focus()
greet(provider, (hello) => hello.getText("text").insert(0, GREETING))
