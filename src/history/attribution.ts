/**
 * Attribution: who inserted and who deleted what, by the clocks (H1, H4). An insertion is of whoever brought the struct; a
 * Yjs delete names nobody, so a deletion is of whoever sent it first.
 */
import { extentOf } from "../update/extent.ts"
import { lastBefore } from "./copies.ts"
import type { Origin } from "./origin.ts"
import type { Commit } from "./segments.ts"

/** A person, and the way something came from them. */
export interface Who {
  /** The subject that the token proved; null: nobody's name, as in open mode or by the server's own hand. */
  readonly subject: string | null
  /** What their newest token called them. */
  readonly name?: string
  readonly via: "socket" | "agent" | "rest" | "server" | "restore" | "import"
  readonly agent?: string
  readonly onBehalfOf?: string
  /** What the agent's program called itself, which nobody has checked. */
  readonly client?: string
}

/** Where a change stands in the past. */
export interface Mark {
  readonly origin: Origin
  readonly revision: number
}

/** A mark, and the clock at which another one begins. */
export interface Marked {
  /** null: it is not recorded. */
  readonly mark: Mark | null
  readonly end: number
}

/** A person as an answer has them. @param nameOf what a subject is called */
export function whoOf(origin: Origin, nameOf: (subject: string) => string | undefined): Who {
  const { subject, via, agent, onBehalfOf, client } = origin
  const name = subject === null ? undefined : nameOf(subject)
  return {
    subject,
    ...(name !== undefined && { name }),
    via: via === "archive" ? "import" : via,
    ...(agent !== undefined && { agent }),
    ...(onBehalfOf !== undefined && { onBehalfOf }),
    ...(client !== undefined && { client }),
  }
}

/** The same for many origins, each described once: a person with a key by which they are told from others. */
export function knowWho(
  nameOf: (subject: string) => string | undefined,
): (origin: Origin) => { key: string; who: Who } {
  const people = new Map<string, { key: string; who: Who }>()
  let last: Origin | null = null
  let found: { key: string; who: Who } | undefined
  return (origin) => {
    // There are as many origins as keystrokes, and mostly one person's in a row.
    if (last !== null && isSameWho(last, origin)) return found!
    last = origin
    const { subject, via, agent, onBehalfOf, client } = origin
    const key = JSON.stringify([subject, via, agent, onBehalfOf, client])
    found = people.get(key)
    found ??= { key, who: whoOf(origin, nameOf) }
    people.set(key, found)
    return found
  }
}

function isSameWho(one: Origin, other: Origin): boolean {
  return (
    one.subject === other.subject &&
    one.via === other.via &&
    one.agent === other.agent &&
    one.onBehalfOf === other.onBehalfOf &&
    one.client === other.client
  )
}

const MINUTE_MS = 60_000
let minute = { fromMs: Number.NaN, text: "" }

/** A time as RFC 3339, in UTC. An answer has thousands of a few minutes, and the platform's own way takes a third of it. */
export function timeText(ms: number): string {
  const fromMs = Math.floor(ms / MINUTE_MS) * MINUTE_MS
  if (fromMs !== minute.fromMs)
    minute = { fromMs, text: new Date(fromMs).toISOString().slice(0, -"00.000Z".length) }
  const rest = String(ms - fromMs).padStart(5, "0")
  return `${minute.text}${rest.slice(0, 2)}.${rest.slice(2)}Z`
}

/** Whether two such times are less than a minute apart; null is the beginning of time. */
export function isSameMinute(one: string | null | undefined, other: string | null | undefined): boolean {
  if (one === other) return true
  // Mostly in one hour: then the rest of it is compared, for an answer has thousands of them.
  if (one && other && one.slice(0, 14) === other.slice(0, 14))
    return Math.abs(secondsOf(one) - secondsOf(other)) < 60
  return Math.abs(Date.parse(one ?? "1970-01-01") - Date.parse(other ?? "1970-01-01")) < MINUTE_MS
}

/** In the hour. */
function secondsOf(text: string): number {
  return 60 * Number(text.slice(14, 16)) + Number(text.slice(17, 23))
}

interface Run {
  readonly clock: number
  end: number
  readonly mark: Mark
}

/** Who inserted and deleted what, of the commits that were added. */
export class Attribution {
  readonly #inserts = new Map<number, Run[]>()
  readonly #deletes = new Map<number, Run[]>()
  /** The deletes of a client sorted: of several who deleted the same, the first. */
  readonly #settled = new Map<number, Run[]>()

