/**
 * Reads a Yjs V1 update strictly, without building an Item and without a document.
 *
 *     update   = count section* count deletes*          all numbers are varuints, strings are length + UTF-8
 *     section  = count client clock struct*             one per client; clocks run on from struct to struct
 *     struct   = 0 length                               GC: was collected
 *              | 10 length                              Skip: a gap left by a merge
 *              | info [origin] [right] [parent] content info: bits 1-5 the content, 6 key, 7 right, 8 origin
 *     origin, right = client clock
 *     parent   = (1 root-name | 0 client clock) [key]   only when there is neither origin nor right
 *     deletes  = client count (clock length)*           ranges ascending and disjoint
 *
 * Longer than a file should be: a grammar is easiest to check against that of Yjs in one place, and a keystroke costs a
 * sixth more where the class that reads numbers is another one that this extends.
 *
 * @source yjs 13.6: utils/encoding.js, utils/updates.js, utils/DeleteSet.js, structs/*
 */
import { LIMITS, type UpdateLimits } from "../limits.ts"
import { checkJson, FORBIDDEN_KEY } from "./json.ts"
import { refusal } from "./refusal.ts"
import {
  ANY_VALUES,
  BINARY,
  CLOCK_CEILING,
  type Clocks,
  DELETED,
  EMBED,
  FORMAT,
  GC,
  HAS_KEY,
  HAS_ORIGIN,
  HAS_RIGHT,
  JSON_VALUES,
  KIND,
  LAST_TYPE,
  NAMES,
  NONE,
  SKIP,
  STRING,
  SUBDOCUMENT,
  TYPE,
  utf8,
  XML_ELEMENT,
  XML_HOOK,
} from "./struct.ts"
import { COST, weightOfNames } from "./weight.ts"

/** How a reader reads. */
export interface ReaderOptions {
  /** Instead of `LIMITS`. */
  readonly limits?: UpdateLimits | undefined
  readonly isVetted?: boolean
}

const STRICTLY: ReaderOptions = {}

/**
 * Reads an update strictly, from `at` on. The struct read last is described by the fields, so that none is allocated.
 * Every method that reads throws a Refusal where Yjs would throw, go astray, or read past the end.
 */
export class Reader {
  readonly bytes: Uint8Array
  at = 0

  readonly known: Clocks
  /** Bytes of memory that the structs and deletes read so far take in a Y.Doc. */
  weight = 0
  /** Set for a second pass: what only has to be valid is skipped. */
  readonly #isVetted: boolean
  readonly #limits: UpdateLimits

  /** The struct read last: its content, and its length in clocks. */
  kind = GC
  length = 0
  /** Where its content begins. */
  contentAt = 0
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

  #ownClient = NONE
  #ownClock = 0
  #rootFrom = NONE
  #rootTo = NONE
  /** The string read last, in bytes. */
  #stringFrom = 0
  /** Different root names so far; the first is not decoded until there is a second. */
  #roots: Set<string> | null = null
  #lastRootFrom = NONE
  #lastRootTo = NONE
  #cachedClient = NONE
  #cachedClock = 0

  /** @param options.isVetted the bytes were read without a refusal before */
  constructor(bytes: Uint8Array, known: Clocks, options: ReaderOptions = STRICTLY) {
    this.bytes = bytes
    this.known = known
    this.#limits = options.limits ?? LIMITS
    this.#isVetted = options.isVetted ?? false
  }

