/**
 * Seed: what a new document begins with. A subclass says it, and the room writes it once, before anybody is let in.
 *
 * What is no update yet is written under a client id made from its own bytes. A room that lost its storage, and two rooms of one
 * archive, then begin with the same update, and merging that twice changes nothing.
 */
import { createHash } from "node:crypto"
import * as Y from "yjs"
import { abortable } from "../archive/abortable.ts"
import { SyncError } from "../errors.ts"
import { Budget } from "../export/budget.ts"
import type { Json } from "../export/json.ts"
import { EDITOR_ROOTS, type Editor, IMPORTED, parseEditor, writeForEditor } from "../import/editors.ts"
import { readHtml } from "../import/html.ts"
import { readMarkdown } from "../import/markdown.ts"
import { writeDocument } from "../json/patch.ts"
import { parseJson } from "../json/pointer.ts"
import { writeRoot } from "../json/reconcile.ts"
import type { Limits } from "../limits.ts"
import { createDocument } from "../update/settle.ts"
import { vet } from "../update/vet.ts"
import type { Archivist } from "./archivist.ts"
import type { Intake } from "./intake.ts"
import type { Replica } from "./replica.ts"

/** Where a seed goes; see `?root=`, `?editor=` and `?nested=` of a PUT. */
export interface SeedPlace {
  readonly root?: string
  readonly editor?: Editor
  readonly nested?: "shared" | "plain"
}

/** What a PUT would have as its body. Without an editor or a root, `json` is all roots. */
type Body = (
  | { readonly json: unknown }
  | { readonly markdown: string }
  | { readonly html: string }
  | { readonly text: string }
) &
  SeedPlace

/** What a document begins with: a Yjs V1 update, what a PUT takes, or a function that writes into an empty document (called twice). */
export type Seed = Uint8Array | Body | ((doc: Y.Doc) => void)

/** Begins documents. */
export class Seeder {
  readonly #ask: (signal: AbortSignal) => Seed | null | Promise<Seed | null>
  readonly #replica: Replica
  readonly #intake: Pick<Intake<never>, "edit">
  readonly #archivist: Pick<Archivist, "knowsDeletion">
  readonly #limits: Limits
  #beginning: Promise<void> | null = null

  constructor(
    ask: (signal: AbortSignal) => Seed | null | Promise<Seed | null>,
    room: {
      replica: Replica
      intake: Pick<Intake<never>, "edit">
      archivist: Pick<Archivist, "knowsDeletion">
      limits: Limits
    },
  ) {
    this.#ask = ask
    this.#replica = room.replica
    this.#intake = room.intake
    this.#archivist = room.archivist
    this.#limits = room.limits
  }

