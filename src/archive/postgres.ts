/**
 * The archive in your own Postgres: the bytes, and beside them the document as JSON and as text, for SQL to search.
 * The table is in `postgres.sql`, with what a row written by hand has to hold.
 *
 * A call opens a connection and closes it: an open socket would keep the room from hibernating. Hyperdrive makes
 * that cheap. Every call is one transaction; the connect and the statements end by themselves (the latter on the
 * server, so that a statement nobody waits for does not run on), the call as a whole with its signal.
 *
 * Who wrote a row is known without a trigger: a room notes the transaction it writes in, and Postgres keeps in `xmin`
 * the one that made the row as it is. Where the two differ, somebody else changed it: by hand, or by restoring a dump.
 * Such a row has no writer, and its `xmin` stands for its revision, so that a second change by hand is noticed too.
 */

import { Buffer } from "node:buffer"
import postgres from "postgres"
import { SyncError } from "../errors.ts"
import { LIMITS, type Limits } from "../limits.ts"
import { abortable, discreet } from "./abortable.ts"
import type {
  Archive,
  ArchiveEntry,
  ArchiveLookup,
  ArchiveMark,
  ArchivePage,
  ArchiveWrite,
  IndexPage,
  Version,
} from "./archive.ts"
import { isLocalHost } from "./local.ts"
import { POSTGRES_SCHEMA } from "./postgres-schema.ts"
import { seedUpdate } from "./seed.ts"
import { type Held, judgeSwap } from "./swap.ts"
import { pageRange } from "./within.ts"

/** What `postgresArchive` may be told. */
export interface PostgresOptions {
  /** Make or complete the table when it lacks something. Off: that is an error that says which file to run. */
  migrate?: boolean
  /** To be connected, ms. */
  connectTimeoutMs?: number
  /** One statement on the server, ms. */
  statementTimeoutMs?: number
  /** The numbers of the deployment, from `readLimits(env)`. */
  limits?: Limits
}

interface HeldRow {
  writer: string | null
  revision: string
  deleted: boolean
}

interface DocumentRow extends HeldRow {
  bytes: number | null
  part: string | null
  sidecar: string | null
  json: Record<string, unknown> | null
  text: string | null
}

interface IndexRow {
  id: string
  revision: string | null
  bytes: string | null
  updated_at: Date
}

/** The readable columns of a row. */
interface Readable {
  json: string | null
  text: string | null
}

/**
 * Keep documents in Postgres.
 *
 * A URL to another machine is connected to with TLS. `?sslmode=verify-full` also checks the certificate where the
 * platform does not, `?sslmode=disable` is for a network that is private. A Hyperdrive binding needs none: it is
 * reached inside the platform, and encrypts on its way to the database.
 *
 * Yurt sends NOTIFY yurt_documents, `{"id", "revision"}`, in the transaction of each store that replaced something.
 *
 * @param connection a URL, or a Hyperdrive binding
 * @example archive = postgresArchive(env.POSTGRES, { migrate: true })
 * @source Hyperdrive pools connections by transaction: no session state, no named prepared statements
 */
