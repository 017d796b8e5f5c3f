/** Lines of a plain text as blocks. */
import { expect, it } from "vitest"
import * as Y from "yjs"
import { type AgentText, findBlock, listBlocks, showBlock } from "../../../src/agent/blocks.ts"
import { search } from "../../../src/agent/read.ts"
import { Budget } from "../../../src/export/budget.ts"
import type { SharedType } from "../../../src/export/shared-types.ts"
import { LIMITS } from "../../../src/limits.ts"
import { below, seededRandom } from "../../kit/random.ts"

const textOf = (doc: Y.Doc): AgentText => ({
  ...{ root: "text", editor: "text" },
  holder: doc.getText("text") as unknown as SharedType,
})

it("[G1] says what each line is and where, however it was written, and keeps handles", () => {
  const random = seededRandom("lines")
  for (let round = 0; round < 50; round++) {
    const doc = new Y.Doc()
    const text = doc.getText("text")
    let handle: string | null = null
    for (let i = 0; i < 30; i++) {
      const at = below(random, text.length + 1)
      if (below(random, 4) === 0)
        text.delete(Math.min(at, Math.max(0, text.length - 1)), Math.min(1, text.length))
      else text.insert(at, ["a", "\n", "bc\nd", "\n\n", "é😀"][below(random, 5)]!)
      const blocks = listBlocks(textOf(doc))
      const lines = text.toString().split("\n")
      // A newline at the very end begins no line of its own.
      if (lines.length > 1 && lines.at(-1) === "") lines.pop()
      expect(blocks.map(({ letters }) => letters)).toEqual(lines)
      for (const { place, length, letters } of blocks)
        expect(text.toString().slice(place, place + length)).toBe(letters)
      expect(new Set(blocks.map((block) => block.handle)).size).toBe(blocks.length)
      if (handle !== null && text.length > 0)
        expect(findBlock(doc, textOf(doc), handle)?.handle ?? null).not.toBe("")
      handle = blocks.at(-1)!.handle
    }
  }
})

it("counts an object in a text as one letter", () => {
  const doc = new Y.Doc()
  const text = doc.getText("text")
  text.insert(0, "a\nb")
  text.insertEmbed(2, { image: "x" })
  text.insert(4, "c\nd")
  const blocks = listBlocks(textOf(doc))
  expect(blocks.map((block) => showBlock(textOf(doc), block, new Budget(1_000)))).toEqual([
    "a",
    "\ufffcbc",
    "d",
  ])
  expect(blocks.map(({ place, length }) => [place, length])).toEqual([
    [0, 1],
    [2, 3],
    [6, 1],
  ])
})

it("[B2] looks through a text of many lines once, not once a line", () => {
  const timeOf = (lines: number): number => {
    const doc = new Y.Doc()
    // Each before the one before, so that none grows together with another.
    doc.transact(() => {
      for (let i = 0; i < lines; i++) doc.getText("text").insert(0, "a line of a long text\n")
    })
    const options = { budget: new Budget(1e9), limits: LIMITS }
    search(doc, { root: null, query: "nowhere" }, options)
    const startedAtMs = performance.now()
    search(doc, { root: null, query: "nowhere" }, options)
    return performance.now() - startedAtMs
  }
  // Sixteen times the lines take sixteen times as long, and not 256 times.
  expect(timeOf(8_000) / timeOf(500)).toBeLessThan(80)
})
