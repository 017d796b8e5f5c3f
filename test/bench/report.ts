/** The result of a run: medians over its rounds, as a table for the terminal and as JSON for keeping. */

import type { Result } from "./measure.ts"
import { scenarioNamed } from "./scenarios/all.ts"
import { type SystemName, systemNamed } from "./servers.ts"
import { ratioTo, round, type Verdict, verdicts } from "./targets.ts"

/** One system in one scenario. */
export interface Measured {
  /** Medians over the rounds that came to an end; absent when none did. */
  readonly figures?: Readonly<Record<string, number>>
  /** The figures of each round. */
  readonly rounds: ReadonlyArray<Readonly<Record<string, number>>>
  /** It was stopped before it was done: the figures are a bound. */
  readonly cutOff?: string
  /** Why a round has no figures: a crash, a wrong final state, a time limit. */
  readonly failure?: string
  readonly notes?: readonly string[]
}

export interface Report {
  /** ISO date of the run. */
  readonly ranOn: string
  readonly quick: boolean
  readonly rounds: number
  readonly machine: Readonly<Record<string, string | number>>
  readonly versions: Readonly<Record<string, string>>
  readonly prices: { readonly source: string; readonly asOf: string }
  readonly scenarios: Readonly<
    Record<
      string,
      { readonly title: string; readonly systems: Readonly<Partial<Record<SystemName, Measured>>> }
    >
  >
  readonly verdicts?: readonly Verdict[]
}

/** The rounds of one system as one result. */
export function summarize(results: readonly Result[]): Measured {
  const outcomes = results.flatMap((result) => ("outcome" in result ? [result.outcome] : []))
  const failures = results.flatMap((result) => ("failure" in result ? [result.failure] : []))
  const cutOff = outcomes.find((outcome) => outcome.cutOff !== undefined)?.cutOff
  const notes = [...new Set(outcomes.flatMap((outcome) => outcome.notes ?? []))]
  const figures = Object.fromEntries(
    Object.keys(outcomes[0]?.figures ?? {}).map((name) => [
      name,
      round(median(outcomes.map((outcome) => outcome.figures[name] ?? Number.NaN))),
    ]),
  )
  const rounded = outcomes.map((outcome) =>
    Object.fromEntries(Object.entries(outcome.figures).map(([name, value]) => [name, round(value)])),
  )
  return {
    ...(outcomes.length > 0 ? { figures } : {}),
    rounds: rounded,
    ...(cutOff !== undefined ? { cutOff } : {}),
    ...(failures.length > 0 ? { failure: `${failures.length} of ${results.length}: ${failures[0]}` } : {}),
    ...(notes.length > 0 ? { notes } : {}),
  }
}

function median(values: number[]): number {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b)
  const middle = sorted.length >> 1
  if (sorted.length === 0) return Number.NaN
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** The report as text: a table a scenario, then the targets. */
export function asText(report: Report): string {
  const tables = Object.keys(report.scenarios).map((name) => scenarioTable(report, name))
  const outcome = verdicts(report)
  const targets = outcome.map(({ scenario, target, measured, met }) => [
    met === null ? "?" : met ? "met" : "MISSED",
    scenario,
    target,
    measured,
  ])
  const parts = [...tables]
  if (targets.length > 0) parts.push(columns([["", "scenario", "target", "measured"], ...targets]))
  if (report.quick) parts.push("A quick run: sizes and times are smaller than the titles say.")
  return `${parts.join("\n\n")}\n`
}

function scenarioTable(report: Report, name: string): string {
  const { title, systems } = report.scenarios[name]!
  const measured = Object.entries(systems) as Array<[SystemName, Measured]>
  const names = [...new Set(measured.flatMap(([, { figures }]) => Object.keys(figures ?? {})))]
  const rows = measured.map(([system, result]) => {
    const ratio = system === "yurt" ? null : ratioTo(report, name, system)
    const remarks = [
      result.cutOff && `cut off: ${result.cutOff}`,
      result.failure && `failed ${result.failure}`,
    ]
    return [
      systemNamed(system).title,
      ...names.map((figure) => {
        const value = result.figures?.[figure]
        return value === undefined ? "–" : round(value).toLocaleString("en")
      }),
      ratio === null ? "" : `${ratio.bound}${round(ratio.times)} ×`,
      [...remarks, ...(result.notes ?? [])].filter(Boolean).join("; "),
    ]
  })
  const head = [
    "",
    ...names,
    measured.length > 1 ? `Yurt is (${scenarioNamed(name).headline.figure})` : "",
    "",
  ]
  return `${name}: ${title}\n${columns([head, ...rows])}`
}

function columns(rows: readonly string[][]): string {
  const widths = rows[0]!.map((_cell, column) => Math.max(...rows.map((row) => row[column]!.length)))
  return rows
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i]!))
        .join("  ")
        .trimEnd(),
    )
    .join("\n")
}
