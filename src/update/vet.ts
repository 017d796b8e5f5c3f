/**
 * The vet: is this update safe to relay, to store and to apply? (rule W3)
 *
 * Yjs is no judge of that: `applyUpdate` integrates structs before it has read the deletes, and a throw inside a
 * transaction leaves the document stuck for good. So the bytes are read here first, strictly, without building an
 * Item and without a document: all the vet knows is the room's state vector.
 *
 *     update   = count section* count deletes*          all numbers are varuints, strings are length + UTF-8
 *     section  = count client clock struct*             clients strictly descending; clocks run on from struct to struct
 *     struct   = 0 length                               GC: was collected
 *              | 10 length                              Skip: a gap left by a merge
 *              | info [origin] [right] [parent] content info: bits 1-5 the content, 6 key, 7 right, 8 origin
 *     origin, right = client clock
 *     parent   = (1 root-name | 0 client clock) [key]   only when there is neither origin nor right
 *     deletes  = client count (clock length)*           ranges ascending and disjoint
 *
 * @source yjs 13.6: utils/encoding.js, utils/updates.js, utils/DeleteSet.js, structs/*
 */
import * as Y from "yjs"

/** Clocks stay below this: beyond 2^31 engines leave their small-integer paths, and nobody types that much. */
const CLOCK_CEILING = 2 ** 31
/** Nesting of one Any or JSON value: reading and writing them is recursive in Yjs. */
export const VALUE_DEPTH = 64
/**
 * Nesting of shared types created by one update. Deleting or exporting them is recursive in Yjs and overflows the
 * stack at about 2,000 levels (Node 24); the deepest honest documents, nested lists, have some dozens.
 */
export const TYPE_DEPTH = 256
/** Bytes of a map key, root name, format key or node name: every peer keeps them; a long URL fits. */
export const KEY_BYTES = 4096
/** Clients an update may introduce: one a visit, so some years of a busy document; about 100 B each in memory. */
export const NEW_CLIENTS = 65_536
/** Structs of one update: Yjs keeps some 150 B for each, and a Durable Object has 128 MB. */
export const STRUCTS = 1_000_000
/** Different root names in one update: a root costs every peer about 700 B whether it is used or not. */
export const ROOTS = 4096

const FORBIDDEN_KEY = "__proto__"

const GC = 0
const DELETED = 1
const JSON_VALUES = 2
const BINARY = 3
const STRING = 4
const EMBED = 5
const FORMAT = 6
const TYPE = 7
const ANY_VALUES = 8
const SUBDOCUMENT = 9
const SKIP = 10
const NAMES = [
  "GC",
  "deleted content",
  "JSON content",
  "binary",
  "string",
  "embed",
  "format",
  "type",
  "any content",
  "subdocument",
  "skip",
]

const XML_ELEMENT = 3
const XML_HOOK = 5
const LAST_TYPE = 6

const HAS_ORIGIN = 0b1000_0000
const HAS_RIGHT = 0b0100_0000
const HAS_KEY = 0b0010_0000
const KIND = 0b0001_1111

/** Stands for "no client" and "no position" in fields that hold numbers. */
const NONE = -1

/** What the room knows without its document: per client the clock up to which every struct is known (a state vector). */
export type Clocks = ReadonlyMap<number, number>

const NOTHING_KNOWN: Clocks = new Map()

/** The id of a struct. */
export interface Id {
  readonly client: number
  readonly clock: number
}

/** An item that begins below the known clock and ends above it, and where it says it belongs. */
export interface Straddler {
  readonly clock: number
  readonly end: number
  readonly origin: Id | null
  readonly right: Id | null
  /** A root name, the id of a type, or null: then it is the parent of `origin` or `right`, as is the key. */
  readonly parent: string | Id | null
  readonly key: string | null
}

/** One section of an update: the structs of one client, clocks [clock, end). */
export interface Section {
  readonly client: number
  readonly clock: number
  readonly end: number
  /** Set by "overlap" for `vetOverlap`; a GC struct that straddles is harmless and not listed. */
  readonly straddler?: Straddler
}

/** What the vet says of an update. */
export type Verdict =
  /**
   * Every struct and delete integrates now; afterwards the state vector is max(known, end) per section.
   * With `doubts` only the document can tell whether it is safe: see `vetDoubts`. With `levels` it creates shared types,
   * nested at most so many levels among themselves; how deep they then lie, the document knows: see `vetDepth`.
   */
  | {
      readonly kind: "accept"
      readonly sections: readonly Section[]
      readonly doubts?: readonly Id[]
      readonly levels?: number
    }
  /** Well-formed, but something it refers to has not arrived. Vet it again when more is known; not safe before. */
  | { readonly kind: "pending"; readonly sections: readonly Section[] }
  /** An item straddles the known clock: see `trim` and `vetOverlap`. Whether the rest waits is not said. */
  | { readonly kind: "overlap"; readonly sections: readonly Section[] }
  /** Not a safe update; the reason is plain and carries the values, e.g. "zero-length delete at byte 9". */
  | { readonly kind: "refuse"; readonly reason: string }

