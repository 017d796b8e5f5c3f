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
  const { subject, via, agent, onBehalfOf } = origin
  const name = subject === null ? undefined : nameOf(subject)
  return {
    subject,
    ...(name !== undefined && { name }),
    via: via === "archive" ? "import" : via,
    ...(agent !== undefined && { agent }),
    ...(onBehalfOf !== undefined && { onBehalfOf }),
  }
}

/** The same for many origins, each described once: a person with a key by which they are told from others. */
export function knowWho(
  nameOf: (subject: string) => string | undefined,
): (origin: Origin) => { key: string; who: Who } {
  const people = new Map<string, { key: string; who: Who }>()
  const known = new WeakMap<Origin, { key: string; who: Who }>()
  return (origin) => {
    let found = known.get(origin)
    if (found !== undefined) return found
    const { subject, via, agent, onBehalfOf } = origin
    const key = JSON.stringify([subject, via, agent, onBehalfOf])
    found = people.get(key)
    found ??= { key, who: whoOf(origin, nameOf) }
    people.set(key, found)
    known.set(origin, found)
    return found
  }
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
  /** The deletes sorted: of several who deleted the same, the first. */
  #settled: Map<number, Run[]> | null = null

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
        if (runs === undefined) this.#deletes.set(client, [{ clock, end, mark }])
        else runs.push({ clock, end, mark })
      }
    }
    this.#settled = null
  }

  /** Who inserted the struct at this clock. */
  insertOf(client: number, clock: number): Marked {
    return markAt(this.#inserts.get(client) ?? [], clock)
  }

  /** Who deleted it first. */
  deleteOf(client: number, clock: number): Marked {
    this.#settled ??= new Map([...this.#deletes].map(([client, runs]) => [client, settle(runs)]))
    return markAt(this.#settled.get(client) ?? [], clock)
  }

  /** Every stretch that was inserted, client by client in the order of clocks. */
  *inserts(): Generator<{ client: number; clock: number; end: number; mark: Mark }> {
    for (const [client, runs] of this.#inserts) for (const run of runs) yield { client, ...run }
  }

  /** Every stretch that was deleted, by whoever deleted it first. */
  *deletes(): Generator<{ client: number; clock: number; end: number; mark: Mark }> {
    for (const client of this.#deletes.keys()) {
      this.deleteOf(client, 0)
      for (const run of this.#settled?.get(client) ?? []) yield { client, ...run }
    }
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
  for (const [i, mark] of marks.entries()) {
    if (mark === undefined) continue
    const [clock, end] = [edges[i]!, edges[i + 1]!]
    const last = settled.at(-1)
    if (last !== undefined && last.end === clock && last.mark === mark) last.end = end
    else settled.push({ clock, end, mark })
  }
  return settled
}
