/** A document as Markdown: CommonMark with GitHub's tables, task lists and strikethrough. */
import type * as Y from "yjs"
import { type Block, type Inline, inlineText, type ListItem, type Marks, readRootBlocks } from "./blocks.ts"
import { safeImage, safeLink } from "./links.ts"

/**
 * The document, or one root of it, as Markdown. Reads only.
 *
 * A text that was never formatted is given as it is (people write Markdown in plain editors). Rich text (Lexical,
 * Quill, XML) is written out and escaped: what was typed as `*a*` stays these three characters, a typed `<b>` is no
 * tag, and a link leads to http, https or mailto or is only its text. Underline, highlight, sub- and superscript,
 * which Markdown lacks, are HTML tags. Maps and arrays are JSON in a code block. Where there are several roots,
 * each follows its name as a heading.
 *
 * @throws SyncError "not-found" when there is no root of that name
 */
export function toMarkdown(doc: Y.Doc, options: { root?: string } = {}): string {
  const roots = readRootBlocks(doc, options.root)
  const [only] = roots
  if (roots.length === 1 && only !== undefined) {
    const [block] = only.blocks
    return block?.kind === "plain" ? block.text : `${writeBlocks(only.blocks)}\n`
  }
  return roots
    .map(({ name, blocks }) => `## ${escapeLine(escapeText(name))}\n\n${writeBlocks(blocks)}\n`)
    .join("\n")
}

// ---- blocks

function writeBlocks(blocks: readonly Block[]): string {
  return blocks
    .map(writeBlock)
    .filter((text) => text !== "")
    .join("\n\n")
}

function writeBlock(block: Block): string {
  switch (block.kind) {
    case "plain":
      return block.text
    case "paragraph":
      return writeLines(block.inlines)
    case "heading":
      return `${"#".repeat(block.level)} ${writeLine(block.inlines)}`
    case "quote":
      return indent(writeBlocks(block.blocks), { first: "> ", rest: "> " })
    case "code":
      return fence(block.text, block.language)
    case "list":
      return block.items.map((item, index) => writeItem(item, marker(block, index))).join("\n")
    case "rule":
      return "---"
    case "table":
      return writeTable(
        block.rows.map((row) => row.map((cell) => cell.blocks.map(writeCellBlock).join("<br>"))),
      )
    default:
      throw new TypeError(`unknown block ${block satisfies never}`)
  }
}

function marker(list: Block & { kind: "list" }, index: number): string {
  return list.ordered ? `${Math.max(0, Math.trunc(list.start)) + index}. ` : "- "
}

function writeItem({ checked, blocks }: ListItem, first: string): string {
  const box = checked === null ? "" : checked ? "[x] " : "[ ] "
  // A nested list follows its line without a blank one, so that the list stays tight.
  const body = blocks.map(writeBlock).reduce((text, next, index) => {
    if (text === "") return next
    return `${text}${blocks[index]?.kind === "list" ? "\n" : "\n\n"}${next}`
  }, "")
  return indent(box + body, { first, rest: " ".repeat(first.length) })
}

/** Every line behind a prefix; no blanks on lines that are empty. */
function indent(text: string, { first, rest }: { first: string; rest: string }): string {
  return text
    .split("\n")
    .map((line, index) => ((index === 0 ? first : rest) + line).trimEnd())
    .join("\n")
}

/** Fenced by more backticks than stand in it. */
function fence(text: string, language: string): string {
  const ticks = "`".repeat(Math.max(3, longestTicks(text) + 1))
  return `${ticks}${/^[\w+#.-]*$/.test(language) ? language : ""}\n${text}\n${ticks}`
}

/** GitHub's tables have a heading row in any case, and one line a cell. */
function writeTable(rows: readonly string[][]): string {
  const width = rows.reduce((most, row) => Math.max(most, row.length), 1)
  const lines = rows.map((row) => {
    const cells = Array.from({ length: width }, (_, index) => (row[index] ?? "").replaceAll("|", "\\|"))
    return `| ${cells.join(" | ")} |`
  })
  lines.splice(1, 0, `|${" --- |".repeat(width)}`)
  return lines.join("\n")
}

function writeCellBlock(block: Block): string {
  switch (block.kind) {
    case "paragraph":
    case "heading":
      return writeLine(block.inlines)
    case "list":
      return block.items.flatMap((item) => item.blocks.map(writeCellBlock)).join("<br>")
    case "quote":
      return block.blocks.map(writeCellBlock).join("<br>")
    case "code":
    case "plain":
      return block.text === "" ? "" : writeCode(block.text)
    case "rule":
      return ""
    case "table":
      return block.rows
        .flat()
        .flatMap((cell) => cell.blocks.map(writeCellBlock))
        .join(" ")
    default:
      throw new TypeError(`unknown block ${block satisfies never}`)
  }
}

// ---- lines

/** A line, or several with hard breaks. */
function writeLines(inlines: readonly Inline[]): string {
  return writeInlines(splitBreaks(inlines), MARKS, AROUND)
    .split("\n")
    .map((line) => escapeLine(line.trim()))
    .filter((line) => line !== "")
    .join("\\\n")
}

/** One line; a break is a space. */
function writeLine(inlines: readonly Inline[]): string {
  return writeLines(inlines).replaceAll("\\\n", " ")
}

