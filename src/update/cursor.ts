/** A place in bytes, from which numbers are read strictly: nothing is read past the end. */
import { refusal } from "./refusal.ts"

/** Reads from `at` on. Every method throws a Refusal where the bytes end too soon. */
export class Cursor {
  readonly bytes: Uint8Array
  at = 0

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
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
}
