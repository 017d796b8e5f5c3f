/**
 * Rollback: what somebody did in a stretch of time is taken back, and what others did stays (H3). It is a restore to a state
 * that never was: the present without their work. Their insertions go; what they deleted is written again in its place; under a
 * key the value before theirs comes back, unless somebody has set a newer one; and formats likewise.
 *
 * What others built on it stays with them: a container with their words in it, their newer value under a key. That is
 * listed as unresolved. What was brought back once is not brought back again, so a second rollback changes nothing.
 *
 * Where somebody else's client cleared a format's marker away because theirs did the same (Yjs does so by itself, and it is known as a
 * deletion by who was there), that format goes with theirs.
 */
import * as Y from "yjs"
import type { SharedType } from "../export/shared-types.ts"
import type { Attribution, Mark } from "./attribution.ts"
import { Bringer, type Piece, type Target } from "./bring.ts"
import type { Copies } from "./copies.ts"
import { itemsOf, type Path, typeIn } from "./reading.ts"
import type { Restored } from "./restore.ts"

/** What could not be taken back, and why. */
export interface Unresolved {
  readonly root: string
  readonly path: Path
  readonly reason: string
}

/** What a rollback would do, or did. */
export interface RolledBack extends Restored {
  readonly unresolved: readonly Unresolved[]
}

/** Of what a rollback decides. */
interface Facts {
  readonly attribution: Attribution
  /** Whether a change is one of those to be taken back. */
  readonly isMeant: (mark: Mark | null) => boolean
  readonly copies: Copies
  /** The only roots to change; null: all. */
  readonly roots: readonly string[] | null
  /** Items that may be written and deleted. */
  readonly most: number
}

/**
 * Take changes back. Inside a transaction of the caller's.
 * @param doc the present
 * @param past the present as well, with everything that the changes deleted
 * @throws SyncError too-large where more would have to be changed than `most`
 */
export function rollback(doc: Y.Doc, past: Y.Doc, facts: Facts): RolledBack {
  return doc.transact((transaction) => {
    const target = new Without(facts)
    const bringer = new Bringer(transaction, { target, known: facts.copies, most: facts.most })
    for (const [name, type] of past.share) {
      if (facts.roots !== null && !facts.roots.includes(name)) continue
      const now = doc.share.get(name)
      target.root = name
      // reason: what was read from bytes is a type without a kind, and is read as what it holds
      if (now !== undefined) bringer.bring(type as SharedType, now as SharedType)
    }
    const { inserted, deleted, copies } = bringer
    return { inserted, deleted, copies, unresolved: target.unresolved }
  })
}

/** The present without the changes that are meant. */
class Without implements Target {
  readonly unresolved: Unresolved[] = []
  /** The root that is being looked at. */
  root = ""
  readonly #facts: Facts
  /** The list of which it was said last that something in it is lost. */
  #lossy: unknown = null
  /** Container → whether others' work would stand in it, if it stood itself. */
  readonly #holding = new Map<SharedType, boolean>()

  constructor(facts: Facts) {
    this.#facts = facts
  }

  *wanted(item: Y.Item): Generator<Piece> {
    const nested = typeIn(item)
    if (nested !== null && this.#insertedAt(item, 0).isMeant) {
      if (!this.#holdsOthers(nested)) return
      this.#leave(item, item.deleted ? "what it stood in is gone" : "others have written in it")
      if (!item.deleted) yield { item, offset: 0, length: 1 }
      return
    }
    for (let offset = 0; offset < item.length; ) {
      const { isWanted, end } = this.#look(item, offset)
      if (isWanted && isLost(item)) this.#leaveLost(item)
      else if (isWanted) yield { item, offset, length: end - offset }
      offset = end
    }
  }

  entry(type: SharedType, key: string): Piece | null {
    let isOvertaken = false
    for (let item = type._map.get(key) ?? null; item !== null; item = item.left) {
      for (let offset = item.length - 1; offset >= 0; offset--) {
        const deletion = this.#deletedAt(item, offset).isMeant
        if (!this.#insertedAt(item, offset).isMeant) {
          if (!item.deleted) {
            this.#noteNewer(item)
            return { item, offset, length: 1 }
          }
          const isTaken = deletion ?? (isOvertaken || isInDeleted(item))
          if (!isTaken || this.#facts.copies.isCopied(item.id.client, item.id.clock + offset)) return null
          if (!isLost(item)) return { item, offset, length: 1 }
          this.#leave(item, "the earlier value is not kept any more")
          return null
        }
        const nested = typeIn(item)
        if (!item.deleted && nested !== null && this.#holdsOthers(nested)) {
          this.#leave(item, "others have written in it")
          return { item, offset, length: 1 }
        }
        // Somebody else took this value of theirs away: that there is none is somebody else's work.
        if (item.deleted && !isOvertaken && deletion === false) return null
        isOvertaken = true
      }
    }
    return null
  }

  isMet(): boolean {
    return false
  }

  /** Whether this is wanted, and up to which offset that is so. */
  #look(item: Y.Item, offset: number): { isWanted: boolean; end: number } {
    const inserted = this.#insertedAt(item, offset)
    if (inserted.isMeant || !item.deleted) return { isWanted: !inserted.isMeant, end: inserted.end }
    const deleted = this.#deletedAt(item, offset)
    const limit = Math.min(inserted.end, deleted.end)
    // What nobody deleted went with the container that it had come into.
    if (!(deleted.isMeant ?? isInDeleted(item))) return { isWanted: false, end: limit }
    const { client, clock } = item.id
    const { copies } = this.#facts
    const isCopied = copies.isCopied(client, clock + offset)
    let end = offset + 1
    while (end < limit && copies.isCopied(client, clock + end) === isCopied) end++
    return { isWanted: !isCopied, end }
  }

  /** Whether it is of these changes, whoever wrote it first and however it came back; and up to which offset that is so. */
  #insertedAt(item: Y.Item, offset: number): { isMeant: boolean; end: number } {
    const { attribution, copies, isMeant } = this.#facts
    const { client, clock } = item.id
    const at = clock + offset
    const source = copies.sourceOf(client, at, item.length - offset)
    const { mark, end } = attribution.insertOf(source.client, source.clock)
    const isCopy = source.client !== client || source.clock !== at
    const brought = isCopy ? attribution.insertOf(client, at) : null
    const length = Math.min(
      source.length,
      end - source.clock,
      (brought?.end ?? Number.POSITIVE_INFINITY) - at,
    )
    return { isMeant: isMeant(mark) || (brought !== null && isMeant(brought.mark)), end: offset + length }
  }

