/**
 * Changes by those who have no Y.Doc: JSON Patch, JSON Merge Patch, and a whole document out of JSON, text, Markdown or HTML.
 *
 * What comes in is made a difference to what stands there, in one transaction: what somebody else wrote beside it stays,
 * and nobody is refused because people type. Conditions are judged in the turn of the commit.
 */
import * as Y from "yjs"
import type { Grant } from "../access/rights.ts"
import { SyncError } from "../errors.ts"
import { Budget, exportBudget } from "../export/budget.ts"
import { matchesIfMatch } from "../export/entity-tags.ts"
import type { Json } from "../export/json.ts"
import { findRoots } from "../export/roots.ts"
import type { Origin } from "../history/origin.ts"
import { EDITOR_ROOTS, type Editor, IMPORTED, parseEditor, writeForEditor } from "../import/editors.ts"
import { editorOf } from "../import/recognise.ts"
import { applyMergePatch, applyPatch, type ChangeOptions, writeDocument } from "../json/patch.ts"
import { checkJson, parseJson } from "../json/pointer.ts"
import { writeRoot } from "../json/reconcile.ts"
import type { Limits } from "../limits.ts"
import type { Changed, ChangeRequest, Conditions } from "../rpc.ts"
import { capture } from "../update/settle.ts"
import type { Intake } from "./intake.ts"
import type { Peer } from "./peer.ts"
import type { Replica } from "./replica.ts"

/** @throws SyncError gone | not-found | rate-limited */
type StateAt = (at: string, grant: Grant) => Promise<Y.Doc>

/** Makes changes. */
export class Changes<P extends Peer> {
  readonly #replica: Replica
  readonly #intake: Intake<P>
  readonly #limits: Limits
  readonly #stateAt: StateAt

  /** @param parts.stateAt an earlier state, in a Y.Doc of its own, rebuilt beside the room's other work */
  constructor(parts: { replica: Replica; intake: Intake<P>; limits: Limits; stateAt: StateAt }) {
    this.#replica = parts.replica
    this.#intake = parts.intake
    this.#limits = parts.limits
    this.#stateAt = parts.stateAt
  }

