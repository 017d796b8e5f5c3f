/**
 * The document of a room: its log, the clocks it has reached, and a Y.Doc only while someone needs one.
 *
 * An update is judged against the clocks and goes to the log; nothing on that path needs a Y.Doc. One is
 * hydrated for a step 1 that has something, an export, a server-side edit, a compaction, and for the few
 * updates that only the document can judge; then it is fed in batches and let go when it rests.
 *
 *     receive → (vet) → uncommitted → commit → log → compact → snapshot
 */
import * as Y from "yjs"
import { asSyncError, SyncError } from "../errors.ts"
import type { Limits } from "../limits.ts"
import { groupsOf, mergeUpdates } from "../update/merge.ts"
import {
  absorb,
  depthOf,
  type Section,
  TYPE_DEPTH,
  trim,
  type Verdict,
  vet,
  vetDepth,
  vetDoubts,
} from "../update/vet.ts"
import type { UpdateLog } from "./log.ts"

/** A log smaller than this is not worth a compaction, bytes with row overhead. */
const COMPACT_FLOOR_BYTES = 128 * 1024

/** The empty update: no structs, no deletes. */
const EMPTY_UPDATE = new Uint8Array([0, 0])

/** What became of an update. */
export type Received =
  /** It is in: relay and commit. `released` had waited for it, and is in as well. */
  | { readonly kind: "taken"; readonly update: Uint8Array; readonly released: readonly Uint8Array[] }
  /** It is kept until what it refers to arrives: ask the sender for all it has. */
  | { readonly kind: "waiting" }
  /** All of it was here before. */
  | { readonly kind: "known" }

type Accepted = Extract<Verdict, { kind: "accept" }>

/** Decides whether new structs may be added under a client id; throws a SyncError where not. */
export type Claim = (client: number) => void

export class Replica {
  readonly #log: UpdateLog
  readonly #limits: Limits
  readonly #onDamage: () => void
  readonly #clocks: Map<number, number>
  /** Clients that moved since the snapshot: what a log row carries. */
  readonly #moved: Map<number, number>
  /** Updates that refer to something that has not arrived, and their ids in the log. */
  readonly #waiting: Map<number, Uint8Array>
  #uncommitted: Uint8Array[] = []
  #uncommittedBytes = 0
  /** Held updates that are uncommitted now: they leave the waiting room in the turn that commits them, not before. */
  #released: number[] = []
  #doc: Y.Doc | null = null
  /** Taken by the room, not yet by the hydrated document. */
  #feed: Uint8Array[] = []
  #neededAt = 0
  /** No shared type lies deeper than this; null until a document was looked at. */
  #depth: number | null = null

