/** The documents: found by a part of their id, and those that are open or in trouble without waking one of them. */
import type { Listed } from "./answers.ts"
import { askJson } from "./api.ts"
import { askSure, say } from "./ask.ts"
import { ago, badge, button, bytes, count, el, many, nothing, table } from "./dom.ts"
import type { View } from "./main.ts"

interface Page {
  readonly documents: Listed[]
  readonly cursor: string | null
  readonly source: "archive" | "reports"
}

const FILTERS = [
  ["", "All"],
  ["open", "Connected"],
  ["trouble", "In trouble"],
  ["reported", "Reported"],
] as const

/** The view `#/`. */
export const documentsView: View = async (main, signal) => {
  let only = ""
  let asked = 0
  const search = el("input", {
    type: "search",
    placeholder: "Part of an id",
    "aria-label": "Search documents",
  })
  const list = el("div", { class: "list" })
  const more = button("More", () => void load(cursor), { hidden: true })
  const source = el("p", { class: "hint" })
  let cursor: string | null = null
  const filters = el(
    "div",
    { class: "segments", role: "group", "aria-label": "Which documents" },
    ...FILTERS.map(([value, name]) =>
      button(
        name,
        () => {
          only = value
          void load(null)
        },
        { "data-only": value, "aria-pressed": String(value === only) },
      ),
    ),
  )
  const go = el("input", {
    type: "text",
    placeholder: "Whole id",
    "aria-label": "Open a document by its id",
    required: true,
  })
  main.append(
    el("h1", {}, "Documents"),
    el("div", { class: "tools" }, search, filters),
    list,
    more,
    source,
    el(
      "details",
      { class: "card aside" },
      el("summary", {}, "More hands"),
      el(
        "form",
        {
          class: "inline",
          onsubmit: (event) => {
            event.preventDefault()
            location.hash = `#/doc/${encodeURIComponent(go.value.trim())}`
          },
        },
        go,
        el("button", { type: "submit" }, "Open room"),
      ),
      el(
        "p",
        { class: "hint" },
        "After an archive was lost or set back: every document that a room has reported is written to it again.",
      ),
      button("Flush all documents again", () => void flushAll()),
    ),
  )

  async function load(from: string | null): Promise<void> {
    const mine = ++asked
    const query = new URLSearchParams({ limit: "50" })
    if (search.value.trim() !== "") query.set("search", search.value.trim())
    if (only !== "") query.set("only", only)
    if (from !== null) query.set("cursor", from)
    for (const one of filters.querySelectorAll("button"))
      one.setAttribute("aria-pressed", String(one.dataset.only === only))
    let page: Page
    try {
      page = await askJson<Page>(`/admin/documents?${query}`, { signal })
    } catch (thrown) {
      if (mine === asked && !signal.aborted)
        list.replaceChildren(nothing(thrown instanceof Error ? thrown.message : "It failed."))
      return
    }
    // A slower answer to an older question.
    if (mine !== asked) return
    cursor = page.cursor
    more.hidden = cursor === null
    source.textContent =
      page.source === "archive"
        ? "As the archive lists them; who is connected, as rooms last reported."
        : "As rooms last reported."
    const rows = table(["Document", "Connected", "State", "Size", "Changed"], page.documents.map(rowOf))
    if (from !== null) list.append(rows)
    else if (page.documents.length > 0) list.replaceChildren(rows)
    else
      list.replaceChildren(
        nothing(
          only === "trouble"
            ? "No room is in trouble."
            : only === "open"
              ? "Nobody is connected."
              : "No document.",
        ),
      )
  }

  let typing: ReturnType<typeof setTimeout> | undefined
  search.addEventListener("input", () => {
    clearTimeout(typing)
    typing = setTimeout(() => void load(null), 250)
  })
  await load(null)
  const refresh = setInterval(() => {
    if (!document.hidden && list.childElementCount <= 1) void load(null)
  }, 15_000)
  signal.addEventListener("abort", () => clearInterval(refresh))
}

function rowOf({ id, bytes: size, updatedAt, line }: Listed) {
  const names = [...new Set((line?.people ?? []).map(({ name, subject }) => name ?? subject ?? "somebody"))]
  const connected =
    line === null || line.peers === 0
      ? el("span", { class: "faint" }, "–")
      : el(
          "span",
          { title: names.join(", ") },
          many(line.peers, "socket"),
          el("small", {}, names.slice(0, 3).join(", ")),
        )
  return [
    el("a", { href: `#/doc/${encodeURIComponent(id)}`, class: "id" }, id),
    connected,
    el("span", { class: "badges" }, ...states(line)),
    bytes(line?.bytes ?? size),
    ago(updatedAt),
  ]
}

function states(line: Listed["line"]): HTMLElement[] {
  if (line === null) return [badge("archived")]
  const lag = line.revision - (line.archivedRevision ?? 0)
  return [
    ...(line.damaged ? [badge("damaged", "bad")] : []),
    ...(line.archiveError !== null ? [badge(`archive lacks ${count(lag)}`, "bad")] : []),
    ...(line.archiveError === null && lag > 0 && line.archivedRevision !== null
      ? [badge(`${count(lag)} to archive`)]
      : []),
    ...(line.quarantined > 0 && !line.damaged ? [badge(`${line.quarantined} in quarantine`, "warn")] : []),
    ...(line.waiting > 0 ? [badge(`${line.waiting} wait`, "warn")] : []),
    ...(line.readOnly ? [badge("read-only", "warn")] : []),
    ...(!line.damaged && line.archiveError === null ? [badge("well", "good")] : []),
  ]
}

async function flushAll(): Promise<void> {
  const sure = await askSure({
    title: "Flush all documents again?",
    text: "Every room that has ever reported wakes and writes its document to the archive. What the archive holds is merged, not lost.",
    act: "Flush all",
  })
  if (!sure) return
  let flushed = 0
  const failed: string[] = []
  try {
    for (let cursor: string | null = null; ; ) {
      const query: string = cursor === null ? "" : `?cursor=${encodeURIComponent(cursor)}`
      const page = await askJson<{
        flushed: number
        failed: { document: string; message: string }[]
        cursor: string | null
      }>(`/admin/flush${query}`, { method: "POST" })
      flushed += page.flushed
      failed.push(...page.failed.map(({ document, message }) => `${document}: ${message}`))
      say(`${many(flushed, "document")} flushed …`)
      cursor = page.cursor
      if (cursor === null) break
    }
    if (failed.length === 0) say(`${many(flushed, "document")} flushed.`)
    else
      say(
        `${many(flushed, "document")} flushed, ${failed.length} failed: ${failed.slice(0, 3).join("; ")}`,
        "bad",
      )
  } catch (thrown) {
    say(thrown instanceof Error ? thrown.message : "It failed.", "bad")
  }
}
