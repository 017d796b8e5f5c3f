/** What a room tells the lookout, and what the lookout answers an operator. */
import { SyncError } from "../errors.ts"
import { type NamedObjects, placed } from "../placement.ts"
import type { Deed } from "../room/desk.ts"
import type { Counts } from "./counts.ts"
import type { Used } from "./prices.ts"

/** One person who is connected to a room, as far as a list shows it. */
export interface Present {
  readonly subject: string | null
  readonly name: string | null
  readonly rights: "read" | "write"
  readonly dialect: string
}

/** How a room is: what a list of many shows of it. */
export interface Line {
  readonly document: string
  /** When it was so, ms since 1970. */
  readonly at: number
  readonly peers: number
  /** The first of them. */
  readonly people: readonly Present[]
  readonly revision: number
  readonly archivedRevision: number | null
  readonly archiveError: string | null
  readonly bytes: number
  readonly waiting: number
  readonly quarantined: number
  readonly damaged: boolean
  readonly readOnly: boolean
}

/** An entry of the audit. */
export interface AuditEntry {
  /** ms since 1970. */
  readonly at: number
  readonly subject: string | null
  readonly deed: Deed | "revoked" | "un-revoked" | "erased"
  /** The agent that did it on somebody's behalf. */
  readonly agent?: string | undefined
  /** What else there is to say: the verb of an operator, whom a revocation means. */
  readonly detail?: string | undefined
}

/** What a room tells. It may come twice, and is known by its id. */
export interface Report {
  readonly id: string
  readonly document: string
  /** null: the document was deleted. */
  readonly line: Line | null
  readonly used: Used
  readonly counts: Counts
  readonly audit: readonly AuditEntry[]
}

/** Which lines are wanted. */
export interface LinesAsk {
  /** `open`: somebody is connected. `trouble`: damaged, or the archive lacks something and refuses it. */
  readonly only: "open" | "trouble" | null
  readonly search: string
  readonly cursor: string | null
  readonly limit: number
}

/** What a document cost. */
export interface Cost extends Used {
  readonly document: string
  readonly bytes: number
}

/** The lookout as rooms and routes see it. */
export interface LookoutRpc {
  report(report: Report): Promise<void>
  lines(ask: LinesAsk): Promise<{ lines: Line[]; cursor: string | null }>
  linesOf(documents: readonly string[]): Promise<Line[]>
  /** Of the newest days, this one included, the dearest documents and the sum of all. */
  costs(ask: { days: number; limit: number }): Promise<{
    from: string
    documents: Cost[]
    total: Used
    days: { day: string; used: Used }[]
  }>
  /** For the metrics: samples by name. */
  samples(): Promise<[string, number][]>
  note(document: string | null, entry: AuditEntry): Promise<void>
  audit(ask: {
    document: string | null
    subject: string | null
    cursor: string | null
    limit: number
  }): Promise<{ entries: (AuditEntry & { document: string | null })[]; cursor: string | null }>
  /** Documents that this subject has opened, changed or asked for. */
  traces(ask: { subject: string; cursor: string | null; limit: number }): Promise<{
    documents: { document: string; at: number }[]
    cursor: string | null
  }>
  /** Forget that a subject was in a document; null: in any, and everything else about them. */
  erase(ask: { subject: string; document: string | null; as: string }): Promise<void>
}

/** The part of the environment that this folder reads. */
export interface LookoutEnv {
  /** `[[durable_objects.bindings]]` of the class `Lookout`. */
  readonly Lookout?: NamedObjects<LookoutRpc>
  /** `[[analytics_engine_datasets]]`: a point a report. */
  readonly ANALYTICS?: { writeDataPoint(point: AnalyticsPoint): void }
}

/** @source Workers Analytics Engine, limits: 20 blobs of 16 KB together, 20 doubles, one index of at most 96 bytes */
export interface AnalyticsPoint {
  readonly indexes: readonly string[]
  readonly blobs: readonly string[]
  readonly doubles: readonly number[]
}

/** The lookout of a deployment; null where none is bound. */
export function findLookout(env: object): LookoutRpc | null {
  const { Lookout }: LookoutEnv = env
  // It knows who was where, so it stays in the jurisdiction that the documents stay in.
  return Lookout === undefined ? null : placed(Lookout, env).getByName("all")
}

/** @throws SyncError "closed" with the lines to add */
export function requireLookout(env: object): LookoutRpc {
  const lookout = findLookout(env)
  if (lookout !== null) return lookout
  throw new SyncError(
    "closed",
    'Nobody keeps watch over the rooms here. Export the class, export { Lookout } from "yurt/admin", and add to ' +
      'wrangler.toml: [[durable_objects.bindings]] name = "Lookout" class_name = "Lookout", then [[migrations]] ' +
      'tag = "lookout" new_sqlite_classes = ["Lookout"].',
  )
}
