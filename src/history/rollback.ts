/**
 * Rollback: what somebody did in a stretch of time is taken back, and what others did stays (H3). Their insertions are
 * deleted; what they deleted is written again, after its own trace; a key they set gets its earlier value.
 *
 * What others built on it stays with them: their words in a paragraph that would go, their newer value under a key. That is
 * listed as unresolved. What was brought back once is not brought back again, so a second rollback changes nothing.
 */
import * as Y from "yjs"
import type { SharedType } from "../export/shared-types.ts"
import type { Attribution, Mark } from "./attribution.ts"
import type { Copies } from "./copies.ts"
import { itemsOf, type Path, typeIn } from "./reading.ts"
import type { Restored } from "./restore.ts"
import { Writer } from "./writing.ts"

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
}

/**
 * Take changes back. Inside a transaction of the caller's.
 * @param doc the present
 * @param past the present as well, with everything that the changes deleted
 */
export function rollback(doc: Y.Doc, past: Y.Doc, facts: Facts): RolledBack {
  return doc.transact((transaction) => {
    const writer = new Writer(transaction, facts.copies)
    const work = new Rollback(doc, writer, facts)
    for (const [name, type] of past.share) {
      if (facts.roots !== null && !facts.roots.includes(name)) continue
      const now = doc.share.get(name)
      if (now !== undefined)
        work.read(now as unknown as SharedType, type as unknown as SharedType, { root: name, path: [] })
    }
    work.apply()
    const { inserted, deleted, copies } = writer
    return { inserted, deleted, copies, unresolved: work.unresolved }
  })
}

interface Around {
  readonly root: string
  readonly path: Path
}

class Rollback {
  readonly unresolved: Unresolved[] = []
  readonly #doc: Y.Doc
  readonly #writer: Writer
  readonly #facts: Facts
  /** What is done at the end, so that reading sees the document as it was. */
  readonly #acts: (() => void)[] = []

  constructor(doc: Y.Doc, writer: Writer, facts: Facts) {
    this.#doc = doc
    this.#writer = writer
    this.#facts = facts
  }

  /** @param then the same type in the document that still has what was deleted */
  read(now: SharedType, then: SharedType, { root, path }: Around): void {
    let index = 0
    for (const item of itemsOf(then)) {
      const end = item.id.clock + item.length
      for (let at = item.id.clock; at < end; )
        at = this.#decide(item, at, { now, root, path: [...path, index] })
      if (!item.deleted && item.countable) index += item.length
    }
    for (const [key, last] of then._map) this.#decideKey(key, last, now, { root, path: [...path, key] })
  }