/**
 * Judge one Yjs V1 update in one pass over its bytes, and a second one when its items depend on each other.
 * Has no side effects, never throws, and allocates nothing by a count that the update declares.
 *
 * "accept" (its doubts settled) is a promise: `Y.applyUpdate` on a document in the state `known` integrates all of
 * it without a throw, and leaves it in the state vector that the verdict describes.
 */
export function vet(update: Uint8Array, known: Clocks): Verdict {
  try {
    return judge(new Reader(update, known))
  } catch (thrown) {
    return { kind: "refuse", reason: thrown instanceof Refusal ? thrown.reason : `unreadable: ${thrown}` }
  }
}

/** Where the parts of an update lie in its bytes. */
export interface Outline {
  /** Of each section: its clocks [clock, end), and the bytes [from, to) of its structs. */
  readonly sections: readonly {
    readonly client: number
    readonly clock: number
    readonly end: number
    readonly structs: number
    readonly from: number
    readonly to: number
  }[]
  /** Of each client: clock, length, clock, length, … */
  readonly deletes: readonly { readonly client: number; readonly ranges: number[] }[]
}

/** The outline of an update that was vetted before; null where it has gaps (Skip structs), as a merged one may. */
export function outline(update: Uint8Array): Outline | null {
  const reader = new Reader(update, NOTHING_KNOWN)
  reader.isVetted = true
  const sections: Outline["sections"][number][] = []
  for (let count = reader.number(); count > 0; count--) {
    const structs = reader.number()
    const client = reader.number()
    const clock = reader.number()
    const from = reader.at
    let end = clock
    for (let i = 0; i < structs; i++) {
      reader.readStruct(client, end)
      if (reader.kind === SKIP) return null
      end += reader.length
    }
    sections.push({ client, clock, end, structs, from, to: reader.at })
  }
  const deletes: Outline["deletes"][number][] = []
  for (let count = reader.number(); count > 0; count--) {
    const client = reader.number()
    const ranges: number[] = []
    for (let numbers = 2 * reader.number(); numbers > 0; numbers--) ranges.push(reader.number())
    deletes.push({ client, ranges })
  }
  return { sections, deletes }
}

/**
 * An accepted update without what is known already; the same bytes when nothing is.
 *
 * To be called on every accepted or overlapping update before it is stored, merged or relayed. A merge of two
 * updates that both claim a clock keeps only one of them, and not always the one that came first; and an item that
 * straddles what was collected makes Yjs throw. What was trimmed begins where the room's knowledge ends: the rest
 * of a straddling item continues its known part, so an "overlap" vets as "accept" or "pending" afterwards.
 *
 * @param sections of the verdict on this update against the same `known`
 */
export function trim(update: Uint8Array, sections: readonly Section[], known: Clocks): Uint8Array {
  const begun = new Map<number, number>()
  for (const { client, clock } of sections) {
    const state = known.get(client) ?? 0
    if (clock < state) begun.set(client, state)
  }
  return begun.size === 0 ? update : Y.diffUpdate(update, Y.encodeStateVector(begun))
}

/**
 * Judge an "overlap" with the document, for a caller that applies it untrimmed: each straddling item must continue
 * its known part in the same place, or both must have been collected: Yjs throws when it is only the known part.
 *
 * @param sections of the verdict
 * @param doc the document whose state vector the verdict was made against
 * @returns the reason to refuse, or null; whether the update waits for something shows in the state vector after
 */
export function vetOverlap(sections: readonly Section[], doc: Y.Doc): string | null {
  for (const { client, straddler } of sections) {
    if (straddler === undefined) continue
    const state = Y.getState(doc.store, client)
    if (state <= straddler.clock || state >= straddler.end) continue
    const last = doc.store.clients.get(client)?.at(-1)
    const place = placeOf(straddler, doc)
    const isSame =
      last instanceof Y.Item
        ? place !== null &&
          place !== "collected" &&
          place.parent === last.parent &&
          place.key === last.parentSub
        : place === "collected"
    if (!isSame) return `client ${client} continues at clock ${state} in another place than it began`
  }
  return null
}

