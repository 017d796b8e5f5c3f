/** What a struct is: its kinds, the bits of its first byte, and the id by which others refer to it. */

/** Clocks stay below this: beyond 2^31 engines leave their small-integer paths, and nobody types that much. */
export const CLOCK_CEILING = 2 ** 31

/** A struct that was collected. */
export const GC = 0
/** Content that was deleted. */
export const DELETED = 1
/** Values, each as a JSON text; of Yjs before version 13. */
export const JSON_VALUES = 2
/** Bytes. */
export const BINARY = 3
/** A part of a text. */
export const STRING = 4
/** Something that is no text within one, as a JSON text. */
export const EMBED = 5
/** A mark in a text: a key, and its value as a JSON text. */
export const FORMAT = 6
/** A shared type. */
export const TYPE = 7
/** Values. */
export const ANY_VALUES = 8
/** A document of its own. */
export const SUBDOCUMENT = 9
/** No struct: a gap that a merge left. */
export const SKIP = 10

/** What a refusal calls the kinds. */
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

/** The shared type that has a node name. */
export const XML_ELEMENT = 3
/** The other one that has a name. */
export const XML_HOOK = 5
/** Shared types are numbered up to this. */
export const LAST_TYPE = 6

/** Bits of the first byte of a struct: it names an origin ... */
export const HAS_ORIGIN = 0b1000_0000
/** ... a right neighbour ... */
export const HAS_RIGHT = 0b0100_0000
/** ... a key; in the bytes only where it names its parent. */
export const HAS_KEY = 0b0010_0000
/** The bits that say its kind. */
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

/** Decodes strings as Yjs does: it counts a byte order mark as a character, which TextDecoder keeps only when told to. */
export const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
