/** A document as one HTML page that needs nothing else: no script, no font, no file beside it. */
import type * as Y from "yjs"
import { type Block, type Inline, inlineText, type ListItem, type Marks } from "./blocks.ts"
import { type ExportOptions, startBudget } from "./budget.ts"
import { safeImage, safeLink } from "./links.ts"
import { readRootBlocks } from "./read-blocks.ts"

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
figure { margin-inline: 0 }
figcaption { font-size: 0.9375rem; opacity: 0.75 }
.indented { margin-inline-start: 1.5rem }
`

/**
 * The document, or one root of it, as an HTML page. Reads only.
 *
 * Everything people typed is escaped; a link leads to http, https or mailto or is only its text; an image is
 * https or its own bytes. A text that was never formatted keeps its lines and blanks; maps and arrays are shown
 * as JSON. A video, a sound or a file is a link to it. Where there are several roots, each is a section under its name.
 *
 * @param options.title of the page; by default its first heading, or "Document"
 * @throws SyncError "not-found" when there is no root of that name, "too-large" when the page outgrows its budget
 * @example
 * toHtml(doc, { root: "notes", title: "Notes" }) // "<!doctype html>…"
 */
export function toHtml(doc: Y.Doc, options: ExportOptions & { title?: string } = {}): string {
  const budget = startBudget(doc, options)
  const roots = readRootBlocks(doc, { root: options.root, budget })
  const heading = roots.flatMap(({ blocks }) => blocks).find((block) => block.kind === "heading")
  const title = options.title ?? (heading === undefined ? "" : inlineText(heading.inlines).trim())
  const parts: string[] = []
  writePage(roots, title, (part) => {
    budget.spend(part.length)
    parts.push(part)
  })
  return parts.join("")
}

/** Takes the page in order, part by part; no part is much longer than one run of the document. */
type Emit = (part: string) => void

function writePage(
  roots: readonly { readonly name: string; readonly blocks: readonly Block[] }[],
  title: string,
  emit: Emit,
): void {
  emit(`<!doctype html>
<html>
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title || "Document")}</title>
<style>${STYLE}</style>
</head>
<body dir="auto">
`)
  for (const { name, blocks } of roots) {
    if (roots.length > 1) emit(`<section>\n<h2>${escapeHtml(name)}</h2>\n`)
    writeBlocks(blocks, emit)
    emit(roots.length > 1 ? "\n</section>\n" : "\n")
  }
  emit("</body>\n</html>\n")
}

function writeBlocks(blocks: readonly Block[], emit: Emit): void {
  for (const [index, block] of blocks.entries()) {
    if (index > 0) emit("\n")
    writeBlock(block, emit)
  }
}

function writeBlock(block: Block, emit: Emit): void {
  switch (block.kind) {
    case "plain":
      // The parser drops a newline that is the first thing in a <pre>.
      emit(`<pre class="plain">\n${escapeHtml(block.text)}</pre>`)
      return
    case "paragraph":
      emit("<p>")
      if (block.inlines.length === 0) emit("<br>")
      writeInlines(block.inlines, emit)
      emit("</p>")
      return
    case "heading":
      emit(`<h${block.level}>`)
      writeInlines(block.inlines, emit)
      emit(`</h${block.level}>`)
      return
    case "quote":
      writeAround("blockquote", block.blocks, emit)
      return
    case "code": {
      const language = /^[\w+#.-]+$/.test(block.language) ? ` class="language-${block.language}"` : ""
      emit(
        `<pre><code${language}>${block.text.startsWith("\n") ? "\n" : ""}${escapeHtml(block.text)}</code></pre>`,
      )
      return
    }
    case "list": {
      const start = block.ordered && block.start !== 1 ? ` start="${block.start}"` : ""
      const tag = block.ordered ? "ol" : "ul"
      emit(`<${tag}${start}>\n`)
      for (const item of block.items) writeItem(item, emit)
      emit(`</${tag}>`)
      return
    }
    case "rule":
      emit("<hr>")
      return
    case "table":
      emit("<table>\n")
      for (const row of block.rows) {
        emit("<tr>")
        for (const { header, blocks } of row) {
          emit(header ? "<th>" : "<td>")
          writeTight(blocks, emit)
          emit(header ? "</th>" : "</td>")
        }
        emit("</tr>\n")
      }
      emit("</table>")
      return
    case "media":
      emit(writeMedia(block))
      return
    case "details":
      emit("<details open>\n<summary>")
      writeInlines(block.summary, emit)
      emit("</summary>\n")
      writeBlocks(block.blocks, emit)
      emit("\n</details>")
      return
    case "indented":
      writeAround('div class="indented"', block.blocks, emit)
      return
    default:
      throw new TypeError(`unknown block ${block satisfies never}`)
  }
}

function writeAround(tag: string, blocks: readonly Block[], emit: Emit): void {
  emit(`<${tag}>\n`)
  writeBlocks(blocks, emit)
  emit(`\n</${tag.replace(/ .*/, "")}>`)
}

function writeItem({ checked, blocks }: ListItem, emit: Emit): void {
  emit("<li>")
  if (checked !== null) emit(`<input type="checkbox" disabled${checked ? " checked" : ""}> `)
  writeTight(blocks, emit)
  emit("</li>\n")
}

/** A first paragraph needs no tag of its own. */
function writeTight(blocks: readonly Block[], emit: Emit): void {
  const [first, ...rest] = blocks
  if (first?.kind !== "paragraph" || rest.some((block) => block.kind === "paragraph")) {
    writeBlocks(blocks, emit)
    return
  }
  writeInlines(first.inlines, emit)
  if (rest.length === 0) return
  emit("\n")
  writeBlocks(rest, emit)
  emit("\n")
}

function writeMedia(block: Block & { kind: "media" }): string {
  const name = block.name || block.source
  const image = block.image ? safeImage(block.source) : null
  const link = safeLink(block.source)
  const shown =
    image !== null
      ? `<img src="${escapeHtml(image)}" alt="${escapeHtml(block.name || block.caption)}">`
      : link !== null
        ? `<a href="${escapeHtml(link)}" rel="noopener noreferrer nofollow">${escapeHtml(name)}</a>`
        : escapeHtml(block.name)
  const caption = block.caption === "" ? "" : `<figcaption>${escapeHtml(block.caption)}</figcaption>`
  return `<figure>${shown}${caption}</figure>`
}

function writeInlines(inlines: readonly Inline[], emit: Emit): void {
  for (const inline of inlines) emit(writeInline(inline))
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
