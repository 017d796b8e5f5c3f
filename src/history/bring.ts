/**
 * Brings a live document to what another state of it wants, by difference: what is in both keeps its ids, and with them the
 * carets in it and its authors.
 *
 * The two are states of one history, so ids say what is in both, and all that is in both stands in the same order. What is
 * wanted and was deleted is written again under new ids, with the markers that begin and end its formats like everything else;
 * so the two lists are equal item by item, and so are their deltas.
 */
import * as Y from "yjs"
import { SyncError } from "../errors.ts"
import type { SharedType } from "../export/shared-types.ts"
import { liveItems } from "../export/shared-types.ts"
import { type Copies, type Copy, lastBefore } from "./copies.ts"
import { isEqualValue } from "./equal.ts"
import { lettersOf, typeIn } from "./reading.ts"

/** Some of an item's clocks. */
export interface Piece {
  readonly item: Y.Item
  /** From the item's first clock on. */
  readonly offset: number
  readonly length: number
}

/** What a document is to become. All of it is read in a state of its history that still has what was deleted. */
export interface Target {
  /** The pieces of an item that are wanted, in order. */
  wanted(item: Y.Item): Iterable<Piece>
  /** The one clock whose value a key should have, or null for none. */
  entry(type: SharedType, key: string): Piece | null
  /** Whether a live type is as it should be already, though under other ids. */
  isMet(wanted: SharedType | null, live: SharedType): boolean
}

/** A piece among all that is wanted of a list. */
interface Wanted extends Piece {
  /** How many clocks are wanted before it. */
  readonly position: number
}

/** A run of what stands in the live list: `position` is where it is wanted, null where it is not. */
interface Run {
  readonly client: number
  readonly clock: number
  readonly length: number
  readonly position: number | null
}

/** Runs inside a transaction of the live document. */
export class Bringer {
  readonly #transaction: Y.Transaction
  readonly #target: Target
  readonly #known: Copies
  readonly #most: number
  #changed = 0
  /** What was written again, and what it is a copy of. */
  readonly copies: Copy[] = []
  /** Letters and values that were written again, and that were deleted. */
  inserted = 0
  deleted = 0

  /**
   * @param options.known what was brought back before: a copy that stands is what it is a copy of
   * @param options.most items that may be written and deleted, which is done in one turn
   */
  constructor(
    transaction: Y.Transaction,
    { target, known, most }: { target: Target; known: Copies; most: number },
  ) {
    this.#transaction = transaction
    this.#target = target
    this.#known = known
    this.#most = most
  }

  /** @param wanted the same type in the target's state; null where it has none */
  bring(wanted: SharedType | null, live: SharedType): void {
    this.#bringList(wanted, live)
    this.#bringEntries(wanted, live)
  }

