import { describe, expect, it } from "vitest"
import * as Y from "yjs"
import { Copies, type Copy } from "../../../src/history/copies.ts"
import { restore as restoreRoots } from "../../../src/history/restore.ts"
import { below, seededRandom } from "../../kit/random.ts"
import { look, randomStory, Story } from "./story.ts"

/** A restore that knows of earlier ones by what they copied. */
function restore(
  live: Y.Doc,
  past: Y.Doc,
  { root, known = [] }: { root?: string; known?: readonly Copy[] } = {},
) {
  return restoreRoots(live, past, {
    roots: root === undefined ? null : [root],
    copies: new Copies(known),
    most: 10_000,
  })
}

describe("[H3] a restore", () => {
  it("brings a document of any shared types to any state it ever had, for everybody, and twice is once", () => {
    const random = seededRandom("restore")
    for (let round = 0; round < 60; round++) {
      const story = randomStory(random, 60)
      const revision = below(random, story.revision + 1)
      const past = story.at(revision)
      const { copies } = restore(story.live, past)
      expect(look(story.live)).toEqual(look(past))
      for (const doc of story.people.values()) expect(look(doc)).toEqual(look(past))
      const state = Y.encodeStateAsUpdate(story.live)
      expect(restore(story.live, past, { known: copies })).toEqual({ copies: [], inserted: 0, deleted: 0 })
      expect(Y.encodeStateAsUpdate(story.live)).toEqual(state)
    }
  })

  it("goes to and fro between states with what it knows of earlier ones", () => {
    const random = seededRandom("restore to and fro")
    for (let round = 0; round < 20; round++) {
      const story = randomStory(random, 40)
      const made: Copy[] = []
      for (let go = 0; go < 6; go++) {
        const past = story.at(below(random, story.revision + 1))
        const { copies } = restore(story.live, past, { known: made })
        made.push(...copies)
        expect(look(story.live)).toEqual(look(past))
      }
    }
  })

  it("keeps the ids of what did not change, and says of what comes back what it was", () => {
    const story = new Story("ann", "bob")
    story.edit("ann", (doc) => doc.getText("prose").insert(0, "Hello brave world"))
    const past = story.at()
    const caret = Y.createRelativePositionFromTypeIndex(story.people.get("ann")!.getText("prose"), 12)
    story.edit("bob", (doc) => doc.getText("prose").delete(6, 6))
    story.edit("bob", (doc) => doc.getText("prose").insert(0, "Oh: "))
    const { copies, inserted, deleted } = restore(story.live, past)
    expect({ inserted, deleted }).toEqual({ inserted: 6, deleted: 4 })
    expect(copies).toEqual([{ client: 1, clock: 0, length: 6, sourceClient: 100, sourceClock: 6 }])
    const ann = story.people.get("ann")!
    expect(ann.getText("prose").toString()).toBe("Hello brave world")
    expect(Y.createAbsolutePositionFromRelativePosition(caret, ann)?.index).toBe(12)
  })

  it("of one root leaves the others alone", () => {
    const story = new Story("ann")
    story.edit("ann", (doc) => doc.getText("prose").insert(0, "a"))
    const past = story.at()
    story.edit("ann", (doc) => doc.getText("prose").insert(1, "b"))
    story.edit("ann", (doc) => doc.getMap("settings").set("a", 1))
    restore(story.live, past, { root: "prose" })
    expect(look(story.live)).toMatchObject({ prose: [{ insert: "a" }], settings: { a: 1 } })
  })

  it("is one change that the person who asked for it can undo", () => {
    const story = new Story("ann")
    story.edit("ann", (doc) => doc.getText("prose").insert(0, "Hello"))
    const past = story.at()
    story.edit("ann", (doc) => doc.getText("prose").delete(0, 5))
    const undo = new Y.UndoManager(story.live.getText("prose"), { trackedOrigins: new Set(["restore"]) })
    story.live.transact(() => restore(story.live, past), "restore")
    expect(story.live.getText("prose").toString()).toBe("Hello")
    undo.undo()
    expect(story.live.getText("prose").toString()).toBe("")
  })

  it("mends a character of which one half was deleted", () => {
    const doc = new Y.Doc()
    doc.getText("prose").insert(0, "a🏔b")
    const past = new Y.Doc({ gc: false })
    Y.applyUpdate(past, Y.encodeStateAsUpdate(doc))
    doc.getText("prose").delete(2, 1)
    restore(doc, past)
    expect(doc.getText("prose").toString()).toBe("a🏔b")
  })

  it("neither looks into a subdocument nor takes it for another", () => {
    const doc = new Y.Doc()
    doc.getMap("settings").set("a", new Y.Doc({ guid: "one" }))
    const past = new Y.Doc({ gc: false })
    Y.applyUpdate(past, Y.encodeStateAsUpdate(doc))
    doc.getMap("settings").set("a", new Y.Doc({ guid: "two" }))
    restore(doc, past)
    expect((doc.getMap("settings").get("a") as Y.Doc).guid).toBe("one")
  })

  it("does not mind that the program reads the roots, nor where in them it was", () => {
    const story = new Story("ann")
    story.edit("ann", (doc) =>
      doc.getArray("items").insert(
        0,
        Array.from({ length: 100 }, (_, index) => index),
      ),
    )
    const past = story.at()
    const items = story.live.getArray("items")
    items.get(90)
    story.edit("ann", (doc) => doc.getArray("items").delete(10, 50))
    items.get(40)
    restore(story.live, past)
    expect(items.get(40)).toBe(40)
    expect(items.get(90)).toBe(90)
    items.insert(41, ["x"])
    expect(items.get(41)).toBe("x")
  })
})
