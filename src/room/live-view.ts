/**
 * A document as JSON while somebody follows it: what it was when they were told last, and what has changed since. Only the
 * roots that a transaction has touched are read again, once for everyone.
 */
import * as Y from "yjs"
import { Budget, exportBudget } from "../export/budget.ts"
import { type Json, valueToJson } from "../export/json.ts"
import { findRoots } from "../export/roots.ts"
import type { Limits } from "../limits.ts"
import type { Log } from "./log.ts"
import type { Replica } from "./replica.ts"

type View = { readonly [root: string]: Json }

/** The JSON of a document, kept up with it. */
export class LiveView {
  readonly #replica: Replica
  readonly #limits: Limits
  #value: View
  /** The document whose transactions are listened to; a room makes a new one now and then. */
  #doc: Y.Doc | null = null
  readonly #touched = new Set<string>()
  /** The last state of the past that was asked for: after a restart everyone asks for the same. */
  #past: { readonly revision: number; readonly value: View } | null = null

  /** @throws SyncError too-large where the document outgrows what an export may have */
  constructor({ replica, limits }: { replica: Replica; limits: Limits }) {
    this.#replica = replica
    this.#limits = limits
    this.#value = this.#read({})
  }

  /** The document when it was read last. */
  get value(): View {
    return this.#value
  }

  /**
   * Read what has changed. The caller has committed what was taken.
   * @returns the document before and after; what did not change is the same object in both
   */
  advance(): { before: View; after: View } {
    const before = this.#value
    this.#value = this.#read(before)
    this.#past = null
    return { before, after: this.#value }
  }

  /**
   * The document at an earlier revision; null where it is so large that two of it would not fit into memory.
   * @param loaded what the log holds; it goes back as far
   */
  at(revision: number, { snapshot, updates }: ReturnType<Log["load"]>): View | null {
    if (this.#past?.revision === revision) return this.#past.value
    if (3 * this.#replica.weight > this.#limits.documentWeight) return null
    const doc = new Y.Doc()
    if (snapshot !== null) Y.applyUpdate(doc, snapshot)
    for (const one of updates) if (one.revision <= revision) Y.applyUpdate(doc, one.update)
    const budget = this.#budget()
    const value = Object.fromEntries(
      findRoots(doc).map(({ name, type }) => [name, valueToJson(type, budget)]),
    )
    doc.destroy()
    this.#past = { revision, value }
    return value
  }

  /** Stop listening. */
  end(): void {
    this.#doc?.off("afterTransaction", this.#note)
    this.#doc = null
  }

  /** Reading the document applies what the room has taken, so what a transaction touches is known only after it. */
  #read(before: View): View {
    const known = this.#doc
    const doc = this.#replica.document()
    const isSame = doc === known
    if (!isSame) {
      this.end()
      this.#doc = doc
      doc.on("afterTransaction", this.#note)
    }
    const budget = this.#budget()
    const roots = findRoots(doc).map(({ name, type }): [string, Json] => {
      const isKept = isSame && !this.#touched.has(name) && Object.hasOwn(before, name)
      return [name, isKept ? before[name]! : valueToJson(type, budget)]
    })
    this.#touched.clear()
    return Object.fromEntries(roots)
  }

  /** `changedParentTypes` knows nothing of types that nobody has read as anything, so the way up is walked here. */
  readonly #note = ({ changed, doc }: Y.Transaction): void => {
    const roots = new Set<unknown>()
    for (const type of changed.keys()) {
      let at: unknown = type
      while (at instanceof Y.AbstractType && at._item !== null) at = at._item.parent
      roots.add(at)
    }
    for (const [name, type] of doc.share) if (roots.has(type)) this.#touched.add(name)
  }

  #budget(): Budget {
    return new Budget(exportBudget(this.#replica.bytes, this.#limits))
  }
}

/** The revision that the snapshot has, or a later one: the log has all that came after it. */
export function baseOf(updates: readonly { readonly revision: number }[], revision: number): number {
  const [first] = updates
  return first === undefined ? revision : first.revision - 1
}
