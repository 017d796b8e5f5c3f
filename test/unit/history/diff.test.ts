import { describe, expect, it } from "vitest"
import * as Y from "yjs"
import { findRoots } from "../../../src/export/roots.ts"
import { blame, type Span } from "../../../src/history/blame.ts"
import { Copies } from "../../../src/history/copies.ts"
import { Before, type Change, diff } from "../../../src/history/diff.ts"
import { restore } from "../../../src/history/restore.ts"
import { runNow } from "../../../src/history/steps.ts"
import { below, seededRandom } from "../../kit/random.ts"
import { randomStory, Story } from "./story.ts"

/** The characters of a root, of the changes that are not of one kind. */
function read(list: readonly (Change | Span)[] | undefined, without?: string): string {
  const shown = (list ?? []).filter((one) => !("op" in one) || one.op !== without)
  return shown.map(({ text }) => text ?? "").join("")
}

/** The differences between two revisions of a story. */
function differ(story: Story, from: number, to = story.revision, budgetBytes = 1_000_000) {
  const options = {
    before: new Before(story.at(from)),
    authors: story.authors(),
    root: null,
    budgetBytes,
    stepItems: 9,
  }
  return runNow(diff(story.at(to), options))
}

/** A document of one text: edits by name, in turn. */
function tell(...edits: [name: string, edit: (text: Y.Text) => void][]): Story {
  const story = new Story(...new Set(edits.map(([name]) => name)))
  for (const [name, edit] of edits) {
    story.wait(3_600_000)
    story.edit(name, (doc) => edit(doc.getText("prose")))
  }
  return story
}

/** What changed in it since a revision, without the times. */
function since(story: Story, revision: number): unknown {
  const { prose } = differ(story, revision)
  return prose?.map(({ at: _, by, ...rest }) => (by == null ? rest : { ...rest, by: by.subject }))
}

