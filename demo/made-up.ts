/** Names for those who have not chosen one: visitors and documents. */

const MOODS = "Calm Brisk Kind Bold Quiet Sunny Clever Gentle Lucky Merry Swift Patient".split(" ")
const ANIMALS = "Otter Yak Heron Lynx Marmot Falcon Badger Ibex Hare Crane Fox Camel".split(" ")
/** Without those that look like another one. */
const LETTERS = "23456789abcdefghjkmnpqrstuvwxyz"

/** A mood and an animal: "Calm Otter". With `letters`, so many random ones follow: "Calm-Otter-x3k9p". */
export function madeUpName(separator = " ", letters = 0): string {
  const tail = Array.from({ length: letters }, () => pick([...LETTERS])).join("")
  return [pick(MOODS), pick(ANIMALS), ...(letters > 0 ? [tail] : [])].join(separator)
}

/** One of these, at random. */
export function pick<Item>(items: readonly Item[]): Item {
  return items[crypto.getRandomValues(new Uint32Array(1))[0]! % items.length]!
}