  /**
   * Whether they deleted it. null: nobody did. Yjs deletes by itself what another value has overtaken under a key, and what
   * comes into a container that is gone.
   */
  #deletedAt(item: Y.Item, offset: number): { isMeant: boolean | null; end: number } {
    const { attribution, isMeant } = this.#facts
    const { mark, end } = attribution.deleteOf(item.id.client, item.id.clock + offset)
    return { isMeant: mark === null ? null : isMeant(mark), end: Math.min(item.length, end - item.id.clock) }
  }

  /** Formats are no work of their own: they go with what they are of. */
  #holdsOthers(type: SharedType): boolean {
    const found = this.#holding.get(type)
    if (found !== undefined) return found
    const isOthers = (item: Y.Item, offset: number): { isWanted: boolean; end: number } => {
      const inserted = this.#insertedAt(item, offset)
      if (!inserted.isMeant) return this.#look(item, offset)
      const nested = typeIn(item)
      return { isWanted: nested !== null && !item.deleted && this.#holdsOthers(nested), end: inserted.end }
    }
    let holds = [...type._map.values()].some(
      (item) => !isLost(item) && isOthers(item, item.length - 1).isWanted,
    )
    for (const item of itemsOf(type)) {
      if (holds) break
      if (!item.countable || isLost(item)) continue
      for (let offset = 0; offset < item.length && !holds; ) {
        const { isWanted, end } = isOthers(item, offset)
        holds = isWanted
        offset = end
      }
    }
    this.#holding.set(type, holds)
    return holds
  }

  /** Somebody else's value stands where theirs was; not where it is what a rollback brought back. */
  #noteNewer(item: Y.Item): void {
    if (this.#facts.copies.isCopy(item.id.client, item.id.clock)) return
    for (let before = item.left; before !== null; before = before.left) {
      if (!this.#insertedAt(before, before.length - 1).isMeant) continue
      this.#leave(item, "a newer value of somebody else stands there")
      return
    }
  }

  /** Said once of a list: of what was lost in it each letter may be an item of its own. */
  #leaveLost(item: Y.Item): void {
    if (this.#lossy === item.parent) return
    this.#lossy = item.parent
    this.#leave(item, "what was deleted is not kept any more")
  }

  #leave(item: Y.Item, reason: string): void {
    this.unresolved.push({ root: this.root, path: pathOf(item), reason })
  }
}

/** Whether nothing is left of an item but that it was. */
function isLost({ content }: Y.Item): boolean {
  return content instanceof Y.ContentDeleted
}

function isInDeleted({ parent }: Y.Item): boolean {
  return parent instanceof Y.AbstractType && parent._item !== null && parent._item.deleted
}

/** Where an item stands, or would stand, from its root inward. */
function pathOf(item: Y.Item): Path {
  const path: (string | number)[] = []
  for (let at: Y.Item | null = item; at !== null; at = (at.parent as SharedType)._item) {
    let index = 0
    for (let before = at.left; at.parentSub === null && before !== null; before = before.left)
      if (!before.deleted && before.countable) index += before.length
    path.unshift(at.parentSub ?? index)
  }
  return path
}
