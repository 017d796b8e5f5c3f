/**
 * Agents: what a program does with a document through tools. It has rights as everybody else, a client id and a caret of its
 * own, and its changes are recorded as an agent's, on whose behalf they are as well (G2). What it does is one commit, merged
 * with what people write (G1).
 */
import type * as Y from "yjs"
import type { Grant } from "../access/rights.ts"
import { endOf, findBlock, findText } from "../agent/blocks.ts"
import { editDocument, type Outcome } from "../agent/edit.ts"
import { outline, readText, search } from "../agent/read.ts"
import { TOOLS, type ToolName } from "../agent/tools.ts"
import { appendText } from "../agent/write.ts"
import { SyncError } from "../errors.ts"
import { Budget, exportBudget } from "../export/budget.ts"
import type { Json } from "../export/json.ts"
import { isObject } from "../json/plain.ts"
import type { Limits } from "../limits.ts"
import { readEntries } from "../wire/awareness.ts"
import { agentOrigin, type Changes } from "./changes.ts"
import type { Intake } from "./intake.ts"
import type { Log } from "./log.ts"
import type { Past } from "./past.ts"
import type { Peer, Speaker } from "./peer.ts"
import type { Presence } from "./presence.ts"
import type { Repeats } from "./repeats.ts"
import type { Replica } from "./replica.ts"
import { Seats, type Shown } from "./seats.ts"

type Arguments = { readonly [name: string]: Json }

/** Answers the tools of a room's agents. */
export class Agents<P extends Peer> {
  readonly seats: Seats
  readonly #replica: Replica
  readonly #intake: Intake<P>
  readonly #changes: Changes<P>
  readonly #past: Past
  readonly #log: Log
  readonly #presence: Presence<Speaker>
  readonly #repeats: Repeats
  readonly #limits: Limits

  constructor(parts: {
    replica: Replica
    intake: Intake<P>
    changes: Changes<P>
    past: Past
    log: Log
    presence: Presence<Speaker>
    repeats: Repeats
    limits: Limits
    relay: (clients: readonly number[]) => void
  }) {
    this.#replica = parts.replica
    this.#intake = parts.intake
    this.#changes = parts.changes
    this.#past = parts.past
    this.#log = parts.log
    this.#presence = parts.presence
    this.#repeats = parts.repeats
    this.#limits = parts.limits
    this.seats = new Seats(parts.presence, parts.relay)
  }

  /**
   * Use a tool. Synchronous but for `history`, which reads beside the room's other work: when it returns, what it changed is
   * committed.
   * @param key the idempotency key of the call, where it stands beside the arguments
   * @throws SyncError "not-found" for a tool that is none, "forbidden", "bad-request", "conflict"
   */
  call(name: string, given: Json, grant: Grant, key: string | null): Json | Promise<Json> {
    const tool = TOOLS.find((one) => one.name === name)
    if (tool === undefined) throw new SyncError("not-found", `There is no tool ${JSON.stringify(name)}.`)
    if (tool.writes && grant.rights !== "write")
      throw new SyncError("forbidden", `The tool ${name} needs the right to write.`)
    if (!isObject(given)) throw new SyncError("bad-request", "The arguments of a tool are an object.")
    const once = key ?? readString(given, "idempotencyKey")
    if (tool.name === "history") return this.#history(given, grant)
    if (once === null || !tool.writes) return this.#act(tool.name, given, grant)
    const before = this.#repeats.begin(once, { subject: grant.subject, asked: JSON.stringify([name, given]) })
    if (before !== null) return before
    let isDone = false
    try {
      const answer = this.#act(tool.name, given, grant)
      this.#repeats.answerWith(() => answer)
      isDone = true
      return answer
    } finally {
      this.#repeats.end({ isDone })
    }
  }

