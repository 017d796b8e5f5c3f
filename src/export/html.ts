/** A document as one HTML page that needs nothing else: no script, no font, no file beside it. */
import type * as Y from "yjs"
import { type Block, type Inline, inlineText, type ListItem, type Marks, readRootBlocks } from "./blocks.ts"
import type { ExportOptions } from "./budget.ts"
import { safeImage, safeLink } from "./links.ts"

const STYLE = `
:root { color-scheme: light dark }
body { max-width: 44rem; margin: 3rem auto; padding: 0 1.25rem; font: 1.0625rem/1.6 system-ui, sans-serif }
h1, h2, h3, h4, h5, h6 { line-height: 1.25 }
pre { font: 0.9375rem/1.5 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere }
pre.plain { font: inherit }
blockquote { margin-inline: 0; padding-inline-start: 1rem; border-inline-start: 3px solid #8888 }
table { border-collapse: collapse }
th, td { border: 1px solid #8888; padding: 0.25rem 0.5rem; text-align: start; vertical-align: top }
th > :first-child, td > :first-child, li > p:first-of-type { margin-block-start: 0 }
th > :last-child, td > :last-child, li > p { margin-block-end: 0 }
li:has(> input) { list-style: none }
li > input { float: inline-start; margin-inline: -1.5rem 0 }
img { max-width: 100% }
`

/**
 * The document, or one root of it, as an HTML page. Reads only.
 *
 * Everything people typed is escaped; a link leads to http, https or mailto or is only its text; an image is
 * https or its own bytes. A text that was never formatted keeps its lines and blanks; maps and arrays are shown
 * as JSON. Where there are several roots, each is a section under its name.
 *
 * @param options.title of the page; by default its first heading, or "Document"
 * @throws SyncError "not-found" when there is no root of that name
 */
export function toHtml(doc: Y.Doc, options: ExportOptions & { title?: string } = {}): string {
  const roots = readRootBlocks(doc, options.root)
  const body =
    roots.length === 1
      ? writeBlocks(roots[0]?.blocks ?? [])
      : roots
          .map(
            ({ name, blocks }) =>
              `<section>\n<h2>${escapeHtml(name)}</h2>\n${writeBlocks(blocks)}\n</section>`,
          )
          .join("\n")
  const heading = roots.flatMap(({ blocks }) => blocks).find((block) => block.kind === "heading")
  const title = options.title ?? (heading === undefined ? "" : inlineText(heading.inlines).trim())
  return `<!doctype html>
<html>
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title || "Document")}</title>
<style>${STYLE}</style>
</head>
<body dir="auto">
${body}
</body>
</html>
`
}

function writeBlocks(blocks: readonly Block[]): string {
  return blocks.map(writeBlock).join("\n")
}

function writeBlock(block: Block): string {
  switch (block.kind) {
    case "plain":
      // The parser drops a newline that is the first thing in a <pre>.
      return `<pre class="plain">\n${escapeHtml(block.text)}</pre>`
    case "paragraph":
      return `<p>${writeInlines(block.inlines) || "<br>"}</p>`
    case "heading":
      return `<h${block.level}>${writeInlines(block.inlines)}</h${block.level}>`
    case "quote":
      return `<blockquote>\n${writeBlocks(block.blocks)}\n</blockquote>`
    case "code": {
      const language = /^[\w+#.-]+$/.test(block.language) ? ` class="language-${block.language}"` : ""
      return `<pre><code${language}>${block.text.startsWith("\n") ? "\n" : ""}${escapeHtml(block.text)}</code></pre>`
    }
    case "list": {
      const start = block.ordered && block.start !== 1 ? ` start="${Math.trunc(block.start)}"` : ""
      const tag = block.ordered ? "ol" : "ul"
      return `<${tag}${start}>\n${block.items.map(writeItem).join("\n")}\n</${tag}>`
    }
    case "rule":
      return "<hr>"
    case "table": {
      const rows = block.rows.map((row) => {
        const cells = row.map(({ header, blocks }) => {
          const tag = header ? "th" : "td"
          return `<${tag}>${writeTight(blocks)}</${tag}>`
        })
        return `<tr>${cells.join("")}</tr>`
      })
      return `<table>\n${rows.join("\n")}\n</table>`
    }
    default:
      throw new TypeError(`unknown block ${block satisfies never}`)
  }
}

function writeItem({ checked, blocks }: ListItem): string {
  const box = checked === null ? "" : `<input type="checkbox" disabled${checked ? " checked" : ""}> `
  return `<li>${box}${writeTight(blocks)}</li>`
}

/** A first paragraph needs no tag of its own. */
function writeTight([first, ...rest]: readonly Block[]): string {
  if (first === undefined) return ""
  if (first.kind !== "paragraph" || rest.some((block) => block.kind === "paragraph"))
    return writeBlocks([first, ...rest])
  return writeInlines(first.inlines) + (rest.length > 0 ? `\n${writeBlocks(rest)}\n` : "")
}

function writeInlines(inlines: readonly Inline[]): string {
  return inlines.map(writeInline).join("")
}

function writeInline(inline: Inline): string {
  switch (inline.kind) {
    case "text":
      return writeMarks(escapeHtml(inline.text).replaceAll(/\r\n|[\r\n]/g, "<br>"), inline.marks)
    case "break":
      return "<br>"
    case "image": {
      const source = safeImage(inline.source)
      if (source === null) return escapeHtml(inline.alternative)
      return `<img src="${escapeHtml(source)}" alt="${escapeHtml(inline.alternative)}">`
    }
    default:
      throw new TypeError(`unknown inline ${inline satisfies never}`)
  }
}

/** From the inside out. */
const TAGS: readonly (readonly [mark: Exclude<keyof Marks, "link">, tag: string])[] = [
  ["code", "code"],
  ["subscript", "sub"],
  ["superscript", "sup"],
  ["highlight", "mark"],
  ["underline", "u"],
  ["strike", "s"],
  ["italic", "em"],
  ["bold", "strong"],
]

function writeMarks(html: string, marks: Marks): string {
  const marked = TAGS.reduce(
    (inner, [mark, tag]) => (marks[mark] ? `<${tag}>${inner}</${tag}>` : inner),
    html,
  )
  const link = safeLink(marks.link)
  return link === null
    ? marked
    : `<a href="${escapeHtml(link)}" rel="noopener noreferrer nofollow">${marked}</a>`
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
}

/** Text that is only text, between tags and in a quoted attribute. A NUL, which HTML can't hold, is the replacement character. */
function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? "").replaceAll("\0", "\ufffd")
}
