/**
 * Deliveries: large answers to a step 1 that are on their way. What a peer has not read lies in the room's memory, so only
 * so many bytes are on their way at once, and who asks meanwhile waits for its turn (B1).
 */
import type { Limits } from "../limits.ts"

interface UnderWay {
  readonly bytes: number
  readonly sinceMs: number
}

/** What is on its way to whom, and who waits. */
export class Deliveries<Peer> {
  readonly #limits: Pick<Limits, "deliveriesBytes" | "deliveryMs">
  readonly #onLate: (peer: Peer) => void
  readonly #underWay = new Map<Peer, UnderWay>()
  #bytes = 0
  /** Who waits, the first first: how large its answer is, and what sends it. */
  readonly #waiting = new Map<Peer, { readonly bytes: number; readonly send: () => void }>()
  /** Runs only while somebody waits, and keeps the room awake for as long: those that wait are in memory alone. */
  #timer: ReturnType<typeof setTimeout> | null = null

  /** @param onLate called for a peer that has not read for `deliveryMs` while others wait; it is to be let go */
  constructor(limits: Pick<Limits, "deliveriesBytes" | "deliveryMs">, onLate: (peer: Peer) => void) {
    this.#limits = limits
    this.#onLate = onLate
  }

  /** Send at once, or when others have read theirs. Who asks again while it waits, waits for what it asked last. */
  request(peer: Peer, bytes: number, send: () => void): void {
    if (this.#waiting.size === 0 && this.#fits(peer, bytes)) return this.#begin(peer, bytes, send)
    this.#waiting.set(peer, { bytes, send })
    this.#watch()
  }

  /** Somebody has read what was sent, or has left: others may have their turn. */
  done(peer: Peer): void {
    if (!this.#settle(peer)) return
    this.#next()
  }

  /** Somebody has left, and waits no more. */
  forget(peer: Peer): void {
    this.#waiting.delete(peer)
    this.#settle(peer)
    this.#next()
  }

  /** Whoever is alone may have more than all together: crowd closes a peer that asks faster than it reads. */
  #fits(peer: Peer, bytes: number): boolean {
    const others = this.#underWay.size - (this.#underWay.has(peer) ? 1 : 0)
    return others === 0 || this.#bytes + bytes <= this.#limits.deliveriesBytes
  }

  #begin(peer: Peer, bytes: number, send: () => void): void {
    const own = this.#underWay.get(peer)
    this.#underWay.set(peer, { bytes: bytes + (own?.bytes ?? 0), sinceMs: own?.sinceMs ?? Date.now() })
    this.#bytes += bytes
    send()
  }

  #settle(peer: Peer): boolean {
    const own = this.#underWay.get(peer)
    if (own === undefined) return false
    this.#underWay.delete(peer)
    this.#bytes -= own.bytes
    return true
  }

  #next(): void {
    for (const [peer, { bytes, send }] of this.#waiting) {
      if (!this.#fits(peer, bytes)) break
      this.#waiting.delete(peer)
      this.#begin(peer, bytes, send)
    }
    this.#watch()
  }

  /** While somebody waits, the one that has been reading longest has a time limit. */
  #watch(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    const [oldest] = this.#underWay
    if (this.#waiting.size === 0 || oldest === undefined) return
    const [peer, { sinceMs }] = oldest
    const inMs = Math.max(0, sinceMs + this.#limits.deliveryMs - Date.now())
    this.#timer = setTimeout(() => {
      this.#timer = null
      this.#onLate(peer)
      this.forget(peer)
    }, inMs)
  }
}
