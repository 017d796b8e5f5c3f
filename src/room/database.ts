/**
 * A room's SQLite: statements, transactions, small notes, values that may outgrow a row, and the quarantine for what fails
 * its checksum (D5, D6). What the tables hold is known to the files that use them: log, waiting-rows, and those of history/
 * through `tables`.
 *
 * Nothing is written before the first write, so asking for a document does not create one.
 *
 * @source Durable Objects limits: a SQLite row, string or BLOB holds at most 2 MB; rows written are billed
 */
import { crc32 } from "node:zlib"
import { SyncError } from "../errors.ts"
import type { Tables } from "../history/segments.ts"
import type { Limits } from "../limits.ts"
import { MIGRATIONS, OPENS_FROM } from "./schema.ts"

/** The names of values that may outgrow a row, so that they have rows of their own. */
export type ValueName =
  | "snapshot_clocks"
  | "moved_clocks"
  | "dead_clocks"
  | "restored_clocks"
  | `waiting ${number}`

const NO_BYTES = new Uint8Array()

/** A part of a value, with its checksum. */
export type Part = { part: number; crc: number; bytes: ArrayBuffer }

/** A room's SQLite database. */
export class Database {
  readonly #storage: DurableObjectStorage
  readonly #limits: Pick<Limits, "valueBytes">
  #created: boolean

