/**
 * Is it the same content? Two writers can claim the same clocks of one client id: a letter that was carried by someone
 * else and is brought again by its author, or a forgery. Yjs never looks, and keeps whichever came first.
 *
 * Bytes cannot be compared, for one document holds as three items what another holds as one, and what was deleted may
 * be collected. So content is compared clock by clock, and what is deleted on either side says nothing.
 */
import * as Y from "yjs"

/** What an update says of the clocks [from, …) of a client, held against a document. */
export interface Comparison {
  /** `absent`: the update has nothing there that the document has as well. */
  readonly outcome: "same" | "different" | "absent"
  /** Up to this clock both have something; `from` where the outcome is "absent". */
  readonly end: number
}

/**
 * Compare what an update and a document hold under one client id, from a clock on.
 * @param update a Yjs V1 update that was vetted
 */
export function compareContent(
  update: Uint8Array,
  doc: Y.Doc,
  { client, from }: { client: number; from: number },
): Comparison {
  const known = Y.getState(doc.store, client)
  let end = from
  let isSame = true
  for (const struct of Y.decodeUpdate(update).structs) {
    if (struct.id.client !== client || !(struct instanceof Y.Item)) continue
    const first = Math.max(struct.id.clock, from)
    const last = Math.min(struct.id.clock + struct.length, known)
    for (let clock = first; clock < last && isSame; clock++) isSame = isSameUnit(struct, clock, doc)
    if (last > first) end = Math.max(end, last)
  }
  if (end === from) return { outcome: "absent", end }
  return { outcome: isSame ? "same" : "different", end }
}

function isSameUnit(brought: Y.Item, clock: number, doc: Y.Doc): boolean {
  const held: Y.Item | Y.GC = Y.getItem(doc.store, Y.createID(brought.id.client, clock))
  if (!(held instanceof Y.Item) || held.deleted) return true
  if (brought.content instanceof Y.ContentDeleted) return true
  return (
    isSameOrigin(originAt(brought, clock), originAt(held, clock)) &&
    unitAt(brought, clock) === unitAt(held, clock)
  )
}

/** What stood to the left of this clock when it was written: within an item, the clock before it. */
function originAt(item: Y.Item, clock: number): Y.ID | null {
  return clock === item.id.clock ? item.origin : Y.createID(item.id.client, clock - 1)
}

function isSameOrigin(one: Y.ID | null, other: Y.ID | null): boolean {
  return one === null || other === null ? one === other : Y.compareIDs(one, other)
}

/** The content at one clock, as text that can be compared. */
function unitAt({ id, content }: Y.Item, clock: number): string {
  const at = clock - id.clock
  if (content instanceof Y.ContentString) return `string ${content.str.charAt(at)}`
  if (content instanceof Y.ContentType) return `type ${content.type.constructor.name}`
  if (content instanceof Y.ContentFormat) return `format ${content.key} ${JSON.stringify(content.value)}`
  if (content instanceof Y.ContentBinary) return `binary ${content.content.join()}`
  if (content instanceof Y.ContentDoc) return `document ${content.doc.guid}`
  return `value ${JSON.stringify(content.getContent()[at])}`
}
