/** One round of one fault: what it came to, and how it is told. */
import { Broken } from "./invariants.ts"
import { type Fault, World } from "./world.ts"

export interface Round {
  /** How many edits the room had acknowledged. */
  readonly acknowledged: number
  /** How many of those were gone. */
  readonly lost: number
  /** The broken invariant, or why the round could not be played to its end; null when all is well. */
  readonly failure: Error | null
  readonly ms: number
}

/** Play one round. The same seed makes the same choices; what the machine does in between is its own. */
export async function playRound(fault: Fault, seed: number): Promise<Round> {
  const startedAt = performance.now()
  const world = new World(seed)
  let failure: Error | null = null
  try {
    await fault.strike(world)
  } catch (thrown) {
    failure = thrown instanceof Error ? thrown : new Error(String(thrown))
  } finally {
    await world[Symbol.asyncDispose]()
  }
  const lost = failure instanceof Broken ? failure.lost : 0
  return { acknowledged: world.acknowledged, lost, failure, ms: performance.now() - startedAt }
}
