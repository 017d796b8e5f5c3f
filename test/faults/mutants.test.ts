/** The harness sees: each of these servers, broken on purpose, breaks the invariant that is named for it. */
import { afterAll, expect, it } from "vitest"
import { FAULTS } from "./all.ts"
import { Broken, type Invariant } from "./invariants.ts"
import { MUTANTS, type Mutant } from "./mutants.ts"
import { playRound } from "./play.ts"
import { closeShared } from "./round.ts"

const ROUNDS = 3

afterAll(() => closeShared())

/** The first invariant that a mutant breaks in a few rounds; null where it breaks none. */
async function brokenBy({ fault: name, auth, patch, mutant }: Mutant): Promise<Invariant | null> {
  const fault = FAULTS.find((fault) => fault.name === name)
  if (fault === undefined) throw new Error(`No fault is called ${name}`)
  for (let seed = 1; seed <= ROUNDS; seed++) {
    const patches = patch === undefined ? [] : [patch]
    const { failure } = await playRound(fault, seed, { auth, patches, mutant })
    if (failure instanceof Broken) return failure.invariant
    if (failure !== null) throw failure
  }
  return null
}

for (const mutant of MUTANTS) {
  // Most of the time they wait.
  it.concurrent(`[${mutant.rule}] catches ${mutant.name}`, async () => {
    expect(await brokenBy(mutant)).toBe(mutant.breaks)
  })
}
