/**
 * Deeds: what is to be told to the audit, in rows of the room's own until it has been told. The table is made with its
 * first row, so that a room without a desk has none.
 */
import type { Tables } from "../history/segments.ts"
import type { Limits } from "../limits.ts"
import type { AuditEntry } from "./reports.ts"

type Row = {
  id: number
  at: number
  subject: string | null
  deed: string
  agent: string | null
  detail: string | null
}

/** The table `audit` of a room. */
export class Deeds {
  readonly #tables: Tables
  readonly #limits: Limits
  /** Who has done what since the last report: once is enough. */
  readonly #known = new Set<string>()
  #waiting: number
  #exists: boolean

  constructor(tables: Tables, limits: Limits) {
    this.#tables = tables
    this.#limits = limits
    this.#exists = tables.rows("SELECT 1 FROM sqlite_master WHERE name = 'audit'").length > 0
    this.#waiting = this.#exists ? tables.rows<{ n: number }>("SELECT count(*) AS n FROM audit")[0]!.n : 0
  }

  /** How many wait. */
  get waiting(): number {
    return this.#waiting
  }

  /** Write one down, in the transaction of the turn. */
  add({ at, subject, deed, agent, detail }: AuditEntry): "added" | "known" | "full" {
    if (this.#limits.auditMs === 0) return "known"
    const key = JSON.stringify([subject, deed, agent, detail])
    if (this.#known.has(key)) return "known"
    if (this.#waiting >= this.#limits.auditWaiting) return "full"
    this.#known.add(key)
    this.#waiting++
    this.#tables.write((sql) => {
      if (!this.#exists)
        sql(
          "CREATE TABLE audit (id INTEGER PRIMARY KEY, at INTEGER, subject TEXT, deed TEXT, agent TEXT, detail TEXT)",
        )
      sql(
        "INSERT INTO audit (at, subject, deed, agent, detail) VALUES (?, ?, ?, ?, ?)",
        ...[at, subject, deed, agent ?? null, detail ?? null],
      )
    })
    this.#exists = true
    return "added"
  }

  /** A report begins: what is done again from here on is told again. @returns the id of the last that belongs to it */
  close(): number {
    this.#known.clear()
    if (!this.#exists) return 0
    return this.#tables.rows<{ id: number | null }>("SELECT max(id) AS id FROM audit")[0]?.id ?? 0
  }

  /** Those of a report. */
  upTo(id: number): AuditEntry[] {
    if (!this.#exists || id === 0) return []
    return this.#tables
      .rows<Row>("SELECT * FROM audit WHERE id <= ? ORDER BY id", id)
      .map(({ at, subject, deed, agent, detail }) => ({
        at,
        subject,
        deed: deed as AuditEntry["deed"],
        ...(agent !== null && { agent }),
        ...(detail !== null && { detail }),
      }))
  }

  /** They have arrived. */
  drop(id: number): void {
    if (!this.#exists || id === 0) return
    this.#tables.write((sql) => {
      sql("DELETE FROM audit WHERE id <= ?", id)
      this.#waiting = sql<{ n: number }>("SELECT count(*) AS n FROM audit")[0]!.n
    })
  }

  /** Somebody's name is to be gone from what waits. */
  rename(subject: string, as: string): void {
    if (this.#exists)
      this.#tables.write((sql) => void sql("UPDATE audit SET subject = ? WHERE subject = ?", as, subject))
  }
}
