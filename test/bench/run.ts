/**
 * The benchmark: `npm run bench -- [scenario…] [--peers a,b] [--rounds N] [--quick] [--data PATH] [--save]`.
 *
 * Every measurement is a process of its own (measure.ts) in a process group of its own, with the server under test
 * inside: when it is over, or over its time, the group is ended. Systems take turns within a round, so that a slow
 * minute of the machine hits all of them. See README.md for what is measured and how to read it.
 */

import { fork } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { access, mkdir, writeFile } from "node:fs/promises"
import { availableParallelism, cpus, platform, tmpdir, totalmem } from "node:os"
import { join, resolve } from "node:path"
import { parseArgs } from "node:util"
import { PRICES } from "../../src/admin/prices.ts"
import { chartOf } from "./chart.ts"
import type { Order, Result } from "./measure.ts"
import { asText, type Measured, type Report, summarize } from "./report.ts"
import type { Scenario } from "./scenario.ts"
import { SCENARIOS } from "./scenarios/all.ts"
import {
  BENCH_FOLDER,
  forgetBundles,
  installPeers,
  OUTPUT_FOLDER,
  PROJECT_FOLDER,
  packageVersion,
  SYSTEMS,
  type SystemName,
  systemNamed,
} from "./servers.ts"
import { verdicts } from "./targets.ts"

const USAGE = `npm run bench -- [scenario…] [options]
  scenario        ${SCENARIOS.map((scenario) => scenario.name).join(", ")}; a prefix names several
  --peers a,b     only these beside Yurt (${SYSTEMS.map((system) => system.name).join(", ")}; none)
  --rounds N      1–9 (3; 1 with --quick); expensive scenarios run fewer
  --quick         smaller and shorter: for a look
  --data PATH     the recorded session (automerge-paper.json.gz)
  --save          write results.json and results.svg although not everything ran
`

const running = new Set<number>()
/** What the servers store; every measurement makes a folder in it, and none of it outlives the run. */
const storage = mkdtempSync(join(tmpdir(), "bench-"))

function endGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL")
  } catch {
    // It has ended already.
  }
  running.delete(pid)
}

/** One measurement, or the reason why there is none. */
async function measure(scenario: Scenario, order: Order): Promise<Result> {
  const child = fork(join(BENCH_FOLDER, "measure.ts"), [JSON.stringify(order)], {
    detached: true,
    env: { ...process.env, TMPDIR: storage },
  })
  const pid = child.pid
  if (pid === undefined) return { failure: "the measurement could not be started" }
  running.add(pid)
  const result = await new Promise<Result>((resolve) => {
    const late = setTimeout(
      () => resolve({ failure: `not done after ${scenario.limitMs / 1000} s` }),
      scenario.limitMs,
    )
    child.on("message", (message) => {
      clearTimeout(late)
      resolve(message as Result)
    })
    child.on("exit", (code, signal) => {
      clearTimeout(late)
      resolve({ failure: `the load process ended with ${signal ?? code}` })
    })
  })
  endGroup(pid)
  return result
}

interface Plan {
  readonly scenarios: readonly Scenario[]
  readonly takesPart: (name: SystemName) => boolean
  readonly rounds: number
  readonly quick: boolean
  readonly data: string | null
}

async function runAll({ scenarios, takesPart, rounds, quick, data }: Plan): Promise<Report["scenarios"]> {
  const report: Record<string, { title: string; systems: Partial<Record<SystemName, Measured>> }> = {}
  for (const scenario of scenarios) {
    const results = new Map<SystemName, Result[]>(
      scenario.systems.filter(takesPart).map((name) => [name, []]),
    )
    for (let round = 0; round < Math.min(rounds, scenario.maxRounds ?? rounds); round++) {
      for (const [system, soFar] of results) {
        // Once cut off, always slow: its bound is known, the time is better spent on the others.
        if (soFar.some((result) => "outcome" in result && result.outcome.cutOff !== undefined)) continue
        const startedAtMs = performance.now()
        const result = await measure(scenario, { scenario: scenario.name, system, quick, data })
        soFar.push(result)
        const seconds = ((performance.now() - startedAtMs) / 1000).toFixed(1)
        const headline = scenario.headline.figure
        const brief =
          "failure" in result ? result.failure : `${headline} ${result.outcome.figures[headline]?.toFixed(1)}`
        process.stderr.write(`${scenario.name} ${round + 1} ${system}: ${brief} (${seconds} s)\n`)
      }
    }
    report[scenario.name] = {
      title: scenario.title,
      systems: Object.fromEntries([...results].map(([system, of]) => [system, summarize(of)])),
    }
  }
  return report
}

