/**
 * How much in how short a time: a token bucket for a socket's frames and one for its bytes, and the platform's count of upgrades.
 *
 * No timer (a pending one would keep the room from hibernating): the bucket fills when it is looked at.
 */
import { SyncError } from "../errors.ts"

/** Lets `capacity` through at once and `perSecond` for as long as it takes. */
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

/** The platform's rate limit. @source Cloudflare Workers, rate limiting binding: counts per location, eventually */
interface RateLimitBinding {
  limit(options: { key: string }): Promise<{ success: boolean }>
}

/**
 * Count one upgrade of a subject against the binding `UPGRADES`, where wrangler.toml has one.
 * @throws SyncError "rate-limited"
 */
export async function limitUpgrades(env: object, subject: string | null): Promise<void> {
  const { UPGRADES } = env as { UPGRADES?: RateLimitBinding }
  if (UPGRADES === undefined || subject === null) return
  const { success } = await UPGRADES.limit({ key: subject })
  if (!success)
    throw new SyncError("rate-limited", "Too many connections were opened in a short time; wait a little.")
}
