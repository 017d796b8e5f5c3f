/**
 * A long random run against the vet: `npm run fuzz -- --seconds 300 --seed 1`.
 *
 * Prints the seed of every finding; `--seed` that number with `--seconds 0` plays it again alone.
 */
import { parseArgs } from "node:util"
import * as prng from "lib0/prng"
import { noCounts, runHonest, runHostile } from "../../kit/updates.ts"

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "60" },
    seed: { type: "string", default: String(Date.now() % 1_000_000_000) },
  },
})

const until = Date.now() + Number(values.seconds) * 1000
const first = Number(values.seed)
const counts = noCounts()
const findings = new Map<string, number>()
let seed = first
do {
  for (const run of [runHonest, runHostile]) {
    try {
      run(prng.create(seed), counts)
    } catch (cause) {
      const what = `${run.name}: ${cause instanceof Error ? (values.seconds === "0" ? cause.stack : cause.message) : cause}`
      if (!findings.has(what)) console.log(`seed ${seed} ${what}`)
      findings.set(what, (findings.get(what) ?? 0) + 1)
    }
  }
  seed++
} while (Date.now() < until)

console.log(`seeds ${first} to ${seed - 1}`, counts)
for (const [what, times] of findings) console.log(`${times} × ${what}`)
if (findings.size > 0) process.exitCode = 1
