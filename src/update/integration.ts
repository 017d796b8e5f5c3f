/** In which order, and how far, the structs of an update integrate. */
import type { Reader } from "./reader.ts"
import { refusal } from "./refusal.ts"
import { type Id, NAMES, NONE, SKIP, TYPE } from "./struct.ts"

/** The structs of one client in an update: clocks [clock, end). */
export interface Section {
  readonly client: number
  readonly clock: number
  readonly end: number
}

/** A section while it is walked: its next struct has the clock `clock` and begins at the byte `at`. */
interface Walk {
  readonly client: number
  readonly end: number
  clock: number
  at: number
  /** Someone waits for this walk to pass this clock; NONE when nobody does. */
  until: number
  /** The id without which it cannot go on; null while it can. */
  missing: Id | null
  /** Of each struct walked: where it begins, how deep it is nested, and whether it is under a key. */
  readonly starts: number[]
  readonly depths: number[]
  readonly homes: number[]
}

function newWalk({ client, clock, end }: Section, at: number): Walk {
  return { client, end, clock, at, until: NONE, missing: null, starts: [], depths: [], homes: [] }
}

/** Stands for the section that an update does not have. */
const NOWHERE = newWalk({ client: NONE, clock: 0, end: 0 }, 0)

/** Whether an item is under a key; a number from 2 on: like the known struct in that place. */
const UNKEYED = 0
const KEYED = 1
const LIKE_KNOWN = 2

/**
 * The second pass: the items of an update in the order in which they can integrate, as far as they can.
 *
 * Sections take turns as in Yjs' integrateStructs: one that needs a struct of another waits until that one has come
 * so far, and stops for good where it never will. Every wait moves some section by a struct at least, so the whole is
 * linear in the structs; they are read again rather than kept.
 *
 * On the way the nesting of shared types is followed: an item is as deep as the neighbour it names, or one deeper
 * than its parent; parents that are not in this update count as depth 0. And so is what is under a key.
 */
export class Integration {
  readonly #reader: Reader
  readonly #deletesAt: number
  readonly #typeDepth: number
  readonly #walks = new Map<number, Walk>()
  /** Known structs that items of this update have as neighbours; plain numbers, as there may be a million. */
  readonly #knownClients: number[] = []
  readonly #knownClocks: number[] = []
  readonly #doubts = new Set<number>()
  #deletes: Map<number, number[]> | null = null
  /** How many levels of shared types lie within each other, as far as this update shows. */
  levels = 0
  /** The place of the last struct found, in its walk. */
  #index = 0
  #lastWalk = NOWHERE

  /** @param reader of bytes that were vetted before, and have no struct that is known */
  constructor(reader: Reader, { deletesAt, typeDepth }: { deletesAt: number; typeDepth: number }) {
    this.#reader = reader
    this.#deletesAt = deletesAt
    this.#typeDepth = typeDepth
  }

  /**
   * Add a section whose structs begin at the byte `at`.
   * @param missing the id without which it cannot begin
   */
  add(section: Section, { at, missing = null }: { at: number; missing?: Id | null }): void {
    const walk = newWalk(section, at)
    walk.missing = missing
    this.#walks.set(section.client, walk)
  }

