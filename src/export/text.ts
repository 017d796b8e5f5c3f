/** A document as text: what people wrote in it, for search, previews and `grep`. */
import * as Y from "yjs"
import { type Block, inlineText } from "./blocks.ts"
import { Budget, type ExportOptions, startBudget, within } from "./budget.ts"
import { embedText } from "./delta-blocks.ts"
import { readTextBlocks, readXmlBlocks } from "./read-blocks.ts"
import { pickRoots } from "./roots.ts"
import { isSharedType, kindOf, listValues, liveItems, mapEntries, type SharedType } from "./shared-types.ts"
import { isLexical } from "./tree.ts"

/**
 * The text of the roots in name order, or of one root; a newline between two pieces, none after the last.
 * Reads only.
 *
 * - A text is its characters, as they are, with Quill's mentions and formulas in their places. A tree (Lexical, XML, Slate) is one line a block: paragraph, heading, list
 *   item, table cell, the name and the caption of an image or a file; no marks, no bullets.
 * - A map or an array gives the strings and texts in it, one a line, at any depth: a map's in key order, an
 *   array's in its own. Keys, numbers, booleans and bytes are no text.
 *
 * @throws SyncError "not-found" when there is no root of that name, "too-large" when the text outgrows its budget
 * @example
 * toText(doc, { root: "notes" }) // "A title\nA paragraph"
 */
export function toText(doc: Y.Doc, options: ExportOptions = {}): string {
  const budget = startBudget(doc, options)
  const lines: string[] = []
  const out: Out = {
    budget,
    emit(line) {
      budget.spend(line.length + 1)
      lines.push(line)
    },
  }
  for (const { type } of pickRoots(doc, options.root)) writeType(type, out)
  return lines.join("\n")
}

/**
 * The text of the whole document, or null where that is longer than the budget: what an archive keeps for search.
 *
 * @param budgetBytes see `exportBudget`
 */
export function textWithin(doc: Y.Doc, budgetBytes: number): string | null {
  return within(() => toText(doc, { budgetBytes }))
}

interface Out {
  readonly budget: Budget
  /** Takes the lines in order. */
  emit(line: string): void
}

function writeType(type: SharedType, out: Out): void {
  const kind = kindOf(type)
  switch (kind) {
    case "text":
      if (!isLexical(type)) writeValue(writtenText(type), out)
      else for (const block of readTextBlocks(type, out.budget)) writeBlock(block, out)
      return
    case "xml":
      for (const block of readXmlBlocks(type, out.budget)) writeBlock(block, out)
      return
    case "map":
      for (const [, value] of mapEntries(type)) writeValue(value, out)
      return
    case "array":
      for (const value of listValues(type)) writeValue(value, out)
      return
    case "empty":
      return
    default:
      throw new TypeError(`unknown kind ${kind satisfies never}`)
  }
}

/** The characters of a text, and in their places what its embeds say: a mention, a formula. */
function writtenText(type: SharedType): string {
  let text = ""
  for (const { content } of liveItems(type)) {
    if (content instanceof Y.ContentString) text += content.str
    else if (content instanceof Y.ContentEmbed) text += embedText(content.embed)
  }
  return text
}

/** The text of blocks, line by line, as an export has it. */
export function blockLines(blocks: readonly Block[]): string[] {
  const lines: string[] = []
  const out: Out = { budget: new Budget(Number.POSITIVE_INFINITY), emit: (line) => lines.push(line) }
  for (const block of blocks) writeBlock(block, out)
  return lines
}

function writeValue(value: unknown, out: Out): void {
  if (typeof value === "string") {
    if (value !== "") out.emit(value)
  } else if (isSharedType(value)) writeType(value, out)
  else if (value instanceof Object && !(value instanceof Uint8Array || value instanceof Y.Doc)) {
    for (const one of Object.values(value)) writeValue(one, out)
  }
}

function writeBlock(block: Block, out: Out): void {
  switch (block.kind) {
    case "plain":
    case "code":
      out.emit(block.text)
      return
    case "paragraph":
    case "heading":
      out.emit(inlineText(block.inlines))
      return
    case "media":
      if (block.name !== "") out.emit(block.name)
      if (block.caption !== "" && block.caption !== block.name) out.emit(block.caption)
      return
    case "details":
      out.emit(inlineText(block.summary))
      for (const one of block.blocks) writeBlock(one, out)
      return
    case "quote":
    case "indented":
      for (const one of block.blocks) writeBlock(one, out)
      return
    case "list":
      for (const item of block.items) for (const one of item.blocks) writeBlock(one, out)
      return
    case "table":
      for (const cell of block.rows.flat()) for (const one of cell.blocks) writeBlock(one, out)
      return
    case "rule":
      return
    default:
      throw new TypeError(`unknown block ${block satisfies never}`)
  }
}