  #bringList(from: SharedType | null, live: SharedType): void {
    const wanted = this.#listWanted(from)
    const total = wanted.reduce((sum, { length }) => sum + length, 0)
    const runs = this.#match(live, wanted)
    const kept = runs.filter(({ position }) => position !== null)
    const isSame = kept.length === runs.length && kept.reduce((sum, { length }) => sum + length, 0) === total
    if (isSame || this.#target.isMet(from, live)) {
      if (isSame) this.#bringNested(wanted, kept)
      return
    }
    forgetMarkers(live)
    // The last clock that stays, and what was written after it. An item is cut there only where something comes between.
    let stays: Y.ID | null = null
    let left: Y.Item | null = null
    let next = 0
    const fresh: { from: SharedType; type: SharedType }[] = []
    const add = (end: number) => {
      if (next === end) return
      if (stays !== null) left = Y.getItemCleanEnd(this.#transaction, this.#transaction.doc.store, stays)
      stays = null
      for (const piece of cutRange(wanted, next, end)) {
        const item = this.#write(piece, {
          parent: live,
          left,
          right: left === null ? live._start : left.right,
        })
        left = item
        const inside = typeIn(piece.item)
        const type = typeIn(item)
        if (inside !== null && type !== null) fresh.push({ from: inside, type })
      }
    }
    for (const { client, clock, length, position } of runs) {
      if (position === null) {
        this.#delete(client, clock, length)
        continue
      }
      add(position)
      stays = Y.createID(client, clock + length - 1)
      next = position + length
    }
    add(total)
    forgetMarkers(live)
    for (const { from: inside, type } of fresh) this.bring(inside, type)
    this.#bringNested(wanted, kept)
  }

  /** The types that are in both lists. */
  #bringNested(wanted: readonly Wanted[], kept: readonly Run[]): void {
    const { store } = this.#transaction.doc
    for (const { client, clock, position, length } of kept) {
      if (length !== 1 || position === null) continue
      const inside = typeIn(pieceAt(wanted, position).item)
      if (inside === null) continue
      const live = typeIn(Y.getItem(store, Y.createID(client, clock)))
      if (live !== null) this.bring(inside, live)
    }
  }

  #bringEntries(from: SharedType | null, live: SharedType): void {
    for (const key of new Set([...(from?._map.keys() ?? []), ...live._map.keys()])) {
      const wanted = from === null ? null : this.#target.entry(from, key)
      const last = live._map.get(key) ?? null
      const standing = last === null || last.deleted ? null : last
      if (wanted === null) {
        if (standing !== null) this.#deleteItem(standing)
        continue
      }
      const inside = typeIn(wanted.item)
      if (standing !== null && this.#isOrCopies(standing.lastId, wanted)) {
        const type = typeIn(standing)
        if (inside !== null && type !== null) this.bring(inside, type)
        continue
      }
      if (standing !== null && this.#isEqual(wanted, standing)) continue
      const item = this.#write(wanted, { parent: live, key, left: last, right: null })
      const type = typeIn(item)
      if (inside !== null && type !== null) this.bring(inside, type)
    }
  }

  #listWanted(from: SharedType | null): Wanted[] {
    const wanted: Wanted[] = []
    let position = 0
    for (let item = from?._start ?? null; item !== null; item = item.right) {
      for (const piece of this.#target.wanted(item)) {
        wanted.push({ ...piece, position })
        position += piece.length
      }
    }
    return wanted
  }

  /** What stands in a live list, and where each part of it is wanted: by its own id, or by that of which it is a copy. */
  #match(live: SharedType, wanted: readonly Wanted[]): Run[] {
    const index = new Map<number, { clock: number; length: number; position: number }[]>()
    const add = (client: number, range: { clock: number; length: number; position: number }) => {
      const ranges = index.get(client)
      if (ranges === undefined) index.set(client, [range])
      else ranges.push(range)
    }
    for (const { item, offset, length, position } of wanted) {
      const { client, clock } = item.id
      add(client, { clock: clock + offset, length, position })
      // A copy that is wanted may have been brought back once more.
      for (let at = offset; at < offset + length; ) {
        const source = this.#known.sourceOf(client, clock + at, offset + length - at)
        if (source.client !== client || source.clock !== clock + at)
          add(source.client, { clock: source.clock, length: source.length, position: position + at - offset })
        at += source.length
      }
    }
    for (const ranges of index.values()) ranges.sort((a, b) => a.clock - b.clock)
    const find = (client: number, clock: number): { position: number | null; end: number } => {
      const ranges = index.get(client) ?? []
      const at = lastBefore(ranges, clock)
      const range = ranges[at]
      if (range !== undefined && clock < range.clock + range.length)
        return { position: range.position + clock - range.clock, end: range.clock + range.length }
      return { position: null, end: ranges[at + 1]?.clock ?? Number.POSITIVE_INFINITY }
    }
    const runs: Run[] = []
    let next = 0
    for (const item of liveItems(live)) {
      const { client, clock } = item.id
      for (let at = clock; at < clock + item.length; ) {
        const own = find(client, at)
        const source = this.#known.sourceOf(client, at, clock + item.length - at)
        const found = own.position === null ? find(source.client, source.clock) : own
        const from = own.position === null ? source.clock : at
        let { position } = found
        let length = Math.min(source.length, own.end - at, found.end - from)
        // Two copies of one thing, or one out of its order: the later is not wanted.
        if (position !== null && position < next) position = null
        if (position !== null) {
          const same = countSame({ item, offset: at - clock, length }, pieceAt(wanted, position), position)
          if (same === 0) {
            position = null
            length = 1
          } else length = same
        }
        runs.push({ client, clock: at, length, position })
        if (position !== null) next = position + length
        at += length
      }
    }
    return runs
  }

  #write(
    piece: Piece,
    place: { parent: SharedType; key?: string; left: Y.Item | null; right: Y.Item | null },
  ): Y.Item {
    this.#count()
    const { doc } = this.#transaction
    const { left, right } = place
    const clock = Y.getState(doc.store, doc.clientID)
    const item = new Y.Item(
      Y.createID(doc.clientID, clock),
      left,
      left?.lastId ?? null,
      right,
      right?.id ?? null,
      // reason: a shared type as it is read here is every abstract type of Yjs
      place.parent as Y.AbstractType<unknown>,
      place.key ?? null,
      copyContent(piece),
    )
    item.integrate(this.#transaction, 0)
    this.#record({
      client: doc.clientID,
      clock,
      length: piece.length,
      sourceClient: piece.item.id.client,
      sourceClock: piece.item.id.clock + piece.offset,
    })
    if (item.countable) this.inserted += piece.length
    return item
  }

  #record(copy: Copy): void {
    const last = this.copies.at(-1)
    const continues =
      last !== undefined &&
      last.clock + last.length === copy.clock &&
      last.sourceClient === copy.sourceClient &&
      last.sourceClock + last.length === copy.sourceClock
    if (continues) this.copies[this.copies.length - 1] = { ...last, length: last.length + copy.length }
    else this.copies.push(copy)
  }

  #delete(client: number, clock: number, length: number): void {
    for (let at = clock; at < clock + length; ) {
      let item = Y.getItemCleanStart(this.#transaction, Y.createID(client, at))
      if (at + item.length > clock + length) {
        Y.getItemCleanStart(this.#transaction, Y.createID(client, clock + length))
        item = Y.getItemCleanStart(this.#transaction, Y.createID(client, at))
      }
      at += item.length
      this.#deleteItem(item)
    }
  }

  #count(): void {
    if (++this.#changed <= this.#most) return
    throw new SyncError(
      "too-large",
      `This would change more than ${this.#most} pieces at once; bring back one root, or take back a shorter time.`,
    )
  }

  #deleteItem(item: Y.Item): void {
    this.#count()
    if (item.countable) this.deleted += item.length
    item.delete(this.#transaction)
  }

  /** Whether the one is the other, or both are copies of one thing. */
  #isOrCopies(live: Y.ID, { item, offset }: Piece): boolean {
    const one = this.#known.sourceOf(live.client, live.clock, 1)
    const other = this.#known.sourceOf(item.id.client, item.id.clock + offset, 1)
    return one.client === other.client && one.clock === other.clock
  }

  /** Whether a live value is what is wanted, though it was set once more. */
  #isEqual({ item, offset }: Piece, live: Y.Item): boolean {
    const inside = typeIn(item)
    const type = typeIn(live)
    if (inside === null && type === null)
      return isEqualValue(item.content.getContent()[offset], live.content.getContent()[live.length - 1])
    return inside !== null && type !== null && this.#target.isMet(inside, type)
  }
}