  /** The known structs of which an item longer than one clock is a neighbour, itself or through others. */
  doubts(): Id[] {
    return Array.from(this.#doubts, (home) => ({
      client: this.#knownClients[home - LIKE_KNOWN]!,
      clock: this.#knownClocks[home - LIKE_KNOWN]!,
    }))
  }

  /** Where the sections stop that do not come to their end, and the id that each of them needs first. */
  *stops(): Generator<{ client: number; clock: number; missing: Id }> {
    for (const { client, clock, missing } of this.#walks.values()) {
      if (missing !== null) yield { client, clock, missing }
    }
  }

  /** Walk as far as it goes. @returns whether every item finds what it refers to; those in a circle never do */
  run(): boolean {
    let completes = true
    const stack: Walk[] = []
    for (const first of this.#walks.values()) {
      first.until = Number.POSITIVE_INFINITY
      stack.push(first)
      for (let walk: Walk | undefined = first; walk !== undefined; ) {
        if (walk.missing !== null || walk.clock === walk.end || walk.clock > walk.until) {
          if (walk.missing !== null) completes = false
          walk.until = NONE
          stack.pop()
          walk = stack.at(-1)
          continue
        }
        const blocker = this.#step(walk)
        if (blocker !== null) {
          stack.push(blocker)
          walk = blocker
        }
      }
    }
    return completes
  }

  /** Pass the next struct of a walk, or find out why not. @returns the walk that has to go on first */
  #step(walk: Walk): Walk | null {
    const reader = this.#reader
    reader.at = walk.at
    reader.readStruct(walk.client, walk.clock)
    if (reader.kind === SKIP) {
      walk.missing = { client: walk.client, clock: walk.clock + reader.length - 1 }
      return null
    }
    let client = reader.leftClient
    let needed = reader.leftClock
    let blocker = reader.isAhead ? this.#blocker(client, needed) : null
    if (blocker === null && reader.isAhead) {
      client = reader.rightClient
      needed = reader.rightClock
      blocker = this.#blocker(client, needed)
    }
    if (blocker === null) {
      this.#pass(walk)
      return null
    }
    if (needed >= blocker.end || blocker.missing !== null || blocker.until !== NONE) {
      walk.missing = { client, clock: needed }
      return null
    }
    blocker.until = needed
    return blocker
  }

  /** The walk that has to go on before an item may refer to this id; null when none has to. */
  #blocker(client: number, clock: number): Walk | null {
    if (client === NONE || clock < this.#reader.knownOf(client)) return null
    const walk = this.#walkOf(client)
    return clock < walk.clock ? null : walk
  }

  /** The walk of a client; the last answer is kept, as neighbours tend to refer to the same client. */
  #walkOf(client: number): Walk {
    if (client !== this.#lastWalk.client) this.#lastWalk = this.#walks.get(client) ?? NOWHERE
    return this.#lastWalk
  }

  #pass(walk: Walk): void {
    const reader = this.#reader
    let depth = 0
    let home = UNKEYED
    if (reader.leftIsParent) {
      const parent = this.#find(reader.leftClient, reader.leftClock)
      if (parent !== null) depth = parent.depths[this.#index]! + 1
      home = reader.hasKey ? KEYED : UNKEYED
    } else if (reader.leftClient !== NONE) {
      const left = this.#find(reader.leftClient, reader.leftClock)
      if (left !== null) depth = left.depths[this.#index]!
      home = left === null ? this.#likeKnown(reader.leftClient, reader.leftClock) : left.homes[this.#index]!
    } else if (reader.rightClient !== NONE) {
      const right = this.#find(reader.rightClient, reader.rightClock)
      if (right !== null) depth = right.depths[this.#index]!
      home =
        right === null ? this.#likeKnown(reader.rightClient, reader.rightClock) : right.homes[this.#index]!
    } else if (reader.hasKey) {
      home = KEYED
    }
    if (reader.kind === TYPE && depth >= this.#typeDepth) {
      throw refusal(`shared types nested deeper than ${this.#typeDepth}`, walk.at)
    }
    if (reader.kind === TYPE) this.levels = Math.max(this.levels, depth + 1)
    if (
      reader.isLong &&
      home !== UNKEYED &&
      !this.#isDeleted(walk.client, walk.clock, walk.clock + reader.length)
    ) {
      // Undo managers and documents that collect nothing do send long items under keys, deleted in the same update.
      if (home === KEYED)
        throw refusal(`${NAMES[reader.kind]} of length ${reader.length} under a key`, walk.at)
      this.#doubts.add(home)
    }
    walk.starts.push(walk.clock)
    walk.depths.push(depth)
    walk.homes.push(home)
    walk.at = reader.at
    walk.clock += reader.length
  }

  #likeKnown(client: number, clock: number): number {
    this.#knownClients.push(client)
    return this.#knownClocks.push(clock) - 1 + LIKE_KNOWN
  }

  /** The walk that has passed a struct, with `#index` set to its place there; null for one not in this update. */
  #find(client: number, clock: number): Walk | null {
    const walk = this.#walkOf(client)
    const { starts } = walk
    let high = starts.length - 1
    if (high < 0 || clock < starts[0]! || clock >= walk.clock) return null
    let low = clock >= starts[high]! ? high : 0 // mostly it is the struct just before
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if (starts[middle]! <= clock) low = middle
      else high = middle - 1
    }
    this.#index = low
    return walk
  }

  /** Whether this update deletes all of these clocks. */
  #isDeleted(client: number, clock: number, end: number): boolean {
    this.#deletes ??= readDeletes(this.#reader, this.#deletesAt)
    const ranges = this.#deletes.get(client)
    if (ranges === undefined) return false
    let low = 0
    let high = ranges.length / 2 - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if (ranges[2 * middle]! <= clock) low = middle
      else high = middle - 1
    }
    return ranges[2 * low]! <= clock && end <= ranges[2 * low + 1]!
  }
}

/** The deletes, vetted before: per client [clock, end, clock, end, ...], ranges that touch as one. */
function readDeletes(reader: Reader, deletesAt: number): Map<number, number[]> {
  const deletes = new Map<number, number[]>()
  const { at } = reader
  reader.at = deletesAt
  for (let sections = reader.number(); sections > 0; sections--) {
    const ranges: number[] = []
    deletes.set(reader.number(), ranges)
    for (let count = reader.number(); count > 0; count--) {
      const clock = reader.number()
      const end = clock + reader.number()
      if (ranges.at(-1) === clock) ranges[ranges.length - 1] = end
      else ranges.push(clock, end)
    }
  }
  reader.at = at
  return deletes
}