export function postgresArchive(
  connection: string | { readonly connectionString: string },
  {
    migrate = false,
    limits = LIMITS,
    connectTimeoutMs = limits.postgresConnectMs,
    statementTimeoutMs = limits.postgresStatementMs,
  }: PostgresOptions = {},
): Archive {
  const url = typeof connection === "string" ? connection : connection.connectionString
  const tls = typeof connection === "string" && needsTls(connection) ? { ssl: "require" as const } : {}

  /** Do some work in one transaction, on a connection of its own. */
  async function transact<T>(
    work: (sql: postgres.TransactionSql) => Promise<T>,
    signal: AbortSignal,
    { mode = "isolation level read committed" }: { mode?: string } = {},
  ): Promise<T> {
    signal.throwIfAborted()
    const sql = postgres(url, {
      ...tls,
      max: 1,
      prepare: false,
      fetch_types: false,
      connect_timeout: connectTimeoutMs / 1000,
      connection: { application_name: "yurt" },
      onnotice: () => {},
    })
    const transaction = () =>
      sql.begin(mode, async (sql) => {
        // Local to the transaction, since a pooler refuses it as a startup parameter.
        await sql.unsafe(
          `set local statement_timeout = ${statementTimeoutMs};
           set local idle_in_transaction_session_timeout = ${statementTimeoutMs}`,
        )
        return work(sql)
      }) as Promise<T>
    try {
      return await abortable(transaction, signal)
    } finally {
      // Not awaited: a frozen server would not say goodbye.
      sql.end({ timeout: 0 }).catch(() => {})
    }
  }

  /** Do it, and if the table lacks something make it first, or say how. */
  async function withTable<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    try {
      return await work()
    } catch (error) {
      if (!isPostgres(error, ["42P01", "42703", "42883"])) throw error
      if (!migrate) {
        throw new SyncError(
          "archive-unavailable",
          'The archive postgres lacks its table, or a column of it: run yurt\'s src/archive/postgres.sql in the database, or set POSTGRES_MIGRATE = "true" (migrate: true)',
          { cause: error },
        )
      }
      await transact(async (sql) => {
        // "if not exists" alone fails when two rooms do it at once: they meet in the catalog.
        await sql.unsafe("select pg_advisory_xact_lock(hashtext('yurt_documents'))")
        await sql.unsafe(POSTGRES_SCHEMA)
      }, signal)
      return await work()
    }
  }

  function load(id: string, signal: AbortSignal): Promise<ArchiveLookup> {
    const read = async (sql: postgres.TransactionSql): Promise<ArchiveLookup> => {
      const [row] = await sql<DocumentRow[]>`
        select ${versionOf(sql)}, octet_length(update) as bytes, encode(sidecar, 'base64') as sidecar,
          encode(substring(update from 1 for ${limits.postgresPartBytes}::int), 'base64') as part,
          case when update is null then json end as json,
          case when update is null then text end as text
        from yurt_documents where id = ${id}`
      if (row === undefined) return { kind: "absent" }
      const { writer, revision, deleted } = heldIn(row)
      const sidecar = row.sidecar === null ? null : new Uint8Array(Buffer.from(row.sidecar, "base64"))
      if (deleted) return { kind: "deleted", version: { writer, revision }, sidecar }
      if (row.bytes === null || row.part === null) {
        return { kind: "found", document: { update: await seedOf(row), sidecar, writer, revision } }
      }
      const update = new Uint8Array(row.bytes)
      let { part } = row
      for (let at = 0; ; ) {
        const bytes = Buffer.from(part, "base64")
        update.set(bytes, at)
        at += bytes.length
        if (at >= update.length) return { kind: "found", document: { update, sidecar, writer, revision } }
        const [next] = await sql<[{ part: string }]>`
          select encode(substring(update from ${at + 1}::int for ${limits.postgresPartBytes}::int), 'base64') as part
          from yurt_documents where id = ${id}`
        part = next.part
      }
    }
    // Repeatable read: all parts are of one revision.
    return withTable(
      () => transact(read, signal, { mode: "isolation level repeatable read read only" }),
      signal,
    )
  }

  async function store(
    id: string,
    document: ArchiveWrite,
    expected: Version | null,
    signal: AbortSignal,
  ): Promise<"stored" | "conflict"> {
    const json = document.json()
    const text = document.text()
    const readable = { json: json && textOfJson(json), text: text && storable(text) }
    const write = (readable: Readable) =>
      withTable(() => transact((sql) => replace(sql, { id, document, readable, expected }), signal), signal)
    try {
      return await write(readable)
    } catch (error) {
      // 22…: data that Postgres takes as neither JSON nor text; 54…: too deep or too large for them.
      // Their bytes are what must not be lost.
      if (!isPostgres(error, ["22", "54"])) throw error
      return await write({ json: null, text: null })
    }
  }

  async function replace(
    sql: postgres.TransactionSql,
    write: { id: string; document: ArchiveWrite; readable: Readable; expected: Version | null },
  ): Promise<"stored" | "conflict"> {
    const { id, document, readable, expected } = write
    const { update, sidecar, writer, revision } = document
    const updatedAt = new Date(document.updatedAtMs)
    const row = { id, sidecar, writer, revision, ...readable, updatedAt, deleted: false }
    if (update.length <= limits.postgresPartBytes) {
      const bytes = sql`decode(${base64Of(update)}, 'base64')`
      return swap(sql, row, { bytes, expected, limits })
    }
    // Compared before it travels as well as after, and not locked meanwhile: others may read the row.
    const early = judgeSwap(row, { held: await look(sql, id), expected })
    if (early !== "replace") return early
    await sql.unsafe("create temporary table yurt_parts (seq int, bytes bytea) on commit drop")
    for (let at = 0; at < update.length; at += limits.postgresPartBytes) {
      const part = base64Of(update.subarray(at, at + limits.postgresPartBytes))
      await sql`insert into yurt_parts values (${at}, decode(${part}, 'base64'))`
    }
    const bytes = sql`(select string_agg(bytes, '' order by seq) from yurt_parts)`
    return swap(sql, row, { bytes, expected, limits })
  }

  function remove(
    id: string,
    mark: ArchiveMark,
    expected: Version | null,
    signal: AbortSignal,
  ): Promise<"stored" | "conflict"> {
    const { sidecar, writer, revision } = mark
    const row = {
      id,
      sidecar,
      writer,
      revision,
      json: null,
      text: null,
      updatedAt: new Date(),
      deleted: true,
    }
    return withTable(
      () => transact((sql) => swap(sql, row, { bytes: sql`null::bytea`, expected, limits }), signal),
      signal,
    )
  }

  function list(page: IndexPage, signal: AbortSignal): Promise<ArchivePage> {
    const { limit } = page
    const { from, not, before } = pageRange(page)
    const read = async (sql: postgres.TransactionSql): Promise<ArchivePage> => {
      const rows = await sql<IndexRow[]>`
        select id, revision, bytes, updated_at from yurt_documents
        where deleted_at is null and id >= ${from} and id <> ${not} and id < ${before}
        order by id limit ${limit + 1}`
      const documents = rows.slice(0, limit).map(
        ({ id, revision, bytes, updated_at }): ArchiveEntry => ({
          id,
          revision: Number(revision ?? 0),
          bytes: Number(bytes ?? 0),
          updatedAt: updated_at.toISOString(),
        }),
      )
      return { documents, cursor: rows.length > limit ? documents.at(-1)!.id : null }
    }
    return withTable(() => transact(read, signal, { mode: "read only" }), signal)
  }

  return discreet({ name: "postgres", load, store, remove, list })
}

