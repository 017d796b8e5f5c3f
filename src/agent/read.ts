/** What an agent reads: blocks with their handles, headings, places of words. Content comes back as content, whatever it says. */
import type * as Y from "yjs"
import { SyncError } from "../errors.ts"
import type { Budget } from "../export/budget.ts"
import { type Json, valueToJson } from "../export/json.ts"
import { findRoots } from "../export/roots.ts"
import type { Limits } from "../limits.ts"
import {
  type AgentBlock,
  type AgentText,
  findText,
  headingOf,
  listBlocks,
  showBlock,
  spansOf,
} from "./blocks.ts"

/** What the readers are told. */
export interface ReadOptions {
  readonly budget: Budget
  readonly limits: Limits
}

/** Blocks from one handle to another, as Markdown; and the roots that are no text, as JSON. */
export function readText(
  doc: Y.Doc,
  { root, from, to }: { root: string | null; from: string | null; to: string | null },
  { budget, limits }: ReadOptions,
): Json {
  const roots = findRoots(doc)
  const named = roots.find(({ name }) => name === root)
  if (root !== null && named === undefined)
    throw new SyncError("not-found", `There is no root ${JSON.stringify(root)}.`)
  if (named !== undefined && (named.kind === "map" || named.kind === "array"))
    return { root: named.name, kind: named.kind, json: valueToJson(named.type, budget) }
  const text = findText(doc, root, budget)
  const all = listBlocks(text)
  const first = from === null ? 0 : indexOf(all, from)
  const last = to === null ? all.length - 1 : indexOf(all, to)
  const blocks: Json[] = []
  let next: string | null = null
  let length = 0
  for (const block of all.slice(first, last + 1)) {
    const markdown = showBlock(text, block, budget)
    length += markdown.length
    if (length > limits.agentTextLength && blocks.length > 0) {
      next = block.handle
      break
    }
    blocks.push({ handle: block.handle, markdown: markdown.slice(0, limits.agentTextLength) })
  }
  return {
    ...{ root: text.root, editor: text.editor, blocks, next },
    roots: roots.map(({ name, kind }) => ({ name, kind })),
  }
}

/** The headings, with their levels and handles. */
export function outline(doc: Y.Doc, { root }: { root: string | null }, { budget }: ReadOptions): Json {
  const text = findText(doc, root, budget)
  const headings = listBlocks(text).flatMap((block): Json[] => {
    const heading = headingOf(text, block, budget)
    return heading === null ? [] : [{ handle: block.handle, ...heading }]
  })
  return { root: text.root, headings }
}

/** A place where words stand. */
export interface Match {
  readonly handle: string
  readonly text: string
  readonly before: string
  readonly after: string
}

/** How much of what stands around a match is shown, characters. */
const AROUND = 40

/** Where words stand, whatever their case. */
export function search(
  doc: Y.Doc,
  { root, query }: { root: string | null; query: string },
  { budget, limits }: ReadOptions,
): Json {
  if (query.trim() === "") throw new SyncError("bad-request", "query is what to look for.")
  const text = findText(doc, root, budget)
  const matches: Match[] = []
  for (const block of listBlocks(text)) {
    for (const match of matchesIn(text, block, query, { anyCase: true })) {
      matches.push(match)
      if (matches.length >= limits.agentMatches)
        return { root: text.root, matches: matches.map((one) => ({ ...one })), more: true }
    }
  }
  return { root: text.root, matches: matches.map((one) => ({ ...one })), more: false }
}

/** Where words stand in one block. */
export function matchesIn(
  text: AgentText,
  block: AgentBlock,
  words: string,
  { anyCase = false }: { anyCase?: boolean } = {},
): Match[] {
  const fold = (letters: string) => (anyCase ? letters.toLowerCase() : letters)
  return spansOf(text, block).flatMap(({ letters }) => {
    const matches: Match[] = []
    const folded = fold(letters)
    for (let at = folded.indexOf(fold(words)); at >= 0; at = folded.indexOf(fold(words), at + words.length)) {
      const end = at + words.length
      matches.push({
        handle: block.handle,
        text: letters.slice(at, end),
        before: letters.slice(Math.max(0, at - AROUND), at).toWellFormed(),
        after: letters.slice(end, end + AROUND).toWellFormed(),
      })
    }
    return matches
  })
}

function indexOf(blocks: readonly AgentBlock[], handle: string): number {
  const index = blocks.findIndex((block) => block.handle === handle)
  if (index < 0) throw new SyncError("not-found", `There is no block ${JSON.stringify(handle)} any more.`)
  return index
}
