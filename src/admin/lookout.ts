/**
 * The lookout: one Durable Object that keeps a line about every room, what each has used a day, and the audit, so that an
 * operator sees who is connected and which of a thousand rooms is in trouble without waking one of them.
 *
 * A room tells it at most once a minute, and at once where it is in trouble or the last peer has left. That bounds what one object has to
 * take: some 500 reports a second, which is 30,000 rooms that all are busy. All that it keeps has a bound or an age.
 */
import { DurableObject } from "cloudflare:workers"
import { type Limits, readLimits } from "../limits.ts"
import { type Counts, countUsed } from "./counts.ts"
import { addUsed, UNUSED } from "./meter.ts"
import { dollars, type Used } from "./prices.ts"
import type { AuditEntry, Cost, Line, LinesAsk, LookoutEnv, LookoutRpc, Report } from "./reports.ts"

const DAY_MS = 24 * 3_600_000
const USED = Object.keys(UNUSED) as (keyof Used)[]
const SUMS = USED.map((name) => `sum(${name}) AS ${name}`).join(", ")

/** What one use of each costs: the price is their sum. */
const DOLLARS = USED.map((name) => `${dollars({ ...UNUSED, [name]: 1 })} * sum(${name})`).join(" + ")

/** What is summed over all lines, so that nobody has to read them. */
const SIZES = ["documents", "open", "bytes", "waiting"] as const
type Sizes = { [Name in (typeof SIZES)[number]]: number }

/** As a row has it. */
type Sums = { [Name in keyof Used]: number }

/** Keeps watch over all rooms of a deployment. Bind it as `Lookout`. */
export class Lookout extends DurableObject<LookoutEnv & Cloudflare.Env> implements LookoutRpc {
  readonly #sql = this.ctx.storage.sql
  readonly #limits: Limits = readLimits(this.env)

