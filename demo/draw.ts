/** A whiteboard for everyone who opens it. Strokes reach the others while they are drawn. */
import * as Y from "yjs"
import { indexedDb } from "../src/client/offline.ts"
import { Provider } from "../src/client/provider.ts"
import { Board } from "./board.ts"
import source from "./draw.ts?raw"
import { showMaking } from "./draw-history.ts"
import { followPointer } from "./draw-input.ts"
import { showPointers } from "./draw-pointers.ts"
import { Selection } from "./draw-select.ts"
import { inkOnScreen, showTools } from "./draw-tools.ts"
import { yurt } from "./draw-yurt.ts"
import { find } from "./element.ts"
import { firstLine } from "./first-line.ts"
import { showHeader } from "./header.ts"
import { greet } from "./hello.ts"
import { page, roomsUrl } from "./page.ts"
import { watchRights } from "./rights.ts"
import { showSource } from "./source-button.ts"
import { Drawing, writeStroke } from "./strokes.ts"
import { ThingsLayer } from "./things-layer.ts"

const doc = new Y.Doc()
const provider = new Provider(roomsUrl(), page.docId, doc, { token: page.token, offline: indexedDb })
const drawing = new Drawing(doc)
const board = new Board(find("board"), drawing, inkOnScreen)

const tools = showTools(find("tools"), { doc, drawing, board })
const layer = new ThingsLayer(board, drawing, inkOnScreen)
const selection = new Selection(board, { drawing, tools, layer })
followPointer(board, { drawing, tools, selection })
showPointers(board, provider.awareness)
showHeader(provider, {
  title: "Drawing",
  name: () =>
    drawing.things.list.map(({ look }) => firstLine(look.words)).find((words) => words !== "") ?? "",
})
if (!page.mini) showMaking(provider, board)
showSource("draw.ts", source)
greet(provider, (hello) => {
  for (const stroke of yurt()) writeStroke(hello.getArray("strokes"), stroke)
})

const count = (number: number, what: string): string => `${number} ${what}${number === 1 ? "" : "s"}`
const describe = (): void => {
  const things = drawing.things.list.length
  const also = things === 0 ? "" : `, ${count(things, "thing")}`
  board.element.ariaLabel = `The drawing: ${count(drawing.sketches.length, "stroke")}${also}`
}
drawing.onChange(describe)
drawing.things.onChange(describe)

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
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  board.repaint()
  layer.show()
})
watchRights(provider, (readOnly) => tools.lock(readOnly))
