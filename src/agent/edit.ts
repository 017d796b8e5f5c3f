/**
 * What an agent does to a text. Each operation finds its place by a handle, a quote or both, in the text as it is now, and
 * is merged with what people wrote meanwhile (G1). It is never refused because of them: where its place is gone, or a quote
 * stands in several, its result says so, and the others are done.
 */
import * as Y from "yjs"
import { asSyncError, SyncError } from "../errors.ts"
import { type Json, valueToJson } from "../export/json.ts"
import { mapEntries } from "../export/shared-types.ts"
import { writeForEditor } from "../import/editors.ts"
import { readMarkdown } from "../import/markdown.ts"
import { differText } from "../json/difference.ts"
import { readLexicalNode, writeLexical } from "../json/lexical.ts"
import { applyPatch, type ChangeOptions } from "../json/patch.ts"
import { isObject } from "../json/plain.ts"
import { readNode, writeChildren } from "../json/tree.ts"
import { deleteKey, deleteText, insertText, lengthOf, setKey } from "../json/types.ts"
import {
  type AgentBlock,
  type AgentText,
  findBlock,
  findText,
  handleAt,
  itemOf,
  listBlocks,
  type Span,
  showBlock,
  spansOf,
} from "./blocks.ts"
import { type Match, matchesIn } from "./read.ts"

/** What came of one operation. */
export type Outcome =
  /** "moved": done, in another block than the handle named. `handle`: the block it was done in, or what it made. */
  | { readonly status: "applied" | "moved"; readonly handle: string | null }
  /** Not done. `current`: what stands in the block; `candidates`: places that would fit. */
  | {
      readonly status: "conflict"
      readonly reason: string
      readonly current?: string
      readonly candidates?: readonly Match[]
    }

/** How an agent's edit is done. */
export interface EditOptions extends ChangeOptions {
  readonly root: string | null
  /** Whether a copy of the document fits into memory: a patch is tried on one first. */
  readonly mayCopy: boolean
}

type Fields = { readonly [name: string]: Json }

/** Why an operation cannot be done. */
class Conflict extends Error {
  readonly outcome: Outcome

  constructor(reason: string, more: { current?: string; candidates?: readonly Match[] } = {}) {
    super(reason)
    this.outcome = { status: "conflict", reason, ...more }
  }
}

/**
 * Do operations, one after the other; each stands for itself.
 * @throws SyncError "bad-request" where an operation cannot be understood, "forbidden" where a root may not be changed
 */
export function editDocument(doc: Y.Doc, operations: Json | undefined, options: EditOptions): Outcome[] {
  const { agentOperations } = options.limits
  if (!Array.isArray(operations) || operations.length > agentOperations)
    throw new SyncError("bad-request", `operations is a list of at most ${agentOperations} operations.`)
  const known = operations.map((operation) => readOperation(operation))
  return known.map((fields) => {
    try {
      return act(doc, fields, options)
    } catch (thrown) {
      if (thrown instanceof Conflict) return thrown.outcome
      const { code, message } = asSyncError(thrown)
      if (code !== "patch-failed" && code !== "test-failed") throw thrown
      return { status: "conflict", reason: message }
    }
  })
}

const OPS = ["replace", "insert_after", "insert_before", "delete", "move", "set", "json_patch"]

/** @throws SyncError "bad-request" */
function readOperation(operation: Json): Fields {
  const fields = isObject(operation) ? operation : {}
  if (!OPS.includes(String(fields.op)))
    throw new SyncError("bad-request", `op is one of ${OPS.join(", ")}, not ${JSON.stringify(fields.op)}.`)
  for (const name of ["handle", "quote", "with", "text", "after", "root"]) {
    if (fields[name] !== undefined && typeof fields[name] !== "string")
      throw new SyncError("bad-request", `${name} is a string, not ${JSON.stringify(fields[name])}.`)
  }
  return fields
}