  /**
   * Begin the document, which the archive was just asked for: nobody has it. Who comes meanwhile waits for the same answer.
   * @throws SyncError what the hook throws of that kind; unavailable where it fails, is late, or gives what is no document.
   *   Then nothing was written, and the next one to come asks again
   */
  begin(): Promise<void> {
    this.#beginning ??= this.#begin().finally(() => {
      this.#beginning = null
    })
    return this.#beginning
  }

  async #begin(): Promise<void> {
    // Whoever still has the address would bring back what was deleted, by looking.
    if (this.#archivist.knowsDeletion) return
    const { erasures } = this.#replica
    const seed = await this.#askInTime()
    // Somebody brought the document while the hook was asked.
    if (seed === null || this.#replica.holds || this.#replica.erasures !== erasures) return
    try {
      const update = draw(seed, this.#limits)
      const origin = { at: Date.now(), subject: null, via: "server" } as const
      this.#intake.edit((doc) => Y.applyUpdate(doc, update), origin, { bytes: update.length })
    } catch (thrown) {
      // The caller did nothing wrong, and may come again once the hook is mended.
      throw failed(thrown instanceof SyncError ? thrown.message : "it is no document", thrown)
    }
  }

  async #askInTime(): Promise<Seed | null> {
    const { seedMs } = this.#limits
    const late = new AbortController()
    const timer = setTimeout(() => late.abort(failed(`nothing came within ${seedMs} ms`)), seedMs)
    try {
      return await abortable(async () => this.#ask(late.signal), late.signal)
    } catch (thrown) {
      throw thrown instanceof SyncError ? thrown : failed("asking for it failed", thrown)
    } finally {
      // A timer left behind would keep the room awake.
      clearTimeout(timer)
    }
  }
}

function failed(why: string, cause?: unknown): SyncError {
  return new SyncError("unavailable", `This new document cannot begin with its seed: ${why}`, { cause })
}

/**
 * A seed as an update.
 * @throws SyncError bad-request | too-large | patch-failed for what is no document; bad-update for what is no safe update
 */
export function draw(seed: Seed, limits: Limits): Uint8Array {
  if (seed instanceof Uint8Array) {
    const verdict = vet(seed, new Map(), { limits })
    if (verdict.kind === "refuse") throw new SyncError("bad-update", verdict.reason)
    if (verdict.waiting !== null)
      throw new SyncError("bad-request", "the update builds on something that is not in it")
    return seed
  }
  const write = typeof seed === "function" ? seed : readSeed(seed, limits)
  const drawAs = (client: number): Uint8Array => {
    const doc = createDocument()
    doc.clientID = client
    doc.transact(() => write(doc))
    return Y.encodeStateAsUpdate(doc)
  }
  return drawAs(createHash("sha256").update(drawAs(1)).digest().readUInt32BE())
}

/** What a seed writes into an empty document. @throws SyncError as a body of a PUT is refused */
function readSeed(seed: Body, limits: Limits): (doc: Y.Doc) => void {
  const editor = seed.editor === undefined ? null : parseEditor(seed.editor)
  const options = {
    ...{ limits, nested: seed.nested ?? null, touch: () => {} },
    budget: new Budget(limits.exportBytes),
  }
  if ("json" in seed) {
    const value = pass(seed.json, limits.jsonBytes, limits)
    const name = seed.root ?? (editor === null ? null : EDITOR_ROOTS[editor])
    return (doc) => {
      if (name === null) writeDocument(doc, value, { ...options, known: null })
      else writeRoot(doc.get(name), value, { ...options, known: null })
    }
  }
  const chosen = editor ?? ("html" in seed ? "tiptap" : "text")
  const value = pass(contentFor(chosen, seed, limits), limits.jsonBytes, limits)
  return (doc) =>
    writeRoot(doc.get(seed.root ?? EDITOR_ROOTS[chosen]), value, { ...options, known: IMPORTED })
}

function contentFor(
  editor: Editor,
  seed: Exclude<Body, { json: unknown }>,
  { markupBytes }: Limits,
): unknown {
  const markup = "html" in seed ? seed.html : "markdown" in seed ? seed.markdown : seed.text
  if (markup.length > markupBytes)
    throw new SyncError("too-large", `it has ${markup.length} characters; at most ${markupBytes}`)
  // A plain text takes Markdown as it is, as in a PUT.
  if (editor === "text" && !("html" in seed)) return markup
  const blocks =
    "html" in seed
      ? readHtml(markup)
      : "markdown" in seed
        ? readMarkdown(markup)
        : markup.split("\n").map((text) => ({ kind: "plain" as const, text }))
  // BlockNote's blocks get random ids from an import. Counted, the same seed is the same update.
  let count = 0
  return JSON.parse(
    JSON.stringify(writeForEditor(blocks, editor), (_, value) =>
      value?.type === "blockContainer" ? { ...value, attrs: { id: String(++count) } } : value,
    ),
  )
}

/** A value as JSON that may be written. @throws SyncError "bad-request" | "too-large" */
function pass(value: unknown, limitBytes: number, limits: Limits): Json {
  const body = new TextEncoder().encode(JSON.stringify(value))
  if (body.length > limitBytes)
    throw new SyncError("too-large", `it has ${body.length} bytes; at most ${limitBytes}`)
  return parseJson(body, limits)
}