/**
 * Whether a connection has to ask for TLS although its URL says nothing of it: it leaves this machine.
 *
 * @param url where "sslmode" or "ssl" stands, the URL has decided
 */
function needsTls(url: string): boolean {
  // A URL may name several hosts, or a socket's folder, neither of which is a URL's host.
  const authority = /^[a-z]+:\/\/([^/?]*)/i.exec(url)?.[1] ?? ""
  const query = new URLSearchParams(url.split("?")[1])
  if (query.has("sslmode") || query.has("ssl") || query.has("sslrootcert")) return false
  const hosts = authority.slice(authority.lastIndexOf("@") + 1).split(",")
  return !hosts.every((host) => {
    const name = decodeURIComponent(host.replace(/:\d+$/, ""))
    return name === "" || name.startsWith("/") || isLocalHost(name)
  })
}

/** The columns that say what is held. */
function versionOf(sql: postgres.TransactionSql) {
  return sql`
    case when written_by = xmin::text::bigint then writer end as writer,
    case when written_by = xmin::text::bigint and writer is not null then revision else xmin::text::bigint end
      as revision,
    deleted_at is not null as deleted`
}

function heldIn({ writer, revision, deleted }: HeldRow): Held {
  return { writer, revision: Number(revision), deleted }
}

/** What is held under an id, locked until the transaction ends if it is to be. */
async function look(sql: postgres.TransactionSql, id: string, { lock = false } = {}): Promise<Held | null> {
  const [row] = await sql<HeldRow[]>`
    select ${versionOf(sql)} from yurt_documents where id = ${id} ${lock ? sql`for update` : sql``}`
  return row === undefined ? null : heldIn(row)
}

