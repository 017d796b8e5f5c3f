/** Monaco as the README of y-monaco has it, on our provider, with the undo manager of Yjs. */
import * as monaco from "monaco-editor/editor/editor.api.js"
import { MonacoBinding } from "y-monaco"
import * as Y from "yjs"
import { Provider } from "../../../src/client/provider.ts"
import { docId, isSynced, place, server } from "./page.ts"

// Colours and completion come from workers, which are nothing to a binding.
globalThis.MonacoEnvironment = { getWorker: () => new Worker(URL.createObjectURL(new Blob([""]))) }

const doc = new Y.Doc()
const provider = new Provider(`${server}/docs`, docId, doc)
const type = doc.getText("monaco")

const editor = monaco.editor.create(place, { value: "", language: "plaintext", automaticLayout: true })
const binding = new MonacoBinding(type, editor.getModel()!, new Set([editor]), provider.awareness)

// Monaco's own undo knows nothing of what others have typed meanwhile.
const undoManager = new Y.UndoManager(type, { trackedOrigins: new Set([binding]) })
editor.addCommand(monaco.KeyMod.CtrlCmd | monaco.KeyCode.KeyZ, () => undoManager.undo())
editor.addCommand(monaco.KeyMod.CtrlCmd | monaco.KeyMod.Shift | monaco.KeyCode.KeyZ, () => undoManager.redo())

provider.on("sync", (synced) => synced && isSynced())

globalThis.doc = doc
globalThis.fill = () => editor.setValue("# Title\n\nlet x = 1 < 2\nend\n")
