/**
 * The long run: `npm run faults -- [--rounds N] [--seed S] [name…]`.
 *
 * Plays every fault whose name holds one of the words given, N rounds each (by default as many as the fault says), and
 * prints a table. Exits with 1 when an invariant was broken; `--seed` with the number printed plays a round again.
 */
import { parseArgs } from "node:util"
import { FAULTS } from "./all.ts"
import { playRound } from "./play.ts"
import { closeShared } from "./world.ts"

const { values, positionals } = parseArgs({
  options: {
    rounds: { type: "string" },
    seed: { type: "string", default: String(Date.now() % 1_000_000_000) },
  },
  allowPositionals: true,
})
// The servers end with the process, and a signal alone would not let it say goodbye.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1))

const seed = Number(values.seed)
const chosen = FAULTS.filter(
  ({ name }) =>
    positionals.length === 0 || positionals.some((word) => name.toLowerCase().includes(word.toLowerCase())),
)
console.log(`seed ${seed}, ${chosen.length} faults`)
const table = ["| fault | runs | held | acknowledged edits | lost |", "|---|---|---|---|---|"]
for (const fault of chosen) {
  const rounds = Number(values.rounds ?? fault.rounds.long)
  let acknowledged = 0
  let lost = 0
  let held = 0
  for (let round = 0; round < rounds; round++) {
    const played = await playRound(fault, seed + round)
    acknowledged += played.acknowledged
    lost += played.lost
    if (played.failure === null) {
      held++
      continue
    }
    process.exitCode = 1
    console.log(`${fault.name}, seed ${seed + round}: ${played.failure.stack}`)
  }
  const row = `| ${fault.name} | ${rounds} | ${held} | ${acknowledged.toLocaleString("en")} | ${lost} |`
  console.log(row)
  table.push(row)
}
await closeShared()
console.log(`\n${table.join("\n")}`)
process.exit()
