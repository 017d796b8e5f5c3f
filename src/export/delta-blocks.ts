/** The blocks of a Quill delta. */
import { type Block, type Inline, inlineText, type ListItem, type Marks, pushBlock } from "./blocks.ts"
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
  const blocks: Block[] = []
  let line: Inline[] = []
  const endLine = (attributes: Readonly<Record<string, unknown>>) => {
    pushLine(blocks, line, attributes)
    line = []
  }
  for (const { insert, attributes } of listRuns(type, budget)) {
    const marks = readMarks(attributes)
    if (typeof insert === "string") {
      for (const [index, text] of insert.split("\n").entries()) {
        if (index > 0) endLine(attributes)
        if (text !== "") line.push({ kind: "text", text, marks })
      }
    } else line.push(...readEmbed(insert, marks))
  }
  if (line.length > 0) endLine({})
  return blocks
}

function readEmbed(embed: unknown, marks: Marks): Inline[] {
  const { image, formula, video } = Object(embed)
  if (typeof image === "string") return [{ kind: "image", source: image, alternative: "" }]
  if (typeof formula === "string") return [{ kind: "text", text: formula, marks: { ...marks, code: true } }]
  if (typeof video === "string") return [{ kind: "text", text: video, marks: { ...marks, link: video } }]
  return []
}

function pushLine(blocks: Block[], inlines: Inline[], attributes: Readonly<Record<string, unknown>>): void {
  const { header, list, blockquote, indent } = attributes
  const code = attributes["code-block"]
  const last = blocks.at(-1)
  if (typeof header === "number") {
    blocks.push({ kind: "heading", level: Math.min(6, Math.max(1, header)), inlines })
  } else if (typeof list === "string") {
    const tasks = list === "checked" || list === "unchecked"
    const item: ListItem = {
      checked: tasks ? list === "checked" : null,
      blocks: [{ kind: "paragraph", inlines }],
    }
    pushItem(blocks, item, { ordered: list === "ordered", indent: Number(indent) || 0 })
  } else if (blockquote) {
    if (last?.kind === "quote") last.blocks.push({ kind: "paragraph", inlines })
    else blocks.push({ kind: "quote", blocks: [{ kind: "paragraph", inlines }] })
  } else if (code) {
    const text = inlineText(inlines)
    const language = typeof code === "string" && code !== "plain" ? code : ""
    if (last?.kind === "code") blocks[blocks.length - 1] = { ...last, text: `${last.text}\n${text}` }
    else blocks.push({ kind: "code", language, text })
  } else blocks.push({ kind: "paragraph", inlines })
}

/** A list item goes as deep as its indent says, and as there are items to go under. */
function pushItem(blocks: Block[], item: ListItem, at: { ordered: boolean; indent: number }): void {
  const last = blocks.at(-1)
  const parent = last?.kind === "list" ? last.items.at(-1) : undefined
  if (at.indent > 0 && parent !== undefined) pushItem(parent.blocks, item, { ...at, indent: at.indent - 1 })
  else pushBlock(blocks, { kind: "list", ordered: at.ordered, start: 1, items: [item] })
}
