/** What is counted, as programs get it at /metrics. */
import { ask } from "./api.ts"
import { card, el, nothing, table } from "./dom.ts"
import type { View } from "./main.ts"

/** How often it is read again, ms. */
const EVERY_MS = 10_000

/** The view `#/metrics`. */
export const metricsView: View = async (main, signal) => {
  const box = el("div", { class: "grid" }, nothing("…"))
  main.append(
    el("h1", {}, "Metrics"),
    el("p", { class: "hint" }, "The same, as OpenMetrics, at ", el("code", {}, "/metrics"), "."),
    box,
  )
  const load = async () => {
    try {
      const families = read(await (await ask("/metrics", { signal })).text())
      box.replaceChildren(
        ...families.map(({ name, help, samples }) =>
          card(
            name.replace(/^yurt_/, "").replaceAll("_", " "),
            null,
            el("p", { class: "hint" }, help),
            table(["", ""], samples),
          ),
        ),
      )
    } catch (thrown) {
      if (!signal.aborted)
        box.replaceChildren(nothing(thrown instanceof Error ? thrown.message : "It failed."))
    }
  }
  await load()
  const timer = setInterval(() => {
    if (!document.hidden) void load()
  }, EVERY_MS)
  signal.addEventListener("abort", () => clearInterval(timer))
}

function read(text: string): { name: string; help: string; samples: [string, string][] }[] {
  const families: { name: string; help: string; samples: [string, string][] }[] = []
  for (const line of text.split("\n")) {
    const help = /^# HELP (\S+) (.*)$/.exec(line)
    if (help !== null) families.push({ name: help[1] ?? "", help: help[2] ?? "", samples: [] })
    const sample = /^([a-z_]+)(?:\{(.*)\})? (\S+)$/.exec(line)
    if (sample === null) continue
    const [, name = "", labels = "", value = ""] = sample
    const label = labels.replaceAll(/[a-z]+="([^"]*)"/g, "$1").replaceAll(",", ", ")
    const part = name.endsWith("_sum") ? "sum" : name.endsWith("_count") ? "count" : label
    const shown = name.endsWith("_bucket") ? `≤ ${label} s` : part || "all"
    families
      .at(-1)
      ?.samples.push([shown, Number(value).toLocaleString("en-US", { maximumFractionDigits: 6 })])
  }
  return families
}
