/** The board the start page begins with. */
import * as Y from "yjs"
import { writeColumns } from "./kanban-cards.ts"

const CARDS = [
  ["Ask Ana about the map", "todo", "I"],
  ["Order bread", "todo", "R"],
  ["Find eight chairs", "doing", "I"],
  ["Pick a date: Friday", "done", "I"],
] as const

/** Write it into an empty document. */
export function writeSupper(doc: Y.Doc): void {
  doc.getText("title").insert(0, "Supper on Friday")
  writeColumns(doc)
  for (const [index, [words, column, position]] of CARDS.entries()) {
    const card = new Y.Map<unknown>()
    card.set("text", new Y.Text(words))
    card.set("place", [column, position])
    doc.getMap("cards").set(`supper-${index}`, card)
  }
}
