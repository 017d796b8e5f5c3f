import { describe, expect, it } from "vitest"
import * as Y from "yjs"
import { exportBudget } from "../../../src/export/budget.ts"
import { exportDocument } from "../../../src/export/formats.ts"
import { jsonWithin } from "../../../src/export/json.ts"
import { textWithin } from "../../../src/export/text.ts"
import { LIMITS } from "../../../src/limits.ts"
import { element, load, writeElements } from "./editors.ts"

const READABLE = ["json", "text", "markdown", "html"] as const
type Readable = (typeof READABLE)[number]

/** `keys` attributes over `runs` runs of one character: each run has all of them. */
function formatted(keys: number, runs: number): Y.Doc {
  const doc = new Y.Doc()
  const text = doc.getText("t")
  const attributes = Object.fromEntries(Array.from({ length: keys }, (_, key) => [`k${key}`, true]))
  text.insert(0, "a".repeat(runs), attributes)
  doc.transact(() => {
    for (let at = 0; at < runs; at += 2) text.format(at, 1, { b: true })
  })
  return load(doc)
}

/** Quotes in quotes around many paragraphs. */
function quoted(depth: number, paragraphs: number): Y.Doc {
  const lines = Array.from({ length: paragraphs }, () => element("paragraph", {}, "a"))
  let quote = element("blockquote", {}, ...lines)
  for (let level = 1; level < depth; level++) quote = element("blockquote", {}, quote)
  return writeElements(quote)
}

/** One long address under the link of every second character. */
function linked(addressLength: number, runs: number): Y.Doc {
  const doc = new Y.Doc()
  const text = doc.getText("t")
  const href = `https://example.com/${"a".repeat(addressLength)}`
  text.applyDelta([{ insert: "b".repeat(runs), attributes: { link: href } }])
  for (let at = 0; at < runs; at += 2) text.format(at, 1, { bold: true })
  return load(doc)
}

/** A table of few rows, one of which is wide. */
function wide(columns: number, rows: number): Y.Doc {
  const row = (cells: number) =>
    element("tableRow", {}, ...Array.from({ length: cells }, () => element("tableCell", {}, "")))
  return writeElements(element("table", {}, row(columns), ...Array.from({ length: rows }, () => row(1))))
}

function write(doc: Y.Doc, format: Readable): { length: number; code: unknown } {
  try {
    return { length: exportDocument(doc, format).length, code: null }
  } catch (error) {
    return { length: 0, code: Object(error).code }
  }
}

describe("[B1] an export stays within a bound of its document", () => {
  it.each<[string, Y.Doc, readonly Readable[]]>([
    ["400 attributes over 4,000 runs", formatted(400, 4_000), ["json", "markdown", "html"]],
    ["200 quotes around 4,000 paragraphs", quoted(200, 4_000), ["markdown"]],
    ["an address of 20 kB under 2,000 runs", linked(20_000, 2_000), ["json", "html"]],
    ["a table as wide as it is long", wide(3_000, 3_000), ["markdown"]],
  ])("%s", (_, doc, refused) => {
    const bound = exportBudget(Y.encodeStateAsUpdate(doc).byteLength)
    for (const format of READABLE) {
      const { length, code } = write(doc, format)
      expect([format, code]).toEqual([format, refused.includes(format) ? "too-large" : null])
      expect(length).toBeLessThanOrEqual(bound)
    }
  })

  it("but what honest people write has room, however it is formatted", () => {
    const paragraphs = Array.from({ length: 500 }, (_, index) => {
      const text = new Y.XmlText()
      text.applyDelta([
        { insert: '"a" & <b>', attributes: { bold: {}, italic: {} } },
        { insert: "x", attributes: { link: { href: "https://example.com/a" } } },
        { insert: `${index}`, attributes: { code: {}, underline: {}, strike: {} } },
      ])
      const paragraph = new Y.XmlElement("paragraph")
      paragraph.insert(0, [text])
      return paragraph
    })
    const booleans = new Y.Doc()
    booleans.getArray("flags").push(Array.from({ length: 500_000 }, (_, index) => index % 2 === 0))
    const marks = new Y.Doc()
    marks.getText("quotes").insert(0, '"'.repeat(500_000))
    marks.getText("quotes").format(0, 1, { bold: true })
    const deep = new Y.Doc()
    deep.getArray("deep").push(Array.from({ length: 20_000 }, (_, index) => [[[[[[index]]]]]]))
    for (const doc of [writeElements(...paragraphs), booleans, marks, deep]) {
      for (const format of READABLE) expect([format, write(doc, format).code]).toEqual([format, null])
    }
  })

  it("never above a ceiling, however large the document", () => {
    expect(exportBudget(0)).toBe(LIMITS.exportSpareBytes)
    expect(exportBudget(1_000_000)).toBe(LIMITS.exportSpareBytes + LIMITS.exportFactor * 1_000_000)
    expect(exportBudget(LIMITS.documentBytes)).toBe(LIMITS.exportBytes)
    expect(exportBudget(1_000, { exportFactor: 2, exportSpareBytes: 10, exportBytes: 500 })).toBe(500)
  })
})

describe("[A6] what an archive keeps beside the bytes", () => {
  it("is null where it outgrows its budget, and all of it where it does not", () => {
    const doc = load(
      (() => {
        const written = new Y.Doc()
        written.getText("t").insert(0, "hello world")
        written.getArray("a").push([1, "two"])
        return written
      })(),
    )
    expect(jsonWithin(doc, 1_000)).toEqual({ a: [1, "two"], t: "hello world" })
    expect(textWithin(doc, 1_000)).toBe("two\nhello world")
    expect(jsonWithin(doc, 20)).toBeNull()
    expect(textWithin(doc, 10)).toBeNull()
  })

  it("does not hide another failure", () => {
    const broken = new Y.Doc()
    Object.defineProperty(broken, "share", { value: null })
    expect(() => jsonWithin(broken, 1_000)).toThrow(TypeError)
  })
})

it("what JSON spends is about its length: escapes, keys, fractions and bytes", () => {
  const doc = new Y.Doc()
  doc.getMap("m").set("\u0001\u0002".repeat(50), "\u0001".repeat(1_000))
  doc.getArray("n").push(Array.from({ length: 100 }, (_, index) => index / 7))
  doc.getArray("b").push([new Uint8Array(999)])
  const length = exportDocument(doc, "json").length
  expect(jsonWithin(doc, Math.floor(length * 0.8))).toBeNull()
  expect(jsonWithin(doc, Math.ceil(length * 1.2))).not.toBeNull()
})
