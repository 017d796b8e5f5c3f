/**
 * The log of a room in Durable Object SQLite: append, load, compact, quarantine. The only file that writes SQL.
 *
 * A document is a snapshot (one update, split at `valueBytes`) and a log of what came after it. One log
 * row holds one commit: the updates of one or several ticks, each as it was vetted (D3), length-prefixed. A
 * commit too large for a row is split over several, all of one revision.
 *
 * The newest log row also carries what a waking room must know (bytes and rows since the snapshot, the
 * clocks that moved): a wake reads that row's head and the
 * few lines of `meta`, and nothing of the document.
 *
 * Nothing is written before the first commit, so asking for a document does not create one.
 *
 * @source Durable Objects limits: a SQLite row or BLOB holds at most 2 MB; rows written are billed
 */
import { crc32 } from "node:zlib"
import * as decoding from "lib0/decoding"
import { SyncError } from "../errors.ts"
import type { Limits } from "../limits.ts"

/** What a SQLite row costs besides its bytes, so that many tiny rows count as what they cost to read back. */
const ROW_OVERHEAD_BYTES = 200

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
]

/** What the log knows without reading the document. */
export interface LogState {
  /** Count of the room's commits; grows only, also over a deletion. */
  readonly revision: number
  /** Size of the stored snapshot, bytes; 0 where there is none. */
  readonly snapshotBytes: number
  /** Size of the log after the snapshot, bytes, with the overhead of its rows. */
  readonly logBytes: number
  readonly logRows: number
  /** State vector of the snapshot, and of the clients that moved since, each encoded by Yjs; empty where there is none. */
  readonly snapshotClocks: Uint8Array
  readonly movedClocks: Uint8Array
}

/** One update of the log and the revision it was committed in. */
export interface LoggedUpdate {
  readonly revision: number
  readonly update: Uint8Array
}

const EMPTY: LogState = {
  revision: 0,
  snapshotBytes: 0,
  logBytes: 0,
  logRows: 0,
  snapshotClocks: new Uint8Array(),
  movedClocks: new Uint8Array(),
}

export class UpdateLog {
  readonly #storage: DurableObjectStorage
  readonly #limits: Limits
  #state: LogState
  #created: boolean

