/**
 * The waiting room: updates, or parts of updates, that refer to something that has not arrived (D9). They are stored as
 * they came, and neither relayed nor given to a Y.Doc, which would integrate them later without asking the vet.
 *
 * Waiting updates are indexed by the client they wait for, so that they cost nothing until that client moves. Each
 * sender has a share of its own.
 */
import * as decoding from "lib0/decoding"
import { SyncError } from "../errors.ts"
import type { Origin } from "../history/origin.ts"
import type { Limits } from "../limits.ts"
import type { Id } from "../update/vet.ts"
import type { Bearer } from "./authors.ts"
import type { Waiting, WaitingRows } from "./waiting-rows.ts"

/** What the vet says of the part of an update that waits. */
interface Part {
  readonly update: Uint8Array
  readonly missing: readonly Id[]
}

/** How something is kept that waits. */
interface Keeping {
  readonly bearer: Bearer
  /** The only roots it may change; null: all. */
  readonly roots?: readonly string[] | null
  readonly origin: Origin
  /** It counts against its sender's share. */
  readonly bounded: boolean
}

/** A waiting update as it is judged again. */
interface Opened {
  readonly update: Uint8Array
  readonly origin: Origin
  readonly bearer: Bearer
  readonly roots: readonly string[] | null
  readonly peers: readonly string[]
}

/** What waits in a room, by id. */
export class WaitingRoom {
  readonly #rows: WaitingRows
  readonly #limits: Limits
  readonly #waiting = new Map<number, Waiting>()
  /** Client → ids of what waits for more of it. */
  readonly #byClient = new Map<number, Set<number>>()
  /** When one was judged last, ms since 1970. */
  readonly #judgedAtMs = new Map<number, number>()
  /** When the first of those that were put off may be judged again, ms since 1970; null: none was put off. */
  #nextAtMs: number | null = null
  /** Clients that have moved since `ready` was asked. */
  readonly #arrived = new Set<number>()
  /** Peer → how many wait that it has brought. */
  readonly #byPeer = new Map<string, number>()
  /** What waits no longer, and leaves in the transaction that commits it, not before. */
  #settled: number[] = []

