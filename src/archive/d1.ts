/**
 * The archive in D1, Cloudflare's SQL database: the one that `npm start` embeds.
 *
 * Two tables, made on first use: a row a document in `yurt_documents`, and its bytes in `yurt_chunks`, split so
 * that nothing outgrows a row. The bytes of one write, update and sidecar in a row, are one body under a number of
 * its own: a large one is written in several batches, and the last one turns the document's row to it, if the row is
 * still what the write was compared with. So a reader sees one body or the other, and memory holds a batch at a time.
 *
 * Bytes are kept as base64 text: D1 speaks JSON, where a BLOB travels as an array of numbers. 10 MB stored and
 * loaded in workerd: base64 150 + 100 ms, hex with unhex() 300 + 320, BLOB 2,250 + 1,030.
 */

import type { D1Database, D1PreparedStatement } from "@cloudflare/workers-types"
import { LIMITS, type Limits } from "../limits.ts"
import { abortable, discreet } from "./abortable.ts"
import type { Archive, ArchiveEntry, ArchiveLookup, ArchivePage, IndexPage, Version } from "./archive.ts"
import { documentWrite, judgeSwap, markWrite, type Write } from "./swap.ts"
import { pageRange } from "./within.ts"

const SCHEMA = [
  `CREATE TABLE IF NOT EXISTS yurt_documents (
    id TEXT PRIMARY KEY,
    writer TEXT,
    revision INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    sidecar_bytes INTEGER,
    body INTEGER,
    updated_at TEXT NOT NULL,
    deleted_at TEXT
  )`,
  `CREATE TABLE IF NOT EXISTS yurt_chunks (
    id TEXT NOT NULL,
    body INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    base64 TEXT NOT NULL,
    made_at_ms INTEGER,
    PRIMARY KEY (id, body, seq)
  )`,
]

/** What older tables lack. In them a body went by its revision, which a body of null in the document's row still says. */
const ADDITIONS = [
  { table: "yurt_documents", column: "writer", sql: "ALTER TABLE yurt_documents ADD COLUMN writer TEXT" },
  {
    table: "yurt_documents",
    column: "sidecar_bytes",
    sql: "ALTER TABLE yurt_documents ADD COLUMN sidecar_bytes INTEGER",
  },
  { table: "yurt_documents", column: "body", sql: "ALTER TABLE yurt_documents ADD COLUMN body INTEGER" },
  { table: "yurt_chunks", column: "body", sql: "ALTER TABLE yurt_chunks RENAME COLUMN revision TO body" },
  {
    table: "yurt_chunks",
    column: "made_at_ms",
    sql: "ALTER TABLE yurt_chunks ADD COLUMN made_at_ms INTEGER",
  },
]

/** Databases whose tables this isolate has seen. */
const migrated = new WeakSet<D1Database>()

interface DocumentRow {
  writer: string | null
  revision: number
  bytes: number
  sidecar_bytes: number | null
  /** The number its chunks stand under. */
  body: number | null
  deleted_at: string | null
}

interface ChunkRow {
  base64: string
}

interface IndexRow {
  id: string
  revision: number
  bytes: number
  updated_at: string
}

/**
 * Keep documents in a D1 database. Nothing to migrate: the tables are made, or completed, on first use.
 *
 * @param options.limits the deployment's numbers, from `readLimits(env)`
 * @param db the binding, `[[d1_databases]]` in wrangler.toml
 * @example archive = d1Archive(env.DB)
 * @source D1 limits: a row, string or BLOB holds at most 2 MB; 100 bound parameters a query; a batch is a transaction
 */
