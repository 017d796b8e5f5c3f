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
/** Clients an update may introduce: a session each, so some years of a busy document; about 100 B each in memory. */
export const NEW_CLIENTS = 65_536
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
  /** Every struct and delete integrates now; afterwards the state vector is max(known, end) per section. */
  | { readonly kind: "accept"; readonly sections: readonly Section[] }
  /** Well-formed, but something it refers to has not arrived. Vet it again when more is known; not safe before. */
  | { readonly kind: "pending"; readonly sections: readonly Section[] }
  /** An item straddles the known clock: see `trim` and `vetOverlap`. Whether the rest waits is not said. */
  | { readonly kind: "overlap"; readonly sections: readonly Section[] }
  /** Not a safe update; the reason is plain and carries the values, e.g. "zero-length delete at byte 9". */
  | { readonly kind: "refuse"; readonly reason: string }

/**
 * Judge one Yjs V1 update in one pass over its bytes, and a second one when its sections refer to each other.
 * Has no side effects, never throws, and allocates nothing by a count that the update declares.
 *
 * "accept" is a promise: `Y.applyUpdate` on a document in the state `known` integrates all of it without a throw,
 * and leaves it in the state vector that the verdict describes.
 */
export function vet(update: Uint8Array, known: Clocks): Verdict {
  try {
    return judge(new Reader(update, known))
  } catch (thrown) {
    return { kind: "refuse", reason: thrown instanceof Refusal ? thrown.reason : `unreadable: ${thrown}` }
  }
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
 * its known part in the same place, and that part must not have been collected.
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
    if (!(last instanceof Y.Item)) return `client ${client} continues at clock ${state} what was collected`
    const place = placeOf(straddler, doc)
    if (place === null || place.parent !== last.parent || place.key !== last.parentSub)
      return `client ${client} continues at clock ${state} in another place than it began`
  }
  return null
}

/** Where Yjs would put a straddling item: the parent and key it names, or those of its left or else right neighbour. */
function placeOf(item: Straddler, doc: Y.Doc): { parent: unknown; key: string | null } | null {
  const neighbour = item.origin ?? item.right
  if (neighbour !== null) {
    const found = itemAt(neighbour, doc)
    return found && { parent: found.parent, key: found.parentSub }
  }
  if (item.parent === null) return null
  if (typeof item.parent === "string") return { parent: doc.share.get(item.parent), key: item.key }
  const content = itemAt(item.parent, doc)?.content
  return content instanceof Y.ContentType ? { parent: content.type, key: item.key } : null
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
  let entangled = false
  let straddles = false
  let newClients = 0
  let types = 0
  let previous = Number.POSITIVE_INFINITY

  const count = reader.count("sections")
  for (let i = 0; i < count; i++) {
    const at = reader.at
    const structs = reader.count("structs")
    if (structs === 0) throw refusal("empty section", at)
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
        if (reader.isAhead) entangled = true
      }
      end = next
    }
    sections.push(straddler === undefined ? { client, clock, end } : { client, clock, end, straddler })
  }
  if (deletesWait(reader, sections)) waits = true
  if (reader.at !== reader.bytes.length) {
    throw refusal(`${reader.bytes.length - reader.at} trailing bytes`, reader.at)
  }
  if (straddles) return { kind: "overlap", sections }
  if (!waits && (entangled || types > TYPE_DEPTH)) {
    const walks = new Map<number, Walk>()
    for (let i = 0; i < count; i++) walks.set(sections[i]!.client, newWalk(sections[i]!, starts[i]!))
    waits = !integrates(reader, walks, types > TYPE_DEPTH)
  }
  return { kind: waits ? "pending" : "accept", sections }
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
  /** Where the structs walked so far begin and how deep they are nested; filled when depth is asked for. */
  readonly starts: number[]
  readonly depths: number[]
}

function newWalk({ client, clock, end }: Section, at: number): Walk {
  return { client, end, clock, at, until: NONE, starts: [], depths: [] }
}

/**
 * Whether every item finds what it refers to, when sections take turns as in Yjs' integrateStructs: a section that
 * needs a struct of another one waits until that has come so far. Sections that wait in a circle never do.
 *
 * Every wait moves some section by a struct at least, so the whole is linear in the structs; they are read again
 * rather than kept. With `deep` the nesting is followed on the way: an item is as deep as its neighbour in the same
 * parent, or one deeper than the parent it names. Parents that are not in this update count as depth 0.
 */
