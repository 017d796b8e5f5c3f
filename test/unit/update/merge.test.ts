import * as prng from "lib0/prng"
import { expect, it } from "vitest"
import * as Y from "yjs"
import { groupsOf, mergeUpdates } from "../../../src/update/merge.ts"
import { capture } from "../../../src/update/settle.ts"
import { contentOf, honestHistory, shuffle } from "../../kit/updates.ts"

/** What a room takes: of each update what is new, each beginning where the ones before it ended. */
function takenBy(room: Y.Doc, updates: readonly Uint8Array[]): Uint8Array[] {
  return updates
    .map((update) => capture(room, () => Y.applyUpdate(room, update)).update)
    .filter((news) => news !== null)
}

function load(...updates: Uint8Array[]): Y.Doc {
  const doc = new Y.Doc()
  for (const update of updates) Y.applyUpdate(doc, update)
  return doc
}

function expectSame(a: Y.Doc, b: Y.Doc): void {
  expect(Y.equalSnapshots(Y.snapshot(a), Y.snapshot(b))).toBe(true)
  expect(contentOf(a)).toEqual(contentOf(b))
}

const SEED = 20_262

it("[F2] merges what a room takes into one update of the same state, whatever people do", () => {
  const random = prng.create(SEED)
  for (let run = 0; run < 300; run++) {
    const { updates, derived } = honestHistory(random)
    const room = new Y.Doc()
    const taken = takenBy(room, [...updates, ...derived])
    if (taken.length === 0) continue
    expectSame(load(mergeUpdates(taken)), room)
    expectSame(load(...groupsOf(taken)), room)
  }
})

it("[F2] merges what overlaps, leaves gaps or comes in any order as Yjs does", () => {
  const random = prng.create(SEED)
  for (let run = 0; run < 100; run++) {
    const { updates, derived, docs } = honestHistory(random)
    const all = shuffle(random, [...updates, ...derived, ...docs.map((doc) => Y.encodeStateAsUpdate(doc))])
    const some = all.slice(0, 1 + prng.int32(random, 0, all.length - 1))
    const merged = load(mergeUpdates(some))
    expectSame(merged, load(Y.mergeUpdates(some)))
    // What waits inside for the others is still there.
    Y.applyUpdate(merged, mergeUpdates(all))
    expectSame(merged, load(...all))
  }
})

it("[F2] makes of keystrokes the very bytes that Yjs makes of them", () => {
  const doc = new Y.Doc()
  const updates: Uint8Array[] = []
  doc.on("update", (update: Uint8Array) => updates.push(update))
  const text = doc.getText("text")
  for (let i = 0; i < 500; i++) {
    if (i % 7 === 6) text.delete((i * 5) % text.length, 1)
    else text.insert((i * 3) % (text.length + 1), "ü")
  }
  expect(mergeUpdates(updates)).toEqual(Y.mergeUpdates(updates))
})
