/**
 * The document of a room: its log, the clocks it has reached, and a Y.Doc only while someone needs one.
 *
 * An update is judged against the clocks and goes to the log; that path needs no Y.Doc. A Y.Doc is hydrated for a step 1
 * that is not empty, an export, a server-side edit, a compaction, and for the few updates that only the document can
 * judge. While it is hydrated, updates are applied to it in batches; it is dropped when nobody needs it.
 *
 *     receive → (vet) → uncommitted → commit → log → compact → snapshot
 *                     ↘ waiting (until what it refers to arrives)
 *
 * Over 450 lines: clocks, log and Y.Doc have to agree after each step, and no other file can make them differ.
 */
import * as Y from "yjs"
import { asSyncError, SyncError } from "../errors.ts"
import type { Origin } from "../history/origin.ts"
import type { Limits } from "../limits.ts"
import { EMPTY_UPDATE, groupsOf, isEmpty, mergeUpdates } from "../update/merge.ts"
import {
  capture,
  createDocument,
  depthOf,
  rootsOf,
  settleDepth,
  settleDoubts,
  weightOf,
} from "../update/settle.ts"
import { touchesOf } from "../update/touches.ts"
import { type Accepted, type Section, vet, type Waiting as Waits } from "../update/vet.ts"
import type { Bearer } from "./authors.ts"
import { decodeClocks } from "./clocks.ts"
import { fold, prove } from "./compaction.ts"
import { Deleted } from "./deleted.ts"
import type { Emit } from "./events.ts"
import { hydrate } from "./hydration.ts"
import type { Entry, Log } from "./log.ts"
import { WaitingRoom } from "./waiting.ts"

/** Limits of one update that do not apply to an archived copy: another room has taken it, bit by bit. */
const ARCHIVED = { newClients: Number.POSITIVE_INFINITY, updateStructs: Number.POSITIVE_INFINITY } as const

/** What another look at waiting updates came to. */
export interface Released {
  /** Those that were taken, to be relayed and committed. */
  readonly released: readonly Uint8Array[]
  /** Those that turned out to be unsafe, and are gone: who had brought them is not to be told that all is saved. */
  readonly dropped: readonly Dropped[]
}

/** A waiting update that was not taken in the end. */
export interface Dropped {
  /** The ids of the peers that had brought it. */
  readonly peers: readonly string[]
  readonly error: SyncError
}

/** The outcome of an update; `released` and `dropped` are what had waited for it. */
export interface Received extends Released {
  /** The news of the update itself, to be relayed and committed; null: it has none. */
  readonly taken: Uint8Array | null
  /** A part waits for something that has not arrived: "new", or the same part waited before. */
  readonly waits: "new" | "before" | null
  /** A part would have to wait, and there is no room for it: its sender is to be told. */
  readonly overflow: SyncError | null
}

const NOTHING: Received = { taken: null, released: [], dropped: [], waits: null, overflow: null }

/** How an update is received. */
export interface Delivery {
  readonly bearer: Bearer
  readonly origin: Origin
  /** The update is a step 2: it repeats the sender's whole delete set, so the document reduces it to what is new. */
  readonly whole?: boolean
  /** The only roots this bearer may change; undefined: all. */
  readonly roots?: readonly string[] | undefined
  /** The bearer brings back, on purpose, content that was deleted with the document. */
  readonly revives?: boolean
  /** It comes from the archive, which holds what another room took: the wire's limits do not apply. */
  readonly archived?: boolean
}

/** Decides who may add under a client id, and records who has: see authors.ts. */
export interface Claims {
  judge(client: number, bearer: Bearer): "own" | "carried" | "waits"
  took(section: Section, bearer: Bearer): void
  write(): void
  wrote(): void
}