async function findData(given: string | undefined): Promise<string | null> {
  const path = given ?? join(PROJECT_FOLDER, "../shared/data/automerge-paper.json.gz")
  const exists = await access(path).then(
    () => true,
    () => false,
  )
  if (!exists && given !== undefined) throw new Error(`${given} cannot be read`)
  return exists ? resolve(path) : null
}

async function versions(): Promise<Record<string, string>> {
  const own = ["yjs", "partyserver", "workerd", "ws"] as const
  const peers = ["y-partyserver", "partyserver", "@y/websocket-server", "@hocuspocus/server", "yjs"] as const
  const pairs = [
    ...own.map(async (name) => [name, await packageVersion(name, "project")] as const),
    ...peers.map(async (name) => [`${name} (peers)`, await packageVersion(name, "peers")] as const),
  ]
  return { node: process.versions.node, ...Object.fromEntries(await Promise.all(pairs)) }
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      peers: { type: "string" },
      rounds: { type: "string" },
      quick: { type: "boolean", default: false },
      data: { type: "string" },
      save: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  })
  if (values.help) return void process.stdout.write(USAGE)
  const rounds = Number(values.rounds ?? (values.quick ? 1 : 3))
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > 9)
    throw new Error(`--rounds ${values.rounds}: 1 to 9`)
  for (const wanted of positionals) {
    if (!SCENARIOS.some(({ name }) => name.startsWith(wanted)))
      throw new Error(`No scenario is called ${wanted}`)
  }
  const peers = values.peers === "none" ? [] : values.peers?.split(",").map((name) => systemNamed(name).name)
  const data = await findData(values.data)
  const chosen = SCENARIOS.filter(
    ({ name, slow }) =>
      positionals.some((wanted) => name.startsWith(wanted)) ||
      (positionals.length === 0 && !(values.quick && slow === true)),
  )
  const scenarios = chosen.filter((scenario) => data !== null || scenario.needsData !== true)
  for (const left of chosen.filter((scenario) => !scenarios.includes(scenario))) {
    process.stderr.write(`${left.name} is left out: no recorded session; give its path with --data\n`)
  }

  await mkdir(OUTPUT_FOLDER, { recursive: true })
  await installPeers()
  await forgetBundles()
  const startedAtMs = performance.now()
  const measured = await runAll({
    scenarios,
    takesPart: (name) => name === "yurt" || name === "ceiling" || peers === undefined || peers.includes(name),
    rounds,
    quick: values.quick,
    data,
  })
  const report: Report = {
    ranOn: new Date().toISOString().slice(0, 10),
    quick: values.quick,
    rounds,
    machine: {
      cpus: availableParallelism(),
      model: cpus()[0]?.model ?? "unknown",
      memoryGb: Math.round(totalmem() / 2 ** 30),
      platform: platform(),
    },
    versions: await versions(),
    prices: { source: PRICES.source, asOf: PRICES.asOf },
    scenarios: measured,
  }

  const whole = !values.quick && peers === undefined && scenarios.length === SCENARIOS.length
  const folder = whole || values.save ? BENCH_FOLDER : OUTPUT_FOLDER
  const kept = { ...report, verdicts: verdicts(report) }
  await writeFile(join(folder, "results.json"), `${JSON.stringify(kept, null, 2)}\n`)
  await writeFile(join(folder, "results.svg"), chartOf(report))
  process.stdout.write(`\n${asText(report)}\n`)
  const minutes = ((performance.now() - startedAtMs) / 60_000).toFixed(1)
  const where = folder === BENCH_FOLDER ? "test/bench" : "test/bench/output (not everything ran)"
  process.stdout.write(`${minutes} minutes; results.json and results.svg are in ${where}\n`)
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    for (const pid of running) endGroup(pid)
    rmSync(storage, { recursive: true, force: true })
    process.exit(130)
  })
}
await main().catch((error: Error) => {
  process.stderr.write(`${error.message}\n`)
  process.exitCode = 1
})
rmSync(storage, { recursive: true, force: true })
