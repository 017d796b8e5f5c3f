/**
 * The archive in D1, Cloudflare's SQL database: the one that `npm start` embeds.
 *
 * Two tables, made on first use: a row a document in `yurt_documents`, and its bytes in `yurt_chunks`, split so
 * that nothing outgrows a row. Bytes are kept as base64 text: D1 speaks JSON, where a BLOB travels as an array
 * of numbers. 10 MB stored and loaded in workerd: base64 150 + 100 ms, hex with unhex() 300 + 320, BLOB 2,250 + 1,030.
 */

import type { D1Database, D1PreparedStatement } from "@cloudflare/workers-types"
import { LIMITS } from "../limits.ts"
import { abortable } from "./abortable.ts"
import type { Archive, ArchiveEntry, ArchiveLookup, ArchivePage, ArchiveWrite } from "./archive.ts"

/** Bytes a chunk. As base64 text it is a third larger, and has to stay below D1's 2 MB a value. */
const CHUNK_BYTES = LIMITS.valueBytes

/** Chunks one query hands back: 8 MB, so that a large document does not pass through memory as one JSON text. */
const CHUNKS_A_QUERY = 8

/** Times a load starts over because a newer revision was stored under its hands. */
const LOAD_ATTEMPTS = 5

const SCHEMA = [
  `CREATE TABLE IF NOT EXISTS yurt_documents (
    id TEXT PRIMARY KEY,
    revision INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    updated_at TEXT NOT NULL,
    deleted_at TEXT
  )`,
  `CREATE TABLE IF NOT EXISTS yurt_chunks (
    id TEXT NOT NULL,
    revision INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    base64 TEXT NOT NULL,
    PRIMARY KEY (id, revision, seq)
  )`,
]

/** Databases whose tables this isolate has seen. */
const migrated = new WeakSet<D1Database>()