  constructor(storage: DurableObjectStorage, limits: Limits) {
    this.#storage = storage
    this.#limits = limits
    this.#created = this.#sql("SELECT 1 FROM sqlite_master WHERE name = 'meta'").length > 0
    if (this.#created) this.#migrate()
    this.#state = this.#created ? this.#readState() : EMPTY
  }

  /** What the log knows without reading the document. */
  get state(): LogState {
    return this.#state
  }

  /** A document is stored here. */
  get exists(): boolean {
    return this.#state.snapshotBytes > 0 || this.#state.logRows > 0
  }

  /**
   * Append one commit.
   * Synchronous: when it returns, `load()` includes it, and a frame sent after it leaves the room only
   * once the write is durable (output gate).
   *
   * @param updates Yjs V1 updates as they were vetted, in arrival order
   * @param moved state vector of the clients that moved since the snapshot, encoded
   * @returns the room's new revision
   */
  append(updates: readonly Uint8Array[], moved: Uint8Array): number {
    const bytes = pack(updates)
    const revision = this.#state.revision + 1
    const parts = split(bytes, this.#limits.valueBytes)
    const logRows = this.#state.logRows + parts.length
    const logBytes = this.#state.logBytes + bytes.length + parts.length * ROW_OVERHEAD_BYTES
    this.#write(() => {
      for (const [part, value] of parts.entries()) {
        this.#sql(
          `INSERT INTO log (revision, part, parts, log_bytes, log_rows, clocks, crc, bytes)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
          ...[revision, part, parts.length, logBytes, logRows, moved, crc32(value), value],
        )
      }
    })
    this.#state = { ...this.#state, revision, logBytes, logRows, movedClocks: moved }
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
    const rows = this.#sql<LogRow>("SELECT revision, part, parts, crc, bytes FROM log ORDER BY id")
    for (let i = 0; i < rows.length; ) {
      const { revision, parts } = rows[i]!
      let end = i
      while (end < rows.length && rows[end]!.revision === revision) end++
      const values = rows.slice(i, end)
      i = end
      const bytes = values.reduce((total, value) => total + value.bytes.byteLength, 0)
      const whole = gather(values, { parts, bytes })
      if (typeof whole === "string") {
        this.quarantine(revision, whole)
        continue
      }
      const decoder = decoding.createDecoder(whole)
      while (decoding.hasContent(decoder)) {
        updates.push({ revision, update: decoding.readVarUint8Array(decoder) })
      }
    }
    return { snapshot, updates, damaged: this.quarantined !== before }
  }

  /**
   * Replace the snapshot and drop the log up to now, in one transaction (D4). The caller has proven that
   * the snapshot loads to the document's state.
   */
  compact(snapshot: Uint8Array, clocks: Uint8Array): void {
    this.#replace(snapshot, { clocks, revision: this.#state.revision })
  }

  /** Start from a document that lived elsewhere: its bytes become the snapshot, its revision goes on. */
  adopt(snapshot: Uint8Array, { clocks, revision }: { clocks: Uint8Array; revision: number }): void {
    this.#replace(snapshot, { clocks, revision: Math.max(revision, this.#state.revision) })
  }

  /** Go on above this revision, without a document: where an archive remembers a deletion. */
  raise(revision: number): void {
    if (revision <= this.#state.revision) return
    this.#state = { ...this.#state, revision }
    if (this.#created) this.note("revision", revision)
  }

  /** Drop the document; of what was here the revision alone stays, so that it never goes back. */
  erase(): void {
    const revision = this.#state.revision + 1
    this.#write(() => {
      for (const table of ["log", "snapshot", "waiting", "quarantine", "owner", "meta"])
        this.#sql(`DELETE FROM ${table}`)
      this.#sql("INSERT INTO meta VALUES ('schema', ?), ('revision', ?)", MIGRATIONS.length, revision)
    })
    this.#state = { ...EMPTY, revision }
  }

  /** Move a revision of the log out of the document's way; it is kept for a person to look at. */
  quarantine(revision: number, reason: string): void {
    this.#setAside(
      "log",
      reason,
      "SELECT revision, bytes FROM log WHERE revision = ? ORDER BY part",
      revision,
    )
    this.#sql("DELETE FROM log WHERE revision = ?", revision)
    this.#reread()
  }

  /** Move the snapshot out of the way. The log after it stays. */
  quarantineSnapshot(reason: string): void {
    this.#setAside(
      "snapshot",
      reason,
      `SELECT ${this.#state.revision} AS revision, bytes FROM snapshot ORDER BY part`,
    )
    this.#sql("DELETE FROM snapshot")
    this.note("snapshot_bytes", 0)
    this.note("snapshot_clocks", new Uint8Array())
    this.#reread()
  }

  /** How many values are in quarantine. */
  get quarantined(): number {
    return this.#created ? (this.#sql<{ n: number }>("SELECT count(*) AS n FROM quarantine")[0]?.n ?? 0) : 0
  }

  /** Keep an update that waits for another one, as it came. @returns the id to release it by */
  hold(update: Uint8Array): number {
    let id = 0
    this.#write(() => {
      id = this.#sql<{ id: number }>("INSERT INTO waiting (bytes) VALUES (?) RETURNING id", update)[0]!.id
    })
    return id
  }

  /** It waits no longer. */
  release(id: number): void {
    this.#sql("DELETE FROM waiting WHERE id = ?", id)
  }

  /** What waits, by id. */
  held(): Map<number, Uint8Array> {
    if (!this.#created) return new Map()
    const rows = this.#sql<{ id: number; bytes: ArrayBuffer }>("SELECT id, bytes FROM waiting ORDER BY id")
    return new Map(rows.map(({ id, bytes }) => [id, new Uint8Array(bytes)]))
  }

  /** A small named value that belongs to the room, or null. */
  noted<Value extends SqlStorageValue>(key: string): Value | null {
    if (!this.#created) return null
    return this.#sql<{ value: Value }>("SELECT value FROM meta WHERE key = ?", key)[0]?.value ?? null
  }

  /** Keep a small named value. Joins the transaction of the turn. */
  note(key: string, value: SqlStorageValue | Uint8Array): void {
    this.#write(() => this.#sql("INSERT OR REPLACE INTO meta VALUES (?, ?)", key, value))
  }

  /** The subject who first wrote under this client id, or null. */
  ownerOf(client: number): string | null {
    if (!this.#created) return null
    return (
      this.#sql<{ subject: string }>("SELECT subject FROM owner WHERE client = ?", client)[0]?.subject ?? null
    )
  }

  /** Remember who first wrote under a client id. */
  own(client: number, subject: string): void {
    this.#write(() => this.#sql("INSERT OR IGNORE INTO owner VALUES (?, ?)", client, subject))
  }

  #replace(snapshot: Uint8Array, { clocks, revision }: { clocks: Uint8Array; revision: number }): void {
    this.#write(() => {
      this.#sql("DELETE FROM snapshot")
      for (const [part, value] of split(snapshot, this.#limits.valueBytes).entries()) {
        this.#sql("INSERT INTO snapshot VALUES (?, ?, ?)", part, crc32(value), value)
      }
      this.#sql("DELETE FROM log")
      this.note("revision", revision)
      this.note("snapshot_bytes", snapshot.length)
      this.note("snapshot_clocks", clocks)
    })
    this.#state = { ...EMPTY, revision, snapshotBytes: snapshot.length, snapshotClocks: clocks }
  }

  #loadSnapshot(): Uint8Array | null {
    const { snapshotBytes } = this.#state
    if (snapshotBytes === 0) return null
    const parts = Math.ceil(snapshotBytes / this.#limits.valueBytes)
    const rows = this.#storage.sql.exec<Part>("SELECT part, crc, bytes FROM snapshot ORDER BY part")
    const whole = gather(rows, { parts, bytes: snapshotBytes })
    if (typeof whole !== "string") return whole
    this.quarantineSnapshot(whole)
    return null
  }

  /** The newest row may be the one that went: the revision is kept apart first, so that it never goes back. */
  #reread(): void {
    this.note("revision", this.#state.revision)
    this.#state = this.#readState()
  }

  #readState(): LogState {
    const head = this.#sql<{
      revision: number
      log_bytes: number
      log_rows: number
      clocks: ArrayBuffer
    }>("SELECT revision, log_bytes, log_rows, clocks FROM log ORDER BY id DESC LIMIT 1")[0]
    return {
      revision: Math.max(head?.revision ?? 0, this.noted<number>("revision") ?? 0),
      snapshotBytes: this.noted<number>("snapshot_bytes") ?? 0,
      snapshotClocks: bytesOf(this.noted<ArrayBuffer>("snapshot_clocks")),
      logBytes: head?.log_bytes ?? 0,
      logRows: head?.log_rows ?? 0,
      movedClocks: bytesOf(head?.clocks ?? null),
    }
  }