  constructor(ctx: DurableObjectState, env: LookoutEnv & Cloudflare.Env) {
    super(ctx, env)
    this.#sql.exec(`
      CREATE TABLE IF NOT EXISTS line (
        document TEXT PRIMARY KEY, report TEXT NOT NULL, peers INTEGER NOT NULL, trouble INTEGER NOT NULL, value TEXT NOT NULL
      ) WITHOUT ROWID;
      CREATE INDEX IF NOT EXISTS line_shown ON line (document) WHERE peers > 0 OR trouble = 1;
      CREATE TABLE IF NOT EXISTS total (id INTEGER PRIMARY KEY, ${SIZES.map((name) => `${name} INTEGER NOT NULL`)});
      CREATE TABLE IF NOT EXISTS used (
        day TEXT NOT NULL, document TEXT NOT NULL, ${USED.map((name) => `${name} REAL NOT NULL`).join(", ")},
        PRIMARY KEY (day, document)
      ) WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS counted (id INTEGER PRIMARY KEY, value TEXT NOT NULL);
      CREATE TABLE IF NOT EXISTS audit (
        id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, document TEXT, subject TEXT, deed TEXT NOT NULL,
        agent TEXT, detail TEXT
      );
      CREATE INDEX IF NOT EXISTS audit_by_document ON audit (document, id);
      CREATE INDEX IF NOT EXISTS audit_by_subject ON audit (subject, id);
      CREATE TABLE IF NOT EXISTS trace (
        subject TEXT NOT NULL, document TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (subject, document)
      ) WITHOUT ROWID;`)
    // The lines of a server that kept no sums are counted once.
    if (this.#rows("SELECT 1 FROM total").length === 0)
      this.#sql.exec(
        `INSERT INTO total SELECT 1, count(*), ifnull(sum(peers > 0), 0), ifnull(sum(json_extract(value, '$.bytes')), 0),
           ifnull(sum(json_extract(value, '$.waiting')), 0) FROM line WHERE value != ''`,
      )
  }

  async report({ id, document, line, used, counts, audit }: Report): Promise<void> {
    const query = "SELECT report, value FROM line WHERE document = ?"
    const before = this.#rows<{ report: string; value: string }>(query, document)[0]
    // Its answer was lost, not the report.
    if (before?.report === id) return
    this.ctx.storage.transactionSync(() => {
      const { peers = 0 } = line ?? {}
      const lags = line?.archiveError !== null && line?.archiveError !== undefined
      const trouble = line !== null && (line.damaged || lags) ? 1 : 0
      const [was, is] = [sizesOf(readLine(before?.value ?? "")), sizesOf(line)]
      const change = SIZES.map((name) => `${name} = ${name} + ?`)
      this.#sql.exec(`UPDATE total SET ${change}`, ...SIZES.map((name) => is[name] - was[name]))
      // Of a document that is deleted a line stays for its report's id, and is shown nowhere.
      this.#sql.exec(
        "INSERT OR REPLACE INTO line VALUES (?, ?, ?, ?, ?)",
        ...[document, id, peers, trouble, line === null ? "" : JSON.stringify(line)],
      )
      this.#use(document, used)
      this.#count(counts, used)
      for (const entry of audit) this.#write(document, entry)
    })
    if ((await this.ctx.storage.getAlarm()) === null) await this.ctx.storage.setAlarm(Date.now() + DAY_MS)
  }

  async lines({ only, search, cursor, limit }: LinesAsk): Promise<{ lines: Line[]; cursor: string | null }> {
    const wanted = only === "open" ? "peers > 0" : only === "trouble" ? "trouble = 1" : "1"
    // So many are looked through; where there are more, it goes on from there, whatever was found.
    const [end] = this.#rows<{ document: string }>(
      `SELECT document FROM line WHERE document > ? AND ${wanted} ORDER BY document LIMIT 1 OFFSET ?`,
      ...[cursor ?? "", this.#limits.adminSearch - 1],
    )
    const rows = this.#rows<{ value: string }>(
      `SELECT value FROM line WHERE document > ? AND (? IS NULL OR document <= ?) AND value != ''
         AND instr(lower(document), ?) > 0 AND ${wanted} ORDER BY document LIMIT ?`,
      ...[cursor ?? "", end?.document ?? null, end?.document ?? null, search.toLowerCase(), limit + 1],
    )
    const lines = rows.slice(0, limit).map(({ value }) => JSON.parse(value) as Line)
    return { lines, cursor: rows.length > limit ? lines.at(-1)!.document : (end?.document ?? null) }
  }

  async linesOf(documents: readonly string[]): Promise<Line[]> {
    return documents.flatMap((document) =>
      this.#rows<{ value: string }>(
        "SELECT value FROM line WHERE document = ? AND value != ''",
        document,
      ).map(({ value }) => JSON.parse(value) as Line),
    )
  }

  async costs({ days, limit }: { days: number; limit: number }) {
    const from = dayOf(Date.now() - (days - 1) * DAY_MS)
    const documents = this.#rows<Sums & { document: string }>(
      `SELECT document, ${SUMS} FROM used WHERE day >= ? GROUP BY document ORDER BY ${DOLLARS} DESC LIMIT ?`,
      ...[from, limit],
    ).map(({ document, ...used }): Cost => {
      const [row] = this.#rows<{ value: string }>("SELECT value FROM line WHERE document = ?", document)
      return { document, ...used, bytes: sizesOf(readLine(row?.value ?? "")).bytes }
    })
    const byDay = this.#rows<Sums & { day: string }>(
      `SELECT day, ${SUMS} FROM used WHERE day >= ? GROUP BY day ORDER BY day`,
      from,
    )
    const used = byDay.map(({ day, ...used }) => ({ day, used }))
    return {
      from,
      documents,
      total: used.map((one) => one.used).reduce(addUsed, UNUSED),
      days: used,
    }
  }

  async samples(): Promise<[string, number][]> {
    const [sums] = this.#rows<Sizes>("SELECT * FROM total")
    const connections = new Map<string, number>()
    let lag = 0
    let lagging = 0
    let damaged = 0
    // One by one: they may be many.
    for (const { value } of this.#sql.exec<{ value: string }>(
      "SELECT value FROM line WHERE peers > 0 OR trouble = 1",
    )) {
      const line = JSON.parse(value) as Line
      for (const { rights, dialect } of line.people) {
        const sample = `yurt_connections{rights="${rights}",dialect="${dialect}"}`
        // Of a crowd the line names the first.
        const share = line.peers / line.people.length
        connections.set(sample, (connections.get(sample) ?? 0) + share)
      }
      if (line.damaged) damaged++
      if (line.archiveError === null) continue
      lagging++
      lag = Math.max(lag, line.revision - (line.archivedRevision ?? 0))
    }
    return [
      ...[...connections].map(([sample, n]): [string, number] => [sample, Math.round(n)]),
      ["yurt_rooms_open", sums?.open ?? 0],
      ["yurt_rooms_damaged", damaged],
      ["yurt_rooms_lagging", lagging],
      ["yurt_archive_lag_revisions", lag],
      ["yurt_documents", sums?.documents ?? 0],
      ["yurt_document_bytes", sums?.bytes ?? 0],
      ["yurt_waiting_updates", sums?.waiting ?? 0],
      ...Object.entries(this.#counted()),
    ]
  }

  async note(document: string | null, entry: AuditEntry): Promise<void> {
    this.ctx.storage.transactionSync(() => this.#write(document, entry))
  }

  async audit({
    document,
    subject,
    cursor,
    limit,
  }: {
    document: string | null
    subject: string | null
    cursor: string | null
    limit: number
  }) {
    const rows = this.#rows<{
      id: number
      at: number
      document: string | null
      subject: string | null
      deed: string
      agent: string | null
      detail: string | null
    }>(
      `SELECT * FROM audit WHERE id < ? AND (? IS NULL OR document = ?) AND (? IS NULL OR subject = ?)
       ORDER BY id DESC LIMIT ?`,
      ...[Number(cursor ?? Number.MAX_SAFE_INTEGER), document, document, subject, subject, limit + 1],
    )
    const page = rows.slice(0, limit)
    return {
      entries: page.map(({ id: _, deed, agent, detail, ...entry }) => ({
        ...entry,
        deed: deed as AuditEntry["deed"],
        ...(agent !== null && { agent }),
        ...(detail !== null && { detail }),
      })),
      cursor: rows.length > limit ? String(page.at(-1)!.id) : null,
    }
  }

  async traces({ subject, cursor, limit }: { subject: string; cursor: string | null; limit: number }) {
    const rows = this.#rows<{ document: string; at: number }>(
      "SELECT document, at FROM trace WHERE subject = ? AND document > ? ORDER BY document LIMIT ?",
      ...[subject, cursor ?? "", limit + 1],
    )
    const documents = rows.slice(0, limit)
    return { documents, cursor: rows.length > limit ? documents.at(-1)!.document : null }
  }

  async erase({ subject, document, as }: { subject: string; document: string | null; as: string }) {
    this.ctx.storage.transactionSync(() => {
      const where = document === null ? [subject] : [subject, document]
      const and = document === null ? "" : " AND document = ?"
      this.#sql.exec(`UPDATE audit SET subject = ? WHERE subject = ?${and}`, as, ...where)
      this.#sql.exec(`DELETE FROM trace WHERE subject = ?${and}`, ...where)
      if (document !== null) return this.#forgetIn(document, subject)
      for (const one of this.#rows<{ document: string }>(
        "SELECT document FROM line WHERE instr(value, ?) > 0",
        JSON.stringify(subject),
      ))
        this.#forgetIn(one.document, subject)
      // Whom a revocation meant.
      this.#sql.exec("UPDATE audit SET detail = ? WHERE detail = ?", as, subject)
    })
  }

  override async alarm(): Promise<void> {
    await this.ctx.storage.setAlarm(Date.now() + DAY_MS)
    const { auditMs, auditEntries, usageMs } = this.#limits
    this.ctx.storage.transactionSync(() => {
      this.#sql.exec("DELETE FROM audit WHERE at < ?", Date.now() - auditMs)
      this.#sql.exec("DELETE FROM audit WHERE id <= (SELECT max(id) FROM audit) - ?", auditEntries)
      this.#sql.exec("DELETE FROM used WHERE day < ?", dayOf(Date.now() - usageMs))
      this.#sql.exec("DELETE FROM line WHERE value = ''")
      this.#sql.exec(
        "DELETE FROM trace WHERE at < (SELECT at FROM trace ORDER BY at DESC LIMIT 1 OFFSET ?)",
        auditEntries,
      )
    })
  }

  #use(document: string, used: Used): void {
    const sums = USED.map((name) => `${name} = ${name} + excluded.${name}`).join(", ")
    this.#sql.exec(
      `INSERT INTO used VALUES (?, ?, ${USED.map(() => "?").join(", ")}) ON CONFLICT (day, document) DO UPDATE SET ${sums}`,
      ...[dayOf(Date.now()), document, ...USED.map((name) => used[name])],
    )
  }

  #count(counts: Counts, used: Used): void {
    const all = this.#counted()
    const add = (sample: string, by: number) => {
      all[sample] = (all[sample] ?? 0) + by
    }
    for (const [sample, by] of Object.entries(counts)) add(sample, by)
    countUsed(used, add)
    this.#sql.exec("INSERT OR REPLACE INTO counted VALUES (1, ?)", JSON.stringify(all))
  }

  #counted(): Counts {
    const [row] = this.#rows<{ value: string }>("SELECT value FROM counted")
    return row === undefined ? {} : (JSON.parse(row.value) as Counts)
  }

  #write(document: string | null, { at, subject, deed, agent, detail }: AuditEntry): void {
    if (subject !== null && document !== null)
      this.#sql.exec("INSERT OR REPLACE INTO trace VALUES (?, ?, ?)", subject, document, at)
    if (this.#limits.auditMs === 0) return
    this.#sql.exec(
      "INSERT INTO audit (at, document, subject, deed, agent, detail) VALUES (?, ?, ?, ?, ?, ?)",
      ...[at, document, subject, deed, agent ?? null, detail ?? null],
    )
  }

  /** Somebody who was connected when the line was written. */
  #forgetIn(document: string, subject: string): void {
    for (const { value } of this.#rows<{ value: string }>(
      "SELECT value FROM line WHERE document = ? AND value != ''",
      document,
    )) {
      const line = JSON.parse(value) as Line
      const people = line.people.filter((one) => one.subject !== subject)
      this.#sql.exec(
        "UPDATE line SET value = ? WHERE document = ?",
        JSON.stringify({ ...line, people }),
        document,
      )
    }
  }

  #rows<Row extends Record<string, SqlStorageValue>>(query: string, ...bindings: SqlStorageValue[]): Row[] {
    return this.#sql.exec<Row>(query, ...bindings).toArray()
  }
}

/** A line as it is stored; null: of a document that is deleted. */
function readLine(value: string): Line | null {
  return value === "" ? null : (JSON.parse(value) as Line)
}

function sizesOf(line: Line | null): Sizes {
  if (line === null) return { documents: 0, open: 0, bytes: 0, waiting: 0 }
  return { documents: 1, open: line.peers > 0 ? 1 : 0, bytes: line.bytes, waiting: line.waiting }
}

/** The day of a time, UTC. */
function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10)
}
