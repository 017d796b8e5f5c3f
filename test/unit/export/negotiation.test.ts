import { describe, expect, it } from "vitest"
import { chooseFormat, entityTag, matchesEntityTag } from "../../../src/export/formats.ts"

describe("a format", () => {
  const accept = (value: string) => chooseFormat({ name: null, accept: value })

  it.each([
    ["", "update"],
    ["*/*", "update"],
    ["application/json", "json"],
    ["APPLICATION/JSON", "json"],
    ["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "html"],
    ["text/*", "text"],
    ["text/*;q=0.5, text/markdown", "markdown"],
    ["text/plain;q=0.2, image/svg+xml;q=0.9", "svg"],
    ["application/octet-stream;q=0, */*;q=0.1", "json"],
    ["image/png, */*;q=0.01", "update"],
    ["nonsense, application/json", "json"],
    ["application/json;charset=utf-8;q=1.0", "json"],
  ])("Accept: %s gives %s", (value, format) => expect(accept(value)).toBe(format))

  it("by name wins over Accept", () => {
    expect(chooseFormat({ name: "state-vector", accept: "text/html" })).toBe("state-vector")
  })

  it("that is unknown is told the known ones", () => {
    expect(() => chooseFormat({ name: "pdf", accept: null })).toThrow(
      'Unknown format "pdf"; known: update, state-vector, json, text, markdown, html, svg.',
    )
  })

  it.each(["image/png", "*/*;q=0", "text/html;q=0", "text/html;q=7"])(
    "Accept: %s leaves nothing",
    (value) => {
      expect(() => accept(value)).toThrow(expect.objectContaining({ code: "not-acceptable" }))
    },
  )
})

describe("an entity tag", () => {
  const tag = entityTag("17-ab", { format: "json", root: null })

  it("differs by state, format and root", () => {
    const tags = [
      tag,
      entityTag("18-ab", { format: "json", root: null }),
      entityTag("17-ab", { format: "text", root: null }),
      entityTag("17-ab", { format: "json", root: 'a "root" 🌍' }),
      entityTag("17-ab", { format: "json", root: "" }),
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
