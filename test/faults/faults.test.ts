/** The shorter set of faults; the whole is `npm run faults`. */
import { afterAll, expect, it } from "vitest"
import { FAULTS } from "./all.ts"
import { playRound } from "./play.ts"
import { closeShared } from "./world.ts"

const seed = Date.now() % 1_000_000_000
console.log(`faults: seed ${seed}`)

afterAll(() => closeShared())

for (const fault of FAULTS) {
  for (let round = 0; round < fault.rounds.short; round++) {
    it(`[D2] survives: ${fault.name}${fault.rounds.short > 1 ? `, round ${round + 1}` : ""}`, async () => {
      const { failure } = await playRound(fault, seed + round)
      expect(failure, `seed ${seed + round}`).toBeNull()
    })
  }
}
