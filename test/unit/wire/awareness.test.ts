import * as encoding from "lib0/encoding"
import { afterEach, expect, it } from "vitest"
import { Awareness, applyAwarenessUpdate, encodeAwarenessUpdate } from "y-protocols/awareness"
import * as Y from "yjs"
import { isGone, NO_ENTRIES, readEntries, writeEntries } from "../../../src/wire/awareness.ts"

const opened: Awareness[] = []
afterEach(() => {
  for (const awareness of opened.splice(0)) awareness.destroy()
})

function openAwareness(): Awareness {
  const awareness = new Awareness(new Y.Doc())
  opened.push(awareness)
  return awareness
}

const text = new TextDecoder()

it("[P2] reads what y-protocols writes, and writes what it reads", () => {
  const ada = openAwareness()
  ada.setLocalState({ name: "Ada", emoji: "🧶" })
  const bytes = encodeAwarenessUpdate(ada, [ada.clientID])
  const entries = readEntries(bytes, { maxEntries: 1 })
  expect(entries.map(({ client, clock }) => ({ client, clock }))).toEqual([
    { client: ada.clientID, clock: 1 },
  ])
  const [entry] = entries.map((raw) => ({ ...raw, state: text.decode(raw.state) }))
  expect(JSON.parse(entry!.state)).toEqual({ name: "Ada", emoji: "🧶" })
  expect(writeEntries([entry!])).toEqual(bytes)
})

it("[P2] knows a departure without decoding it", () => {
  const states = ["null", '"null"', " null", "{}", "nulL", ""]
  const bytes = writeEntries(states.map((state, client) => ({ client, clock: 1, state })))
  expect(readEntries(bytes, { maxEntries: 10 }).map(({ state }) => isGone(state))).toEqual([
    true,
    false,
    false,
    false,
    false,
    false,
  ])
})

it("[B1] refuses more entries than it is asked to take, before reading any", () => {
  const count = encoding.encode((encoder) => encoding.writeVarUint(encoder, 1_000_000))
  expect(() => readEntries(count, { maxEntries: 1100 })).toThrow(
    expect.objectContaining({ code: "too-large" }),
  )
})

it("[W1] refuses bytes that end inside an entry, go on after the last, or promise more than is there", () => {
  const bytes = writeEntries([{ client: 1, clock: 2, state: '{"a":1}' }])
  const promising = new Uint8Array([1, 1, 1, 255, 255, 255, 127, 0])
  const broken: Uint8Array[] = [new Uint8Array([]), new Uint8Array([...bytes, 0]), promising]
  for (let length = 1; length < bytes.length; length++) broken.push(bytes.subarray(0, length))
  for (const wrong of broken) {
    expect(() => readEntries(wrong, { maxEntries: 10 }), `${wrong}`).toThrow(
      expect.objectContaining({ code: "bad-frame" }),
    )
  }
})

it("[P5] writes a frame of no entries that y-protocols takes and that changes nothing", () => {
  const ada = openAwareness()
  const events: unknown[] = []
  ada.on("update", (change: unknown) => events.push(change))
  applyAwarenessUpdate(ada, NO_ENTRIES, "room")
  expect(events).toEqual([])
  expect(readEntries(NO_ENTRIES, { maxEntries: 0 })).toEqual([])
})
