/** Large first answers take turns (B1). */
import { afterEach, beforeEach, expect, it, vi } from "vitest"
import { Deliveries } from "../../../src/room/deliveries.ts"

const LIMITS = { deliveriesBytes: 100, deliveryMs: 1_000 }

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

function open() {
  const sent: string[] = []
  const late: string[] = []
  const deliveries = new Deliveries<string>(LIMITS, (peer) => late.push(peer))
  const ask = (peer: string, bytes: number) =>
    deliveries.request(peer, bytes, () => sent.push(`${peer} ${bytes}`))
  return { deliveries, ask, sent, late }
}

it("[B1] sends at once while it fits, and the rest in the order in which they asked", () => {
  const { deliveries, ask, sent } = open()
  for (const peer of ["ada", "bo", "cleo", "dan"]) ask(peer, 50)
  expect(sent).toEqual(["ada 50", "bo 50"])
  deliveries.done("bo")
  expect(sent).toEqual(["ada 50", "bo 50", "cleo 50"])
  deliveries.done("bo")
  expect(sent).toHaveLength(3)
  deliveries.forget("ada")
  expect(sent.at(-1)).toBe("dan 50")
})

it("[B1] sends one that is larger than all together may be, when nothing else is on its way", () => {
  const { deliveries, ask, sent } = open()
  ask("ada", 10)
  ask("bo", 1_000)
  ask("cleo", 10)
  expect(sent).toEqual(["ada 10"])
  deliveries.done("ada")
  expect(sent).toEqual(["ada 10", "bo 1000"])
  deliveries.done("bo")
  expect(sent.at(-1)).toBe("cleo 10")
})

it("[B1] lets who does not read go while others wait, and nobody where nobody waits", () => {
  const { deliveries, ask, sent, late } = open()
  ask("ada", 80)
  vi.advanceTimersByTime(60_000)
  expect([late, vi.getTimerCount()]).toEqual([[], 0])
  ask("bo", 80)
  vi.advanceTimersByTime(1)
  expect([late, sent]).toEqual([["ada"], ["ada 80", "bo 80"]])
  ask("cleo", 80)
  vi.advanceTimersByTime(900)
  expect(late).toEqual(["ada"])
  deliveries.done("bo")
  expect([late, sent.at(-1), vi.getTimerCount()]).toEqual([["ada"], "cleo 80", 0])
})

it("[B1] answers what was asked last by one who asks twice, and nothing to one who has left", () => {
  const { deliveries, ask, sent } = open()
  ask("ada", 80)
  ask("bo", 80)
  ask("bo", 60)
  ask("cleo", 80)
  deliveries.forget("cleo")
  deliveries.done("ada")
  deliveries.done("bo")
  expect([sent, vi.getTimerCount()]).toEqual([["ada 80", "bo 60"], 0])
  ask("ada", 80)
  ask("ada", 80)
  ask("bo", 10)
  // Alone it may ask again before it has read; with what is on its way nobody else fits.
  expect(sent.slice(2)).toEqual(["ada 80", "ada 80"])
  deliveries.done("ada")
  expect(sent.at(-1)).toBe("bo 10")
})
