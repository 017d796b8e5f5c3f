/**
 * The waiting room: updates, or parts of updates, that refer to something that has not arrived (D9). They are stored as
 * they came, and neither relayed nor given to a Y.Doc, which would integrate them later without asking the vet.
 *
 * Waiting updates are indexed by the client they wait for, so that they cost nothing until that client moves. Each
 * sender has a share of its own.
 */
import { SyncError } from "../errors.ts"
import type { Limits } from "../limits.ts"
import type { Id } from "../update/vet.ts"
import type { Bearer } from "./authors.ts"
import type { Log, Waiting } from "./log.ts"
import type { Origin } from "./origin.ts"

/** What the vet says of the part of an update that waits. */
interface Part {
  readonly update: Uint8Array
  readonly missing: readonly Id[]
}

/** The waiting updates of a room, by id. */
export class WaitingRoom {
  readonly #log: Log
  readonly #limits: Limits
  readonly #waiting = new Map<number, Waiting>()
  /** Client → ids of what waits for more of it. */
  readonly #byClient = new Map<number, Set<number>>()
  /** Clients that have moved since `ready` was asked. */
  readonly #arrived = new Set<number>()
  /** Ids that no longer wait. Their rows are deleted in the transaction that commits their updates, not before. */
  #settled: number[] = []

  constructor(log: Log, limits: Limits) {
    this.#log = log
    this.#limits = limits
    for (const one of log.waiting()) this.#add(one)
    // What they wait for may have been committed just before a restart.
    for (const client of this.#byClient.keys()) this.#arrived.add(client)
  }

  /** How many updates wait. */
  get size(): number {
    return this.#waiting.size
  }

  /** Whether an update of this peer waits: then nothing it sent may be called saved. */
  isWaitingFor(peer: string): boolean {
    for (const one of this.#waiting.values()) if (one.peer === peer) return true
    return false
  }

  /** Every waiting update, as it was sent. */
  updates(): Uint8Array[] {
    return [...this.#waiting.keys()].map((id) => this.#log.held(id).update)
  }

  /**
   * Store an update that waits.
   * @returns "before" where the same bytes wait already: then the sender need not be asked again
   * @throws SyncError pending-full where it exceeds the sender's share
   */
  keep(
    { update, missing }: Part,
    { bearer, origin, bounded }: { bearer: Bearer; origin: Origin; bounded: boolean },
  ): "new" | "before" {
    const peer = bearer.peer ?? ""
    if (bounded) this.#checkShare(update.length, { ...bearer, peer })
    const { waiting, isNew } = this.#log.hold(update, { peer, missing: flatten(missing), origin })
    if (isNew) this.#add(waiting)
    return isNew ? "new" : "before"
  }

  /** Note that this client has moved: updates that wait for it may be ready. */
  arrived(client: number): void {
    if (this.#byClient.has(client)) this.#arrived.add(client)
  }

  /** Ids of the updates for which something they lacked has arrived. */
  ready(clockOf: (client: number) => number): number[] {
    if (this.#arrived.size === 0) return []
    const ready = new Set<number>()
    for (const client of this.#arrived) {
      for (const id of this.#byClient.get(client) ?? []) {
        if (isMet(this.#waiting.get(id)!.missing, client, clockOf(client))) ready.add(id)
      }
    }
    this.#arrived.clear()
    return [...ready]
  }

  /** Ids of the updates that wait for more of this client. */
  waitingFor(client: number): number[] {
    return [...(this.#byClient.get(client) ?? [])]
  }

  /** Every client that an update waits for. */
  get clients(): Iterable<number> {
    return this.#byClient.keys()
  }

  /** Read one waiting update, to be judged again. */
  open(id: number): { update: Uint8Array; origin: Origin; bearer: Bearer } {
    const { peer, subject } = this.#waiting.get(id)!
    return { ...this.#log.held(id), bearer: { subject, peer: peer === "" ? null : peer } }
  }

  /** Take one out after it was judged again. @param rest the part that still waits; null: none */
  settle(id: number, rest: Part | null): void {
    const before = this.#waiting.get(id)!
    this.#drop(before)
    this.#settled.push(id)
    if (rest === null) return
    const { origin } = this.#log.held(id)
    const { waiting, isNew } = this.#log.hold(rest.update, {
      peer: before.peer,
      missing: flatten(rest.missing),
      origin,
    })
    // The very same bytes still wait, and for the same.
    if (!isNew) this.#settled = this.#settled.filter((one) => one !== waiting.id)
    if (!this.#waiting.has(waiting.id)) this.#add(waiting)
  }

  /** Whether rows are to be deleted with the next commit. */
  get hasSettled(): boolean {
    return this.#settled.length > 0
  }

  /** Delete the settled rows; called inside the commit's transaction. */
  write(): void {
    for (const id of this.#settled) this.#log.release(id)
  }

  /** The commit has held: forget which rows were to go. */
  wrote(): void {
    this.#settled = []
  }

  /** Forget all: the document was erased. */
  clear(): void {
    this.#waiting.clear()
    this.#byClient.clear()
    this.#arrived.clear()
    this.#settled = []
  }

  #checkShare(bytes: number, { subject, peer }: { subject: string | null; peer: string }): void {
    const { pendingBytes, pendingUpdates, pendingTotalBytes } = this.#limits
    let own = bytes
    let ownCount = 1
    let all = bytes
    for (const one of this.#waiting.values()) {
      all += one.bytes
      if (subject === null ? one.peer !== peer : one.subject !== subject) continue
      own += one.bytes
      ownCount++
    }
    if (own <= pendingBytes && ownCount <= pendingUpdates && all <= pendingTotalBytes) return
    throw new SyncError(
      "pending-full",
      `${ownCount} updates of ${own} bytes would wait for others; at most ${pendingUpdates} of ${pendingBytes}`,
    )
  }

  #add(waiting: Waiting): void {
    this.#waiting.set(waiting.id, waiting)
    for (let i = 0; i < waiting.missing.length; i += 2) {
      const client = waiting.missing[i]!
      const ids = this.#byClient.get(client) ?? new Set()
      this.#byClient.set(client, ids.add(waiting.id))
    }
  }

  #drop(waiting: Waiting): void {
    this.#waiting.delete(waiting.id)
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

function isMet(missing: readonly number[], client: number, clock: number): boolean {
  for (let i = 0; i < missing.length; i += 2) {
    if (missing[i] === client && missing[i + 1]! < clock) return true
  }
  return false
}
