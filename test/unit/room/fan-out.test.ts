import { afterEach, beforeEach, expect, it, vi } from "vitest"
import * as Y from "yjs"
import { LIMITS } from "../../../src/limits.ts"
import { FanOut } from "../../../src/room/fan-out.ts"

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** A room of this many peers; `sent` is who got how long a frame. */
function openFanOut(count: number) {
  const peers = new Set(Array.from({ length: count }, (_, i) => i))
  const sent: { peer: number; frame: Uint8Array }[] = []
  const presence: (readonly number[])[] = []
  const fanOut = new FanOut<number>(
    {
      peers,
      send: (peer, frame) => void sent.push({ peer, frame }),
      encodePresence: (clients) => {
        presence.push(clients)
        return new Uint8Array([clients.length])
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

it("[F2] encodes once for all receivers of a tick", () => {
  const { fanOut, sent } = openFanOut(50)
  fanOut.update(keystrokes(1)[0]!, null)
  expect(new Set(sent.map(({ frame }) => frame)).size).toBe(1)
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
