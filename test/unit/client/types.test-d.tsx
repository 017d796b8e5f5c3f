/**
 * Every editor binding takes the provider as it is: `tsc` is the test, nothing in here runs. A line marked
 * `@ts-expect-error` has to be an error.
 */
import {
  CollaborationPlugin,
  CollaborationPluginV2__EXPERIMENTAL,
} from "@lexical/react/LexicalCollaborationPlugin"
import {
  createUndoManager,
  initLocalState,
  type Provider as LexicalProvider,
  type UserState,
} from "@lexical/yjs"
import { CollaborationCaret } from "@tiptap/extension-collaboration-caret"
import { yCursorPlugin as tiptapCursorPlugin } from "@tiptap/y-tiptap"
import type { editor } from "monaco-editor"
import type Quill from "quill"
import { WebSocket as NodeWebSocket } from "ws"
import { yCollab } from "y-codemirror.next"
import { MonacoBinding } from "y-monaco"
import { yCursorPlugin } from "y-prosemirror"
import { Awareness } from "y-protocols/awareness"
import { QuillBinding } from "y-quill"
import * as Y from "yjs"
import { indexedDb } from "../../../src/client/offline.ts"
import { Provider, type ProviderAwareness, type Status } from "../../../src/client/provider.ts"
import { useProvider } from "../../../src/client/react.ts"

const doc = new Y.Doc()
const provider = new Provider("ws://localhost:8787/docs", "notes", doc)

export function codeMirror() {
  return yCollab(doc.getText("t"), provider.awareness)
}

export function lexical() {
  const taken: LexicalProvider = provider
  initLocalState(taken, "name", "color", true, {})
  const state: UserState | null = provider.awareness.getLocalState()
  const states: Map<number, UserState> = provider.awareness.getStates()
  return [
    state,
    states,
    createUndoManager,
    <CollaborationPlugin key="v1" id="notes" providerFactory={() => provider} shouldBootstrap={false} />,
    <CollaborationPlugin
      key="made per document"
      id="notes"
      providerFactory={(id, docs) =>
        new Provider("ws://host/docs", id, docs.get(id) ?? new Y.Doc(), { connect: false })
      }
      shouldBootstrap={false}
    />,
    <CollaborationPluginV2__EXPERIMENTAL key="v2" id="notes" doc={doc} provider={provider} />,
    // @ts-expect-error an awareness is not a provider
    <CollaborationPluginV2__EXPERIMENTAL key="no" id="notes" doc={doc} provider={provider.awareness} />,
  ]
}

export function proseMirror() {
  return [yCursorPlugin(provider.awareness), tiptapCursorPlugin(provider.awareness)]
}

export function tiptap() {
  return CollaborationCaret.configure({ provider, user: { name: "name", color: "#123456" } })
}

export function monaco(model: editor.ITextModel, view: editor.IStandaloneCodeEditor) {
  return new MonacoBinding(doc.getText("t"), model, new Set([view]), provider.awareness)
}

export function quill(view: Quill) {
  return new QuillBinding(doc.getText("t"), view, provider.awareness)
}

export function events() {
  provider.on("status", ({ status }) => status satisfies Status)
  provider.on("sync", (synced) => synced satisfies boolean)
  provider.on("synced", (synced: boolean) => synced)
  provider.on("closed", ({ code, reason }) => [code satisfies number, reason satisfies string])
  provider.on("notice", ({ code, message }) => [code satisfies string, message satisfies string])
  provider.on("conflict", ({ before, doc }) => [before satisfies Y.Doc, doc satisfies Y.Doc])
  provider.on("refused", ({ reason }) => reason satisfies string)
  provider.on("message", (message) => message satisfies string)
  provider.on("saved", () => provider.hasUnsavedChanges satisfies boolean)
  provider.once("connection-close", (event, from) => [event.code satisfies number, from satisfies Provider])
  provider.off("update", (update: Uint8Array) => update)
  // @ts-expect-error there is no such event
  provider.on("saving", () => {})
  // @ts-expect-error the argument is an object
  provider.on("status", (status: string) => status)
}

export function options() {
  new Provider("ws://host/docs", "notes", doc, {
    token: async () => "fresh",
    params: async () => ({ a: "b" }),
    WebSocketPolyfill: NodeWebSocket,
    awareness: new Awareness(doc),
    offline: indexedDb,
    user: "ada",
    guardUnload: true,
    connect: undefined,
  })
  new Provider("ws://host/docs", "notes", doc, { WebSocketPolyfill: WebSocket })
  // @ts-expect-error a parameter is text
  new Provider("ws://host/docs", "notes", doc, { params: { a: 1 } })
  // @ts-expect-error a copy is opened by a function, so that only who wants one needs y-indexeddb
  new Provider("ws://host/docs", "notes", doc, { offline: true })
  // @ts-expect-error there is no such option
  new Provider("ws://host/docs", "notes", doc, { autoConnect: true })
  // @ts-expect-error a document is needed
  new Provider("ws://host/docs", "notes")
  // @ts-expect-error read only
  provider.status = "connected"
  // @ts-expect-error never null: a binding may rely on it
  provider.awareness satisfies null
  provider.awareness satisfies ProviderAwareness & Awareness
  provider.whenSaved() satisfies Promise<void>
  provider.send("message") satisfies boolean
}

export function React() {
  const {
    provider: shared,
    status,
    synced,
    saved,
    closed,
    doc: followed,
  } = useProvider("ws://host/docs", "notes", doc, {
    token: () => "fresh",
  })
  shared satisfies Provider
  followed satisfies Y.Doc
  return (
    <p>
      {status satisfies Status} {String(synced satisfies boolean)} {String(saved satisfies boolean)}{" "}
      {closed?.reason}
    </p>
  )
}