/** Put a document or a mark in place of what is held, if it may take its place, and tell who listens. */
async function swap(
  sql: postgres.TransactionSql,
  row: Held & Readable & { id: string; sidecar: Uint8Array | null; updatedAt: Date },
  {
    bytes,
    expected,
    limits,
  }: { bytes: postgres.PendingQuery<postgres.Row[]>; expected: Version | null; limits: Limits },
): Promise<"stored" | "conflict"> {
  const { id, writer, revision, json, text, updatedAt, deleted } = row
  const sidecar = row.sidecar && base64Of(row.sidecar)
  for (let attempt = 1; attempt <= limits.archiveAttempts; attempt++) {
    const held = await look(sql, id, { lock: true })
    const verdict = judgeSwap(row, { held, expected })
    if (verdict !== "replace") return verdict
    // Where nothing was held, nothing was locked: somebody may have inserted the row since, and it is looked at again.
    const replaced = await sql`
      insert into yurt_documents
        (id, update, sidecar, writer, revision, written_by, json, text, updated_at, deleted_at)
      values (
        ${id}, ${bytes}, decode(${sidecar}, 'base64'), ${writer}, ${revision},
        txid_current() & 4294967295, ${json}::text::jsonb, ${text}, ${updatedAt}, ${deleted ? updatedAt : null}
      )
      on conflict (id) do update set
        update = excluded.update, sidecar = excluded.sidecar, writer = excluded.writer,
        revision = excluded.revision, written_by = excluded.written_by, json = excluded.json,
        text = excluded.text, updated_at = excluded.updated_at, deleted_at = excluded.deleted_at
      where ${held !== null}
      returning 1`
    if (replaced.length === 0) continue
    const news = JSON.stringify({ id, revision, ...(deleted && { deleted }) })
    await sql`select pg_notify('yurt_documents', ${news})`
    return "stored"
  }
  throw new Error(`Postgres: ${id} came and went ${limits.archiveAttempts} times between a look and a write`)
}

/** The update of a row that somebody wrote without one. */
async function seedOf({ json, text }: DocumentRow): Promise<Uint8Array> {
  try {
    return await seedUpdate(json ?? (text === null ? {} : { text }))
  } catch (error) {
    throw new SyncError(
      "archive-unavailable",
      'The row in the archive postgres has no bytes, and its "json" is no object whose members are objects, arrays and texts',
      { cause: error },
    )
  }
}

/** An error of the server whose SQLSTATE starts with one of these. */
function isPostgres(error: unknown, states: string[]): error is postgres.PostgresError {
  return error instanceof postgres.PostgresError && states.some((state) => error.code.startsWith(state))
}

function base64Of({ buffer, byteOffset, byteLength }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString("base64")
}

/** Text without the two things Postgres cannot hold: U+0000, and half of a surrogate pair. */
function storable(text: string): string {
  return text.replaceAll("\0", "\uFFFD").toWellFormed()
}

/** JSON as Postgres takes it: `JSON.stringify` escapes those two (and no other surrogate), so they are replaced there. */
function textOfJson(json: Record<string, unknown>): string {
  return JSON.stringify(json).replace(/\\(u0000|ud[89a-f][0-9a-f]{2}|.)/g, (sequence, what: string) =>
    what.length === 1 ? sequence : "\uFFFD",
  )
}