/**
 * Settle the doubts of an accepted update with the document, before the update is applied.
 *
 * An item longer than one clock that is alive under a key is a bomb: once something refers to its middle, Yjs splits
 * it, deletes only one half when the key is set again, and throws when the parent is collected, in every client. An
 * honest client never makes one. But an item that has neighbours does not say whether it is under a key, it is where
 * they are: the doubts are those neighbours.
 *
 * A neighbour that was collected can't tell any more; the item will be collected with it. What must then be stored
 * and relayed is what the document makes of the update, not its bytes: see `absorb`.
 *
 * @returns the reason to refuse, or null
 */
export function vetDoubts(doubts: readonly Id[], doc: Y.Doc): string | null {
  for (const id of doubts) {
    const key = itemAt(id, doc)?.parentSub ?? null
    if (key !== null)
      return `an item longer than 1 next to clock ${id.clock} of client ${id.client}, under a key`
  }
  return null
}

/**
 * Whether the shared types that an update has just added to a document lie too deep: an update nests few, many
 * updates could nest any number. Deleting or exporting them is recursive in Yjs.
 *
 * @param sections of the verdict on the update
 * @returns the reason to refuse the update and to forget this document, or null
 */
export function vetDepth(sections: readonly Section[], doc: Y.Doc): string | null {
  for (const { client, clock, end } of sections) {
    const structs = doc.store.clients.get(client) ?? []
    for (let i = structs.length - 1; i >= 0; i--) {
      const struct = structs[i]!
      if (struct.id.clock + struct.length <= clock) break
      if (struct.id.clock >= end || !(struct instanceof Y.Item) || !(struct.content instanceof Y.ContentType))
        continue
      const depth = depthOfItem(struct)
      if (depth > TYPE_DEPTH)
        return `a type nested more than ${TYPE_DEPTH} deep at clock ${struct.id.clock} of client ${client}`
    }
  }
  return null
}

/** How many levels of shared types lie within each other in a document; counting stops past TYPE_DEPTH. */
export function depthOf(doc: Y.Doc): number {
  let deepest = 0
  for (const structs of doc.store.clients.values()) {
    for (const struct of structs) {
      if (struct instanceof Y.Item && struct.content instanceof Y.ContentType)
        deepest = Math.max(deepest, depthOfItem(struct))
    }
  }
  return deepest
}

/** How many items lie around this one, itself included; counting stops past the limit. */
function depthOfItem(item: Y.Item): number {
  let depth = 0
  for (let at: Y.Item | null = item; at !== null && depth <= TYPE_DEPTH; depth++) {
    at = at.parent instanceof Y.AbstractType ? at.parent._item : null
  }
  return depth
}

/**
 * Apply an update to a document. @returns what the document made of it: the same structs and deletes, but for what
 * was known before, and with items that went where everything was collected as collected
 */
export function absorb(update: Uint8Array, doc: Y.Doc): Uint8Array {
  let made: Uint8Array = Uint8Array.of(0, 0)
  const listen = (emitted: Uint8Array) => {
    made = made.length === 2 ? emitted : Y.mergeUpdates([made, emitted])
  }
  doc.on("update", listen)
  try {
    Y.applyUpdate(doc, update)
  } finally {
    doc.off("update", listen)
  }
  return made
}

/**
 * Where Yjs would put a straddling item: the parent and key it names, or those of its left or else right neighbour.
 * "collected" when nothing is left of that, null when it is not there (yet).
 */
function placeOf(item: Straddler, doc: Y.Doc): { parent: unknown; key: string | null } | "collected" | null {
  if (typeof item.parent === "string") return { parent: doc.share.get(item.parent), key: item.key }
  const id = item.origin ?? item.right ?? item.parent
  if (id === null || id.clock >= Y.getState(doc.store, id.client)) return null
  const found = itemAt(id, doc)
  if (found === null) return "collected"
  if (item.parent === null) return { parent: found.parent, key: found.parentSub }
  return found.content instanceof Y.ContentType ? { parent: found.content.type, key: item.key } : "collected"
}

function itemAt({ client, clock }: Id, doc: Y.Doc): Y.Item | null {
  if (clock >= Y.getState(doc.store, client)) return null
  const struct: Y.Item | Y.GC = Y.getItem(doc.store, Y.createID(client, clock))
  return struct instanceof Y.Item ? struct : null
}

