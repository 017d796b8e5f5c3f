/**
 * A document as Markdown: CommonMark with GitHub's tables, task lists and strikethrough. This file makes a tree of mdast out
 * of the blocks; mdast-util-to-markdown writes and escapes it.
 *
 * It takes about three times as long as a writer by hand did (a quarter of a second a megabyte) and makes a Worker 25 KB larger,
 * gzipped; it knows more of what a parser makes of a delimiter.
 */
import type { BlockContent, ListItem as MdListItem, PhrasingContent, RootContent, TableRow } from "mdast"
import { gfmStrikethroughToMarkdown } from "mdast-util-gfm-strikethrough"
import { gfmTableToMarkdown } from "mdast-util-gfm-table"
import { gfmTaskListItemToMarkdown } from "mdast-util-gfm-task-list-item"
import { type Options, toMarkdown as writeMdast } from "mdast-util-to-markdown"
import type * as Y from "yjs"
import { type Block, type Inline, inlineText, type ListItem } from "./blocks.ts"
import { type Budget, type ExportOptions, startBudget } from "./budget.ts"
import { safeImage, safeLink } from "./links.ts"
import { readRootBlocks } from "./read-blocks.ts"

/** Tables are not padded: one long cell would make every row as long. */
const STYLE: Options = {
  bullet: "-",
  bulletOther: "*",
  rule: "-",
  resourceLink: true,
  extensions: [
    gfmTableToMarkdown({ tablePipeAlign: false }),
    gfmStrikethroughToMarkdown(),
    gfmTaskListItemToMarkdown(),
  ],
}

/**
 * The document, or one root of it, as Markdown. Reads only.
 *
 * A text that was never formatted is given as it is (people write Markdown in plain editors). Rich text (Lexical,
 * Quill, XML, Slate) is written out and escaped: what was typed as `*a*` stays these three characters, a typed `<b>` is no
 * tag, and a link leads to http, https or mailto or is only its text. Underline, highlight, sub- and superscript,
 * which Markdown lacks, are HTML tags; a formula is code. A video, a sound or a file is a link to it. The indentation of
 * what is no list is left out, since Markdown has no word for it. Maps and arrays are JSON in a code block. Where there are
 * several roots, each follows its name as a heading.
 *
 * @throws SyncError "not-found" when there is no root of that name, "too-large" when the Markdown outgrows its budget
 * @example
 * toMarkdown(doc, { root: "notes" }) // "# Title\n\nSome **bold** words.\n"
 */
export function toMarkdown(doc: Y.Doc, options: ExportOptions = {}): string {
  const budget = startBudget(doc, options)
  const roots = readRootBlocks(doc, { root: options.root, budget })
  const place: Place = { budget, prefixBytes: 0 }
  const [only] = roots
  if (only === undefined) return ""
  if (roots.length === 1) {
    const [block] = only.blocks
    if (block?.kind !== "plain")
      return writeMdast({ type: "root", children: toBlocks(only.blocks, place) }, STYLE)
    budget.spend(block.text.length)
    return block.text
  }
  const children = roots.flatMap(({ name, blocks }): RootContent[] => [
    { type: "heading", depth: 2, children: [{ type: "text", value: name }] },
    ...toBlocks(blocks, place),
  ])
  return writeMdast({ type: "root", children }, STYLE)
}

/** Blocks of a document as Markdown. @throws SyncError "too-large" */
export function blocksToMarkdown(blocks: readonly Block[], budget: Budget): string {
  return writeMdast({ type: "root", children: toBlocks(blocks, { budget, prefixBytes: 0 }) }, STYLE)
}

/** Where in the page a block will stand. */
interface Place {
  readonly budget: Budget
  /** What will stand before each of its lines: the marks of the quotes and lists around it. */
  readonly prefixBytes: number
}

// ---- blocks

function toBlocks(blocks: readonly Block[], place: Place): BlockContent[] {
  return blocks.flatMap((block) => toBlock(block, place))
}

