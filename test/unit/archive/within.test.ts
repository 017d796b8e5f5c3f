/** Where a page of the index begins and ends. */
import { expect, it } from "vitest"
import { compareIds, justBefore, pageRange } from "../../../src/archive/within.ts"

it("[A8] orders ids by code points, as databases do", () => {
  const ids = ["😀", "\u{ffff}", "b", "a/b", "a", "a/", "\u{10ffff}", "é"]
  const utf8 = (id: string) => Buffer.from(id).toString("hex")
  expect([...ids].sort(compareIds)).toEqual([...ids].sort((a, b) => (utf8(a) < utf8(b) ? -1 : 1)))
  expect(compareIds("a", "a")).toBe(0)
})

it("[A8] begins after the page before, and never before the range", () => {
  const within = { from: "b", before: "c" }
  expect(pageRange({ cursor: null, within })).toEqual({ from: "b", not: "", before: "c" })
  expect(pageRange({ cursor: "a", within })).toEqual({ from: "b", not: "", before: "c" })
  expect(pageRange({ cursor: "bb", within })).toEqual({ from: "bb", not: "bb", before: "c" })
  const { from, before } = pageRange({ cursor: null })
  expect(from).toBe("")
  expect(compareIds(before, "\u{10ffff}\u{10ffff}")).toBeGreaterThan(0)
})

it("finds what comes just before an id", () => {
  expect(justBefore("")).toBe(null)
  const pairs = [
    ["acme/", "acme.zzz😀"],
    ["a", "`zzz"],
    ["x\u{10000}", "x\u{ffff}zzz"],
    ["y\u{e000}", "y\u{d7ff}zzz"],
  ] as const
  for (const [id, earlier] of pairs) {
    const before = justBefore(id)!
    expect(before.isWellFormed()).toBe(true)
    expect([compareIds(earlier, before) < 0, compareIds(before, id) < 0]).toEqual([true, true])
  }
})
