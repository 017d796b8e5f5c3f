/**
 * The blocks of a document, whichever editor wrote it. Trees (Lexical, XML, Slate) and Quill deltas are read in a file
 * each; text that was never formatted is one block, and what is no text is its JSON.
 */
import type * as Y from "yjs"
import type { Block } from "./blocks.ts"
import type { Budget } from "./budget.ts"
import { readDelta } from "./delta-blocks.ts"
import { type Json, valueToJson } from "./json.ts"
import { pickRoots, type Root } from "./roots.ts"
import { isPlain, plainText, type SharedType } from "./shared-types.ts"
import { isLexical, readLexical, readXml } from "./tree.ts"
import { readBlocks } from "./tree-blocks.ts"

/**
 * The blocks of every root that holds something, or of the one asked for. A map or an array is its JSON, as code.
 *
 * @throws SyncError "not-found" when there is no root of that name, "too-large" when the formatting of all runs outgrows
 * the budget
 */
export function readRootBlocks(
  doc: Y.Doc,
  options: { readonly root: string | undefined; readonly budget: Budget },
): { name: string; blocks: Block[] }[] {
  return pickRoots(doc, options.root)
    .map((root) => ({ name: root.name, blocks: readKindBlocks(root, options.budget) }))
    .filter(({ blocks }) => blocks.length > 0)
}

function readKindBlocks({ kind, type }: Root, budget: Budget): Block[] {
  switch (kind) {
    case "text":
      return readTextBlocks(type, budget)
    case "xml":
      return readXmlBlocks(type, budget)
    case "map":
    case "array":
      return [{ kind: "code", language: "json", text: layOut(valueToJson(type, budget.ahead())) }]
    case "empty":
      return []
    default:
      throw new TypeError(`unknown kind ${kind satisfies never}`)
  }
}

/** Longer JSON is written on one line, characters. A matter of taste, and no limit. */
const LAID_OUT_LENGTH = 64 * 1024

/** JSON on lines of its own, unless it is long: the blanks before deep values can be a hundred times as long as these. */
function layOut(json: Json): string {
  const text = JSON.stringify(json)
  return text.length > LAID_OUT_LENGTH ? text : JSON.stringify(json, null, 2)
}

/**
 * The blocks of a text: of a Lexical editor's tree, of a Quill delta, or one "plain" block.
 *
 * @throws SyncError "too-large" when the formatting of all runs outgrows the budget
 */
export function readTextBlocks(type: SharedType, budget: Budget): Block[] {
  if (isLexical(type)) return readBlocks(readLexical(type, budget).children)
  if (!isPlain(type)) return readDelta(type, budget)
  const text = plainText(type)
  return text === "" ? [] : [{ kind: "plain", text }]
}

/**
 * The blocks of a tree.
 *
 * @throws SyncError "too-large" when the marks of all texts outgrow the budget
 */
export function readXmlBlocks(type: SharedType, budget: Budget): Block[] {
  return readBlocks(readXml(type, budget).children)
}