function toBlock(block: Block, place: Place): BlockContent[] {
  // A block takes its line and the blank one before it.
  place.budget.spend(2 * (place.prefixBytes + 1))
  switch (block.kind) {
    case "plain":
      spendLines(block.text, place)
      return [{ type: "html", value: block.text }]
    case "paragraph": {
      const children = toLines(block.inlines, place)
      return children.length === 0 ? [] : [{ type: "paragraph", children }]
    }
    case "heading":
      return [{ type: "heading", depth: toDepth(block.level), children: toLine(block.inlines, place) }]
    case "quote":
      return [{ type: "blockquote", children: toBlocks(block.blocks, deeper(place, "> ")) }]
    case "code":
      spendLines(block.text, place)
      return [
        { type: "code", lang: /^[\w+#.-]+$/.test(block.language) ? block.language : null, value: block.text },
      ]
    case "list":
      return [
        {
          type: "list",
          ordered: block.ordered,
          start: block.start,
          spread: false,
          children: block.items.map((item) => toItem(item, deeper(place, block.ordered ? "1. " : "- "))),
        },
      ]
    case "rule":
      return [{ type: "thematicBreak" }]
    case "table":
      return [{ type: "table", children: toRows(block.rows, place) }]
    case "media":
      return toMedia(block, place)
    case "details": {
      const summary = toLine(block.summary, place)
      const blocks = toBlocks(block.blocks, place)
      return summary.length === 0 ? blocks : [{ type: "paragraph", children: summary }, ...blocks]
    }
    case "indented":
      return toBlocks(block.blocks, place)
    default:
      throw new TypeError(`unknown block ${block satisfies never}`)
  }
}

function deeper(place: Place, mark: string): Place {
  return { budget: place.budget, prefixBytes: place.prefixBytes + mark.length }
}

function spendLines(text: string, { budget, prefixBytes }: Place): void {
  budget.spend(text.length)
  if (prefixBytes > 0) budget.spend(prefixBytes * text.split("\n").length)
}

function toDepth(level: number): 1 | 2 | 3 | 4 | 5 | 6 {
  return level === 1 || level === 2 || level === 3 || level === 4 || level === 5 ? level : 6
}

function toItem({ checked, blocks }: ListItem, place: Place): MdListItem {
  place.budget.spend(place.prefixBytes)
  // A nested list follows its line without a blank one; a second paragraph needs one.
  const spread = blocks.slice(1).some((block) => block.kind !== "list")
  return { type: "listItem", checked, spread, children: toBlocks(blocks, place) }
}

/** Caption and name are lines of their own below an image; a file is a link that has its name. */
function toMedia({ image, source, name, caption }: Block & { kind: "media" }, place: Place): BlockContent[] {
  place.budget.spend(source.length + 2 * name.length + 2 * caption.length + 2 * place.prefixBytes)
  const url = image ? safeImage(source) : null
  const shown: PhrasingContent[] =
    url === null
      ? toLine([{ kind: "text", text: name || source, marks: { link: source } }], place)
      : [{ type: "image", url, alt: name || caption }]
  const captions: PhrasingContent[] =
    caption === "" ? [] : toLine([{ kind: "text", text: caption, marks: {} }], place)
  return [shown, captions]
    .filter((children) => children.length > 0)
    .map((children) => ({ type: "paragraph", children }))
}

/** GitHub's tables have a heading row in any case, as many cells in each row, and one line a cell. */
function toRows(
  rows: readonly (readonly { readonly blocks: readonly Block[] }[])[],
  place: Place,
): TableRow[] {
  const width = rows.reduce((most, row) => Math.max(most, row.length), 1)
  return rows.map((row) => {
    place.budget.spend(place.prefixBytes + 3 * width)
    const cells = Array.from({ length: width }, (_, index) => toCell(row[index]?.blocks ?? [], place))
    return { type: "tableRow", children: cells.map((children) => ({ type: "tableCell", children })) }
  })
}

function toCell(blocks: readonly Block[], place: Place): PhrasingContent[] {
  const lines = blocks.flatMap((block) => cellLines(block, place)).filter((line) => line.length > 0)
  return lines.flatMap((line, index) => (index === 0 ? line : [{ type: "html", value: "<br>" }, ...line]))
}

function cellLines(block: Block, place: Place): PhrasingContent[][] {
  switch (block.kind) {
    case "paragraph":
    case "heading":
      return [toLine(block.inlines, place)]
    case "list":
      return block.items.flatMap((item) => item.blocks.flatMap((one) => cellLines(one, place)))
    case "quote":
    case "indented":
      return block.blocks.flatMap((one) => cellLines(one, place))
    case "details":
      return [toLine(block.summary, place), ...block.blocks.flatMap((one) => cellLines(one, place))]
    case "code":
    case "plain":
      return [toLine([{ kind: "text", text: block.text, marks: { code: true } }], place)]
    case "media":
      return toMedia(block, place).flatMap((one) => (one.type === "paragraph" ? [one.children] : []))
    case "rule":
      return []
    case "table":
      return block.rows.flatMap((row) => row.map((cell) => toCell(cell.blocks, place)))
    default:
      throw new TypeError(`unknown block ${block satisfies never}`)
  }
}

// ---- lines

/** The lines of a paragraph; Markdown has no blanks at their ends, and no empty ones. */
function toLines(inlines: readonly Inline[], place: Place): PhrasingContent[] {
  const lines = splitLines(inlines)
    .map(trimLine)
    .filter((line) => line.length > 0)
  return lines.flatMap((line, index) => {
    place.budget.spend(place.prefixBytes + 2)
    const children = nest(line, MARKS, place.budget)
    return index === 0 ? children : [{ type: "break" } as const, ...children]
  })
}

/** One line; a break is a blank. */
function toLine(inlines: readonly Inline[], { budget }: Place): PhrasingContent[] {
  const blank: Inline = { kind: "text", text: " ", marks: {} }
  const line = splitLines(inlines).flatMap((one, index) => (index === 0 ? one : [blank, ...one]))
  return nest(trimLine(line), MARKS, budget)
}

/** A newline inside a text ends a line as a break does. */
function splitLines(inlines: readonly Inline[]): Inline[][] {
  let line: Inline[] = []
  const lines = [line]
  const endLine = () => {
    line = []
    lines.push(line)
  }
  for (const inline of inlines) {
    if (inline.kind === "break") endLine()
    else if (inline.kind === "image") line.push(inline)
    else {
      for (const [index, text] of inline.text.split(/\r\n|[\r\n]/).entries()) {
        if (index > 0) endLine()
        if (text !== "") line.push({ ...inline, text })
      }
    }
  }
  return lines
}

function trimLine(line: readonly Inline[]): Inline[] {
  return splitBlanks(line).core
}

/** The blanks with which inlines begin and end, apart from what stands between them. */
function splitBlanks(inlines: readonly Inline[]): { lead: Inline[]; core: Inline[]; trail: Inline[] } {
  const isBlank = (inline: Inline | undefined) => inline?.kind === "text" && inline.text.trim() === ""
  let start = 0
  let end = inlines.length
  while (start < end && isBlank(inlines[start])) start++
  while (end > start && isBlank(inlines[end - 1])) end--
  const lead = inlines.slice(0, start)
  const core = inlines.slice(start, end)
  const trail = inlines.slice(end)
  const first = core[0]
  if (first?.kind === "text") {
    const text = first.text.trimStart()
    if (text !== first.text) lead.push({ ...first, text: first.text.slice(0, -text.length) })
    core[0] = { ...first, text }
  }
  const last = core.at(-1)
  if (last?.kind === "text") {
    const text = last.text.trimEnd()
    if (text !== last.text) trail.unshift({ ...last, text: last.text.slice(text.length) })
    core[core.length - 1] = { ...last, text }
  }
  return { lead, core, trail }
}

/** From the outside in. */
const MARKS = [
  "link",
  "bold",
  "italic",
  "strike",
  "underline",
  "highlight",
  "subscript",
  "superscript",
  "code",
] as const
type Mark = (typeof MARKS)[number]

/** A mark's HTML tag, for where Markdown has no delimiter for it, or one that might not be read as one. */
const TAGS = {
  bold: "strong",
  italic: "em",
  strike: "del",
  underline: "u",
  highlight: "mark",
  subscript: "sub",
  superscript: "sup",
} as const satisfies Record<Exclude<Mark, "link" | "code">, string>

const DELIMITED = { bold: "strong", italic: "emphasis", strike: "delete" } as const

/** Neighbours that share the outermost mark together, then the marks inside them. */
function nest(inlines: readonly Inline[], marks: readonly Mark[], budget: Budget): PhrasingContent[] {
  const [mark, ...inner] = marks
  if (mark === undefined) return inlines.map((inline) => toPhrasing(inline, budget))
  const nodes: PhrasingContent[] = []
  for (let start = 0; start < inlines.length; ) {
    const value = markOf(inlines[start], mark)
    let end = start + 1
    while (end < inlines.length && markOf(inlines[end], mark) === value) end++
    const span = inlines.slice(start, end)
    const before = inlineText(inlines.slice(Math.max(0, start - 1), start)).at(-1) ?? " "
    const after = inlineText(inlines.slice(end, end + 1)).at(0) ?? " "
    const children =
      value === undefined
        ? nest(span, inner, budget)
        : wrap(span, { mark, value, inner, beside: [before, after], budget })
    for (const child of children) nodes.push(child)
    start = end
  }
  return nodes
}

function markOf(inline: Inline | undefined, mark: Mark): string | true | undefined {
  return (inline?.kind === "text" && inline.marks[mark]) || undefined
}

function wrap(
  span: readonly Inline[],
  options: {
    mark: Mark
    value: string | true
    inner: readonly Mark[]
    /** The UTF-16 units before and after the span; a blank where its line or the span around it ends. */
    beside: readonly [before: string, after: string]
    budget: Budget
  },
): PhrasingContent[] {
  const { mark, value, inner, beside, budget } = options
  budget.spend(2 * "<mark>".length)
  if (mark === "link") {
    const url = safeLink(String(value))
    const children = nest(span, inner, budget)
    if (url === null) return children
    budget.spend(url.length)
    // reason: mdast forbids links in links by its types, and there is one link mark, so there is none inside
    return [
      { type: "link", url, children: children as Extract<PhrasingContent, { type: "link" }>["children"] },
    ]
  }
  // Blanks just inside a delimiter would make it plain characters, or character references.
  const { lead, core, trail } = splitBlanks(span)
  const around = (nodes: PhrasingContent[]) => [
    ...nest(lead, inner, budget),
    ...nodes,
    ...nest(trail, inner, budget),
  ]
  if (core.length === 0) return around([])
  if (mark === "code") {
    const text = inlineText(core)
    budget.spend(text.length)
    return around([{ type: "inlineCode", value: text }])
  }
  const children = nest(core, inner, budget)
  const text = inlineText(core)
  const isClear =
    isClearEdge(lead.length > 0 ? " " : beside[0], text.at(0)) &&
    isClearEdge(trail.length > 0 ? " " : beside[1], text.at(-1))
  if (isClear && (mark === "bold" || mark === "italic" || mark === "strike"))
    return around([{ type: DELIMITED[mark], children }])
  const tag = TAGS[mark]
  return around([{ type: "html", value: `<${tag}>` }, ...children, { type: "html", value: `</${tag}>` }])
}

/**
 * Whether a delimiter between these two UTF-16 units will be read as one. An emoji is a symbol to a parser of today, beside
 * which a delimiter needs a blank; to mdast-util-to-markdown, which looks at one unit, it is a letter.
 */
function isClearEdge(outside: string, inside = ""): boolean {
  return outside.trim() === "" || !/[\uD800-\uDFFF]/.test(outside + inside)
}

function toPhrasing(inline: Inline, budget: Budget): PhrasingContent {
  switch (inline.kind) {
    case "text":
      budget.spend(inline.text.length)
      return { type: "text", value: inline.text }
    case "break":
      return { type: "break" }
    case "image": {
      budget.spend(inline.source.length + inline.alternative.length)
      const url = safeImage(inline.source)
      return url === null
        ? { type: "text", value: inline.alternative }
        : { type: "image", url, alt: inline.alternative }
    }
    default:
      throw new TypeError(`unknown inline ${inline satisfies never}`)
  }
}