/** A newline inside a text is a break. */
function splitBreaks(inlines: readonly Inline[]): Inline[] {
  return inlines.flatMap((inline): Inline[] => {
    if (inline.kind !== "text") return [inline]
    return inline.text
      .split(/\r\n|[\r\n]/)
      .flatMap((text, index): Inline[] => [
        ...(index > 0 ? [{ kind: "break" } as const] : []),
        ...(text === "" ? [] : [{ ...inline, text }]),
      ])
  })
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

/** A mark's delimiter, where Markdown has one, and the HTML tag for where it has none or it would not be seen. */
const SIGNS: Readonly<Record<Exclude<Mark, "link" | "code">, { delimiter?: string; tag: string }>> = {
  bold: { delimiter: "**", tag: "strong" },
  italic: { delimiter: "*", tag: "em" },
  strike: { delimiter: "~~", tag: "del" },
  underline: { tag: "u" },
  highlight: { tag: "mark" },
  subscript: { tag: "sub" },
  superscript: { tag: "sup" },
}

/** The characters before and after a span, outside of every delimiter; a space where a line begins or ends. */
interface Around {
  readonly before: string
  readonly after: string
}
const AROUND: Around = { before: " ", after: " " }

/** Spans of the same outermost mark together, then the marks inside them. */
function writeInlines(inlines: readonly Inline[], marks: readonly Mark[], around: Around): string {
  const [mark, ...inner] = marks
  if (mark === undefined) return inlines.map(writeInline).join("")
  let written = ""
  for (let start = 0; start < inlines.length; ) {
    const value = markOf(inlines[start], mark)
    let end = start + 1
    while (end < inlines.length && markOf(inlines[end], mark) === value) end++
    const span = inlines.slice(start, end)
    const beside = {
      before: start === 0 ? around.before : lastOf(inlineText(inlines.slice(start - 1, start))),
      after: end === inlines.length ? around.after : firstOf(inlineText(inlines.slice(end, end + 1))),
    }
    if (value === undefined || value === false) written += writeInlines(span, inner, beside)
    else written += writeSpan(span, { mark, value, inner, around: beside, touches: /[*~]$/.test(written) })
    start = end
  }
  return written
}

function markOf(inline: Inline | undefined, mark: Mark): Marks[Mark] {
  return inline?.kind === "text" ? inline.marks[mark] : undefined
}

function writeSpan(
  span: readonly Inline[],
  options: {
    mark: Mark
    value: string | boolean
    inner: readonly Mark[]
    around: Around
    /** The text before ends with a delimiter, with which this one's would run together. */
    touches: boolean
  },
): string {
  const { mark, value, inner, around, touches } = options
  const text = inlineText(span)
  if (mark === "code") return /\S/.test(text) ? writeCode(text) : text
  if (mark === "link") {
    const link = safeLink(String(value))
    if (link === null) return writeInlines(span, inner, around)
    return `[${writeInlines(span, inner, { before: "[", after: "]" })}](<${link.replace(/&(?=#?\w+;)/g, "&amp;")}>)`
  }
  // Blanks just inside a delimiter would make it plain asterisks.
  const written = writeInlines(span, inner, around)
  const core = written.trim()
  if (core === "") return written
  const lead = written.slice(0, written.indexOf(core))
  const trail = written.slice(lead.length + core.length)
  const { delimiter, tag } = SIGNS[mark]
  const trimmed = text.trim()
  const opens = canFlank(lead === "" ? around.before : " ", firstOf(trimmed))
  const closes = canFlank(trail === "" ? around.after : " ", lastOf(trimmed))
  if (delimiter === undefined || !opens || !closes || (touches && lead === "")) {
    return `${lead}<${tag}>${core}</${tag}>${trail}`
  }
  return lead + delimiter + core + delimiter + trail
}

/** @source CommonMark 0.31, 6.2: punctuation just inside a delimiter needs a blank or punctuation just outside */
function canFlank(outside: string, inside: string): boolean {
  return !/[\p{P}\p{S}]/u.test(inside) || /[\s\p{P}\p{S}]/u.test(outside)
}

/** The first code point; a space where there is none. */
function firstOf(text: string): string {
  return [...text.slice(0, 2)][0] ?? " "
}

/** The last code point; a space where there is none. */
function lastOf(text: string): string {
  return [...text.slice(-2)].at(-1) ?? " "
}

function writeInline(inline: Inline): string {
  switch (inline.kind) {
    case "text":
      return escapeText(inline.text)
    case "break":
      return "\n"
    case "image": {
      const source = safeImage(inline.source)
      const alternative = escapeText(inline.alternative)
      return source === null ? alternative : `![${alternative}](<${source}>)`
    }
    default:
      throw new TypeError(`unknown inline ${inline satisfies never}`)
  }
}

function writeCode(text: string): string {
  const line = text.replaceAll(/[\r\n]+/g, " ")
  const ticks = "`".repeat(longestTicks(line) + 1)
  const pad = /^`|`$|^ .* $/.test(line) ? " " : ""
  return ticks + pad + line + pad + ticks
}

function longestTicks(text: string): number {
  let longest = 0
  for (const [run] of text.matchAll(/`+/g)) longest = Math.max(longest, run.length)
  return longest
}

// ---- escapes

/** What would be read as Markdown or HTML wherever it stands. */
function escapeText(text: string): string {
  return text
    .replace(/[\\`*[\]<>~]|(?<![\p{L}\p{N}])_|_(?![\p{L}\p{N}])|&(?=#?\w+;)|!$/gu, "\\$&")
    .replace(/[\r\n]+/g, " ")
}

/** What would be read as Markdown at the beginning of a line. */
function escapeLine(line: string): string {
  return line.replace(/^([#+=-])/, "\\$1").replace(/^(\d+)([.)])/, "$1\\$2")
}