function judge(reader: Reader): Verdict {
  const { known } = reader
  const sections: Section[] = []
  const starts: number[] = []
  let waits = false
  let straddles = false
  let secondPass = false
  let newClients = 0
  let allStructs = 0
  let types = 0
  let previous = Number.POSITIVE_INFINITY

  const count = reader.count("sections")
  for (let i = 0; i < count; i++) {
    const at = reader.at
    const structs = reader.count("structs")
    if (structs === 0) throw refusal("empty section", at)
    allStructs += structs
    if (allStructs > STRUCTS) throw refusal(`more than ${STRUCTS} structs`, at)
    const client = reader.number()
    if (client >= previous) throw refusal(`section of client ${client} after that of ${previous}`, at)
    previous = client
    const clock = reader.number()
    const state = known.get(client) ?? 0
    if (clock > state) waits = true
    if (state === 0 && ++newClients > NEW_CLIENTS) throw refusal(`more than ${NEW_CLIENTS} new clients`, at)
    starts.push(reader.at)
    let straddler: Straddler | undefined
    let end = clock
    for (let j = 0; j < structs; j++) {
      reader.readStruct(client, end)
      const next = end + reader.length
      if (reader.kind === SKIP) {
        if (next > state) waits = true
      } else if (reader.kind !== GC) {
        if (end < state && state < next) {
          straddler = reader.straddler(end)
          straddles = true
        }
        if (reader.kind === TYPE) types++
        if (reader.isAhead || reader.mayBeLongUnderKey) secondPass = true
      }
      end = next
    }
    sections.push(straddler === undefined ? { client, clock, end } : { client, clock, end, straddler })
  }
  const deletesAt = reader.at
  if (deletesWait(reader, sections)) waits = true
  if (reader.at !== reader.bytes.length) {
    throw refusal(`${reader.bytes.length - reader.at} trailing bytes`, reader.at)
  }
  if (straddles) return { kind: "overlap", sections }
  if (waits) return { kind: "pending", sections }
  if (!secondPass && types <= TYPE_DEPTH)
    return types === 0 ? { kind: "accept", sections } : { kind: "accept", sections, levels: types }
  const integration = new Integration(reader, deletesAt)
  for (let i = 0; i < count; i++) integration.add(sections[i]!, starts[i]!)
  if (!integration.completes()) return { kind: "pending", sections }
  const doubts = integration.doubts()
  return {
    kind: "accept",
    sections,
    ...(doubts.length > 0 && { doubts }),
    ...(types > 0 && { levels: integration.levels }),
  }
}

/** Read the deletes; whether one of them is of a struct that is neither known nor in these sections. */
function deletesWait(reader: Reader, sections: readonly Section[]): boolean {
  let waits = false
  const count = reader.count("delete sections")
  // Yjs writes the clients descending; other writers (yrs, Yjs before 13.5) in any order.
  const seen = count > 1 ? new Set<number>() : null
  for (let i = 0; i < count; i++) {
    const at = reader.at
    const client = reader.number()
    if (seen?.has(client)) throw refusal(`second delete section of client ${client}`, at)
    seen?.add(client)
    const reach = Math.max(reader.known.get(client) ?? 0, endOf(sections, client))
    const ranges = reader.count("deletes")
    let end = 0
    for (let j = 0; j < ranges; j++) {
      const at = reader.at
      const clock = reader.number()
      if (clock < end) throw refusal(`delete at clock ${clock} after one that ends at ${end}`, at)
      const length = reader.number()
      if (length === 0) throw refusal("zero-length delete", at)
      end = clock + length
      if (end > CLOCK_CEILING) throw refusal(`delete up to clock ${end}, past ${CLOCK_CEILING},`, at)
    }
    if (end > reach) waits = true
  }
  return waits
}

/** Where the section of a client ends, 0 without one; the clients are descending. */
function endOf(sections: readonly Section[], client: number): number {
  let low = 0
  let high = sections.length - 1
  while (low <= high) {
    const middle = (low + high) >> 1
    const section = sections[middle]!
    if (section.client === client) return section.end
    if (section.client > client) low = middle + 1
    else high = middle - 1
  }
  return 0
}

/** A section while the second pass walks it: its next struct has the clock `clock` and begins at the byte `at`. */
interface Walk {
  readonly client: number
  readonly end: number
  clock: number
  at: number
  /** Someone waits for this walk to pass this clock; NONE when nobody does. */
  until: number
  /** Of each struct walked: where it begins, how deep it is nested, and whether it is under a key. */
  readonly starts: number[]
  readonly depths: number[]
  readonly homes: number[]
}

function newWalk({ client, clock, end }: Section, at: number): Walk {
  return { client, end, clock, at, until: NONE, starts: [], depths: [], homes: [] }
}

/** Stands for the section that an update does not have. */
const NOWHERE = newWalk({ client: NONE, clock: 0, end: 0 }, 0)

/** Whether an item is under a key; a number from 2 on: like the known struct in that place. */
const UNKEYED = 0
const KEYED = 1
const LIKE_KNOWN = 2

/**
 * The second pass: the items of an update in the order in which they can integrate.
 *
 * Sections take turns as in Yjs' integrateStructs: one that needs a struct of another waits until that one has come
 * so far. Every wait moves some section by a struct at least, so the whole is linear in the structs; they are read
 * again rather than kept.
 *
 * On the way the nesting of shared types is followed: an item is as deep as the neighbour it names, or one deeper
 * than its parent; parents that are not in this update count as depth 0. And so is what is under a key.
 */
