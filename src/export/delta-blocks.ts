/** The blocks of a Quill delta. */
import { type Block, type Inline, inlineText, type ListItem, pushBlock } from "./blocks.ts"
import type { Budget } from "./budget.ts"
import { readMarks } from "./marks.ts"
import { listRuns, type SharedType } from "./shared-types.ts"

/**
 * The blocks of a formatted text. The attributes of a newline are those of the line it ends.
 *
 * @throws SyncError "too-large" when the attributes of all runs outgrow the budget
 * @source Quill, Delta document format
 */
export function readDelta(type: SharedType, budget: Budget): Block[] {
  const lines = new Lines()
  for (const { insert, attributes } of listRuns(type, budget)) {
    if (typeof insert === "string") {
      const marks = readMarks(attributes)
      for (const [index, text] of insert.split("\n").entries()) {
        if (index > 0) lines.end(attributes)
        if (text !== "") lines.add({ kind: "text", text, marks })
      }
      continue
    }
    const { video } = Object(insert)
    if (typeof video === "string") lines.addVideo(video)
    else for (const inline of readEmbed(insert, attributes)) lines.add(inline)
  }
  return lines.finish()
}

/** What an embed in a line says, as text; a picture says nothing. */
export function embedText(embed: unknown): string {
  const { formula, mention } = Object(embed)
  if (typeof formula === "string") return formula
  // quill-mention's.
  const { denotationChar, value } = Object(mention)
  return typeof value === "string" ? `${denotationChar ?? ""}${value}` : ""
}

function readEmbed(embed: unknown, attributes: Readonly<Record<string, unknown>>): Inline[] {
  const { image, formula } = Object(embed)
  const { alt } = attributes
  if (typeof image === "string")
    return [{ kind: "image", source: image, alternative: typeof alt === "string" ? alt : "" }]
  const text = embedText(embed)
  const marks = readMarks(attributes)
  if (text === "") return []
  return [{ kind: "text", text, marks: formula === undefined ? marks : { ...marks, code: true } }]
}

/** Quill indents at most so deep. @source Quill 2, formats/indent: classes 1 to 8 */
const MOST_INDENT = 8

/** Lines that become blocks, one after the other. */
class Lines {
  readonly #blocks: Block[] = []
  #line: Inline[] = []
  /** The row of the table that the last line was a cell of. */
  #row: unknown = null

  add(inline: Inline): void {
    this.#line.push(inline)
  }

  /** A video takes the place of a line, and has no newline of its own. */
  addVideo(source: string): void {
    if (this.#line.length > 0) this.end({})
    this.#row = null
    this.#blocks.push({ kind: "media", image: false, source, name: "", caption: "" })
  }

  end(attributes: Readonly<Record<string, unknown>>): void {
    const inlines = this.#line
    this.#line = []
    const { table } = attributes
    if (typeof table === "string") pushCell(this.#blocks, inlines, { isNewRow: table !== this.#row })
    else pushLine(this.#blocks, inlines, attributes)
    this.#row = table ?? null
  }

  finish(): Block[] {
    if (this.#line.length > 0) this.end({})
    return this.#blocks
  }
}

function pushCell(blocks: Block[], inlines: Inline[], { isNewRow }: { isNewRow: boolean }): void {
  const last = blocks.at(-1)
  const cell = { header: false, blocks: [{ kind: "paragraph" as const, inlines }] }
  if (last?.kind !== "table") blocks.push({ kind: "table", rows: [[cell]] })
  else if (isNewRow) last.rows.push([cell])
  else last.rows.at(-1)?.push(cell)
}

function pushLine(blocks: Block[], inlines: Inline[], attributes: Readonly<Record<string, unknown>>): void {
  const { header, list, blockquote } = attributes
  const indent = Math.min(MOST_INDENT, Number(attributes.indent) || 0)
  const code = attributes["code-block"]
  const last = blocks.at(-1)
  if (typeof list === "string") {
    const tasks = list === "checked" || list === "unchecked"
    const item: ListItem = {
      checked: tasks ? list === "checked" : null,
      blocks: [{ kind: "paragraph", inlines }],
    }
    pushItem(blocks, item, { ordered: list === "ordered", indent })
  } else if (code) {
    const text = inlineText(inlines)
    const language = typeof code === "string" && code !== "plain" ? code : ""
    if (last?.kind === "code") blocks[blocks.length - 1] = { ...last, text: `${last.text}\n${text}` }
    else blocks.push({ kind: "code", language, text })
  } else if (indent > 0) {
    const under: Block = last?.kind === "indented" ? last : { kind: "indented", blocks: [] }
    if (under !== last) blocks.push(under)
    pushLine(under.blocks, inlines, { ...attributes, indent: indent - 1 })
  } else if (typeof header === "number") {
    blocks.push({ kind: "heading", level: Math.min(6, Math.max(1, header)), inlines })
  } else if (blockquote) {
    if (last?.kind === "quote") last.blocks.push({ kind: "paragraph", inlines })
    else blocks.push({ kind: "quote", blocks: [{ kind: "paragraph", inlines }] })
  } else blocks.push({ kind: "paragraph", inlines })
}

/** A list item goes as deep as its indent says, and as there are items to go under. */
function pushItem(blocks: Block[], item: ListItem, at: { ordered: boolean; indent: number }): void {
  const last = blocks.at(-1)
  const parent = last?.kind === "list" ? last.items.at(-1) : undefined
  if (at.indent > 0 && parent !== undefined) pushItem(parent.blocks, item, { ...at, indent: at.indent - 1 })
  else pushBlock(blocks, { kind: "list", ordered: at.ordered, start: 1, items: [item] })
}
