/**
 * Markdown → HTML, for pages of ours: what GitHub makes of README.md and docs/, with the same anchors. The text is our own
 * and still escaped; raw HTML in it is shown as text.
 */
import type { Nodes, RootContent, Table } from "mdast"
import { fromMarkdown } from "mdast-util-from-markdown"
import { gfmTableFromMarkdown } from "mdast-util-gfm-table"
import { gfmTable } from "micromark-extension-gfm-table"

/** A heading, by the anchor that GitHub gives it. */
export interface Heading {
  readonly id: string
  readonly depth: number
  readonly text: string
}

/** Where a link of the text leads on the site. */
export type Resolve = (url: string) => string

const parse = (markdown: string): RootContent[] =>
  fromMarkdown(markdown, { extensions: [gfmTable()], mdastExtensions: [gfmTableFromMarkdown()] }).children

/** The headings of a text, in their order. */
export function headingsOf(markdown: string): Heading[] {
  return readHeadings(parse(markdown))
}

function readHeadings(nodes: readonly RootContent[]): Heading[] {
  const taken = new Map<string, number>()
  return nodes
    .filter((node) => node.type === "heading")
    .map((node) => {
      const text = textOf(node)
      const slug = text
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}\p{M}_\- ]/gu, "")
        .replaceAll(" ", "-")
      const before = taken.get(slug) ?? 0
      taken.set(slug, before + 1)
      return { id: before === 0 ? slug : `${slug}-${before}`, depth: node.depth, text }
    })
}

/**
 * A page's text as HTML, and its headings.
 *
 * @param resolve is asked for every link and picture
 */
export function toHtml(markdown: string, resolve: Resolve): { html: string; headings: Heading[] } {
  const nodes = parse(markdown)
  const headings = readHeadings(nodes)
  let next = 0
  const html = nodes.map((node) =>
    node.type === "heading" ? heading(node, headings[next++]!, resolve) : write(node, resolve),
  )
  return { html: html.join("\n"), headings }
}

function heading(node: Nodes, { id, depth }: Heading, resolve: Resolve): string {
  const anchor =
    depth === 1 ? "" : ` <a class="anchor" href="#${escapeHtml(id)}" aria-label="Link to this part">#</a>`
  return `<h${depth} id="${escapeHtml(id)}">${inside(node, resolve)}${anchor}</h${depth}>`
}

function write(node: Nodes, resolve: Resolve): string {
  switch (node.type) {
    case "text":
      return escapeHtml(node.value)
    case "html":
      return escapeHtml(node.value)
    case "inlineCode":
      return `<code>${escapeHtml(node.value)}</code>`
    case "code":
      return `<div class="code"><pre tabindex="0"><code>${withNotes(node.value)}</code></pre></div>`
    case "paragraph":
      return `<p>${inside(node, resolve)}</p>`
    case "strong":
      return `<strong>${inside(node, resolve)}</strong>`
    case "emphasis":
      return `<em>${inside(node, resolve)}</em>`
    case "blockquote":
      return `<blockquote>${inside(node, resolve)}</blockquote>`
    case "list":
      return node.ordered ? `<ol>${inside(node, resolve)}</ol>` : `<ul>${inside(node, resolve)}</ul>`
    case "listItem":
      return `<li>${node.children.map((child) => (child.type === "paragraph" ? inside(child, resolve) : write(child, resolve))).join("")}</li>`
    case "link":
      return `<a href="${escapeHtml(resolve(node.url))}">${inside(node, resolve)}</a>`
    case "image":
      return `<img src="${escapeHtml(resolve(node.url))}" alt="${escapeHtml(node.alt ?? "")}" loading="lazy" />`
    case "table":
      return table(node, resolve)
    case "thematicBreak":
      return "<hr />"
    case "break":
      return "<br />"
    default:
      throw new Error(`A page has a ${node.type}, which the site cannot show`)
  }
}

/** A wide table scrolls by itself, so that the page does not. One of three columns can be read on a phone, row by row. */
function table({ children: [head, ...rows] }: Table, resolve: Resolve): string {
  const heads = head!.children.map((cell) => textOf(cell))
  const titled = heads.some((text) => text !== "")
  const ths = head!.children.map((cell) => `<th>${inside(cell, resolve)}</th>`).join("")
  const trs = rows.map(({ children }) => {
    const tds = children.map((cell, column) => {
      const label = column === 0 ? "" : heads[column]
      return `<td${label ? ` data-head="${escapeHtml(label)}"` : ""}>${inside(cell, resolve)}</td>`
    })
    return `<tr>${tds.join("")}</tr>`
  })
  return [
    `<div class="table${heads.length <= 3 ? " few" : ""}" tabindex="0"><table>`,
    titled ? `<thead><tr>${ths}</tr></thead>` : "",
    `<tbody>${trs.join("\n")}</tbody></table></div>`,
  ].join("")
}

/** Code in which the lines that are comments stand back. */
const withNotes = (code: string) =>
  escapeHtml(code).replaceAll(
    /^[ \t]*(?:\/\/|\/\*\*|\* ?|\*\/|# ).*$/gm,
    (line) => `<span class="note">${line}</span>`,
  )

const inside = (node: Nodes, resolve: Resolve): string =>
  "children" in node ? node.children.map((child) => write(child, resolve)).join("") : ""

function textOf(node: Nodes): string {
  if ("value" in node) return node.value
  return "children" in node ? node.children.map(textOf).join("") : ""
}

/** Text as HTML, also within quotes. */
export function escapeHtml(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
}
