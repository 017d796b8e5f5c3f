/** The shorter set of faults; the whole is `npm run faults`. */
import { afterAll, beforeAll, expect, it } from "vitest"
import { seedOfRun } from "../kit/random.ts"
import { LANES } from "./all.ts"
import type { Auth } from "./harness.ts"
import { AUTHS, type Outcome, playRound } from "./play.ts"
import { closeShared, type Fault } from "./round.ts"

const seed = seedOfRun()

const lanes = LANES.map((faults) => faults.flatMap(shortRoundsOf))

function shortRoundsOf(fault: Fault) {
  return Array.from({ length: fault.rounds.short }, (_, round) => {
    const auth: Auth = fault.auth ?? AUTHS[round % AUTHS.length]!
    return {
      ...{ fault, auth, seed: seed + round },
      title: `[${fault.rule}] survives: ${fault.name}, ${auth === "tokens" ? "with tokens" : "open"}, round ${round + 1}`,
      played: Promise.withResolvers<Outcome>(),
    }
  })
}

beforeAll(() => {
  console.log(`faults: seed ${seed}`)
  for (const lane of lanes) void playLane(lane)
})
afterAll(() => closeShared())

async function playLane(lane: (typeof lanes)[number]): Promise<void> {
  for (const { fault, auth, seed, played } of lane) played.resolve(await playRound(fault, seed, { auth }))
}

for (const { seed, title, played } of lanes.flat()) {
  it(title, async () => {
    const { failure } = await played.promise
    expect(failure, `YURT_SEED=${seed}`).toBeNull()
  })
}
