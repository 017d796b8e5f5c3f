/** What Yurt sets out to reach, as ratios to the peers of the same run or as plain figures; and whether it does. */

import type { Report } from "./report.ts"
import { scenarioNamed } from "./scenarios/all.ts"
import { type SystemName, systemNamed } from "./servers.ts"

type Target = { readonly scenario: string; readonly figure?: string } & (
  | { readonly against: SystemName; readonly times: number }
  | { readonly atMost: number }
  | { readonly atLeast: number }
)

const TARGETS: readonly Target[] = [
  { scenario: "flood", against: "y-partyserver", times: 30 },
  { scenario: "flood", against: "relay", times: 20 },
  { scenario: "flood", against: "hocuspocus", times: 2.5 },
  { scenario: "flood-mixed", figure: "costFactor", atMost: 1.15 },
  { scenario: "pace", figure: "p50Ms", against: "relay", times: 1 },
  { scenario: "pace", figure: "p99Ms", against: "relay", times: 1 },
  { scenario: "cursors-200", figure: "keepsUp", atLeast: 1 },
  { scenario: "cursors-200", figure: "p99Ms", atMost: 100 },
  { scenario: "trace", against: "y-partyserver", times: 4 },
  { scenario: "trace", against: "relay", times: 2 },
  { scenario: "trace", against: "y-websocket", times: 1 },
  { scenario: "trace", against: "sink", times: 1 / 1.5 },
  { scenario: "cold-paper", figure: "arrivalMs", atMost: 60 },
  { scenario: "cold-paper", against: "y-partyserver", times: 2 },
  { scenario: "cold-10mb", figure: "arrivalMs", atMost: 300 },
  { scenario: "cold-10mb", against: "sink", times: 0.5 },
  { scenario: "rooms", figure: "p99Ms", atMost: 50 },
  { scenario: "rooms-durable", figure: "durableMaxMs", atMost: 1_000 },
  { scenario: "wake", figure: "documentRowsRead", atMost: 0 },
  { scenario: "memory", figure: "growthMb", atMost: 128 },
  { scenario: "cost", figure: "rowsPerSecond", atMost: 5 },
]

/** One target and what the run says about it. `met` is null when a figure is missing. */
export interface Verdict {
  readonly scenario: string
  readonly target: string
  readonly measured: string
  readonly met: boolean | null
}

/** How many times better Yurt is than a peer. `bound`: the peer (or Yurt) was cut off, so it is more (or less). */
export function ratioTo(
  report: Report,
  scenario: string,
  peer: SystemName,
  figure = scenarioNamed(scenario).headline.figure,
): { times: number; bound: "≥ " | "≤ " | "" } | null {
  const own = report.scenarios[scenario]?.systems.yurt
  const other = report.scenarios[scenario]?.systems[peer]
  const [ours, theirs] = [own?.figures?.[figure], other?.figures?.[figure]]
  if (ours === undefined || theirs === undefined || ours === 0 || theirs === 0) return null
  const more = scenarioNamed(scenario).headline.better === "more"
  const bound = other?.cutOff !== undefined ? "≥ " : own?.cutOff !== undefined ? "≤ " : ""
  return { times: more ? ours / theirs : theirs / ours, bound }
}

/** The targets of the scenarios and peers that ran. */
export function verdicts(report: Report): Verdict[] {
  const ran = (target: Target) => {
    const systems = report.scenarios[target.scenario]?.systems
    return systems?.yurt !== undefined && (!("against" in target) || systems[target.against] !== undefined)
  }
  return TARGETS.filter(ran).map((target) => {
    const { scenario } = target
    const figure = target.figure ?? scenarioNamed(scenario).headline.figure
    const own = report.scenarios[scenario]!.systems.yurt
    if ("against" in target) {
      const wanted = `${figure}: ≥ ${round(target.times)} × ${systemNamed(target.against).title}`
      const ratio = ratioTo(report, scenario, target.against, figure)
      if (ratio === null) {
        const failure = report.scenarios[scenario]!.systems[target.against]?.failure
        return { scenario, target: wanted, measured: failure ?? "no figure", met: null }
      }
      const measured = `${ratio.bound}${round(ratio.times)} ×`
      return { scenario, target: wanted, measured, met: ratio.bound !== "≤ " && ratio.times >= target.times }
    }
    const limit = "atMost" in target ? `≤ ${target.atMost}` : `≥ ${target.atLeast}`
    const value = own?.figures?.[figure]
    const wanted = `${figure} ${limit}`
    if (value === undefined)
      return { scenario, target: wanted, measured: own?.failure ?? "no figure", met: null }
    const within = "atMost" in target ? value <= target.atMost : value >= target.atLeast
    return {
      scenario,
      target: wanted,
      measured: String(round(value)),
      met: within && own?.cutOff === undefined,
    }
  })
}

/** Three significant digits, or whole. */
export function round(value: number): number {
  if (!Number.isFinite(value)) return value
  return Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3))
}
