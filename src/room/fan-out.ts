/**
 * Fan-out: what goes out to the sockets of a room, one frame a tick instead of one a keystroke.
 *
 * Every `send` costs about as much as the work behind it (20–30 µs), so what arrives together leaves
 * together: the updates of a tick merged into one, the awareness of a tick as the newest state of each
 * client, each encoded once for all receivers (F2).
 *
 * A quiet room relays in the very event that brought the message. After a tick the next one waits until the room
 * has spent as long on other things as `REST` times the tick has cost; while a window gathers a crowd it doubles, to a
 * ceiling, and a window that gathers next to nothing halves it again. So it grows with receivers, bytes and load, and
 * is not felt in a room where less comes than fits between two ticks (F1).
 *
 * Peers see an edit before it is on disk. That is safe: an update is a fact about its author's document,
 * which the author resends until it is acknowledged, and applying it twice changes nothing. If the room dies in
 * between, the peers hold it too and give it back. An acknowledgement is a promise to forget, so it waits for
 * the disk.
 */

import type { Limits } from "../limits.ts"
import { mergeUpdates } from "../update/merge.ts"
import { writeAwareness, writeUpdate } from "../wire/y-websocket.ts"
import { Throttle } from "./throttle.ts"

/** What one send costs, ms; measured on workerd, several sends to a socket in one turn share it. */
const SEND_MS = 0.025
/** What one byte sent costs, ms: copying at about 1 GB/s. */
const BYTE_MS = 1e-6
/** Between ticks a busy room spends this many times a tick's cost on receiving. */
const REST = 3
/** A tick that gathered more than this doubles the window after it; one that gathered less than half of it halves it. */
const CROWD = 8

/** Where frames go. */
export interface Outlet<Peer> {
  /** The sockets that are open now. */
  readonly peers: ReadonlySet<Peer>
  send(peer: Peer, frame: Uint8Array): void
  /** Encode the newest awareness state of these clients. */
  encodePresence(clients: readonly number[]): Uint8Array
}

export class FanOut<Peer> {
  readonly #outlet: Outlet<Peer>
  readonly #limits: Limits
  readonly #updates = new Batch<Peer, Uint8Array>()
  readonly #awareness = new Batch<Peer, number>()
  #bytes = 0
  /** Grows with the load; the cost of a tick is its floor. */
  #windowMs = 0
  readonly #ticks = new Throttle(() => this.flush(), { windowMs: 0 })

  constructor(outlet: Outlet<Peer>, limits: Limits) {
    this.#outlet = outlet
    this.#limits = limits
  }

  /** Relay an update to everyone but its sender (null: everyone). */
  update(update: Uint8Array, sender: Peer | null): void {
    this.#updates.add(update, sender)
    this.#bytes += update.length
    this.#schedule()
  }

  /** Relay these clients' awareness states to everyone but their sender (null: everyone). */
  awareness(clients: readonly number[], sender: Peer | null): void {
    for (const client of clients) this.#awareness.add(client, sender)
    this.#schedule()
  }

  /** Send now what waits. Updates first: a cursor refers to the text it stands in. */
  flush(): void {
    this.#ticks.clear()
    let sent = 0
    let bytes = 0
    const relay = (frame: Uint8Array, sender: Peer | null) => {
      for (const peer of this.#outlet.peers) {
        if (peer === sender) continue
        this.#outlet.send(peer, frame)
        sent++
        bytes += frame.length
      }
    }
    const gathered = this.#updates.size + this.#awareness.size
    const updates = this.#updates.take()
    if (updates !== null && this.#hasReceivers(updates.sender)) {
      relay(writeUpdate(mergeUpdates(updates.items)), updates.sender)
    }
    const clients = this.#awareness.take()
    if (clients !== null && this.#hasReceivers(clients.sender)) {
      relay(writeAwareness(this.#outlet.encodePresence([...new Set(clients.items)])), clients.sender)
    }
    this.#bytes = 0
    if (gathered > CROWD) this.#windowMs *= 2
    else if (gathered * 2 < CROWD) this.#windowMs /= 2
    const floorMs = REST * (sent * SEND_MS + bytes * BYTE_MS)
    this.#windowMs = Math.min(Math.max(this.#windowMs, floorMs), this.#limits.tickCeilingMs)
    this.#ticks.rest(this.#windowMs)
  }

  #hasReceivers(sender: Peer | null): boolean {
    const { peers } = this.#outlet
    return peers.size > 1 || (peers.size === 1 && (sender === null || !peers.has(sender)))
  }

  #schedule(): void {
    if (this.#bytes >= this.#limits.commitBytes) this.flush()
    else this.#ticks.soon()
  }
}

/** What waits for a tick, and its sender while it has only one: that one does not get its own back. */
class Batch<Peer, Item> {
  #items: Item[] = []
  #sender: Peer | null = null

  get size(): number {
    return this.#items.length
  }

  add(item: Item, sender: Peer | null): void {
    this.#sender = this.#items.length === 0 || this.#sender === sender ? sender : null
    this.#items.push(item)
  }

  take(): { items: Item[]; sender: Peer | null } | null {
    if (this.#items.length === 0) return null
    const batch = { items: this.#items, sender: this.#sender }
    this.#items = []
    return batch
  }
}
