/** One round of one fault: what it came to, and how it is told. */
import type { Auth } from "./harness.ts"
import { Broken } from "./invariants.ts"
import { type Fault, Round, type RoundOptions } from "./round.ts"

/** The ways of coming in, in the order in which short runs take turns. */
export const AUTHS: readonly Auth[] = ["tokens", "open"]

export interface Outcome {
  /** How many edits the room had acknowledged. */
  readonly acknowledged: number
  /** How many of those were gone. */
  readonly lost: number
  /** The broken invariant, or why the round could not be played to its end; null when all is well. */
  readonly failure: Error | null
  readonly ms: number
}

/** Play one round. The same seed makes the same choices; what the machine does in between is its own. */
export async function playRound(fault: Fault, seed: number, options: RoundOptions): Promise<Outcome> {
  const startedAt = performance.now()
  const round = new Round(seed, options)
  let failure: Error | null = null
  try {
    await fault.strike(round)
  } catch (thrown) {
    failure = round.explain(thrown)
  } finally {
    await round[Symbol.asyncDispose]()
  }
  const lost = failure instanceof Broken ? failure.lost : 0
  return { acknowledged: round.acknowledged, lost, failure, ms: performance.now() - startedAt }
}
