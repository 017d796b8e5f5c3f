/** DOM without innerHTML: text stays text, whoever wrote it. And how numbers and times are written. */

type Child = Node | string | number | null | false | undefined
/** Attributes by name; `on…` is a listener, true a bare attribute, false or null none. */
type Attributes = Record<string, string | number | boolean | null | ((event: Event) => void)>

/** An element: `el("button", { type: "button", onclick: save }, "Save")`. */
export function el<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value)
    else if (value === true) element.setAttribute(name, "")
    else if (value !== false && value !== null) element.setAttribute(name, String(value))
  }
  for (const child of children) {
    if (child !== null && child !== false && child !== undefined)
      element.append(typeof child === "number" ? String(child) : child)
  }
  return element
}

/** A button. */
export function button(label: string, act: () => void, attributes: Attributes = {}): HTMLButtonElement {
  return el("button", { type: "button", onclick: act, ...attributes }, label)
}

/** A word in a pill. */
export function badge(text: string, kind: "good" | "bad" | "warn" | "plain" = "plain"): HTMLElement {
  return el("span", { class: `badge ${kind}` }, text)
}

/** A card with a heading, and what stands beside it. */
export function card(title: string, aside: Child, ...children: Child[]): HTMLElement {
  return el("section", { class: "card" }, el("header", {}, el("h2", {}, title), aside), ...children)
}

/** A figure with its name. */
export function figure(name: string, value: string, note: string | null = null, kind = ""): HTMLElement {
  return el(
    "div",
    { class: `figure ${kind}` },
    el("dt", {}, name),
    el("dd", {}, value, note !== null && el("small", {}, note)),
  )
}

/** What stands where nothing is. */
export function nothing(text: string): HTMLElement {
  return el("p", { class: "nothing" }, text)
}

/** Cells of a table, one array a row; on a phone each row is a card, whose cells carry their column's name. */
export function table(columns: readonly string[], rows: readonly (readonly Child[])[]): HTMLElement {
  return el(
    "div",
    { class: "scroll" },
    el(
      "table",
      {},
      el("thead", {}, el("tr", {}, ...columns.map((name) => el("th", { scope: "col" }, name)))),
      el(
        "tbody",
        {},
        ...rows.map((row) =>
          el("tr", {}, ...row.map((cell, i) => el("td", { "data-name": columns[i] ?? "" }, cell))),
        ),
      ),
    ),
  )
}

/** 1234567 → "1.2 MB". */
export function bytes(n: number): string {
  if (n < 1_000) return `${n} B`
  const units = ["KB", "MB", "GB", "TB"]
  let value = n / 1_000
  let unit = 0
  while (value >= 1_000 && unit < units.length - 1) {
    value /= 1_000
    unit++
  }
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`
}

/** 1234567 → "1,234,567". */
export function count(n: number): string {
  return Math.round(n).toLocaleString("en-US")
}

/** "1 person", "2 people". */
export function many(n: number, one: string, several = `${one}s`): string {
  return `${count(n)} ${n === 1 ? one : several}`
}

/** US$, as small as they come. */
export function money(n: number): string {
  if (n === 0) return "$0"
  if (n >= 0.01) return `$${n.toFixed(2)}`
  const micro = n * 1e6
  if (micro < 0.1) return "< 0.1 µ$"
  return `${micro >= 10 ? count(micro) : micro.toFixed(1)} µ$`
}

/** How long ago: "12 s ago". */
export function ago(time: string | null): string {
  if (time === null) return "never"
  const seconds = Math.round((Date.now() - Date.parse(time)) / 1000)
  if (seconds < 5) return "now"
  if (seconds < 60) return `${seconds} s ago`
  if (seconds < 3_600) return `${Math.round(seconds / 60)} min ago`
  if (seconds < 86_400) return `${Math.round(seconds / 3_600)} h ago`
  return new Date(time).toISOString().slice(0, 10)
}

/** A time of day. */
export function clock(ms: number): string {
  return new Date(ms).toTimeString().slice(0, 8)
}
