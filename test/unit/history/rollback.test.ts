import { describe, expect, it } from "vitest"
import * as Y from "yjs"
import { Copies, type Copy } from "../../../src/history/copies.ts"
import { rollback } from "../../../src/history/rollback.ts"
import { below, seededRandom } from "../../kit/random.ts"
import { change, look, randomStory, Story } from "./story.ts"

/** Take back what someone did between two revisions of a story, as the server would. */
function takeBack(
  story: Story,
  name: string,
  {
    copies = [],
    first = 0,
    last = story.revision,
  }: { copies?: readonly Copy[]; first?: number; last?: number } = {},
) {
  return rollback(story.live, story.at(), {
    attribution: story.attribution(),
    isMeant: (mark) =>
      mark !== null && mark.origin.subject === name && mark.revision > first && mark.revision <= last,
    copies: new Copies(copies),
    roots: null,
    most: 10_000,
  })
}

describe("[H3] a rollback", () => {
  it("of somebody whom the others never saw is a replay without them, and twice is once", () => {
    const random = seededRandom("rollback")
    for (let round = 0; round < 60; round++) {
      const others = new Story("bob", "cem")
      const beginning = 5 + below(random, 20)
      for (let edit = 0; edit < beginning; edit++)
        others.edit(below(random, 2) === 0 ? "bob" : "cem", (doc) => change(random, doc, { formats: false }))
      // Mallory begins from what is there, and is offline from then on; bob and cem go on.
      const mallory = new Y.Doc()
      mallory.clientID = [50, 150, 999][below(random, 3)]!
      Y.applyUpdate(mallory, Y.encodeStateAsUpdate(others.live))
      const start = others.revision
      for (let edit = 0; edit < 30; edit++)
        mallory.transact(() => change(random, mallory, { formats: false }))
      for (let edit = 0; edit < 30; edit++)
        others.edit(below(random, 2) === 0 ? "bob" : "cem", (doc) => change(random, doc, { formats: false }))
      const without = look(others.live)
      const theirs = Y.encodeStateAsUpdate(mallory, Y.encodeStateVector(others.at(start)))
      Y.applyUpdate(others.live, theirs, "mallory")
      const last = others.revision
      const { copies } = takeBack(others, "mallory")
      expect(look(others.live)).toEqual(without)
      expect(takeBack(others, "mallory", { copies, last })).toMatchObject({
        copies: [],
        inserted: 0,
        deleted: 0,
      })
      expect(look(others.live)).toEqual(without)
    }
  })

  it("of everything that somebody did alone since then is the state from then", () => {
    const random = seededRandom("rollback of all since")
    for (let round = 0; round < 40; round++) {
      const story = randomStory(random, 30)
      const then = look(story.live)
      const first = story.revision
      for (let edit = 0; edit < 30; edit++) story.edit("ann", (doc) => change(random, doc))
      const last = story.revision
      const { copies } = takeBack(story, "ann", { first })
      expect(look(story.live)).toEqual(then)
      expect(takeBack(story, "ann", { copies, first, last })).toMatchObject({
        copies: [],
        inserted: 0,
        deleted: 0,
      })
    }
  })

  it("takes nothing that others wrote, wherever it stands", () => {
    const random = seededRandom("rollback among others")
    for (let round = 0; round < 40; round++) {
      const story = randomStory(random, 60)
      const standing = (doc: Y.Doc) => {
        const ids = new Set<string>()
        for (const structs of doc.store.clients.values())
          for (const struct of structs)
            if (struct instanceof Y.Item && !struct.deleted && struct.countable)
              for (let at = 0; at < struct.length; at++)
                ids.add(`${struct.id.client} ${struct.id.clock + at}`)
        return ids
      }
      const before = standing(story.live)
      const last = story.revision
      const { copies } = takeBack(story, "ann")
      const after = standing(story.live)
      const authors = story.attribution()
      for (const id of before) {
        const [client, clock] = id.split(" ").map(Number) as [number, number]
        if (authors.insertOf(client, clock).mark?.origin.subject !== "ann") expect(after.has(id)).toBe(true)
      }
      const state = Y.encodeStateAsUpdate(story.live)
      takeBack(story, "ann", { copies, last })
      expect(Y.encodeStateAsUpdate(story.live)).toEqual(state)
    }
  })

  it("leaves others' words in a sentence, and puts back what was cut out of theirs", () => {
    const story = new Story("ann", "bob")
    story.edit("ann", (doc) => doc.getText("prose").insert(0, "Hello brave world"))
    story.edit("bob", (doc) => doc.getText("prose").delete(5, 6))
    story.edit("bob", (doc) => doc.getText("prose").insert(0, "Oh no: "))
    story.edit("ann", (doc) => doc.getText("prose").insert(3, "my "))
    expect(takeBack(story, "bob")).toMatchObject({ inserted: 6, deleted: 7, unresolved: [] })
    expect(story.live.getText("prose").toString()).toBe("my Hello brave world")
  })

  it("brings back the value before under a key, unless somebody has set a newer one or taken it away", () => {
    const story = new Story("ann", "bob")
    story.edit("ann", (doc) => {
      for (const key of ["a", "b", "c", "d"]) doc.getMap("settings").set(key, "ann")
    })
    story.edit("bob", (doc) => {
      for (const key of ["a", "b", "c", "new"]) doc.getMap("settings").set(key, "bob")
      doc.getMap("settings").set("a", "bob again")
      doc.getMap("settings").delete("d")
    })
    story.edit("ann", (doc) => {
      doc.getMap("settings").set("b", "ann again")
      doc.getMap("settings").delete("c")
    })
    takeBack(story, "bob")
    expect(story.live.getMap("settings").toJSON()).toEqual({ a: "ann", b: "ann again", d: "ann" })
  })

  it("takes a format away, and gives back the one that was there", () => {
    const story = new Story("ann", "bob")
    story.edit("ann", (doc) => doc.getText("prose").insert(0, "one", { bold: true }))
    story.edit("ann", (doc) => doc.getText("prose").insert(3, " two", { bold: null }))
    story.edit("bob", (doc) => doc.getText("prose").format(0, 3, { bold: null }))
    story.edit("bob", (doc) => doc.getText("prose").format(4, 3, { italic: true }))
    takeBack(story, "bob")
    expect(story.live.getText("prose").toDelta()).toEqual([
      { insert: "one", attributes: { bold: true } },
      { insert: " two" },
    ])
  })

  it("leaves a paragraph in which others' words stand, and says so", () => {
    const story = new Story("ann", "bob")
    const paragraph = (text: string) => {
      const element = new Y.XmlElement("paragraph")
      element.insert(0, [new Y.XmlText(text)])
      return element
    }
    story.edit("bob", (doc) =>
      doc.getXmlFragment("page").insert(0, [paragraph("bob's"), paragraph("bob's too")]),
    )
    story.edit("ann", (doc) => {
      const text = (doc.getXmlFragment("page").get(1) as Y.XmlElement).get(0) as Y.XmlText
      text.insert(3, " and ann")
    })
    const last = story.revision
    const { unresolved, copies } = takeBack(story, "bob")
    expect(story.live.getXmlFragment("page").toString()).toBe("<paragraph> and ann</paragraph>")
    expect(unresolved).toEqual([
      { root: "page", path: [1], reason: "others have written in it" },
      { root: "page", path: [1, 0], reason: "others have written in it" },
    ])
    expect(takeBack(story, "bob", { copies, last })).toMatchObject({ inserted: 0, deleted: 0 })
  })

  it("brings back a paragraph with what was in it when it went, and not what others had taken out before", () => {
    const story = new Story("ann", "bob")
    story.edit("ann", (doc) => {
      const element = new Y.XmlElement("paragraph")
      element.insert(0, [new Y.XmlText("one two three")])
      element.setAttribute("align", "left")
      doc.getXmlFragment("page").insert(0, [element])
    })
    story.edit("ann", (doc) => {
      const text = (doc.getXmlFragment("page").get(0) as Y.XmlElement).get(0) as Y.XmlText
      text.delete(3, 4)
    })
    story.edit("bob", (doc) => doc.getXmlFragment("page").delete(0, 1))
    takeBack(story, "bob")
    expect(story.live.getXmlFragment("page").toString()).toBe('<paragraph align="left">one three</paragraph>')
  })
})
