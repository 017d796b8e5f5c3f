/**
 * Throttle: what a room does for many at once (relay, commit, attach) it does at once after a pause, and then at most
 * once a window, for all who asked meanwhile. Where it costs more than waiting does (a commit), the wait is a whole
 * window from the first who asks: nobody waits longer than before, and it is done less often.
 *
 * A window may be let grow while the machine has more to do than it can. The sign is a timer that runs late: where many
 * rooms share a thread and a disk, none of them sees how many they are, and each feels it there. Were they all to go on
 * at their pace, the queue before the disk would grow without end; each doing less is what makes all of them quicker,
 * as on a network that is full.
 */

/** A timer that runs this late twice in a row is a machine that cannot keep up, ms: a garbage collection makes one late. */
const LATE_MS = 20
/** What a window grows by for every late timer, and shrinks by for every one in time. */
const GROW = 1.5
const SHRINK = 0.95
/** However slow, a window is this many times as long as its timers are late: a long queue shrinks from the first on. */
const LATENESSES = 4

export class Throttle {
  readonly #task: () => void
  readonly #wholeWindow: boolean
  readonly #floorMs: number
  readonly #ceilingMs: number
  #windowMs: number
  #nextAt = 0
  #timer: ReturnType<typeof setTimeout> | null = null
  #dueAt = 0
  /** How late the last timer ran. */
  #lateMs = 0

  /**
   * @param task is to call `clear` when it begins, and `rest` when it has done something
   * @param options.ceilingMs how long the window may grow while timers run late; by default it does not
   * @param options.wholeWindow wait a window from the first who asks, not from the last time
   */
  constructor(
    task: () => void,
    {
      windowMs,
      ceilingMs = windowMs,
      wholeWindow = false,
    }: { windowMs: number; ceilingMs?: number; wholeWindow?: boolean },
  ) {
    this.#task = task
    this.#wholeWindow = wholeWindow
    this.#floorMs = windowMs
    this.#ceilingMs = ceilingMs
    this.#windowMs = windowMs
  }

  /** Now, where a window has passed since the last time; else when the wait is over. */
  soon(): void {
    if (this.#timer !== null) {
      // Under a flood workerd delivers message after message before it runs a timer that is due.
      if (Date.now() >= this.#dueAt) this.#fire()
      return
    }
    const leftMs = this.#nextAt - Date.now()
    if (leftMs <= 0) this.#task()
    // The wall clock may have been set back: a wait is never longer than the window.
    else this.#wait(this.#wholeWindow ? this.#windowMs : Math.min(leftMs, this.#windowMs))
  }

  /** A window from now, whether anyone asks meanwhile or not. */
  later(): void {
    this.clear()
    this.#wait(this.#windowMs)
  }

  /** It begins: nothing waits any more. */
  clear(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }

  /** It is done, and will be again in a window at the earliest. */
  rest(windowMs = this.#windowMs): void {
    this.#windowMs = windowMs
    this.#nextAt = Date.now() + windowMs
  }

  #wait(waitMs: number): void {
    this.#dueAt = Date.now() + waitMs
    this.#timer = setTimeout(() => this.#fire(), waitMs)
  }

  #fire(): void {
    this.#adapt(Date.now() - this.#dueAt)
    this.#task()
  }

  #adapt(lateMs: number): void {
    const steadyMs = Math.min(lateMs, this.#lateMs)
    this.#lateMs = lateMs
    const factor = steadyMs > LATE_MS ? GROW : SHRINK
    const windowMs = Math.max(this.#windowMs * factor, steadyMs * LATENESSES)
    this.#windowMs = Math.max(Math.min(windowMs, this.#ceilingMs), this.#floorMs)
  }
}
