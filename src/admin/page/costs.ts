/** What rooms have cost, by the day and by the document, and what others would: from the prices in one file. */
import { costsADay, LIVEBLOCKS } from "../measured.ts"
import { PRICES } from "../prices.ts"
import type { Costs } from "./answers.ts"
import { askJson } from "./api.ts"
import { button, bytes, card, count, el, figure, money, nothing, table } from "./dom.ts"
import type { View } from "./main.ts"

/** Bounds of the calculator's fields. */
const FIELDS = [
  ["rooms", "Rooms that are edited a day", 100],
  ["hours", "Hours a day that somebody types in each", 1],
  ["idle", "Hours a day that they stay open unused", 4],
] as const

/** The view `#/costs`. */
export const costsView: View = async (main, signal) => {
  const box = el("div", { class: "stack" }, nothing("…"))
  const ranges = el(
    "div",
    { class: "segments", role: "group", "aria-label": "Days" },
    ...[1, 7, 30].map((days) =>
      button(days === 1 ? "Today" : `${days} days`, () => void load(days), { "data-days": days }),
    ),
  )
  main.append(el("h1", {}, "Costs"), el("div", { class: "tools" }, ranges), box, calculator())

  async function load(days: number): Promise<void> {
    for (const one of ranges.querySelectorAll("button"))
      one.setAttribute("aria-pressed", String(one.dataset.days === String(days)))
    try {
      show(await askJson<Costs>(`/admin/costs?days=${days}`, { signal }))
    } catch (thrown) {
      if (!signal.aborted)
        box.replaceChildren(nothing(thrown instanceof Error ? thrown.message : "It failed."))
    }
  }

  function show({ total, documents, days, from, prices }: Costs): void {
    const dearest = Math.max(...days.map((day) => day.dollars), Number.MIN_VALUE)
    box.replaceChildren(
      el(
        "dl",
        { class: "figures" },
        figure(`Since ${from}`, money(total.dollars), "estimated"),
        figure("Rows written", count(total.rowsWritten)),
        figure("Messages", count(total.messages), `${PRICES.messagesPerRequest} are one request`),
        figure("Awake", `${count(total.awakeMs / 1000)} s`),
        figure("Requests", count(total.requests), `${count(total.alarms)} alarms`),
      ),
      (days.length > 1 &&
        card(
          "By the day",
          null,
          el(
            "ol",
            { class: "bars" },
            ...days.map((day) =>
              el(
                "li",
                {},
                el("span", {}, day.day.slice(5)),
                el("meter", { min: 0, max: dearest, value: day.dollars }),
                el("b", {}, money(day.dollars)),
              ),
            ),
          ),
        )) ||
        "",
      card(
        "By the document",
        null,
        documents.length === 0
          ? nothing("No room has reported yet. Rooms report once a minute.")
          : table(
              ["Document", "Cost", "Rows written", "Messages", "Awake", "Storage a day"],
              documents.map((one) => [
                el("a", { href: `#/doc/${encodeURIComponent(one.document)}`, class: "id" }, one.document),
                money(one.dollars),
                count(one.rowsWritten),
                count(one.messages),
                `${count(one.awakeMs / 1000)} s`,
                `${money(one.dollarsToStoreADay)} for ${bytes(one.bytes)}`,
              ]),
            ),
      ),
      el(
        "p",
        { class: "hint" },
        `Prices of ${prices.asOf}, ${prices.source}, beyond the included amounts. Without the Worker's own requests and the archive. Rows, messages, requests and alarms are counted; seconds awake are estimated.`,
      ),
    )
  }

  await load(1)
}

/** What so much work would cost here and elsewhere, from what was measured and what is asked. */
function calculator(): HTMLElement {
  const result = el("div", { "aria-live": "polite" })
  const inputs = FIELDS.map(([name, , value]) =>
    el("input", { type: "number", min: 0, step: "any", value, inputmode: "decimal", name }),
  )
  const work = () => {
    const [rooms, hours, idle] = inputs.map((input) => Math.max(0, Number(input.value) || 0)) as [
      number,
      number,
      number,
    ]
    result.replaceChildren(
      table(
        ["", "A day", "A month"],
        Object.entries(costsADay({ rooms, hours, idle })).map(([name, day]) => [
          name,
          money(day),
          money(day * 30),
        ]),
      ),
    )
  }
  for (const input of inputs) input.addEventListener("input", work)
  work()
  return card(
    "Calculator",
    null,
    el("div", { class: "calculator" }, ...FIELDS.map(([, label], i) => el("label", {}, label, inputs[i]!))),
    result,
    el(
      "p",
      { class: "hint" },
      "Yurt and y-partyserver as measured on Durable Objects, in the prices above. Liveblocks as it is listed at " +
        `${LIVEBLOCKS.source} in ${LIVEBLOCKS.asOf}: beyond its plan, a minute that two are in a room. All beyond what a plan ` +
        "includes. Tiptap lists no price that an hour could be reckoned by.",
    ),
  )
}
