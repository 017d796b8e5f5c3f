/** What a struct is: its kinds, the bits of its first byte, and the id by which others refer to it. */

/** Clocks stay below this: beyond 2^31 engines leave their small-integer paths, and nobody types that much. */
export const CLOCK_CEILING = 2 ** 31

/** The kinds of structs and contents, as the low bits of the first byte have them. */
export const GC = 0
/** See `NAMES`. */
export const DELETED = 1
/** See `NAMES`. */
export const JSON_VALUES = 2
export const BINARY = 3
/** See `NAMES`. */
export const STRING = 4
export const EMBED = 5
export const FORMAT = 6
/** See `NAMES`. */
export const TYPE = 7
/** See `NAMES`. */
export const ANY_VALUES = 8
export const SUBDOCUMENT = 9
/** See `NAMES`. */
export const SKIP = 10
/** What a refusal calls them. */
export const NAMES = [
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

export const XML_ELEMENT = 3
export const XML_HOOK = 5
export const LAST_TYPE = 6

/** Of the first byte of an item: it names an origin. */
export const HAS_ORIGIN = 0b1000_0000
export const HAS_RIGHT = 0b0100_0000
export const HAS_KEY = 0b0010_0000
export const KIND = 0b0001_1111

/** Stands for "no client" and "no position" in fields that hold numbers. */
export const NONE = -1

/** What is known without a document: per client the clock up to which every struct is known (a state vector). */
export type Clocks = ReadonlyMap<number, number>

/** For a reader that needs to know nothing. */
export const NOTHING_KNOWN: Clocks = new Map()

/** The id of a struct. */
export interface Id {
  readonly client: number
  readonly clock: number
}

// TextDecoder keeps a byte order mark only when told to; Yjs counts it as a character.
export const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
