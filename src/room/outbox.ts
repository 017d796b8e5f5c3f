/**
 * The outbox: what the archive still lacks, and when it is due. A failed flush is tried again with backoff, for as long as
 * it takes.
 *
 * Its ledger is stored with the room, so that a killed room continues where it was. Whether something is missing is
 * never a flag but a comparison of two revisions, so a write that arrives while a flush is under way leaves the room
 * dirty by itself (A4).
 */
import type { Version } from "../archive/archive.ts"
import type { Limits } from "../limits.ts"
import type { Log } from "./log.ts"

/** The stored state of an outbox. */
export interface Ledger {
  /** The archive that all of this is about, by its name; null: there is none. */
  readonly archive: string | null
  /** What the archive holds, as far as this room knows: what a store may replace. null: nothing. */
  readonly held: Version | null
  /** This room's newest revision that the archive has confirmed; null where it has confirmed none. */
  readonly archivedRevision: number | null
  /** The document was deleted, and the archive does not know it yet. */
  readonly deleting: boolean
  /** When the next flush is due, ms since 1970; null where nothing is missing. */
  readonly dueAtMs: number | null
  /** When the archive last confirmed something, ms since 1970; null: never. */
  readonly confirmedAtMs: number | null
  /** Failed flushes since the last one that succeeded. */
  readonly attempts: number
  /** Why the last one failed, in words that name the archive and nothing of its inside. */
  readonly error: string | null
}

const CLEAN: Omit<Ledger, "archive"> = {
  held: null,
  archivedRevision: null,
  deleting: false,
  dueAtMs: null,
  confirmedAtMs: null,
  attempts: 0,
  error: null,
}

/** Knows what the archive lacks of a room. */
export class Outbox {
  readonly #log: Log
  readonly #limits: Limits
  readonly #hasArchive: boolean
  #ledger: Ledger

  /** @param options.archive the archive's name; null: there is none */
  constructor(log: Log, { limits, archive }: { limits: Limits; archive: string | null }) {
    this.#log = log
    this.#limits = limits
    this.#hasArchive = archive !== null
    const stored = log.noted<string>("archive")
    // A ledger from before names were kept is about this one.
    const ledger = { ...CLEAN, archive, ...(stored !== null && (JSON.parse(stored) as Partial<Ledger>)) }
    // Documents land in another database than before, which has nothing of this one as far as anybody knows.
    const isAnother = archive !== null && ledger.archive !== archive
    this.#ledger = isAnother
      ? { ...ledger, archive, held: null, archivedRevision: null, dueAtMs: null }
      : ledger
  }

  /** The stored state. */
  get ledger(): Ledger {
    return this.#ledger
  }

  /** Whether the archive lacks a committed revision, or does not know of a deletion. */
  get dirty(): boolean {
    if (!this.#hasArchive) return false
    if (this.#ledger.deleting) return true
    return this.#log.exists && this.#log.state.revision > (this.#ledger.archivedRevision ?? 0)
  }

  /** When the next flush is due, ms since 1970; null where nothing is missing or there is no archive. */
  get dueAtMs(): number | null {
    const { dueAtMs } = this.#ledger
    if (!this.dirty) return null
    // Nobody has said when: what is known of the archive was lost, or written by an older server.
    if (dueAtMs === null) return Date.now()
    const { flushMs, retryCeilingMs } = this.#limits
    // Nothing is ever planned that far ahead, so the wall clock was set back since: the flush is due now.
    return dueAtMs > Date.now() + Math.max(flushMs, retryCeilingMs) ? Date.now() : dueAtMs
  }

  /** Note a commit: where nothing was due, a flush is due in `flushMs`. */
  touch(): void {
    if (this.dirty && this.#ledger.dueAtMs === null) this.note({ dueAtMs: Date.now() + this.#limits.flushMs })
  }

  /** Make the flush due now, since the last peer has left. While the archive is failing the backoff holds. */
  hurry(): void {
    if (this.dirty && this.#ledger.attempts === 0) this.note({ dueAtMs: Date.now() })
  }

  /** Plan a flush of everything where the archive has confirmed nothing for `archiveVerifyMs`: it may have been restored. */
  doubt(): void {
    const { confirmedAtMs, archivedRevision } = this.#ledger
    if (archivedRevision === null || confirmedAtMs === null) return
    if (Date.now() - confirmedAtMs < this.#limits.archiveVerifyMs) return
    this.note({ archivedRevision: null, confirmedAtMs: Date.now() })
    this.touch()
  }

  /** Note that the archive holds this version. @param revision this room's revision that is in it; null: none */
  confirmed(held: Version | null, revision: number | null): void {
    const more = this.#log.exists && this.#log.state.revision > (revision ?? 0)
    this.note({
      held,
      archivedRevision: revision,
      deleting: false,
      dueAtMs: more ? Date.now() + this.#limits.flushMs : null,
      confirmedAtMs: Date.now(),
      attempts: 0,
      error: null,
    })
  }

  /** Note a failed flush. @returns how long to wait before the next, ms */
  failed(error: string): number {
    const attempts = this.#ledger.attempts + 1
    const delayMs = this.backoffMs(attempts)
    this.note({ attempts, error, dueAtMs: Date.now() + delayMs })
    return delayMs
  }

  /**
   * Wait before this attempt is repeated, ms: doubling to a ceiling, and half of it random, so that rooms that failed
   * together do not come back together.
   */
  backoffMs(attempts: number): number {
    const { retryMs, retryCeilingMs } = this.#limits
    const fullMs = Math.min(retryMs * 2 ** (attempts - 1), retryCeilingMs)
    return fullMs * (0.5 + Math.random() / 2)
  }

  /** Change the ledger, and store it. */
  note(change: Partial<Ledger>): void {
    this.#ledger = { ...this.#ledger, ...change }
    this.#log.note("archive", JSON.stringify(this.#ledger))
  }
}