  /** The root that the struct read last names as its parent; null where it names none. */
  get root(): string | null {
    return this.#rootFrom === NONE ? null : this.#text(this.#rootFrom, this.#rootTo)
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

  /** The next byte. */
  byte(): number {
    if (this.at >= this.bytes.length) throw refusal("end of the update", this.at)
    return this.bytes[this.at++]!
  }

  /** Pass over bytes. */
  skip(bytes: number): void {
    if (bytes > this.bytes.length - this.at) throw refusal(`${bytes} bytes cut off`, this.at)
    this.at += bytes
  }

  /** A signed varint, checked and passed over: like a varuint, with the sign in bit 7 of the first byte. */
  signedNumber(): void {
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

  /** Read a string. */
  text(): string {
    this.#readString()
    return this.#text(this.#stringFrom, this.at)
  }

  /** Read the struct of a client at a clock into the fields. */
  readStruct(client: number, clock: number): void {
    const from = this.at
    const info = this.byte()
    const kind = info & KIND
    this.kind = kind
    this.#ownClient = client
    this.#ownClock = clock
    this.leftClient = NONE
    this.leftIsParent = false
    this.rightClient = NONE
    this.isAhead = false
    this.hasKey = false
    this.isLong = false
    this.mayBeLongUnderKey = false
    this.#rootFrom = NONE
    if (kind === GC || kind === SKIP) {
      if (info !== kind) throw refusal(`${NAMES[kind]} with info ${info}`, from)
      this.contentAt = this.at
      this.length = this.number()
      this.weight += COST.gc
    } else {
      this.weight += COST.item + this.#readPlace(info)
      this.contentAt = this.at
      this.length = this.#readContent(kind, from)
      this.isLong = this.length > 1 && kind !== DELETED
      this.mayBeLongUnderKey = this.isLong && (info & (HAS_ORIGIN | HAS_RIGHT | HAS_KEY)) !== 0
    }
    if (this.length === 0) throw refusal(`zero-length ${NAMES[kind]}`, from)
    if (clock + this.length > CLOCK_CEILING) {
      throw refusal(`${NAMES[kind]} up to clock ${clock + this.length}, past ${CLOCK_CEILING},`, from)
    }
  }

  /** @returns the weight of what it names */
  #readPlace(info: number): number {
    let weight = 0
    if (info & HAS_ORIGIN) {
      this.#readLeft()
      weight = COST.id
    }
    if (info & HAS_RIGHT) {
      const from = this.at
      this.rightClient = this.number()
      this.rightClock = this.number()
      this.#checkId(this.rightClient, this.rightClock, from)
      weight += COST.id
      // Between two known structs there may be none yet: what is known has to be split there.
      if (info & HAS_ORIGIN && this.leftClient !== this.#ownClient && !this.isAhead) weight += COST.split
    }
    if (info & (HAS_ORIGIN | HAS_RIGHT)) return weight
    const from = this.at
    const isRoot = this.number()
    if (isRoot > 1) throw refusal(`parent of kind ${isRoot}`, from)
    if (isRoot === 1) {
      this.#readKey("root name")
      this.#rootFrom = this.#stringFrom
      this.#rootTo = this.at
      if (!this.#isVetted) this.#countRoot(from)
    } else {
      this.#readLeft()
      this.leftIsParent = true
      weight = COST.id
    }
    if (info & HAS_KEY) {
      this.hasKey = true
      this.#readKey("key")
      weight += COST.key + this.at - this.#stringFrom
    }
    return weight
  }

  #readLeft(): void {
    const from = this.at
    this.leftClient = this.number()
    this.leftClock = this.number()
    this.#checkId(this.leftClient, this.leftClock, from)
  }

  /** Check an id that the item at hand names, at the byte `from`. */
  #checkId(client: number, clock: number, from: number): void {
    if (client === this.#ownClient) {
      if (clock >= this.#ownClock) {
        throw refusal(
          `reference of client ${client} at clock ${this.#ownClock} ahead to its own clock ${clock}`,
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
        this.weight += COST.slot * count
        for (let i = 0; i < count; i++) this.#readJson(true)
        return count
      }
      case BINARY:
        this.#skipBytes()
        return 1
      case STRING: {
        const length = this.#readString()
        this.weight += this.#weightOfText(length)
        return length
      }
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
        this.weight += COST.type
        if (type === XML_ELEMENT || type === XML_HOOK) this.#readKey("node name")
        return 1
      }
      case ANY_VALUES: {
        const count = this.count("any values")
        this.weight += COST.slot * count
        for (let i = 0; i < count; i++) this.readAny()
        return count
      }
      case SUBDOCUMENT:
        this.weight += COST.subdocument
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
    if (this.#isVetted) {
      const length = this.number()
      this.#stringFrom = this.at
      this.skip(length)
      return
    }
    const from = this.at
    this.#readString()
    const length = this.at - this.#stringFrom
    const { keyBytes } = this.#limits
    if (length > keyBytes) throw refusal(`${what} of ${length} bytes, more than ${keyBytes},`, from)
    this.#checkKey(what, from)
  }

  #checkKey(what: string, from: number): void {
    if (this.#isText(FORBIDDEN_KEY)) {
      throw refusal(`${what} ${FORBIDDEN_KEY}`, from)
    }
  }

  /** Read a JSON text, just as Yjs does; `undefined` is how Yjs writes that value into a list of them. */
  #readJson(orUndefined: boolean): void {
    if (this.#isVetted) {
      this.skip(this.number())
      return
    }
    const from = this.at
    this.#readString()
    if (this.#isPlainJson()) this.weight += COST.string + this.at - this.#stringFrom
    else if (!orUndefined || !this.#isText("undefined")) {
      const depth = this.#limits.valueDepth
      this.weight += checkJson(this.bytes, { from: this.#stringFrom, to: this.at, at: from, depth })
    }
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

  /** Read an any value that lies so many levels deep. */
  readAny(depth = 0): void {
    const from = this.at
    const tag = this.byte()
    switch (tag) {
      case 127: // undefined
      case 126: // null
      case 121: // false
      case 120: // true
        return
      case 125:
        this.signedNumber()
        return
      case 124: // float32
        this.weight += COST.number
        this.skip(4)
        return
      case 123: // float64
      case 122: // bigint
        this.weight += COST.number
        this.skip(8)
        return
      case 119:
        this.weight += COST.string + this.#weightOfText(this.#readString())
        return
      case 116: // bytes
        this.#skipBytes()
        return
      case 118:
      case 117: {
        const { valueDepth } = this.#limits
        if (depth === valueDepth) throw refusal(`any value nested deeper than ${valueDepth}`, from)
        const count = this.count(tag === 118 ? "entries" : "elements")
        this.weight += COST.slot * count + (tag === 118 ? COST.object + weightOfNames(count) : COST.array)
        for (let i = 0; i < count; i++) {
          if (tag === 118) {
            const keyFrom = this.at
            this.#readString()
            this.weight += this.at - this.#stringFrom
            this.#checkKey("key", keyFrom)
          }
          this.readAny(depth + 1)
        }
        return
      }
      default:
        throw refusal(`any value of kind ${tag}`, from)
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
      const key = this.#text(this.#stringFrom, this.at)
      if (key === "guid" || key === "gcFilter") throw refusal(`subdocument option ${key}`, keyFrom)
      this.readAny(1)
    }
  }

  #countRoot(from: number): void {
    if (this.#lastRootFrom !== NONE && this.#isLastRoot()) return
    if (this.#lastRootFrom !== NONE) {
      this.#roots ??= new Set([this.#text(this.#lastRootFrom, this.#lastRootTo)])
      this.#roots.add(this.#text(this.#rootFrom, this.#rootTo))
      const { updateRoots } = this.#limits
      if (this.#roots.size > updateRoots) throw refusal(`more than ${updateRoots} root names`, from)
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

  #skipBytes(): void {
    const length = this.number()
    this.weight += COST.bytes + length
    this.skip(length)
  }

  /** Memory of the characters of the string read last, of so many UTF-16 units: a byte each, two where one needs it. */
  #weightOfText(units: number): number {
    return units === this.at - this.#stringFrom ? units : 2 * units
  }

  #text(from: number, to: number): string {
    return utf8.decode(this.bytes.subarray(from, to))
  }
}