export function d1Archive(db: D1Database, { limits = LIMITS }: { limits?: Limits } = {}): Archive {
  /** Run statements as one transaction; the rows of each, whose types the caller names. */
  async function run<Rows extends object[][]>(
    statements: { [At in keyof Rows]: D1PreparedStatement },
    signal: AbortSignal,
  ): Promise<Rows> {
    const schema = migrated.has(db) ? [] : SCHEMA.map((sql) => db.prepare(sql))
    const batch = async () => {
      const results = await abortable(() => db.batch<object>([...schema, ...statements]), signal)
      return results.slice(schema.length).map((result) => result.results) as Rows
    }
    try {
      const rows = await batch().catch(async (error: unknown) => {
        if (!(await completeTables(error, signal))) throw error
        return batch()
      })
      migrated.add(db)
      return rows
    } catch (error) {
      // Somebody may have dropped the tables: the next call makes them again.
      migrated.delete(db)
      throw error
    }
  }

  /**
   * Add the columns that an older server's tables lack.
   * @returns whether it did: false when the error is about something else
   */
  async function completeTables(error: unknown, signal: AbortSignal): Promise<boolean> {
    if (!(error instanceof Error && /no such column|has no column named/.test(error.message))) return false
    for (const { table, column, sql } of ADDITIONS) {
      const has = db.prepare("SELECT 1 FROM pragma_table_info(?) WHERE name = ?").bind(table, column)
      const present = async () => (await abortable(() => has.all(), signal)).results.length > 0
      if (await present()) continue
      try {
        await abortable(() => db.batch([db.prepare(sql)]), signal)
      } catch (refused) {
        // Another room may have added it since the look.
        if (!(await present())) throw refused
      }
    }
    return true
  }

  async function load(id: string, signal: AbortSignal): Promise<ArchiveLookup> {
    for (let attempt = 1; attempt <= LIMITS.archiveAttempts; attempt++) {
      const [documents, firstChunks] = await run<[DocumentRow[], ChunkRow[]]>(
        [
          documentOf(id),
          db
            .prepare(
              `SELECT base64 FROM yurt_chunks WHERE id = ?1 AND body =
                 (SELECT coalesce(body, revision) FROM yurt_documents WHERE id = ?1) ORDER BY seq LIMIT ?2`,
            )
            .bind(id, limits.archiveBatchChunks),
        ],
        signal,
      )
      const [row] = documents
      if (row === undefined) return { kind: "absent" }
      const body = await assemble(id, { row, firstChunks }, signal)
      if (body === null) continue
      const sidecar = row.sidecar_bytes === null ? null : body.slice(row.bytes)
      const { writer, revision } = row
      if (row.deleted_at !== null) return { kind: "deleted", version: { writer, revision }, sidecar }
      const update = body.subarray(0, row.bytes)
      return { kind: "found", document: { update, sidecar, writer, revision } }
    }
    throw new Error(`D1: ${id} was stored anew ${limits.archiveAttempts} times while it was loaded`)
  }

  /** The bytes that belong to a row, or null when the row is no longer the stored one. */
  async function assemble(
    id: string,
    { row, firstChunks }: { row: DocumentRow; firstChunks: ChunkRow[] },
    signal: AbortSignal,
  ): Promise<Uint8Array | null> {
    const body = new Uint8Array(row.bytes + (row.sidecar_bytes ?? 0))
    let at = 0
    let seq = 0
    let chunks = firstChunks
    while (true) {
      for (const { base64 } of chunks) {
        const chunk = Uint8Array.fromBase64(base64)
        if (at + chunk.length > body.length) {
          throw new Error(`D1: ${id} holds more than its ${body.length} bytes`)
        }
        body.set(chunk, at)
        at += chunk.length
      }
      seq += chunks.length
      if (at === body.length) return body
      ;[chunks] = await run<[ChunkRow[]]>(
        [
          db
            .prepare(
              "SELECT base64 FROM yurt_chunks WHERE id = ? AND body = ? AND seq >= ? ORDER BY seq LIMIT ?",
            )
            .bind(id, row.body, seq, limits.archiveBatchChunks),
        ],
        signal,
      )
      if (chunks.length > 0) continue
      const [now] = await run<[DocumentRow[]]>([documentOf(id)], signal)
      if (now[0]?.body !== row.body) return null
      throw new Error(`D1: ${id} holds ${at} of its ${body.length} bytes`)
    }
  }

  function documentOf(id: string): D1PreparedStatement {
    return db
      .prepare(
        `SELECT writer, revision, bytes, sidecar_bytes, coalesce(body, revision) AS body, deleted_at
         FROM yurt_documents WHERE id = ?`,
      )
      .bind(id)
  }

  /** Put a document or a mark in place of what is held, if it may take its place. */
  async function swap(
    { id, write, expected }: { id: string; write: Write; expected: Version | null },
    signal: AbortSignal,
  ): Promise<"stored" | "conflict"> {
    const body = randomBody()
    let written = false
    for (let attempt = 1; attempt <= LIMITS.archiveAttempts; attempt++) {
      const [[row]] = await run<[DocumentRow[]]>([documentOf(id)], signal)
      const held = row === undefined ? null : { ...row, deleted: row.deleted_at !== null }
      const verdict = judgeSwap(write, { held, expected })
      if (verdict !== "replace") {
        if (written) await run<[never[]]>([forget(id, body)], signal)
        return verdict
      }
      const last = written ? [] : await writeChunks({ id, body, write }, signal)
      written = true
      const [, , [stood]] = await run<[never[], never[], { body: number }[], ...never[][]]>(
        [...turn({ id, body, write, held: row?.body ?? null }), ...last],
        signal,
      )
      if (stood?.body === body) return "stored"
    }
    throw new Error(`D1: ${id} was written ${limits.archiveAttempts} times between a look and a write`)
  }

  /** Write the chunks of a body, a batch at a time. @returns the statements of the last batch, which are not run yet */
  async function writeChunks(
    { id, body, write }: { id: string; body: number; write: Write },
    signal: AbortSignal,
  ): Promise<D1PreparedStatement[]> {
    const length = write.update.length + (write.sidecar?.length ?? 0)
    const madeAtMs = Date.now()
    let batch: D1PreparedStatement[] = []
    for (let seq = 0; seq * limits.archiveChunkBytes < length; seq++) {
      if (batch.length === LIMITS.archiveBatchChunks) {
        await run<object[][]>(batch, signal)
        batch = []
      }
      const chunk = sliceOf(write, seq * limits.archiveChunkBytes, (seq + 1) * limits.archiveChunkBytes)
      batch.push(
        db
          .prepare("INSERT INTO yurt_chunks (id, body, seq, base64, made_at_ms) VALUES (?, ?, ?, ?, ?)")
          .bind(id, body, seq, chunk.toBase64(), madeAtMs),
      )
    }
    return batch
  }

  /**
   * Turn the document's row to a new body if it still has the one that was held, and forget the old one.
   * The rows of the third statement say which body the document has now.
   */
  function turn({
    id,
    body,
    write,
    held,
  }: {
    id: string
    body: number
    write: Write
    held: number | null
  }): [D1PreparedStatement, D1PreparedStatement, D1PreparedStatement] {
    const updatedAt = new Date(write.updatedAtMs).toISOString()
    return [
      db
        .prepare(
          `INSERT INTO yurt_documents (id, writer, revision, bytes, sidecar_bytes, body, updated_at, deleted_at)
           VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
           ON CONFLICT (id) DO UPDATE SET
             writer = excluded.writer, revision = excluded.revision, bytes = excluded.bytes,
             sidecar_bytes = excluded.sidecar_bytes, body = excluded.body, updated_at = excluded.updated_at,
             deleted_at = excluded.deleted_at
           WHERE coalesce(yurt_documents.body, yurt_documents.revision) = ?9`,
        )
        .bind(
          id,
          write.writer,
          write.revision,
          write.update.length,
          write.sidecar?.length ?? null,
          body,
          updatedAt,
          write.deleted ? updatedAt : null,
          held,
        ),
      // Also what a write left behind that ended between its batches: it is long over.
      db
        .prepare(
          `DELETE FROM yurt_chunks WHERE id = ?1 AND body <> ?2 AND (body = ?3 OR made_at_ms < ?4)
           AND EXISTS (SELECT 1 FROM yurt_documents WHERE id = ?1 AND body = ?2)`,
        )
        .bind(id, body, held, Date.now() - limits.archiveOrphanMs),
      db.prepare("SELECT body FROM yurt_documents WHERE id = ?").bind(id),
    ]
  }

  function forget(id: string, body: number): D1PreparedStatement {
    return db.prepare("DELETE FROM yurt_chunks WHERE id = ? AND body = ?").bind(id, body)
  }

  async function list(page: IndexPage, signal: AbortSignal): Promise<ArchivePage> {
    const { limit } = page
    const { from, not, before } = pageRange(page)
    const [rows] = await run<[IndexRow[]]>(
      [
        db
          .prepare(
            `SELECT id, revision, bytes, updated_at FROM yurt_documents
             WHERE deleted_at IS NULL AND id >= ? AND id <> ? AND id < ? ORDER BY id LIMIT ?`,
          )
          .bind(from, not, before, limit + 1),
      ],
      signal,
    )
    const documents = rows.slice(0, limit).map(
      ({ id, revision, bytes, updated_at }): ArchiveEntry => ({
        id,
        revision,
        bytes,
        updatedAt: updated_at,
      }),
    )
    return { documents, cursor: rows.length > limit ? documents.at(-1)!.id : null }
  }

  return discreet({
    name: "d1",
    load,
    store: (id, document, expected, signal) => swap({ id, write: documentWrite(document), expected }, signal),
    remove: (id, mark, expected, signal) => swap({ id, write: markWrite(mark), expected }, signal),
    list,
  })
}

/** A chunk of a write's update and sidecar, as if they were one. */
function sliceOf({ update, sidecar }: Write, start: number, end: number): Uint8Array {
  if (end <= update.length || sidecar === null) return update.subarray(start, end)
  const rest = sidecar.subarray(Math.max(0, start - update.length), end - update.length)
  if (start >= update.length) return rest
  const head = update.subarray(start)
  const both = new Uint8Array(head.length + rest.length)
  both.set(head)
  both.set(rest, head.length)
  return both
}

/** A number that no other body has: 52 random bits. Negative, since a body of an older server went by its revision. */
function randomBody(): number {
  const words = crypto.getRandomValues(new Uint32Array(2))
  return -(1 + (words[0]! % 2 ** 20) * 2 ** 32 + words[1]!)
}
