import fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { Json } from "../../../src/export/json.ts"
import { patchBetween } from "../../../src/json/patch-between.ts"
import { follow } from "../../kit/follow.ts"

const json = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom<Json>(
      null,
      true,
      1,
      2,
      "",
      "word",
      "a text of more than thirty-two characters",
      "a text of more than thirty characters, changed",
    ),
    fc.array(tie("value"), { maxLength: 5 }),
    fc.dictionary(fc.constantFrom("a", "b", "c/d", "e~f"), tie("value"), {
      maxKeys: 4,
      noNullPrototype: true,
    }) as fc.Arbitrary<Json>,
  ),
})).value

describe("the patch between two states", () => {
  it.each([true, false])("makes the one the other (text operations: %s)", (text) => {
    fc.assert(
      fc.property(json, json, (before, after) => {
        const patch = patchBetween(before, after, { text })
        expect(follow(structuredClone(before), patch)).toEqual(after)
        if (!text) expect(patch.every(({ op }) => op !== "text")).toBe(true)
      }),
      { numRuns: 500 },
    )
  })

  it("says what changed in a long text, and not the text", () => {
    const before = { notes: "x".repeat(100_000) }
    const after = { notes: `${"x".repeat(50_000)}!${"x".repeat(50_000)}` }
    expect(patchBetween(before, after, { text: true })).toEqual([
      { op: "text", path: "/notes", index: expect.any(Number), insert: "!" },
    ])
  })

  it("passes over what two states share", () => {
    const large = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`k${i}`, i]))
    const watched = new Proxy(large, {
      get: () => {
        throw new Error("looked at")
      },
      ownKeys: () => {
        throw new Error("looked at")
      },
    })
    expect(patchBetween({ large: watched, n: 1 }, { large: watched, n: 2 }, { text: true })).toEqual([
      { op: "replace", path: "/n", value: 2 },
    ])
  })
})
