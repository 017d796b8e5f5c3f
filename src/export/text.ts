/** A document as text: what people wrote in it, for search, previews and `grep`. */
import * as Y from "yjs"
import { type Block, inlineText } from "./blocks.ts"
import { type Budget, type ExportOptions, startBudget, within } from "./budget.ts"
import { readTextBlocks, readXmlBlocks } from "./read-blocks.ts"
import { pickRoots } from "./roots.ts"
import { isSharedType, kindOf, listValues, mapEntries, plainText, type SharedType } from "./shared-types.ts"
import { isLexical } from "./tree.ts"

/**
 * The text of the roots in name order, or of one root; a newline between two pieces, none after the last.
 * Reads only.
 *
 * - A text is its characters, as they are. A tree (Lexical, XML, Slate) is one line a block: paragraph, heading, list
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
  for (const { type } of pickRoots(doc, options.root)) {
    for (const line of typeLines(type, budget)) {
      budget.spend(line.length + 1)
      lines.push(line)
    }
  }
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

function* typeLines(type: SharedType, budget: Budget): Generator<string> {
  const kind = kindOf(type)
  switch (kind) {
    case "text":
      if (!isLexical(type)) yield* valueLines(plainText(type), budget)
      else for (const block of readTextBlocks(type, budget)) yield* blockLines(block)
      return
    case "xml":
      for (const block of readXmlBlocks(type, budget)) yield* blockLines(block)
      return
    case "map":
      for (const [, value] of mapEntries(type)) yield* valueLines(value, budget)
      return
    case "array":
      for (const value of listValues(type)) yield* valueLines(value, budget)
      return
    case "empty":
      return
    default:
      throw new TypeError(`unknown kind ${kind satisfies never}`)
  }
}

function* valueLines(value: unknown, budget: Budget): Generator<string> {
  if (typeof value === "string") {
    if (value !== "") yield value
  } else if (isSharedType(value)) yield* typeLines(value, budget)
  else if (value instanceof Object && !(value instanceof Uint8Array || value instanceof Y.Doc)) {
    for (const one of Object.values(value)) yield* valueLines(one, budget)
  }
}

function* blockLines(block: Block): Generator<string> {
  switch (block.kind) {
    case "plain":
    case "code":
      yield block.text
      return
    case "paragraph":
    case "heading":
      yield inlineText(block.inlines)
      return
    case "media":
      if (block.name !== "") yield block.name
      if (block.caption !== "" && block.caption !== block.name) yield block.caption
      return
    case "details":
      yield inlineText(block.summary)
      for (const one of block.blocks) yield* blockLines(one)
      return
    case "quote":
    case "indented":
      for (const one of block.blocks) yield* blockLines(one)
      return
    case "list":
      for (const item of block.items) for (const one of item.blocks) yield* blockLines(one)
      return
    case "table":
      for (const cell of block.rows.flat()) for (const one of cell.blocks) yield* blockLines(one)
      return
    case "rule":
      return
    default:
      throw new TypeError(`unknown block ${block satisfies never}`)
  }
}