function act(doc: Y.Doc, fields: Fields, options: EditOptions): Outcome {
  if (fields.op === "json_patch") return patch(doc, fields, options)
  const text = findText(doc, (fields.root as string | undefined) ?? options.root, options.budget)
  options.touch(text.root)
  const handle = fields.handle as string | undefined
  switch (fields.op) {
    case "replace":
      if (typeof fields.with !== "string") throw new SyncError("bad-request", "replace needs with.")
      if (typeof fields.quote === "string")
        return replaceQuote(doc, text, { handle, quote: fields.quote, words: fields.with }, options)
      return replaceBlock(text, need(doc, text, handle), fields.with, options)
    case "insert_after":
    case "insert_before": {
      if (typeof fields.text !== "string") throw new SyncError("bad-request", `${fields.op} needs text.`)
      const isAfter = fields.op === "insert_after"
      const blocks = listBlocks(text)
      const isEdge = handle === undefined || handle === (isAfter ? "end" : "start")
      const beside = isEdge ? (isAfter ? blocks.at(-1) : blocks[0]) : need(doc, text, handle)
      return insert(text, beside ?? null, { isAfter, markdown: fields.text }, options)
    }
    case "delete":
      remove(text, need(doc, text, handle), options)
      return { status: "applied", handle: null }
    case "move":
      return move(
        doc,
        text,
        { from: need(doc, text, handle), after: fields.after as string | undefined },
        options,
      )
    case "set":
      return set(text, need(doc, text, handle), fields.attributes)
    default:
      throw new SyncError("bad-request", `unknown operation ${JSON.stringify(fields.op)}`)
  }
}

/** @throws Conflict where it is gone */
function need(doc: Y.Doc, text: AgentText, handle: string | undefined): AgentBlock {
  if (handle === undefined) throw new SyncError("bad-request", "This operation needs a handle.")
  const block = findBlock(doc, text, handle)
  if (block === null) throw new Conflict(`there is no block ${JSON.stringify(handle)} any more`)
  return block
}

// ---- words

function replaceQuote(
  doc: Y.Doc,
  text: AgentText,
  { handle, quote, words }: { handle: string | undefined; quote: string; words: string },
  options: EditOptions,
): Outcome {
  if (quote === "") throw new SyncError("bad-request", "quote is some words that stand in the text.")
  const named = handle === undefined ? null : findBlock(doc, text, handle)
  const { agentMatches } = options.limits
  const own = named === null ? [] : placesOf(text, [named], { quote, most: agentMatches })
  const all = own.length > 0 ? own : placesOf(text, listBlocks(text), { quote, most: agentMatches })
  const [only] = all
  if (only === undefined || all.length > 1) {
    const current = named === null ? {} : { current: showBlock(text, named, options.budget) }
    const blocks = new Set(all.map(({ block }) => block))
    const candidates = [...blocks].flatMap((block) => matchesIn(text, block, quote))
    const places = all.length > agentMatches ? `more than ${agentMatches}` : all.length
    throw new Conflict(
      all.length === 0 ? "the quote stands nowhere" : `the quote stands in ${places} places`,
      {
        ...current,
        ...(candidates.length > 0 && { candidates: dropRepeated(candidates).slice(0, agentMatches) }),
      },
    )
  }
  const { block, span, at } = only
  for (const edit of differText(quote, words).toReversed())
    editSpan(text, span, { ...edit, at: at + edit.at })
  return { status: handle !== undefined && own.length === 0 ? "moved" : "applied", handle: block.handle }
}

interface Found {
  readonly block: AgentBlock
  readonly span: Span
  readonly at: number
}

/** Where a quote stands. @returns one more than `most` at most: a letter may stand everywhere */
function placesOf(
  text: AgentText,
  blocks: readonly AgentBlock[],
  { quote, most }: { quote: string; most: number },
): Found[] {
  const found: Found[] = []
  for (const block of blocks) {
    for (const span of spansOf(text, block)) {
      for (let at = span.letters.indexOf(quote); at >= 0; ) {
        found.push({ block, span, at })
        if (found.length > most) return found
        at = span.letters.indexOf(quote, at + quote.length)
      }
    }
  }
  return found
}

function editSpan(
  { editor }: AgentText,
  { holder, places }: Span,
  { at, remove, insert }: { at: number; remove: number; insert: string },
): void {
  const end = at + remove
  const place = end > 0 ? places[end - 1]! + 1 : (places[0] ?? 0)
  if (editor === "lexical") insertText(holder, place, insert, {})
  else insertText(holder, place, insert)
  // Letters that stand in a row are deleted together; what stands between them stays.
  for (let last = end - 1; last >= at; ) {
    let first = last
    while (first > at && places[first - 1] === places[first]! - 1) first--
    deleteText(holder, places[first]!, last - first + 1)
    last = first - 1
  }
}

function dropRepeated(matches: readonly Match[]): Match[] {
  const seen = new Set<string>()
  return matches.filter((match) => {
    const key = JSON.stringify(match)
    return !seen.has(key) && seen.add(key)
  })
}

// ---- blocks

function replaceBlock(text: AgentText, block: AgentBlock, markdown: string, options: EditOptions): Outcome {
  if (block.element === null) {
    for (const { at, remove, insert } of differText(block.letters, markdown).toReversed()) {
      insertText(text.holder, block.place + at + remove, insert)
      deleteText(text.holder, block.place + at, remove)
    }
  } else write(text, nodesOf(markdown, text), { from: block.index, to: block.index + 1 }, options)
  return { status: "applied", handle: handleAt(text, block.index) }
}