interface DocumentRow {
  revision: number
  bytes: number
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
 * Keep documents in a D1 database. Nothing to migrate: the tables are made on first use.
 *
 * @param db the binding, `[[d1_databases]]` in wrangler.toml
 * @source D1 limits: a row, string or BLOB holds at most 2 MB; 100 bound parameters a query; a batch is a transaction
 */
export function d1Archive(db: D1Database): Archive {
  /** Run statements as one transaction; the rows of each. */
  async function run(statements: D1PreparedStatement[], signal: AbortSignal): Promise<unknown[][]> {
    const schema = migrated.has(db) ? [] : SCHEMA.map((sql) => db.prepare(sql))
    try {
      const results = await abortable(() => db.batch([...schema, ...statements]), signal)
      migrated.add(db)
      return results.slice(schema.length).map((result) => result.results)
    } catch (error) {
      // Somebody may have dropped the tables: the next call makes them again.
      migrated.delete(db)
      throw error
    }
  }

  async function load(id: string, signal: AbortSignal): Promise<ArchiveLookup> {
    for (let attempt = 1; attempt <= LOAD_ATTEMPTS; attempt++) {
      const [documents, firstChunks] = (await run(
        [
          db.prepare("SELECT revision, bytes, deleted_at FROM yurt_documents WHERE id = ?").bind(id),
          db
            .prepare("SELECT base64 FROM yurt_chunks WHERE id = ? ORDER BY seq LIMIT ?")
            .bind(id, CHUNKS_A_QUERY),
        ],
        signal,
      )) as [DocumentRow[], ChunkRow[]]
      const row = documents[0]
      if (row === undefined) return { kind: "absent" }
      if (row.deleted_at !== null) return { kind: "deleted", revision: row.revision }
      const update = await assemble(id, row, firstChunks, signal)
      if (update !== null) return { kind: "found", document: { update, revision: row.revision } }
    }
    throw new Error(`D1: ${id} was stored anew ${LOAD_ATTEMPTS} times while it was loaded`)
  }

  /** The bytes of one revision, or null when it is no longer the stored one. */
  async function assemble(
    id: string,
    row: DocumentRow,
    firstChunks: ChunkRow[],
    signal: AbortSignal,
  ): Promise<Uint8Array | null> {
    const update = new Uint8Array(row.bytes)
    let at = 0
    let seq = 0
    let chunks = firstChunks
    while (true) {
      for (const { base64 } of chunks) {
        const chunk = Uint8Array.fromBase64(base64)
        if (at + chunk.length > row.bytes) throw new Error(`D1: ${id} holds more than its ${row.bytes} bytes`)
        update.set(chunk, at)
        at += chunk.length
      }
      seq += chunks.length
      if (at === row.bytes) return update
      ;[chunks] = (await run(
        [
          db
            .prepare(
              "SELECT base64 FROM yurt_chunks WHERE id = ? AND revision = ? AND seq >= ? ORDER BY seq LIMIT ?",
            )
            .bind(id, row.revision, seq, CHUNKS_A_QUERY),
        ],
        signal,
      )) as [ChunkRow[]]
      if (chunks.length === 0) {
        const [now] = (await run(
          [db.prepare("SELECT revision FROM yurt_documents WHERE id = ?").bind(id)],
          signal,
        )) as [{ revision: number }[]]
        if (now[0]?.revision !== row.revision) return null
        throw new Error(`D1: ${id} holds ${at} of its ${row.bytes} bytes at revision ${row.revision}`)
      }
    }
  }

  async function store(id: string, document: ArchiveWrite, signal: AbortSignal): Promise<"stored" | "newer"> {
    const { update, revision } = document
    // Every statement asks the same question before the last one changes the answer: so the loser of two
    // concurrent stores writes no chunk, and takes none of the winner's away.
    const isNewest = "NOT EXISTS (SELECT 1 FROM yurt_documents WHERE id = ?1 AND revision >= ?2)"
    const statements = [
      db.prepare(`DELETE FROM yurt_chunks WHERE id = ?1 AND ${isNewest}`).bind(id, revision),
    ]
    for (let seq = 0; seq * CHUNK_BYTES < update.length; seq++) {
      const chunk = update.subarray(seq * CHUNK_BYTES, (seq + 1) * CHUNK_BYTES)
      statements.push(
        db
          .prepare(
            `INSERT INTO yurt_chunks (id, revision, seq, base64) SELECT ?1, ?2, ?3, ?4 WHERE ${isNewest}`,
          )
          .bind(id, revision, seq, chunk.toBase64()),
      )
    }
    statements.push(
      db
        .prepare(
          `INSERT INTO yurt_documents (id, revision, bytes, updated_at, deleted_at) VALUES (?1, ?2, ?3, ?4, NULL)
           ON CONFLICT (id) DO UPDATE SET
             revision = excluded.revision, bytes = excluded.bytes, updated_at = excluded.updated_at, deleted_at = NULL
           WHERE excluded.revision > yurt_documents.revision`,
        )
        .bind(id, revision, update.length, new Date(document.updatedAtMs).toISOString()),
      db
        .prepare(
          `SELECT 1 FROM yurt_documents WHERE id = ?1
           AND (revision > ?2 OR revision = ?2 AND deleted_at IS NOT NULL)`,
        )
        .bind(id, revision),
    )
    const newer = (await run(statements, signal)).at(-1)!
    return newer.length > 0 ? "newer" : "stored"
  }

  async function remove(id: string, revision: number, signal: AbortSignal): Promise<void> {
    const now = new Date().toISOString()
    await run(
      [
        db
          .prepare(
            `DELETE FROM yurt_chunks WHERE id = ?1
             AND NOT EXISTS (SELECT 1 FROM yurt_documents WHERE id = ?1 AND revision > ?2)`,
          )
          .bind(id, revision),
        db
          .prepare(
            `INSERT INTO yurt_documents (id, revision, bytes, updated_at, deleted_at) VALUES (?1, ?2, 0, ?3, ?3)
             ON CONFLICT (id) DO UPDATE SET
               revision = excluded.revision, bytes = 0, updated_at = excluded.updated_at,
               deleted_at = excluded.deleted_at
             WHERE excluded.revision >= yurt_documents.revision`,
          )
          .bind(id, revision, now),
      ],
      signal,
    )
  }

  async function list(
    { cursor, limit }: { cursor: string | null; limit: number },
    signal: AbortSignal,
  ): Promise<ArchivePage> {
    const [rows] = (await run(
      [
        db
          .prepare(
            `SELECT id, revision, bytes, updated_at FROM yurt_documents
             WHERE deleted_at IS NULL AND id > ? ORDER BY id LIMIT ?`,
          )
          .bind(cursor ?? "", limit + 1),
      ],
      signal,
    )) as [IndexRow[]]
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

  return { name: "d1", load, store, remove, list }
}