  /**
   * Make one change. Once it resolves it is committed, and durable once the storage says so.
   * @throws SyncError as `RoomRpc.change`; then nothing was changed
   */
  async make(request: ChangeRequest, grant: Grant, conditions: Conditions): Promise<Changed> {
    const now = this.check(conditions)
    const { base } = request
    if (base !== null && !/^\d{1,15}$/.test(base))
      throw new SyncError("bad-request", `base is a revision, not ${JSON.stringify(base)}.`)
    const act = read(request, this.#limits)
    const isPast = base !== null && Number(base) !== (now ?? 0)
    const draft = isPast ? await this.#stateAt(base, grant) : null
    // From here on in one turn.
    const before = isPast ? this.check(conditions) : now
    const { nested, how, format, body, isAgent = false } = request
    const known = how !== "put" || format === "json"
    const as = {
      ...{ grant, bytes: body.length, nested, known },
      ...(isAgent && { origin: agentOrigin(grant) }),
    }
    if (draft === null) this.run((doc, options) => act(doc, options), as)
    else this.#changeDraft(draft, act, as)
    // A document of nothing is none yet.
    return { revision: this.#intake.commitOrThrow(), created: before === null && this.#replica.exists }
  }

  /**
   * Whether a change may go ahead.
   * @returns the revision before it; null: there is no document
   * @throws SyncError precondition-failed
   */
  check({ ifMatch, ifNoneMatch }: Conditions): number | null {
    const before = this.#replica.exists ? this.#intake.commitOrThrow() : null
    if (!matchesIfMatch(ifMatch, before) || (ifNoneMatch?.trim() === "*" && before !== null))
      throw new SyncError("precondition-failed", `The document is at revision ${before ?? "none"}`)
    return before
  }

  /**
   * Run what changes the document, with the rights of a grant and within what a request may cost.
   * @param as.known whether it names every attribute of what it writes; else it is an import, see `TreeOptions`
   * @param as.client see `Replica.edit`
   */
  run<Result>(
    act: (doc: Y.Doc, options: ChangeOptions) => Result,
    as: {
      readonly grant: Grant
      readonly bytes: number
      readonly nested: string | null
      readonly known: boolean
      readonly origin?: Origin
      readonly client?: number | null
    },
  ): Result {
    const { grant, bytes, client = null } = as
    const options = this.#optionsFor(as)
    const origin = as.origin ?? ({ at: Date.now(), subject: grant.subject, via: "rest" } as const)
    return this.#intake.edit((doc) => act(doc, options), origin, { bytes, client })
  }

  #optionsFor({
    grant: { roots },
    bytes,
    nested,
    known,
  }: {
    readonly grant: Grant
    readonly bytes: number
    readonly nested: string | null
    readonly known: boolean
  }): ChangeOptions {
    const limits = this.#limits
    if (nested !== null && nested !== "shared" && nested !== "plain")
      throw new SyncError("bad-request", `nested is "shared" or "plain", not ${JSON.stringify(nested)}.`)
    return {
      limits,
      nested,
      known: known ? null : IMPORTED,
      // Everything that is read of the document for one request, views and comparisons together.
      budget: new Budget(4 * exportBudget(this.#replica.bytes + bytes, limits)),
      touch(root) {
        if (roots !== undefined && !roots.includes(root))
          throw new SyncError(
            "forbidden",
            `This token may change ${roots.join(", ")}, not ${JSON.stringify(root)}`,
          )
      },
    }
  }

  /**
   * Do what a request wants to the state that its caller had read, and merge what that made: what was written since is in no
   * difference, so nothing of it is deleted.
   */
  #changeDraft(draft: Y.Doc, act: Act, as: Parameters<Changes<P>["run"]>[1]): void {
    try {
      const options = this.#optionsFor(as)
      const { update } = capture(draft, () => draft.transact(() => act(draft, options)))
      if (update !== null) this.run((present) => Y.applyUpdate(present, update), as)
    } finally {
      draft.destroy()
    }
  }
}

/** Where what an agent writes comes from: its token says who it is and for whom, and itself what it is (G2). */
export function agentOrigin({ subject, agent, onBehalfOf, client }: Grant): Origin {
  return {
    ...{ at: Date.now(), subject, via: "agent" as const },
    ...(agent !== undefined && { agent }),
    ...(onBehalfOf !== undefined && { onBehalfOf }),
    ...(client !== undefined && { client }),
  }
}

type Act = (doc: Y.Doc, options: ChangeOptions) => void

/** What a request wants done. All that can be found out without the document is found out here. */
function read(request: ChangeRequest, limits: Limits): Act {
  const { how, format, body, root, editor } = request
  if (how === "json-patch" || how === "merge-patch" || format === "json") {
    const value = parseJson(body, limits)
    if (how === "json-patch") return (doc, options) => applyPatch(doc, value, options)
    if (how === "merge-patch") return (doc, options) => applyMergePatch(doc, value, options)
    if (root === null && editor === null) return (doc, options) => writeDocument(doc, value, options)
    const name = root ?? EDITOR_ROOTS[parseEditor(editor ?? "text")]
    return (doc, options) => writeNamed(doc, { name, value }, options)
  }
  const text = new TextDecoder().decode(body)
  const blocks = request.blocks ?? text.split("\n").map((line) => ({ kind: "plain" as const, text: line }))
  const wanted = editor === null ? null : parseEditor(editor)
  return (doc, options) => {
    const place = findPlace(doc, { root, editor: wanted, format }, options)
    // A plain text takes Markdown as it is, since people write Markdown in plain editors.
    const asItIs = place.editor === "text" && format !== "html"
    const value = asItIs ? text : writeForEditor(blocks, place.editor)
    checkJson(value, limits)
    writeNamed(doc, { name: place.root, value }, options)
  }
}

function writeNamed(
  doc: Y.Doc,
  { name, value }: { name: string; value: Json },
  options: ChangeOptions,
): void {
  options.touch(name)
  writeRoot(doc.get(name), value, options)
}

/** Where an import goes, and for which editor: what was asked for, else what is there, else an editor's own. */
function findPlace(
  doc: Y.Doc,
  { root, editor, format }: { root: string | null; editor: Editor | null; format: string },
  { budget }: ChangeOptions,
): { root: string; editor: Editor } {
  const texts = findRoots(doc).filter(({ kind }) => kind === "text" || kind === "xml")
  const there =
    root === null ? (texts.length === 1 ? texts[0] : undefined) : texts.find(({ name }) => name === root)
  if (there !== undefined && (editor === null || root === null)) {
    const found = editorOf(there, budget)
    if (editor === null || editor === found) return { root: there.name, editor: found }
  }
  const chosen = editor ?? (format === "html" ? "tiptap" : "text")
  return { root: root ?? EDITOR_ROOTS[chosen], editor: chosen }
}
