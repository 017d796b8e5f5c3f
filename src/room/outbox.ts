/**
 * The outbox: what the archive still lacks. It knows when the next flush is due, flushes one snapshot at a
 * time, and after a failure tries again with backoff, for as long as it takes.
 *
 * What it knows is stored with the document, so that a killed room goes on where it was: whether something is
 * missing is never a flag but a comparison of two revisions, so a write that arrives while a flush is under
 * way leaves the room dirty by itself (A4).
 */
import type { Archive, ArchiveLookup, ArchivePage, ArchiveWrite } from "../archive/archive.ts"
import { asSyncError, SyncError } from "../errors.ts"
import type { Limits } from "../limits.ts"
import type { UpdateLog } from "./log.ts"

/** What is stored of an outbox. */
interface Ledger {
  /** The newest revision the archive has confirmed; null where it has confirmed none. */
  readonly archivedRevision: number | null
  /** When the next flush is due, ms since 1970; null where nothing is missing. */
  readonly dueAtMs: number | null
  /** Failed flushes since the last one that succeeded. */
  readonly attempts: number
  readonly error: string | null
}

const CLEAN: Ledger = { archivedRevision: null, dueAtMs: null, attempts: 0, error: null }

export class Outbox {
  readonly #id: string
  readonly #archive: Archive | null
  readonly #log: UpdateLog
  readonly #limits: Limits
  #ledger: Ledger
  #flight: Promise<"newer" | "done"> | null = null

  constructor(
    id: string,
    { archive, log, limits }: { archive: Archive | null; log: UpdateLog; limits: Limits },
  ) {
    this.#id = id
    this.#archive = archive
    this.#log = log
    this.#limits = limits
    const stored = log.noted<string>("outbox")
    this.#ledger = stored === null ? CLEAN : (JSON.parse(stored) as Ledger)
  }

  /** Revision, attempts and error of the archive, for `status`. */
  get ledger(): Ledger {
    return this.#ledger
  }

  /** When the next flush is due, ms since 1970; null where nothing is missing or there is no archive. */
  get dueAtMs(): number | null {
    const { dueAtMs } = this.#ledger
    if (!this.dirty || dueAtMs === null) return null
    const { flushMs, retryCeilingMs } = this.#limits
    // Further away than anything is put off: the clock was set back since. Then it is due now.
    return dueAtMs > Date.now() + Math.max(flushMs, retryCeilingMs) ? Date.now() : dueAtMs
  }

  /** The archive lacks something that is committed. What was deleted is not: it would be flushed without end. */
  get dirty(): boolean {
    if (this.#archive === null || !this.#log.exists) return false
    return this.#log.state.revision > (this.#ledger.archivedRevision ?? 0)
  }

  /** Something was committed. The first time, this sets when it is due. */
  touch(): void {
    if (this.dirty && this.#ledger.dueAtMs === null)
      this.#note({ dueAtMs: Date.now() + this.#limits.flushMs })
  }

  /** The last one left: due now, unless the archive is failing; then the backoff holds. */
  hurry(): void {
    if (this.dirty && this.#ledger.attempts === 0) this.#note({ dueAtMs: Date.now() })
  }

  /**
   * Hand the archive what it lacks. One flush at a time; a failure is noted and retried, never thrown.
   * @param snapshot makes the whole document as of now
   * @returns "newer" when the archive holds a document this room has not seen (A3): merge it and come again
   */
  flush(snapshot: () => ArchiveWrite): Promise<"newer" | "done"> {
    this.#flight ??= this.#flush(snapshot).finally(() => {
      this.#flight = null
    })
    return this.#flight
  }

  async #flush(snapshot: () => ArchiveWrite): Promise<"newer" | "done"> {
    try {
      const write = snapshot()
      const outcome = await this.#call("store", (archive, signal) => archive.store(this.#id, write, signal))
      // Deleted while the archive wrote: the deletion's mark is newer.
      if (!this.#log.exists) return "done"
      if (outcome === "newer") return "newer"
      const more = this.#log.state.revision > write.revision
      this.#note({
        archivedRevision: write.revision,
        dueAtMs: more ? Date.now() + this.#limits.flushMs : null,
        attempts: 0,
        error: null,
      })
    } catch (thrown) {
      if (!this.#log.exists) return "done"
      const attempts = this.#ledger.attempts + 1
      const delayMs = this.backoffMs(attempts)
      const { message } = asSyncError(thrown)
      this.#note({ attempts, error: message, dueAtMs: Date.now() + delayMs })
      const lag = this.#log.state.revision - (this.#ledger.archivedRevision ?? 0)
      console.warn(
        `Archive ${this.#archive?.name} lacks ${lag} revisions of ${this.#id}: attempt ${attempts} failed, ` +
          `next in ${Math.round(delayMs / 1000)} s: ${message}`,
      )
    }
    return "done"
  }

  /** Wait before this attempt is repeated, ms: doubling to a ceiling, and half of it random, so that rooms that failed together do not come back together. */
  backoffMs(attempts: number): number {
    const { retryMs, retryCeilingMs } = this.#limits
    const fullMs = Math.min(retryMs * 2 ** (attempts - 1), retryCeilingMs)
    return fullMs * (0.5 + Math.random() / 2)
  }

  /**
   * Look the document up.
   * @throws SyncError archive-unavailable
   */
  load(): Promise<ArchiveLookup> {
    return this.#call("load", (archive, signal) => archive.load(this.#id, signal))
  }

  /** The document was taken from the archive at this revision, or the archive remembers its deletion. */
  loaded(revision: number): void {
    this.#note({ ...CLEAN, archivedRevision: revision })
  }

  /**
   * Delete the document in the archive.
   * @throws SyncError archive-unavailable
   */
  async remove(revision: number): Promise<void> {
    if (this.#archive !== null) {
      await this.#call("remove", (archive, signal) => archive.remove(this.#id, revision, signal))
    }
    this.#ledger = CLEAN
  }

  /**
   * A page of the archive's index.
   * @throws SyncError archive-unavailable
   */
  list(page: { cursor: string | null; limit: number }): Promise<ArchivePage> {
    return this.#call("list", (archive, signal) => archive.list(page, signal))
  }

  /** Every call has a time limit of the room's own, whatever the adapter does with the signal (A5). */
  async #call<Answer>(
    what: string,
    call: (archive: Archive, signal: AbortSignal) => Promise<Answer>,
  ): Promise<Answer> {
    if (this.#archive === null) throw new SyncError("not-found", "This server has no archive")
    const { name } = this.#archive
    const limitMs = this.#limits.archiveTimeoutMs
    const abort = new AbortController()
    let timer: ReturnType<typeof setTimeout> | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        abort.abort()
        reject(
          new SyncError("archive-unavailable", `Archive ${name} did not answer ${what} within ${limitMs} ms`),
        )
      }, limitMs)
    })
    try {
      return await Promise.race([call(this.#archive, abort.signal), late])
    } catch (cause) {
      if (cause instanceof SyncError) throw cause
      const reason = cause instanceof Error ? cause.message : String(cause)
      throw new SyncError("archive-unavailable", `Archive ${name} failed to ${what}: ${reason}`, { cause })
    } finally {
      clearTimeout(timer)
    }
  }

  #note(change: Partial<Ledger>): void {
    this.#ledger = { ...this.#ledger, ...change }
    this.#log.note("outbox", JSON.stringify(this.#ledger))
  }
}
