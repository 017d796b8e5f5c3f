/**
 * The past of a room: answers what is asked about it, and brings it back. Whatever changes the document is a change like
 * any other (H3): it goes through the intake, is seen live, has an author, and a version is made before it.
 *
 * A little longer than others: every question has its lines here, and the answers are in history/.
 */
import * as Y from "yjs"
import type { Grant } from "../access/rights.ts"
import { SyncError } from "../errors.ts"
import type { Mark, Who } from "../history/attribution.ts"
import type { Register } from "../history/authors.ts"
import { type Copy, keepCopies } from "../history/copies.ts"
import { History } from "../history/history.ts"
import { parseMoment } from "../history/moments.ts"
import type { Origin } from "../history/origin.ts"
import { restore } from "../history/restore.ts"
import { type RolledBack, rollback } from "../history/rollback.ts"
import { runNow, type Steps } from "../history/steps.ts"
import type { Place } from "../history/timeline.ts"
import type { Trigger, Version } from "../history/versions.ts"
import type { Limits } from "../limits.ts"
import type { PastCalls, PastStatus } from "../rpc.ts"
import type { Aside } from "./aside.ts"
import type { Emit } from "./events.ts"
import type { Intake } from "./intake.ts"
import type { Log } from "./log.ts"
import type { Mover } from "./mover.ts"
import { checkAny, rootsFor, sinceOf, whoAsks } from "./past-rights.ts"
import type { Replica } from "./replica.ts"

/** The verbs that read much of the past. */
type Long = "restore" | "diff" | "blame" | "activity" | "rollback" | "prune"

/** How each verb is answered: at once, or in steps. */
type Answers = {
  readonly [Verb in Exclude<keyof PastCalls, Long>]: (
    ask: PastCalls[Verb]["ask"],
    grant: Grant,
  ) => PastCalls[Verb]["answer"]
}
type LongAnswers = {
  readonly [Verb in Long]: (ask: PastCalls[Verb]["ask"], grant: Grant) => Steps<PastCalls[Verb]["answer"]>
}

/** The past of a room. */
export class Past {
  readonly history: History
  readonly #aside: Aside
  readonly #mover: Mover
  readonly #log: Log
  readonly #replica: Replica
  readonly #intake: Pick<Intake<never>, "edit" | "commitOrThrow">
  readonly #limits: Limits
  readonly #emit: Emit
  /** Since when there are changes that no version names, ms since 1970; null: there are none. */
  #workedSince: number | null

  constructor(parts: {
    log: Log
    replica: Replica
    intake: Pick<Intake<never>, "edit" | "commitOrThrow">
    limits: Limits
    emit: Emit
    aside: Aside
    mover: Mover
  }) {
    const { log, replica, limits } = parts
    this.#log = log
    this.#replica = replica
    this.#intake = parts.intake
    this.#limits = limits
    this.#emit = parts.emit
    this.#aside = parts.aside
    this.#mover = parts.mover
    this.history = new History({
      tables: log.tables,
      segments: log.past,
      present: log,
      limits,
      register: () => registerOf(log),
    })
    this.#workedSince = log.noted<number>("worked_since")
  }

  /** What is kept. */
  get status(): PastStatus {
    const { bytes, movedBytes, updateBytes, damaged } = this.#log.past.size
    const { revision, at } = this.history.timeline.oldest
    return {
      bytes,
      movedBytes,
      updateBytes,
      fromRevision: revision,
      from: at === 0 ? null : new Date(at).toISOString(),
      versions: this.history.versions.count,
      damaged,
    }
  }

  /** Whether something is asked and not answered yet. */
  get busy(): boolean {
    return this.#aside.busy
  }

