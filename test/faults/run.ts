/**
 * The long run: `npm run faults -- [--rounds N] [--seed S] [--auth open|tokens] [--cluster] [name…]`.
 *
 * Plays every fault whose name holds one of the words given, N rounds each (by default as many as the fault says) with
 * tokens and as many open, and prints a table. Exits with 1 when an invariant was broken; `--seed` with the number printed plays a round again. `--cluster`
 * plays those of a cluster alone, in real time and not in a fifth of it, and prints what was measured.
 */
import { parseArgs } from "node:util"
import haveThePages from "../kit/pages.ts"
import { seedOfRun } from "../kit/random.ts"
import { FAULTS } from "./all.ts"
import { clusterFaults, tellFigures } from "./cluster.ts"
import type { Auth } from "./harness.ts"
import { AUTHS, playRound } from "./play.ts"
import { closeShared, type Fault } from "./round.ts"

const { values, positionals } = parseArgs({
  options: {
    rounds: { type: "string" },
    seed: { type: "string", default: String(seedOfRun()) },
    auth: { type: "string" },
    cluster: { type: "boolean", default: false },
  },
  allowPositionals: true,
})
// The servers end with the process, and a signal alone would not let it say goodbye.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1))

await haveThePages()
const seed = Number(values.seed)
const chosen = (values.cluster ? clusterFaults(1) : FAULTS).filter(
  ({ name }) =>
    positionals.length === 0 || positionals.some((word) => name.toLowerCase().includes(word.toLowerCase())),
)
console.log(`seed ${seed}, ${chosen.length} faults`)
const table = ["| fault | | runs | held | acknowledged edits | lost |", "|---|---|---|---|---|---|"]
for (const fault of chosen) {
  for (const auth of AUTHS) {
    if ((fault.auth ?? auth) !== auth || (values.auth ?? auth) !== auth) continue
    const row = await playAll(fault, auth)
    console.log(row)
    table.push(row)
  }
}
await closeShared()
console.log(`\n${table.join("\n")}`)
if (values.cluster)
  console.log(["", "| measured, ms | times | p50 | most |", "|---|---|---|---|", ...tellFigures()].join("\n"))
process.exit()

/** Play all rounds of a fault with people who come in this way; a line of the table. */
async function playAll(fault: Fault, auth: Auth): Promise<string> {
  const rounds = Number(values.rounds ?? fault.rounds.long)
  let acknowledged = 0
  let lost = 0
  let held = 0
  for (let round = 0; round < rounds; round++) {
    const outcome = await playRound(fault, seed + round, { auth })
    acknowledged += outcome.acknowledged
    lost += outcome.lost
    if (outcome.failure === null) {
      held++
      continue
    }
    process.exitCode = 1
    console.log(`${fault.name}, ${auth}, seed ${seed + round}: ${outcome.failure.stack}`)
  }
  return `| ${fault.name} | ${auth} | ${rounds} | ${held} | ${acknowledged.toLocaleString("en")} | ${lost} |`
}
