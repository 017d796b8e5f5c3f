/**
 * The archive in your own Postgres: the bytes, and beside them the document as JSON and as text, for SQL to search.
 * The table is in `postgres.sql`, with what a row written by hand has to hold.
 *
 * A call opens a connection and closes it: an open socket would keep the room from hibernating. Hyperdrive makes
 * that cheap. Every call is one transaction, and ends by itself: the connect, the statements (on the server, so
 * that a statement nobody waits for does not run on) and the call as a whole (here, since a frozen server says nothing).
 */

import { Buffer } from "node:buffer"
import postgres from "postgres"
import { SyncError } from "../errors.ts"
import { abortable, limited } from "./abortable.ts"
import type { Archive, ArchiveEntry, ArchiveLookup, ArchivePage, ArchiveWrite } from "./archive.ts"
import { POSTGRES_SCHEMA } from "./postgres-schema.ts"
import { seedUpdate } from "./seed.ts"

/** Bytes that travel in one message. A larger document goes in parts, so that memory holds one part as text at a time. */
const PART_BYTES = 4 * 1024 * 1024

export interface PostgresOptions {
  /** Make the table when it is missing. Off: a missing table is an error that says which file to run. */
  migrate?: boolean
  /** To be connected, ms. */
  connectTimeoutMs?: number
  /** One statement on the server, ms. */
  statementTimeoutMs?: number
  /** One call in all, ms. */
  callTimeoutMs?: number
}

interface DocumentRow {
  revision: string | null
  deleted: boolean
  bytes: number | null
  part: string | null
  json: Record<string, unknown> | null
  text: string | null
}

interface IndexRow {
  id: string
  revision: string | null
  bytes: string | null
  updated_at: Date
}

/**
 * Keep documents in Postgres.
 *
 * Yurt sends NOTIFY yurt_documents, `{"id", "revision"}`, in the transaction of each store that won.
 *
 * @param connection a URL, or a Hyperdrive binding
 * @source Hyperdrive pools connections by transaction: no session state, no named prepared statements
 */
