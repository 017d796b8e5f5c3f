/**
 * Makes the list of a shared type what it should be, by the smallest difference: what is the same stays, what is of the same
 * kind is changed inside, and only the rest is deleted and inserted.
 */
import { differ } from "./difference.ts"

/** A member of a list as it stands. */
export interface Standing {
  /** Two members with the same token are the same. */
  readonly token: string
  /** Two members of the same kind can be made the same by changing one inside; null: it can only be replaced. */
  readonly kind: string | null
  /** Places of the list that it takes. */
  readonly length: number
}

/** A member of a list as it should be. */
export type Wanted = Pick<Standing, "token" | "kind">

/** What is done to a list; called from its end to its start, so that places to the left stay what they were. */
export interface Hand {
  /** Make the member at this place the wanted one: they are of one kind. */
  update(standing: number, wanted: number, place: number): void
  /** Insert these wanted members, one or more in a row. */
  insert(place: number, from: number, to: number): void
  remove(place: number, length: number): void
}

/** Do what it takes. */
export function align(standing: readonly Standing[], wanted: readonly Wanted[], hand: Hand): void {
  const partners: (number | "same" | null)[] = standing.map(() => "same")
  /** Wanted members to insert before each standing one, and at the end. */
  const before = new Map<number, { from: number; to: number }[]>()
  const add = (place: number, from: number, to: number) => {
    if (from < to) before.set(place, [...(before.get(place) ?? []), { from, to }])
  }
  const edits = differ(
    standing.map(({ token }) => token),
    wanted.map(({ token }) => token),
  )
  for (const { at, remove, from, to } of edits) {
    const kindsThere = standing.slice(at, at + remove).map(({ kind }) => kind ?? Symbol("none"))
    const kindsWanted = wanted.slice(from, to).map(({ kind }) => kind ?? Symbol("none"))
    let [there, next] = [at, from]
    for (const edit of [...differ(kindsThere, kindsWanted), END]) {
      const until = Math.min(at + edit.at, at + remove)
      while (there < until) partners[there++] = next++
      if (edit === END) break
      for (let i = 0; i < edit.remove; i++) partners[there++] = null
      add(there, next, from + edit.to)
      next = from + edit.to
    }
  }
  let place = standing.reduce((sum, { length }) => sum + length, 0)
  /** Places to the right of this one that are to be removed: neighbours go together. */
  let removed = 0
  const removeNow = () => {
    if (removed > 0) hand.remove(place, removed)
    removed = 0
  }
  const insertBefore = (index: number) => {
    const inserts = before.get(index)
    if (inserts === undefined) return
    removeNow()
    for (const { from, to } of inserts.toReversed()) hand.insert(place, from, to)
  }
  insertBefore(standing.length)
  for (let index = standing.length - 1; index >= 0; index--) {
    const { length } = standing[index]!
    const partner = partners[index]!
    if (partner !== null) removeNow()
    place -= length
    if (partner === null) removed += length
    else if (partner !== "same") hand.update(index, partner, place)
    insertBefore(index)
  }
  removeNow()
}

/** After the last edit what is left on both sides goes together. */
const END = { at: Number.POSITIVE_INFINITY, remove: 0, from: 0, to: 0 }