  /** Answer a question about the past, or change the document by it, in this turn. @throws SyncError */
  answer<Verb extends keyof PastCalls>(
    verb: Verb,
    ask: PastCalls[Verb]["ask"],
    grant: Grant,
  ): PastCalls[Verb]["answer"] {
    return runNow(this.#begin(verb, ask, grant))
  }

  /** The same beside the room's other work: what is asked of it is as of the turn in which it begins. @throws SyncError */
  answerAside<Verb extends keyof PastCalls>(
    verb: Verb,
    ask: PastCalls[Verb]["ask"],
    grant: Grant,
  ): Promise<PastCalls[Verb]["answer"]> {
    const begin = () => this.#begin(verb, ask, grant)
    return this.reading(() => (verb in this.#long ? this.#aside.run(begin) : runNow(begin())))
  }

  /** Do something in one turn that looks at the past, and again where a part had to be fetched first. Then nothing was changed. */
  reading<Answer>(ask: () => Answer | Promise<Answer>): Promise<Answer> {
    return this.#mover.reading(ask)
  }

  /** The revision that a moment names. @throws SyncError */
  revisionAt(at: string, grant: Grant | undefined): number {
    this.#intake.commitOrThrow()
    return this.history.placeOf(at, sinceOf(grant)).revision
  }

  /** A state of the past, beside the room's other work. @throws SyncError */
  stateAside(revision: number): Promise<Y.Doc> {
    return this.reading(() => this.#aside.run(() => this.history.timeline.rebuild(revision)))
  }

  /** Something was committed: a version is due. */
  touch(): void {
    if (this.#workedSince !== null) return
    this.#workedSince = Date.now()
    this.#log.note("worked_since", this.#workedSince)
  }

  /** The document was deleted, and its past with it (D8). */
  forget(): void {
    this.#workedSince = null
    this.history.persons.forget()
  }

  /**
   * When a version is made by itself, ms since 1970; null: nothing has changed since the last one.
   * @param room who is here, and whether the last one has just left
   */
  versionDueAtMs({ isEmpty, hasEmptied }: { isEmpty: boolean; hasEmptied: boolean }): number | null {
    if (this.#workedSince === null || !this.#log.exists) return null
    if (!isEmpty) return this.#workedSince + this.#limits.versionEveryMs
    return hasEmptied ? Date.now() : this.#log.state.at + this.#limits.versionLeaveMs
  }

  /** Make a version by itself, and thin those that were made so. */
  makeVersion(): void {
    const revision = this.#intake.commitOrThrow()
    const { versions } = this.history
    const last = versions.newest
    // A page that is reloaded ends a session each time: the version moves on with it.
    const isSameSession =
      last?.trigger === "auto" &&
      last.name === null &&
      last.meta === null &&
      Date.now() - Date.parse(last.at) < this.#limits.versionGapMs
    if (last?.revision !== revision) {
      if (isSameSession) versions.forget(last.id)
      const createdBy: Who = { subject: null, via: "server" }
      this.#make({ revision, trigger: "auto", createdBy, name: null })
    }
    versions.thin(Date.now())
    this.#worked()
  }

  /** Whether more is kept than the budget allows (H6). */
  get outgrown(): boolean {
    return this.#log.past.size.bytes > this.#limits.pastBytes
  }

  /**
   * Forget the oldest, so that half of the budget is free again. A past that is pruned begins with a whole state, which
   * counts as well: where none fits, or none can be rebuilt any more, nothing is kept.
   */
  async shrink(): Promise<void> {
    const { pastBytes } = this.#limits
    for (const share of [1 / 2, 1 / 4, 0]) {
      const cut = this.#log.past.cutFor(pastBytes * share)
      if (cut !== null) await this.#tryPrune(cut)
      if (!this.outgrown) return
    }
    await this.#aside.alone(() => {
      this.#log.past.clear()
      this.history.versions.forgetBefore(this.history.timeline.oldest.revision)
    })
  }

  *#begin<Verb extends keyof PastCalls>(
    verb: Verb,
    ask: PastCalls[Verb]["ask"],
    grant: Grant,
  ): Steps<PastCalls[Verb]["answer"]> {
    this.#intake.commitOrThrow()
    // reason: which of the two tables has a verb is not known to its type
    const long = (this.#long as Partial<Answering<Steps<PastCalls[Verb]["answer"]>>>)[verb]
    if (long !== undefined) return yield* long(ask, grant)
    return (this.#answers as Partial<Answering<PastCalls[Verb]["answer"]>>)[verb]!(ask, grant)
  }

  *#diff(ask: PastCalls["diff"]["ask"], grant: Grant): Steps<PastCalls["diff"]["answer"]> {
    const { from, to, roots } = yield* this.history.diff({ ...ask, sinceMs: sinceOf(grant) })
    return { from: from.revision, to: to.revision, roots }
  }

  *#blame({ root, at }: PastCalls["blame"]["ask"], grant: Grant): Steps<PastCalls["blame"]["answer"]> {
    return { root, spans: yield* this.history.blame(root, { at, sinceMs: sinceOf(grant) }) }
  }

  *#pruneFor(before: string, grant: Grant): Steps<PastCalls["prune"]["answer"]> {
    checkAny(grant, "to prune the past")
    yield* this.#prune(this.history.placeOf(before, sinceOf(grant)))
    const { fromRevision, bytes } = this.status
    return { fromRevision, bytes }
  }

  *#restore(
    id: string,
    { root, grant }: { root: string | null; grant: Grant },
  ): Steps<PastCalls["restore"]["answer"]> {
    this.#checkExists()
    // Any moment may be brought back, not only one that has a name.
    const place = this.history.placeOf(id.startsWith("v_") ? this.#version(id, grant).id : id, sinceOf(grant))
    const roots = rootsFor(root, grant)
    const past = yield* this.history.timeline.rebuild(place.revision)
    // From here on in one turn, so that the version is of the very state that is changed.
    this.#intake.commitOrThrow()
    const { copies } = this.history
    const { restoreItems: most } = this.#limits
    const backup = this.#backup("restore", grant)
    this.#edit(grant, (doc) => restore(doc, past, { roots, copies, most }))
    past.destroy()
    return { revision: this.#log.state.revision, backup }
  }

  *#rollback(
    { by, via, agent, from, to, dryRun }: PastCalls["rollback"]["ask"],
    grant: Grant,
  ): Steps<PastCalls["rollback"]["answer"]> {
    this.#checkExists()
    if (grant.subject !== null && by !== grant.subject) checkAny(grant, "to take back what others did")
    const { history } = this
    const { newest, oldest } = history.timeline
    const floor = Math.max(oldest.revision, history.floor(sinceOf(grant)))
    const first = from === null ? floor : history.placeOf(from, sinceOf(grant)).revision - 1
    const after = Math.max(floor, first)
    const upTo = history.placeOf(to, sinceOf(grant)).revision
    const isMeant = (mark: Mark | null): boolean => {
      if (mark === null || mark.revision <= after || mark.revision > upTo) return false
      const { origin } = mark
      // A restore or a rollback is nobody's own work: it is taken back only where it is asked for by its way.
      if (origin.via === "restore" && via !== "restore") return false
      if (agent !== undefined && (origin.agent ?? null) !== agent) return false
      return (by === null || origin.subject === by) && (via === null || wayOf(origin) === via)
    }
    const { doc: past, attribution } = yield* history.replay(newest.revision, { from: after })
    const draft = dryRun ? yield* history.timeline.rebuild(newest.revision) : null
    // From here on in one turn; what has come meanwhile first.
    const now = this.#intake.commitOrThrow()
    for (const commit of history.timeline.commits(newest.revision, now)) {
      attribution.add(commit)
      for (const { update } of commit.updates)
        for (const doc of draft === null ? [past] : [past, draft]) Y.applyUpdate(doc, update)
    }
    const { restoreItems: most } = this.#limits
    const facts = { attribution, isMeant, copies: history.copies, roots: grant.roots ?? null, most }
    try {
      if (draft !== null) {
        const { inserted, deleted, unresolved } = rollback(draft, past, facts)
        return { revision: now, backup: null, inserted, deleted, unresolved }
      }
      const backup = this.#backup("rollback", grant)
      const { inserted, deleted, unresolved } = this.#edit<RolledBack>(grant, (doc) =>
        rollback(doc, past, facts),
      )
      return { revision: this.#log.state.revision, backup, inserted, deleted, unresolved }
    } finally {
      past.destroy()
    }
  }

  /** Change the document in the name of whoever asks. */
  #edit<Result extends { readonly copies: readonly Copy[] }>(
    { subject }: Grant,
    change: (doc: Y.Doc) => Result,
  ): Result {
    const before = this.#log.state.revision
    const result = this.#intake.edit(change, { at: Date.now(), subject, via: "restore" })
    const { revision } = this.#log.state
    // In the turn of the commit, so that both are durable or neither.
    if (revision !== before) {
      keepCopies(this.#log.tables, result.copies, revision)
      this.#log.past.recount()
    }
    return result
  }

  async #tryPrune(revision: number): Promise<void> {
    try {
      await this.reading(() => this.#aside.run(() => this.#prune(this.history.timeline.placeOf(revision))))
    } catch (thrown) {
      // It is damaged, or too large to be rebuilt: a later state may not be.
      if (!(thrown instanceof SyncError && (thrown.code === "gone" || thrown.code === "too-large")))
        throw thrown
    }
  }

  *#prune({ revision, at }: Place): Steps<void> {
    // The log's own rows are the present's; what was folded into a snapshot is the past's.
    this.#replica.compact()
    const doc = yield* this.history.timeline.rebuild(revision)
    this.#log.past.prune(Y.encodeStateAsUpdate(doc), { revision, at })
    this.history.versions.forgetBefore(revision)
  }

  readonly #answers: Answers = {
    versions: (page, grant) => this.history.versions.list({ ...page, notBeforeMs: sinceOf(grant) ?? 0 }),
    version: ({ id }, grant) => this.#version(id, grant),
    createVersion: ({ name, meta, at = null }, grant) => {
      checkNotes({ name, meta }, this.#limits)
      this.#checkExists()
      const revision = this.#log.state.revision
      const version = this.#make({ revision, name, meta, ...this.#occasion(at, grant) })
      this.#worked()
      return version
    },
    changeVersion: ({ id, name, meta }, grant) => {
      checkNotes({ name: name ?? null, meta }, this.#limits)
      this.#version(id, grant)
      return this.history.versions.change(id, { name, meta })
    },
    forgetVersion: ({ id }, grant) => {
      const { createdBy, trigger } = this.#version(id, grant)
      const isOwn = grant.subject === null || (createdBy.subject === grant.subject && trigger === "manual")
      if (!isOwn) checkAny(grant, "to forget a version that is not yours")
      this.history.versions.forget(id)
      return null
    },
  }

  readonly #long: LongAnswers = {
    restore: ({ id, root }, grant) => this.#restore(id, { root, grant }),
    diff: (ask, grant) => this.#diff(ask, grant),
    blame: (ask, grant) => this.#blame(ask, grant),
    activity: (ask, grant) => this.history.activity({ ...ask, sinceMs: sinceOf(grant) }),
    rollback: (ask, grant) => this.#rollback(ask, grant),
    prune: ({ before }, grant) => this.#pruneFor(before, grant),
  }

  #backup(trigger: Trigger, grant: Grant): Version {
    return this.#make({ revision: this.#log.state.revision, trigger, createdBy: whoAsks(grant), name: null })
  }