export function postgresArchive(
  connection: string | { readonly connectionString: string },
  {
    migrate = false,
    connectTimeoutMs = 5_000,
    statementTimeoutMs = 10_000,
    callTimeoutMs = 12_000,
  }: PostgresOptions = {},
): Archive {
  const url = typeof connection === "string" ? connection : connection.connectionString

  /** Do some work in one transaction, on a connection of its own. */
  async function transact<T>(
    work: (sql: postgres.TransactionSql) => Promise<T>,
    signal: AbortSignal,
    { mode = "" }: { mode?: string } = {},
  ): Promise<T> {
    const sql = postgres(url, {
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

  /** Do it, and if the table is missing make it first, or say how. */
  async function withTable<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    try {
      return await work()
    } catch (error) {
      if (!isPostgres(error, ["42P01", "42703", "42883"])) throw error
      if (!migrate) {
        throw new SyncError(
          "archive-unavailable",
          `Postgres says: ${error.message}. Run src/archive/postgres.sql in it once, or set migrate: true`,
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
        select revision, deleted_at is not null as deleted, octet_length(update) as bytes,
          encode(substring(update from 1 for ${PART_BYTES}::int), 'base64') as part,
          case when update is null then json end as json,
          case when update is null then text end as text
        from yurt_documents where id = ${id}`
      if (row === undefined) return { kind: "absent" }
      // A row written by hand has no revision yet.
      const revision = Number(row.revision ?? 0)
      if (row.deleted) return { kind: "deleted", revision }
      if (row.bytes === null || row.part === null) {
        const roots = row.json ?? (row.text === null ? {} : { text: row.text })
        return { kind: "found", document: { update: await seedUpdate(roots), revision } }
      }
      const update = new Uint8Array(row.bytes)
      let { part } = row
      for (let at = 0; ; ) {
        const bytes = Buffer.from(part, "base64")
        update.set(bytes, at)
        at += bytes.length
        if (at >= update.length) return { kind: "found", document: { update, revision } }
        const [next] = await sql<[{ part: string }]>`
          select encode(substring(update from ${at + 1}::int for ${PART_BYTES}::int), 'base64') as part
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

  async function store(id: string, document: ArchiveWrite, signal: AbortSignal): Promise<"stored" | "newer"> {
    const json = textOfJson(document.json())
    const text = storable(document.text())
    const write = (readable: { json: string | null; text: string | null }) =>
      withTable(() => transact((sql) => upsert(sql, id, document, readable), signal), signal)
    try {
      return await write({ json, text })
    } catch (error) {
      // 22…: data that Postgres takes as neither JSON nor text; 54…: too deep or too large for them.
      // Their bytes are what must not be lost.
      if (!isPostgres(error, ["22", "54"])) throw error
      return await write({ json: null, text: null })
    }
  }

  async function upsert(
    sql: postgres.TransactionSql,
    id: string,
    { update, revision, updatedAtMs }: ArchiveWrite,
    { json, text }: { json: string | null; text: string | null },
  ): Promise<"stored" | "newer"> {
    let bytes = sql`decode(${update.length <= PART_BYTES ? base64Of(update) : ""}, 'base64')`
    if (update.length > PART_BYTES) {
      await sql.unsafe("create temporary table yurt_parts (seq int, bytes bytea) on commit drop")
      for (let at = 0; at < update.length; at += PART_BYTES) {
        const part = base64Of(update.subarray(at, at + PART_BYTES))
        await sql`insert into yurt_parts values (${at}, decode(${part}, 'base64'))`
      }
      bytes = sql`(select string_agg(bytes, '' order by seq) from yurt_parts)`
    }
    const told = await sql`
      with won as (
        insert into yurt_documents as held (id, update, revision, json, text, updated_at)
        values (${id}, ${bytes}, ${revision}, ${json}::text::jsonb, ${text}, ${new Date(updatedAtMs)})
        on conflict (id) do update set
          update = excluded.update, revision = excluded.revision, json = excluded.json, text = excluded.text,
          updated_at = excluded.updated_at, deleted_at = null
        where held.revision is null or held.revision < excluded.revision
        returning id, revision
      )
      select pg_notify('yurt_documents', json_build_object('id', id, 'revision', revision)::text) from won`
    if (told.length > 0) return "stored"
    // A statement of its own, since the one above does not see what a concurrent winner committed meanwhile.
    const newer = await sql`
      select 1 from yurt_documents
      where id = ${id} and (revision > ${revision} or revision = ${revision} and deleted_at is not null)`
    return newer.length > 0 ? "newer" : "stored"
  }

  function remove(id: string, revision: number, signal: AbortSignal): Promise<void> {
    const mark = async (sql: postgres.TransactionSql): Promise<void> => {
      await sql`
        with won as (
          insert into yurt_documents as held (id, revision, updated_at, deleted_at)
          values (${id}, ${revision}, now(), now())
          on conflict (id) do update set
            update = null, revision = excluded.revision, json = null, text = null,
            updated_at = excluded.updated_at, deleted_at = excluded.deleted_at
          where held.revision is null or held.revision <= excluded.revision
          returning id, revision
        )
        select pg_notify(
          'yurt_documents', json_build_object('id', id, 'revision', revision, 'deleted', true)::text
        ) from won`
    }
    return withTable(() => transact(mark, signal), signal)
  }

  function list(
    { cursor, limit }: { cursor: string | null; limit: number },
    signal: AbortSignal,
  ): Promise<ArchivePage> {
    const read = async (sql: postgres.TransactionSql): Promise<ArchivePage> => {
      const rows = await sql<IndexRow[]>`
        select id, revision, bytes, updated_at from yurt_documents
        where deleted_at is null and id > ${cursor ?? ""} order by id limit ${limit + 1}`
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

  return limited({ name: "postgres", load, store, remove, list }, callTimeoutMs)
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
