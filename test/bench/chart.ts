/** One picture of a report: how many times better Yurt is than each peer, on a logarithmic axis. */

import type { Report } from "./report.ts"
import { type SystemName, systemNamed } from "./servers.ts"
import { ratioTo, round } from "./targets.ts"

interface Group {
  readonly scenario: string
  readonly figure: string
  readonly title: string
  readonly unit: string
}

const GROUPS: readonly Group[] = [
  {
    scenario: "flood",
    figure: "updatesPerSecond",
    title: "Flood: 10 writers at once, 50 readers",
    unit: "/s",
  },
  { scenario: "trace", figure: "editsPerSecond", title: "A real paper, 259,778 edits in a row", unit: "/s" },
  {
    scenario: "pace",
    figure: "p50Ms",
    title: "Typing pace: 10 writers, 50 readers, median delay",
    unit: " ms",
  },
  { scenario: "cursors-50", figure: "p99Ms", title: "50 cursors at 20 Hz, p99 delay", unit: " ms" },
  { scenario: "cursors-200", figure: "p99Ms", title: "200 cursors at 20 Hz, p99 delay", unit: " ms" },
  { scenario: "cold-paper", figure: "arrivalMs", title: "Opening the paper after a restart", unit: " ms" },
  { scenario: "cold-10mb", figure: "arrivalMs", title: "Opening 10 MB after a restart", unit: " ms" },
  { scenario: "rooms", figure: "p99Ms", title: "500 rooms at once, p99 delay", unit: " ms" },
]

const WIDTH = 820
const NAME_RIGHT = 172
const BAR_LEFT = 184
const BAR_RIGHT = 640
const ROW = 21
const GROUP_HEAD = 30
const GROUP_GAP = 12
const TOP = 74
const BAR_THICKNESS = 13

/** @returns a self-contained SVG, legible on light and dark pages */
export function chartOf(report: Report): string {
  const groups = GROUPS.flatMap((group) => {
    const systems = report.scenarios[group.scenario]?.systems
    const own = systems?.yurt?.figures?.[group.figure]
    if (systems === undefined || own === undefined) return []
    const peers = (Object.keys(systems) as SystemName[]).filter((name) => name !== "yurt" && name !== "sink")
    return [{ ...group, own, peers, systems }]
  })
  const ratios = groups.flatMap(({ scenario, figure, peers }) =>
    peers.flatMap((peer) => ratioTo(report, scenario, peer, figure)?.times ?? []),
  )
  const low = Math.min(0.5, ...ratios) / 1.15
  const high = Math.max(10, ...ratios) * 1.15
  const x = (times: number) =>
    BAR_LEFT + ((Math.log(times) - Math.log(low)) / (Math.log(high) - Math.log(low))) * (BAR_RIGHT - BAR_LEFT)

  const body: string[] = []
  let y = TOP
  for (const { scenario, figure, title, unit, own, peers, systems } of groups) {
    const value = `${round(own).toLocaleString("en")}${unit}`
    body.push(
      `<text x="16" y="${y + 14}" class="title">${escaped(title)}</text>`,
      `<text x="${WIDTH - 16}" y="${y + 14}" class="own" text-anchor="end">Yurt ${escaped(value)}</text>`,
    )
    y += GROUP_HEAD
    for (const peer of peers) {
      const measured = systems[peer]!
      const ratio = ratioTo(report, scenario, peer, figure)
      const middle = y + BAR_THICKNESS / 2
      body.push(
        `<text x="${NAME_RIGHT}" y="${middle}" class="peer">${escaped(systemNamed(peer).title)}</text>`,
      )
      if (ratio === null) {
        const why = failureInBrief(scenario, measured.failure)
        body.push(`<text x="${x(1) + 8}" y="${middle}" class="label">${escaped(why)}</text>`)
      } else {
        const [from, to] = ratio.times >= 1 ? [x(1), x(ratio.times)] : [x(ratio.times), x(1)]
        const side = ratio.times >= 1 ? "ahead" : "behind"
        body.push(
          `<rect x="${from.toFixed(1)}" y="${y}" width="${Math.max(1.5, to - from).toFixed(1)}" height="${BAR_THICKNESS}" rx="2" class="${side}"/>`,
        )
        const theirs = `${measured.cutOff === undefined ? "" : "cut off, "}${round(measured.figures![figure]!).toLocaleString("en")}${unit}`
        const times = `${ratio.bound}${Number(ratio.times.toPrecision(2))}×`
        body.push(
          `<text x="${(Math.max(to, x(1)) + 8).toFixed(1)}" y="${middle}" class="label"><tspan class="times">${times}</tspan>  ${escaped(theirs)}</text>`,
        )
      }
      y += ROW
    }
    y += GROUP_GAP
  }

  const bottom = y
  const ticks = [
    0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000,
  ].filter((tick) => tick >= low && tick <= high)
  const spaced = ticks.filter((tick) => ticks.length <= 10 || /^[^1-9]*1/.test(String(tick)))
  const axis = spaced.flatMap((tick) => [
    `<line x1="${x(tick).toFixed(1)}" y1="${TOP - 8}" x2="${x(tick).toFixed(1)}" y2="${bottom}" class="${tick === 1 ? "one" : "grid"}"/>`,
    `<text x="${x(tick).toFixed(1)}" y="${TOP - 14}" class="tick">${tick === 1 ? "equal" : `${tick}×`}</text>`,
  ])
  const machine = `${report.ranOn} · ${report.machine.cpus} CPUs · medians of ${report.rounds} interleaved rounds${report.quick ? " · quick run" : ""}`
  const height = bottom + 34
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="How many times better Yurt is than each peer">
<style>
  svg { --ink: #1f2328; --soft: #59636e; --grid: #d8dee4; --paper: #ffffff; --ahead: #0f8a6d; --behind: #c2600f; }
  @media (prefers-color-scheme: dark) {
    svg { --ink: #e6edf3; --soft: #9198a1; --grid: #30363d; --paper: #0d1117; --ahead: #2fb593; --behind: #e28743; }
  }
  text { font: 12px system-ui, -apple-system, "Segoe UI", sans-serif; fill: var(--ink); dominant-baseline: middle; }
  .paper { fill: var(--paper); }
  .head { font-size: 15px; font-weight: 650; }
  .title { font-size: 13px; font-weight: 600; }
  .own { font-size: 13px; font-weight: 600; fill: var(--ahead); }
  .peer { text-anchor: end; fill: var(--soft); }
  .label, .foot { fill: var(--soft); }
  .title, .own, .label { paint-order: stroke; stroke: var(--paper); stroke-width: 5px; }
  .times { fill: var(--ink); font-weight: 600; }
  .tick { text-anchor: middle; fill: var(--soft); font-size: 11px; }
  .ahead { fill: var(--ahead); }
  .behind { fill: var(--behind); }
  .grid { stroke: var(--grid); }
  .one { stroke: var(--soft); }
</style>
<rect width="${WIDTH}" height="${height}" rx="6" class="paper"/>
<text x="16" y="24" class="head">Yurt beside its peers: how many times better (right), or worse (left)</text>
${axis.join("\n")}
${body.join("\n")}
<text x="16" y="${height - 16}" class="foot">${escaped(machine)} · beside each bar: the ratio, then the peer’s own figure</text>
</svg>
`
}

function failureInBrief(scenario: string, failure: string | undefined): string {
  if (failure === undefined) return "not measured"
  if (!failure.includes("WrongState")) return failure.replace(/^\d+ of \d+: /, "").slice(0, 60)
  return scenario.startsWith("cold") ? "the document is gone after the restart" : "ended in a wrong state"
}

const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")
