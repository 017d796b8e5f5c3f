import { afterEach, beforeEach, expect, it, vi } from "vitest"
import { LIMITS } from "../../../src/limits.ts"
import { CrowdWindow, LateWindow, Throttle } from "../../../src/room/throttle.ts"

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** A throttle, and the times at which its task ran from now on. */
function openThrottle({ windowMs = 100, wholeWindow = false } = {}) {
  const beganAt = Date.now()
  const ranAtMs: number[] = []
  const throttle = new Throttle(
    () => {
      ranAtMs.push(Date.now() - beganAt)
      return windowMs
    },
    { wholeWindow },
  )
  return { throttle, ranAtMs }
}

it("[F1] runs at once after a pause, and then once a window for all who ask", () => {
  const { throttle, ranAtMs } = openThrottle()
  for (let i = 0; i < 5; i++) throttle.soon()
  vi.advanceTimersByTime(1_000)
  throttle.soon()
  vi.advanceTimersByTime(30)
  throttle.soon()
  vi.runAllTimers()
  expect(ranAtMs).toEqual([0, 100, 1_000, 1_100])
})

it("waits a whole window from the first who asks where that is wanted", () => {
  const { throttle, ranAtMs } = openThrottle({ wholeWindow: true })
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

it("runs when it is due although no timer gets to run, as under a flood of messages", () => {
  const { throttle, ranAtMs } = openThrottle()
  throttle.soon()
  throttle.soon()
  vi.setSystemTime(Date.now() + 150)
  throttle.soon()
  expect(ranAtMs).toEqual([0, 150])
  expect(vi.getTimerCount()).toBe(0)
})

it("waits no longer than the window where the wall clock was set back a day", () => {
  const { throttle, ranAtMs } = openThrottle()
  throttle.soon()
  vi.setSystemTime(Date.now() - 86_400_000)
  throttle.soon()
  vi.advanceTimersByTime(99)
  expect(ranAtMs).toHaveLength(1)
  vi.advanceTimersByTime(1)
  expect(ranAtMs).toHaveLength(2)
})

it("does not rest where there was nothing to do", () => {
  const works = [false, true, false, true]
  const ranAtMs: number[] = []
  const beganAt = Date.now()
  const throttle = new Throttle(() => {
    ranAtMs.push(Date.now() - beganAt)
    return works.shift() === true ? 100 : null
  })
  throttle.soon()
  throttle.soon()
  // Nothing to do in between does not end the rest either.
  vi.advanceTimersByTime(10)
  throttle.now()
  throttle.soon()
  vi.runAllTimers()
  expect(ranAtMs).toEqual([0, 0, 10, 100])
})

it("runs now on demand, and leaves nothing waiting", () => {
  const { throttle, ranAtMs } = openThrottle()
  throttle.soon()
  throttle.soon()
  vi.advanceTimersByTime(10)
  throttle.now()
  expect(ranAtMs).toEqual([0, 10])
  expect(vi.getTimerCount()).toBe(0)
  throttle.soon()
  vi.runAllTimers()
  expect(ranAtMs).toEqual([0, 10, 110])
})

it("lets a task that failed ask for another run, whether anyone asks or not", () => {
  const ranAtMs: number[] = []
  const beganAt = Date.now()
  const throttle: Throttle = new Throttle(() => {
    ranAtMs.push(Date.now() - beganAt)
    if (ranAtMs.length > 2) return 100
    throttle.later(300)
    return null
  })
  throttle.soon()
  vi.runAllTimers()
  expect(ranAtMs).toEqual([0, 300, 600])
})

it("tells its task how late the timer was, and nothing where no timer was", () => {
  const lateMs: (number | null)[] = []
  const throttle = new Throttle((late) => {
    lateMs.push(late)
    return 100
  })
  throttle.soon()
  throttle.soon()
  vi.setSystemTime(Date.now() + 40)
  vi.advanceTimersToNextTimer()
  throttle.now()
  expect(lateMs).toEqual([null, 40, null])
})

function openLateWindow() {
  return new LateWindow({ floorMs: LIMITS.commitWindowMs, ceilingMs: LIMITS.commitCeilingMs }, LIMITS)
}

it("grows a window while timers run late, to its ceiling, and shrinks it again", () => {
  const window = openLateWindow()
  // One pause is no load.
  expect(window.after(300)).toBe(LIMITS.commitWindowMs)
  expect(window.after(0)).toBe(LIMITS.commitWindowMs)
  for (let i = 0; i < 3; i++) window.after(30)
  expect(window.after(30)).toBeGreaterThan(2 * LIMITS.commitWindowMs)
  for (let i = 0; i < 10; i++) window.after(30)
  expect(window.windowMs).toBe(LIMITS.commitCeilingMs)
  for (let i = 0; i < 50; i++) window.after(0)
  expect(window.windowMs).toBe(LIMITS.commitWindowMs)
})

it("grows a window at once where the queue is long, and not by runs without a timer", () => {
  const window = openLateWindow()
  window.after(2_000)
  expect(window.after(null)).toBe(LIMITS.commitWindowMs)
  expect(window.after(2_000)).toBe(LIMITS.commitCeilingMs)
})

it("doubles a window while a crowd gathers in it, from its floor to its ceiling, and halves it after", () => {
  const window = new CrowdWindow(8)
  const bounds = { floorMs: 3, ceilingMs: 25 }
  const crowded = [9, 9, 9, 9, 9].map((gathered) => window.after(gathered, bounds))
  expect(crowded).toEqual([3, 6, 12, 24, 25])
  expect(window.after(5, bounds)).toBe(25)
  expect([1, 1, 1, 1].map((gathered) => window.after(gathered, bounds))).toEqual([12.5, 6.25, 3.125, 3])
})