function integrates(reader: Reader, walks: ReadonlyMap<number, Walk>, deep: boolean): boolean {
  const stack: Walk[] = []
  for (const first of walks.values()) {
    first.until = Number.POSITIVE_INFINITY
    stack.push(first)
    for (let walk = first; ; ) {
      if (walk.clock === walk.end || walk.clock > walk.until) {
        walk.until = NONE
        stack.pop()
        if (stack.length === 0) break
        walk = stack[stack.length - 1]!
        continue
      }
      reader.at = walk.at
      reader.readStruct(walk.client, walk.clock)
      let clock = reader.leftClock
      let blocker = blockerOf(reader, walks, reader.leftClient, clock)
      if (blocker === null) {
        clock = reader.rightClock
        blocker = blockerOf(reader, walks, reader.rightClient, clock)
      }
      if (blocker !== null) {
        if (clock >= blocker.end || blocker.until !== NONE) return false
        blocker.until = clock
        stack.push(blocker)
        walk = blocker
        continue
      }
      if (deep) {
        const depth = depthOf(reader, walks)
        if (reader.kind === TYPE && depth >= TYPE_DEPTH) {
          throw refusal(`shared types nested deeper than ${TYPE_DEPTH}`, walk.at)
        }
        walk.starts.push(walk.clock)
        walk.depths.push(depth)
      }
      walk.at = reader.at
      walk.clock += reader.length
    }
  }
  return true
}

/** The walk that has to go on before an item may refer to this id; null when nothing has to. */
function blockerOf(
  reader: Reader,
  walks: ReadonlyMap<number, Walk>,
  client: number,
  clock: number,
): Walk | null {
  if (client === NONE || clock < reader.knownOf(client)) return null
  const walk = walks.get(client) ?? NOWHERE
  return clock < walk.clock ? null : walk
}

/** Stands for the section that an update does not have. */
const NOWHERE = newWalk({ client: NONE, clock: 0, end: 0 }, 0)

function depthOf(reader: Reader, walks: ReadonlyMap<number, Walk>): number {
  if (reader.leftClient === NONE) return Math.max(0, depthAt(walks, reader.rightClient, reader.rightClock))
  const depth = depthAt(walks, reader.leftClient, reader.leftClock)
  return reader.leftIsParent ? depth + 1 : Math.max(0, depth)
}

/** The depth of a struct walked before; -1 for one that is not in this update. */
function depthAt(walks: ReadonlyMap<number, Walk>, client: number, clock: number): number {
  const { starts, depths } = walks.get(client) ?? NOWHERE
  let low = 0
  let high = starts.length - 1
  if (high < 0 || clock < starts[0]!) return -1
  if (clock >= starts[high]!) low = high // the struct just before: the usual case
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (starts[middle]! <= clock) low = middle
    else high = middle - 1
  }
  return depths[low]!
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
    const from = this.at
    let value = 0
    for (let factor = 1; ; factor *= 128) {
      if (this.at >= this.bytes.length) throw refusal("number cut off", from)
      const byte = this.bytes[this.at++]!
      value += (byte & 127) * factor
      if (value > Number.MAX_SAFE_INTEGER) throw refusal("number above 2^53 - 1", from)
      if (byte < 128) return value
      // Eight bytes carry 56 bits. Without an end, zero bits would go on until the factor is infinite and the sum NaN.
      if (factor === 2 ** 49) throw refusal("number of more than eight bytes", from)
    }
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
    if (this.at >= this.bytes.length) throw refusal("end of bytes", this.at)
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
    if (kind === GC || kind === SKIP) {
      if (info !== kind) throw refusal(`${NAMES[kind]} with info ${info}`, from)
      this.length = this.number()
    } else {
      this.#readPlace(info, client, clock)
      this.length = this.#readContent(kind, from)
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
      this.#rootFrom = this.#stringFrom
      this.#rootTo = this.at
      this.#countRoot(from)
    } else {
      this.#readLeft(client, clock)
      this.leftIsParent = true
    }
    if (info & HAS_KEY) {
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
    const from = this.at
    this.#readString()
    const length = this.at - this.#stringFrom
    if (length > KEY_BYTES) throw refusal(`${what} of ${length} bytes, more than ${KEY_BYTES},`, from)
    this.#checkKey(what, from)
  }

  /** Assigning to this key of a plain object would set its prototype: Yjs does so when it reads and exports. */
  #checkKey(what: string, from: number): void {
    if (this.at - this.#stringFrom === FORBIDDEN_KEY.length && this.#lastString() === FORBIDDEN_KEY) {
      throw refusal(`${what} ${FORBIDDEN_KEY}`, from)
    }
  }

  /** Read a JSON text, just as Yjs does; `undefined` is how Yjs writes that value into a list of them. */
  #readJson(orUndefined: boolean): void {
    const from = this.at
    this.#readString()
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
      if (value > Number.MAX_SAFE_INTEGER) throw refusal("number above 2^53 - 1", from)
    }
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
