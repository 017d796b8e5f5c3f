/**
 * The catalogue: which documents this server holds, for a server without a database. The rooms' own storage is all
 * there is of the documents; what is kept here is a line about each, so that they can be listed.
 *
 * One Durable Object for all, and all nodes of a cluster. A room tells it at most every 30 s, as it would tell an archive; what
 * arrives late does not replace what was told after it (A3). A lower revision that is younger does: the room began anew. So a
 * deleted document keeps its line, without a size, and is not listed.
 */
import { DurableObject } from "cloudflare:workers"
import type { Archive, ArchiveEntry, ArchivePage, IndexPage } from "../archive/archive.ts"
import { pageRange } from "../archive/within.ts"
import { SyncError } from "../errors.ts"

/** The catalogue as a room sees it. */
export interface CatalogueRpc {
  note(entry: ArchiveEntry): Promise<void>
  /** It was deleted. @param revision above those that were noted before */
  strike(id: string, revision: number): Promise<void>
  /** Which archive has everything, as one word; null: none is known to. */
  filled(): Promise<string | null>
  noteFilled(archive: string): Promise<void>
  list(page: IndexPage): Promise<ArchivePage>
}

/** One table of what there is. Bind it as `Catalogue`. */
export class Catalogue extends DurableObject implements CatalogueRpc {
  readonly #sql = this.ctx.storage.sql

  constructor(ctx: DurableObjectState, env: Cloudflare.Env) {
    super(ctx, env)
    this.#sql.exec(
      "CREATE TABLE IF NOT EXISTS entry (id TEXT PRIMARY KEY, revision INTEGER, bytes INTEGER, updated_at TEXT) WITHOUT ROWID",
    )
  }

  async note({ id, revision, bytes, updatedAt }: ArchiveEntry): Promise<void> {
    this.#put(id, revision, bytes, updatedAt)
  }

  async strike(id: string, revision: number): Promise<void> {
    this.#put(id, revision, null, new Date().toISOString())
  }

  #put(id: string, revision: number, bytes: number | null, updatedAt: string): void {
    // While this object's node is missed, a room's call times out and is made again: they may arrive in any order.
    this.#sql.exec(
      `INSERT INTO entry VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE
         SET revision = excluded.revision, bytes = excluded.bytes, updated_at = excluded.updated_at
         WHERE excluded.revision >= revision OR excluded.updated_at > updated_at`,
      ...[id, revision, bytes, updatedAt],
    )
  }

  async filled(): Promise<string | null> {
    return this.ctx.storage.kv.get<string>("filled") ?? null
  }

  async noteFilled(archive: string): Promise<void> {
    this.ctx.storage.kv.put("filled", archive)
  }

  async list(page: IndexPage): Promise<ArchivePage> {
    const { limit } = page
    const { from, not, before } = pageRange(page)
    const rows = this.#sql.exec<{ id: string; revision: number; bytes: number; updated_at: string }>(
      `SELECT id, revision, bytes, updated_at FROM entry
         WHERE id >= ? AND id <> ? AND id < ? AND bytes IS NOT NULL ORDER BY id LIMIT ?`,
      ...[from, not, before],
      limit + 1,
    )
    const entries = rows.toArray().map(({ updated_at, ...entry }) => ({ ...entry, updatedAt: updated_at }))
    const documents = entries.slice(0, limit)
    return { documents, cursor: entries.length > limit ? documents.at(-1)!.id : null }
  }
}

/**
 * The catalogue in the place of an archive: it takes notes and gives nothing back, so rooms never start from it, and never
 * drop their own copy for it.
 * @param find asked each time: a stub whose object failed, or was on a node that died, stays broken
 */
export function catalogueArchive(find: () => CatalogueRpc): Archive {
  return {
    name: "catalogue",
    keeps: "readable",
    async load() {
      throw new SyncError("archive-unavailable", "The catalogue knows documents by name alone.")
    },
    async store(id, { revision, update, updatedAtMs }) {
      const updatedAt = new Date(updatedAtMs).toISOString()
      await find().note({ id, revision, bytes: update.length, updatedAt })
      return "stored"
    },
    async remove(id, { revision }) {
      await find().strike(id, revision)
      return "stored"
    },
    list: (page) => find().list(page),
  }
}