  #setAside(source: string, reason: string, query: string, ...bindings: SqlStorageValue[]): void {
    this.#storage.transactionSync(() => {
      for (const { revision, bytes } of this.#sql<{ revision: number; bytes: ArrayBuffer }>(
        query,
        ...bindings,
      )) {
        this.#sql(
          "INSERT INTO quarantine (source, revision, at, reason, bytes) VALUES (?, ?, ?, ?, ?)",
          ...[source, revision, Date.now(), reason, bytes],
        )
      }
    })
    console.error(`Quarantined ${source} of revision ${this.#state.revision}: ${reason}`)
  }

  /** A throw does not roll back what a handler wrote; `transactionSync` does. */
  #write(change: () => void): void {
    const created = this.#created
    try {
      this.#storage.transactionSync(() => {
        if (!this.#created) this.#migrate()
        this.#created = true
        change()
      })
    } catch (thrown) {
      this.#created = created
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
type LogRow = Part & { revision: number; parts: number }

/** The updates of a commit, each with its length before it, in one allocation: a paste is large, and keystrokes many. */
function pack(updates: readonly Uint8Array[]): Uint8Array {
  // A length takes five bytes at most.
  const packed = new Uint8Array(updates.reduce((total, update) => total + 5 + update.length, 0))
  let at = 0
  for (const update of updates) {
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
 * @returns the value, or what is wrong with it
 */
function gather(
  rows: Iterable<Part>,
  { parts, bytes }: { parts: number; bytes: number },
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
  if (count !== parts) return `${count} of ${parts} parts are here`
  if (broken !== null) return `part ${broken} of ${parts} fails its checksum`
  return at === bytes ? whole : `${at} of ${bytes} bytes are here`
}

function bytesOf(value: ArrayBuffer | null): Uint8Array {
  return value === null ? new Uint8Array() : new Uint8Array(value)
}
