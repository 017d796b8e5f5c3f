/**
 * A conflict: the room holds other content than we made under the same clocks of a client id. It happens after a room has
 * lost what it had shown, or when somebody else has written under our id.
 *
 * Yjs compares ids, never content: both sides would stay different for ever, and ours would be called saved. So the contents
 * are compared here; remake.ts resolves the conflict.
 */
import * as encoding from "lib0/encoding"
import * as Y from "yjs"
import type { Clocks } from "./ledger.ts"
import type { Struct } from "./structs.ts"

/**
 * Where an update and a document have other content under the same clocks: client → the first such clock. What is
 * deleted on one side, and how items are split, makes no difference.
 * @param only the clients to look at; default all
 */
export function findConflicts(doc: Y.Doc, update: Uint8Array, only?: Clocks): Map<number, number> {
  const conflicts = new Map<number, number>()
  for (const theirs of Y.decodeUpdate(update).structs) {
    const { client, clock } = theirs.id
    if (theirs instanceof Y.Skip || conflicts.has(client) || only?.has(client) === false) continue
    const ours = doc.store.clients.get(client)
    if (ours === undefined) continue
    const end = Math.min(clock + theirs.length, Y.getState(doc.store, client))
    for (let at = clock; at < end; ) {
      const own = ours[Y.findIndexSS(ours, at)] as Struct
      const to = Math.min(end, own.id.clock + own.length)
      const difference = findDifference(own, theirs, { at, to })
      if (difference < to) {
        conflicts.set(client, difference)
        break
      }
      at = to
    }
  }
  return conflicts
}

/** Clocks that two structs have in common: [at, to). */
interface Piece {
  readonly at: number
  readonly to: number
}

/** The first clock of the piece at which the two differ; its end if they do not. */
function findDifference(ours: Struct, theirs: Struct, { at, to }: Piece): number {
  // Nothing is left of what was collected.
  if (!(ours instanceof Y.Item) || !(theirs instanceof Y.Item)) return to
  const isSamePlace =
    Y.compareIDs(originOf(ours, at), originOf(theirs, at)) &&
    Y.compareIDs(ours.rightOrigin, theirs.rightOrigin) &&
    // An update names the parent only where no neighbour does.
    (originOf(theirs, at) !== null || theirs.rightOrigin !== null || isSameParent(ours, theirs))
  if (!isSamePlace) return at
  if (ours.content instanceof Y.ContentDeleted || theirs.content instanceof Y.ContentDeleted) return to
  for (let clock = at; clock < to; clock++) {
    if (!isSameLetter(ours, theirs, clock)) return clock
  }
  return to
}

function originOf(item: Y.Item, clock: number): Y.ID | null {
  return clock === item.id.clock ? item.origin : Y.createID(item.id.client, clock - 1)
}

function isSameParent(ours: Y.Item, theirs: Y.Item): boolean {
  return nameParent(ours) === nameParent(theirs) && ours.parentSub === theirs.parentSub
}

function nameParent({ parent }: Y.Item): string {
  if (parent === null || typeof parent === "string") return `root ${parent}`
  const id = parent instanceof Y.ID ? parent : parent._item?.id
  return id === undefined
    ? `root ${Y.findRootTypeKey(parent as Y.AbstractType<unknown>)}`
    : `${id.client} ${id.clock}`
}

function isSameLetter(ours: Y.Item, theirs: Y.Item, clock: number): boolean {
  const [a, b] = [ours, theirs].map(({ content, id }) => {
    const at = clock - id.clock
    if (content instanceof Y.ContentString) return content.str[at]
    if (content instanceof Y.ContentAny || content instanceof Y.ContentJSON) {
      return String(encoding.encode((encoder) => encoding.writeAny(encoder, content.arr[at])))
    }
    const encoder = new Y.UpdateEncoderV1()
    content.write(encoder, 0)
    return `${content.getRef()} ${encoder.toUint8Array()}`
  })
  // Where one side was split between the halves of a surrogate pair, Yjs has put a replacement character for each.
  return (
    a === b ||
    (/[\ufffd\ud800-\udfff]/.test(a ?? "") &&
      /[\ufffd\ud800-\udfff]/.test(b ?? "") &&
      (a === "\ufffd" || b === "\ufffd"))
  )
}
