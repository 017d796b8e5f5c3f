/**
 * Versions: names for revisions (H2). Making one copies nothing. Those made by themselves are thinned with age; a version
 * that somebody named, made by hand or brought from elsewhere stays.
 */
import { SyncError } from "../errors.ts"
import type { Limits } from "../limits.ts"
import type { Who } from "./attribution.ts"
import { touchContents } from "./contents.ts"
import type { Tables } from "./segments.ts"

/** Why there is a version. */
export type Trigger = "manual" | "auto" | "restore" | "rollback" | "import"

/** A name for a state of a document. */
export interface Version {
  /** `v_` and a random rest. */
  readonly id: string
  readonly name: string | null
  /** When it was made, RFC 3339; of one that was imported, when it was made elsewhere. */
  readonly at: string
  readonly revision: number
  readonly createdBy: Who
  /** Who wrote since the version before. */
  readonly by: readonly Who[]
  readonly trigger: Trigger
  readonly meta: unknown
}

/** What a version is made of. */
export interface Draft extends Pick<Version, "revision" | "createdBy" | "by" | "trigger"> {
  readonly name: string | null
  readonly meta?: unknown
  /** ms since 1970. */
  readonly atMs: number
}

type Row = {
  n: number
  id: string
  revision: number
  at: number
  name: string | null
  trigger: Trigger
  created_by: string
  writers: string
  meta: string | null
}

/** The versions of a document. */
export class Versions {
  readonly #tables: Tables
  readonly #limits: Limits

  constructor(tables: Tables, limits: Limits) {
    this.#tables = tables
    this.#limits = limits
  }

  /** How many there are. */
  get count(): number {
    return this.#tables.rows<{ n: number }>("SELECT count(*) AS n FROM version")[0]?.n ?? 0
  }

  /** The newest. */
  get newest(): Version | null {
    const row = this.#tables.rows<Row>("SELECT * FROM version ORDER BY n DESC LIMIT 1")[0]
    return row === undefined ? null : read(row)
  }

  /**
   * Make one.
   * @param id of one that another room of this document made
   * @throws SyncError document-full where there are too many
   */
  make({ revision, createdBy, by, trigger, name, meta, atMs }: Draft, id = drawId()): Version {
    if ((trigger === "manual" || trigger === "import") && this.count >= this.#limits.versions)
      throw new SyncError(
        "document-full",
        `The document has ${this.#limits.versions} versions, the most it may have.`,
      )
    this.#write((sql) =>
      sql(
        `INSERT INTO version (id, revision, at, name, trigger, created_by, writers, meta)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
        ...[id, revision, atMs, name, trigger, JSON.stringify(createdBy), JSON.stringify(by)],
        meta === undefined || meta === null ? null : JSON.stringify(meta),
      ),
    )
    return this.get(id)
  }

  /** @throws SyncError not-found */
  get(id: string): Version {
    const row = this.#tables.rows<Row>("SELECT * FROM version WHERE id = ?", id)[0]
    if (row === undefined) throw new SyncError("not-found", `There is no version ${id}.`)
    return read(row)
  }

  /**
   * A page, newest first.
   * @param page.notBeforeMs leave out those made earlier
   */
  list({ cursor, limit, notBeforeMs }: { cursor: string | null; limit: number; notBeforeMs: number }): {
    versions: Version[]
    cursor: string | null
  } {
    const before = cursor === null ? Number.MAX_SAFE_INTEGER : Number(cursor)
    if (!Number.isSafeInteger(before) || before < 0)
      throw new SyncError("bad-request", `${JSON.stringify(cursor)} is no cursor of this listing.`)
    const rows = this.#tables.rows<Row>(
      "SELECT * FROM version WHERE n < ? AND at >= ? ORDER BY n DESC LIMIT ?",
      ...[before, notBeforeMs, limit + 1],
    )
    const page = rows.slice(0, limit)
    return { versions: page.map(read), cursor: rows.length > limit ? String(page.at(-1)!.n) : null }
  }

  /** Give another name or other notes. @throws SyncError not-found */
  change(id: string, { name, meta }: { name?: string | null | undefined; meta?: unknown }): Version {
    this.get(id)
    this.#write((sql) => {
      if (name !== undefined) sql("UPDATE version SET name = ? WHERE id = ?", name, id)
      if (meta !== undefined)
        sql("UPDATE version SET meta = ? WHERE id = ?", meta === null ? null : JSON.stringify(meta), id)
    })
    return this.get(id)
  }

  /** Forget the name of a state; the state stays at its revision. */
  forget(id: string): void {
    this.#write((sql) => sql("DELETE FROM version WHERE id = ?", id))
  }

  /** Forget those of states that are not kept any more. */
  forgetBefore(revision: number): void {
    this.#write((sql) => sql("DELETE FROM version WHERE revision < ?", revision))
  }

  /** Thin those that were made by themselves: the newest of each hour, day or week stays, by their age. */
  thin(now: number): void {
    const { versionsAllMs, versionsHourlyMs, versionsDailyMs } = this.#limits
    const hourMs = 3_600_000
    const rows = this.#tables.rows<{ id: string; at: number }>(
      "SELECT id, at FROM version WHERE name IS NULL AND trigger NOT IN ('manual', 'import') AND at < ? ORDER BY n DESC",
      now - versionsAllMs,
    )
    const seen = new Set<string>()
    const gone = rows.filter(({ at }) => {
      const age = now - at
      const slotMs = age < versionsHourlyMs ? hourMs : age < versionsDailyMs ? 24 * hourMs : 7 * 24 * hourMs
      const slot = `${slotMs} ${Math.floor(at / slotMs)}`
      if (seen.has(slot)) return true
      seen.add(slot)
      return false
    })
    if (gone.length > 0) for (const { id } of gone) this.forget(id)
  }

  #write(change: (sql: Tables["rows"]) => void): void {
    this.#tables.write((sql) => {
      change(sql)
      touchContents(this.#tables)
    })
  }
}

function drawId(): string {
  return `v_${crypto.randomUUID().replaceAll("-", "").slice(0, 20)}`
}

function read({ id, name, at, revision, created_by, writers, trigger, meta }: Row): Version {
  return {
    id,
    name,
    at: new Date(at).toISOString(),
    revision,
    createdBy: JSON.parse(created_by) as Who,
    by: JSON.parse(writers) as Who[],
    trigger,
    meta: meta === null ? null : JSON.parse(meta),
  }
}
