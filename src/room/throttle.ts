/**
 * Throttle: runs a task at most once a window. The first call after a pause runs it at once. With `wholeWindow`, a later
 * call waits a full window from that call: a task that costs more than waiting does (a commit) is run less often, and
 * nobody waits longer than before.
 *
 * The task returns the length of the next window. Two classes compute one that grows: `LateWindow` while the machine cannot
 * keep up, `CrowdWindow` while much is gathered.
 */

/**
 * The task of a throttle.
 * @param lateMs how late the timer of this run fired, ms; null where no timer started it
 * @returns the window that starts now, ms; null where there was nothing to do, which leaves the window as it is
 */
export type Task = (lateMs: number | null) => number | null

/**
 * Runs a task at most once a window.
 *
 * @example
 *   const saves = new Throttle(() => (save() ? 800 : null))
 *   saves.soon()
 */
export class Throttle {
  readonly #task: Task
  readonly #wholeWindow: boolean
  #windowMs = 0
  #nextAt = 0
  #timer: ReturnType<typeof setTimeout> | null = null
  #dueAt = 0

  /** @param options.wholeWindow wait a window from the first who asks, not from the last run */
  constructor(task: Task, { wholeWindow = false }: { wholeWindow?: boolean } = {}) {
    this.#task = task
    this.#wholeWindow = wholeWindow
  }

  /** Run at once if the window since the last run has passed; else when it has. */
  soon(): void {
    if (this.#timer !== null) {
      // Under a flood workerd delivers message after message before it runs a timer that is due.
      if (Date.now() >= this.#dueAt) this.#run(Date.now() - this.#dueAt)
      return
    }
    const leftMs = this.#nextAt - Date.now()
    if (leftMs <= 0) this.#run(null)
    // The wall clock may have been set back: a wait is never longer than the window.
    else this.#wait(this.#wholeWindow ? this.#windowMs : Math.min(leftMs, this.#windowMs))
  }

  /** Run at once, and cancel a run that was planned. */
  now(): void {
    this.#run(null)
  }

  /** Plan a run in this many ms, to try again what failed. The task may call it. */
  later(waitMs: number): void {
    this.#cancel()
    this.#wait(waitMs)
  }

  #wait(waitMs: number): void {
    this.#dueAt = Date.now() + waitMs
    this.#timer = setTimeout(() => this.#run(Date.now() - this.#dueAt), waitMs)
  }

  #cancel(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }

  #run(lateMs: number | null): void {
    this.#cancel()
    const windowMs = this.#task(lateMs)
    if (windowMs === null) return
    this.#windowMs = windowMs
    this.#nextAt = Date.now() + windowMs
  }
}

/** The numbers of limits.ts that a `LateWindow` goes by. */
export interface Lateness {
  readonly lateMs: number
  readonly lateGrowth: number
  readonly lateShrink: number
  readonly lateFactor: number
}

/**
 * A window that grows while timers fire late. Rooms that share a thread and a disk cannot see each other, but each sees
 * its own timers fire late. If all kept their pace, the queue before the disk would grow without end; if each does less,
 * all become quicker, as senders do on a congested network.
 */
export class LateWindow {
  readonly #floorMs: number
  readonly #ceilingMs: number
  readonly #lateness: Lateness
  #windowMs: number
  /** How late the last timer ran. */
  #lateMs = 0

  /** Starts at its floor. */
  constructor({ floorMs, ceilingMs }: { floorMs: number; ceilingMs: number }, lateness: Lateness) {
    this.#floorMs = floorMs
    this.#ceilingMs = ceilingMs
    this.#lateness = lateness
    this.#windowMs = floorMs
  }

  /** The window now, ms. */
  get windowMs(): number {
    return this.#windowMs
  }

  /** @param lateMs how late the timer ran, ms; null (no timer) changes nothing · @returns the window from here on, ms */
  after(lateMs: number | null): number {
    if (lateMs === null) return this.#windowMs
    const steadyMs = Math.min(lateMs, this.#lateMs)
    this.#lateMs = lateMs
    const { lateMs: boundMs, lateGrowth, lateShrink, lateFactor } = this.#lateness
    const factor = steadyMs > boundMs ? lateGrowth : lateShrink
    const windowMs = Math.max(this.#windowMs * factor, steadyMs * lateFactor)
    this.#windowMs = Math.max(Math.min(windowMs, this.#ceilingMs), this.#floorMs)
    return this.#windowMs
  }
}

/** A window that doubles after one that gathered many items and halves after one that gathered few. */
export class CrowdWindow {
  readonly #crowd: number
  #windowMs = 0

  /** @param crowd more items than this in one window are a crowd */
  constructor(crowd: number) {
    this.#crowd = crowd
  }

  /** @param gathered items in the window that has ended · @returns the window from here on, ms */
  after(gathered: number, { floorMs, ceilingMs }: { floorMs: number; ceilingMs: number }): number {
    if (gathered > this.#crowd) this.#windowMs *= 2
    else if (gathered * 2 < this.#crowd) this.#windowMs /= 2
    this.#windowMs = Math.min(Math.max(this.#windowMs, floorMs), ceilingMs)
    return this.#windowMs
  }
}
