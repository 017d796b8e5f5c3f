/** Tiptap 3 on Hocuspocus' provider, as Tiptap's examples have it. */
import { HocuspocusProvider } from "@hocuspocus/provider"
import { Editor } from "@tiptap/core"
import { Collaboration } from "@tiptap/extension-collaboration"
import { CollaborationCaret } from "@tiptap/extension-collaboration-caret"
import { Image } from "@tiptap/extension-image"
import { TaskItem, TaskList } from "@tiptap/extension-list"
import { Mention } from "@tiptap/extension-mention"
import { TableKit } from "@tiptap/extension-table"
import { StarterKit } from "@tiptap/starter-kit"
import * as Y from "yjs"
import { docId, IMAGE, isSynced, place, server, user } from "./page.ts"

const doc = new Y.Doc()
const provider = new HocuspocusProvider({
  url: `${server}/hocuspocus`,
  name: docId,
  document: doc,
  onSynced: isSynced,
})

const editor = new Editor({
  element: place,
  extensions: [
    StarterKit.configure({ undoRedo: false }),
    Collaboration.configure({ document: doc }),
    CollaborationCaret.configure({ provider, user }),
    Image.configure({ allowBase64: true }),
    TableKit,
    TaskList,
    TaskItem.configure({ nested: true }),
    Mention,
  ],
})

globalThis.doc = doc
globalThis.fill = () => {
  editor.commands.setContent(`
    <h2>Title</h2>
    <p><strong>bold</strong> and <em>italic</em>, <u>under</u>, <s>struck</s>, <code>code</code>, <a href="https://example.com/">link</a><br>next line</p>
    <p>for <span data-type="mention" data-id="7" data-label="Ada"></span></p>
    <blockquote><p>quoted</p></blockquote>
    <pre><code class="language-js">let x = 1
let y</code></pre>
    <ul><li><p>one</p><ol start="3"><li><p>under</p></li></ol></li><li><p>two</p></li></ul>
    <ul data-type="taskList"><li data-type="taskItem" data-checked="true"><p>done</p></li><li data-type="taskItem" data-checked="false"><p>open</p></li></ul>
    <hr><img src="${IMAGE}" alt="dot" title="A dot">
    <table><tbody><tr><th><p>h</p></th><th><p>k</p></th></tr><tr><td><p>a</p></td><td><p>b</p></td></tr></tbody></table>
    <p>end</p>`)
}
