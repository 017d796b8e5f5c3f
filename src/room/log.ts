/**
 * The log of a room in Durable Object SQLite: append, load, compact, quarantine, and the small tables beside it. No other
 * file of the room writes SQL, and those of history/ do through `tables`. The schema is one, so this is one file, of more
 * than 450 lines.
 *
 * A document is a snapshot (one update, split at `valueBytes`) and a log of the commits after it. One log row holds one
 * commit: its updates as they were vetted (D3), each with its length before it, and in `who` the origin of each. A commit
 * too large for a row is split over several rows of one revision.
 *
 * The newest log row also carries what a waking room must know: bytes, rows and weight since the snapshot, and the clocks
 * that moved. So a wake reads the head of that row, the clocks and a few notes, and nothing of the document.
 *
 * Nothing is written before the first commit, so asking for a document does not create one.
 *
 * @source Durable Objects limits: a SQLite row, string or BLOB holds at most 2 MB; rows written are billed
 */
import { crc32 } from "node:zlib"
import { SyncError } from "../errors.ts"
import { type Origin, readOrigins, writeOrigins } from "../history/origin.ts"
import { type Frame, type LoggedCommit, readCommit, Segments, type Tables } from "../history/segments.ts"
import type { Limits } from "../limits.ts"
import type { Shelf } from "./presence.ts"

/**
 * The steps of the schema, in order; a room takes those it lacks, each in a transaction with its number.
 * `bytes` stands last in a row: SQLite then reads the columns before it without touching a large value's pages.
 */
