/** The audit: who did what, the newest first. */
import type { Entry } from "./answers.ts"
import { askJson } from "./api.ts"
import { ago, button, el, nothing, table } from "./dom.ts"
import type { View } from "./main.ts"

/** The view `#/audit`. */
export const auditView: View = async (main, signal) => {
  const subject = el("input", { type: "search", placeholder: "A whole subject", "aria-label": "Subject" })
  const list = el("div", { class: "list" }, nothing("…"))
  let cursor: string | null = null
  const more = button("More", () => void load(cursor), { hidden: true })
  main.append(el("h1", {}, "Audit"), el("div", { class: "tools" }, subject), list, more)

  async function load(from: string | null): Promise<void> {
    const query = new URLSearchParams({ limit: "100" })
    if (subject.value.trim() !== "") query.set("subject", subject.value.trim())
    if (from !== null) query.set("cursor", from)
    try {
      const page = await askJson<{ entries: Entry[]; cursor: string | null }>(`/admin/audit?${query}`, {
        signal,
      })
      cursor = page.cursor
      more.hidden = cursor === null
      const rows = table(
        ["When", "Who", "Did", "Document"],
        page.entries.map(({ at, subject, deed, detail, agent, document }) => [
          el("time", { datetime: at, title: at }, ago(at)),
          subject ?? "somebody without a token",
          [deed, detail, agent && `agent ${agent}`].filter(Boolean).join(" · "),
          document === null
            ? "–"
            : el("a", { href: `#/doc/${encodeURIComponent(document)}`, class: "id" }, document),
        ]),
      )
      if (from !== null) list.append(rows)
      else
        list.replaceChildren(
          page.entries.length > 0 ? rows : nothing("Nothing yet. Rooms report once a minute."),
        )
    } catch (thrown) {
      if (!signal.aborted)
        list.replaceChildren(nothing(thrown instanceof Error ? thrown.message : "It failed."))
    }
  }

  subject.addEventListener("change", () => void load(null))
  await load(null)
}
