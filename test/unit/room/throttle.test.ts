import { afterEach, beforeEach, expect, it, vi } from "vitest"
import { LIMITS } from "../../../src/limits.ts"
import { Throttle } from "../../../src/room/throttle.ts"

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** A throttle and the times its task ran at, from now on. */
function openThrottle(options: ConstructorParameters<typeof Throttle>[1]) {
  const beganAt = Date.now()
  const ranAtMs: number[] = []
  const throttle: Throttle = new Throttle(() => {
    throttle.clear()
    ranAtMs.push(Date.now() - beganAt)
    throttle.rest()
  }, options)
  return { throttle, ranAtMs }
}

/** The window as it is now: how long the next run is away from this one. The timer runs this late. */
function windowOf({ throttle, ranAtMs }: ReturnType<typeof openThrottle>, lateMs = 0): number {
  const before = Date.now()
  throttle.soon()
  const runs = ranAtMs.length
  vi.setSystemTime(Date.now() + lateMs)
  vi.advanceTimersToNextTimer()
  expect(ranAtMs).toHaveLength(runs + 1)
  return Date.now() - before - lateMs
}

it("[F1] does it at once after a pause, and then once a window for all who ask", () => {
  const { throttle, ranAtMs } = openThrottle({ windowMs: 100 })
  for (let i = 0; i < 5; i++) throttle.soon()
  vi.advanceTimersByTime(1_000)
  throttle.soon()
  vi.advanceTimersByTime(30)
  throttle.soon()
  vi.runAllTimers()
  expect(ranAtMs).toEqual([0, 100, 1_000, 1_100])
})

it("waits a whole window from the first who asks where that is wanted", () => {
  const { throttle, ranAtMs } = openThrottle({ windowMs: 100, wholeWindow: true })
  throttle.soon()
  for (const waitMs of [60, 60, 60]) {
    vi.advanceTimersByTime(waitMs)
    throttle.soon()
  }
  expect(ranAtMs).toEqual([0, 160])
  vi.advanceTimersByTime(100)
  expect(ranAtMs).toEqual([0, 160, 280])
  vi.advanceTimersByTime(100)
  throttle.soon()
  expect(ranAtMs).toEqual([0, 160, 280, 380])
})

it("does it when it is due although no timer gets to run, as under a flood of messages", () => {
  const { throttle, ranAtMs } = openThrottle({ windowMs: 100 })
  throttle.soon()
  throttle.soon()
  vi.setSystemTime(Date.now() + 150)
  throttle.soon()
  expect(ranAtMs).toEqual([0, 150])
  expect(vi.getTimerCount()).toBe(0)
})

it("waits no longer than the window where the wall clock was set back a day", () => {
  const { throttle, ranAtMs } = openThrottle({ windowMs: 100 })
  throttle.soon()
  vi.setSystemTime(Date.now() - 86_400_000)
  throttle.soon()
  vi.advanceTimersByTime(99)
  expect(ranAtMs).toHaveLength(1)
  vi.advanceTimersByTime(1)
  expect(ranAtMs).toHaveLength(2)
})

it("does what failed again after a window, whether anyone asks or not", () => {
  const { throttle, ranAtMs } = openThrottle({ windowMs: 100 })
  throttle.later()
  throttle.soon()
  vi.runAllTimers()
  expect(ranAtMs).toEqual([100])
})

it("grows the window while timers run late, to its ceiling, and shrinks it again", () => {
  const opened = openThrottle({ windowMs: LIMITS.commitWindowMs, ceilingMs: LIMITS.commitCeilingMs })
  opened.throttle.soon()
  expect(windowOf(opened, 300)).toBe(LIMITS.commitWindowMs)
  // One pause is no load.
  expect(windowOf(opened)).toBe(LIMITS.commitWindowMs)
  for (let i = 0; i < 3; i++) windowOf(opened, 30)
  expect(windowOf(opened, 30)).toBeGreaterThan(2 * LIMITS.commitWindowMs)
  for (let i = 0; i < 10; i++) windowOf(opened, 30)
  expect(windowOf(opened)).toBe(LIMITS.commitCeilingMs)
  for (let i = 0; i < 50; i++) windowOf(opened)
  expect(windowOf(opened)).toBe(LIMITS.commitWindowMs)
})

it("grows the window at once where the queue is long", () => {
  const opened = openThrottle({ windowMs: LIMITS.commitWindowMs, ceilingMs: LIMITS.commitCeilingMs })
  opened.throttle.soon()
  for (let i = 0; i < 2; i++) windowOf(opened, 2_000)
  expect(windowOf(opened)).toBe(LIMITS.commitCeilingMs)
})
