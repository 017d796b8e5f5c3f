/** A board of cards for everyone who opens it. What a move is, and why it merges, is in kanban-cards.ts. */
import * as Y from "yjs"
import { indexedDb } from "../src/client/offline.ts"
import { Provider } from "../src/client/provider.ts"
import { el, find, icon } from "./element.ts"
import { showHeader } from "./header.ts"
import { greet } from "./hello.ts"
import { Cards } from "./kanban-cards.ts"
import source from "./kanban-cards.ts?raw"
import { writeSupper } from "./kanban-supper.ts"
import { CardBoard } from "./kanban-view.ts"
import { page, roomsUrl } from "./page.ts"
import { watchRights } from "./rights.ts"
import { showSource } from "./source-button.ts"
import { bindField } from "./text-field.ts"

const doc = new Y.Doc()
const provider = new Provider(roomsUrl(), page.docId, doc, { token: page.token, offline: indexedDb })
const cards = new Cards(doc)
const board = new CardBoard(find("columns"), cards, provider.awareness)

bindField(find<HTMLInputElement>("title"), cards.title, cards)

const undo = el("button", { type: "button", title: "Undo (Ctrl Z)", "aria-label": "Undo" })
undo.append(icon("M9 8H15a5 5 0 0 1 0 10H8", "M9 8l4-4M9 8l4 4"))
undo.addEventListener("click", () => cards.undo.undo())
const redo = el("button", { type: "button", title: "Redo (Ctrl Shift Z)", "aria-label": "Redo" })
redo.append(icon("M15 8H9a5 5 0 0 0 0 10h7", "M15 8l-4-4M15 8l-4 4"))
redo.addEventListener("click", () => cards.undo.redo())
find("undo").append(undo, redo)
const showUndo = (): void => {
  undo.disabled = !cards.undo.canUndo()
  redo.disabled = !cards.undo.canRedo()
}
for (const event of ["stack-item-added", "stack-item-popped", "stack-cleared"] as const)
  cards.undo.on(event, showUndo)
showUndo()
addEventListener("keydown", (event) => {
  if (!(event.ctrlKey || event.metaKey) || !/^[zy]$/i.test(event.key)) return
  event.preventDefault()
  if (event.shiftKey || event.key.toLowerCase() === "y") cards.undo.redo()
  else cards.undo.undo()
})

showHeader(provider, { title: "Cards", name: () => cards.title.toString() })
showSource("kanban-cards.ts", source)
greet(provider, writeSupper)
watchRights(provider, (readOnly) => {
  for (const id of ["head", "columns"]) find<HTMLFieldSetElement>(id).disabled = readOnly
  board.lock(readOnly)
})
