import * as prng from "lib0/prng"
import { expect, it } from "vitest"
import * as Y from "yjs"
import { createDocument, rootsOf } from "../../../src/update/settle.ts"
import { touchesOf } from "../../../src/update/touches.ts"
import { load, shuffle } from "../../kit/updates.ts"

const SEED = 20_264

// ---- a room's document

/** Editors that format one text densely, each update to the others and to the room after a while. */
function formattingSession(random: prng.PRNG, room: Y.Doc): Y.Doc[] {
  const editors = Array.from({ length: 3 }, () => new Y.Doc())
  const all = [...editors, room]
  const queues = new Map(all.map((doc) => [doc, [] as Uint8Array[]]))
  for (const editor of editors) {
    // As a provider does: what an editor's document cleans up goes out like what a person types.
    editor.on("update", (update: Uint8Array, origin: unknown) => {
      if (origin === "remote") return
      for (const doc of all) if (doc !== editor) queues.get(doc)!.push(update)
    })
    editor.getText("t")
  }
  // The room has its root open, as after an export.
  room.getText("t")
  const deliver = (doc: Y.Doc, count: number) => {
    for (const update of queues.get(doc)!.splice(0, count)) Y.applyUpdate(doc, update, "remote")
  }
  for (let step = 0; step < 60; step++) {
    const editor = prng.oneOf(random, editors)
    const text = editor.getText("t")
    const at = prng.int32(random, 0, text.length)
    const length = prng.int32(random, 1, 6)
    if (step < 3 || prng.bool(random) === prng.bool(random)) text.insert(at, prng.word(random, 1, 5))
    else if (prng.int32(random, 0, 5) === 0) text.delete(at, Math.min(length, text.length - at))
    for (let marks = 0; marks < 2 && text.length > 0; marks++) {
      const from = prng.int32(random, 0, text.length - 1)
      const span = Math.min(length, text.length - from)
      text.format(from, span, { [prng.oneOf(random, ["b", "i"])]: prng.oneOf(random, [true, null]) })
    }
    for (const doc of all) if (prng.int32(random, 0, 2) === 0) deliver(doc, prng.int32(random, 1, 4))
  }
  while (all.some((doc) => queues.get(doc)!.length > 0))
    for (const doc of shuffle(random, all)) deliver(doc, 2)
  return editors
}

const deltaOf = (doc: Y.Doc) => doc.getText("t").toDelta()

it("[D9] shows the marks that its editors show after any session of formatting", { timeout: 60_000 }, () => {
  let drifted = 0
  for (let session = 0; session < 200; session++) {
    const room = createDocument()
    const editors = formattingSession(prng.create(SEED + session), room)
    for (const editor of editors) expect(deltaOf(room)).toEqual(deltaOf(editor))
    expect(Y.encodeStateVector(room)).toEqual(Y.encodeStateVector(load(Y.encodeStateAsUpdate(room))))
    expect(Y.equalSnapshots(Y.snapshot(room), Y.snapshot(editors[0]!))).toBe(true)
    const stock = new Y.Doc()
    const others = formattingSession(prng.create(SEED + session), stock)
    if (!Y.equalSnapshots(Y.snapshot(stock), Y.snapshot(others[0]!))) drifted++
  }
  // The stock document does what the room's must not: that is what this is about.
  expect(drifted).toBeGreaterThan(0)
})
