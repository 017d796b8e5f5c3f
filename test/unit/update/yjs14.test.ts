/** What Yjs 14 writes, before the vet and in documents of Yjs 13: 53-bit client ids, Skip structs, the root "". */
import * as Y14 from "@y/y"
import * as prng from "lib0/prng"
import { expect, it } from "vitest"
import * as Y from "yjs"
import { Desk, shuffle } from "../../kit/updates.ts"

const RUNS = 60
const ROOTS = ["", "text", "map"]
const MARKS = [{ bold: true }, { bold: null }, { link: { href: "x" } }]

const below = (random: prng.PRNG, count: number) => prng.int32(random, 0, count - 1)
const pick = <T>(random: prng.PRNG, of: readonly T[]): T => of[below(random, of.length)]!

/** A client id of more than 32 bits, as Yjs 14 draws them. */
const wideId = (random: prng.PRNG) =>
  2 ** 32 * prng.uint32(random, 1, 2 ** 20) + prng.uint32(random, 0, 2 ** 32 - 1)

/** One random edit in this type, or in one that is in it. */
function edit(random: prng.PRNG, type: Y14.Type): void {
  const at = below(random, type.length + 1)
  const child = at < type.length ? type.get(at) : null
  if (child instanceof Y14.Type && below(random, 2) === 0) return edit(random, child)
  switch (below(random, 8)) {
    case 0:
    case 1:
      return type.insert(at, pick(random, ["a", "some words", "漢字", "\n"]))
    case 2:
      return type.insert(at, [new Y14.Type(pick(random, ["paragraph", "heading", null]))])
    case 3:
      return type.insert(at, [below(random, 9), { deep: [null, true] }])
    case 4:
      type.setAttr(pick(random, ["level", "k"]), pick<unknown>(random, [1, "v", [1], { a: null }]))
      return
    case 5:
      return type.deleteAttr("k")
    case 6:
      if (at < type.length) type.format(at, 1, pick<object>(random, MARKS))
      return
    default:
      if (at < type.length) type.delete(at, 1 + below(random, Math.min(4, type.length - at)))
  }
}

/** Some clients of Yjs 14 edit, and are told of one another's edits in any order, some of them never. */
function history(random: prng.PRNG): { updates: Uint8Array[]; states: Uint8Array[] } {
  const updates: Uint8Array[] = []
  const states: Uint8Array[] = []
  const docs = Array.from({ length: 3 }, () => {
    const doc = new Y14.Doc({ gc: below(random, 3) > 0 })
    doc.clientID = wideId(random)
    doc.on("update", (update: Uint8Array, origin: unknown) => {
      if (origin !== "remote") updates.push(update)
    })
    return doc
  })
  for (let step = 0; step < 40; step++) {
    const doc = pick(random, docs)
    const kind = below(random, 6)
    // Of a later edit without the ones before it a state has a Skip in their place.
    if (kind === 0 && updates.length > 0) Y14.applyUpdate(doc, pick(random, updates), "remote")
    else if (kind === 1) states.push(Y14.encodeStateAsUpdate(doc, Y14.encodeStateVector(pick(random, docs))))
    else doc.transact(() => edit(random, doc.get(pick(random, ROOTS))))
  }
  for (const doc of docs) states.push(Y14.encodeStateAsUpdate(doc))
  return { updates, states }
}

const seeds = Array.from({ length: RUNS }, (_, i) => 14_000 + i)

it("[W3] takes all that Yjs 14 writes, whole or with gaps, in any order, and loses nothing of it", () => {
  let wide = 0
  let skips = 0
  for (const seed of seeds) {
    const random = prng.create(seed)
    const { updates, states } = history(random)
    const desk = new Desk()
    // Who has it without a room between: its authors repair formats by themselves, and not all in the same way.
    const direct = new Y14.Doc()
    for (const update of shuffle(random, [...states, ...updates])) {
      desk.receive(update)
      Y14.applyUpdate(direct, update)
      const { structs } = Y14.decodeUpdate(update)
      skips += structs.filter((struct) => struct instanceof Y14.Skip).length
    }
    expect([desk.refusals, desk.waiting], `seed ${seed}`).toEqual([[], 0])
    const page = new Y14.Doc()
    for (const update of desk.applied) Y14.applyUpdate(page, update)
    for (const root of ROOTS)
      expect(page.get(root).toJSON(), `seed ${seed}, root "${root}"`).toEqual(direct.get(root).toJSON())
    const vector = Y.decodeStateVector(Y.encodeStateVector(desk.doc))
    expect(vector, `seed ${seed}`).toEqual(Y.decodeStateVector(Y14.encodeStateVector(direct)))
    for (const client of vector.keys()) if (client > 2 ** 32) wide++
  }
  // What this is about has been there.
  expect([wide > RUNS, skips > RUNS]).toEqual([true, true])
})

it("[W3] converges where Yjs 13 and Yjs 14 edit the same roots at once", () => {
  for (const seed of seeds) {
    const random = prng.create(seed)
    const young = new Y14.Doc()
    const old = new Y.Doc()
    young.clientID = wideId(random)
    old.clientID = prng.uint32(random, 9, 2 ** 32 - 1)
    const desk = new Desk()
    const toRoom: Uint8Array[] = []
    const note = (update: Uint8Array, origin: unknown) => {
      if (origin !== "room") toRoom.push(update)
    }
    young.on("update", note)
    old.on("update", note)
    for (let step = 0; step < 40; step++) {
      if (below(random, 2) === 0) {
        young.transact(() => edit(random, young.get(pick(random, ["", "text"]))))
      } else {
        const text = old.getText("text")
        const at = below(random, text.length + 1)
        if (at < text.length && below(random, 3) === 0) text.delete(at, 1)
        else text.insert(at, "old", pick<object>(random, MARKS))
        if (below(random, 4) === 0) old.getXmlFragment("").push([new Y.XmlElement("paragraph")])
      }
      if (below(random, 3) > 0) continue
      for (const update of toRoom.splice(0)) desk.receive(update)
      for (const update of desk.applied) {
        Y14.applyUpdate(young, update, "room")
        Y.applyUpdate(old, update, "room")
      }
    }
    for (const update of toRoom.splice(0)) desk.receive(update)
    for (const update of desk.applied) {
      Y14.applyUpdate(young, update, "room")
      Y.applyUpdate(old, update, "room")
    }
    expect([desk.refusals, desk.waiting], `seed ${seed}`).toEqual([[], 0])
    // Not the snapshots: each document drops formats that say nothing for itself.
    const content = (doc: Y.Doc) =>
      JSON.stringify([doc.getText("text").toDelta(), doc.getXmlFragment("").toJSON()])
    expect(content(old), `seed ${seed}`).toBe(content(desk.doc))
    const again = new Y14.Doc()
    Y14.applyUpdate(again, Y.encodeStateAsUpdate(desk.doc))
    for (const root of ["", "text"])
      expect(young.get(root).toJSON(), `seed ${seed}, root "${root}"`).toEqual(again.get(root).toJSON())
  }
})
