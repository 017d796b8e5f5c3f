/** The board of cards: what moves are, and what becomes of two at once. */
import { describe, expect, it } from "vitest"
import * as Y from "yjs"
import { Cards } from "../../../demo/kanban-cards.ts"
import { positionBetween } from "../../../demo/position.ts"

/** Two people with the same board; `meet` brings both to the same state. */
function twoPeople(...words: string[]) {
  const [ana, bo] = [new Cards(new Y.Doc()), new Cards(new Y.Doc())]
  const meet = (): void => {
    Y.applyUpdate(bo.doc, Y.encodeStateAsUpdate(ana.doc))
    Y.applyUpdate(ana.doc, Y.encodeStateAsUpdate(bo.doc))
  }
  const ids = words.map((word) => ana.add("todo", word))
  meet()
  return { ana, bo, meet, ids }
}

/** "To do: a b | Doing: | Done: c" */
function shown(cards: Cards): string {
  return cards
    .read()
    .map(({ title, cards }) => `${title}: ${cards.map(({ text }) => text.toString()).join(" ")}`.trim())
    .join(" | ")
}

describe("a card", () => {
  it("moves by one operation", () => {
    const { ana, ids } = twoPeople("a", "b", "c")
    const updates: Uint8Array[] = []
    ana.doc.on("update", (update: Uint8Array) => updates.push(update))
    ana.move(ids[0]!, "doing", 0)
    const { structs, ds } = Y.decodeUpdate(updates[0]!)
    expect([updates.length, structs.length]).toEqual([1, 1])
    // The place it had is all that goes.
    expect([...ds.clients.values()].flat().map(({ len }) => len)).toEqual([1])
    expect(shown(ana)).toBe("To do: b c | Doing: a | Done:")
  })

  it("is in one place, whole, when two people move it at once", () => {
    const { ana, bo, meet, ids } = twoPeople("a", "b", "c")
    ana.move(ids[0]!, "doing", 0)
    bo.move(ids[0]!, "done", 0)
    meet()
    expect(shown(ana)).toBe(shown(bo))
    expect(["To do: b c | Doing: a | Done:", "To do: b c | Doing: | Done: a"]).toContain(shown(ana))
  })

  it("keeps what others write in it while it is moved", () => {
    const { ana, bo, meet, ids } = twoPeople("bread")
    ana.move(ids[0]!, "done", 0)
    bo.read()[0]!.cards[0]!.text.insert(5, ", salt")
    meet()
    expect([shown(ana), shown(bo)]).toEqual(Array(2).fill("To do: | Doing: | Done: bread, salt"))
  })

  it("goes where it is put between others, however often, and others keep their order", () => {
    const { ana, ids } = twoPeople("a", "b", "c", "d")
    for (let round = 0; round < 300; round++) {
      ana.move(ids[round % 4]!, "todo", 1)
      const words = ana.read()[0]!.cards.map(({ text }) => text.toString())
      expect(words[1]).toBe("abcd"[round % 4])
    }
    expect(new Set(ana.read()[0]!.cards.map(({ position }) => position)).size).toBe(4)
  })

  it("is in the first column when somebody takes its column away at the same moment", () => {
    const { ana, bo, meet, ids } = twoPeople("a")
    ana.move(ids[0]!, "done", 0)
    bo.removeColumn("done")
    meet()
    expect([shown(ana), shown(bo)]).toEqual(Array(2).fill("To do: a | Doing:"))
  })

  it("comes back by undo of its author alone, and stays while others' words are in it", () => {
    const { ana, bo, meet, ids } = twoPeople("a")
    bo.move(ids[0]!, "done", 0)
    meet()
    ana.undo.undo()
    expect(shown(ana)).toBe("To do: | Doing: | Done:")
    ana.undo.redo()
    const theirs = bo.add("doing", "mine: ")
    meet()
    const text = ana.read()[1]!.cards.find(({ id }) => id === theirs)!.text
    text.insert(text.length, "ANA")
    meet()
    bo.undo.undo()
    meet()
    expect(ana.read()[1]!.cards.map(({ text }) => text.toString())).toEqual(["ANA"])
  })
})

describe("a board", () => {
  it("has the same three columns whoever begins it, and begins once", () => {
    const [ana, bo] = [new Cards(new Y.Doc()), new Cards(new Y.Doc())]
    expect(shown(ana)).toBe("To do: | Doing: | Done:")
    ana.add("todo", "a")
    bo.renameColumn("todo", "Soon")
    Y.applyUpdate(bo.doc, Y.encodeStateAsUpdate(ana.doc))
    Y.applyUpdate(ana.doc, Y.encodeStateAsUpdate(bo.doc))
    expect([shown(ana), shown(bo)]).toEqual(Array(2).fill("Soon: a | Doing: | Done:"))
  })

  it("shows what it can of a document that anything was written into", () => {
    const doc = new Y.Doc()
    const cards = new Cards(doc)
    const id = cards.add("todo", "good")
    doc.getArray("columns").push(["no map", new Y.Map([["id", 7]]), new Y.Map([["id", "todo"]])])
    const map = doc.getMap("cards")
    map.set("number", 3)
    map.set("no text", new Y.Map([["place", ["todo", "a"]]]))
    for (const [key, place] of Object.entries({
      a: "nowhere",
      b: [1, 2],
      c: ["todo", "é"],
      d: ["x".repeat(9)],
    })) {
      const card = new Y.Map<unknown>([["place", place]])
      card.set("text", new Y.Text(key))
      map.set(key, card)
    }
    expect(shown(cards)).toBe("To do: a b c d good | Doing: | Done:")
    cards.move(id, "todo", 0)
    expect(cards.read()[0]!.cards).toHaveLength(5)
  })
})

it("finds a position between any two", () => {
  let [low, high] = ["", positionBetween("")]
  for (let round = 0; round < 200; round++) {
    const middle = positionBetween(low, high)
    expect(low < middle && middle < high).toBe(true)
    if (round % 3 === 0) low = middle
    else high = middle
  }
  let last = ""
  for (let count = 0; count < 1000; count++) {
    const next = positionBetween(last)
    expect(next > last).toBe(true)
    last = next
  }
  // A list that grows at its end has positions that stay short.
  expect(last.length).toBeLessThan(120)
})
