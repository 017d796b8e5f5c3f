import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { differ, differText, type TextEdit } from "../../../src/json/difference.ts"

function applied(old: string, edits: readonly TextEdit[]): string {
  return edits.reduceRight(
    (text, { at, remove, insert }) => text.slice(0, at) + insert + text.slice(at + remove),
    old,
  )
}

const WORDS = fc.array(fc.constantFrom("a", "b", "the ", "cat ", "😀", "\n", "é", "line\n"), {
  maxLength: 40,
})

describe("the difference of two texts", () => {
  it("[G1] makes the one the other, and splits no character", () => {
    fc.assert(
      fc.property(WORDS, WORDS, (one, other) => {
        const [old, next] = [one.join(""), other.join("")]
        const edits = differText(old, next)
        expect(applied(old, edits)).toBe(next)
        for (const { at, remove, insert } of edits) {
          expect(
            [old.slice(0, at), old.slice(at, at + remove), insert].every((text) => text.isWellFormed()),
          ).toBe(true)
        }
      }),
      { numRuns: 500 },
    )
  })

  it("[G1] leaves alone what did not change, wherever in a long text it lies", () => {
    const lines = Array.from({ length: 5_000 }, (_, i) => `line ${i} of a long text\n`)
    const changed = lines
      .with(10, "line 10 of a longer text\n")
      .with(4_000, "line four thousand of a long text\n")
    const edits = differText(lines.join(""), changed.join(""))
    expect(edits.reduce((sum, { remove, insert }) => sum + remove + insert.length, 0)).toBeLessThan(40)
  })

  it("gives up in time where everything is different", () => {
    const noise = (seed: number) =>
      Array.from({ length: 100_000 }, (_, i) => String.fromCharCode(97 + ((i * seed) % 23))).join("")
    const [old, next] = [noise(7), noise(11)]
    const startedAt = performance.now()
    expect(applied(old, differText(old, next))).toBe(next)
    expect(performance.now() - startedAt).toBeLessThan(5_000)
  })
})

it("the difference of two lists has as few edits as there can be", () => {
  const list = fc.array(fc.constantFrom("a", "b", "c"), { maxLength: 12 })
  fc.assert(
    fc.property(list, list, (old, next) => {
      const edits = differ(old, next)
      const made = edits.reduceRight(
        (all, { at, remove, from, to }) => all.toSpliced(at, remove, ...next.slice(from, to)),
        old,
      )
      expect(made).toEqual(next)
      const size = edits.reduce((sum, { remove, from, to }) => sum + remove + to - from, 0)
      expect(size).toBe(old.length + next.length - 2 * longestCommon(old, next))
    }),
    { numRuns: 500 },
  )
})

function longestCommon(old: readonly string[], next: readonly string[]): number {
  const rows = Array.from({ length: old.length + 1 }, () => new Array<number>(next.length + 1).fill(0))
  for (let i = 1; i <= old.length; i++)
    for (let j = 1; j <= next.length; j++)
      rows[i]![j] =
        old[i - 1] === next[j - 1] ? rows[i - 1]![j - 1]! + 1 : Math.max(rows[i - 1]![j]!, rows[i]![j - 1]!)
  return rows[old.length]![next.length]!
}
