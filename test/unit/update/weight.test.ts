import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { expect, it } from "vitest"
import * as Y from "yjs"
import { createDocument, weightOf } from "../../../src/update/settle.ts"
import { vet } from "../../../src/update/vet.ts"
import { stateOf } from "../../kit/updates.ts"

setFlagsFromString("--expose-gc")
const collect: () => void = runInNewContext("gc")

/** Bytes in use once what is no longer needed was collected; long strings and buffers lie outside of the heap. */
function live(): number {
  for (let i = 0; i < 4; i++) collect()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

const many = <T>(count: number, each: (i: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => each(i))

it.each<[string, (doc: Y.Doc) => void]>([
  ["plain text", (doc) => doc.getText("t").insert(0, "lorem ipsum ".repeat(400_000))],
  ["text in many scripts", (doc) => doc.getText("t").insert(0, "漢字 Grüße ".repeat(200_000))],
  ["map entries", (doc) => many(30_000, (i) => doc.getMap("m").set(`key-${i}`, i))],
  [
    "rows",
    (doc) => doc.getArray("a").push(many(10_000, (i) => new Y.Map(Object.entries({ x: i / 3, y: i })))),
  ],
  ["empty objects in a list", (doc) => doc.getArray("a").push(many(200_000, () => ({})))],
  [
    "JSON embeds",
    (doc) => many(20_000, (i) => doc.getText("t").insertEmbed(0, { src: `${i}.png`, size: [i, 2] })),
  ],
  ["one large embed", (doc) => doc.getText("t").insertEmbed(0, { list: many(200_000, () => ({})) })],
])("[B2] knows about how much memory an update takes: %s", (_, fill) => {
  const author = new Y.Doc()
  author.transact(() => fill(author))
  const update = Y.encodeStateAsUpdate(author)
  const verdict = vet(update, new Map())
  if (verdict.kind === "refuse") throw new Error(verdict.reason)
  const before = live()
  const doc = createDocument()
  Y.applyUpdate(doc, update)
  const taken = live() - before
  for (const estimate of [verdict.weight, weightOf(doc)]) {
    expect(estimate / taken).toBeGreaterThan(1 / 1.5)
    expect(estimate / taken).toBeLessThan(2)
  }
})

it("[B2] weighs only what is new", () => {
  const author = new Y.Doc()
  author.getText("t").insert(0, "lorem ipsum ".repeat(1000))
  const known = stateOf(author)
  author.getText("t").insert(0, "!")
  const verdict = vet(Y.encodeStateAsUpdate(author), known)
  if (verdict.kind === "refuse") throw new Error(verdict.reason)
  expect(verdict.weight).toBeGreaterThan(100)
  expect(verdict.weight).toBeLessThan(1000)
})
