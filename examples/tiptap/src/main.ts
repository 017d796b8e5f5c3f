/** One text in Tiptap: everyone who opens the page writes in it at once. */
import { HocuspocusProvider } from "@hocuspocus/provider"
import { Editor } from "@tiptap/core"
import { Collaboration } from "@tiptap/extension-collaboration"
import { CollaborationCaret } from "@tiptap/extension-collaboration-caret"
import { StarterKit } from "@tiptap/starter-kit"
import * as Y from "yjs"
import { showState } from "./state"

const NAMES = ["Ada", "Grace", "Alan", "Edsger", "Barbara"]
const COLORS = ["#b3261e", "#00658f", "#386a20", "#7d5260", "#6750a4"]

const oneOf = (list: readonly string[]) => list[Math.floor(Math.random() * list.length)]!

const doc = new Y.Doc()
const provider = new HocuspocusProvider({
  // All that changes when you come from a Hocuspocus server.
  url: "ws://localhost:8787/hocuspocus",
  name: "notes",
  document: doc,
  // Where your server has a key: token: async () => (await fetch("/api/document-token?id=notes")).text()
})

const editor = new Editor({
  element: document.querySelector("main")!,
  extensions: [
    // Collaboration brings an undo of its own, which takes back nobody else's words.
    StarterKit.configure({ undoRedo: false }),
    Collaboration.configure({ document: doc }),
    CollaborationCaret.configure({ provider, user: { name: oneOf(NAMES), color: oneOf(COLORS) } }),
  ],
})

showState(provider, editor)
