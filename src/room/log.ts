/**
 * The log of a room: append, load, compact, quarantine. A document is a snapshot (one update, split at `valueBytes`) and a
 * log of the commits after it. One log row holds one commit: its updates as they were vetted (D3), each with its length
 * before it, and in `who` the origin of each. A commit too large for a row is split over several rows of one revision.
 *
 * The newest log row also carries what a waking room must know: bytes, rows and weight since the snapshot, and the clocks
 * that moved. So a wake reads the head of that row, the clocks and a few notes, and nothing of the document.
 *
 * Over 450 lines: rows, snapshot and the state that is known without reading them change together, in one transaction.
 */
import { crc32 } from "node:zlib"
import { SyncError } from "../errors.ts"
import { type Origin, writeOrigins } from "../history/origin.ts"
import {
  type Frame,
  type LeavingCommit,
  type LeavingSnapshot,
  type LoggedCommit,
  readCommit,
  Segments,
  type Tables,
} from "../history/segments.ts"
import type { Limits } from "../limits.ts"
import { Database, gather, type Part, split } from "./database.ts"
import type { Shelf } from "./presence.ts"
import { PAST } from "./schema.ts"
import { WaitingRows } from "./waiting-rows.ts"

/** The state of the log, known without reading the document. */
export interface LogState {
  /** Count of the room's commits; grows only, also over a deletion. */
  readonly revision: number
  /** When the newest commit was taken, ms since 1970; grows only, whatever the clock does (H1). 0: not known. */
  readonly at: number
  /** Size of the stored snapshot, bytes; 0 where there is none. */
  readonly snapshotBytes: number
  /** Estimated memory of the snapshot in a hydrated document, bytes. */
  readonly snapshotWeight: number
  /** Size of the log after the snapshot, bytes, with the overhead of its rows. */
  readonly logBytes: number
  readonly logRows: number
  /** Estimated memory of what the log adds to a hydrated document, bytes. */
  readonly logWeight: number
  /** State vector of the snapshot, and of the clients that moved since, each encoded by Yjs; empty where there is none. */
  readonly snapshotClocks: Uint8Array
  readonly movedClocks: Uint8Array
  /** Those clocks failed their checksum: they are to be read from the document, and given to `setClocks`. */
  readonly clocksLost: boolean
}

/** One update and where it came from. */
export interface Entry {
  readonly update: Uint8Array
  readonly origin: Origin
}

/** One update of the log and the revision it was committed in. */
export interface LoggedUpdate extends Entry {
  readonly revision: number
}

const EMPTY: LogState = {
  revision: 0,
  at: 0,
  snapshotBytes: 0,
  snapshotWeight: 0,
  logBytes: 0,
  logRows: 0,
  logWeight: 0,
  snapshotClocks: new Uint8Array(),
  movedClocks: new Uint8Array(),
  clocksLost: false,
}

/** The log and the snapshot, and the small tables beside them: whose ids are whose, what was deleted, large presence. */
export class Log {
  readonly #database: Database
  readonly #limits: Limits
  #state: LogState

  readonly #past: Segments
  /** What waits for something that has not arrived. */
  readonly waiting: WaitingRows

