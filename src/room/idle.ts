/** How long a room has been idle, and when it may drop its own storage because the archive has everything. */
import type { Limits } from "../limits.ts"
import type { Archivist } from "./archivist.ts"
import type { Crowd } from "./crowd.ts"
import type { Knockers } from "./knockers.ts"
import type { Log } from "./log.ts"
import type { Past } from "./past.ts"
import type { Replica } from "./replica.ts"

/** Knows since when a room is idle. The time is stored, because an idle room loses its memory. */
export class Idle {
  readonly #log: Log
  readonly #replica: Replica
  readonly #crowd: Crowd
  readonly #knockers: Knockers
  readonly #archivist: Archivist
  readonly #past: Pick<Past, "busy">
  readonly #limits: Limits
  #emptied = false

  constructor(room: {
    log: Log
    replica: Replica
    crowd: Crowd
    knockers: Knockers
    archivist: Archivist
    past: Pick<Past, "busy">
    limits: Limits
  }) {
    this.#log = room.log
    this.#replica = room.replica
    this.#crowd = room.crowd
    this.#knockers = room.knockers
    this.#archivist = room.archivist
    this.#past = room.past
    this.#limits = room.limits
  }

  /** Someone came or something was written: restart the time of idling. */
  stir(): void {
    this.#emptied = false
    if (this.#limits.retentionMs > 0 && this.#log.exists) this.#log.note("idle_since", Date.now())
  }

  /** Note that the last peer has left. */
  empty(): void {
    this.#emptied = true
  }

  /** Whether the last peer has left, and nobody has come or written since. */
  get hasEmptied(): boolean {
    return this.#emptied && this.#crowd.peers.size === 0
  }

  /** When this room may drop its own storage, ms since 1970; null: not while something is only here. */
  get retiresAtMs(): number | null {
    const { retentionMs } = this.#limits
    if (retentionMs === 0 || this.#crowd.peers.size > 0 || !this.#archivist.gives) return null
    const isKept =
      // The archive was asked at their door, so the storage must not go before they are in.
      this.#knockers.size > 0 ||
      !this.#log.exists ||
      // What is asked about the past reads on in this storage.
      this.#past.busy ||
      this.#archivist.outbox.dirty ||
      this.#log.damaged ||
      this.#log.noted("read_only") !== null ||
      // A person may still want to look at what was set aside.
      this.#log.quarantined > 0 ||
      this.#replica.waiting.size > 0 ||
      this.#replica.hasUncommitted
    return isKept ? null : (this.#log.noted<number>("idle_since") ?? 0) + retentionMs
  }
}
