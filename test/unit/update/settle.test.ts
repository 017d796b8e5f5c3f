import * as prng from "lib0/prng"
import { expect, it } from "vitest"
import * as Y from "yjs"
import { createDocument, rootsOf } from "../../../src/update/settle.ts"
import { touchesOf } from "../../../src/update/touches.ts"
import { vet } from "../../../src/update/vet.ts"
import { craft, honestHistory, load, rootsOf as openRoots, stateOf } from "../../kit/updates.ts"

const SEED = 20_264

// ---- a room's document

/**
 * Three editors format one short text densely. The room has each update at once, they have it after a while; what their
 * documents clean up they send on, as a provider does.
 * @returns the editors, and how often the room's document had deleted something that no update deletes
 */
function formattingSession(random: prng.PRNG, room: Y.Doc): { editors: Y.Doc[]; ownDeletes: number } {
  const editors = Array.from({ length: 3 }, () => new Y.Doc())
  const queues = new Map(editors.map((editor) => [editor, [] as Uint8Array[]]))
  const received: Uint8Array[] = []
  let ownDeletes = 0
  // Its root is open, as after an export: of a root that is not, Yjs does not know that it is a text.
  room.getText("t")
  for (const [i, editor] of editors.entries()) {
    editor.clientID = i + 1
    editor.on("update", (update: Uint8Array, origin: unknown) => {
      if (origin === "remote") return
      received.push(update)
      Y.applyUpdate(room, update, "remote")
      const deleted = Y.createSnapshot(Y.decodeUpdate(Y.mergeUpdates(received)).ds, stateOf(room))
      if (!Y.equalSnapshots(deleted, Y.snapshot(room))) ownDeletes++
      for (const [other, queue] of queues) if (other !== editor) queue.push(update)
    })
  }
  const deliver = (editor: Y.Doc, count: number) => {
    for (const update of queues.get(editor)!.splice(0, count)) Y.applyUpdate(editor, update, "remote")
  }
  const deliverAll = () => {
    while ([...queues.values()].some((queue) => queue.length > 0))
      for (const editor of editors) deliver(editor, 3)
  }
  editors[0]!.getText("t").insert(0, "abcdefgh")
  deliverAll()
  for (let step = 0; step < 24; step++) {
    const text = prng.oneOf(random, editors).getText("t")
    const at = prng.int32(random, 0, text.length - 1)
    const what = prng.int32(random, 0, 9)
    if (what === 0 && text.length > 3) text.delete(at, 1)
    else if (what === 1) text.insert(at, "z")
    else {
      const length = Math.min(prng.int32(random, 1, 6), text.length - at)
      text.format(at, length, { bold: prng.oneOf(random, [true, null, "x"]) })
    }
    for (const editor of editors) {
      if (prng.int32(random, 0, 5) === 0) deliver(editor, prng.int32(random, 1, 9))
    }
  }
  deliverAll()
  return { editors, ownDeletes }
}

it("[D10] changes by updates only, and shows the marks that stock documents show", {
  timeout: 60_000,
}, () => {
  let ofStock = 0
  for (let session = 0; session < 150; session++) {
    const room = createDocument()
    const { editors, ownDeletes } = formattingSession(prng.create(SEED + session), room)
    expect({ session, ownDeletes }).toEqual({ session, ownDeletes: 0 })
    for (const editor of editors) {
      expect(room.getText("t").toDelta()).toEqual(editor.getText("t").toDelta())
      expect(Y.equalSnapshots(Y.snapshot(room), Y.snapshot(editor))).toBe(true)
    }
    ofStock += formattingSession(prng.create(SEED + session), new Y.Doc()).ownDeletes
  }
  expect(ofStock).toBeGreaterThan(0)
})

it("[D10] takes the options of a Y.Doc", () => {
  expect(createDocument({ gc: false, guid: "mine" })).toMatchObject({ gc: false, guid: "mine" })
})

// ---- which roots an update changes

/** The roots that one change of a document touches. */
function touchedBy(doc: Y.Doc, change: () => void): string[] {
  const before = load(Y.encodeStateAsUpdate(doc))
  let update: Uint8Array = Uint8Array.of(0, 0)
  doc.once("update", (made: Uint8Array) => {
    update = made
  })
  doc.transact(change)
  return [...rootsOf(touchesOf(update), before)].sort()
}

it("[R2] knows the roots that an update changes, whether it names them or not", () => {
  const doc = new Y.Doc()
  const [text, map, array] = [doc.getText("text"), doc.getMap("map"), doc.getArray("array")]
  expect(touchedBy(doc, () => text.insert(0, "hello"))).toEqual(["text"])
  expect(touchedBy(doc, () => text.insert(2, "x"))).toEqual(["text"])
  expect(touchedBy(doc, () => text.delete(1, 2))).toEqual(["text"])
  expect(touchedBy(doc, () => map.set("a", new Y.Map([["b", new Y.Text("deep")]])))).toEqual(["map"])
  const deep = (map.get("a") as Y.Map<unknown>).get("b") as Y.Text
  expect(touchedBy(doc, () => deep.insert(2, "er"))).toEqual(["map"])
  expect(touchedBy(doc, () => deep.delete(0, 1))).toEqual(["map"])
  expect(touchedBy(doc, () => map.delete("a"))).toEqual(["map"])
  expect(touchedBy(doc, () => array.push([1, new Y.Text("y")]))).toEqual(["array"])
  expect(
    touchedBy(doc, () => {
      array.delete(0, 1)
      text.insert(0, "both")
    }),
  ).toEqual(["array", "text"])
})

it("[R2] does not hold it against an update that it deletes what was deleted before", () => {
  const doc = new Y.Doc()
  doc.getMap("map").set("a", 1)
  doc.getText("text").insert(0, "hello")
  doc.getText("text").delete(1, 2)
  const room = load(Y.encodeStateAsUpdate(doc))
  doc.getMap("map").set("b", 2)
  const verdict = vet(Y.encodeStateAsUpdate(doc), stateOf(room))
  if (verdict.kind === "refuse" || verdict.news === null) throw new Error("nothing new")
  const touches = touchesOf(verdict.news)
  expect(touches.deletes.length).toBeGreaterThan(0)
  expect([...rootsOf(touches, room)]).toEqual(["map"])
})

it("[R2] misses no root that changes, whoever wrote the update", () => {
  const random = prng.create(SEED)
  let checked = 0
  for (let run = 0; run < 400; run++) {
    const { docs } = honestHistory(random, { steps: 20 })
    const room = load(Y.encodeStateAsUpdate(docs[0]!))
    openRoots(room)
    const known = stateOf(room)
    const verdict = vet(craft(random, known), known)
    if (verdict.kind === "refuse" || verdict.news === null || verdict.doubts !== undefined) continue
    const named = rootsOf(touchesOf(verdict.news), room)
    const changed = new Set<string>()
    room.on("afterTransaction", ({ changedParentTypes }) => {
      for (const [name, type] of room.share) if (changedParentTypes.has(type)) changed.add(name)
    })
    Y.applyUpdate(room, verdict.news)
    for (const name of changed)
      expect({ run, named: [...named] }).toEqual({ run, named: expect.arrayContaining([name]) })
    if (changed.size > 0) checked++
  }
  expect(checked).toBeGreaterThan(50)
})
