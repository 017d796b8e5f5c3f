/** Words on the pages: fields bound to a document's text, and what a document calls itself. */
import { expect, it } from "vitest"
import * as Y from "yjs"
import { firstBlock, firstLine, firstText } from "../../../demo/first-line.ts"
import { readable } from "../../../demo/reason.ts"
import { spliceBetween } from "../../../demo/text-field.ts"

it.each([
  ["", "a"],
  ["bread", "bread and salt"],
  ["aaa", "aa"],
  ["bread", "salt"],
  ["one two", "one and two"],
  ["x😀y", "x😁y"],
  ["😀", "😀😀"],
  // Both begin with the same half, and both of these end with the same one.
  ["a😀", "a😀\u{1f601}"],
  ["\u{1f600}b", "\u{1fa00}b"],
])("finds the one change between %j and %j, and never halves a letter", (from, to) => {
  const { at, remove, insert } = spliceBetween(from, to)!
  expect(from.slice(0, at) + insert + from.slice(at + remove)).toBe(to)
  const isWhole = (text: string) => text.isWellFormed()
  expect(
    [from.slice(0, at), from.slice(at, at + remove), insert, from.slice(at + remove)].every(isWhole),
  ).toBe(true)
  const text = new Y.Doc().getText()
  text.insert(0, from)
  text.delete(at, remove)
  text.insert(at, insert)
  expect(text.toString()).toBe(to)
})

it("finds no change where there is none", () => {
  expect(spliceBetween("same", "same")).toBeNull()
})

it.each([
  ["", ""],
  ["\n\n  \n# Notes for *Thursday*\n", "Notes for *Thursday*"],
  ["> - قائمة", "قائمة"],
  ["###\nplain", "plain"],
])("calls the text %j by its first line with words", (text, name) => {
  expect(firstLine(text)).toBe(name)
})

it("calls a rich text by its first block with words, whatever is nested in it", () => {
  const root = new Y.Doc().get("root", Y.XmlText)
  const block = (part?: string | Y.XmlText, other?: Y.XmlText): Y.XmlText => {
    const text = new Y.XmlText()
    if (other !== undefined) text.insertEmbed(0, other)
    if (typeof part === "string") text.insert(0, part)
    else if (part !== undefined) text.insertEmbed(0, part)
    return text
  }
  root.insertEmbed(0, block())
  root.insertEmbed(1, block(block("dumplings, "), block("steamed")))
  root.insertEmbed(2, block("tea"))
  expect(firstBlock(root)).toBe("dumplings, steamed")
})

it("calls a text of ProseMirror's kin by its first words, however deep its blocks are", () => {
  const fragment = new Y.Doc().getXmlFragment("document-store")
  const group = new Y.XmlElement("blockGroup")
  fragment.insert(0, [group])
  for (const words of ["", "  Minutes of Thursday ", "bread"]) {
    const [container, paragraph] = [new Y.XmlElement("blockContainer"), new Y.XmlElement("paragraph")]
    paragraph.insert(0, [new Y.XmlText(words)])
    container.insert(0, [paragraph])
    group.insert(group.length, [container])
  }
  expect(firstText(fragment)).toBe("Minutes of Thursday")
  expect(firstText(new Y.Doc().getXmlFragment("default"))).toBe("")
})

it("says in megabytes that a paste was too large, and leaves other reasons as they are", () => {
  expect(readable("Frame of 28800036 bytes; at most 27262976")).toBe(
    "28.8 MB at once are too much; at most 27.3 MB are taken.",
  )
  expect(readable("This document is read only")).toBe("This document is read only")
})