  /** The same, for what is kept of the past. */
  readonly tables: Tables = {
    rows: (query, ...bindings) => (this.#created ? this.sql(query, ...bindings) : []),
    write: (change) => this.write(() => change((query, ...bindings) => this.sql(query, ...bindings))),
    noted: (key) => this.noted(key),
    note: (key, value) => this.note(key, value),
  }

  constructor(storage: DurableObjectStorage, limits: Pick<Limits, "valueBytes">) {
    this.#storage = storage
    this.#limits = limits
    this.#created = this.sql("SELECT 1 FROM sqlite_master WHERE name = 'meta' LIMIT 1").length > 0
    if (this.#created) this.#migrate()
  }

  /** Whether anything was ever stored here: before that there are no tables. */
  get created(): boolean {
    return this.#created
  }

  /** The rows of a query, or what a statement returns. */
  sql<Row extends Record<string, SqlStorageValue>>(
    query: string,
    ...bindings: (SqlStorageValue | Uint8Array)[]
  ): Row[] {
    return this.#storage.sql.exec<Row>(query, ...bindings).toArray()
  }

  /** The rows of a query one by one, so that not all are in memory at once. */
  cursor<Row extends Record<string, SqlStorageValue>>(query: string): Iterable<Row> {
    return this.#storage.sql.exec<Row>(query)
  }

  /**
   * Run writes that hold all or none; joins a transaction that is under way. A throw does not roll back what a handler
   * wrote; `transactionSync` does.
   */
  write(change: () => void): void {
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

  /** Read a small named value of the room; null where there is none, or it fails its checksum and is set aside (D6). */
  noted<Value extends SqlStorageValue>(key: string): Value | null {
    if (!this.#created) return null
    // A server from before may not have the column.
    const [row] = this.sql<{ value: Value; crc?: number | null }>("SELECT * FROM meta WHERE key = ?", key)
    if (row === undefined) return null
    const { value, crc = null } = row
    if (crc === null || crc === noteChecksum(value)) return value
    this.write(() => {
      const bytes = new TextEncoder().encode(String(value))
      this.keepAside(`note ${key}`, { revision: 0, reason: "fails its checksum", bytes })
      this.drop(key)
      this.note("damaged", Date.now())
    })
    return key === "damaged" ? this.noted(key) : null
  }

  /** Forget a small named value. Joins the transaction of the turn. */
  drop(key: string): void {
    if (this.#created) this.sql("DELETE FROM meta WHERE key = ?", key)
  }

  /** Store a small named value. Joins the transaction of the turn. */
  note(key: string, value: SqlStorageValue): void {
    this.write(() => this.#put(key, value))
  }

  /** A named value; empty where there is none, null where it fails its checksum. */
  readValue(name: ValueName): Uint8Array | null {
    const parts = this.sql<{ crc: number | null; bytes: ArrayBuffer }>(
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
  readOrSetAside(name: ValueName): Uint8Array {
    const value = this.#created ? this.readValue(name) : NO_BYTES
    if (value !== null) return value
    this.write(() => {
      this.setAside(name, "fails its checksum", "SELECT 0 AS revision, bytes FROM value WHERE name = ?", name)
      this.writeValue(name, NO_BYTES)
      this.note("damaged", Date.now())
    })
    return NO_BYTES
  }

  /** Store a named value; no bytes remove it. Joins the transaction of the turn. */
  writeValue(name: ValueName, bytes: Uint8Array): void {
    this.sql("DELETE FROM value WHERE name = ?", name)
    if (bytes.length === 0) return
    for (const [part, value] of split(bytes, this.#limits.valueBytes).entries()) {
      this.sql("INSERT INTO value VALUES (?, ?, ?, ?)", name, part, crc32(value), value)
    }
  }

  /** Copy what a query gives into quarantine. @param query gives `revision` and `bytes` */
  setAside(source: string, reason: string, query: string, ...bindings: SqlStorageValue[]): void {
    for (const { revision, bytes } of this.sql<{ revision: number; bytes: ArrayBuffer }>(
      query,
      ...bindings,
    )) {
      this.keepAside(source, { revision, reason, bytes })
    }
  }

  /** Keep bytes in quarantine, for a person to look at. */
  keepAside(
    source: string,
    { revision, reason, bytes }: { revision: number; reason: string; bytes: ArrayBuffer | Uint8Array },
  ): void {
    for (const value of split(new Uint8Array(bytes), this.#limits.valueBytes)) {
      this.sql(
        "INSERT INTO quarantine (source, revision, at, reason, bytes) VALUES (?, ?, ?, ?, ?)",
        ...[source, revision, Date.now(), reason, value],
      )
    }
  }

  /** How many values are in quarantine. */
  get quarantined(): number {
    return this.#created ? (this.sql<{ n: number }>("SELECT count(*) AS n FROM quarantine")[0]?.n ?? 0) : 0
  }

  /** Whether something stored is in quarantine and its content has not been recovered (D7). Survives a restart. */
  get damaged(): boolean {
    return this.noted("damaged") !== null
  }

  /** Remove the mark of damage: the content was recovered as far as anyone has it. */
  repaired(): void {
    if (this.damaged) this.note("damaged", null)
  }

  #put(key: string, value: SqlStorageValue): void {
    this.sql("INSERT OR REPLACE INTO meta VALUES (?, ?, ?)", key, value, noteChecksum(value))
  }

  #migrate(): void {
    // Where the number was set aside, all steps were taken: only the newest have checksums.
    const noted = this.noted<number>("schema")
    const has = noted ?? (this.#created ? MIGRATIONS.length : 0)
    if (has > MIGRATIONS.length) {
      // A newer server was here, and has noted who may follow it.
      if ((this.noted<number>("opens_from") ?? has) <= MIGRATIONS.length) return
      throw new SyncError("internal", `Storage has schema ${has}; this server knows ${MIGRATIONS.length}`)
    }
    if (noted === MIGRATIONS.length) return
    this.#storage.transactionSync(() => {
      for (const step of MIGRATIONS.slice(has)) this.sql(step)
      this.#put("schema", MIGRATIONS.length)
      this.#put("opens_from", OPENS_FROM)
    })
  }
}

function noteChecksum(value: SqlStorageValue): number {
  return crc32(JSON.stringify(value))
}

/** Values of at most `valueBytes`; an empty input is one empty value (D5). */
export function split(bytes: Uint8Array, valueBytes: number): Uint8Array[] {
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
export function gather(
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
