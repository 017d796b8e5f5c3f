/**
 * Intake: the way of an update. It judges, takes, relays, commits and acknowledges. Nothing else commits, and a failed
 * commit cannot be overlooked, because the answer is a union (D10).
 *
 * Peers see a client's update before it is on disk (see fan-out.ts). A server-side edit is shown to nobody before it is
 * committed: the server has one client id, and would use the same clocks twice after a failure.
 */
import type * as Y from "yjs"
import { SyncError } from "../errors.ts"
import type { Origin } from "../history/origin.ts"
import type { Limits } from "../limits.ts"
import { compareContent } from "../update/compare.ts"
import { divide, isEmpty } from "../update/merge.ts"
import type { Authors } from "./authors.ts"
import type { Emit } from "./events.ts"
import type { Peer } from "./peer.ts"
import type { Delivery, Dropped, Received, Released, Replica } from "./replica.ts"
import { LateWindow, Throttle } from "./throttle.ts"

/** The outcome of a commit. After a failure the updates are still in memory, and are tried again. */
export type Commit =
  | { readonly kind: "committed"; readonly revision: number }
  | { readonly kind: "failed"; readonly cause: unknown }

/** What the intake calls when something happened to an update. */
export interface Ports<P extends Peer> {
  /** Show an update to everyone but its sender. */
  relay(update: Uint8Array, sender: P | null): void
  /** Something that had waited is not taken after all: tell those who had brought it. */
  refuse(dropped: Dropped): void
  /** Send the gathered relays now: frames that are sent after a write wait for the disk. */
  release(): void
  /** Everything taken is in the log: answer the peers who asked. The output gate holds the answers until it is durable. */
  acknowledge(): void
  /** Something new was committed: arm the alarm, in this very turn (A1). */
  dirty(): void
}

/** Takes every update of a room. */
export class Intake<P extends Peer> {
  readonly #replica: Replica
  readonly #authors: Authors
  readonly #ports: Ports<P>
  readonly #limits: Limits
  readonly #emit: Emit
  readonly #window: LateWindow
  readonly #commits: Throttle
  /** Judges again what waits and was put off. */
  readonly #looks: Throttle
  /** An operator has made the document read-only: nothing but the archive's copy is taken. */
  isLocked = false
  /** The outcome of the last commit. */
  #last: Commit = { kind: "committed", revision: 0 }