class Integration {
  readonly #reader: Reader
  readonly #deletesAt: number
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

  constructor(reader: Reader, deletesAt: number) {
    this.#reader = reader
    this.#deletesAt = deletesAt
    reader.isVetted = true
  }

  add(section: Section, at: number): void {
    this.#walks.set(section.client, newWalk(section, at))
  }

  /** The known structs of which an item longer than one clock is a neighbour, itself or through others. */
  doubts(): Id[] {
    return Array.from(this.#doubts, (home) => ({
      client: this.#knownClients[home - LIKE_KNOWN]!,
      clock: this.#knownClocks[home - LIKE_KNOWN]!,
    }))
  }

  /** Whether every item finds what it refers to; sections that wait in a circle never do. */
  completes(): boolean {
    const stack: Walk[] = []
    for (const first of this.#walks.values()) {
      first.until = Number.POSITIVE_INFINITY
      stack.push(first)
      for (let walk: Walk | undefined = first; walk !== undefined; ) {
        if (walk.clock === walk.end || walk.clock > walk.until) {
          walk.until = NONE
          stack.pop()
          walk = stack.at(-1)
          continue
        }
        const reader = this.#reader
        reader.at = walk.at
        reader.readStruct(walk.client, walk.clock)
        let needed = NONE
        let blocker: Walk | null = null
        if (reader.isAhead) {
          needed = reader.leftClock
          blocker = this.#blocker(reader.leftClient, needed)
          if (blocker === null) {
            needed = reader.rightClock
            blocker = this.#blocker(reader.rightClient, needed)
          }
        }
        if (blocker === null) {
          this.#pass(walk)
        } else {
          if (needed >= blocker.end || blocker.until !== NONE) return false
          blocker.until = needed
          stack.push(blocker)
          walk = blocker
        }
      }
    }
    return true
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
    if (reader.kind === TYPE && depth >= TYPE_DEPTH) {
      throw refusal(`shared types nested deeper than ${TYPE_DEPTH}`, walk.at)
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

/** Why an update is refused; thrown to `vet`, never further. Not an Error: a flood of them should cost no stacks. */
class Refusal {
  readonly reason: string
  constructor(reason: string) {
    this.reason = reason
  }
}

function refusal(what: string, at: number): Refusal {
  return new Refusal(`${what} at byte ${at}`)
}

// TextDecoder keeps a byte order mark only when told to; Yjs counts it as a character.
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/**
 * Reads an update strictly, from `at` on. The struct read last is described by the fields, so that none is allocated.
 * Every method that reads throws a Refusal where Yjs would throw, go astray, or read past the end.
 */
class Reader {
  readonly bytes: Uint8Array
  readonly known: Clocks
  at = 0
  /** Set for a second pass: what only has to be valid is skipped. */
  isVetted = false

  /** The struct read last: its content, and its length in clocks. */
  kind = GC
  length = 0
  /** The origin it names or, when `leftIsParent`, the id of its parent; NONE without. */
  leftClient = NONE
  leftClock = NONE
  leftIsParent = false
  /** The right origin it names; NONE without. */
  rightClient = NONE
  rightClock = NONE
  /** Whether one of those ids is beyond what is known (other than of its own client: that is refused). */
  isAhead = false
  /** Whether it says itself that it is under a key: it has to when it names its parent. */
  hasKey = false
  /** Whether it is longer than one clock and not born deleted. */
  isLong = false
  /** Whether it is long, and not under the parent it names without a key. */
  mayBeLongUnderKey = false

  #rootFrom = NONE
  #rootTo = NONE
  #keyFrom = NONE
  #keyTo = NONE
  /** The string read last, in bytes. */
  #stringFrom = 0
  /** Different root names so far; the first is not decoded until there is a second. */
  #roots: Set<string> | null = null
  #lastRootFrom = NONE
  #lastRootTo = NONE
  #cachedClient = NONE
  #cachedClock = 0

  constructor(bytes: Uint8Array, known: Clocks) {
    this.bytes = bytes
    this.known = known
  }

  /** The known clock of a client; the last answer is kept, as neighbours tend to refer to the same client. */
  knownOf(client: number): number {
    if (client !== this.#cachedClient) {
      this.#cachedClient = client
      this.#cachedClock = this.known.get(client) ?? 0
    }
    return this.#cachedClock
  }

  /** A varuint of at most 2^53 - 1. */
  number(): number {
    const { bytes } = this
    const from = this.at
    // Most of what the vet reads is numbers: those of up to 35 bits, as client ids have, need neither calls nor checks,
    // unless the end is near.
    if (from + 5 > bytes.length) return this.#longNumber(from, 0, 1)
    let byte = bytes[from]!
    if (byte < 128) {
      this.at = from + 1
      return byte
    }
    let value = byte & 127
    byte = bytes[from + 1]!
    value |= (byte & 127) << 7
    if (byte < 128) {
      this.at = from + 2
      return value
    }
    byte = bytes[from + 2]!
    value |= (byte & 127) << 14
    if (byte < 128) {
      this.at = from + 3
      return value
    }
    byte = bytes[from + 3]!
    value |= (byte & 127) << 21
    if (byte < 128) {
      this.at = from + 4
      return value
    }
    byte = bytes[from + 4]!
    value += (byte & 127) * 2 ** 28
    this.at = from + 5
    return byte < 128 ? value : this.#longNumber(from, value, 2 ** 35)
  }

  /** The rest of a number that began at the byte `from`; its next seven bits count `begunFactor`. */
  #longNumber(from: number, begun: number, begunFactor: number): number {
    let value = begun
    for (let factor = begunFactor; ; factor *= 128) {
      // Eight bytes carry 56 bits. Without an end, zero bits would go on until the factor is infinite and the sum NaN.
      if (factor === 2 ** 56) throw refusal("number of more than eight bytes", from)
      const byte = this.byte()
      value += (byte & 127) * factor
      if (byte < 128) break
    }
    if (value > Number.MAX_SAFE_INTEGER) throw refusal("number above 2^53 - 1", from)
    return value
  }

  /** A number of things that follow, each of which takes a byte at least. */
  count(what: string): number {
    const from = this.at
    const count = this.number()
    if (count > this.bytes.length - this.at) {
      throw refusal(`${count} ${what} in ${this.bytes.length - this.at} bytes`, from)
    }
    return count
  }

  byte(): number {
    if (this.at >= this.bytes.length) throw refusal("end of the update", this.at)
    return this.bytes[this.at++]!
  }

  skip(bytes: number): void {
    if (bytes > this.bytes.length - this.at) throw refusal(`${bytes} bytes cut off`, this.at)
    this.at += bytes
  }

  /** Read the struct of a client at a clock into the fields. */
  readStruct(client: number, clock: number): void {
    const from = this.at
    const info = this.byte()
    const kind = info & KIND
    this.kind = kind
    this.leftClient = NONE
    this.leftIsParent = false
    this.rightClient = NONE
    this.isAhead = false
    this.hasKey = false
    this.isLong = false
    this.mayBeLongUnderKey = false
    if (kind === GC || kind === SKIP) {
      if (info !== kind) throw refusal(`${NAMES[kind]} with info ${info}`, from)
      this.length = this.number()
    } else {
      this.#readPlace(info, client, clock)
      this.length = this.#readContent(kind, from)
      this.isLong = this.length > 1 && kind !== DELETED
      this.mayBeLongUnderKey = this.isLong && (info & (HAS_ORIGIN | HAS_RIGHT | HAS_KEY)) !== 0
    }
    if (this.length === 0) throw refusal(`zero-length ${NAMES[kind]}`, from)
    if (clock + this.length > CLOCK_CEILING) {
      throw refusal(`${NAMES[kind]} up to clock ${clock + this.length}, past ${CLOCK_CEILING},`, from)
    }
  }

  /** The item read last, for a verdict of "overlap". */
  straddler(clock: number): Straddler {
    const left = this.leftClient === NONE ? null : { client: this.leftClient, clock: this.leftClock }
    return {
      clock,
      end: clock + this.length,
      origin: this.leftIsParent ? null : left,
      right: this.rightClient === NONE ? null : { client: this.rightClient, clock: this.rightClock },
      parent: this.leftIsParent ? left : this.#text(this.#rootFrom, this.#rootTo),
      key: this.#text(this.#keyFrom, this.#keyTo),
    }
  }

  #readPlace(info: number, client: number, clock: number): void {
    this.#rootFrom = NONE
    this.#keyFrom = NONE
    if (info & HAS_ORIGIN) this.#readLeft(client, clock)
    if (info & HAS_RIGHT) {
      const from = this.at
      this.rightClient = this.number()
      this.rightClock = this.number()
      this.#checkId(this.rightClient, this.rightClock, client, clock, from)
    }
    if (info & (HAS_ORIGIN | HAS_RIGHT)) return
    const from = this.at
    const isRoot = this.number()
    if (isRoot > 1) throw refusal(`parent of kind ${isRoot}`, from)
    if (isRoot === 1) {
      this.#readKey("root name")
      if (!this.isVetted) {
        this.#rootFrom = this.#stringFrom
        this.#rootTo = this.at
        this.#countRoot(from)
      }
    } else {
      this.#readLeft(client, clock)
      this.leftIsParent = true
    }
    if (info & HAS_KEY) {
      this.hasKey = true
      this.#readKey("key")
      this.#keyFrom = this.#stringFrom
      this.#keyTo = this.at
    }
  }

  #readLeft(client: number, clock: number): void {
    const from = this.at
    this.leftClient = this.number()
    this.leftClock = this.number()
    this.#checkId(this.leftClient, this.leftClock, client, clock, from)
  }

  #checkId(client: number, clock: number, ownClient: number, ownClock: number, from: number): void {
    if (client === ownClient) {
      if (clock >= ownClock) {
        throw refusal(
          `reference of client ${client} at clock ${ownClock} ahead to its own clock ${clock}`,
          from,
        )
      }
    } else if (clock >= this.knownOf(client)) {
      if (clock >= CLOCK_CEILING) throw refusal(`reference to clock ${clock}, past ${CLOCK_CEILING},`, from)
      this.isAhead = true
    }
  }

  /** Read the content of an item. @returns its length in clocks */
  #readContent(kind: number, from: number): number {
    switch (kind) {
      case DELETED:
        return this.number()
      case JSON_VALUES: {
        const count = this.count("JSON values")
        for (let i = 0; i < count; i++) this.#readJson(true)
        return count
      }
      case BINARY:
        this.skip(this.number())
        return 1
      case STRING:
        return this.#readString()
      case EMBED:
        this.#readJson(false)
        return 1
      case FORMAT:
        this.#readKey("format key")
        this.#readJson(false)
        return 1
      case TYPE: {
        const type = this.number()
        if (type > LAST_TYPE) throw refusal(`shared type ${type}`, from)
        if (type === XML_ELEMENT || type === XML_HOOK) this.#readKey("node name")
        return 1
      }
      case ANY_VALUES: {
        const count = this.count("any values")
        for (let i = 0; i < count; i++) this.#readAny(0)
        return count
      }
      case SUBDOCUMENT:
        this.#readString()
        this.#readOptions()
        return 1
      default:
        throw refusal(`content of kind ${kind}`, from)
    }
  }

  /** Read a string; it stays known as `#stringFrom` to `at`. @returns its length in UTF-16 units, as Yjs counts */
  #readString(): number {
    const length = this.number()
    const { bytes } = this
    if (length > bytes.length - this.at) throw refusal(`string of ${length} bytes cut off`, this.at)
    this.#stringFrom = this.at
    const end = this.at + length
    let units = length
    let at = this.at
    while (at < end) {
      const lead = bytes[at]!
      if (lead < 0x80) {
        at++
        continue
      }
      // Of each sequence the second byte alone tells overlong forms, surrogates and code points past U+10FFFF.
      const size = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4
      const low = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80
      const high = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf
      if (
        lead < 0xc2 ||
        lead > 0xf4 ||
        at + size > end ||
        bytes[at + 1]! < low ||
        bytes[at + 1]! > high ||
        (size > 2 && (bytes[at + 2]! & 0xc0) !== 0x80) ||
        (size > 3 && (bytes[at + 3]! & 0xc0) !== 0x80)
      ) {
        throw refusal("invalid UTF-8", at)
      }
      at += size
      units -= size === 4 ? 2 : size - 1
    }
    this.at = end
    return units
  }

  #readKey(what: string): void {
    if (this.isVetted) {
      this.skip(this.number())
      return
    }
    const from = this.at
    this.#readString()
    const length = this.at - this.#stringFrom
    if (length > KEY_BYTES) throw refusal(`${what} of ${length} bytes, more than ${KEY_BYTES},`, from)
    this.#checkKey(what, from)
  }

  /** Assigning to this key of a plain object would set its prototype: Yjs does so when it reads and exports. */
  #checkKey(what: string, from: number): void {
    if (this.#isText(FORBIDDEN_KEY)) {
      throw refusal(`${what} ${FORBIDDEN_KEY}`, from)
    }
  }

  /** Read a JSON text, just as Yjs does; `undefined` is how Yjs writes that value into a list of them. */
  #readJson(orUndefined: boolean): void {
    if (this.isVetted) {
      this.skip(this.number())
      return
    }
    const from = this.at
    this.#readString()
    if (this.#isPlainJson()) return
    const text = this.#lastString()
    if (orUndefined && text === "undefined") return
    let value: unknown
    try {
      value = JSON.parse(text)
    } catch {
      throw refusal("invalid JSON", from)
    }
    if (typeof value === "object") checkJson(value, 1, from)
  }

  /** Whether the string read last is a JSON literal or string that needs no parser: what most formats carry. */
  #isPlainJson(): boolean {
    const { bytes } = this
    const from = this.#stringFrom
    const last = this.at - 1
    if (bytes[from] === 0x22 && last > from && bytes[last] === 0x22) {
      for (let at = from + 1; at < last; at++) {
        const byte = bytes[at]!
        if (byte < 0x20 || byte === 0x22 || byte === 0x5c) return false
      }
      return true
    }
    return this.#isText("true") || this.#isText("null") || this.#isText("false")
  }

  /** Whether the string read last is this ASCII text. */
  #isText(text: string): boolean {
    if (this.at - this.#stringFrom !== text.length) return false
    for (let i = 0; i < text.length; i++) {
      if (this.bytes[this.#stringFrom + i] !== text.charCodeAt(i)) return false
    }
    return true
  }

  #readAny(depth: number): void {
    const from = this.at
    const tag = this.byte()
    switch (tag) {
      case 127: // undefined
      case 126: // null
      case 121: // false
      case 120: // true
        return
      case 125:
        this.#readSigned()
        return
      case 124: // float32
        this.skip(4)
        return
      case 123: // float64
      case 122: // bigint
        this.skip(8)
        return
      case 119:
        this.#readString()
        return
      case 116: // bytes
        this.skip(this.number())
        return
      case 118:
      case 117: {
        if (depth === VALUE_DEPTH) throw refusal(`any value nested deeper than ${VALUE_DEPTH}`, from)
        const count = this.count(tag === 118 ? "entries" : "elements")
        for (let i = 0; i < count; i++) {
          if (tag === 118) {
            const keyFrom = this.at
            this.#readString()
            this.#checkKey("key", keyFrom)
          }
          this.#readAny(depth + 1)
        }
        return
      }
      default:
        throw refusal(`any value of kind ${tag}`, from)
    }
  }

  /** A signed varint: like a varuint, with the sign in bit 7 of the first byte. */
  #readSigned(): void {
    const from = this.at
    let byte = this.byte()
    let value = byte & 63
    for (let factor = 64; byte >= 128; factor *= 128) {
      if (factor > 2 ** 48) throw refusal("number of more than eight bytes", from)
      byte = this.byte()
      value += (byte & 127) * factor
    }
    if (value > Number.MAX_SAFE_INTEGER) throw refusal("number above 2^53 - 1", from)
  }

  /** Read the options of a subdocument: Yjs spreads them over the arguments of `new Y.Doc`. */
  #readOptions(): void {
    const from = this.at
    if (this.byte() !== 118) throw refusal("subdocument options that are no object", from)
    const count = this.count("options")
    for (let i = 0; i < count; i++) {
      const keyFrom = this.at
      this.#readKey("option")
      const key = this.#lastString()
      if (key === "guid" || key === "gcFilter") throw refusal(`subdocument option ${key}`, keyFrom)
      this.#readAny(1)
    }
  }

  #countRoot(from: number): void {
    if (this.#lastRootFrom !== NONE && this.#isLastRoot()) return
    if (this.#lastRootFrom !== NONE) {
      this.#roots ??= new Set([this.#text(this.#lastRootFrom, this.#lastRootTo)!])
      this.#roots.add(this.#text(this.#rootFrom, this.#rootTo)!)
      if (this.#roots.size > ROOTS) throw refusal(`more than ${ROOTS} root names`, from)
    }
    this.#lastRootFrom = this.#rootFrom
    this.#lastRootTo = this.#rootTo
  }

  #isLastRoot(): boolean {
    const length = this.#rootTo - this.#rootFrom
    if (length !== this.#lastRootTo - this.#lastRootFrom) return false
    for (let i = 0; i < length; i++) {
      if (this.bytes[this.#rootFrom + i] !== this.bytes[this.#lastRootFrom + i]) return false
    }
    return true
  }

  #lastString(): string {
    return utf8.decode(this.bytes.subarray(this.#stringFrom, this.at))
  }

  #text(from: number, to: number): string | null {
    return from === NONE ? null : utf8.decode(this.bytes.subarray(from, to))
  }
}

/** JSON.parse itself is not recursive, but what Yjs and its users do with the value is. */
function checkJson(value: unknown, depth: number, from: number): void {
  if (typeof value !== "object" || value === null) return
  if (depth > VALUE_DEPTH) throw refusal(`JSON nested deeper than ${VALUE_DEPTH}`, from)
  if (Array.isArray(value)) {
    for (const element of value) checkJson(element, depth + 1, from)
    return
  }
  if (Object.hasOwn(value, FORBIDDEN_KEY)) throw refusal(`JSON key ${FORBIDDEN_KEY}`, from)
  for (const member of Object.values(value)) checkJson(member, depth + 1, from)
}
