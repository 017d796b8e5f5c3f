/** The one source of random numbers of all tests: lib0's generator, seeded, and the seed is printed. */
import * as prng from "lib0/prng"

/** A seeded generator; `lib0/prng` has the functions that draw from it. */
export type Random = prng.PRNG

/** The seed of this run: the variable YURT_SEED where it is set (to play a run again), else the time. */
export function seedOfRun(): number {
  const given = globalThis.process?.env?.YURT_SEED
  return given === undefined ? Date.now() % 1_000_000_000 : Number(given)
}

/**
 * A generator for one test or script. Prints its seed, so that what it found can be found again.
 *
 * @param what names the test in the line that is printed
 */
export function seededRandom(what: string, seed = seedOfRun()): Random {
  console.log(`${what}: seed ${seed}`)
  return prng.create(seed)
}

/** A whole number from 0 to below `count`. */
export function below(random: Random, count: number): number {
  return prng.int32(random, 0, count - 1)
}