  /** @param onDamage called for each value of the past that turns out to be damaged */
  constructor(storage: DurableObjectStorage, limits: Limits, onDamage: () => void = () => {}) {
    this.#database = new Database(storage, limits)
    this.#limits = limits
    this.#past = new Segments(this.#database.tables, { limits, onDamage })
    this.waiting = new WaitingRows(this.#database)
    this.#state = this.#database.created ? this.#readState() : EMPTY
  }

  /** The state, known without reading the document. */
  get state(): LogState {
    return this.#state
  }

  /** Whether a document is stored here. */
  get exists(): boolean {
    return this.#state.snapshotBytes > 0 || this.#state.logRows > 0
  }

  /**
   * Append one commit.
   * Synchronous: when it returns, `load()` includes it, and a frame sent after it leaves the room only
   * once the write is durable (output gate).
   *
   * @param entries updates as they were vetted, in arrival order, each with its origin
   * @param options.moved state vector of the clients that moved since the snapshot, encoded
   * @param options.weight estimated memory that these updates add to a hydrated document, bytes
   * @param options.alongside writes that belong to the same commit: they hold if and only if it does
   * @returns the room's new revision
   */
  append(
    entries: readonly Entry[],
    { moved, weight, alongside = () => {} }: { moved: Uint8Array; weight: number; alongside?: () => void },
  ): number {
    const bytes = pack(entries)
    const who = writeOrigins(
      entries.map(({ origin }) => origin),
      this.#state.at,
    )
    const revision = this.#state.revision + 1
    const parts = split(bytes, this.#limits.valueBytes)
    // Clocks that would crowd a row have rows of their own; either way they count as bytes written.
    const inRow = moved.length <= this.#limits.rowClocksBytes
    const logRows = this.#state.logRows + parts.length
    const logBytes =
      this.#state.logBytes +
      bytes.length +
      who.length +
      moved.length +
      parts.length * this.#limits.rowOverheadBytes
    const logWeight = this.#state.logWeight + weight
    const at = entries.reduce((latest, { origin }) => Math.max(latest, origin.at), this.#state.at)
    this.#write(() => {
      for (const [part, value] of parts.entries()) {
        const origins = part === 0 ? who : NO_BYTES
        const clocks = inRow ? moved : null
        this.#database.sql(
          `INSERT INTO log (revision, part, parts, log_bytes, log_rows, log_weight, clocks, at, who, head_crc, crc, bytes)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
          ...[revision, part, parts.length, logBytes, logRows, logWeight, clocks, at],
          ...[origins, headChecksum(clocks, origins), crc32(value), value],
        )
      }
      if (!inRow) this.#database.writeValue("moved_clocks", moved)
      alongside()
    })
    this.#state = { ...this.#state, revision, at, logBytes, logRows, logWeight, movedClocks: moved }
    return revision
  }

  /**
   * The whole document: the snapshot, and what was committed after it, in order.
   * A value that fails its checksum is quarantined and left out (D6); `damaged` says so.
   */
  load(): { snapshot: Uint8Array | null; updates: LoggedUpdate[]; damaged: boolean } {
    if (!this.#database.created) return { snapshot: null, updates: [], damaged: false }
    const before = this.quarantined
    const snapshot = this.#loadSnapshot()
    const updates: LoggedUpdate[] = []
    for (const { revision, commit } of this.#gatherCommits()) {
      if (typeof commit === "string") {
        this.quarantine(revision, commit)
        continue
      }
      for (const { update, origin } of readCommit(commit).updates) updates.push({ revision, update, origin })
    }
    return { snapshot, updates, damaged: this.quarantined !== before }
  }

  /**
   * The commits after one revision and up to another that are not in the snapshot, in order. Looking changes nothing: what is
   * damaged is set aside where the document is loaded, which then knows that it lacks it.
   * @param options.overDamage leave out those that fail their checksum
   * @throws SyncError gone where one of them does
   */
  commits(after: number, upTo: number, { overDamage = false } = {}): LoggedCommit[] {
    const gathered = this.#gatherCommits("WHERE revision > ? AND revision <= ?", after, upTo)
    return gathered.flatMap(({ revision, commit }) => {
      if (typeof commit !== "string") return [commit]
      if (overDamage) return []
      throw lost(revision)
    })
  }

  /** Put other origins in the place of those in the log. @param change gives the very same bytes where they stay */
  rewriteOrigins(change: (who: Uint8Array) => Uint8Array): void {
    this.#write(() => {
      for (const row of this.#database.sql<HeadRow>(`SELECT ${HEAD_COLUMNS} FROM log WHERE part = 0`)) {
        const who = originsIn(row)
        const changed = change(who)
        if (changed === who) continue
        const clocks = row.clocks === null ? null : new Uint8Array(row.clocks)
        const checksum = headChecksum(clocks, changed)
        this.#database.sql("UPDATE log SET who = ?, head_crc = ? WHERE id = ?", changed, checksum, row.id)
      }
    })
  }

  /** The commits of some rows of the log, or what is wrong with one. */
  #gatherCommits(
    where = "",
    ...bindings: number[]
  ): { readonly revision: number; readonly commit: LoggedCommit | string }[] {
    const commits: { revision: number; commit: LoggedCommit | string }[] = []
    if (!this.#database.created) return commits
    const rows = this.#database.sql<LogRow>(
      `SELECT ${LOG_COLUMNS} FROM log ${where} ORDER BY id`,
      ...bindings,
    )
    for (let i = 0; i < rows.length; ) {
      const { revision, parts } = rows[i]!
      const who = originsIn(rows[i]!)
      let end = i
      while (end < rows.length && rows[end]!.revision === revision) end++
      const values = rows.slice(i, end)
      i = end
      const bytes = values.reduce((total, value) => total + value.bytes.byteLength, 0)
      const whole = gather(values, { parts, bytes })
      commits.push({ revision, commit: typeof whole === "string" ? whole : { revision, who, bytes: whole } })
    }
    return commits
  }

  /** The stored snapshot as a state that the past can be rebuilt from: the commits of the log follow it. */
  get base(): Frame {
    const revision = this.noted<number>("snapshot_revision") ?? 0
    const at = this.noted<number>("snapshot_at") ?? 0
    const read = () => {
      const whole = this.#gatherSnapshot()
      if (typeof whole === "string") throw lost(revision)
      return whole
    }
    return { revision, at, joins: true, read }
  }

  /** What is kept of the past. */
  get past(): Segments {
    return this.#past
  }

  /** The name of this storage's lineage: revisions are comparable within it alone. */
  get writer(): string {
    let writer = this.noted<string>("writer")
    if (writer === null) {
      writer = crypto.randomUUID()
      this.note("writer", writer)
    }
    return writer
  }

  /** The tables of the room, for what is kept of its past. */
  get tables(): Tables {
    return this.#database.tables
  }

  /**
   * Replace the snapshot and drop the log up to now, in one transaction (D4). The caller has proven that
   * the snapshot loads to the document's state.
   */
  compact(snapshot: Uint8Array, { clocks, weight }: { clocks: Uint8Array; weight: number }): void {
    const { revision, snapshotBytes } = this.#state
    this.#write(() => {
      this.#past.take(this.#handOver(), { snapshot: this.#leavingSnapshot(snapshotBytes) })
      this.#replace(snapshot, { clocks, weight, revision })
    })
  }

  /**
   * Start from an archived document: its bytes become the snapshot, and the revision counts on from its own.
   * @param options.continues it is the very state that this room has dropped, so that its past goes on
   * @param options.alongside writes that belong to the same transaction
   */
  adopt(
    snapshot: Uint8Array,
    options: {
      clocks: Uint8Array
      weight: number
      revision: number
      continues: boolean
      alongside: () => void
    },
  ): void {
    const revision = Math.max(options.revision, this.#state.revision)
    this.#write(() => {
      if (!options.continues) this.#past.interrupt()
      this.#replace(snapshot, { ...options, revision })
      this.note("snapshot_at", Math.max(this.#state.at, Date.now()))
    })
    this.#state = { ...this.#state, at: Math.max(this.#state.at, Date.now()) }
  }

  /** Drop the document, which the archive has. What is kept of its past stays, and goes on when it is opened again. */
  shed(): void {
    const { revision, at, snapshotBytes } = this.#state
    this.#write(() => {
      this.#past.take(this.#handOver(), { snapshot: this.#leavingSnapshot(snapshotBytes) })
      for (const table of ["log", "snapshot", "waiting", "owner", "carried", "presence", "value"])
        this.#database.sql(`DELETE FROM ${table}`)
      this.#database.sql("DELETE FROM meta WHERE key NOT IN ('schema', 'opens_from', 'writer', 'past_whole')")
      this.note("revision", revision)
      this.note("snapshot_revision", revision)
      this.note("snapshot_at", at)
    })
    this.#state = { ...EMPTY, revision, at }
  }

  /** The document whose past is kept here was deleted elsewhere (D8). */
  forgetPast(): void {
    if (!this.#database.created || this.#past.first === null) return
    this.#write(() => {
      this.#past.moving.leaveAll()
      for (const table of PAST) this.#database.sql(`DELETE FROM ${table}`)
      this.note("past_whole", null)
    })
    this.#past.recount()
  }

  /** Count on from this revision, because the archive has a higher one. */
  raise(revision: number): void {
    if (revision <= this.#state.revision) return
    this.#state = { ...this.#state, revision }
    if (this.#database.created) this.note("revision", revision)
  }

  /**
   * Delete the document. The revision, the clocks of its content and the archive's notes stay, so that the revision never
   * goes back and deleted content is known when it is brought back (D8).
   *
   * @param dead state vector of all that was ever deleted here, encoded
   * @param options.aside keep the document's bytes in quarantine, for a person to look at, with this reason
   */
  erase(dead: Uint8Array, { aside }: { aside?: string } = {}): void {
    const revision = this.#state.revision + 1
    const { at } = this.#state
    this.#write(() => {
      if (aside === undefined) this.#database.sql("DELETE FROM quarantine")
      else {
        const query = "SELECT revision, bytes FROM log ORDER BY id"
        this.#database.setAside("log", aside, query)
        this.#database.setAside(
          "snapshot",
          aside,
          `SELECT ${this.#state.revision} AS revision, bytes FROM snapshot ORDER BY part`,
        )
      }
      this.#past.moving.leaveAll()
      for (const table of ["log", "snapshot", "waiting", "owner", "carried", "value", ...PAST])
        this.#database.sql(`DELETE FROM ${table}`)
      const kept = "'schema', 'opens_from', 'archive', 'writer', 'events'"
      this.#database.sql(`DELETE FROM meta WHERE key NOT IN (${kept})`)
      this.note("revision", revision)
      this.note("snapshot_revision", revision)
      this.note("snapshot_at", at)
      this.#database.writeValue("dead_clocks", dead)
    })
    this.#past.recount()
    this.#state = { ...EMPTY, revision, at }
  }

  /** Move a revision of the log into quarantine, for a person to look at, and mark the room as damaged (D6, D7). */
  quarantine(revision: number, reason: string): void {
    this.#write(() => {
      this.#database.setAside(
        "log",
        reason,
        "SELECT revision, bytes FROM log WHERE revision = ? ORDER BY part",
        revision,
      )
      this.#database.sql("DELETE FROM log WHERE revision = ?", revision)
      this.#reread()
    })
  }

  /** Move the snapshot into quarantine, and mark the room as damaged. The log after it stays. */
  quarantineSnapshot(reason: string): void {
    this.#write(() => {
      const revision = this.#state.revision
      this.#database.setAside(
        "snapshot",
        reason,
        `SELECT ${revision} AS revision, bytes FROM snapshot ORDER BY part`,
      )
      this.#database.sql("DELETE FROM snapshot")
      this.note("snapshot_bytes", 0)
      this.note("snapshot_weight", 0)
      this.#past.interrupt()
      this.#database.writeValue("snapshot_clocks", new Uint8Array())
      this.#reread()
    })
  }

  /**
   * Say what is still known after a quarantine: the clocks beside the newest row are those from before it.
   * @param clocks state vector of all that is stored, encoded
   */
  setClocks(clocks: Uint8Array): void {
    this.#write(() => {
      const isEmpty = this.#state.logRows === 0
      if (this.#state.clocksLost) this.#database.writeValue("snapshot_clocks", NO_BYTES)
      this.#database.writeValue(isEmpty ? "snapshot_clocks" : "moved_clocks", clocks)
      const newest = this.#database.sql<HeadRow>(
        `SELECT ${HEAD_COLUMNS} FROM log ORDER BY id DESC LIMIT 1`,
      )[0]
      if (newest !== undefined) {
        const who = originsIn(newest)
        const change = "UPDATE log SET clocks = NULL, who = ?, head_crc = ? WHERE id = ?"
        this.#database.sql(change, who, headChecksum(null, who), newest.id)
      }
      this.#state = this.#readState()
    })
  }

  /** Keep bytes that did not apply and are in no table yet. */
  quarantineUpdate(update: Uint8Array, reason: string): void {
    this.#write(() =>
      this.#database.keepAside("uncommitted", { revision: this.#state.revision, reason, bytes: update }),
    )
  }

  /** The clocks of all content that was deleted under this id and must not come back, as Yjs encodes a state vector. */
  deadClocks(): Uint8Array {
    return this.#database.readOrSetAside("dead_clocks")
  }

  /** Change the clocks of what was deleted. Joins the transaction of the turn. */
  setDeadClocks(dead: Uint8Array): void {
    this.#write(() => this.#database.writeValue("dead_clocks", dead))
  }

  /** Up to which clocks what was deleted was brought back on purpose, encoded likewise. */
  restoredClocks(): Uint8Array {
    return this.#database.readOrSetAside("restored_clocks")
  }

  /** Change the clocks of what was brought back. Joins the transaction of the turn. */
  setRestoredClocks(restored: Uint8Array): void {
    this.#write(() => this.#database.writeValue("restored_clocks", restored))
  }

  /** The subject whom a client id belongs to, or null. */
  ownerOf(client: number): string | null {
    if (!this.#database.created) return null
    return (
      this.#database.sql<{ subject: string }>("SELECT subject FROM owner WHERE client = ?", client)[0]
        ?.subject ?? null
    )
  }

  /** Store whom a client id belongs to. Joins the transaction of the turn. */
  own(client: number, subject: string): void {
    this.#database.sql("INSERT OR REPLACE INTO owner VALUES (?, ?)", client, subject)
  }

  /** Every client id and whom it belongs to. */
  owners(): { client: number; subject: string }[] {
    return this.#database.created
      ? this.#database.sql("SELECT client, subject FROM owner ORDER BY client")
      : []
  }

  /** For each client id with carried content: the clock from which on it is not known to be the owner's. */
  carried(): { client: number; owner: string; clock: number }[] {
    return this.#database.created ? this.#database.sql("SELECT client, owner, clock FROM carried") : []
  }

  /** Store that clock; null: all content is known to be the owner's. Joins the transaction of the turn. */
  setCarried(client: number, { owner, clock }: { owner: string; clock: number | null }): void {
    if (clock === null)
      this.#database.sql("DELETE FROM carried WHERE client = ? AND owner = ?", client, owner)
    else this.#database.sql("INSERT OR REPLACE INTO carried VALUES (?, ?, ?)", client, owner, clock)
  }

  /** Storage for awareness states that are too large for a socket's attachment. */
  get shelf(): Shelf {
    return {
      put: (client, state) =>
        this.#write(() => this.#database.sql("INSERT OR REPLACE INTO presence VALUES (?, ?)", client, state)),
      get: (client) =>
        this.#database.created
          ? (this.#database.sql<{ state: string }>("SELECT state FROM presence WHERE client = ?", client)[0]
              ?.state ?? null)
          : null,
      drop: (client) => void this.#database.sql("DELETE FROM presence WHERE client = ?", client),
    }
  }

  /** Nobody is here whose large awareness state would be kept. */
  clearShelf(): void {
    if (this.#database.created) this.#database.sql("DELETE FROM presence")
  }

  /** Run writes that hold all or none. */
  transact(change: () => void): void {
    this.#write(change)
  }

  /** Read a small named value of the room; null where there is none. */
  noted<Value extends SqlStorageValue>(key: string): Value | null {
    return this.#database.noted(key)
  }

  /** Forget a small named value. Joins the transaction of the turn. */
  drop(key: string): void {
    this.#database.drop(key)
  }

  /** Store a small named value. Joins the transaction of the turn. */
  note(key: string, value: SqlStorageValue): void {
    this.#database.note(key, value)
  }

  /** How many values are in quarantine. */
  get quarantined(): number {
    return this.#database.quarantined
  }

  /** Whether something stored is in quarantine and its content has not been recovered (D7). Survives a restart. */
  get damaged(): boolean {
    return this.#database.damaged
  }

  /** Remove the mark of damage: the content was recovered as far as anyone has it. */
  repaired(): void {
    this.#database.repaired()
  }

  /** As the database's; the state goes back with what was written. */
  #write(change: () => void): void {
    const state = this.#state
    try {
      this.#database.write(change)
    } catch (thrown) {
      this.#state = state
      throw thrown
    }
  }

  #replace(
    snapshot: Uint8Array,
    options: { clocks: Uint8Array; weight: number; revision: number; alongside?: () => void },
  ): void {
    const { clocks, weight, revision } = options
    this.#write(() => {
      this.#database.sql("DELETE FROM snapshot")
      for (const [part, value] of split(snapshot, this.#limits.valueBytes).entries()) {
        this.#database.sql("INSERT INTO snapshot VALUES (?, ?, ?)", part, crc32(value), value)
      }
      this.#database.sql("DELETE FROM log")
      this.note("revision", revision)
      this.note("snapshot_revision", revision)
      this.note("snapshot_at", this.#state.at)
      this.note("snapshot_bytes", snapshot.length)
      this.note("snapshot_weight", weight)
      this.#database.writeValue("snapshot_clocks", clocks)
      this.#database.writeValue("moved_clocks", new Uint8Array())
      options.alongside?.()
    })
    this.#state = {
      ...EMPTY,
      revision,
      at: this.#state.at,
      snapshotBytes: snapshot.length,
      snapshotWeight: weight,
      snapshotClocks: clocks,
    }
  }

  /**
   * The commits of the log as they leave it, in their order. A commit that is larger than a segment is not read: its rows are
   * copied, since several copies of it would not fit into memory beside the document.
   */
  *#handOver(): Generator<LeavingCommit> {
    const heads = this.#database.sql<{ id: number; revision: number; size: number }>(
      "SELECT id, revision, length(bytes) AS size FROM log ORDER BY id",
    )
    const { segmentBytes } = this.#limits
    for (let i = 0; i < heads.length; ) {
      let end = i
      let bytes = 0
      while (end < heads.length) {
        const { revision } = heads[end]!
        let next = end
        let size = 0
        while (next < heads.length && heads[next]!.revision === revision) size += heads[next++]!.size
        if (end > i && bytes + size > segmentBytes) break
        bytes += size
        end = next
      }
      if (bytes > segmentBytes) yield this.#largeCommit(heads[i]!.revision, bytes)
      else {
        const range = [heads[i]!.id, heads[end - 1]!.id] as const
        for (const { revision, commit } of this.#gatherCommits("WHERE id BETWEEN ? AND ?", ...range))
          yield typeof commit === "string" ? { revision, who: NO_BYTES, bytes: null } : commit
      }
      i = end
    }
  }

  #largeCommit(revision: number, size: number): LeavingCommit {
    const query = `SELECT ${HEAD_COLUMNS} FROM log WHERE revision = ? ORDER BY part LIMIT 1`
    const [head] = this.#database.sql<HeadRow>(query, revision)
    const who = head === undefined ? NO_BYTES : originsIn(head)
    const copy = (id: number) => {
      this.#database.sql(
        "INSERT INTO past_bytes SELECT ?, part + 1, crc, bytes FROM log WHERE revision = ?",
        ...[id, revision],
      )
    }
    return { revision, who, bytes: null, large: { size, copy } }
  }

  #leavingSnapshot(bytes: number): LeavingSnapshot {
    const { revision, at } = this.base
    const copy = (id: number) => {
      this.#database.sql("INSERT INTO past_bytes SELECT ?, part, crc, bytes FROM snapshot", id)
    }
    return { revision, at, bytes, copy }
  }

  #loadSnapshot(): Uint8Array | null {
    const whole = this.#gatherSnapshot()
    if (typeof whole !== "string") return whole
    this.quarantineSnapshot(whole)
    return null
  }

  /** The snapshot, or what is wrong with it; null: there is none. */
  #gatherSnapshot(): Uint8Array | string | null {
    const { snapshotBytes } = this.#state
    if (snapshotBytes === 0) return null
    // How many parts there are is asked of the rows: `valueBytes` may have been another number when they were written.
    const rows = this.#database.cursor<Part>("SELECT part, crc, bytes FROM snapshot ORDER BY part")
    return gather(rows, { parts: null, bytes: snapshotBytes })
  }

  /** Read the state again after a row was removed. The revision is noted first: the removed row may be the newest one, and
   * the revision must never go back. */
  #reread(): void {
    this.note("revision", this.#state.revision)
    this.note("damaged", this.#state.revision)
    this.#state = this.#readState()
  }

  #readState(): LogState {
    const head = this.#database.sql<HeadRow>(`SELECT ${HEAD_COLUMNS} FROM log ORDER BY id DESC LIMIT 1`)[0]
    const movedClocks =
      head === undefined
        ? NO_BYTES
        : head.clocks === null
          ? this.#database.readValue("moved_clocks")
          : isSound(head)
            ? new Uint8Array(head.clocks)
            : null
    const snapshotClocks = this.#database.readValue("snapshot_clocks")
    // A lost note must not hide the snapshot: its rows say the same, but for one that is missing.
    const snapshotBytes =
      this.noted<number>("snapshot_bytes") ??
      this.#database.sql<{ n: number }>("SELECT total(length(bytes)) AS n FROM snapshot")[0]!.n
    return {
      revision: Math.max(
        head?.revision ?? 0,
        this.noted<number>("revision") ?? this.noted<number>("snapshot_revision") ?? 0,
      ),
      at: Math.max(head?.at ?? 0, this.noted<number>("snapshot_at") ?? 0),
      snapshotBytes,
      snapshotWeight: this.noted<number>("snapshot_weight") ?? snapshotBytes,
      snapshotClocks: snapshotClocks ?? NO_BYTES,
      logBytes: head?.log_bytes ?? 0,
      logRows: head?.log_rows ?? 0,
      logWeight: head?.log_weight ?? 0,
      movedClocks: movedClocks ?? NO_BYTES,
      clocksLost: movedClocks === null || snapshotClocks === null,
    }
  }
}

