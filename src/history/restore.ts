/**
 * Restore: a past state comes back as a change like any other (H3), by difference. Content that is in both states stays, with
 * its ids; what has come since is deleted; what is gone is written again in its place. What an earlier restore wrote again
 * counts as what it is a copy of.
 */
import type * as Y from "yjs"
import type { SharedType } from "../export/shared-types.ts"
import { Bringer, type Target } from "./bring.ts"
import type { Copies, Copy } from "./copies.ts"
import { isEqualType } from "./equal.ts"

/** What a restore did. */
export interface Restored {
  readonly copies: readonly Copy[]
  /** Letters and values. */
  readonly inserted: number
  readonly deleted: number
}

/**
 * Make a document what it was. Inside a transaction of the caller's. Subdocuments are references: they are brought back or
 * taken away, never looked into.
 * @param doc the present
 * @param past the state to come back to, in a document of its own
 * @param options.roots the only roots to change; null: all
 * @param options.most items that may be written and deleted
 * @throws SyncError too-large where it would be more
 */
export function restore(
  doc: Y.Doc,
  past: Y.Doc,
  { roots, copies: known, most }: { roots: readonly string[] | null; copies: Copies; most: number },
): Restored {
  return doc.transact((transaction) => {
    const bringer = new Bringer(transaction, { target: AS_IT_WAS, known, most })
    for (const name of roots ?? new Set([...doc.share.keys(), ...past.share.keys()])) {
      const now = doc.share.get(name)
      // reason: what was read from bytes is a type without a kind, and is read as what it holds
      const then = past.share.get(name) as SharedType | undefined
      if (now !== undefined) bringer.bring(then ?? null, now as SharedType)
    }
    const { copies, inserted, deleted } = bringer
    return { copies, inserted, deleted }
  })
}

const AS_IT_WAS: Target = {
  *wanted(item) {
    if (!item.deleted) yield { item, offset: 0, length: item.length }
  },
  entry(type, key) {
    const item = type._map.get(key)
    return item === undefined || item.deleted ? null : { item, offset: item.length - 1, length: 1 }
  },
  isMet: isEqualType,
}