/** The wanted pieces of a range of positions. */
function* cutRange(wanted: readonly Wanted[], start: number, end: number): Generator<Piece> {
  for (let at = start, index = indexAt(wanted, start); at < end; index++) {
    const { item, offset, length, position } = wanted[index]!
    const first = at - position
    const taken = Math.min(length - first, end - at)
    yield { item, offset: offset + first, length: taken }
    at += taken
  }
}

/**
 * Of a live piece, how many clocks from its first on are what is wanted at this position. It is all of them but for half
 * a surrogate pair: where the other half was deleted, Yjs puts a replacement character in its place.
 */
function countSame(live: Piece, wanted: Wanted, position: number): number {
  const text = textOf(live)
  const other = textOf(wanted)
  if (text === null || other === null) return live.length
  const start = position - wanted.position
  if (other.startsWith(text, start)) return live.length
  let same = 0
  while (text[same] === other[start + same]) same++
  return same
}

function pieceAt(wanted: readonly Wanted[], position: number): Wanted {
  return wanted[indexAt(wanted, position)]!
}

function indexAt(wanted: readonly Wanted[], position: number): number {
  let low = 0
  let high = wanted.length - 1
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (wanted[middle]!.position <= position) low = middle
    else high = middle - 1
  }
  return low
}

/** Yjs remembers where in a list its users were; these marks are wrong after items were written by hand. */
function forgetMarkers(type: SharedType): void {
  if (type instanceof Y.AbstractType && type._searchMarker !== null) type._searchMarker.length = 0
}

/** The characters of a piece, or null where it is no text. */
function textOf({ item, offset, length }: Piece): string | null {
  return lettersOf(item, item.id.clock + offset, item.id.clock + offset + length)
}

/** The content of a piece once more, for an item of its own. A shared type comes without what is in it; a subdocument is the same. */
function copyContent({ item, offset, length }: Piece): Y.Item["content"] {
  const { content } = item
  if (content instanceof Y.ContentString)
    return new Y.ContentString(content.str.slice(offset, offset + length))
  if (content instanceof Y.ContentAny) return new Y.ContentAny(content.arr.slice(offset, offset + length))
  if (content instanceof Y.ContentJSON) return new Y.ContentJSON(content.arr.slice(offset, offset + length))
  return content.copy()
}
