/**
 * What the parts of a document take in memory once a Y.Doc holds them, in bytes of heap.
 *
 * Measured in Node 24, whose pointers have eight bytes; Workers compress pointers to four, so that there the true
 * figures are lower by up to a half. An estimate may be too high: whoever is near a limit compacts and asks
 * `weightOf`. It should not be too low. `node test/unit/update/weight-bench.ts` measures it again.
 */
export const COST = {
  /** A struct that was collected: the object, its id, and its place in the list of its client. */
  gc: 120,
  /** An item: the object, its id, an empty content, and its place in the list. */
  item: 230,
  /** Each neighbour or parent that it names by an id. */
  id: 40,
  /** A key of a map or an attribute, besides its characters: the string and the entry of a Map. */
  key: 150,
  /** A shared type: its object, the Map of its keys, its two lists of observers. */
  type: 560,
  /** A document within the document, with its own store and share. */
  subdocument: 2600,
  /** A known item that a new item or a delete may split. */
  split: 230,
  /** A string value, besides its characters. */
  string: 24,
  /** A number that is no small integer. */
  number: 16,
  /** A list of values. */
  array: 40,
  /** An object of values. */
  object: 56,
  /** Each place of a list or an object. */
  slot: 12,
  /** A name in a small object, besides its characters: mostly the same name as in others, and then one string. */
  name: 12,
  /** A name in an object that is used as a map. */
  entry: 56,
  /** Bytes as a value, besides the bytes: an ArrayBuffer and its view. */
  bytes: 240,
} as const

/** Of the names of an object, besides their characters. */
export function weightOfNames(count: number): number {
  return count * (count > 16 ? COST.entry : COST.name)
}
