/**
 * Counting what arrived. While a clock runs, receivers only keep frames and times; which updates a frame holds,
 * merged or not, is read from its sections afterwards, so counting is never part of what is measured.
 */

import * as Y from "yjs"
import type { Kind, LoadClient } from "./load-client.ts"

interface Arrival {
  readonly atMs: number
  readonly kind: Kind
  readonly frame: Buffer
}

/** What one receiver has got: its frames, and how far each writer's clock has come. */
export class Receiver {
  readonly #arrivals: Arrival[] = []
  #read = 0
  /** The client whose frames these are; set when it is connected. */
  client: LoadClient | undefined
  /** Writer's client id → the clock up to which everything has arrived. */
  readonly clocks = new Map<number, number>()
  /** When the newest digested frame that brought something new came, ms. */
  newestAtMs = 0

  readonly listener = (kind: Kind, frame: Buffer): void => {
    if (kind === "update" || kind === "step2") this.#arrivals.push({ atMs: performance.now(), kind, frame })
  }

  /**
   * Read the frames that came since the last digest.
   *
   * @param fresh hears of every clock that is new: who, from, up to (exclusive), when it arrived
   */
  digest(fresh?: (clientId: number, from: number, to: number, atMs: number) => void): void {
    for (; this.#read < this.#arrivals.length; this.#read++) {
      const { atMs } = this.#arrivals[this.#read]!
      const { from, to } = Y.parseUpdateMeta(this.#update(this.#read))
      for (const [clientId, end] of to) {
        const have = this.clocks.get(clientId) ?? 0
        const start = from.get(clientId) ?? 0
        // A gap means that something was lost or comes later; only what is contiguous counts as had.
        if (end <= have || start > have) continue
        fresh?.(clientId, have, end, atMs)
        this.clocks.set(clientId, end)
        this.newestAtMs = atMs
      }
    }
  }

  /** All updates received, in order. */
  updates(): Uint8Array[] {
    return this.#arrivals.map((_arrival, index) => this.#update(index))
  }

  /** When the last update frame came, ms; 0 if none did. */
  get lastAtMs(): number {
    return this.#arrivals.at(-1)?.atMs ?? 0
  }

  get frames(): number {
    return this.#arrivals.length
  }

  #update(index: number): Buffer {
    const { kind, frame } = this.#arrivals[index]!
    return this.client!.payload(kind, frame)
  }
}

const STEP_MS = 0.1
const STEPS = 600_000

/** Times in steps of 0.1 ms, up to a minute. */
export class Histogram {
  readonly #counts = new Uint32Array(STEPS + 1)
  count = 0

  note(ms: number): void {
    this.#counts[Math.min(STEPS, Math.max(0, Math.round(ms / STEP_MS)))]!++
    this.count++
  }

  /** @param share 0.5 is the median · @returns ms, NaN when nothing was noted */
  quantile(share: number): number {
    if (this.count === 0) return Number.NaN
    let left = Math.ceil(share * this.count)
    for (let step = 0; step <= STEPS; step++) {
      left -= this.#counts[step]!
      if (left <= 0) return step * STEP_MS
    }
    return STEPS * STEP_MS
  }
}
