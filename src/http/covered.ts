/**
 * Which documents a token covers: pages of the archive's index, each asked for within what a pattern covers, so that a token
 * for few documents reads few lines however many there are.
 */
import { covers } from "../access/rights.ts"
import { SyncError } from "../errors.ts"
import { INDEX_ROOM, type IndexRange, unwrap } from "../rpc.ts"
import { findPlace } from "./parties.ts"
import type { DocumentsAsk } from "./resource.ts"

/** One page of the documents. */
export interface Covered {
  readonly documents: readonly { readonly id: string; readonly bytes: number; readonly updatedAt: string }[]
  /** Where the next page begins; null: there is none. */
  readonly cursor: string | null
}

/**
 * One page of what the token covers, as the archive has it. It may be empty and not the last: a token may name documents
 * that are not there.
 *
 * @param page.prefix only ids that begin with this
 * @throws SyncError "bad-request" for a cursor that is none, "archive-unavailable", "not-found" without an archive
 */
export async function listCovered(
  { claims, env, options, limits }: DocumentsAsk,
  { prefix, cursor, limit }: { prefix: string; cursor: string | null; limit: number },
): Promise<Covered> {
  // A database may take none of them, and no name has any.
  if (/\p{Cc}/u.test(prefix)) throw new SyncError("bad-request", "No name holds a control character.")
  const patterns = claims?.docs.map(({ id }) => id) ?? null
  const ranges = patterns === null ? [rangeOf({ start: prefix, isExact: false })] : rangesOf(patterns, prefix)
  const { rooms } = findPlace(env, { party: null, id: INDEX_ROOM }, options)
  const index = rooms.getByName(INDEX_ROOM)
  let [at, inner] = readCursor(cursor)
  const documents: Covered["documents"][number][] = []
  for (let calls = 0; calls < limits.agentIndexPages && at < ranges.length; calls++) {
    const within = ranges[at]!
    const page = await unwrap(index.list({ cursor: inner, limit: limit - documents.length, within }))
    for (const { id, bytes, updatedAt } of page.documents) {
      // An archive of one's own may know nothing of ranges.
      const isMeant = id.startsWith(prefix) && (patterns === null || patterns.some((one) => covers(one, id)))
      if (isMeant) documents.push({ id, bytes, updatedAt })
    }
    inner = page.cursor
    if (inner === null) at++
    if (documents.length >= limit) break
  }
  return { documents, cursor: at < ranges.length ? `${at}:${inner ?? ""}` : null }
}

/** The ranges of ids that patterns of a token cover, none of them twice. */
export function rangesOf(patterns: readonly string[], prefix: string): IndexRange[] {
  const wanted = patterns.map((pattern) => narrow(readPattern(pattern), prefix)).filter((one) => one !== null)
  const kept = wanted.filter(
    (one, at) =>
      !wanted.some((other, place) => place !== at && holds(other, one) && (!holds(one, other) || place < at)),
  )
  kept.sort(({ start: left }, { start: right }) => (left < right ? -1 : 1))
  // Documents of other parties begin with a slash, and no pattern covers them beside those of the default one.
  return kept.flatMap((one) =>
    one.start === "" && !one.isExact
      ? [
          { from: "", before: "/" },
          { from: "0", before: null },
        ]
      : [rangeOf(one)],
  )
}

interface Pattern {
  readonly start: string
  readonly isExact: boolean
}

function readPattern(pattern: string): Pattern | null {
  if (!pattern.endsWith("*")) return { start: pattern, isExact: true }
  const start = pattern.slice(0, -1)
  return start.startsWith("/") && start.indexOf("/", 1) < 0 ? null : { start, isExact: false }
}

function narrow(pattern: Pattern | null, prefix: string): Pattern | null {
  if (pattern === null || pattern.start.startsWith(prefix)) return pattern
  const isWithin = !pattern.isExact && prefix.startsWith(pattern.start)
  if (!isWithin || (pattern.start === "" && prefix.startsWith("/"))) return null
  return { start: prefix, isExact: false }
}

/** Whether all that the one covers is covered by the other. */
function holds(pattern: Pattern, { start, isExact }: Pattern): boolean {
  if (pattern.isExact) return isExact && pattern.start === start
  return start.startsWith(pattern.start) && !(pattern.start === "" && start.startsWith("/"))
}

function rangeOf({ start, isExact }: Pattern): IndexRange {
  // No id holds a control character.
  if (isExact) return { from: start, before: `${start}\u0001` }
  const letters = [...start]
  for (let last = letters.pop(); last !== undefined; last = letters.pop()) {
    const code = last.codePointAt(0)! + 1
    // No character is half of a surrogate pair, and none comes after the last one.
    if (code <= 0x10ffff)
      return {
        from: start,
        before: letters.join("") + String.fromCodePoint(code >= 0xd800 && code < 0xe000 ? 0xe000 : code),
      }
  }
  return { from: start, before: null }
}

/** Which range, and the archive's own cursor in it. @throws SyncError "bad-request" */
function readCursor(cursor: string | null): [number, string | null] {
  if (cursor === null) return [0, null]
  const [, at, inner] = /^(\d{1,5}):(\P{Cc}{0,1000})$/u.exec(cursor) ?? []
  if (at === undefined) throw new SyncError("bad-request", "The cursor is none of this list.")
  return [Number(at), inner || null]
}
