/**
 * Restore: a past state comes back as a change like any other (H3). By difference: content that is in both states stays,
 * with its ids; what has come since is deleted; what is gone is written again in its place.
 *
 * Yjs never moves content, so what two states share stands in the same order in both, and a place is told by the nearest
 * thing before it that stays. What an earlier restore wrote again counts as what it is a copy of.
 */
import * as Y from "yjs"
import type { SharedType } from "../export/shared-types.ts"
import { type Copies, type Copy, lastBefore } from "./copies.ts"
import { itemsOf, typeIn } from "./reading.ts"
import { type Anchor, Writer } from "./writing.ts"

/** What a restore did. */
export interface Restored {
  readonly copies: readonly Copy[]
  /** Letters and values. */
  readonly inserted: number
  readonly deleted: number
}

/**
 * Make a document what it was. Inside a transaction of the caller's.
 * @param doc the present
 * @param past the state to come back to, in a document of its own
 * @param options.roots the only roots to change; null: all
 */
export function restore(
  doc: Y.Doc,
  past: Y.Doc,
  { roots, copies }: { roots: readonly string[] | null; copies: Copies },
): Restored {
  return doc.transact((transaction) => {
    const writer = new Writer(transaction, copies)
    const names = roots ?? [...new Set([...doc.share.keys(), ...past.share.keys()])]
    for (const name of names) {
      const now = doc.share.get(name)
      const then = past.share.get(name)
      if (now === undefined) continue
      // A root that did not exist then was empty.
      align(now as unknown as SharedType, (then ?? new Y.Array()) as unknown as SharedType, {
        writer,
        copies,
      })
    }
    const { inserted, deleted } = writer
    return { copies: writer.copies, inserted, deleted }
  })
}

interface Tools {
  readonly writer: Writer
  readonly copies: Copies
}

/** A stretch of the present list: clocks of an item, and the first content they are a copy of. */
interface Piece {
  readonly client: number
  readonly from: number
  readonly length: number
  /** The clock of the source. */
  readonly clock: number
  readonly order: number
  readonly item: Y.Item
}

/** A stretch that stays. */
interface Kept {
  readonly client: number
  readonly clock: number
  readonly end: number
}

/** What is to be written, and after which content that stays. */
interface Missing {
  readonly item: Y.Item
  readonly clock: number
  readonly end: number
  readonly after: Anchor
}

function align(now: SharedType, then: SharedType, tools: Tools): void {
  const pieces = new Pieces(now, tools.copies)
  const kept: Kept[] = []
  const missing: Missing[] = []
  const nested: [SharedType, SharedType][] = []
  let after: Anchor = null
  // The place in the present list up to which everything was matched: what stays must stand in the same order in both.
  let reached = { order: -1, offset: 0 }
  for (const item of itemsOf(then)) {
    if (item.deleted) continue
    const end = item.id.clock + item.length
    for (let at = item.id.clock; at < end; ) {
      const source = tools.copies.sourceOf(item.id.client, at, end - at)
      const found = pieces.find(source.client, source.clock)
      const offset = found.piece === null ? 0 : source.clock - found.piece.clock
      const isBehind =
        found.piece !== null &&
        (found.piece.order < reached.order ||
          (found.piece.order === reached.order && offset < reached.offset))
      const length = Math.min(source.length, found.end - source.clock)
      if (found.piece === null || isBehind) {
        missing.push({ item, clock: at, end: at + length, after })
      } else {
        const { client, from, order, item: here } = found.piece
        const clock = from + offset
        kept.push({ client, clock, end: clock + length })
        reached = { order, offset: offset + length }
        after = { client, clock: clock + length - 1 }
        const [type, original] = [typeIn(here), typeIn(item)]
        if (type !== null && original !== null) nested.push([type, original])
      }
      at += length
    }
  }
  pieces.removeAllBut(kept, tools.writer)
  write(missing, now, tools.writer)
  alignKeys(now, then, tools, nested)
  for (const [type, original] of nested) align(type, original, tools)
}

