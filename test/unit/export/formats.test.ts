import { describe, expect, it } from "vitest"
import * as Y from "yjs"
import { entityTag, matchesEntityTag, matchesIfMatch } from "../../../src/export/entity-tags.ts"
import { chooseFormat, exportDocument, FORMATS, type Format } from "../../../src/export/formats.ts"

const choose = (
  request: { name?: string; accept?: string },
  formats: Readonly<Record<string, Format>> = FORMATS,
) => chooseFormat({ name: request.name ?? null, accept: request.accept ?? null }, formats).name

describe("a format", () => {
  it.each([
    ["", "update"],
    ["*/*", "update"],
    ["application/json", "json"],
    ["APPLICATION/JSON", "json"],
    ["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "html"],
    ["text/*", "text"],
    ["text/*;q=0.5, text/markdown", "markdown"],
    ["text/plain;q=0.2, text/html;q=0.9", "html"],
    ["application/octet-stream;q=0, */*;q=0.1", "json"],
    ["image/png, */*;q=0.01", "update"],
    ["nonsense, application/json", "json"],
    ["application/json;charset=utf-8;q=1.0", "json"],
    // What axios sends unless it is told otherwise.
    ["application/json, text/plain, */*", "json"],
    ["*/*, text/*, text/html", "html"],
    ["*/*, text/html;q=0.9", "update"],
  ])("Accept: %s gives %s", (accept, format) => expect(choose({ accept })).toBe(format))

  it("by name wins over Accept", () => {
    expect(choose({ name: "state-vector", accept: "text/html" })).toBe("state-vector")
  })

  it("that is unknown is told the known ones", () => {
    expect(() => choose({ name: "pdf" })).toThrow(
      'Unknown format "pdf"; known: update, state-vector, json, text, markdown, html.',
    )
    expect(() => choose({ name: "toString" })).toThrow(expect.objectContaining({ code: "bad-request" }))
  })

  it.each(["image/png", "*/*;q=0", "text/html;q=0", "text/html;q=7"])(
    "Accept: %s leaves nothing",
    (accept) => {
      expect(() => choose({ accept })).toThrow(expect.objectContaining({ code: "not-acceptable" }))
    },
  )

  it("of a room's own is chosen by name and by Accept, and is listed", () => {
    const svg: Format = { mediaType: "image/svg+xml", write: () => "<svg/>" }
    const formats = { ...FORMATS, svg }
    expect(choose({ name: "svg" }, formats)).toBe("svg")
    expect(choose({ accept: "image/*" }, formats)).toBe("svg")
    expect(chooseFormat({ name: "svg", accept: null }, formats).format).toBe(svg)
    expect(() => choose({ name: "pdf" }, formats)).toThrow(
      "known: update, state-vector, json, text, markdown, html, svg.",
    )
    expect(choose({}, { svg })).toBe("svg")
  })

  it("of bytes is the whole document's: a root of it is a bad request", () => {
    const doc = new Y.Doc()
    doc.getText("").insert(0, "hello")
    expect(exportDocument(doc, "update")).toEqual(Y.encodeStateAsUpdate(doc))
    expect(exportDocument(doc, "state-vector")).toEqual(Y.encodeStateVector(doc))
    for (const name of ["update", "state-vector"] as const)
      expect(() => exportDocument(doc, name, { root: "" })).toThrow(
        expect.objectContaining({ code: "bad-request" }),
      )
  })

  it("shows a root whose name is empty", () => {
    const doc = new Y.Doc()
    doc.getText("").insert(0, "hello")
    doc.getText("b").insert(0, "other")
    expect(exportDocument(doc, "json", { root: "" })).toBe('"hello"')
    expect(exportDocument(doc, "json")).toBe('{"":"hello","b":"other"}')
    expect(exportDocument(doc, "text", { root: "" })).toBe("hello")
    expect(exportDocument(doc, "markdown", { root: "" })).toBe("hello")
    expect(exportDocument(doc, "html", { root: "" })).toContain("hello")
    expect(exportDocument(doc, "html", { root: "" })).not.toContain("other")
  })
})

describe("an entity tag", () => {
  const tag = entityTag(17, { format: "json", root: null })

  it("differs by revision, format and root", () => {
    const tags = [
      tag,
      entityTag(18, { format: "json", root: null }),
      entityTag(17, { format: "text", root: null }),
      entityTag(17, { format: "json", root: 'a "root" 🌍' }),
      entityTag(17, { format: "json", root: "" }),
    ]
    expect(new Set(tags).size).toBe(tags.length)
    for (const one of tags) expect(one).toMatch(/^"[\x21\x23-\x7e]+"$/)
  })

  it.each([tag, `W/${tag}`, `"x", ${tag}`, `"x",W/${tag} , "y"`, "*", " * "])(
    "matches If-None-Match: %s",
    (header) => {
      expect(matchesEntityTag(header, tag)).toBe(true)
    },
  )

  it.each([null, "", '"x"', '"x", W/"y"', tag.slice(1, -1)])("does not match If-None-Match: %s", (header) => {
    expect(matchesEntityTag(header, tag)).toBe(false)
  })
})

describe("If-Match", () => {
  it.each([
    [null, true],
    ["*", true],
    ['"r5.json"', true],
    ['"r5.update"', true],
    ['"r5.text.notes"', true],
    ['"r4.json", "r5.html"', true],
    ['"r4.json"', false],
    ['"r55.json"', false],
    ['"r5"', false],
    ['W/"r5.json"', false],
    ["r5.json", false],
    ["", false],
  ])("%s lets a change of revision 5 go ahead: %s", (header, matches) => {
    expect(matchesIfMatch(header, 5)).toBe(matches)
  })

  it("never matches what does not exist, whatever it names", () => {
    expect(matchesIfMatch("*", null)).toBe(false)
    expect(matchesIfMatch('"r0.json"', null)).toBe(false)
    expect(matchesIfMatch(null, null)).toBe(true)
  })
})