  constructor(options: {
    replica: Replica
    authors: Authors
    ports: Ports<P>
    limits: Limits
    emit: Emit
  }) {
    this.#replica = options.replica
    this.#authors = options.authors
    this.#ports = options.ports
    this.#limits = options.limits
    this.#emit = options.emit
    const { commitWindowMs, commitCeilingMs } = options.limits
    this.#window = new LateWindow({ floorMs: commitWindowMs, ceilingMs: commitCeilingMs }, options.limits)
    this.#commits = new Throttle((lateMs) => this.#commitNow(lateMs), { wholeWindow: true })
    this.#looks = new Throttle(() => {
      this.#relay({ taken: null, ...this.#replica.releaseReady() }, null)
      return null
    })
  }

  /**
   * Take an update: what of it is new is relayed, and committed at once when quiet, else with what comes within a window.
   * @param sender does not get its own back
   * @throws SyncError forbidden while it is locked; as `Replica.receive`; pending-full where a part would have to wait and there is no room for it
   *   (the rest was taken); conflict where other content stands under the sender's own client id
   */
  take(update: Uint8Array, delivery: Delivery, sender: P | null): Received {
    if (this.isLocked && delivery.archived !== true) throw locked()
    this.#verify(update, delivery)
    const replica = this.#replica
    if (replica.isNearlyFull(update.length) && this.commit().kind === "committed") replica.compact()
    const received = replica.receive(update, delivery)
    this.#relay(received, sender)
    if (received.overflow !== null) throw received.overflow
    return received
  }

  /**
   * Change the document on the server, in one transaction, all or nothing.
   * @param options.bytes about how many bytes came from outside, which holds the change to the limits of an update; null: it is
   *   the server's own
   * @param options.client see `Replica.edit`
   * @returns what `change` returned
   * @throws SyncError unavailable where the disk did not take it, and as `Replica.edit`; then nothing was changed
   */
  edit<Result>(
    change: (doc: Y.Doc) => Result,
    origin: Origin,
    { bytes = null, client = null }: { bytes?: number | null; client?: number | null } = {},
  ): Result {
    if (this.isLocked) throw locked()
    const isTight = bytes !== null && this.#replica.isNearlyFull(bytes)
    if (isTight && this.commit().kind === "committed") this.#replica.compact()
    const { result, update } = this.#replica.edit(change, origin, { foreign: bytes !== null, client })
    if (update === null) return result
    const committed = this.commit()
    if (committed.kind === "failed") {
      this.#replica.takeBack(update)
      throw unavailable(committed.cause)
    }
    this.#ports.relay(update, null)
    return result
  }

  /** Nobody announces this client id any more: take what others have carried for its owner and what waited for that. */
  ownerLeft(client: number): void {
    this.#relay({ taken: null, ...this.#replica.release(client) }, null)
  }

  /** Judge everything that waits again: after a start, the owners it waited for may not be connected. */
  lookAgain(): void {
    this.#relay({ taken: null, ...this.#replica.releaseAll() }, null)
  }

  /** Commit at once in a quiet room; else everything that arrives within a window of the first edit becomes one row. */
  commitSoon(): void {
    if (this.#replica.uncommittedBytes >= this.#limits.commitBytes) this.commit()
    else this.#commits.soon()
  }

  /**
   * Write the taken updates, then acknowledge them, in one turn. The output gate holds the acknowledgements until the
   * write is durable (D1); the relays were sent before it.
   */
  commit(): Commit {
    this.#commits.now()
    return this.#last
  }

  /**
   * Commit, and fail where the disk does.
   * @returns the room's revision
   * @throws SyncError unavailable
   */
  commitOrThrow(): number {
    const commit = this.commit()
    if (commit.kind === "failed") throw unavailable(commit.cause)
    return commit.revision
  }

  #commitNow(lateMs: number | null): number | null {
    const replica = this.#replica
    const bytes = replica.uncommittedBytes
    const wrote = replica.hasUncommitted
    if (wrote) this.#ports.release()
    let revision: number
    try {
      revision = replica.commit()
    } catch (cause) {
      // Nothing was acknowledged and the updates are still in memory, so the timer tries again, even in an idle room.
      this.#last = { kind: "failed", cause }
      this.#emit({ type: "commit-failed", cause })
      this.#commits.later(this.#window.windowMs)
      return null
    }
    this.#last = { kind: "committed", revision }
    if (wrote) {
      this.#emit({ type: "committed", revision, bytes })
      this.#ports.dirty()
    }
    this.#ports.acknowledge()
    return wrote ? this.#window.after(lateMs) : null
  }

  #lookLater(): void {
    const { nextAtMs } = this.#replica.waiting
    if (nextAtMs !== null) this.#looks.later(Math.max(1, nextAtMs - Date.now()))
  }

  #relay({ taken, released, dropped }: Released & Pick<Received, "taken">, sender: P | null): void {
    if (taken !== null) this.#ports.relay(taken, sender)
    for (const update of released) this.#ports.relay(update, null)
    for (const one of dropped) this.#ports.refuse(one)
    if (taken !== null || released.length > 0) this.commitSoon()
    this.#lookLater()
  }

  /**
   * Compare what others carried under this subject's client ids with what the subject brings now (R5).
   * @throws SyncError conflict; bad-update and too-large as `Replica.receive`, since only what was vetted may be read
   */
  #verify(update: Uint8Array, delivery: Delivery): void {
    const { subject } = delivery.bearer
    const carried = this.#authors.carriedOf(subject)
    if (carried === null || subject === null) return
    this.#replica.check(update, delivery)
    for (const [client, from] of [...carried]) {
      // Yjs makes an object of each struct: of an update of 25 MB they would not fit into memory beside the document.
      const { above } = divide(update, (id) => (id === client ? from : Number.POSITIVE_INFINITY))
      if (isEmpty(above)) continue
      const { outcome, end } = compareContent(above, this.#replica.document(), { client, from })
      if (outcome === "absent") continue
      if (outcome === "different") {
        this.#emit({ type: "conflict", client, subject })
        throw new SyncError(
          "conflict",
          `Other content stands under client id ${client} from clock ${from}; bring yours under a new one`,
        )
      }
      // Who only holds what others brought may have it from them: it must be the one who writes under this id.
      if (!this.#authors.isAnnouncedBy(client, delivery.bearer)) continue
      this.#authors.verified(client, { owner: subject, end, known: this.#replica.clockOf(client) })
    }
  }
}

function locked(): SyncError {
  return new SyncError("forbidden", "An operator has made this document read-only.")
}

function unavailable(cause: unknown): SyncError {
  return new SyncError("unavailable", "The disk did not take it; try again.", { cause })
}