/** The document of a room: takes, commits, compacts and hydrates. */
export class Replica {
  readonly #log: Log
  readonly #limits: Limits
  readonly #claims: Claims
  readonly #alongside: Pick<Claims, "write" | "wrote"> | null
  readonly #emit: Emit
  readonly #clocks: Map<number, number>
  /** Clients that moved since the snapshot: what a log row carries. */
  readonly #moved: Map<number, number>
  /** What was deleted under this id before. */
  readonly #deleted: Deleted
  readonly #waiting: WaitingRoom
  #uncommitted: Entry[] = []
  #uncommittedBytes = 0
  #uncommittedWeight = 0
  #doc: Y.Doc | null = null
  /** Updates that the room has taken and the hydrated document has not applied yet. */
  #feed: Uint8Array[] = []
  #neededAt = 0
  /** Upper bound of how deep shared types lie; null until a document was measured. */
  #depth: number | null = null
  /** The one client id of server-side edits, since a new one per hydration would grow the state vector; null before the first. */
  #server: number | null
  /** Told of what every commit wrote; null: nobody asks. */
  #watcher: ((entries: readonly Entry[]) => void) | null = null
  /** Counts how often the clocks went back because something stored was damaged. */
  #setbacks = 0
  #erasures = 0

  /**
   * @param options.alongside what else belongs to every commit
   * @param options.emit after "quarantined" the clocks have gone back, and peers or the archive may hold what is missing
   */
  constructor(
    log: Log,
    options: { limits: Limits; claims: Claims; emit: Emit; alongside?: Pick<Claims, "write" | "wrote"> },
  ) {
    const { limits, claims, emit, alongside = null } = options
    this.#log = log
    this.#alongside = alongside
    this.#limits = limits
    this.#claims = claims
    this.#emit = emit
    const { snapshotClocks, movedClocks } = log.state
    this.#moved = decodeClocks(movedClocks)
    this.#clocks = decodeClocks(snapshotClocks)
    for (const [client, clock] of this.#moved) this.#clocks.set(client, clock)
    this.#deleted = new Deleted(log)
    this.#server = log.noted<number>("server_client")
    this.#waiting = new WaitingRoom(log.waiting, limits)
    if (log.state.clocksLost) this.#readClocksAnew()
  }

  /** Whether the document exists: something is in the log, or taken and uncommitted. */
  get exists(): boolean {
    return this.#log.exists || this.#uncommitted.length > 0
  }

  /** Whether the room holds anything, waiting updates included. */
  get holds(): boolean {
    return this.exists || this.#waiting.size > 0
  }

  /** Bytes taken and not yet committed. */
  get uncommittedBytes(): number {
    return this.#uncommittedBytes
  }

  /** Whether something taken is not yet committed. */
  get hasUncommitted(): boolean {
    return this.#uncommitted.length > 0
  }

  /** The updates that wait for others. */
  get waiting(): WaitingRoom {
    return this.#waiting
  }

  /** Stored size, bytes: snapshot and log. */
  get bytes(): number {
    return this.#log.state.snapshotBytes + this.#log.state.logBytes + this.#uncommittedBytes
  }

  /** Estimated memory of the hydrated document, bytes. */
  get weight(): number {
    return this.#log.state.snapshotWeight + this.#log.state.logWeight + this.#uncommittedWeight
  }

  /** How many client ids have written here. */
  get clients(): number {
    return this.#clocks.size
  }

  /** A Y.Doc is in memory. */
  get hydrated(): boolean {
    return this.#doc !== null
  }

  /** Whether a Y.Doc is in memory that nobody has needed for `dehydrateMs`. */
  get rests(): boolean {
    const isWatched = this.#watcher !== null
    return this.#doc !== null && !isWatched && Date.now() - this.#neededAt > this.#limits.dehydrateMs
  }

  /** The clock up to which a client's structs are known. */
  clockOf(client: number): number {
    return this.#clocks.get(client) ?? 0
  }

  /**
   * The state vector, encoded by Yjs; needs no Y.Doc.
   * @param lowered clients for which a lower clock is given, so that the receiver sends content from there on again
   */
  stateVector(lowered: ReadonlyMap<number, number> | null = null): Uint8Array {
    if (lowered === null || lowered.size === 0) return Y.encodeStateVector(this.#clocks)
    const clocks = new Map(this.#clocks)
    for (const [client, clock] of lowered) clocks.set(client, Math.min(clock, this.clockOf(client)))
    return Y.encodeStateVector(clocks)
  }

  /**
   * Judge an update and take what integrates; the part that refers to something missing waits (D9). Nothing has changed
   * when it throws.
   *
   * @throws SyncError bad-update | too-large | pending-full | document-full | deleted | forbidden
   */
  receive(update: Uint8Array, delivery: Delivery): Received {
    this.#checkSize(update, delivery)
    for (;;) {
      const setbacks = this.#setbacks
      const received = this.#tryReceive(update, delivery)
      // Judging hydrated the document, which turned out damaged: the clocks went back, so judge again (D7).
      if (setbacks === this.#setbacks && received !== null) return received
    }
  }

  /**
   * Change the document on the server. The change is one transaction, all or nothing. The caller commits before anyone
   * sees it, and calls `takeBack` where the commit fails.
   * @param options.foreign what was written came from outside: it is held to the limits of an update
   * @param options.client write under this client id, which is only ever written under here; null: the server's
   * @returns what `change` returned, and the update it made (null where it changed nothing)
   * @throws whatever `change` throws; SyncError bad-update | document-full for what is foreign. Then nothing was changed
   */
  edit<Result>(
    change: (doc: Y.Doc) => Result,
    origin: Origin,
    { foreign = false, client = null }: { foreign?: boolean; client?: number | null } = {},
  ): { result: Result; update: Uint8Array | null } {
    const doc = this.document()
    if (this.#server === null) this.#writeUnder(doc.clientID)
    let isChanged = false
    const note = () => {
      isChanged = true
    }
    doc.on("update", note)
    const own = doc.clientID
    if (client !== null) doc.clientID = client
    try {
      const { result, update } = capture(doc, () => doc.transact(() => change(doc)))
      if (update !== null) {
        if (foreign) this.#checkForeign(update, doc)
        this.#depth = null
        this.#readClocks(doc)
        this.#take({ update, origin }, { weight: update.length * this.#limits.editWeight, applied: true })
      }
      return { result, update }
    } catch (thrown) {
      // Yjs keeps what a transaction did before it threw. Drop this Y.Doc; the log has the state before.
      if (isChanged) this.dehydrate()
      throw thrown
    } finally {
      doc.off("update", note)
      doc.clientID = own
    }
  }

  /** @throws SyncError bad-update | document-full */
  #checkForeign(update: Uint8Array, doc: Y.Doc): void {
    const verdict = this.#vet(update, { bearer: { subject: null, peer: null } })
    this.#checkSpace(verdict)
    const depth = verdict.levels === undefined ? null : settleDepth(verdict.sections, doc, this.#limits)
    if (depth !== null) throw new SyncError("bad-update", depth)
  }

  /** Undo an uncommitted server-side edit: its commit failed, and nobody has seen it. */
  takeBack(update: Uint8Array): void {
    this.#uncommitted = this.#uncommitted.filter((entry) => entry.update !== update)
    this.#uncommittedBytes -= update.length
    this.#uncommittedWeight -= update.length * this.#limits.editWeight
    this.dehydrate()
    for (const [client, clock] of Y.parseUpdateMeta(update).from) {
      this.#clocks.set(client, clock)
      this.#moved.set(client, clock)
    }
  }

  /**
   * Look at the document.
   * @throws TypeError where `look` changed it: the change would be in no log and in nobody else's document
   */
  read<Result>(look: (doc: Y.Doc) => Result): Result {
    const { result, update } = capture(this.document(), () => look(this.document()))
    if (update === null) return result
    this.dehydrate()
    throw new TypeError("read() changed the document; use edit()")
  }

  /** The Y.Doc, hydrated from the log if it is not in memory. Do not keep it: it is dropped when nobody needs it. */
  document(): Y.Doc {
    this.#neededAt = Date.now()
    if (this.#doc !== null) {
      try {
        for (const update of groupsOf(this.#feed)) Y.applyUpdate(this.#doc, update)
        this.#feed = []
        return this.#doc
      } catch (cause) {
        // A vetted update did not apply. Hydrating anew finds the one to blame and sets it aside.
        this.#emit({ type: "unapplied", cause })
        this.dehydrate()
      }
    }
    const { doc, damaged, storedClocks } = hydrate(this.#log, this.#uncommitted)
    this.#doc = doc
    if (damaged) this.#setBack(doc, storedClocks)
    else doc.clientID = this.#server ?? doc.clientID
    this.#emit({ type: "hydrated" })
    return doc
  }

  /**
   * One update with everything that a document with this state vector lacks.
   * @throws SyncError bad-frame where the state vector cannot be read
   */
  diff(stateVector: Uint8Array): Uint8Array {
    try {
      return Y.encodeStateAsUpdate(this.document(), stateVector)
    } catch (cause) {
      throw new SyncError("bad-frame", `State vector of ${stateVector.length} bytes cannot be read`, {
        cause,
      })
    }
  }

  /** Nothing of an update is new here. @throws SyncError bad-update where it is none */
  contains(update: Uint8Array): boolean {
    const verdict = vet(update, this.#clocks, { limits: this.#limits })
    if (verdict.kind === "refuse") throw new SyncError("bad-update", verdict.reason)
    if (verdict.waiting !== null || verdict.sections.length > 0) return false
    return !verdict.deletes || Y.snapshotContainsUpdate(Y.snapshot(this.document()), update)
  }

  /** The whole document as consecutive updates, at least one; read from the log, without a Y.Doc. */
  whole(): Uint8Array[] {
    const { snapshot, updates, damaged } = this.#log.load()
    if (damaged) return [Y.encodeStateAsUpdate(this.#rebuild())]
    const rest = [...updates, ...this.#uncommitted].map(({ update }) => update)
    const all = snapshot === null ? [] : [snapshot]
    if (rest.length > 0) all.push(mergeUpdates(rest))
    return all.length > 0 ? all : [EMPTY_UPDATE]
  }

  /**
   * The whole document as one update, compacted, with what waits for something in it as Yjs keeps it: after a gap. What
   * waits for nothing but its author stays here, since whoever opens the update would take it for granted (R5).
   */
  encode(): Uint8Array {
    const update = Y.encodeStateAsUpdate(this.document())
    const behindGaps = this.#waiting.updates().filter((waiting) => {
      const verdict = vet(waiting, this.#clocks, { limits: { ...this.#limits, ...ARCHIVED } })
      return verdict.kind === "accept" && verdict.news === null
    })
    return behindGaps.length === 0 ? update : Y.mergeUpdates([update, ...behindGaps])
  }

  /**
   * Write the taken updates to the log as one commit. Frames sent afterwards leave once it is durable. Called by the
   * intake alone.
   * @returns the room's revision
   * @throws whatever the database throws; then nothing has changed
   */
  commit(): number {
    if (this.#uncommitted.length === 0) {
      // A waiting update whose content turned out to be known is dropped without a commit.
      if (this.#waiting.hasSettled) this.#log.transact(() => this.#waiting.write())
      this.#waiting.wrote()
      return this.#log.state.revision
    }
    const revision = this.#log.append(this.#uncommitted, {
      moved: Y.encodeStateVector(this.#moved),
      weight: this.#uncommittedWeight,
      alongside: () => {
        this.#claims.write()
        this.#waiting.write()
        this.#deleted.write()
        this.#alongside?.write()
      },
    })
    this.#claims.wrote()
    this.#alongside?.wrote()
    this.#waiting.wrote()
    this.#deleted.wrote()
    const written = this.#uncommitted
    this.#uncommitted = []
    this.#uncommittedBytes = 0
    this.#uncommittedWeight = 0
    this.#watcher?.(written)
    if (this.rests) this.dehydrate()
    return revision
  }

  /** Tell somebody of every commit from here on, within it; meanwhile the Y.Doc stays in memory. null: nobody any more. */
  watch(watcher: ((entries: readonly Entry[]) => void) | null): void {
    this.#watcher = watcher
  }

  /**
   * Whether the log has outgrown the snapshot. Compacting when the log reaches half of the snapshot bounds what is
   * written: each byte received is written once to the log, and a snapshot S is rewritten after S/2 of
   * log, so at most 1 + (S + S/2) / (S/2) = 4 bytes are written per byte received (rows and clocks counted with
   * their overhead; a document below the floor costs less than a row a second).
   */
  get outgrown(): boolean {
    const { snapshotBytes, logBytes } = this.#log.state
    return logBytes > Math.max(this.#limits.compactFloorBytes, snapshotBytes / 2)
  }

  /** Whether compacting an empty room is worth it: the next one to open it then reads one value. */
  get untidy(): boolean {
    const { snapshotBytes, logBytes } = this.#log.state
    return logBytes * 16 > snapshotBytes
  }

  /**
   * Fold the log into a new snapshot, which is first proven to load in a fresh Y.Doc to the same state (D4).
   * Does nothing where the log is empty, or where damage is not recovered yet (D7). The caller has committed what was taken.
   */
  compact(): void {
    if (this.#log.state.logRows === 0) return
    const { clientID } = this.document()
    if (this.#log.damaged || this.#log.state.logRows === 0) return
    const folded = fold(this.document())
    // One Y.Doc at a time: a large one and its proof would not fit the platform's memory together.
    this.dehydrate()
    const doc = prove(folded)
    doc.clientID = clientID
    this.#doc = doc
    this.#log.compact(folded.snapshot, { clocks: Y.encodeStateVector(doc), weight: weightOf(doc) })
    this.#moved.clear()
    this.#emit({ type: "compacted", bytes: folded.snapshot.length })
  }

  /**
   * Start from an archived document. Updates that are pending inside it wait here.
   * @param options.continues it is the very state that this room has dropped
   * @param options.alongside writes that belong to the same transaction
   * @throws SyncError bad-update where the bytes are no document: never start empty over one that exists
   */
  adopt(
    update: Uint8Array,
    {
      revision,
      origin,
      continues,
      alongside,
    }: { revision: number; origin: Origin; continues: boolean; alongside: () => void },
  ): void {
    const doc = createDocument()
    try {
      Y.applyUpdate(doc, update)
    } catch (cause) {
      throw new SyncError("bad-update", `The archived document of ${update.length} bytes does not load`, {
        cause,
      })
    }
    const pending = takePending(doc)
    const snapshot = pending === null ? update : Y.encodeStateAsUpdate(doc)
    const limits = { ...this.#limits, ...ARCHIVED }
    const rest =
      pending === null ? null : vet(pending, Y.decodeStateVector(Y.encodeStateVector(doc)), { limits })
    if (rest?.kind === "refuse") this.#emit({ type: "dropped", bytes: pending!.length, reason: rest.reason })
    this.#log.adopt(snapshot, {
      clocks: Y.encodeStateVector(doc),
      weight: weightOf(doc),
      revision,
      continues,
      alongside: () => {
        alongside()
        if (rest?.kind === "accept" && rest.waiting !== null)
          this.#waiting.keep(rest.waiting, { bearer: { subject: null, peer: null }, origin, bounded: false })
      },
    })
    this.#doc = doc
    this.#depth = null
    this.#neededAt = Date.now()
    this.#readClocks(doc)
    this.#moved.clear()
    this.#deleted.reread()
    // Archived content is alive, whatever was deleted under its client ids.
    this.#deleted.restore([...this.#clocks].map(([client, end]) => ({ client, end })))
    this.#log.transact(() => this.#deleted.write())
    this.#deleted.wrote()
  }

  /** Judge again what waits for this client: its owner has left, so content that others carried can be taken. */
  release(client: number): Released {
    return this.#release(this.#waiting.waitingFor(client))
  }

  /** Judge again what was put off, and what waited for that. */
  releaseReady(): Released {
    return this.#release(this.#waiting.ready((client) => this.clockOf(client)))
  }

  /** Look again at everything that waits. */
  releaseAll(): Released {
    return this.#release([...this.#waiting.ids])
  }

  /** Let the Y.Doc go. */
  dehydrate(): void {
    this.#doc?.destroy()
    this.#doc = null
    this.#feed = []
  }

  /**
   * Delete the document. The clocks of its content are kept, so that it is known when somebody brings it back (D8).
   * @param options.aside keep its bytes in quarantine, with this reason
   */
  erase(options: { aside?: string; dead?: Uint8Array } = {}): void {
    const dead = this.#deleted.with(this.#clocks, options.dead ?? new Uint8Array())
    this.dehydrate()
    this.#log.erase(dead, options)
    this.#deleted.reread()
    this.#server = null
    this.#erasures++
    this.#uncommitted = []
    this.#uncommittedBytes = 0
    this.#uncommittedWeight = 0
    this.#clocks.clear()
    this.#moved.clear()
    this.#waiting.clear()
    this.#depth = null
  }

  /** Counts how often the document was dropped: what was asked about the one before it says nothing of this one. */
  get erasures(): number {
    return this.#erasures
  }

  /** What was deleted under this document's id. */
  get deleted(): Deleted {
    return this.#deleted
  }

  /** Refuse what `receive` would refuse for its bytes alone. @throws SyncError bad-update | too-large */
  check(update: Uint8Array, delivery: Delivery): void {
    this.#checkSize(update, delivery)
    this.#vet(update, delivery)
  }

  #checkSize({ length }: Uint8Array, { archived = false }: Delivery): void {
    const { updateBytes } = this.#limits
    if (length > updateBytes && !archived)
      throw new SyncError("too-large", `Update of ${length} bytes; at most ${updateBytes}`)
  }

  /** @returns null where the document turned out to be damaged, so that the verdict no longer holds */
  #tryReceive(update: Uint8Array, delivery: Delivery): Received | null {
    const { bearer, origin, whole = false, roots } = delivery
    const setbacks = this.#setbacks
    const verdict = this.#vet(update, delivery)
    const { news, waiting } = verdict
    if (news === null && waiting === null) return NOTHING
    if (delivery.revives !== true) this.#deleted.checkAlive(verdict, (client) => this.clockOf(client))
    if (roots !== undefined && news !== null) {
      const document = this.document()
      if (setbacks !== this.#setbacks) return null
      checkRoots(news, { roots, document })
    }
    let taken: Uint8Array | null = null
    if (news !== null) {
      this.#checkSpace(verdict)
      const needsDocument =
        verdict.doubts !== undefined || !this.#hasDepthFor(verdict.levels ?? 0) || (whole && verdict.deletes)
      if (needsDocument) {
        this.document()
        if (setbacks !== this.#setbacks) return null
        taken = this.#judge(news, verdict)
      } else taken = news
      if (taken !== null)
        this.#takeSections({ update: taken, origin }, verdict, { bearer, applied: needsDocument })
      // After damage the document may have had it already, behind a gap.
      else for (const { client, end } of verdict.sections) this.#advance(client, end)
    }
    if (delivery.revives === true) this.#deleted.restore(verdict.sections)
    // From here on something was taken, so nothing may throw.
    const kept = waiting === null ? NOTHING : this.#keep(waiting, delivery)
    if (taken === null) return kept
    return { ...kept, taken, ...this.#release(this.#waiting.ready((client) => this.clockOf(client))) }
  }

  #keep(waiting: Waits, { bearer, origin, roots, archived = false }: Delivery): Received {
    try {
      const waits = this.#waiting.keep(waiting, { bearer, roots: roots ?? null, origin, bounded: !archived })
      return { ...NOTHING, waits }
    } catch (thrown) {
      return { ...NOTHING, overflow: asSyncError(thrown) }
    }
  }

  #vet(update: Uint8Array, { bearer, archived = false }: Pick<Delivery, "bearer" | "archived">): Accepted {
    const isNamed = bearer.subject !== null
    const verdict = vet(update, this.#clocks, {
      limits: archived ? { ...this.#limits, ...ARCHIVED } : this.#limits,
      ...(isNamed && { mayExtend: (client: number) => this.#claims.judge(client, bearer) !== "waits" }),
    })
    if (verdict.kind === "refuse") throw new SyncError("bad-update", verdict.reason)
    return verdict
  }

  /** @throws SyncError document-full; never for an update that only deletes (B2) */
  #checkSpace({ news, sections, weight }: Accepted): void {
    if (sections.length === 0) return
    const { documentBytes, documentWeight, clients } = this.#limits
    const fits =
      this.bytes + news!.length <= documentBytes &&
      this.weight + weight <= documentWeight &&
      (this.clients + this.#deleted.size < clients ||
        sections.every(({ client }) => this.#clocks.has(client)))
    if (fits) return
    const said =
      this.clients + this.#deleted.size >= clients
        ? `${this.clients + this.#deleted.size} client ids have written here; at most ${clients}`
        : this.weight + weight > documentWeight
          ? `The document takes about ${this.weight + weight} bytes of memory; at most ${documentWeight}`
          : `The document has ${this.bytes} bytes; at most ${documentBytes}`
    throw new SyncError("document-full", said)
  }

  /** Whether an update of this size may fit only after a compaction. */
  isNearlyFull(bytes: number): boolean {
    const { documentBytes, documentWeight, compactFloorBytes, editWeight } = this.#limits
    return (
      this.#log.state.logBytes > compactFloorBytes &&
      (this.bytes + bytes > documentBytes || this.weight + bytes * editWeight > documentWeight)
    )
  }

  /**
   * Apply the update to the Y.Doc and check what its bytes alone cannot tell.
   * @returns the update as the document emitted it; null where nothing of it is new
   */
  #judge(update: Uint8Array, { sections, doubts, levels }: Accepted): Uint8Array | null {
    const doc = this.document()
    const doubt = doubts === undefined ? null : settleDoubts(doubts, doc)
    if (doubt !== null) throw new SyncError("bad-update", doubt)
    try {
      const made = capture(doc, () => Y.applyUpdate(doc, update)).update
      if (levels !== undefined) {
        const depth = settleDepth(sections, doc, this.#limits)
        if (depth !== null) throw new SyncError("bad-update", depth)
        this.#depth = depthOf(doc, this.#limits)
      }
      return made === null || isEmpty(made) ? null : made
    } catch (cause) {
      // Yjs keeps what a transaction did before it threw. Drop this Y.Doc; the log has the state before.
      this.dehydrate()
      if (cause instanceof SyncError) throw cause
      throw new SyncError("bad-update", `Update of ${update.length} bytes does not apply`, { cause })
    }
  }

  /**
   * Whether types that nest this many levels are allowed wherever in the document they go. Only an upper bound is kept, so
   * that most new paragraphs and shapes need no Y.Doc; once the bound is used up, the document is measured.
   */
  #hasDepthFor(levels: number): boolean {
    if (levels === 0) return true
    if (this.#depth === null || this.#depth + levels > this.#limits.typeDepth) return false
    this.#depth += levels
    return true
  }

  #takeSections(
    entry: Entry,
    { sections, weight }: Accepted,
    { bearer, applied }: { bearer: Bearer; applied: boolean },
  ): void {
    for (const section of sections) {
      if (bearer.subject !== null) this.#claims.took(section, bearer)
      // Somebody else has continued under the server's client id: server-side edits get another one, so that the two stay apart.
      if (section.client === this.#server) this.#writeUnder(createDocument().clientID)
      this.#advance(section.client, section.end)
    }
    this.#take(entry, { weight, applied })
  }

  #take(entry: Entry, { weight, applied }: { weight: number; applied: boolean }): void {
    if (this.#doc !== null && !applied) this.#feed.push(entry.update)
    this.#uncommitted.push(entry)
    this.#uncommittedBytes += entry.update.length
    this.#uncommittedWeight += weight
  }

  /** Take these waiting updates, and those that wait for them. One that turns out to be unsafe is dropped. */
  #release(ready: readonly number[]): Released {
    const released: Uint8Array[] = []
    const dropped: Dropped[] = []
    for (let ids = ready; ids.length > 0; ids = this.#waiting.ready((client) => this.clockOf(client))) {
      for (const id of ids) {
        // Where this is what finds damage, the clocks go back before the verdict and not after it (D7).
        const document = this.document()
        const opened = this.#waiting.open(id)
        if (opened === null) {
          this.#waiting.settle(id, null)
          continue
        }
        const { update, origin, bearer, roots, peers } = opened
        try {
          const verdict = this.#vet(update, { bearer })
          if (verdict.news !== null) {
            if (roots !== null) checkRoots(verdict.news, { roots, document })
            this.#checkSpace(verdict)
          }
          const made = verdict.news === null ? null : this.#judge(verdict.news, verdict)
          if (made !== null) {
            this.#takeSections({ update: made, origin }, verdict, { bearer, applied: true })
            released.push(made)
          }
          this.#waiting.settle(id, verdict.waiting)
        } catch (thrown) {
          const error = asSyncError(thrown)
          // It waits on for space.
          if (error.code === "document-full") continue
          this.#emit({ type: "dropped", bytes: update.length, reason: error.message })
          this.#waiting.settle(id, null)
          dropped.push({ peers, error })
        }
      }
    }
    return { released, dropped }
  }

  #advance(client: number, clock: number): void {
    this.#clocks.set(client, clock)
    this.#moved.set(client, clock)
    this.#waiting.arrived(client)
  }

  #writeUnder(client: number): void {
    this.#server = client
    this.#log.note("server_client", client)
    if (this.#doc !== null) this.#doc.clientID = client
  }

  #readClocks(doc: Y.Doc): void {
    for (const [client, clock] of Y.decodeStateVector(Y.encodeStateVector(doc))) {
      if (clock !== this.clockOf(client)) this.#advance(client, clock)
    }
  }

  /** The stored clocks failed their checksum: the document itself says how far it has come. */
  #readClocksAnew(): void {
    const { doc, damaged, storedClocks } = hydrate(this.#log, this.#uncommitted)
    this.#doc = doc
    if (damaged) return this.#setBack(doc, storedClocks)
    this.#readClocks(doc)
    this.#log.setClocks(storedClocks)
    doc.clientID = this.#server ?? doc.clientID
    this.#emit({ type: "clocks-lost" })
  }

  #rebuild(): Y.Doc {
    this.dehydrate()
    const { doc, storedClocks } = hydrate(this.#log, this.#uncommitted)
    this.#doc = doc
    this.#setBack(doc, storedClocks)
    return doc
  }

  /**
   * After damage the clocks are those of what is left, also over a restart, and the revision is another, since it names
   * another state. The server stops writing under an id that went back.
   */
  #setBack(doc: Y.Doc, storedClocks: Uint8Array): void {
    this.#setbacks++
    this.#log.setClocks(storedClocks)
    this.#log.raise(this.#log.state.revision + 1)
    this.#clocks.clear()
    this.#moved.clear()
    this.#readClocks(doc)
    doc.clientID = createDocument().clientID
    this.#writeUnder(doc.clientID)
    this.#emit({ type: "quarantined", values: this.#log.quarantined })
  }
}

/** @throws SyncError forbidden where the update touches a root that is not among those allowed */
function checkRoots(
  update: Uint8Array,
  { roots, document }: { roots: readonly string[]; document: Y.Doc },
): void {
  for (const root of rootsOf(touchesOf(update), document)) {
    if (!roots.includes(root))
      throw new SyncError(
        "forbidden",
        `This connection may change ${roots.join(", ")}, not ${JSON.stringify(root)}`,
      )
  }
}

/** Take out of a document what waits inside it for something that has not arrived. @returns null where nothing does */
function takePending({ store }: Y.Doc): Uint8Array | null {
  const pending = [store.pendingStructs?.update, store.pendingDs].filter((one) => one instanceof Uint8Array)
  if (pending.length === 0) return null
  store.pendingStructs = null
  store.pendingDs = null
  return Y.convertUpdateFormatV2ToV1(Y.mergeUpdatesV2(pending))
}
