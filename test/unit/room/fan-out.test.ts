import { afterEach, beforeEach, expect, it, vi } from "vitest"
import * as Y from "yjs"
import { LIMITS } from "../../../src/limits.ts"
import { FanOut } from "../../../src/room/fan-out.ts"
import type { Dialect } from "../../../src/wire/dialect.ts"
import { yurt, yWebsocket } from "../../../src/wire/y-websocket.ts"

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** A room of this many peers, each second one of our own; `sent` is who got which message. */
function openFanOut(count: number, { entryBytes = 1 } = {}) {
  const peers = new Set(Array.from({ length: count }, (_, i) => i))
  const sent: { peer: number; frame: Uint8Array }[] = []
  const presence: (readonly number[])[] = []
  const fanOut = new FanOut<number>(
    {
      peers,
      dialectOf: (peer) => (peer % 2 === 0 ? yWebsocket : yurt),
      send: (peer, frame) => void sent.push({ peer, frame: frame as Uint8Array }),
      encodePresence: (clients) => {
        presence.push(clients)
        return new Uint8Array(entryBytes).fill(clients.length)
      },
    },
    LIMITS,
  )
  return { fanOut, sent, presence, peers }
}

/** Updates of one author who types letter after letter. */
function keystrokes(count: number): Uint8Array[] {
  const doc = new Y.Doc()
  const updates: Uint8Array[] = []
  doc.on("update", (update: Uint8Array) => updates.push(update))
  for (let i = 0; i < count; i++) doc.getText("text").insert(i, "a")
  return updates
}

it("[F1] relays at once in a quiet room, to everyone but the sender", () => {
  const { fanOut, sent } = openFanOut(4)
  fanOut.update(keystrokes(1)[0]!, 0)
  expect(sent.map(({ peer }) => peer)).toEqual([1, 2, 3])
})

it("[F1] puts what comes within the window into one frame, and is quiet again after it", () => {
  const { fanOut, sent } = openFanOut(100)
  const updates = keystrokes(52)
  fanOut.update(updates[0]!, 0)
  expect(sent).toHaveLength(99)
  for (const update of updates.slice(1, 51)) fanOut.update(update, 0)
  expect(sent).toHaveLength(99)
  vi.runAllTimers()
  expect(sent).toHaveLength(198)
  vi.advanceTimersByTime(LIMITS.tickCeilingMs)
  fanOut.update(updates[51]!, 0)
  expect(sent).toHaveLength(297)
})

it("[F1] lets the window grow with the receivers, to a ceiling", () => {
  const windowOf = (peers: number) => {
    const { fanOut, sent } = openFanOut(peers)
    const [first, second] = keystrokes(2)
    fanOut.update(first!, null)
    fanOut.update(second!, null)
    const startedAt = Date.now()
    vi.runAllTimers()
    expect(sent).toHaveLength(2 * peers)
    return Date.now() - startedAt
  }
  expect(windowOf(50)).toBeLessThan(windowOf(200))
  expect(windowOf(10_000)).toBeLessThanOrEqual(LIMITS.tickCeilingMs)
})

it("[F2] encodes once per dialect for all receivers of a tick", () => {
  const { fanOut, sent } = openFanOut(50)
  fanOut.update(keystrokes(1)[0]!, null)
  fanOut.awareness([1], null)
  vi.runAllTimers()
  expect(sent).toHaveLength(100)
  expect(new Set(sent.map(({ frame }) => frame)).size).toBe(4)
})

it("[F2] sends nothing to a peer whose dialect has no word for it", () => {
  const sent: number[] = []
  const silent: Dialect = { ...yurt, name: "silent", write: () => null }
  const fanOut = new FanOut<number>(
    {
      peers: new Set([1, 2, 3]),
      dialectOf: (peer) => (peer === 2 ? silent : yurt),
      send: (peer) => void sent.push(peer),
      encodePresence: () => new Uint8Array(1),
    },
    LIMITS,
  )
  fanOut.update(keystrokes(1)[0]!, null)
  expect(sent).toEqual([1, 3])
})

it("[P5] relays renewals at once and leaves no timer behind, however close they come", () => {
  const { fanOut, presence } = openFanOut(10)
  fanOut.awareness([1], 1, { renewal: true })
  fanOut.awareness([2], 2, { renewal: true })
  fanOut.awareness([3], 3, { renewal: true })
  expect(presence).toEqual([[1], [2], [3]])
  expect(vi.getTimerCount()).toBe(0)
})

it("[F1] gathers renewals with what waits, and in a large room with each other", () => {
  const busy = openFanOut(10)
  busy.fanOut.awareness([1], 1)
  busy.fanOut.awareness([2], 2)
  busy.fanOut.awareness([3], 3, { renewal: true })
  expect(busy.presence).toEqual([[1]])
  vi.runAllTimers()
  expect(busy.presence).toEqual([[1], [2, 3]])
  const large = openFanOut(LIMITS.renewalSockets + 1)
  for (const client of [1, 2, 3]) large.fanOut.awareness([client], client, { renewal: true })
  vi.runAllTimers()
  expect(large.presence).toEqual([[1], [2, 3]])
})

it("[B3] relays large awareness states less often than copying them would take", () => {
  const { fanOut, presence } = openFanOut(500, { entryBytes: LIMITS.awarenessBytes })
  fanOut.awareness([1], 1)
  fanOut.awareness([1], 1)
  vi.advanceTimersByTime(LIMITS.tickCeilingMs)
  expect(presence).toHaveLength(1)
  vi.advanceTimersByTime(LIMITS.presenceCeilingMs)
  expect(presence).toHaveLength(2)
})

it("[F2] sends a client's newest awareness state once a tick", () => {
  const { fanOut, presence } = openFanOut(100)
  fanOut.awareness([1], 1)
  for (let i = 0; i < 20; i++) fanOut.awareness([2, 3], 2)
  vi.runAllTimers()
  expect(presence).toEqual([[1], [2, 3]])
})

it("merges a tick into one update that loses nothing", () => {
  const { fanOut, sent } = openFanOut(100)
  const updates = keystrokes(200)
  for (const update of updates) fanOut.update(update, 0)
  vi.runAllTimers()
  const doc = new Y.Doc()
  // A frame is two type bytes and the length of the update before it.
  for (const { frame } of sent.filter(({ peer }) => peer === 1))
    Y.applyUpdate(doc, frame.subarray(frame.length < 130 ? 3 : 4))
  expect(doc.getText("text").length).toBe(200)
})

it("does not merge what nobody receives", () => {
  const { fanOut, sent } = openFanOut(1)
  fanOut.update(new Uint8Array([255]), 0)
  fanOut.flush()
  expect(sent).toEqual([])
})
