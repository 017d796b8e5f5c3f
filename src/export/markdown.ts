/** A document as Markdown: CommonMark with GitHub's tables, task lists and strikethrough. */
import type * as Y from "yjs"
import { type Block, type Inline, inlineText, type ListItem, type Marks, readRootBlocks } from "./blocks.ts"
import type { ExportOptions } from "./budget.ts"
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
export function toMarkdown(doc: Y.Doc, options: ExportOptions = {}): string {
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
  return writeAll(blocks)
    .filter((text) => text !== "")
    .join("\n\n")
}

function writeAll(blocks: readonly Block[]): string[] {
  let other = false
  return blocks.map((block, index) => {
    const before = blocks[index - 1]
    // Two lists that follow one another would be one, if their marks were the same.
    other = block.kind === "list" && before?.kind === "list" && before.ordered === block.ordered && !other
    return writeBlock(block, other)
  })
}

/** @param other for a list: the other one of the two marks there are */
function writeBlock(block: Block, other: boolean): string {
  switch (block.kind) {
    case "plain":
      return block.text
    case "paragraph":
      return writeLines(block.inlines)
    case "heading":
      return `${"#".repeat(block.level)} ${escapeHeading(writeLine(block.inlines))}`
    case "quote":
      return indent(writeBlocks(block.blocks), { first: "> ", rest: "> " })
    case "code":
      return fence(block.text, block.language)
    case "list":
      return block.items.map((item, index) => writeItem(item, marker(block, index, other))).join("\n")
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

function marker(list: Block & { kind: "list" }, index: number, other: boolean): string {
  if (!list.ordered) return other ? "* " : "- "
  return `${Math.max(0, Math.trunc(list.start)) + index}${other ? ")" : "."} `
}

function writeItem({ checked, blocks }: ListItem, first: string): string {
  const box = checked === null ? "" : checked ? "[x] " : "[ ] "
  // A nested list follows its line without a blank one, so that the list stays tight.
  const body = writeAll(blocks).reduce((text, next, index) => {
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

/** A mark's HTML tag, for where Markdown has no delimiter for it, or one that would not be seen. */
const TAGS: Readonly<Record<Exclude<Mark, "link" | "code">, string>> = {
  bold: "strong",
  italic: "em",
  strike: "del",
  underline: "u",
  highlight: "mark",
  subscript: "sub",
  superscript: "sup",
}

/** What stands beside a span. */
interface Around {
  /** The last character before it; a space where a line begins. */
  readonly before: string
  /** The first character after it; a space where a line ends. */
  readonly after: string
  /** An asterisk delimiter ends before it or begins after it, with which one of its own would run together. */
  readonly touches: boolean
}
const AROUND: Around = { before: " ", after: " ", touches: false }

/** Spans of the same outermost mark together, then the marks inside them. */
function writeInlines(inlines: readonly Inline[], marks: readonly Mark[], around: Around): string {
  const [mark, ...inner] = marks
  if (mark === undefined) return inlines.map(writeInline).join("")
  const written: string[] = []
  // Kept beside: the end of a text that is still being put together costs a copy of all of it.
  let last = ""
  for (let start = 0; start < inlines.length; ) {
    const value = markOf(inlines[start], mark)
    let end = start + 1
    while (end < inlines.length && markOf(inlines[end], mark) === value) end++
    const span = inlines.slice(start, end)
    const [isFirst, isLast] = [start === 0, end === inlines.length]
    const beside: Around = {
      before: isFirst ? around.before : lastOf(last),
      after: isLast ? around.after : firstOf(inlineText(inlines.slice(end, end + 1))),
      touches: ((isFirst || isLast) && around.touches) || last.endsWith("*"),
    }
    const isMarked = value !== undefined && value !== false
    const text = isMarked
      ? writeSpan(span, { mark, value, inner, around: beside })
      : writeInlines(span, inner, beside)
    written.push(text)
    if (text !== "") last = text
    start = end
  }
  return written.join("")
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
  },
): string {
  const { mark, value, inner, around } = options
  const text = inlineText(span)
  if (mark === "code") return /\S/.test(text) ? writeCode(text) : text
  if (mark === "link") {
    const link = safeLink(String(value))
    if (link === null) return writeInlines(span, inner, around)
    return `[${writeInlines(span, inner, { before: "[", after: "]", touches: false })}](<${link.replace(/&(?=#?\w+;)/g, "&amp;")}>)`
  }
  const written = writeInlines(span, inner, { before: "*", after: "*", touches: true })
  // Blanks just inside a delimiter would make it plain asterisks.
  const core = written.trim()
  if (core === "") return written
  const lead = written.slice(0, written.indexOf(core))
  const trail = written.slice(lead.length + core.length)
  const delimiter = chooseDelimiter(mark, core, {
    before: lead === "" ? around.before : " ",
    after: trail === "" ? around.after : " ",
    touches: around.touches,
  })
  if (delimiter === null) return `${lead}<${TAGS[mark]}>${core}</${TAGS[mark]}>${trail}`
  return lead + delimiter + core + delimiter + trail
}

/**
 * The delimiter that every parser will take for one here, or null.
 *
 * @source CommonMark 0.31, 6.2: an underscore needs a blank or punctuation outside; any delimiter does when
 * punctuation is just inside. Parsers of older versions don't count symbols as punctuation: so outside they
 * are none, and inside they are.
 */
function chooseDelimiter(mark: Mark, core: string, { before, after, touches }: Around): string | null {
  const isFree = (character: string) => /[\s\p{P}$+<=>^`|~]/u.test(character)
  const isBare = (character: string) => !/[\p{P}\p{S}]/u.test(character)
  const flanks = (isFree(before) || isBare(firstOf(core))) && (isFree(after) || isBare(lastOf(core)))
  switch (mark) {
    case "bold":
      return flanks && !touches ? "**" : null
    case "italic":
      if (isFree(before) && isFree(after)) return "_"
      return flanks && !touches ? "*" : null
    case "strike":
      return flanks ? "~~" : null
    default:
      return null
  }
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

/** Number signs that end a heading would be taken for its closing sequence. Counted by hand: /#+$/ is quadratic. */
function escapeHeading(line: string): string {
  let end = line.length
  while (line[end - 1] === "#") end--
  return end < line.length && line[end - 1] === " " ? `${line.slice(0, end)}\\${line.slice(end)}` : line
}
