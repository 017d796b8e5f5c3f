/** Which ranges of the index the patterns of a token are asked for by. */
import { expect, it } from "vitest"
import { rangesOf } from "../../../src/http/covered.ts"

const texts = (patterns: string[], prefix = "") =>
  rangesOf(patterns, prefix).map(({ from, before }) => [from, before])

it("[R2] asks for what the patterns cover and nothing else, each once", () => {
  expect(texts(["acme/*", "notes"])).toEqual([
    ["acme/", "acme0"],
    ["notes", "notes\u0001"],
  ])
  expect(texts(["acme/*", "acme/plan", "acme/q*", "acme/*", "notes", "notes"])).toEqual([
    ["acme/", "acme0"],
    ["notes", "notes\u0001"],
  ])
  // A star alone is the default party; another party is named whole.
  const all = [
    ["", "/"],
    ["0", null],
  ]
  expect(texts(["*", "notes", "a*"])).toEqual(all)
  expect(texts(["*", "/counter/*", "/counter/a", "/*", "/co*"])).toEqual([...all, ["/counter/", "/counter0"]])
  expect(texts([])).toEqual([])
})

it("asks within a prefix alone", () => {
  expect(texts(["*"], "acme/")).toEqual([["acme/", "acme0"]])
  expect(texts(["*"], "/counter/")).toEqual([])
  expect(texts(["acme/*", "notes"], "acme/q")).toEqual([["acme/q", "acme/r"]])
  expect(texts(["acme/*", "notes", "note"], "note")).toEqual([
    ["note", "note\u0001"],
    ["notes", "notes\u0001"],
  ])
  expect(texts(["acme"], "acme/")).toEqual([])
})

it("ends a range behind the last of its ids, whatever it begins with", () => {
  expect(texts(["a\u{10ffff}*", "b\u{d7ff}*", "c😀*", "\u{10ffff}*"])).toEqual([
    ["a\u{10ffff}", "b"],
    ["b\u{d7ff}", "b\u{e000}"],
    ["c😀", "c😁"],
    ["\u{10ffff}", null],
  ])
})
