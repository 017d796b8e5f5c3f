/**
 * Where a page of the index begins and ends, for adapters whose ids are ordered by code points: one range for "after the page
 * before" and "within what was asked for", so that a database seeks to it.
 */
import type { IndexRange } from "./archive.ts"

/** Above every id: code points end here, and no id is made of them alone. */
const END = "\u{10ffff}".repeat(4)

/**
 * The ids of a page: those from `from` on, without `not`, and before `before`.
 * @param page as `Archive.list` is given it
 */
export function pageRange({
  cursor,
  within,
}: {
  readonly cursor: string | null
  readonly within?: IndexRange | undefined
}): { from: string; not: string; before: string } {
  const from = within?.from ?? ""
  const isLater = cursor !== null && compareIds(cursor, from) >= 0
  return { from: isLater ? cursor : from, not: isLater ? cursor : "", before: within?.before ?? END }
}

/** The order of ids: by code points, as databases order UTF-8. JavaScript's own puts U+FFFF behind U+10000. */
export function compareIds(left: string, right: string): number {
  for (let i = 0; ; i++) {
    const [one, other] = [left.charCodeAt(i), right.charCodeAt(i)]
    if (Number.isNaN(one) || Number.isNaN(other)) return left.length - right.length
    if (one === other) continue
    return rank(one) - rank(other)
  }
}

/** Halves of a surrogate pair stand for code points above all that is written in one unit. */
function rank(unit: number): number {
  return unit >= 0xd800 && unit < 0xe000 ? unit + 0x2800 : unit
}

/** An id that comes before `from` and after all ids before it, for a database that only knows "after"; null: the first id of all. */
export function justBefore(from: string): string | null {
  const last = [...from].at(-1)
  if (last === undefined) return null
  const code = last.codePointAt(0)! - 1
  // No character is half of a surrogate pair.
  const before = code >= 0xd800 && code < 0xe000 ? 0xd7ff : code
  return `${from.slice(0, -last.length)}${before < 0 ? "" : String.fromCodePoint(before) + END}`
}