  /** @param onDamage something stored was quarantined: the clocks went back, others may hold what is missing */
  constructor(log: UpdateLog, { limits, onDamage }: { limits: Limits; onDamage: () => void }) {
    this.#log = log
    this.#limits = limits
    this.#onDamage = onDamage
    const { snapshotClocks, movedClocks } = log.state
    this.#moved = decodeClocks(movedClocks)
    this.#clocks = decodeClocks(snapshotClocks)
    for (const [client, clock] of this.#moved) this.#clocks.set(client, clock)
    this.#waiting = log.held()
  }

  /** A document exists: something is stored or about to be. */
  get exists(): boolean {
    return this.#log.exists || this.#uncommitted.length > 0
  }

  /** Bytes taken and not yet committed. */
  get uncommittedBytes(): number {
    return this.#uncommittedBytes
  }

  /** Something taken is not yet committed. */
  get hasUncommitted(): boolean {
    return this.#uncommitted.length > 0
  }

  /** Something is kept that waits for another update. */
  get isWaiting(): boolean {
    return this.#waiting.size > 0
  }

  /** Stored size, bytes: snapshot and log. */
  get bytes(): number {
    return this.#log.state.snapshotBytes + this.#log.state.logBytes + this.#uncommittedBytes
  }

  /** A Y.Doc is in memory. */
  get hydrated(): boolean {
    return this.#doc !== null
  }

  /** The state vector, encoded by Yjs; needs no document. */
  stateVector(): Uint8Array {
    return Y.encodeStateVector(this.#clocks)
  }

  /**
   * Judge an update and take it. Nothing has changed when it throws.
   *
   * @param options.whole the update is a step 2: it repeats the sender's whole delete set, so the document
   *   reduces it to what is new
   * @param options.claim asked once for each client id that would get new structs
   * @throws SyncError bad-update | pending-full | document-full, or what `claim` throws
   */
  receive(update: Uint8Array, { whole = false, claim }: { whole?: boolean; claim?: Claim } = {}): Received {
    if (update.length > this.#limits.updateBytes) {
      throw new SyncError(
        "too-large",
        `Update of ${update.length} bytes; at most ${this.#limits.updateBytes}`,
      )
    }
    const { news, verdict } = this.#vet(update)
    const fresh = verdict.sections.filter((section) => section.end > this.#clockOf(section.client))
    // A delete set is the last part of an update; an empty one is the byte 0.
    const deletes = news.at(-1) !== 0
    if (fresh.length === 0 && !deletes) return { kind: "known" }
    if (claim !== undefined) for (const { client } of fresh) claim(client)
    this.#makeRoom(news.length)
    if (verdict.kind === "pending") return this.#hold(news)
    const { doubts, levels = 0 } = verdict
    const needsDocument = doubts !== undefined || !this.#hasDepthFor(levels) || (whole && deletes)
    const judged = needsDocument ? this.#judge(news, verdict) : news
    if (judged === null) return { kind: "known" }
    this.#take(judged, { sections: fresh, applied: judged !== news })
    return { kind: "taken", update: judged, released: this.#waiting.size > 0 ? this.#release() : [] }
  }

  /**
   * Change the document on the server. The change is one transaction, all or nothing.
   * @returns what `change` returned, and the update it made (null where it changed nothing)
   */
  edit<Result>(change: (doc: Y.Doc) => Result): { result: Result; update: Uint8Array | null } {
    const doc = this.document()
    // One client id for all server-side edits: a new one at each hydration would grow the state vector. Safe
    // because the room commits such an edit before anyone sees it, so no clock is ever used twice.
    if (this.#log.noted("server_client") === null) this.#log.note("server_client", doc.clientID)
    try {
      const { result, update } = capture(doc, () => doc.transact(() => change(doc)))
      if (update !== null) {
        this.#depth = null
        this.#readClocks(doc)
        this.#take(update, { sections: [], applied: true })
      }
      return { result, update }
    } catch (thrown) {
      // Yjs keeps what a transaction did before it threw: forget this document, the log has the one before.
      this.dehydrate()
      throw thrown
    }
  }

  /**
   * The Y.Doc, hydrated from the log if it is not in memory. Lives until it rests; do not keep it.
   */
  document(): Y.Doc {
    this.#neededAt = Date.now()
    if (this.#doc !== null) {
      try {
        for (const update of groupsOf(this.#feed)) Y.applyUpdate(this.#doc, update)
        this.#feed = []
        return this.#doc
      } catch (cause) {
        console.error("A vetted update did not apply; the document is rebuilt from the log", cause)
        this.commit()
        this.dehydrate()
      }
    }
    const doc = this.#hydrate()
    this.#doc = doc
    return doc
  }

  /** What someone with this state vector lacks, as one update. */
  diff(stateVector: Uint8Array): Uint8Array {
    try {
      return Y.encodeStateAsUpdate(this.document(), stateVector)
    } catch (cause) {
      throw new SyncError("bad-frame", `State vector of ${stateVector.length} bytes cannot be read`, {
        cause,
      })
    }
  }

  /** The whole document as updates that follow one another, read from the log without a Y.Doc. At least one. */
  whole(): Uint8Array[] {
    const { snapshot, updates, damaged } = this.#log.load()
    if (damaged) this.#doc = this.#hydrate({ damaged })
    const rest = [...updates.map(({ update }) => update), ...this.#uncommitted]
    const all = snapshot === null ? [] : [snapshot]
    if (rest.length > 0) all.push(mergeUpdates(rest))
    return all.length > 0 ? all : [EMPTY_UPDATE]
  }

  /** The whole document as one update, compacted. */
  encode(): Uint8Array {
    return Y.encodeStateAsUpdate(this.document())
  }

  /**
   * Write what was taken to the log, as one commit. A frame sent after it leaves once it is durable.
   * @returns the room's revision
   */
  commit(): number {
    if (this.#uncommitted.length === 0) return this.#log.state.revision
    const revision = this.#log.append(this.#uncommitted, Y.encodeStateVector(this.#moved))
    for (const id of this.#released) this.#log.release(id)
    this.#released = []
    this.#uncommitted = []
    this.#uncommittedBytes = 0
    if (this.#doc !== null && Date.now() - this.#neededAt > this.#limits.dehydrateMs) {
      this.dehydrate()
    }
    return revision
  }

  /**
   * The log has outgrown the snapshot. Compacting when the log reaches half of the snapshot bounds what is
   * written: each byte received is written once to the log, and a snapshot S is rewritten after S/2 of
   * log, so at most 1 + (S + S/2) / (S/2) = 4 bytes are written per byte received (rows counted with
   * their overhead; a document below the floor costs less than a row a second).
   */
  get outgrown(): boolean {
    const { snapshotBytes, logBytes } = this.#log.state
    return logBytes > Math.max(COMPACT_FLOOR_BYTES, snapshotBytes / 2)
  }

  /** The log is worth folding in when nobody is here: the next one to open it reads one value. */
  get untidy(): boolean {
    const { snapshotBytes, logBytes } = this.#log.state
    return logBytes * 16 > snapshotBytes
  }

  /**
   * Fold the log into a new snapshot, which is first proven to load in a fresh Y.Doc to the same state (D4).
   * Does nothing where the log is empty.
   */
  compact(): void {
    this.commit()
    if (this.#log.state.logRows === 0) return
    const { clientID } = this.document()
    const folded = fold(this.document())
    // One Y.Doc at a time: a large one and its proof would not fit the platform's memory together.
    this.dehydrate()
    const doc = prove(folded)
    doc.clientID = clientID
    this.#doc = doc
    this.#log.compact(folded.snapshot, Y.encodeStateVector(doc))
    this.#moved.clear()
  }

  /**
   * Start from a document that lived elsewhere.
   * @throws SyncError bad-update where the bytes are no document: never start empty over one that exists
   */
  adopt(update: Uint8Array, revision: number): void {
    const doc = new Y.Doc()
    try {
      Y.applyUpdate(doc, update)
    } catch (cause) {
      throw new SyncError("bad-update", `The archived document of ${update.length} bytes does not load`, {
        cause,
      })
    }
    const snapshot = withoutPending(doc) ? Y.encodeStateAsUpdate(doc) : update
    this.#log.adopt(snapshot, { clocks: Y.encodeStateVector(doc), revision })
    if (snapshot !== update) this.#hold(update)
    this.#doc = doc
    this.#depth = null
    this.#neededAt = Date.now()
    this.#readClocks(doc)
    this.#moved.clear()
  }

  /** Let the Y.Doc go. */
  dehydrate(): void {
    this.#doc?.destroy()
    this.#doc = null
    this.#feed = []
  }

  /** Forget the document and drop what is stored of it. */
  erase(): void {
    this.dehydrate()
    this.#uncommitted = []
    this.#uncommittedBytes = 0
    this.#clocks.clear()
    this.#moved.clear()
    this.#waiting.clear()
    this.#released = []
    this.#log.erase()
  }

  /**
   * What is new of an update, and the verdict on that. Merging two updates that both claim a clock keeps one of them,
   * and not always the first, so what is known is cut off before anything is stored, merged or relayed.
   */
  #vet(update: Uint8Array): { news: Uint8Array; verdict: Exclude<Verdict, { kind: "refuse" | "overlap" }> } {
    const verdict = vet(update, this.#clocks)
    if (verdict.kind === "refuse") throw new SyncError("bad-update", verdict.reason)
    const { sections } = verdict
    const repeats = sections.some(({ client, clock }) => clock < this.#clockOf(client))
    if (verdict.kind !== "overlap" && !repeats) return { news: update, verdict }
    const news = trim(update, sections, this.#clocks)
    const again = vet(news, this.#clocks)
    if (again.kind === "refuse") throw new SyncError("bad-update", again.reason)
    if (again.kind === "overlap") throw new SyncError("bad-update", "An item straddles what is known")
    return { news, verdict: again }
  }

  /**
   * Let the document settle what the bytes alone cannot.
   * @returns what the document made of the update; null where nothing of it is new
   */
  #judge(update: Uint8Array, { sections, doubts, levels }: Accepted): Uint8Array | null {
    const doc = this.document()
    const doubt = doubts === undefined ? null : vetDoubts(doubts, doc)
    if (doubt !== null) throw new SyncError("bad-update", doubt)
    try {
      const made = absorb(update, doc)
      if (levels !== undefined) {
        const depth = vetDepth(sections, doc)
        if (depth !== null) throw new SyncError("bad-update", depth)
        this.#depth = depthOf(doc)
      }
      return isEmpty(made) ? null : made
    } catch (cause) {
      // Yjs keeps what a transaction did before it threw: forget this document, the log has the one before.
      this.dehydrate()
      if (cause instanceof SyncError) throw cause
      throw new SyncError("bad-update", `Update of ${update.length} bytes does not apply`, { cause })
    }
  }

  /**
   * Whether types that nest so many levels fit wherever in the document they go. Only a bound is kept, so that most new
   * paragraphs and shapes need no document; when it is used up, the document is looked at.
   */
  #hasDepthFor(levels: number): boolean {
    if (levels === 0) return true
    if (this.#depth === null || this.#depth + levels > TYPE_DEPTH) return false
    this.#depth += levels
    return true
  }

  #take(update: Uint8Array, { sections, applied }: { sections: readonly Section[]; applied: boolean }): void {
    for (const { client, end } of sections) this.#advance(client, end)
    if (this.#doc !== null && !applied) this.#feed.push(update)
    this.#uncommitted.push(update)
    this.#uncommittedBytes += update.length
  }

  /**
   * Keep an update until what it refers to arrives. It is stored as it came (D3), and neither relayed nor given to a
   * Y.Doc, which would integrate it later without asking the vet.
   */
  #hold(update: Uint8Array): Received {
    let bytes = update.length
    for (const held of this.#waiting.values()) {
      if (equalBytes(held, update)) return { kind: "waiting" }
      bytes += held.length
    }
    const { pendingBytes, pendingUpdates } = this.#limits
    if (bytes > pendingBytes || this.#waiting.size >= pendingUpdates) {
      throw new SyncError(
        "pending-full",
        `${this.#waiting.size} updates wait for others; with this one ${bytes} bytes, at most ${pendingBytes}`,
      )
    }
    this.#waiting.set(this.#log.hold(update), update)
    return { kind: "waiting" }
  }

  /** Take what no longer waits; what turns out to be unsafe is dropped. Until nothing moves any more. */
  #release(): Uint8Array[] {
    const released: Uint8Array[] = []
    for (let moved = true; moved; ) {
      moved = false
      for (const [id, held] of this.#waiting) {
        try {
          const { news, verdict } = this.#vet(held)
          if (verdict.kind === "pending") continue
          const made = this.#judge(news, verdict)
          if (made !== null) {
            this.#take(made, { sections: verdict.sections, applied: true })
            released.push(made)
          }
        } catch (thrown) {
          console.warn(
            `Dropped an update of ${held.length} bytes that had waited: ${asSyncError(thrown).message}`,
          )
        }
        moved = true
        this.#waiting.delete(id)
        this.#released.push(id)
      }
    }
    return released
  }

  /** @throws SyncError document-full, after a compaction did not help */
  #makeRoom(bytes: number): void {
    const { documentBytes } = this.#limits
    if (this.bytes + bytes <= documentBytes) return
    this.compact()
    if (this.bytes + bytes > documentBytes) {
      throw new SyncError("document-full", `The document has ${this.bytes} bytes; at most ${documentBytes}`)
    }
  }

  #clockOf(client: number): number {
    return this.#clocks.get(client) ?? 0
  }

  #advance(client: number, clock: number): void {
    this.#clocks.set(client, clock)
    this.#moved.set(client, clock)
  }

  #readClocks(doc: Y.Doc): void {
    for (const [client, clock] of Y.decodeStateVector(Y.encodeStateVector(doc))) {
      if (clock !== this.#clockOf(client)) this.#advance(client, clock)
    }
  }

  /** A Y.Doc of all that is stored and taken. What does not apply is quarantined (D6). */
  #hydrate({ damaged = false } = {}): Y.Doc {
    for (;;) {
      const loaded = this.#log.load()
      damaged ||= loaded.damaged
      const doc = this.#build(loaded)
      if (doc === null) {
        damaged = true
        continue
      }
      doc.clientID = this.#log.noted<number>("server_client") ?? doc.clientID
      if (damaged) {
        this.#resetClocks(doc)
        this.#onDamage()
      }
      return doc
    }
  }

  /** Null where a value did not apply; it is in quarantine then. */
  #build({ snapshot, updates }: ReturnType<UpdateLog["load"]>): Y.Doc | null {
    const all = [...updates.map(({ update }) => update), ...this.#uncommitted]
    try {
      const doc = new Y.Doc()
      if (snapshot !== null) Y.applyUpdate(doc, snapshot)
      for (const update of groupsOf(all)) Y.applyUpdate(doc, update)
      return doc
    } catch (cause) {
      console.error("The stored document does not load as it is; looking for what does not apply", cause)
    }
    // One by one, since a group hides its culprit. A Y.Doc is no good after a throw, so one is enough for now.
    this.commit()
    const doc = new Y.Doc()
    try {
      if (snapshot !== null) Y.applyUpdate(doc, snapshot)
    } catch (thrown) {
      this.#log.quarantineSnapshot(String(thrown))
      return null
    }
    for (const { revision, update } of this.#log.load().updates) {
      try {
        Y.applyUpdate(doc, update)
      } catch (thrown) {
        this.#log.quarantine(revision, String(thrown))
        return null
      }
    }
    return doc
  }

  /** After damage: the clocks are those of what is left, and the server stops writing under an id that went back. */
  #resetClocks(doc: Y.Doc): void {
    this.#clocks.clear()
    this.#moved.clear()
    this.#readClocks(doc)
    doc.clientID = new Y.Doc().clientID
    this.#log.note("server_client", doc.clientID)
  }
}

/** Run a change and catch the update it makes. */
function capture<Result>(doc: Y.Doc, change: () => Result): { result: Result; update: Uint8Array | null } {
  const updates: Uint8Array[] = []
  const keep = (update: Uint8Array) => updates.push(update)
  doc.on("update", keep)
  try {
    const result = change()
    return { result, update: updates.length === 0 ? null : mergeUpdates(updates) }
  } finally {
    doc.off("update", keep)
  }
}

/** A document as bytes, and the clocks and deletes by which to know it again. */
interface Folded {
  readonly snapshot: Uint8Array
  readonly state: Y.Snapshot
}

function fold(doc: Y.Doc): Folded {
  return { snapshot: Y.encodeStateAsUpdate(doc), state: Y.snapshot(doc) }
}

/** The snapshot loads in a fresh Y.Doc to the same structs and deletes. @returns that document */
function prove({ snapshot, state }: Folded): Y.Doc {
  const doc = new Y.Doc()
  Y.applyUpdate(doc, snapshot)
  if (!Y.equalSnapshots(Y.snapshot(doc), state))
    throw new SyncError("internal", `Snapshot of ${snapshot.length} bytes does not load to its document`)
  return doc
}

/** Take out of a document what waits inside it for something that has not arrived. @returns whether there was anything */
function withoutPending({ store }: Y.Doc): boolean {
  if (store.pendingStructs === null && store.pendingDs === null) return false
  store.pendingStructs = null
  store.pendingDs = null
  return true
}

function isEmpty(update: Uint8Array): boolean {
  return update.length === 2 && update[0] === 0 && update[1] === 0
}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}

function decodeClocks(stateVector: Uint8Array): Map<number, number> {
  return stateVector.length === 0 ? new Map() : Y.decodeStateVector(stateVector)
}
