/**
 * Places in an order, as fractions written as strings: compared as strings they are in order, and there is always another one
 * between two. Whoever moves a thing gives it another position, and touches none of the others.
 */
import { pick } from "./made-up.ts"

/** In the order of their code units, in which strings are compared. */
const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
/** Two things that come to one place at the same moment differ in these. */
const RANDOM_DIGITS = 3
/**
 * A position between two others, different each time.
 * @param before "" where there is none
 */
export function positionBetween(before: string, after?: string): string {
  let upper = after
  let position = ""
  for (let index = 0; ; index++) {
    const low = index < before.length ? DIGITS.indexOf(before[index]!) : 0
    const high = upper !== undefined && index < upper.length ? DIGITS.indexOf(upper[index]!) : DIGITS.length
    if (high - low > 1) {
      // Beyond the last one a small step, so that a list that grows at its end has short positions for long.
      const step = upper === undefined ? 1 : Math.floor((high - low) / 2)
      position += DIGITS[low + step]
      break
    }
    position += DIGITS[low]
    // Smaller than `after` from this digit on.
    if (high > low) upper = undefined
  }
  for (let digit = 0; digit < RANDOM_DIGITS; digit++) position += pick([...DIGITS].slice(1))
  return position
}