const MIGRATIONS = [
  `CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
   CREATE TABLE log (
     id INTEGER PRIMARY KEY, revision INTEGER NOT NULL, part INTEGER NOT NULL, parts INTEGER NOT NULL,
     log_bytes INTEGER NOT NULL, log_rows INTEGER NOT NULL, clocks BLOB NOT NULL,
     crc INTEGER NOT NULL, bytes BLOB NOT NULL
   );
   CREATE TABLE snapshot (part INTEGER PRIMARY KEY, crc INTEGER NOT NULL, bytes BLOB NOT NULL);
   CREATE TABLE waiting (id INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
   CREATE TABLE quarantine (
     id INTEGER PRIMARY KEY, source TEXT NOT NULL, revision INTEGER NOT NULL, at INTEGER NOT NULL,
     reason TEXT NOT NULL, bytes BLOB NOT NULL
   );
   CREATE TABLE owner (client INTEGER PRIMARY KEY, subject TEXT NOT NULL);`,
  // Time and author of each update; the weight in memory; values that outgrow a row; whose content is whose.
  `CREATE TABLE log_2 (
     id INTEGER PRIMARY KEY, revision INTEGER NOT NULL, part INTEGER NOT NULL, parts INTEGER NOT NULL,
     log_bytes INTEGER NOT NULL, log_rows INTEGER NOT NULL, log_weight INTEGER NOT NULL, clocks BLOB,
     at INTEGER NOT NULL, who BLOB NOT NULL, crc INTEGER NOT NULL, bytes BLOB NOT NULL
   );
   INSERT INTO log_2 SELECT id, revision, part, parts, log_bytes, log_rows, log_bytes, clocks, 0, x'', crc, bytes FROM log;
   DROP TABLE log;
   ALTER TABLE log_2 RENAME TO log;
   CREATE TABLE value (name TEXT NOT NULL, part INTEGER NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY (name, part));
   INSERT INTO value SELECT 'snapshot_clocks', 0, value FROM meta WHERE key = 'snapshot_clocks';
   DELETE FROM meta WHERE key = 'snapshot_clocks';
   CREATE TABLE presence (client INTEGER PRIMARY KEY, state TEXT NOT NULL);
   CREATE TABLE carried (
     client INTEGER NOT NULL, owner TEXT NOT NULL, clock INTEGER NOT NULL, PRIMARY KEY (client, owner)
   ) WITHOUT ROWID;
   DELETE FROM meta WHERE key = 'outbox';
   ALTER TABLE waiting RENAME TO waiting_1;
   CREATE TABLE waiting (
     id INTEGER PRIMARY KEY, size INTEGER NOT NULL, crc INTEGER NOT NULL, peers TEXT NOT NULL, subject TEXT,
     roots TEXT, who BLOB NOT NULL, missing TEXT NOT NULL
   );
   CREATE INDEX waiting_by_bytes ON waiting (size, crc);
   INSERT INTO waiting SELECT id, length(bytes), 0, '', NULL, NULL, x'', '[]' FROM waiting_1;
   INSERT INTO value SELECT 'waiting ' || id, 0, bytes FROM waiting_1;
   DROP TABLE waiting_1;`,
  // The past: see history/segments.ts, versions.ts and copies.ts, which read and write these through `tables`.
  `CREATE TABLE past (
     id INTEGER PRIMARY KEY, kind TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
     first_at INTEGER NOT NULL, last_at INTEGER NOT NULL, joins INTEGER NOT NULL, size INTEGER NOT NULL,
     kept INTEGER NOT NULL, damaged INTEGER NOT NULL
   );
   CREATE TABLE past_bytes (
     id INTEGER NOT NULL, part INTEGER NOT NULL, crc INTEGER NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY (id, part)
   );
   CREATE TABLE version (
     n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, revision INTEGER NOT NULL, at INTEGER NOT NULL, name TEXT,
     trigger TEXT NOT NULL, created_by TEXT NOT NULL, writers TEXT NOT NULL, meta TEXT
   );
   CREATE TABLE person (subject TEXT PRIMARY KEY, name TEXT NOT NULL) WITHOUT ROWID;
   CREATE TABLE copied (id INTEGER PRIMARY KEY, revision INTEGER NOT NULL, bytes BLOB NOT NULL);
   INSERT INTO meta SELECT 'snapshot_revision', coalesce(
     (SELECT min(revision) - 1 FROM log), (SELECT value FROM meta WHERE key = 'revision'), 0
   );`,
  // Checksums of what stands beside the document: of a row's clocks and origins, and of each value. NULL: from before.
  `CREATE TABLE log_3 (
     id INTEGER PRIMARY KEY, revision INTEGER NOT NULL, part INTEGER NOT NULL, parts INTEGER NOT NULL,
     log_bytes INTEGER NOT NULL, log_rows INTEGER NOT NULL, log_weight INTEGER NOT NULL, clocks BLOB,
     at INTEGER NOT NULL, who BLOB NOT NULL, head_crc INTEGER, crc INTEGER NOT NULL, bytes BLOB NOT NULL
   );
   INSERT INTO log_3 SELECT id, revision, part, parts, log_bytes, log_rows, log_weight, clocks, at, who, NULL, crc, bytes
     FROM log;
   DROP TABLE log;
   ALTER TABLE log_3 RENAME TO log;
   CREATE TABLE value_2 (
     name TEXT NOT NULL, part INTEGER NOT NULL, crc INTEGER, bytes BLOB NOT NULL, PRIMARY KEY (name, part)
   );
   INSERT INTO value_2 SELECT name, part, NULL, bytes FROM value;
   DROP TABLE value;
   ALTER TABLE value_2 RENAME TO value;`,
]

/** The tables of a document's past, which go with it (D8). */
const PAST = ["past", "past_bytes", "version", "person", "copied"]

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

/** An update, or a part of one, that waits for ids that have not arrived. Its bytes are read when it is looked at. */
export interface Waiting {
  readonly id: number
  /** The peers that have brought it (their ids, the newest last), and on whose behalf the first of them did. */
  readonly peers: readonly string[]
  readonly subject: string | null
  /** The only roots it may change; null: all. */
  readonly roots: readonly string[] | null
  /** The ids whose arrival makes it worth another look: client, clock, client, clock, … */
  readonly missing: readonly number[]
  readonly bytes: number
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

/** The names of values that may outgrow a row, so that they have rows of their own. */
type ValueName = "snapshot_clocks" | "moved_clocks" | "dead_clocks" | "restored_clocks" | `waiting ${number}`

/** A room's SQLite database: the log, the snapshot, and the small tables beside them. */
export class Log {
  readonly #storage: DurableObjectStorage
  readonly #limits: Limits
  #state: LogState = EMPTY
  #created: boolean

