/** A document as a tree: its JSON, opened where somebody looks. Hostile content is text like any other. */
import { el, many } from "./dom.ts"

/** Entries of one level that are shown; the rest is counted. */
const SHOWN = 200
/** Characters of one text. */
const LENGTH = 2_000

/** The tree of a value. */
export function tree(value: unknown): HTMLElement {
  return el("div", { class: "tree" }, ...branches(value, true))
}

function branches(value: unknown, open: boolean): HTMLElement[] {
  const entries = Array.isArray(value)
    ? value.map((item, i): [string, unknown] => [String(i), item])
    : Object.entries(Object(value) as object)
  const shown = entries.slice(0, SHOWN).map(([name, item]) => branch(name, item, open))
  if (entries.length > SHOWN) shown.push(el("p", { class: "more" }, `… and ${entries.length - SHOWN} more`))
  return shown
}

function branch(name: string, value: unknown, open: boolean): HTMLElement {
  const key = el("span", { class: "key" }, name)
  if (typeof value !== "object" || value === null) return el("p", {}, key, leaf(value))
  const size = Array.isArray(value) ? many(value.length, "item") : many(Object.keys(value).length, "key")
  const details = el(
    "details",
    { open: open && Object.keys(value).length <= 20 },
    el("summary", {}, key, el("span", { class: "size" }, size)),
  )
  // Made when it is opened: a document may have a hundred thousand values.
  const grow = () => {
    if (details.open && details.childElementCount === 1) details.append(...branches(value, false))
  }
  details.addEventListener("toggle", grow)
  grow()
  return details
}

function leaf(value: unknown): HTMLElement {
  const text = typeof value === "string" ? value : JSON.stringify(value)
  const cut = text.length > LENGTH ? `${text.slice(0, LENGTH)} … ${text.length} characters` : text
  return el("span", { class: typeof value === "string" ? "text" : "plain" }, cut)
}
