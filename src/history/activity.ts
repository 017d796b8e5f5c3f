/** Activity: who worked when, and how much, without a document. */
import { extentOf } from "../update/extent.ts"
import { knowWho, timeText, type Who } from "./attribution.ts"
import type { Commit } from "./segments.ts"
import { Pace, type Steps } from "./steps.ts"

/** A stretch of work of one person by one way. */
export interface Activity {
  /** RFC 3339. */
  readonly from: string
  readonly to: string
  /** The first and the last revision. */
  readonly revisions: readonly [first: number, last: number]
  readonly by: Who
  /** Letters and values. What was deleted twice counts twice. */
  readonly inserted: number
  readonly deleted: number
}

/** Which activity is asked for. */
export interface ActivityAsk {
  readonly by: string | null
  readonly via: string | null
  /** Work that pauses no longer than this is one stretch, ms. */
  readonly groupMs: number
  readonly limit: number
  readonly nameOf: (subject: string) => string | undefined
  /** Bytes of updates that are read at most. */
  readonly readBytes: number
  /** ... and in one step. */
  readonly stepBytes: number
}

interface Stretch {
  first: number
  last: number
  fromMs: number
  toMs: number
  readonly by: Who
  inserted: number
  deleted: number
}

/**
 * The stretches of work in these commits, in their order.
 * @returns `next`: the revision of the first commit that did not fit the page; null: all did
 */
export function* activityOf(
  commits: Iterable<Commit>,
  { by, via, groupMs, limit, nameOf, readBytes, stepBytes }: ActivityAsk,
): Steps<{ activity: Activity[]; next: number | null }> {
  const stretches: Stretch[] = []
  const open = new Map<string, Stretch>()
  let next: number | null = null
  let bytes = 0
  const pace = new Pace(stepBytes)
  const known = knowWho(nameOf)
  for (const commit of commits) {
    const before = bytes
    const found = new Map<
      string,
      { who: Who; at: number; until: number; inserted: number; deleted: number }
    >()
    for (const { update, origin } of commit.updates) {
      bytes += update.length
      const { key, who } = known(origin)
      if ((by !== null && who.subject !== by) || (via !== null && who.via !== via)) continue
      const { shown, deletes } = extentOf(update)
      const one = found.get(key) ?? { who, at: origin.at, until: origin.at, inserted: 0, deleted: 0 }
      one.until = Math.max(one.until, origin.at)
      one.inserted += shown
      for (const { clock, end } of deletes) one.deleted += end - clock
      found.set(key, one)
    }
    if (pace.isDue(bytes - before)) yield
    const fresh = [...found].filter(([key, { at, until }]) => !continues(open.get(key), at, until, groupMs))
    if (stretches.length > 0 && (stretches.length + fresh.length > limit || bytes > readBytes)) {
      next = commit.revision
      break
    }
    for (const [key, { who, at, until, inserted, deleted }] of found) {
      let stretch = open.get(key)
      if (stretch === undefined || !continues(stretch, at, until, groupMs)) {
        stretch = {
          first: commit.revision,
          last: commit.revision,
          fromMs: at,
          toMs: until,
          by: who,
          inserted: 0,
          deleted: 0,
        }
        stretches.push(stretch)
        open.set(key, stretch)
      }
      stretch.first = Math.min(stretch.first, commit.revision)
      stretch.last = Math.max(stretch.last, commit.revision)
      stretch.fromMs = Math.min(stretch.fromMs, at)
      stretch.toMs = Math.max(stretch.toMs, until)
      stretch.inserted += inserted
      stretch.deleted += deleted
    }
  }
  return { activity: stretches.map(show), next }
}

function continues(stretch: Stretch | undefined, from: number, to: number, groupMs: number): boolean {
  return stretch !== undefined && from - stretch.toMs <= groupMs && stretch.fromMs - to <= groupMs
}

function show({ first, last, fromMs, toMs, by, inserted, deleted }: Stretch): Activity {
  return {
    from: timeText(fromMs),
    to: timeText(toMs),
    revisions: [first, last],
    by,
    inserted,
    deleted,
  }
}