/** Write what is missing; what belongs after the same content stands one after another. */
function write(missing: readonly Missing[], into: SharedType, writer: Writer): void {
  let last: Anchor = null
  let before: Anchor | undefined
  for (const { item, clock, end, after } of missing) {
    if (before === undefined || after !== before) last = after
    last = writer.insert(item, { clock, end, into, after: last })
    before = after
  }
}

function alignKeys(
  now: SharedType,
  then: SharedType,
  { writer, copies }: Tools,
  nested: [SharedType, SharedType][],
): void {
  for (const key of new Set([...now._map.keys(), ...then._map.keys()])) {
    const [here, was] = [alive(now._map.get(key)), alive(then._map.get(key))]
    if (was === null) {
      if (here !== null) writer.remove(here.id.client, here.id.clock, here.id.clock + here.length)
      continue
    }
    if (here !== null && isSame(here, was, copies)) {
      const [type, original] = [typeIn(here), typeIn(was)]
      if (type !== null && original !== null) nested.push([type, original])
    } else writer.set(was, { into: now, key })
  }
}

function alive(item: Y.Item | undefined): Y.Item | null {
  return item === undefined || item.deleted ? null : item
}

/** Whether a key has the same content: the same item, a copy of it, or an equal value. */
function isSame(here: Y.Item, was: Y.Item, copies: Copies): boolean {
  const [one, other] = [here, was].map(({ id, length }) =>
    copies.sourceOf(id.client, id.clock + length - 1, 1),
  ) as [ReturnType<Copies["sourceOf"]>, ReturnType<Copies["sourceOf"]>]
  if (one.client === other.client && one.clock === other.clock) return true
  if (typeIn(here) !== null || typeIn(was) !== null) return false
  if (here.content.constructor !== was.content.constructor) return false
  const value = ({ content, length }: Y.Item) => JSON.stringify(content.getContent()[length - 1])
  return here.content instanceof Y.ContentAny && value(here) === value(was)
}

/** What a list holds now, to be found by what it is a copy of. */
class Pieces {
  readonly #bySource = new Map<number, Piece[]>()
  readonly #alive: Y.Item[] = []

  constructor(type: SharedType, copies: Copies) {
    let order = 0
    for (const item of itemsOf(type)) {
      if (item.deleted) continue
      this.#alive.push(item)
      const { client } = item.id
      const end = item.id.clock + item.length
      for (let from = item.id.clock; from < end; ) {
        const source = copies.sourceOf(client, from, end - from)
        const { length, clock } = source
        const list = this.#bySource.get(source.client)
        const piece = { client, from, length, clock, order: order++, item }
        if (list === undefined) this.#bySource.set(source.client, [piece])
        else list.push(piece)
        from += length
      }
    }
    for (const list of this.#bySource.values()) list.sort((a, b) => a.clock - b.clock)
  }

  /** What stands for this content now, and up to which of its clocks that is so. */
  find(client: number, clock: number): { piece: Piece | null; end: number } {
    const list = this.#bySource.get(client) ?? []
    const index = lastBefore(list, clock)
    const piece = list[index]
    if (piece !== undefined && clock < piece.clock + piece.length)
      return { piece, end: piece.clock + piece.length }
    return { piece: null, end: list[index + 1]?.clock ?? Number.POSITIVE_INFINITY }
  }

  /** Delete what does not stay. */
  removeAllBut(kept: readonly Kept[], writer: Writer): void {
    const byClient = Map.groupBy(kept, ({ client }) => client)
    for (const list of byClient.values()) list.sort((a, b) => a.clock - b.clock)
    // Removing cuts items in two, so that their lengths are taken before.
    const stretches = this.#alive.map(({ id, length }) => ({ client: id.client, clock: id.clock, length }))
    for (const { client, clock, length } of stretches) {
      const list = byClient.get(client) ?? []
      const end = clock + length
      for (let at = clock; at < end; ) {
        const index = lastBefore(list, at)
        const stays = list[index]
        if (stays !== undefined && at < stays.end) {
          at = stays.end
          continue
        }
        const until = Math.min(end, list[index + 1]?.clock ?? end)
        writer.remove(client, at, until)
        at = until
      }
    }
  }
}
