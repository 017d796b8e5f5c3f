/**
 * Rate: a token bucket, for a socket's frames and for its bytes.
 *
 * It has no timer, since a pending one would keep the room from hibernating: the level is computed when `take` is called.
 */

/** Allows a burst of `capacity`, and `perSecond` in the long run. */
export class TokenBucket {
  readonly #capacity: number
  readonly #perSecond: number
  #level: number
  #lookedAtMs: number | null = null

  /**
   * Starts full.
   *
   * @param capacity the largest burst, and the largest `n` that `take` can ever grant: for bytes, at least one frame
   * @param perSecond how fast it fills
   */
  constructor(capacity: number, perSecond: number) {
    this.#capacity = capacity
    this.#perSecond = perSecond
    this.#level = capacity
  }

  /**
   * Take `n`, or nothing.
   *
   * @param n how many, ≥ 0
   * @param nowMs the wall clock. A clock set back neither fills nor drains the bucket
   * @returns false when fewer than `n` are there; a refused `take` costs nothing
   */
  take(n: number, nowMs: number): boolean {
    const elapsedMs = this.#lookedAtMs === null ? 0 : Math.max(0, nowMs - this.#lookedAtMs)
    this.#lookedAtMs = nowMs
    this.#level = Math.min(this.#capacity, this.#level + (elapsedMs / 1000) * this.#perSecond)
    if (n > this.#level) return false
    this.#level -= n
    return true
  }
}
