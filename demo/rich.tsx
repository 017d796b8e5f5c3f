/** Rich text that everyone who opens it writes together: Lexical, its own collaboration plugin, and one provider. */
import { CodeNode } from "@lexical/code"
import { LinkNode } from "@lexical/link"
import { ListItemNode, ListNode } from "@lexical/list"
import { TRANSFORMERS } from "@lexical/markdown"
import { AutoFocusPlugin } from "@lexical/react/LexicalAutoFocusPlugin"
import { LexicalCollaboration } from "@lexical/react/LexicalCollaborationContext"
import { CollaborationPlugin } from "@lexical/react/LexicalCollaborationPlugin"
import { LexicalComposer } from "@lexical/react/LexicalComposer"
import { ContentEditable } from "@lexical/react/LexicalContentEditable"
import { LexicalErrorBoundary } from "@lexical/react/LexicalErrorBoundary"
import { LinkPlugin } from "@lexical/react/LexicalLinkPlugin"
import { ListPlugin } from "@lexical/react/LexicalListPlugin"
import { MarkdownShortcutPlugin } from "@lexical/react/LexicalMarkdownShortcutPlugin"
import { RichTextPlugin } from "@lexical/react/LexicalRichTextPlugin"
import { HeadingNode, QuoteNode } from "@lexical/rich-text"
import { useRef } from "react"
import { createRoot } from "react-dom/client"
import * as Y from "yjs"
import { indexedDb } from "../src/client/offline.ts"
import { Provider } from "../src/client/provider.ts"
import { spreadCaretNames } from "./caret-names.ts"
import { find } from "./element.ts"
import { firstBlock } from "./first-line.ts"
import { showHeader } from "./header.ts"
import { greet } from "./hello.ts"
import { layOutLexical } from "./history-lexical.ts"
import { showHistory } from "./history-panel.ts"
import { showInvitation } from "./invitation.ts"
import { page, roomsUrl } from "./page.ts"
import source from "./rich.tsx?raw"
import { writeGreeting } from "./rich-greeting.ts"
import { isLink, Toolbar } from "./rich-toolbar.tsx"
import { OwnUndo } from "./rich-undo.ts"
import { showSource } from "./source-button.ts"
import { me } from "./visitor.ts"

const doc = new Y.Doc()
// The collaboration plugin connects the provider once the editor exists.
const provider = new Provider(roomsUrl(), page.docId, doc, {
  token: page.token,
  offline: indexedDb,
  connect: false,
})

const config = {
  namespace: "rich",
  // null: the content comes from the Yjs document.
  editorState: null,
  // All that a server's Markdown becomes here: a kind that is not known ends the editor.
  nodes: [HeadingNode, QuoteNode, ListNode, ListItemNode, LinkNode, CodeNode],
  theme: {
    text: { bold: "bold", italic: "italic", code: "code", strikethrough: "struck" },
    list: { nested: { listitem: "nested" }, listitemChecked: "checked", listitemUnchecked: "unchecked" },
    collaboration: { cursor: "caret", cursorName: "caret-name" },
  },
  onError(error: Error) {
    throw error
  },
}

function openDocument(id: string, docs: Map<string, Y.Doc>): Provider {
  docs.set(id, doc)
  return provider
}

function Editor() {
  const carets = useRef<HTMLDivElement>(null)
  const { name, color, country } = me()
  return (
    <LexicalCollaboration>
      <LexicalComposer initialConfig={config}>
        <Toolbar provider={provider} />
        <div className="scroller">
          <div className="sheet">
            <RichTextPlugin
              contentEditable={
                <ContentEditable
                  className="content"
                  aria-label={`The text of ${page.docId}`}
                  aria-placeholder="Write something"
                  placeholder={(editable) => (
                    <p className="placeholder">
                      {editable ? "Write something, together." : "Nothing is written here yet."}
                    </p>
                  )}
                />
              }
              ErrorBoundary={LexicalErrorBoundary}
            />
            <div ref={carets} className="carets" aria-hidden="true" />
          </div>
        </div>
        <ListPlugin />
        <OwnUndo doc={doc} />
        {/* Whoever asks for a new text wants to write. */}
        {page.asked === null && !page.mini && <AutoFocusPlugin />}
        <LinkPlugin validateUrl={isLink} attributes={{ rel: "noreferrer", target: "_blank" }} />
        <MarkdownShortcutPlugin transformers={TRANSFORMERS.filter((each) => !("regExpStart" in each))} />
        <CollaborationPlugin
          id={page.docId}
          providerFactory={openDocument}
          // Two visitors who open an empty document at once would both put a paragraph into it.
          shouldBootstrap={false}
          username={name}
          cursorColor={color}
          awarenessData={{ country }}
          cursorsContainerRef={carets}
        />
      </LexicalComposer>
    </LexicalCollaboration>
  )
}

createRoot(find("editor")).render(<Editor />)
spreadCaretNames(find("editor"))
showHeader(provider, {
  title: "Rich text",
  name: () => firstBlock(doc.get("root", Y.XmlText)),
  introduces: true,
})
showHistory(provider, { root: "root", layOut: layOutLexical })
showInvitation(provider)
showSource("rich.tsx", source)
greet(provider, writeGreeting)
