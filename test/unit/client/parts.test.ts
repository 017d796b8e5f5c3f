/** Updates larger than a frame: TRIED 24. */
import fc from "fast-check"
import { expect, it } from "vitest"
import * as Y from "yjs"
import { splitUpdate } from "../../../src/client/structs.ts"
import { onDisk, open, relay, type } from "./vocabulary.ts"

it("[C2] brings a document that is larger than a frame in parts, and calls it saved when all have arrived", async () => {
  const server = await relay()
  const doc = new Y.Doc()
  type({ doc }, "0123456789".repeat(3_000_000))
  doc.getText("t").delete(5, 1)
  const page = open(server, {}, doc)
  await page.whenSaved()
  expect(onDisk(server).length).toBe(30_000_000 - 1)
  expect(server.count("step-2")).toBeGreaterThan(3)
  expect(server.attempts.length).toBe(1)
})

it("[C2] cuts an update into parts that each integrate when they come, and are the same together", () => {
  const edit = fc.record({ page: fc.nat(2), at: fc.nat(1_000), length: fc.integer({ min: 1, max: 400 }) })
  fc.assert(
    fc.property(fc.array(edit, { minLength: 5, maxLength: 40 }), (edits) => {
      const pages = [new Y.Doc(), new Y.Doc(), new Y.Doc()]
      for (const { page, at, length } of edits) {
        const doc = pages[page] as Y.Doc
        const words = doc.getText("t")
        words.insert(at % (words.length + 1), "a😀b".repeat(length))
        doc.getArray("a").insert(0, Array(length % 50).fill({ some: "thing" }))
        if (at % 3 === 0) words.delete(at % words.length, 1)
        // The other two see it, so that their next changes refer to it.
        for (const other of pages) if (at % 2 === 0) Y.applyUpdate(other, Y.encodeStateAsUpdate(doc))
      }
      const [first, ...others] = pages as [Y.Doc, ...Y.Doc[]]
      for (const other of others) Y.applyUpdate(first, Y.encodeStateAsUpdate(other))
      const whole = Y.encodeStateAsUpdate(first)
      const parts = [...splitUpdate(whole, 500)]
      expect(parts.length).toBeGreaterThan(whole.length / 1_500)
      const room = new Y.Doc()
      for (const part of parts) {
        Y.applyUpdate(room, part)
        expect(room.store.pendingStructs).toBe(null)
      }
      expect(room.getText("t").toString()).toBe(first.getText("t").toString())
      expect(room.getArray("a").toJSON()).toEqual(first.getArray("a").toJSON())
      expect(Y.encodeStateVector(room)).toEqual(Y.encodeStateVector(first))
    }),
    { numRuns: 50 },
  )
})

it("[C2] keeps what waits for something that is not there in a part of its own right", () => {
  const author = new Y.Doc()
  const updates: Uint8Array[] = []
  author.on("update", (update: Uint8Array) => updates.push(update))
  for (const word of ["first", "second", "third".repeat(500)]) author.getText("t").insert(0, word)
  const page = new Y.Doc()
  Y.applyUpdate(page, updates[2] as Uint8Array)
  page.getText("t").insert(0, "mine".repeat(500))
  const room = new Y.Doc()
  for (const part of splitUpdate(Y.encodeStateAsUpdate(page), 500)) Y.applyUpdate(room, part)
  expect(room.getText("t").toString()).toBe("mine".repeat(500))
  for (const update of updates.slice(0, 2)) Y.applyUpdate(room, update)
  expect(room.getText("t").length).toBe(author.getText("t").length + 2_000)
})
