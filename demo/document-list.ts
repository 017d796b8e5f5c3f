/** A list of documents on a page: what each is called, what it is, and when it was touched. */
import { el } from "./element.ts"

/** One line of the list. */
export interface Entry {
  readonly href: string
  readonly name: string
  /** "Cards"; null where nobody here has opened it yet. */
  readonly kind: string | null
  /** ms since 1970. */
  readonly at: number
  readonly id: string
  readonly forget?: () => void
}

/** The lines of a list. */
export function listEntries(entries: readonly Entry[]): HTMLElement[] {
  return entries.map(({ href, name, kind, at, id, forget }) =>
    el(
      "li",
      {},
      el("a", { href, dir: "auto" }, name),
      el("span", { class: "kind" }, kind ?? ""),
      el("span", { class: "id", title: id }, id === name ? "" : id),
      el(
        "time",
        { datetime: new Date(at).toISOString(), title: new Date(at).toLocaleString("en") },
        since(at),
      ),
      forget !== undefined &&
        el(
          "button",
          {
            type: "button",
            class: "forget",
            title: "Take it off this list",
            "aria-label": `Take ${name} off this list`,
            onclick: forget,
          },
          "×",
        ),
    ),
  )
}

/** The address of a document's page. @param page "kanban" */
export function addressOf(page: string, id: string): string {
  const address = new URL(`/${page}.html`, location.origin)
  address.searchParams.set("doc", id)
  address.hash = location.hash
  return address.href
}

/** "3 hours ago". */
function since(at: number): string {
  const seconds = Math.max(0, (Date.now() - at) / 1000)
  const format = new Intl.RelativeTimeFormat("en", { numeric: "auto" })
  for (const [unit, size] of [
    ["day", 86_400],
    ["hour", 3600],
    ["minute", 60],
  ] as const) {
    if (seconds >= size) return format.format(-Math.floor(seconds / size), unit)
  }
  return "just now"
}