  #make(draft: {
    revision: number
    trigger: Trigger
    createdBy: Who
    name: string | null
    meta?: unknown
    /** ms since 1970; now, where it was not made elsewhere. */
    atMs?: number
  }): Version {
    const { versions } = this.history
    const after = Math.max(versions.newest?.revision ?? 0, this.history.timeline.oldest.revision)
    const by = this.history.writers(after, draft.revision)
    const version = versions.make({ atMs: Math.max(Date.now(), this.#log.state.at), ...draft, by })
    this.#emit({ type: "versioned", version })
    return version
  }

  #worked(): void {
    this.#workedSince = null
    this.#log.note("worked_since", null)
  }

  /** Why a version is made that somebody asks for: by hand, or because it was one elsewhere. @throws SyncError */
  #occasion(at: string | null, grant: Grant): { trigger: Trigger; createdBy: Who; atMs?: number } {
    const createdBy = whoAsks(grant)
    if (at === null) return { trigger: "manual", createdBy }
    if (grant.subject !== null && !grant.admin)
      throw new SyncError("forbidden", "Only an admin may say that a version was made at another time.")
    const moment = parseMoment(at)
    if (moment.kind !== "time" || moment.time > Date.now())
      throw new SyncError("bad-request", `at is a time that has been, not ${JSON.stringify(at)}.`)
    return { trigger: "import", createdBy: { ...createdBy, via: "import" }, atMs: moment.time }
  }

  /** @throws SyncError not-found, forbidden where it was made before what the grant may see */
  #version(id: string, grant: Grant): Version {
    const version = this.history.versions.get(id)
    const since = sinceOf(grant)
    if (since !== null && version.revision < this.history.floor(since))
      throw new SyncError("forbidden", "The token shows nothing of the document from before that time.")
    return version
  }

  #checkExists(): void {
    if (!this.#log.exists) throw new SyncError("not-found", "There is no such document.")
  }
}

