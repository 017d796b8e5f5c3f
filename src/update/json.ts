/**
 * Checks a JSON text in its bytes: valid as `JSON.parse` has it, not nested too deep, without a key `__proto__`.
 *
 * Nothing is built: parsing the text would take up to 45 bytes of memory for each of its bytes, and one may have
 * 25 MB. What Yjs and its users do with a value is recursive, hence the limit of its depth.
 */
import { refusal } from "./refusal.ts"
import { COST, weightOfNames } from "./weight.ts"

/** Assigning to this key of a plain object would set its prototype: Yjs does so when it reads and exports. */
export const FORBIDDEN_KEY = "__proto__"
/** Bytes of that key with its quotes when each of its characters is written as an escape. */
const LONGEST_ESCAPED = 6 * FORBIDDEN_KEY.length + 2

const QUOTE = 0x22
const BACKSLASH = 0x5c

/** Where a JSON text lies: the bytes [from, to), whose UTF-8 is valid. */
export interface JsonText {
  readonly from: number
  readonly to: number
  /** The byte that a refusal names. */
  readonly at: number
  /** Levels of lists and objects it may have. */
  readonly depth: number
}

/**
 * @returns the bytes of memory that the value takes
 * @throws Refusal
 */
export function checkJson(bytes: Uint8Array, text: JsonText): number {
  const scanner = new JsonScanner(bytes, text)
  scanner.readDocument()
  return scanner.weight
}

class JsonScanner {
  readonly #bytes: Uint8Array
  readonly #text: JsonText
  #at: number
  weight = 0

  constructor(bytes: Uint8Array, text: JsonText) {
    this.#bytes = bytes
    this.#text = text
    this.#at = text.from
  }

  readDocument(): void {
    this.#skipSpace()
    this.#readValue(1)
    this.#skipSpace()
    if (this.#at !== this.#text.to) throw this.#invalid()
  }

  #readValue(depth: number): void {
    const byte = this.#peek()
    switch (byte) {
      case QUOTE: {
        const from = this.#at
        this.#readString()
        this.weight += COST.string + this.#at - from
        return
      }
      case 0x5b: // [
        this.weight += COST.array
        this.#readMembers(depth, 0x5d)
        return
      case 0x7b: // {
        this.weight += COST.object
        this.#readMembers(depth, 0x7d)
        return
      case 0x74: // t
        return this.#readWord("true")
      case 0x66: // f
        return this.#readWord("false")
      case 0x6e: // n
        return this.#readWord("null")
      default: {
        const from = this.#at
        this.#readNumber()
        if (this.#at - from > 9) this.weight += COST.number
      }
    }
  }

  /** The members of a list or, where it ends with a brace, of an object. */
  #readMembers(depth: number, close: number): void {
    const { depth: limit, at } = this.#text
    if (depth > limit) throw refusal(`JSON nested deeper than ${limit}`, at)
    this.#at++
    this.#skipSpace()
    if (this.#peek() === close) {
      this.#at++
      return
    }
    for (let count = 1; ; count++) {
      if (close === 0x7d) this.#readKey()
      this.weight += COST.slot
      this.#readValue(depth + 1)
      this.#skipSpace()
      const byte = this.#peek()
      this.#at++
      if (byte === close) {
        if (close === 0x7d) this.weight += weightOfNames(count)
        return
      }
      if (byte !== 0x2c) throw this.#invalid()
      this.#skipSpace()
    }
  }

  #readKey(): void {
    const from = this.#at
    if (this.#peek() !== QUOTE) throw this.#invalid()
    const hasEscapes = this.#readString()
    const length = this.#at - from
    this.weight += length
    if (hasEscapes ? length <= LONGEST_ESCAPED : length === FORBIDDEN_KEY.length + 2) {
      const key: unknown = JSON.parse(String.fromCharCode(...this.#bytes.subarray(from, this.#at)))
      if (key === FORBIDDEN_KEY) throw refusal(`JSON key ${FORBIDDEN_KEY}`, this.#text.at)
    }
    this.#skipSpace()
    if (this.#peek() !== 0x3a) throw this.#invalid()
    this.#at++
    this.#skipSpace()
  }

  /** @returns whether it has escapes */
  #readString(): boolean {
    let hasEscapes = false
    this.#at++
    for (;;) {
      const byte = this.#peek()
      this.#at++
      if (byte === QUOTE) return hasEscapes
      if (byte < 0x20) throw this.#invalid()
      if (byte !== BACKSLASH) continue
      hasEscapes = true
      const escaped = this.#peek()
      this.#at++
      if (escaped === 0x75) for (let i = 0; i < 4; i++) this.#readHexDigit()
      else if (!'"\\/bfnrt'.includes(String.fromCharCode(escaped))) throw this.#invalid()
    }
  }

  #readHexDigit(): void {
    const byte = this.#peek()
    const letter = byte | 0x20
    if (!isDigit(byte) && (letter < 0x61 || letter > 0x66)) throw this.#invalid()
    this.#at++
  }

  #readNumber(): void {
    if (this.#peek() === 0x2d) this.#at++
    if (this.#peek() === 0x30) this.#at++
    else this.#readDigits()
    if (this.#peekOrEnd() === 0x2e) {
      this.#at++
      this.#readDigits()
    }
    if ((this.#peekOrEnd() | 0x20) === 0x65) {
      this.#at++
      const sign = this.#peek()
      if (sign === 0x2b || sign === 0x2d) this.#at++
      this.#readDigits()
    }
  }

  #readDigits(): void {
    if (!isDigit(this.#peek())) throw this.#invalid()
    while (isDigit(this.#peekOrEnd())) this.#at++
  }

  #readWord(word: string): void {
    for (let i = 0; i < word.length; i++) {
      if (this.#peek() !== word.charCodeAt(i)) throw this.#invalid()
      this.#at++
    }
  }

  #skipSpace(): void {
    for (;;) {
      const byte = this.#peekOrEnd()
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return
      this.#at++
    }
  }

  #peek(): number {
    if (this.#at >= this.#text.to) throw this.#invalid()
    return this.#bytes[this.#at]!
  }

  #peekOrEnd(): number {
    return this.#at < this.#text.to ? this.#bytes[this.#at]! : 0
  }

  #invalid() {
    return refusal("invalid JSON", this.#text.at)
  }
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39
}