  readonly #tables: Tables = {
    rows: (query, ...bindings) => (this.#created ? this.#sql(query, ...bindings) : []),
    write: (change) => this.#write(() => change((query, ...bindings) => this.#sql(query, ...bindings))),
    noted: (key) => this.noted(key),
    note: (key, value) => this.note(key, value),
  }
  readonly #past: Segments

  /** @param onDamage called for each value of the past that turns out to be damaged */
  constructor(storage: DurableObjectStorage, limits: Limits, onDamage: () => void = () => {}) {
    this.#storage = storage
    this.#limits = limits
    this.#past = new Segments(this.#tables, { limits, onDamage })
    this.#created = this.#sql("SELECT 1 FROM sqlite_master WHERE name = 'meta'").length > 0
    if (this.#created) this.#migrate()
    this.#state = this.#created ? this.#readState() : EMPTY
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
        this.#sql(
          `INSERT INTO log (revision, part, parts, log_bytes, log_rows, log_weight, clocks, at, who, head_crc, crc, bytes)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
          ...[revision, part, parts.length, logBytes, logRows, logWeight, clocks, at],
          ...[origins, headChecksum(clocks, origins), crc32(value), value],
        )
      }
      if (!inRow) this.#writeValue("moved_clocks", moved)
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
    if (!this.#created) return { snapshot: null, updates: [], damaged: false }
    const before = this.quarantined
    const snapshot = this.#loadSnapshot()
    const updates: LoggedUpdate[] = []
    for (const commit of this.commits()) {
      const { revision } = commit
      for (const { update, origin } of readCommit(commit).updates) updates.push({ revision, update, origin })
    }
    return { snapshot, updates, damaged: this.quarantined !== before }
  }

  /** The commits after the snapshot, in order. One that fails its checksum is quarantined and left out. */
  commits(): LoggedCommit[] {
    const commits: LoggedCommit[] = []
    if (!this.#created) return commits
    const rows = this.#sql<LogRow>(`SELECT ${LOG_COLUMNS} FROM log ORDER BY id`)
    for (let i = 0; i < rows.length; ) {
      const { revision, parts } = rows[i]!
      const who = originsIn(rows[i]!)
      let end = i
      while (end < rows.length && rows[end]!.revision === revision) end++
      const values = rows.slice(i, end)
      i = end
      const bytes = values.reduce((total, value) => total + value.bytes.byteLength, 0)
      const whole = gather(values, { parts, bytes })
      if (typeof whole === "string") this.quarantine(revision, whole)
      else commits.push({ revision, who, bytes: whole })
    }
    return commits
  }

  /** The stored snapshot as a state that the past can be rebuilt from: the commits of the log follow it. */
  get base(): Frame {
    const revision = this.noted<number>("snapshot_revision") ?? 0
    const at = this.noted<number>("snapshot_at") ?? 0
    return { revision, at, joins: true, read: () => this.#loadSnapshot() }
  }

  /** What is kept of the past. */
  get past(): Segments {
    return this.#past
  }

  /** The tables of the room, for what is kept of its past. */
  get tables(): Tables {
    return this.#tables
  }

  /**
   * Replace the snapshot and drop the log up to now, in one transaction (D4). The caller has proven that
   * the snapshot loads to the document's state.
   */
  compact(snapshot: Uint8Array, { clocks, weight }: { clocks: Uint8Array; weight: number }): void {
    const { revision, snapshotBytes } = this.#state
    this.#write(() => {
      this.#past.take(this.#handOver(), { snapshot: { ...this.base, bytes: snapshotBytes } })
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
      this.#past.take(this.#handOver(), { snapshot: { ...this.base, bytes: snapshotBytes } })
      for (const table of ["log", "snapshot", "waiting", "owner", "carried", "presence", "value"])
        this.#sql(`DELETE FROM ${table}`)
      this.#sql("DELETE FROM meta WHERE key NOT IN ('schema', 'writer', 'past_whole')")
      this.note("revision", revision)
      this.note("snapshot_revision", revision)
      this.note("snapshot_at", at)
    })
    this.#state = { ...EMPTY, revision, at }
  }

  /** The document whose past is kept here was deleted elsewhere (D8). */
  forgetPast(): void {
    if (!this.#created || this.#past.first === null) return
    this.#write(() => {
      for (const table of PAST) this.#sql(`DELETE FROM ${table}`)
      this.note("past_whole", null)
    })
    this.#past.recount()
  }

  /** Count on from this revision, because the archive has a higher one. */
  raise(revision: number): void {
    if (revision <= this.#state.revision) return
    this.#state = { ...this.#state, revision }
    if (this.#created) this.note("revision", revision)
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
      if (aside === undefined) this.#sql("DELETE FROM quarantine")
      else {
        const query = "SELECT revision, bytes FROM log ORDER BY id"
        this.#setAside("log", aside, query)
        this.#setAside(
          "snapshot",
          aside,
          `SELECT ${this.#state.revision} AS revision, bytes FROM snapshot ORDER BY part`,
        )
      }
      for (const table of ["log", "snapshot", "waiting", "owner", "carried", "value", ...PAST])
        this.#sql(`DELETE FROM ${table}`)
      this.#sql("DELETE FROM meta WHERE key NOT IN ('schema', 'archive', 'writer')")
      this.note("revision", revision)
      this.note("snapshot_revision", revision)
      this.note("snapshot_at", at)
      this.#writeValue("dead_clocks", dead)
    })
    this.#past.recount()
    this.#state = { ...EMPTY, revision, at }
  }

  /** Move a revision of the log into quarantine, for a person to look at, and mark the room as damaged (D6, D7). */
  quarantine(revision: number, reason: string): void {
    this.#write(() => {
      this.#setAside(
        "log",
        reason,
        "SELECT revision, bytes FROM log WHERE revision = ? ORDER BY part",
        revision,
      )
      this.#sql("DELETE FROM log WHERE revision = ?", revision)
      this.#reread()
    })
  }

  /** Move the snapshot into quarantine, and mark the room as damaged. The log after it stays. */
  quarantineSnapshot(reason: string): void {
    this.#write(() => {
      const revision = this.#state.revision
      this.#setAside("snapshot", reason, `SELECT ${revision} AS revision, bytes FROM snapshot ORDER BY part`)
      this.#sql("DELETE FROM snapshot")
      this.note("snapshot_bytes", 0)
      this.note("snapshot_weight", 0)
      this.#past.interrupt()
      this.#writeValue("snapshot_clocks", new Uint8Array())
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
      if (this.#state.clocksLost) this.#writeValue("snapshot_clocks", NO_BYTES)
      this.#writeValue(isEmpty ? "snapshot_clocks" : "moved_clocks", clocks)
      const newest = this.#sql<HeadRow>(`SELECT ${HEAD_COLUMNS} FROM log ORDER BY id DESC LIMIT 1`)[0]
      if (newest !== undefined) {
        const who = originsIn(newest)
        const change = "UPDATE log SET clocks = NULL, who = ?, head_crc = ? WHERE id = ?"
        this.#sql(change, who, headChecksum(null, who), newest.id)
      }
      this.#state = this.#readState()
    })
  }

  /** Keep bytes that did not apply and are in no table yet. */
  quarantineUpdate(update: Uint8Array, reason: string): void {
    this.#write(() =>
      this.#keepAside("uncommitted", { revision: this.#state.revision, reason, bytes: update }),
    )
  }

  /** How many values are in quarantine. */
  get quarantined(): number {
    return this.#created ? (this.#sql<{ n: number }>("SELECT count(*) AS n FROM quarantine")[0]?.n ?? 0) : 0
  }

  /** Whether something stored is in quarantine and its content has not been recovered (D7). Survives a restart. */
  get damaged(): boolean {
    return this.noted("damaged") !== null
  }

  /** Remove the mark of damage: the content was recovered as far as anyone has it. */
  repaired(): void {
    if (this.damaged) this.note("damaged", null)
  }

  /** Keep an update that waits for another one, as it came (D3). */
  hold(
    update: Uint8Array,
    { origin, ...rest }: Pick<Waiting, "peers" | "roots" | "missing"> & { readonly origin: Origin },
  ): Waiting {
    const { subject } = origin
    const { peers, roots, missing } = rest
    let id = 0
    this.#write(() => {
      id = this.#sql<{ id: number }>(
        `INSERT INTO waiting (size, crc, peers, subject, roots, who, missing)
         VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id`,
        ...[update.length, crc32(update), peers.join(" "), subject, roots && JSON.stringify(roots)],
        ...[writeOrigins([origin]), JSON.stringify(missing)],
      )[0]!.id
      this.#writeValue(`waiting ${id}`, update)
    })
    return { id, subject, ...rest, bytes: update.length }
  }

  /** The id of these very bytes, where they wait already for this subject with the same rights; else null. */
  findWaiting(
    update: Uint8Array,
    { subject, roots }: { subject: string | null; roots: readonly string[] | null },
  ): number | null {
    if (!this.#created) return null
    const alike = this.#sql<{ id: number }>(
      "SELECT id FROM waiting WHERE size = ? AND crc = ? AND subject IS ? AND roots IS ?",
      ...[update.length, crc32(update), subject, roots && JSON.stringify(roots)],
    ).find(({ id }) => equalBytes(this.#readOrSetAside(`waiting ${id}`), update))
    return alike?.id ?? null
  }

  /** Others have brought it too, or it waits for something else by now. */
  holdOn({ id, peers, missing }: Waiting): void {
    const changed = [peers.join(" "), JSON.stringify(missing), id]
    this.#write(() => this.#sql("UPDATE waiting SET peers = ?, missing = ? WHERE id = ?", ...changed))
  }

  /** Delete a waiting update. */
  release(id: number): void {
    this.#sql("DELETE FROM waiting WHERE id = ?", id)
    this.#writeValue(`waiting ${id}`, new Uint8Array())
  }

  /** The waiting updates, without their bytes. A row that cannot be read is set aside. */
  waiting(): Waiting[] {
    if (!this.#created) return []
    const rows = this.#sql<WaitingRow>(`SELECT ${WAITING_COLUMNS} FROM waiting ORDER BY id`)
    return rows.flatMap((row) => {
      try {
        return [readWaiting(row)]
      } catch {
        this.#write(() => {
          const bytes = `SELECT 0 AS revision, bytes FROM value WHERE name = 'waiting ${row.id}'`
          this.#setAside("waiting", "its row cannot be read", bytes)
          this.release(row.id)
          this.note("damaged", this.#state.revision)
        })
        return []
      }
    })
  }

  /** A waiting update: its bytes and its origin; null where the bytes were damaged, and are in quarantine. */
  held(id: number): Entry | null {
    const row = this.#sql<{ who: ArrayBuffer }>("SELECT who FROM waiting WHERE id = ?", id)[0]
    if (row === undefined) throw new SyncError("internal", `Nothing waits under the id ${id}`)
    const update = this.#readOrSetAside(`waiting ${id}`)
    if (update.length === 0) return null
    return { update, origin: readOrigins(new Uint8Array(row.who))() }
  }

  /** Read a small named value of the room; null where there is none. */
  noted<Value extends SqlStorageValue>(key: string): Value | null {
    if (!this.#created) return null
    return this.#sql<{ value: Value }>("SELECT value FROM meta WHERE key = ?", key)[0]?.value ?? null
  }

  /** Store a small named value. Joins the transaction of the turn. */
  note(key: string, value: SqlStorageValue): void {
    this.#write(() => this.#sql("INSERT OR REPLACE INTO meta VALUES (?, ?)", key, value))
  }

  /** The clocks of all content that was deleted under this id and must not come back, as Yjs encodes a state vector. */
  deadClocks(): Uint8Array {
    return this.#readOrSetAside("dead_clocks")
  }

  /** Change the clocks of what was deleted. Joins the transaction of the turn. */
  setDeadClocks(dead: Uint8Array): void {
    this.#write(() => this.#writeValue("dead_clocks", dead))
  }

  /** Up to which clocks what was deleted was brought back on purpose, encoded likewise. */
  restoredClocks(): Uint8Array {
    return this.#readOrSetAside("restored_clocks")
  }

  /** Change the clocks of what was brought back. Joins the transaction of the turn. */
  setRestoredClocks(restored: Uint8Array): void {
    this.#write(() => this.#writeValue("restored_clocks", restored))
  }

  /** The subject whom a client id belongs to, or null. */
  ownerOf(client: number): string | null {
    if (!this.#created) return null
    return (
      this.#sql<{ subject: string }>("SELECT subject FROM owner WHERE client = ?", client)[0]?.subject ?? null
    )
  }

  /** Store whom a client id belongs to. Joins the transaction of the turn. */
  own(client: number, subject: string): void {
    this.#sql("INSERT OR REPLACE INTO owner VALUES (?, ?)", client, subject)
  }

  /** Every client id and whom it belongs to. */
  owners(): { client: number; subject: string }[] {
    return this.#created ? this.#sql("SELECT client, subject FROM owner ORDER BY client") : []
  }

  /** For each client id with carried content: the clock from which on it is not known to be the owner's. */
  carried(): { client: number; owner: string; clock: number }[] {
    return this.#created ? this.#sql("SELECT client, owner, clock FROM carried") : []
  }

  /** Store that clock; null: all content is known to be the owner's. Joins the transaction of the turn. */
  setCarried(client: number, { owner, clock }: { owner: string; clock: number | null }): void {
    if (clock === null) this.#sql("DELETE FROM carried WHERE client = ? AND owner = ?", client, owner)
    else this.#sql("INSERT OR REPLACE INTO carried VALUES (?, ?, ?)", client, owner, clock)
  }

  /** Storage for awareness states that are too large for a socket's attachment. */
  get shelf(): Shelf {
    return {
      put: (client, state) =>
        this.#write(() => this.#sql("INSERT OR REPLACE INTO presence VALUES (?, ?)", client, state)),
      get: (client) =>
        this.#created
          ? (this.#sql<{ state: string }>("SELECT state FROM presence WHERE client = ?", client)[0]?.state ??
            null)
          : null,
      drop: (client) => void this.#sql("DELETE FROM presence WHERE client = ?", client),
    }
  }

  /** Nobody is here whose large awareness state would be kept. */
  clearShelf(): void {
    if (this.#created) this.#sql("DELETE FROM presence")
  }

  /** Run writes that hold all or none. */
  transact(change: () => void): void {
    this.#write(change)
  }

  #replace(
    snapshot: Uint8Array,
    options: { clocks: Uint8Array; weight: number; revision: number; alongside?: () => void },
  ): void {
    const { clocks, weight, revision } = options
    this.#write(() => {
      this.#sql("DELETE FROM snapshot")
      for (const [part, value] of split(snapshot, this.#limits.valueBytes).entries()) {
        this.#sql("INSERT INTO snapshot VALUES (?, ?, ?)", part, crc32(value), value)
      }
      this.#sql("DELETE FROM log")
      this.note("revision", revision)
      this.note("snapshot_revision", revision)
      this.note("snapshot_at", this.#state.at)
      this.note("snapshot_bytes", snapshot.length)
      this.note("snapshot_weight", weight)
      this.#writeValue("snapshot_clocks", clocks)
      this.#writeValue("moved_clocks", new Uint8Array())
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

  /** The rows that a compaction drops, one commit at a time: a log may be half as large as its document. */
  *#handOver(): Generator<LoggedCommit> {
    const rows = this.#storage.sql.exec<LogRow>(`SELECT ${LOG_COLUMNS} FROM log ORDER BY id`)
    let commit: { revision: number; who: Uint8Array; values: Uint8Array[] } | null = null
    for (const row of rows) {
      const { revision, bytes } = row
      if (commit !== null && commit.revision !== revision) yield { ...commit, bytes: join(commit.values) }
      if (commit === null || commit.revision !== revision)
        commit = { revision, who: originsIn(row), values: [] }
      commit.values.push(new Uint8Array(bytes))
    }
    if (commit !== null) yield { ...commit, bytes: join(commit.values) }
  }

  #loadSnapshot(): Uint8Array | null {
    const { snapshotBytes } = this.#state
    if (snapshotBytes === 0) return null
    // How many parts there are is asked of the rows: `valueBytes` may have been another number when they were written.
    const rows = this.#storage.sql.exec<Part>("SELECT part, crc, bytes FROM snapshot ORDER BY part")
    const whole = gather(rows, { parts: null, bytes: snapshotBytes })
    if (typeof whole !== "string") return whole
    this.quarantineSnapshot(whole)
    return null
  }

  /** Read the state again after a row was removed. The revision is noted first: the removed row may be the newest one, and
   * the revision must never go back. */
  #reread(): void {
    this.note("revision", this.#state.revision)
    this.note("damaged", this.#state.revision)
    this.#state = this.#readState()
  }

  #readState(): LogState {
    const head = this.#sql<HeadRow>(`SELECT ${HEAD_COLUMNS} FROM log ORDER BY id DESC LIMIT 1`)[0]
    const movedClocks =
      head === undefined
        ? NO_BYTES
        : head.clocks === null
          ? this.#readValue("moved_clocks")
          : isSound(head)
            ? new Uint8Array(head.clocks)
            : null
    const snapshotClocks = this.#readValue("snapshot_clocks")
    return {
      revision: Math.max(head?.revision ?? 0, this.noted<number>("revision") ?? 0),
      at: Math.max(head?.at ?? 0, this.noted<number>("snapshot_at") ?? 0),
      snapshotBytes: this.noted<number>("snapshot_bytes") ?? 0,
      snapshotWeight: this.noted<number>("snapshot_weight") ?? this.noted<number>("snapshot_bytes") ?? 0,
      snapshotClocks: snapshotClocks ?? NO_BYTES,
      logBytes: head?.log_bytes ?? 0,
      logRows: head?.log_rows ?? 0,
      logWeight: head?.log_weight ?? 0,
      movedClocks: movedClocks ?? NO_BYTES,
      clocksLost: movedClocks === null || snapshotClocks === null,
    }
  }

  /** A named value; empty where there is none, null where it fails its checksum. */
  #readValue(name: ValueName): Uint8Array | null {
    const parts = this.#sql<{ crc: number | null; bytes: ArrayBuffer }>(
      "SELECT crc, bytes FROM value WHERE name = ? ORDER BY part",
      name,
    )
    const whole = new Uint8Array(parts.reduce((total, { bytes }) => total + bytes.byteLength, 0))
    let at = 0
    for (const { crc, bytes } of parts) {
      const part = new Uint8Array(bytes)
      if (crc !== null && crc !== crc32(part)) return null
      whole.set(part, at)
      at += part.length
    }
    return whole
  }

  /** The same for what cannot be made anew: where it is damaged it is set aside (D6), and there is none. */
  #readOrSetAside(name: ValueName): Uint8Array {
    const value = this.#created ? this.#readValue(name) : NO_BYTES
    if (value !== null) return value
    this.#write(() => {
      this.#setAside(
        name,
        "fails its checksum",
        "SELECT 0 AS revision, bytes FROM value WHERE name = ?",
        name,
      )
      this.#writeValue(name, NO_BYTES)
      this.note("damaged", this.#state.revision)
    })
    return NO_BYTES
  }

  #writeValue(name: ValueName, bytes: Uint8Array): void {
    this.#sql("DELETE FROM value WHERE name = ?", name)
    if (bytes.length === 0) return
    for (const [part, value] of split(bytes, this.#limits.valueBytes).entries()) {
      this.#sql("INSERT INTO value VALUES (?, ?, ?, ?)", name, part, crc32(value), value)
    }
  }

  #setAside(source: string, reason: string, query: string, ...bindings: SqlStorageValue[]): void {
    for (const { revision, bytes } of this.#sql<{ revision: number; bytes: ArrayBuffer }>(
      query,
      ...bindings,
    )) {
      this.#keepAside(source, { revision, reason, bytes })
    }
  }

  #keepAside(
    source: string,
    { revision, reason, bytes }: { revision: number; reason: string; bytes: ArrayBuffer | Uint8Array },
  ): void {
    for (const value of split(new Uint8Array(bytes), this.#limits.valueBytes)) {
      this.#sql(
        "INSERT INTO quarantine (source, revision, at, reason, bytes) VALUES (?, ?, ?, ?, ?)",
        ...[source, revision, Date.now(), reason, value],
      )
    }
  }

  /** A throw does not roll back what a handler wrote; `transactionSync` does. */
  #write(change: () => void): void {
    const created = this.#created
    const state = this.#state
    try {
      this.#storage.transactionSync(() => {
        if (!this.#created) this.#migrate()
        this.#created = true
        change()
      })
    } catch (thrown) {
      this.#created = created
      this.#state = state
      throw thrown
    }
  }

  #migrate(): void {
    const has = this.#created ? (this.noted<number>("schema") ?? 0) : 0
    if (has > MIGRATIONS.length) {
      throw new SyncError("internal", `Storage has schema ${has}; this server knows ${MIGRATIONS.length}`)
    }
    for (let step = has; step < MIGRATIONS.length; step++) {
      this.#storage.transactionSync(() => {
        this.#sql(MIGRATIONS[step]!)
        this.#sql("INSERT OR REPLACE INTO meta VALUES ('schema', ?)", step + 1)
      })
    }
  }

  #sql<Row extends Record<string, SqlStorageValue>>(
    query: string,
    ...bindings: (SqlStorageValue | Uint8Array)[]
  ): Row[] {
    return this.#storage.sql.exec<Row>(query, ...bindings).toArray()
  }
}