/** A table of answers, whichever verb is asked for. */
type Answering<Answered> = Readonly<Record<keyof PastCalls, (ask: unknown, grant: Grant) => Answered>>

/** Whose client ids are whose, as it is now. */
function registerOf(log: Log): Omit<Register, "nameOf"> {
  const owners = new Map(log.owners().map(({ client, subject }) => [client, subject]))
  const carried = new Map(log.carried().map(({ client, owner, clock }) => [`${client} ${owner}`, clock]))
  return {
    isOwn: (client, clock, subject) =>
      owners.get(client) === subject &&
      clock < (carried.get(`${client} ${subject}`) ?? Number.POSITIVE_INFINITY),
    server: log.noted<number>("server_client"),
  }
}

/** @throws SyncError bad-request */
function checkNotes(
  { name, meta }: { name: string | null; meta?: unknown },
  { versionNameLength, versionMetaLength }: Limits,
): void {
  if (name !== null && (name.length === 0 || name.length > versionNameLength))
    throw new SyncError("bad-request", `A version's name has 1 to ${versionNameLength} characters.`)
  if (meta !== undefined && JSON.stringify(meta).length > versionMetaLength)
    throw new SyncError(
      "bad-request",
      `A version's meta has at most ${versionMetaLength} characters of JSON.`,
    )
}

function wayOf({ via }: Origin): Who["via"] {
  return via === "archive" ? "import" : via
}
