/**
 * How the past writes into the present: item by item, as Yjs does it itself, so that every kind of content comes back as
 * it was and all that stays keeps its ids, its carets and its authors. Inside a transaction of the caller's.
 */
import * as Y from "yjs"
import type { SharedType } from "../export/shared-types.ts"
import type { Copies, Copy } from "./copies.ts"
import { itemsOf, typeIn } from "./reading.ts"

/** A place in a list: after this clock of this client; null: at its beginning. */
export type Anchor = { readonly client: number; readonly clock: number } | null

/** Writes what was there before into a document. */
export class Writer {
  /** What was copied, in the order of writing. */
  readonly copies: Copy[] = []
  /** Letters and values brought in and taken out. */
  inserted = 0
  deleted = 0
  readonly #doc: Y.Doc
  readonly #transaction: Y.Transaction
  readonly #known: Copies

  /** @param known of what the content of the document is a copy already */
  constructor(transaction: Y.Transaction, known: Copies) {
    this.#doc = transaction.doc
    this.#transaction = transaction
    this.#known = known
  }

  /** Delete the clocks [clock, end) of a client, as far as they are alive. */
  remove(client: number, clock: number, end: number): void {
    const { store } = this.#doc
    for (let at = clock; at < end; ) {
      // reason: Yjs types the result as an Item, and gives a GC where the content was collected
      const item = Y.getItemCleanStart(this.#transaction, Y.createID(client, at)) as Y.Item | Y.GC
      if (!(item instanceof Y.Item)) {
        at += item.length - (at - item.id.clock)
        continue
      }
      if (item.id.clock + item.length > end)
        Y.getItemCleanEnd(this.#transaction, store, Y.createID(client, end - 1))
      if (!item.deleted) {
        if (item.countable) this.deleted += item.length
        item.delete(this.#transaction)
        forgetMarkers(item.parent)
      }
      at += item.length
    }
  }

  /**
   * Write the clocks [clock, end) of an item into a list.
   * @param item of a document that still has its content
   * @param options.deep which of the items within it come along, where it holds a type
   * @returns the place after it
   */
  insert(
    item: Y.Item,
    { clock, end, into, after, deep = isAlive }: Placing & { into: SharedType; after: Anchor },
  ): Anchor {
    let anchor = after
    for (let at = clock; at < end; ) {
      const { length } = this.#known.sourceOf(item.id.client, at, end - at)
      const { store } = this.#doc
      const left =
        anchor === null
          ? null
          : Y.getItemCleanEnd(this.#transaction, store, Y.createID(anchor.client, anchor.clock))
      const right = left === null ? into._start : left.right
      const content = contentOf(item, at, at + length)
      anchor = this.#integrate(item, { at, length, left, right, into, key: null, content, deep })
      at += length
    }
    return anchor
  }

  /** Write an item as the value of a key. */
  set(item: Y.Item, { into, key, deep = isAlive }: { into: SharedType; key: string; deep?: Deep }): void {
    const at = item.id.clock + item.length - 1
    const left = into._map.get(key) ?? null
    const content = contentOf(item, at, at + 1)
    this.#integrate(item, { at, length: 1, left, right: null, into, key, content, deep })
  }

  #integrate(
    item: Y.Item,
    place: {
      at: number
      length: number
      left: Y.Item | null
      right: Y.Item | null
      into: SharedType
      key: string | null
      content: Y.Item["content"]
      deep: Deep
    },
  ): Anchor {
    const { at, length, left, right, into, key, content, deep } = place
    const { store, clientID } = this.#doc
    const clock = Y.getState(store, clientID)
    const parent = into as unknown as Y.AbstractType<unknown>
    const made = new Y.Item(
      Y.createID(clientID, clock),
      left,
      left?.lastId ?? null,
      right,
      right?.id ?? null,
      parent,
      key,
      content,
    )
    made.integrate(this.#transaction, 0)
    forgetMarkers(parent)
    const source = this.#known.sourceOf(item.id.client, at, length)
    this.copies.push({
      client: clientID,
      clock,
      length,
      sourceClient: source.client,
      sourceClock: source.clock,
    })
    if (made.countable) this.inserted += length
    const [type, original] = [typeIn(made), typeIn(item)]
    if (type !== null && original !== null) this.#fill(type, original, deep)
    return { client: clientID, clock: clock + length - 1 }
  }

  /** Everything within a type that was written anew. */
  #fill(type: SharedType, original: SharedType, deep: Deep): void {
    let after: Anchor = null
    for (const item of itemsOf(original)) {
      const { clock } = item.id
      if (deep(item)) after = this.insert(item, { clock, end: clock + item.length, into: type, after, deep })
    }
    for (const [key, item] of original._map) if (deep(item)) this.set(item, { into: type, key, deep })
  }
}

/** Which items within a type come along with it. */
export type Deep = (item: Y.Item) => boolean

interface Placing {
  readonly clock: number
  readonly end: number
  readonly deep?: Deep
}

function isAlive(item: Y.Item): boolean {
  return !item.deleted
}

/** The content of an item between two of its clocks, as content of its own. */
function contentOf(item: Y.Item, clock: number, end: number): Y.Item["content"] {
  let content = item.content.copy()
  if (clock > item.id.clock) content = content.splice(clock - item.id.clock)
  if (end - clock < content.getLength()) content.splice(end - clock)
  return content
}

/** Yjs remembers places in a type by index; what is written past its own methods makes them wrong. */
function forgetMarkers(type: unknown): void {
  const { _searchMarker: markers } = Object(type) as { _searchMarker?: unknown[] | null }
  if (markers) markers.length = 0
}