  #act(name: Exclude<ToolName, "history">, given: Arguments, grant: Grant): Json {
    const root = readString(given, "root")
    switch (name) {
      case "read": {
        const [from, to] = [readString(given, "from"), readString(given, "to")]
        return this.#look((doc, options) => readText(doc, { root, from, to }, options))
      }
      case "outline":
        return this.#look((doc, options) => outline(doc, { root }, options))
      case "search":
        return this.#look((doc, options) =>
          search(doc, { root, query: readString(given, "query") ?? "" }, options),
        )
      case "edit":
        return this.#edit(given, root, grant)
      case "write":
        return this.#write(given, root, grant)
      case "presence":
        return this.#show(given, root, grant)
      case "who":
        return this.#who()
      case "undo":
        return this.#undo(given, grant)
      default:
        throw new SyncError("internal", `Unknown tool ${JSON.stringify(name satisfies never)}`)
    }
  }

  /** Look at the document as it is committed. */
  #look(read: (doc: Y.Doc, options: { budget: Budget; limits: Limits }) => Json): Json {
    const revision = this.#intake.commitOrThrow()
    const budget = new Budget(exportBudget(this.#replica.bytes, this.#limits))
    const found = this.#replica.read((doc) => {
      // A root that nobody has written yet is read as empty, which leaves it out of every export.
      return read(doc, { budget, limits: this.#limits })
    })
    return { revision, ...(found as { [name: string]: Json }) }
  }

  #edit(given: Arguments, root: string | null, grant: Grant): Json {
    const bytes = JSON.stringify(given.operations ?? null).length
    if (bytes > this.#limits.jsonBytes)
      throw new SyncError("too-large", `The operations have ${bytes} bytes.`)
    const mayCopy = 3 * this.#replica.weight < this.#limits.documentWeight
    let caret: Shown["caret"] = null
    const results = this.#change(grant, { bytes, dryRun: given.dryRun === true }, (doc, options) => {
      const outcomes = editDocument(doc, given.operations, { ...options, root, mayCopy })
      caret = caretOf(doc, root, outcomes, options.budget)
      return (revision) => ({ revision, results: outcomes as Json })
    })
    // Who has done nothing has no place in the text.
    if (caret !== null && given.dryRun !== true)
      this.#appear(grant, { caret, status: null, forMs: this.#limits.agentShownMs })
    return results
  }

  #write(given: Arguments, root: string | null, grant: Grant): Json {
    const text = readString(given, "text") ?? ""
    if (text.length > this.#limits.agentTextLength)
      throw new SyncError(
        "too-large",
        `At most ${this.#limits.agentTextLength} characters are written at once.`,
      )
    const [handle, stream] = [readString(given, "handle"), readString(given, "stream")]
    let caret: Shown["caret"] = null
    const written = this.#change(grant, { bytes: text.length, dryRun: false }, (doc, options) => {
      const end = appendText(doc, { root, handle, stream, text: text.toWellFormed() }, options)
      caret = end.caret
      return (revision) => ({ revision, handle: end.handle, stream: end.stream })
    })
    this.#appear(grant, { caret, status: null, forMs: given.done === true ? 0 : this.#limits.agentShownMs })
    return written
  }

  /**
   * Change the document as this agent; the answer is kept with the commit where the call has a key.
   * @param act does it, and gives what is answered once the revision is known
   */
  #change(
    grant: Grant,
    { bytes, dryRun }: { bytes: number; dryRun: boolean },
    act: (doc: Y.Doc, options: Parameters<Parameters<Changes<P>["run"]>[0]>[1]) => (revision: number) => Json,
  ): Json {
    let answer: (revision: number) => Json = () => null
    try {
      this.#changes.run(
        (doc, options) => {
          answer = act(doc, options)
          if (dryRun) throw new DryRun()
          this.#repeats.answerWith(answer)
        },
        { grant, bytes, nested: null, known: true, client: this.#handOf(grant), origin: agentOrigin(grant) },
      )
    } catch (thrown) {
      if (!(thrown instanceof DryRun)) throw thrown
    }
    return answer(this.#intake.commitOrThrow())
  }

  #show(given: Arguments, root: string | null, grant: Grant): Json {
    const { agentShownMs, agentShownCeilingMs, nameLength } = this.#limits
    const { ttlS } = given
    if (ttlS !== undefined && typeof ttlS !== "number")
      throw new SyncError("bad-request", "ttlS is a number of seconds.")
    const forMs = Math.min(ttlS === undefined ? agentShownMs : Math.max(0, ttlS) * 1000, agentShownCeilingMs)
    const handle = readString(given, "handle")
    const budget = new Budget(exportBudget(this.#replica.bytes, this.#limits))
    const doc = this.#replica.document()
    const text = handle === null ? null : findText(doc, root, budget)
    const block = text === null || handle === null ? null : findBlock(doc, text, handle)
    const caret = text === null || block === null ? null : endOf(text, block)
    this.#appear(grant, { caret, status: readString(given, "status")?.slice(0, nameLength) ?? null, forMs })
    return { shown: grant.presence && forMs > 0, at: block?.handle ?? null }
  }

  #who(): Json {
    const clients = this.#presence.clients()
    const entries = readEntries(this.#presence.encode(clients), { maxEntries: clients.length })
    const people = entries.map(({ client, state }): Json => {
      const shown = Object(JSON.parse(new TextDecoder().decode(state))) as { [name: string]: Json }
      const user = isObject(shown.user) ? shown.user : {}
      const grant = this.seats.grantOf(client)
      return {
        client,
        // What people call themselves; an agent's name is its token's.
        name: user.name ?? shown.name ?? null,
        isAgent: grant !== null,
        ...(grant !== null && {
          onBehalfOf: grant.onBehalfOf ?? grant.subject,
          status: shown.status ?? null,
        }),
      }
    })
    return { people }
  }

  #undo(given: Arguments, grant: Grant): Json {
    const { since } = given
    if (since !== undefined && !(Number.isSafeInteger(since) && Number(since) >= 0))
      throw new SyncError("bad-request", "since is a revision.")
    const revision = this.#intake.commitOrThrow()
    const from = since === undefined ? null : Number(since) + 1
    if (from !== null && from > revision) return { revision, inserted: 0, deleted: 0, unresolved: [] }
    const { subject, agent } = grant
    const ask = {
      by: subject,
      via: "agent",
      from: from === null ? null : String(from),
      to: null,
      dryRun: false,
    }
    // A person's own program takes back nothing of their agents'. In one turn, because its answer is kept with its commit (G3).
    const undone = this.#past.answer("rollback", { ...ask, agent: agent ?? null }, grant)
    const { inserted, deleted, unresolved } = undone
    // reason: an interface has no index signature, so it is not comparable to Json, which it is
    return { revision: undone.revision, inserted, deleted, unresolved: unresolved as unknown as Json }
  }

  async #history(given: Arguments, grant: Grant): Promise<Json> {
    const text = (name: string) => readString(given, name)
    const root = text("root")
    const page = { cursor: text("cursor"), limit: this.#limits.agentMatches }
    const [from, to] = [text("from"), text("to")]
    const look = (): Promise<unknown> => {
      switch (text("what")) {
        case "versions":
          return this.#past.answerAside("versions", page, grant)
        case "activity": {
          const whole = { via: null, groupMs: AN_HOUR_MS, newestFirst: true }
          return this.#past.answerAside("activity", { ...whole, from, to, by: text("by"), ...page }, grant)
        }
        case "diff":
          if (from === null) throw new SyncError("bad-request", "diff needs from.")
          return this.#past.answerAside("diff", { from, to, root }, grant)
        case "blame":
          if (root === null) throw new SyncError("bad-request", "blame needs root.")
          return this.#past.answerAside("blame", { root, at: text("at") }, grant)
        case "restore": {
          const id = text("id")
          if (grant.rights !== "write")
            throw new SyncError("forbidden", "To restore takes the right to write.")
          if (id === null) throw new SyncError("bad-request", "restore needs id.")
          return this.#past.answerAside("restore", { id, root }, grant)
        }
        default:
          throw new SyncError("bad-request", "what is versions, activity, diff, blame or restore.")
      }
    }
    // Of JSON's own values alone: an answer of the past may have undefined in it.
    return JSON.parse(JSON.stringify(await look())) as Json
  }

  #appear(grant: Grant, shown: Shown): void {
    const client = this.#handOf(grant)
    if (client !== null) this.seats.show(grant, client, shown)
  }

  /** The client id of an agent, which nobody else writes under; null: the document has too many, and it is the server's. */
  #handOf({ subject, agent }: Grant): number | null {
    const key = `hand ${JSON.stringify([subject, agent ?? null])}`
    const known = this.#log.noted<number>(key)
    if (known !== null) return known
    const hands = this.#log.noted<number>("hands") ?? 0
    if (hands >= this.#limits.agentHands || !this.#replica.exists) return null
    const client = crypto.getRandomValues(new Uint32Array(1))[0]!
    this.#log.note("hands", hands + 1)
    this.#log.note(key, client)
    return client
  }
}

/** Work with shorter pauses is one stretch. */
const AN_HOUR_MS = 3_600_000

/** Thrown to take back what was only tried. */
class DryRun extends Error {}

/** Where the last operation that was done has left the caret. */
function caretOf(
  doc: Y.Doc,
  root: string | null,
  outcomes: readonly Outcome[],
  budget: Budget,
): Shown["caret"] {
  const done = outcomes.findLast((outcome) => outcome.status !== "conflict" && outcome.handle !== null)
  if (done === undefined || done.status === "conflict" || done.handle === null) return null
  const text = findText(doc, root, budget)
  const block = findBlock(doc, text, done.handle)
  return block === null ? null : endOf(text, block)
}

function readString(given: Arguments, name: string): string | null {
  const value = given[name]
  if (value === undefined || value === null) return null
  if (typeof value !== "string")
    throw new SyncError("bad-request", `${name} is a string, not ${JSON.stringify(value)}.`)
  return value
}
