/**
 * Fan-out: what goes out to the peers of a room, one frame a tick instead of one a keystroke.
 *
 * Every `send` costs about as much as the work behind it (20–30 µs), so a tick sends at most two frames: its updates merged
 * into one, and the newest awareness state of each client. Each is encoded once per dialect for all receivers (F2).
 *
 * A quiet room relays in the very event that brought the message. After a tick that cost c ms the next one waits
 * `tickRest` × c ms. A window that gathered more than `tickCrowd` items doubles; one that gathered less than half of
 * that halves; `tickCeilingMs` is its ceiling. So the window grows with receivers, bytes and load (F1).
 *
 * A renewal of presence is relayed at once where nothing else is gathered, and leaves no timer behind, so that an idle room
 * sleeps again in the same turn.
 *
 * Peers see an edit before it is on disk. That is safe: an update is a fact about its author's document, which the
 * author resends until it is acknowledged, and applying it twice changes nothing. If the room dies in between, the
 * peers hold it too and give it back. An acknowledgement is a promise to forget, so it waits for the disk.
 */

import type { Limits } from "../limits.ts"
import { mergeUpdates } from "../update/merge.ts"
import type { Dialect, Told } from "../wire/dialect.ts"
import { CrowdWindow, Throttle } from "./throttle.ts"

/** What the fan-out needs of a room. */
export interface Outlet<Peer> {
  /** The peers that are open now. */
  readonly peers: ReadonlySet<Peer>
  /** What this peer speaks. */
  dialectOf(peer: Peer): Dialect
  /** Send one message to one peer. */
  send(peer: Peer, message: Uint8Array | string): void
  /** Encode the newest awareness entries of these clients. */
  encodePresence(clients: readonly number[]): Uint8Array
  /** The presence of these clients has changed: whoever follows without a socket is told. */
  moved?(clients: readonly number[]): void
  /** A frame went out: to how many, and how many bytes in all. */
  told?(frame: Told, sent: { readonly sends: number; readonly bytes: number }): void
}

/** Relays updates and awareness states to the peers of a room, gathered into ticks. */
export class FanOut<Peer> {
  readonly #outlet: Outlet<Peer>
  readonly #limits: Limits
  readonly #updates = new Batch<Peer, Uint8Array>()
  readonly #awareness = new Batch<Peer, number>()
  readonly #window: CrowdWindow
  readonly #ticks = new Throttle(() => this.#tick())
  #bytes = 0

  constructor(outlet: Outlet<Peer>, limits: Limits) {
    this.#outlet = outlet
    this.#limits = limits
    this.#window = new CrowdWindow(limits.tickCrowd)
  }

  /** Relay an update to everyone but its sender (null: everyone). */
  update(update: Uint8Array, sender: Peer | null): void {
    this.#updates.add(update, sender)
    this.#bytes += update.length
    if (this.#bytes >= this.#limits.commitBytes) this.flush()
    else this.#ticks.soon()
  }

  /**
   * Relay these clients' awareness states to everyone but their sender (null: everyone).
   * @param options.renewal nothing but clocks has moved: `Noted.renewal` of presence.ts
   */
  awareness(
    clients: readonly number[],
    sender: Peer | null,
    { renewal = false }: { renewal?: boolean } = {},
  ): void {
    const isAlone = this.#updates.size === 0 && this.#awareness.size === 0
    for (const client of clients) this.#awareness.add(client, sender)
    if (renewal && isAlone && this.#outlet.peers.size <= this.#limits.renewalSockets) this.flush()
    else this.#ticks.soon()
  }

  /** Send now what is gathered. */
  flush(): void {
    this.#ticks.now()
  }

  /** Updates first: a cursor refers to the text it stands in. */
  #tick(): number | null {
    const gathered = this.#updates.size + this.#awareness.size
    this.#bytes = 0
    const updates = this.#updates.take()
    const clients = this.#awareness.take()
    if (updates === null && clients === null) return null
    if (clients !== null) this.#outlet.moved?.(clients.items)
    const text = { sends: 0, bytes: 0 }
    const presence = { sends: 0, bytes: 0 }
    if (updates !== null && this.#hasReceivers(updates.sender)) {
      this.#relay({ type: "update", update: mergeUpdates(updates.items) }, updates.sender, text)
    }
    if (clients !== null && this.#hasReceivers(clients.sender)) {
      const entries = this.#outlet.encodePresence([...new Set(clients.items)])
      this.#relay({ type: "awareness", entries }, clients.sender, presence)
    }
    const { tickRest, sendCostMs, byteCostMs, tickCeilingMs, presenceCeilingMs } = this.#limits
    const copyingMs = tickRest * presence.bytes * byteCostMs
    return this.#window.after(gathered, {
      floorMs: tickRest * ((text.sends + presence.sends) * sendCostMs + text.bytes * byteCostMs) + copyingMs,
      ceilingMs: Math.max(tickCeilingMs, Math.min(copyingMs, presenceCeilingMs)),
    })
  }

  #relay(frame: Told, sender: Peer | null, cost: { sends: number; bytes: number }): void {
    const { peers } = this.#outlet
    const encoded = new Map<string, Uint8Array | string | null>()
    for (const peer of peers) {
      if (peer === sender) continue
      const dialect = this.#outlet.dialectOf(peer)
      let message = encoded.get(dialect.name)
      if (message === undefined) {
        message = dialect.write(frame)
        encoded.set(dialect.name, message)
      }
      if (message === null) continue
      this.#outlet.send(peer, message)
      cost.sends++
      cost.bytes += message.length
    }
    this.#outlet.told?.(frame, cost)
  }

  #hasReceivers(sender: Peer | null): boolean {
    const { peers } = this.#outlet
    return peers.size > 1 || (peers.size === 1 && (sender === null || !peers.has(sender)))
  }
}

/** What a tick gathers, and its sender while it has only one: that peer is not sent its own items. */
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
