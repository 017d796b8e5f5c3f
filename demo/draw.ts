/** A whiteboard for everyone who opens it. Strokes reach the others while they are drawn. */
import * as Y from "yjs"
import { indexedDb } from "../src/client/offline.ts"
import { Provider } from "../src/client/provider.ts"
import { Board } from "./board.ts"
import source from "./draw.ts?raw"
import { followPointer } from "./draw-input.ts"
import { showPointers } from "./draw-pointers.ts"
import { inkOnScreen, showTools } from "./draw-tools.ts"
import { yurt } from "./draw-yurt.ts"
import { find } from "./element.ts"
import { showHeader } from "./header.ts"
import { greet } from "./hello.ts"
import { page, roomsUrl } from "./page.ts"
import { watchRights } from "./rights.ts"
import { showSource } from "./source-button.ts"
import { Drawing, writeStroke } from "./strokes.ts"

const doc = new Y.Doc()
const provider = new Provider(roomsUrl(), page.docId, doc, { token: page.token, offline: indexedDb })
const drawing = new Drawing(doc)
const board = new Board(find("board"), drawing, inkOnScreen)

const tools = showTools(find("tools"), { doc, drawing, board })
followPointer(board, drawing, tools)
showPointers(board, provider.awareness)
showHeader(provider, { title: "Drawing" })
showSource("draw.ts", source)
greet(provider, (hello) => {
  for (const stroke of yurt()) writeStroke(hello.getArray("strokes"), stroke)
})

drawing.onChange(() => {
  const number = drawing.sketches.length
  board.element.ariaLabel = `The drawing: ${number === 1 ? "1 stroke" : `${number} strokes`}`
})

// The visitor sees all of the drawing at once, as soon as it has come. Who has begun to draw by then keeps the view:
// a board that moves under a pen bends the line.
let hasBegun = false
board.element.addEventListener("pointerdown", () => {
  hasBegun = true
})
provider.once("sync", () => {
  board.settle()
  if (!hasBegun) board.fit()
})
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => board.repaint())
watchRights(provider, (readOnly) => tools.lock(readOnly))