function insert(
  text: AgentText,
  beside: AgentBlock | null,
  { isAfter, markdown }: { isAfter: boolean; markdown: string },
  options: EditOptions,
): Outcome {
  const index = beside === null ? 0 : beside.index + (isAfter ? 1 : 0)
  if (text.editor === "text") {
    const isEmpty = beside === null || (beside.length === 0 && listBlocks(text).length === 1)
    if (isEmpty) insertText(text.holder, 0, markdown)
    else if (isAfter) insertText(text.holder, beside.place + beside.length, `\n${markdown}`)
    else insertText(text.holder, beside.place, `${markdown}\n`)
    return { status: "applied", handle: handleAt(text, isEmpty ? 0 : index) }
  }
  write(text, nodesOf(markdown, text), { from: index, to: index }, options)
  return { status: "applied", handle: handleAt(text, index) }
}

function remove(text: AgentText, block: AgentBlock, options: EditOptions): void {
  if (text.editor !== "text") return write(text, [], { from: block.index, to: block.index + 1 }, options)
  const { holder } = text
  const isLast = block.place + block.length === lengthOf(holder)
  // A line goes with the newline that ends it, the last one with the newline before it.
  if (!isLast) deleteText(holder, block.place, block.length + 1)
  else {
    const start = Math.max(0, block.place - 1)
    deleteText(holder, start, block.place + block.length - start)
  }
}

/** Yjs moves nothing: it is written again there and deleted here. */
function move(
  doc: Y.Doc,
  text: AgentText,
  { from, after }: { from: AgentBlock; after: string | undefined },
  options: EditOptions,
): Outcome {
  const target = after === undefined || after === "start" ? null : need(doc, text, after)
  const source = itemOf(doc, from.handle)
  if (target?.handle === from.handle) return { status: "applied", handle: from.handle }
  const to = target === null ? 0 : target.index + 1
  if (from.element === null) {
    const line = from.letters
    if (target === null) insertText(text.holder, 0, `${line}\n`)
    else insertText(text.holder, target.place + target.length, `\n${line}`)
  } else {
    const json = valueToJson(from.element, options.budget)
    write(text, [json], { from: to, to }, options)
  }
  const made = handleAt(text, to)
  const old = source === null ? null : findBlock(doc, text, from.handle)
  if (old !== null) remove(text, old, options)
  return { status: "applied", handle: made }
}

function set({ editor }: AgentText, { element, handle }: AgentBlock, attributes: Json | undefined): Outcome {
  if (!isObject(attributes)) throw new SyncError("bad-request", "set needs attributes.")
  if (element === null) throw new Conflict("a line of a plain text has no attributes")
  const there = new Set(mapEntries(element).map(([key]) => key))
  for (const [name, value] of Object.entries(attributes)) {
    const key = editor === "lexical" ? `__${name}` : name
    if (value !== null) setKey(element, key, value)
    else if (there.has(key)) deleteKey(element, key)
  }
  return { status: "applied", handle }
}

/** The nodes of Markdown, in the JSON of the text's editor. */
function nodesOf(markdown: string, { editor }: AgentText): Json[] {
  const json = writeForEditor(readMarkdown(markdown), editor) as { [name: string]: Json }
  const list = (value: Json | undefined) => (Array.isArray(value) ? value : [])
  if (editor === "lexical") return list(json.children)
  const content = list(json.content)
  return editor === "blocknote" ? list((content[0] as { [name: string]: Json }).content) : content
}

function write(
  text: AgentText,
  nodes: readonly Json[],
  range: { from: number; to: number },
  options: EditOptions,
): void {
  const { holder, editor } = text
  if (editor === "lexical") writeLexical(holder, nodes.map(readLexicalNode), options, range)
  else writeChildren(holder, readNode({ type: "doc", content: [...nodes] }), options, range)
}

// ---- everything else

/** A patch is done whole or not at all, so it is tried on a copy. */
function patch(doc: Y.Doc, { patch: operations }: Fields, options: EditOptions): Outcome {
  if (!options.mayCopy)
    throw new Conflict("the document is too large for a patch among operations; use PATCH")
  const copy = new Y.Doc()
  try {
    Y.applyUpdate(copy, Y.encodeStateAsUpdate(doc))
    copy.transact(() => applyPatch(copy, operations ?? null, { ...options, known: null }))
  } finally {
    copy.destroy()
  }
  applyPatch(doc, operations ?? null, { ...options, known: null })
  return { status: "applied", handle: null }
}
