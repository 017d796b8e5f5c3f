import fc from "fast-check"
import { expect, it } from "vitest"
import * as Y from "yjs"
import { isAhead, isEmpty, missingUpdate } from "../../../src/client/diff.ts"

/** A random edit of one of a document's replicas, or a sync from the second to the first. */
const edit = fc.record({
  kind: fc.constantFrom("insert", "delete", "set", "sync"),
  replica: fc.boolean(),
  at: fc.nat(1_000),
  length: fc.integer({ min: 1, max: 5 }),
})
type Edit = (typeof edit)["generate"] extends (...args: never[]) => { value: infer Value } ? Value : never

function play(edits: readonly Edit[]): { ours: Y.Doc; room: Y.Doc } {
  const [ours, room] = [new Y.Doc(), new Y.Doc()]
  // toJSON shows a root only where it was asked for.
  for (const doc of [ours, room]) doc.getText("t").doc?.getMap("m")
  for (const { kind, replica, at, length } of edits) {
    const doc = replica ? ours : room
    const text = doc.getText("t")
    switch (kind) {
      case "insert":
        text.insert(at % (text.length + 1), "abcde".slice(0, length))
        break
      case "delete":
        text.delete(at % (text.length + 1), Math.min(length, text.length - (at % (text.length + 1))))
        break
      case "set":
        doc.getMap("m").set(`key${at % 3}`, at)
        break
      case "sync":
        Y.applyUpdate(replica ? ours : room, Y.encodeStateAsUpdate(replica ? room : ours))
        break
    }
  }
  return { ours, room }
}

/** What a room sends on a connect: its step 1, and its step 2 to ours. */
function connect(ours: Y.Doc, room: Y.Doc) {
  const stateVector = Y.encodeStateVector(room)
  const update = Y.encodeStateAsUpdate(room, Y.encodeStateVector(ours))
  Y.applyUpdate(ours, update)
  return { stateVector, update }
}

const state = (doc: Y.Doc) => Y.encodeStateAsUpdate(doc)
const covers = (doc: Y.Doc, other: Y.Doc) => Y.snapshotContainsUpdate(Y.snapshot(doc), state(other))

it("[C2] finds nothing missing exactly when the room has everything, deletions too", () => {
  fc.assert(
    fc.property(fc.array(edit, { maxLength: 30 }), (edits) => {
      const { ours, room } = play(edits)
      const hadAll = covers(room, ours)
      const missing = missingUpdate(ours, connect(ours, room))
      expect(missing === null).toBe(hadAll)
      if (missing !== null) Y.applyUpdate(room, missing)
      expect(covers(room, ours)).toBe(true)
      expect(room.toJSON()).toEqual(ours.toJSON())
    }),
    { numRuns: 500 },
  )
})

it("[C2] does not take a merged or split delete set for a different one", () => {
  const room = new Y.Doc()
  const updates: Uint8Array[] = []
  room.on("update", (update: Uint8Array) => updates.push(update))
  room.getText("t").insert(0, "one two three")
  for (const at of [0, 5, 5, 0]) room.getText("t").delete(at, 1)
  const ours = new Y.Doc()
  Y.applyUpdate(ours, Y.mergeUpdates(updates))
  const stateVector = Y.encodeStateVector(room)
  expect(missingUpdate(ours, { stateVector, update: Y.mergeUpdates(updates) })).toBe(null)
})

it("[C2] sends what still waits for its dependency", () => {
  const author = new Y.Doc()
  const updates: Uint8Array[] = []
  author.on("update", (update: Uint8Array) => updates.push(update))
  author.getText("t").insert(0, "first")
  author.getText("t").insert(5, "second")
  const [ours, room] = [new Y.Doc(), new Y.Doc()]
  Y.applyUpdate(ours, updates[1] ?? new Uint8Array())
  expect(isEmpty(ours)).toBe(false)
  const missing = missingUpdate(ours, connect(ours, room))
  Y.applyUpdate(room, missing ?? new Uint8Array([0, 0]))
  Y.applyUpdate(room, updates[0] ?? new Uint8Array())
  expect(room.getText("t").toString()).toBe("firstsecond")
})

it("tells which of two state vectors is ahead", () => {
  const [a, b] = [new Y.Doc(), new Y.Doc()]
  const ahead = () =>
    [a, b].map((doc) => isAhead(Y.encodeStateVector(doc), Y.encodeStateVector(doc === a ? b : a)))
  expect([ahead(), isEmpty(a)]).toEqual([[false, false], true])
  a.getText("t").insert(0, "x")
  expect([ahead(), isEmpty(a)]).toEqual([[true, false], false])
  b.getText("t").insert(0, "y")
  expect(ahead()).toEqual([true, true])
})
