/**
 * A board of cards in a document.
 *
 *     columns   Y.Array of Y.Map {id, title}
 *     cards     Y.Map, by id: Y.Map {text: Y.Text, place: [column, position]}
 *     title     Y.Text
 *
 * Column and position are one value, so that a move is one operation: of two moves of one card at the same moment one wins,
 * whole, and no card is ever in two places or in none. A list would have to delete the card and insert a copy, and two
 * moves would make two cards. A position is a fraction written as a string, and there is always another one between two.
 */
import * as Y from "yjs"
import { mayUndo } from "./own-words.ts"
import { positionBetween } from "./position.ts"
import { seed } from "./seed.ts"

/** A column as it is shown, with its cards in order. */
export interface Column {
  readonly id: string
  readonly title: string
  readonly cards: readonly Card[]
}

/** A card as it is shown. */
export interface Card {
  readonly id: string
  readonly text: Y.Text
  /** Between its neighbours; "" where the document has none that can be read. */
  readonly position: string
}

/** What a board begins with. Nobody writes them before something is changed, and then everybody writes the same. */
const FIRST_COLUMNS = [
  ["todo", "To do"],
  ["doing", "Doing"],
  ["done", "Done"],
] as const

/** A longer position was not made here, and counts as none. */
const POSITION_CHARACTERS = 500

/** A board in a document: what it shows, the changes that can be made to it, and their undo. */
export class Cards {
  readonly doc: Y.Doc
  readonly title: Y.Text
  readonly undo: Y.UndoManager
  readonly #columns: Y.Array<unknown>
  readonly #cards: Y.Map<unknown>

  constructor(doc: Y.Doc) {
    this.doc = doc
    this.title = doc.getText("title")
    this.#columns = doc.getArray("columns")
    this.#cards = doc.getMap("cards")
    this.undo = new Y.UndoManager([this.#columns, this.#cards, this.title], {
      trackedOrigins: new Set([this]),
      deleteFilter: (item) => mayUndo(item, doc.clientID),
    })
  }

  /** The columns from left to right. A card whose column is gone is in the first one. */
  read(): readonly Column[] {
    const cards = new Map<string, Card[]>()
    const titles = this.#titles()
    const [first] = titles.keys()
    for (const [id, value] of this.#cards) {
      if (!(value instanceof Y.Map)) continue
      const text = value.get("text")
      if (!(text instanceof Y.Text)) continue
      const [column, position] = readPlace(value.get("place"))
      const home = titles.has(column) ? column : first!
      cards.set(home, [...(cards.get(home) ?? []), { id, text, position }])
    }
    return [...titles].map(([id, title]) => ({ id, title, cards: (cards.get(id) ?? []).sort(inOrder) }))
  }

  /** Put a card at the end of a column. @returns its id */
  add(column: string, words = ""): string {
    const id = crypto.randomUUID()
    this.#change(() => {
      const card = new Y.Map<unknown>()
      card.set("text", new Y.Text(words))
      card.set("place", [column, this.#position(column, Infinity, id)])
      this.#cards.set(id, card)
    })
    return id
  }

  /** Put a card before the `index`-th of the other cards of a column. One operation. */
  move(id: string, column: string, index: number): void {
    const card = this.#cards.get(id)
    // Somebody has deleted it meanwhile.
    if (!(card instanceof Y.Map)) return
    this.#change(() => card.set("place", [column, this.#position(column, index, id)]))
  }

  remove(id: string): void {
    this.#change(() => this.#cards.delete(id))
  }

  addColumn(title: string): void {
    this.#change(() => this.#columns.push([columnMap(crypto.randomUUID(), title)]))
  }

  renameColumn(id: string, title: string): void {
    this.#change(() => {
      for (const column of this.#maps()) if (column.get("id") === id) column.set("title", title)
    })
  }

  /** Take a column away. What others put into it at the same moment is then in the first one. */
  removeColumn(id: string): void {
    this.#change(() => {
      for (let index = this.#columns.length - 1; index >= 0; index--) {
        const column = this.#columns.get(index)
        if (column instanceof Y.Map && column.get("id") === id) this.#columns.delete(index)
      }
    })
  }

  /** One step to undo. */
  #change(change: () => void): void {
    this.undo.stopCapturing()
    if (this.#columns.length === 0) seed(this.doc, writeColumns)
    this.doc.transact(change, this)
  }

  #position(column: string, index: number, self: string): string {
    const others = this.read()
      .find(({ id }) => id === column)
      ?.cards.filter(({ id }) => id !== self)
    const positions = others?.map(({ position }) => position) ?? []
    const at = Math.max(0, Math.min(index, positions.length))
    return positionBetween(positions[at - 1] ?? "", positions[at])
  }

  #maps(): Y.Map<unknown>[] {
    return this.#columns.toArray().filter((value) => value instanceof Y.Map)
  }

  /** Titles by id, from left to right. */
  #titles(): Map<string, string> {
    const titles = new Map<string, string>()
    for (const column of this.#maps()) {
      const id = column.get("id")
      const title = column.get("title")
      // Of two columns with one id the first counts: somebody began the board twice, once offline.
      if (typeof id === "string" && !titles.has(id)) titles.set(id, typeof title === "string" ? title : "")
    }
    return titles.size > 0 ? titles : new Map(FIRST_COLUMNS)
  }
}

/** Write the columns a board begins with. */
export function writeColumns(doc: Y.Doc): void {
  doc.getArray("columns").push(FIRST_COLUMNS.map(([id, title]) => columnMap(id, title)))
}

function columnMap(id: string, title: string): Y.Map<unknown> {
  return new Y.Map<unknown>([
    ["id", id],
    ["title", title],
  ])
}

/** Others may have written anything. */
function readPlace(value: unknown): [column: string, position: string] {
  const [column, position] = Array.isArray(value) ? (value as unknown[]) : []
  const isPosition =
    typeof position === "string" && position.length <= POSITION_CHARACTERS && /^[0-9A-Za-z]+$/.test(position)
  return [typeof column === "string" ? column : "", isPosition ? position : ""]
}

function inOrder(a: Card, b: Card): number {
  if (a.position !== b.position) return a.position < b.position ? -1 : 1
  return a.id < b.id ? -1 : 1
}
