/** The shorter set of faults; the whole is `npm run faults`. */
import { afterAll, beforeAll, expect, it } from "vitest"
import { DATABASES } from "./databases.ts"
import { KILLS } from "./kills.ts"
import { NETWORK } from "./network.ts"
import { playRound, type Round } from "./play.ts"
import { STORAGE } from "./storage.ts"
import { closeShared, type Fault } from "./world.ts"

const seed = Date.now() % 1_000_000_000

/** Played side by side, since a round mostly waits; a lane of its own for what strikes the database that rounds share. */
const LANES = [KILLS, [...STORAGE, ...NETWORK], DATABASES].map((faults) => faults.flatMap(shortRoundsOf))

function shortRoundsOf(fault: Fault) {
  return Array.from({ length: fault.rounds.short }, (_, round) => ({
    fault,
    seed: seed + round,
    title: `[${fault.rule}] survives: ${fault.name}${fault.rounds.short > 1 ? `, round ${round + 1}` : ""}`,
    played: Promise.withResolvers<Round>(),
  }))
}

beforeAll(() => {
  console.log(`faults: seed ${seed}`)
  for (const lane of LANES) void playLane(lane)
})
afterAll(() => closeShared())

async function playLane(lane: (typeof LANES)[number]): Promise<void> {
  for (const { fault, seed, played } of lane) played.resolve(await playRound(fault, seed))
}

for (const { seed, title, played } of LANES.flat()) {
  it(title, async () => {
    const { failure } = await played.promise
    expect(failure, `seed ${seed}`).toBeNull()
  })
}