type Part = { part: number; crc: number; bytes: ArrayBuffer }
const WAITING_COLUMNS = "id, size, peers, subject, roots, missing"
type WaitingRow = {
  id: number
  size: number
  peers: string
  subject: string | null
  roots: string | null
  missing: string
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

/** Values of at most `valueBytes`; an empty input is one empty value (D5). */
function split(bytes: Uint8Array, valueBytes: number): Uint8Array[] {
  const parts: Uint8Array[] = []
  for (let at = 0; at === 0 || at < bytes.length; at += valueBytes)
    parts.push(bytes.subarray(at, at + valueBytes))
  return parts
}

/**
 * What these rows hold together, copied row by row, so that a large value is in memory once.
 * @param whole.parts how many rows there must be; null where the bytes alone say it
 * @returns the value, or what is wrong with it
 */
function gather(
  rows: Iterable<Part>,
  { parts, bytes }: { parts: number | null; bytes: number },
): Uint8Array | string {
  const whole = new Uint8Array(bytes)
  let count = 0
  let at = 0
  let broken: number | null = null
  for (const row of rows) {
    const value = new Uint8Array(row.bytes)
    if (crc32(value) !== row.crc) broken ??= row.part
    if (at + value.length <= bytes) whole.set(value, at)
    at += value.length
    count++
  }
  if (parts !== null && count !== parts) return `${count} of ${parts} parts are here`
  if (broken !== null) return `part ${broken} of ${count} fails its checksum`
  return at === bytes ? whole : `${at} of ${bytes} bytes are here`
}

function join(values: readonly Uint8Array[]): Uint8Array {
  if (values.length === 1) return values[0]!
  const whole = new Uint8Array(values.reduce((total, { length }) => total + length, 0))
  let at = 0
  for (const value of values) {
    whole.set(value, at)
    at += value.length
  }
  return whole
}

function readWaiting({ id, size, peers, subject, roots, missing }: WaitingRow): Waiting {
  return {
    id,
    subject,
    bytes: size,
    peers: peers === "" ? [] : peers.split(" "),
    roots: roots === null ? null : (JSON.parse(roots) as string[]),
    missing: JSON.parse(missing) as number[],
  }
}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}
