/** Blame: whose word each word of a root is. */

import type * as Y from "yjs"
import { Budget } from "../export/budget.ts"
import { findRoot } from "../export/roots.ts"
import type { SharedType } from "../export/shared-types.ts"
import { isSameMinute } from "./attribution.ts"
import type { Authors, Authorship } from "./authors.ts"
import { isSamePath, itemsOf, lettersOf, type Path, shownValue, typeIn } from "./reading.ts"
import { Pace, type Steps } from "./steps.ts"

/** A stretch of text or one value, and whom it is by. */
export type Span = Authorship & {
  readonly text?: string
  readonly value?: unknown
  /** Of text: the type it is in; of a value: where it stands. Absent: the root itself. */
  readonly path?: Path
}

/** What a span takes beside its text, bytes. */
const SPAN_BYTES = 160

/**
 * The spans of a root, in document order; those of one author that follow one another in one minute are one.
 * @throws SyncError not-found where there is no such root, too-large
 */
export function* blame(
  doc: Y.Doc,
  root: string,
  { authors, budgetBytes, stepItems }: { authors: Authors; budgetBytes: number; stepItems: number },
): Steps<Span[]> {
  const budget = new Budget(budgetBytes)
  const spans: Span[] = []
  const add = (authorship: Authorship, what: { text: string } | { value: unknown }, path: Path) => {
    const last = spans.at(-1)
    if ("text" in what && last?.text !== undefined && isOneSpan(last, authorship, path)) {
      budget.spend(what.text.length)
      spans[spans.length - 1] = { ...last, text: last.text + what.text }
      return
    }
    budget.spend(SPAN_BYTES + ("text" in what ? what.text.length : JSON.stringify(what.value).length))
    spans.push({ ...what, ...(path.length > 0 && { path }), ...authorship })
  }
  const pace = new Pace(stepItems)
  function* read(type: SharedType, path: Path): Steps<void> {
    let index = 0
    for (const item of itemsOf(type)) {
      if (item.deleted || !item.countable) continue
      const { client, clock } = item.id
      const end = clock + item.length
      for (let at = clock; at < end; ) {
        if (pace.isDue(1)) yield
        const authored = authors.of(client, at, end)
        const text = lettersOf(item, at, authored.end)
        if (text !== null) add(authored.authorship, { text }, path)
        else
          for (let one = at; one < authored.end; one++)
            add(authored.authorship, { value: shownValue(item, one - clock) }, [...path, index + one - clock])
        at = authored.end
      }
      const nested = typeIn(item)
      if (nested !== null) yield* read(nested, [...path, index])
      index += item.length
    }
    for (const [key, item] of [...type._map].sort(([a], [b]) => (a < b ? -1 : 1))) {
      if (item.deleted) continue
      const clock = item.id.clock + item.length - 1
      add(
        authors.of(item.id.client, clock, clock + 1).authorship,
        { value: shownValue(item, item.length - 1) },
        [...path, key],
      )
      const nested = typeIn(item)
      if (nested !== null) yield* read(nested, [...path, key])
    }
  }
  yield* read(findRoot(doc, root).type, [])
  return spans
}

/** Times are told to the minute of the first word of a span. */
function isOneSpan(span: Span, { by, at, verified, restoredBy }: Authorship, path: Path): boolean {
  return (
    span.verified === verified &&
    span.by === by &&
    span.restoredBy === restoredBy &&
    isSamePath(span.path, path) &&
    isSameMinute(span.at, at)
  )
}