/** What a row says beside its bytes: the clocks that moved, and where its updates came from. */
type Head = { clocks: ArrayBuffer | null; who: ArrayBuffer; head_crc: number | null }
type LogRow = Part & Head & { revision: number; parts: number }
const LOG_COLUMNS = "revision, part, parts, clocks, who, head_crc, crc, bytes"
type HeadRow = Head & {
  id: number
  revision: number
  log_bytes: number
  log_rows: number
  log_weight: number
  at: number
}
const HEAD_COLUMNS = "id, revision, log_bytes, log_rows, log_weight, at, clocks, who, head_crc"
const NO_BYTES = new Uint8Array()

function headChecksum(clocks: Uint8Array | null, who: Uint8Array): number {
  return crc32(who, crc32(clocks ?? NO_BYTES))
}

function isSound({ clocks, who, head_crc }: Head): boolean {
  return (
    head_crc === null ||
    head_crc === headChecksum(clocks === null ? null : new Uint8Array(clocks), new Uint8Array(who))
  )
}

/** Where the updates of a row came from; nothing where that cannot be trusted, so that nobody gets another's words. */
function originsIn(head: Head): Uint8Array {
  return isSound(head) ? new Uint8Array(head.who) : NO_BYTES
}

/** The updates of a commit, each with its length before it, in one allocation: a paste is large, and keystrokes many. */
function pack(entries: readonly Entry[]): Uint8Array {
  // A length takes five bytes at most.
  const packed = new Uint8Array(entries.reduce((total, { update }) => total + 5 + update.length, 0))
  let at = 0
  for (const { update } of entries) {
    let length = update.length
    for (; length > 127; length >>>= 7) packed[at++] = (length & 127) | 128
    packed[at++] = length
    packed.set(update, at)
    at += update.length
  }
  return packed.subarray(0, at)
}

/** What is answered where something that a state of the past is made of is damaged, and not set aside yet. */
function lost(revision: number): SyncError {
  return new SyncError("gone", `Revision ${revision} is damaged on the disk; it cannot be shown.`)
}