  constructor(rows: WaitingRows, limits: Limits) {
    this.#rows = rows
    this.#limits = limits
    for (const one of rows.all()) this.#add(one)
    // What they wait for may have been committed just before a restart.
    for (const client of this.#byClient.keys()) this.#arrived.add(client)
  }

  /** How many updates wait. */
  get size(): number {
    return this.#waiting.size
  }

  /** Whether an update of this peer waits: then nothing it sent may be called saved. */
  isWaitingFor(peer: string): boolean {
    return this.#byPeer.has(peer)
  }

  /** Every waiting update, as it was sent. */
  updates(): Uint8Array[] {
    return [...this.#waiting.keys()].flatMap((id) => this.#rows.held(id)?.update ?? [])
  }

  /**
   * Store an update that waits.
   * @returns "before" where the same bytes wait already: then the sender need not be asked again
   * @throws SyncError pending-full where it exceeds the sender's share
   */
  keep({ update, missing }: Part, { bearer, roots = null, origin, bounded }: Keeping): "new" | "before" {
    const known = this.#rows.findWaiting(update, { subject: bearer.subject, roots })
    if (known !== null) {
      this.#bringAgain(known, { peer: bearer.peer, missing: flatten(missing) })
      return "before"
    }
    if (bounded) {
      this.#checkSections(update)
      this.#checkShare(update.length, bearer)
    }
    const peers = bearer.peer === null ? [] : [bearer.peer]
    this.#add(this.#rows.hold(update, { peers, roots, missing: flatten(missing), origin }))
    return "new"
  }

  /** Note that this client has moved: updates that wait for it may be ready. */
  arrived(client: number): void {
    if (this.#byClient.has(client)) this.#arrived.add(client)
  }

  /**
   * Ids of the updates for which something they lacked has arrived. A large one is put off where it was judged a moment
   * ago: its sender could make it lack one thing after the other, and each look costs everybody. The clock counts whole
   * milliseconds, so one that would rest for less is looked at whenever something arrives.
   */
  ready(clockOf: (client: number) => number): number[] {
    this.#nextAtMs = null
    if (this.#arrived.size === 0) return []
    const now = Date.now()
    const ready = new Set<number>()
    for (const client of this.#arrived) {
      let putOff = false
      for (const id of this.#byClient.get(client) ?? []) {
        const { missing, bytes } = this.#waiting.get(id)!
        if (ready.has(id) || !isMet(missing, client, clockOf(client))) continue
        const atMs = (this.#judgedAtMs.get(id) ?? 0) + Math.floor(bytes * this.#limits.pendingRestMs)
        if (atMs > now) {
          putOff = true
          this.#nextAtMs = Math.min(atMs, this.#nextAtMs ?? atMs)
        } else {
          ready.add(id)
          this.#judgedAtMs.set(id, now)
        }
      }
      if (!putOff) this.#arrived.delete(client)
    }
    return [...ready]
  }

  /** When `ready` is to be asked again although nothing arrives, ms since 1970; null: not as things are. */
  get nextAtMs(): number | null {
    return this.#nextAtMs
  }

  /** Ids of the updates that wait for more of this client. */
  waitingFor(client: number): number[] {
    return [...(this.#byClient.get(client) ?? [])]
  }

  /** The ids of everything that waits. */
  get ids(): Iterable<number> {
    return this.#waiting.keys()
  }

  /** One that waits, to be judged again; null where its bytes were damaged. */
  open(id: number): Opened | null {
    const { peers, subject, roots } = this.#waiting.get(id)!
    const held = this.#rows.held(id)
    return held && { ...held, bearer: { subject, peer: peers.at(-1) ?? null }, roots, peers }
  }

  /** Take one out after it was judged again. @param rest the part that still waits; null: none */
  settle(id: number, rest: Part | null): void {
    const before = this.#waiting.get(id)!
    const judgedAtMs = this.#judgedAtMs.get(id)
    this.#drop(before)
    this.#settled.push(id)
    if (rest === null) return
    const { subject, peers, roots } = before
    const missing = flatten(rest.missing)
    const known = this.#rows.findWaiting(rest.update, { subject, roots })
    if (known === null) {
      const held = this.#rows.held(id)
      if (held === null) return
      const waiting = this.#rows.hold(rest.update, { peers, roots, missing, origin: held.origin })
      this.#add(waiting)
      // It is the same update, so it is not judged the sooner for having a new row.
      if (judgedAtMs !== undefined) this.#judgedAtMs.set(waiting.id, judgedAtMs)
      return
    }
    // The very same bytes still wait, its own or those of another.
    const waiting = this.#waiting.get(known) ?? { ...before, id: known }
    this.#return({ ...waiting, missing, peers: [...new Set([...waiting.peers, ...peers])] })
  }

  /** Whether rows are to be deleted with the next commit. */
  get hasSettled(): boolean {
    return this.#settled.length > 0
  }

  /** Delete the settled rows; called inside the commit's transaction. */
  write(): void {
    for (const id of this.#settled) this.#rows.release(id)
  }

  /** The commit has held: forget which rows were to go. */
  wrote(): void {
    this.#settled = []
  }

  /** Forget all: the document was erased. */
  clear(): void {
    this.#waiting.clear()
    this.#byClient.clear()
    this.#byPeer.clear()
    this.#arrived.clear()
    this.#settled = []
  }

  /** @throws SyncError pending-full: an honest document has gaps in few of its clients, and each section is work */
  #checkSections(update: Uint8Array): void {
    const { pendingSections } = this.#limits
    // An update begins with the number of its sections.
    const sections = decoding.readVarUint(decoding.createDecoder(update))
    if (sections > pendingSections)
      throw new SyncError(
        "pending-full",
        `Content of ${sections} clients would wait for others; at most ${pendingSections}`,
      )
  }

  #checkShare(bytes: number, { subject, peer }: Bearer): void {
    const { pendingBytes, pendingUpdates, pendingTotalBytes, pendingOverheadBytes } = this.#limits
    let own = bytes
    let ownCount = 1
    let all = bytes + pendingOverheadBytes
    for (const one of this.#waiting.values()) {
      all += one.bytes + pendingOverheadBytes
      if (subject === null ? peer === null || !one.peers.includes(peer) : one.subject !== subject) continue
      own += one.bytes
      ownCount++
    }
    if (own <= pendingBytes && ownCount <= pendingUpdates && all <= pendingTotalBytes) return
    throw new SyncError(
      "pending-full",
      `${ownCount} updates of ${own} bytes would wait for others; at most ${pendingUpdates} of ${pendingBytes}`,
    )
  }

  /** It waits already, and a peer that comes back with it waits for it as well. */
  #bringAgain(id: number, { peer, missing }: { peer: string | null; missing: readonly number[] }): void {
    const held = this.#waiting.get(id) ?? this.#rows.all().find((one) => one.id === id)!
    const peers = peer === null || held.peers.includes(peer) ? held.peers : [...held.peers, peer]
    this.#return({ ...held, peers: peers.slice(-this.#limits.pendingPeers), missing })
  }

  /** It waits on, also where it was to leave with the next commit. */
  #return(waiting: Waiting): void {
    const before = this.#waiting.get(waiting.id)
    if (before !== undefined) this.#drop(before)
    this.#settled = this.#settled.filter((id) => id !== waiting.id)
    if (before === undefined || !isSame(before, waiting)) this.#rows.holdOn(waiting)
    this.#add(waiting)
  }

  #add(waiting: Waiting): void {
    this.#waiting.set(waiting.id, waiting)
    for (const peer of waiting.peers) this.#byPeer.set(peer, (this.#byPeer.get(peer) ?? 0) + 1)
    for (let i = 0; i < waiting.missing.length; i += 2) {
      const client = waiting.missing[i]!
      const ids = this.#byClient.get(client) ?? new Set()
      this.#byClient.set(client, ids.add(waiting.id))
    }
  }

  #drop(waiting: Waiting): void {
    this.#waiting.delete(waiting.id)
    this.#judgedAtMs.delete(waiting.id)
    for (const peer of waiting.peers) {
      const left = this.#byPeer.get(peer)! - 1
      if (left === 0) this.#byPeer.delete(peer)
      else this.#byPeer.set(peer, left)
    }
    for (let i = 0; i < waiting.missing.length; i += 2) {
      const client = waiting.missing[i]!
      const ids = this.#byClient.get(client)
      ids?.delete(waiting.id)
      if (ids?.size === 0) this.#byClient.delete(client)
    }
  }
}

function flatten(ids: readonly Id[]): number[] {
  return ids.flatMap(({ client, clock }) => [client, clock])
}

function isSame(one: Waiting, other: Waiting): boolean {
  return one.peers.join() === other.peers.join() && one.missing.join() === other.missing.join()
}

function isMet(missing: readonly number[], client: number, clock: number): boolean {
  for (let i = 0; i < missing.length; i += 2) {
    if (missing[i] === client && missing[i + 1]! < clock) return true
  }
  return false
}
