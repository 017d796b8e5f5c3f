/** A document as text: what people wrote in it, for search, previews and `grep`. */
import * as Y from "yjs"
import { type Block, inlineText, readTextBlocks, readXmlBlocks } from "./blocks.ts"
import type { ExportOptions } from "./budget.ts"
import { pickRoots } from "./roots.ts"
import { kindOf, listValues, mapEntries, plainText, type SharedType } from "./shared-types.ts"
import { isLexical } from "./tree.ts"

/**
 * The text of the roots in name order, or of one root; a newline between two pieces, none after the last.
 * Reads only.
 *
 * - A text is its characters, as they are. A tree (Lexical, XML) is one line a block: paragraph, heading, list
 *   item, table cell; no marks, no bullets.
 * - A map or an array gives the strings and texts in it, one a line, at any depth: a map's in key order, an
 *   array's in its own. Keys, numbers, booleans and bytes are no text.
 *
 * @throws SyncError "not-found" when there is no root of that name
 */
export function toText(doc: Y.Doc, options: ExportOptions = {}): string {
  return pickRoots(doc, options.root)
    .flatMap(({ type }) => typeText(type))
    .join("\n")
}

function typeText(type: SharedType): string[] {
  const kind = kindOf(type)
  switch (kind) {
    case "text":
      return isLexical(type) ? readTextBlocks(type).flatMap(blockText) : valueText(plainText(type))
    case "xml":
      return readXmlBlocks(type).flatMap(blockText)
    case "map":
      return mapEntries(type).flatMap(([, value]) => valueText(value))
    case "array":
      return listValues(type).flatMap(valueText)
    case "empty":
      return []
    default:
      throw new TypeError(`unknown kind ${kind satisfies never}`)
  }
}

function valueText(value: unknown): string[] {
  if (typeof value === "string") return value === "" ? [] : [value]
  if (value instanceof Y.AbstractType) return typeText(value as SharedType)
  if (value instanceof Uint8Array || value instanceof Y.Doc) return []
  return value instanceof Object ? Object.values(value).flatMap(valueText) : []
}

function blockText(block: Block): string[] {
  switch (block.kind) {
    case "plain":
    case "code":
      return [block.text]
    case "paragraph":
    case "heading":
      return [inlineText(block.inlines)]
    case "quote":
      return block.blocks.flatMap(blockText)
    case "list":
      return block.items.flatMap((item) => item.blocks.flatMap(blockText))
    case "table":
      return block.rows.flat().flatMap((cell) => cell.blocks.flatMap(blockText))
    case "rule":
      return []
    default:
      throw new TypeError(`unknown block ${block satisfies never}`)
  }
}