  apply(): void {
    for (const act of this.#acts) act()
  }

  /** @returns the clock up to which it has decided */
  #decide(item: Y.Item, at: number, { now, root, path }: Around & { now: SharedType }): number {
    const { client } = item.id
    const end = item.id.clock + item.length
    const inserted = this.#insertOf(client, at, end)
    if (!item.deleted) {
      const nested = typeIn(item)
      if (inserted.isMeant && (nested === null || this.#isAllMeant(nested))) {
        this.#acts.push(() => this.#writer.remove(client, at, inserted.end))
        return inserted.end
      }
      if (nested !== null) {
        const type = this.#typeNow(item)
        if (inserted.isMeant) this.unresolved.push({ root, path, reason: "others have written in it" })
        if (type !== null) this.read(type, nested, { root, path })
      }
      return inserted.end
    }
    const deleted = this.#facts.attribution.deleteOf(client, at)
    const until = Math.min(inserted.end, deleted.end, end)
    if (inserted.isMeant || !this.#facts.isMeant(deleted.mark)) return until
    return this.#bringBack(item, { at, until, now, root, path })
  }

  #bringBack(
    item: Y.Item,
    { at, until, now, root, path }: Around & { at: number; until: number; now: SharedType },
  ): number {
    const { client } = item.id
    const { copies } = this.#facts
    let end = at + 1
    const isDone = copies.isCopied(client, at)
    while (end < until && copies.isCopied(client, end) === isDone) end++
    if (isDone) return end
    if (item.content instanceof Y.ContentDeleted) {
      this.unresolved.push({ root, path, reason: "what was deleted is not kept any more" })
      return end
    }
    // Its trace in the present says where it stood; where its surroundings were collected there is none.
    const trace = Y.getItem(this.#doc.store, Y.createID(client, at)) as Y.Item | Y.GC
    if (!(trace instanceof Y.Item)) {
      this.unresolved.push({ root, path, reason: "what it stood in is gone" })
      return end
    }
    if (!trace.deleted) return end
    this.#acts.push(() => {
      this.#writer.insert(item, {
        clock: at,
        end,
        into: now,
        after: { client, clock: end - 1 },
        deep: (inner) => this.#comesAlong(inner),
      })
    })
    return end
  }

  #decideKey(key: string, last: Y.Item, now: SharedType, { root, path }: Around): void {
    const present = now._map.get(key)
    if (present === undefined) return
    const unit = (item: Y.Item) => item.id.clock + item.length - 1
    const isMeant = (item: Y.Item) => this.#insertOf(item.id.client, unit(item), unit(item) + 1).isMeant
    const nested = last.deleted ? null : typeIn(last)
    if (!last.deleted && !isMeant(last)) {
      const type = this.#typeNow(last)
      if (nested !== null && type !== null) this.read(type, nested, { root, path })
      for (let item = last.left; item !== null; item = item.left)
        if (isMeant(item)) {
          this.unresolved.push({ root, path, reason: "a newer value of somebody else stands there" })
          break
        }
      return
    }
    if (!last.deleted && nested !== null && !this.#isAllMeant(nested)) {
      const type = this.#typeNow(last)
      this.unresolved.push({ root, path, reason: "others have written in it" })
      if (type !== null) this.read(type, nested, { root, path })
      return
    }
    // The newest value that is not of these changes, and that only they have taken away.
    let earlier: Y.Item | null = last
    while (earlier !== null && isMeant(earlier)) earlier = earlier.left
    const wasTaken =
      earlier !== null &&
      this.#facts.isMeant(this.#facts.attribution.deleteOf(earlier.id.client, unit(earlier)).mark)
    if (last.deleted && !wasTaken) return
    if (earlier !== null && wasTaken && this.#facts.copies.isCopied(earlier.id.client, unit(earlier))) return
    if (earlier !== null && wasTaken && !(earlier.content instanceof Y.ContentDeleted)) {
      const value = earlier
      this.#acts.push(() =>
        this.#writer.set(value, { into: now, key, deep: (inner) => this.#comesAlong(inner) }),
      )
      return
    }
    if (earlier !== null && wasTaken)
      this.unresolved.push({ root, path, reason: "the earlier value is not kept any more" })
    this.#acts.push(() => this.#writer.remove(last.id.client, last.id.clock, last.id.clock + last.length))
  }

  /** Of what was within a type that comes back: what these changes took away, and did not bring. */
  #comesAlong(item: Y.Item): boolean {
    const { client, clock } = item.id
    if (item.content instanceof Y.ContentDeleted) return false
    if (this.#insertOf(client, clock, clock + 1).isMeant) return false
    return !item.deleted || this.#facts.isMeant(this.#facts.attribution.deleteOf(client, clock).mark)
  }

  /** Whether all that is alive within a type is of these changes. */
  #isAllMeant(type: SharedType): boolean {
    const items = [...itemsOf(type), ...type._map.values()].filter((item) => !item.deleted)
    return items.every((item) => {
      const { client, clock } = item.id
      const end = clock + item.length
      for (let at = clock; at < end; ) {
        const { isMeant, end: next } = this.#insertOf(client, at, end)
        if (!isMeant) return false
        at = next
      }
      const nested = typeIn(item)
      return nested === null || this.#isAllMeant(nested)
    })
  }

  /** Whether what stands at a clock is of these changes: by whoever wrote it first, however it came back. */
  #insertOf(client: number, at: number, limit: number): { isMeant: boolean; end: number } {
    const { attribution, copies, isMeant } = this.#facts
    const source = copies.sourceOf(client, at, limit - at)
    const { mark, end } = attribution.insertOf(source.client, source.clock)
    const length = Math.min(source.length, end - source.clock)
    const isCopy = source.client !== client || source.clock !== at
    const brought = isCopy ? attribution.insertOf(client, at).mark : null
    const meant = isMeant(mark) || (brought !== null && isMeant(brought))
    return { isMeant: meant, end: Math.min(limit, at + length) }
  }

  #typeNow(item: Y.Item): SharedType | null {
    const here = Y.getItem(this.#doc.store, item.id) as Y.Item | Y.GC
    return here instanceof Y.Item && !here.deleted ? typeIn(here) : null
  }
}