  /** Add a commit; in the order of revisions. */
  add({ revision, updates }: Commit): void {
    if (updates.length === 0) return
    let mark: Mark = { origin: updates[0]!.origin, revision }
    for (const { update, origin } of updates) {
      // Updates of one run share their origin.
      if (mark.origin !== origin) mark = { origin, revision }
      const { sections, deletes } = extentOf(update)
      for (const { client, clock, end } of sections) addInsert(this.#inserts, { client, clock, end, mark })
      for (const { client, clock, end } of deletes) {
        const runs = this.#deletes.get(client)
        this.#settled.delete(client)
        if (runs === undefined) this.#deletes.set(client, [{ clock, end, mark }])
        else runs.push({ clock, end, mark })
      }
    }
  }

  /** Who inserted the struct at this clock. */
  insertOf(client: number, clock: number): Marked {
    return markAt(this.#inserts.get(client) ?? [], clock)
  }

  /** Who deleted it first. */
  deleteOf(client: number, clock: number): Marked {
    return markAt(this.#deletesOf(client), clock)
  }

  /** Every stretch that was inserted, client by client in the order of clocks. */
  *inserts(): Generator<{ client: number; clock: number; end: number; mark: Mark }> {
    for (const [client, runs] of this.#inserts) for (const run of runs) yield { client, ...run }
  }

  /** Every stretch that was deleted, by whoever deleted it first. */
  *deletes(): Generator<{ client: number; clock: number; end: number; mark: Mark }> {
    for (const client of this.#deletes.keys())
      for (const run of this.#deletesOf(client)) yield { client, ...run }
  }

  #deletesOf(client: number): readonly Run[] {
    let settled = this.#settled.get(client)
    if (settled === undefined) {
      settled = settle(this.#deletes.get(client) ?? [])
      this.#settled.set(client, settled)
    }
    return settled
  }
}

function addInsert(
  inserts: Map<number, Run[]>,
  { client, clock, end, mark }: { client: number; clock: number; end: number; mark: Mark },
): void {
  const runs = inserts.get(client)
  if (runs === undefined) {
    inserts.set(client, [{ clock, end, mark }])
    return
  }
  const last = runs.at(-1)!
  // After damage the same clocks come again: whoever brought them first has them.
  const from = Math.max(clock, last.end)
  if (from >= end) return
  const { mark: before } = last
  if (from === last.end && before.origin === mark.origin && before.revision === mark.revision) last.end = end
  else runs.push({ clock: from, end, mark })
}

function markAt(runs: readonly Run[], clock: number): Marked {
  const index = lastBefore(runs, clock)
  const run = runs[index]
  if (run !== undefined && clock < run.end) return { mark: run.mark, end: run.end }
  return { mark: null, end: runs[index + 1]?.clock ?? Number.POSITIVE_INFINITY }
}

/** Runs that overlap, in the order in which they came → runs that do not, each of the first that came. */
function settle(runs: readonly Run[]): Run[] {
  const sorted = [...runs].sort((a, b) => a.clock - b.clock)
  // Mostly each was deleted by one person.
  if (sorted.every(({ clock }, i) => i === 0 || clock >= sorted[i - 1]!.end)) return join(sorted)
  const edges = [...new Set(runs.flatMap(({ clock, end }) => [clock, end]))].sort((a, b) => a - b)
  const marks = new Array<Mark | undefined>(edges.length)
  // Of each edge the next one that nobody has taken, so that each is taken once however many runs overlap there.
  const next = edges.map((_, i) => i)
  const free = (index: number): number => {
    let root = index
    while (next[root] !== undefined && next[root] !== root) root = next[root]!
    for (let at = index; at !== root; ) {
      const after = next[at]!
      next[at] = root
      at = after
    }
    return root
  }
  const indexOf = new Map(edges.map((edge, i) => [edge, i]))
  for (const { clock, end, mark } of runs) {
    const last = indexOf.get(end)!
    for (let at = free(indexOf.get(clock)!); at < last; at = free(at)) {
      marks[at] = mark
      next[at] = at + 1
    }
  }
  const settled: Run[] = []
  for (const [i, mark] of marks.entries())
    if (mark !== undefined) settled.push({ clock: edges[i]!, end: edges[i + 1]!, mark })
  return join(settled)
}

/** Neighbours of one mark as one. */
function join(runs: readonly Run[]): Run[] {
  const joined: Run[] = []
  for (const { clock, end, mark } of runs) {
    const last = joined.at(-1)
    if (last !== undefined && last.end === clock && last.mark === mark) last.end = end
    else joined.push({ clock, end, mark })
  }
  return joined
}