describe("[H4] differences", () => {
  it("without what was inserted are the first state, without what was deleted the second", () => {
    const random = seededRandom("differences")
    for (let round = 0; round < 40; round++) {
      const story = randomStory(random, 60)
      const from = below(random, story.revision + 1)
      const to = from + below(random, story.revision + 1 - from)
      const found = differ(story, from, to)
      const spans = (revision: number, root: string) =>
        runNow(
          blame(story.at(revision), root, { authors: story.authors(), budgetBytes: 1_000_000, stepItems: 9 }),
        )
      for (const { name } of findRoots(story.at(to)))
        expect(read(found[name], "delete")).toBe(read(spans(to, name)))
      for (const { name } of findRoots(story.at(from)))
        expect(read(found[name], "insert")).toBe(read(spans(from, name)))
    }
  })

  it("say who inserted and who deleted, by id: what was typed again is both", () => {
    const story = tell(
      ["ann", (text) => text.insert(0, "Hello world")],
      ["bob", (text) => text.delete(6, 5)],
      ["cem", (text) => text.insert(6, "world")],
      ["bob", (text) => text.insert(0, "Oh: ")],
    )
    expect(since(story, 1)).toEqual([
      { op: "insert", text: "Oh: ", by: "bob" },
      { op: "equal", text: "Hello " },
      { op: "delete", text: "world", by: "bob" },
      { op: "insert", text: "world", by: "cem" },
    ])
  })

  it("say who set a format, who changed it and who took it away", () => {
    const story = tell(
      ["ann", (text) => text.insert(0, "plain bold more")],
      ["ann", (text) => text.format(6, 4, { bold: true })],
      ["bob", (text) => text.format(0, 5, { italic: true })],
      ["cem", (text) => text.format(6, 4, { bold: null })],
    )
    expect(since(story, 2)).toEqual([
      { op: "format", text: "plain", attributes: { italic: true }, by: "bob" },
      { op: "equal", text: " " },
      { op: "format", text: "bold", attributes: { bold: null }, by: "cem" },
      { op: "equal", text: " more" },
    ])
  })

  it("are told one by one where they are far apart in time, and as one where they are not", () => {
    const story = new Story("ann")
    for (const letter of "abc")
      story.edit("ann", (doc) => doc.getText("prose").insert(doc.getText("prose").length, letter))
    story.wait(3_600_000)
    story.edit("ann", (doc) => doc.getText("prose").insert(3, "d"))
    expect(differ(story, 0).prose?.map(({ text, at }) => [text, at])).toEqual([
      ["abc", "2026-01-01T00:00:01.000Z"],
      ["d", "2026-01-01T01:00:04.000Z"],
    ])
  })

  it("of maps, arrays and nodes say where", () => {
    const story = new Story("ann", "bob")
    story.edit("ann", (doc) => {
      doc.getMap("settings").set("title", "old")
      doc.getMap("settings").set("notes", new Y.Text("kept"))
      doc.getArray("items").push([1, 2, 3])
      const heading = new Y.XmlElement("heading")
      heading.setAttribute("level", "1")
      heading.insert(0, [new Y.XmlText("Title")])
      doc.getXmlFragment("page").insert(0, [heading])
    })
    story.edit("bob", (doc) => {
      doc.getMap("settings").set("title", "new")
      const notes = doc.getMap("settings").get("notes") as Y.Text
      notes.insert(4, "!")
      doc.getArray("items").delete(1, 1)
      doc.getArray("items").push([new Y.Map([["a", 1]])])
      const heading = doc.getXmlFragment("page").get(0) as Y.XmlElement
      heading.setAttribute("level", "2")
      const paragraph = new Y.XmlElement("paragraph")
      paragraph.insert(0, [new Y.XmlText("text")])
      doc.getXmlFragment("page").insert(1, [paragraph])
    })
    const told = (list: readonly Change[] = []) =>
      list.map(({ op, text, value, path }) => [op, text ?? value, path])
    const found = differ(story, 1)
    expect(told(found.items)).toEqual([
      ["equal", 1, [0]],
      ["delete", 2, [1]],
      ["equal", 3, [1]],
      ["insert", { type: "map" }, [2]],
      ["insert", 1, [2, "a"]],
    ])
    expect(told(found.page)).toEqual([
      ["equal", { type: "xml", nodeName: "heading" }, [0]],
      ["equal", { type: "text" }, [0, 0]],
      ["equal", "Title", [0, 0]],
      ["delete", "1", [0, "level"]],
      ["insert", "2", [0, "level"]],
      ["insert", { type: "xml", nodeName: "paragraph" }, [1]],
      ["insert", { type: "text" }, [1, 0]],
      ["insert", "text", [1, 0]],
    ])
    expect(told(found.settings)).toEqual([
      ["equal", "kept", ["notes"]],
      ["insert", "!", ["notes"]],
      ["delete", "old", ["title"]],
      ["insert", "new", ["title"]],
    ])
    for (const { op, by } of Object.values(found).flat())
      expect(by?.subject).toBe(op === "equal" ? undefined : "bob")
  })

  it("[B1] may become only so long", () => {
    const story = tell(["ann", (text) => text.insert(0, "a".repeat(1000))])
    expect(() => differ(story, 0, 1, 500)).toThrow(/500 bytes/)
  })
})

describe("[H4] blame", () => {
  it("of a text that people write by turns is the rule by which they write", () => {
    const random = seededRandom("blame by turns")
    const story = new Story("ann", "bob", "cem")
    const model: [letter: string, name: string][] = []
    for (let edit = 0; edit < 300; edit++) {
      const name = ["ann", "bob", "cem"][edit % 3]!
      story.edit(name, (doc) => {
        const text = doc.getText("prose")
        const at = below(random, text.length + 1)
        if (below(random, 4) === 0 && at < text.length) {
          text.delete(at, 1)
          model.splice(at, 1)
        } else {
          text.insert(at, String(edit % 10))
          model.splice(at, 0, [String(edit % 10), name])
        }
      })
    }
    const spans = runNow(
      blame(story.live, "prose", { authors: story.authors(), budgetBytes: 1_000_000, stepItems: 9 }),
    )
    const letters = spans.flatMap(({ text, by }) => [...text!].map((letter) => [letter, by!.subject]))
    expect(letters).toEqual(model)
  })

  it("of what was brought back names who wrote it and who brought it back", () => {
    const story = tell(["ann", (text) => text.insert(0, "Hello")], ["bob", (text) => text.delete(1, 4)])
    const { copies } = restore(story.live, story.at(1), { roots: null, copies: new Copies([]), most: 1e6 })
    const spans = runNow(
      blame(story.live, "prose", { authors: story.authors(copies), budgetBytes: 1_000_000, stepItems: 9 }),
    )
    expect(spans.map(({ text, by, restoredBy }) => [text, by?.subject, restoredBy?.subject])).toEqual([
      ["H", "ann", undefined],
      ["ello", "ann", "server"],
    ])
  })
})
