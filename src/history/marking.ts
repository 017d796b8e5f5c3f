/** Differences as a page: Markdown or HTML with `ins` and `del`, and who by. */
import type { Change } from "./diff.ts"

/** The differences as HTML: one section a root, its words as they are now, with what came and what went. */
export function toHtml(roots: Readonly<Record<string, readonly Change[]>>): string {
  const sections = Object.entries(roots).map(
    ([root, changes]) =>
      `<section><h2>${escapeHtml(root)}</h2>\n${lines(changes, (change, text) => {
        const shown = escapeHtml(text)
        const by = change.by?.name ?? change.by?.subject ?? null
        const title = by === null ? "" : ` title="${escapeHtml(by)}"`
        const time = change.at ? ` datetime="${escapeHtml(change.at)}"` : ""
        if (change.op === "insert") return `<ins${title}${time}>${shown}</ins>`
        if (change.op === "delete") return `<del${title}${time}>${shown}</del>`
        return change.op === "format" ? `<mark${title}>${shown}</mark>` : shown
      })
        .map((line) => `<p>${line}</p>`)
        .join("\n")}</section>`,
  )
  return `<!doctype html>\n<meta charset="utf-8">\n<title>Differences</title>\n${sections.join("\n")}\n`
}

/** The differences as Markdown, in which `ins` and `del` are HTML. */
export function toMarkdown(roots: Readonly<Record<string, readonly Change[]>>): string {
  const sections = Object.entries(roots).map(
    ([root, changes]) =>
      `## ${plain(root)}\n\n${lines(changes, ({ op }, text) =>
        op === "insert"
          ? `<ins>${plain(text)}</ins>`
          : op === "delete"
            ? `<del>${plain(text)}</del>`
            : plain(text),
      ).join("\n\n")}`,
  )
  return `${sections.join("\n\n")}\n`
}

/**
 * The lines of a root: text in one type runs on, a line break or another type begins a new one; of values each is one,
 * with its place before it.
 */
function lines(changes: readonly Change[], mark: (change: Change, text: string) => string): string[] {
  const all: string[] = []
  let line = ""
  let within: string | null = null
  const end = () => {
    if (line !== "") all.push(line)
    line = ""
  }
  for (const change of changes) {
    const place = JSON.stringify(change.path ?? [])
    if (change.text === undefined) {
      // A type shows by what is in it.
      if (isType(change.value)) continue
      end()
      within = null
      all.push(mark(change, `${(change.path ?? []).join(".")}: ${JSON.stringify(change.value)}`))
      continue
    }
    if (within !== place) end()
    within = place
    for (const [i, part] of change.text.split("\n").entries()) {
      if (i > 0) end()
      if (part !== "") line += mark(change, part)
    }
  }
  end()
  return all
}

function isType(value: unknown): boolean {
  return typeof Object(value) === "object" && value !== null && "type" in Object(value)
}

function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`)
}

/** Markdown's own signs as plain letters; what is HTML in it as well. */
function plain(text: string): string {
  return escapeHtml(text.replaceAll(/[\\`*_{}[\]()#+\-.!|~]/g, "\\$&"))
}
