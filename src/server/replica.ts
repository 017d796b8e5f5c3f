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
import { SyncError } from "../errors.ts"
import type { Limits } from "./limits.ts"
import { groupsOf, mergeInGroups } from "./merge.ts"
import type { UpdateLog } from "./update-log.ts"
import { type Section, vet, vetOverlap } from "./vet.ts"

/** A log smaller than this is not worth a compaction, bytes with row overhead. */
const COMPACT_FLOOR_BYTES = 128 * 1024

/** The empty update: no structs, no deletes. */
const EMPTY_UPDATE = new Uint8Array([0, 0])

/** What became of an update. */
export type Received =
  /** It is in; relay and commit `update` (what came, or what of it is new). */
  | { readonly kind: "taken"; readonly update: Uint8Array }
  /** It is in, but waits for another one: ask the sender for all it has. */
  | { readonly kind: "waiting"; readonly update: Uint8Array }
  /** All of it was here before. */
  | { readonly kind: "known" }

/** Decides whether new structs may be added under a client id; throws a SyncError where not. */
export type Claim = (client: number) => void

export class Replica {
  readonly #log: UpdateLog
  readonly #limits: Limits
  readonly #onDamage: () => void
  readonly #clocks: Map<number, number>
  /** Clients that moved since the snapshot: what a log row carries. */
  readonly #moved: Map<number, number>
  #waiting: boolean
  #uncommitted: Uint8Array[] = []
  #uncommittedBytes = 0
  #doc: Y.Doc | null = null
  /** Taken by the room, not yet by the hydrated document. */
  #feed: Uint8Array[] = []
  #neededAt = 0

  /** @param onDamage something stored was quarantined: the clocks went back, others may hold what is missing */
  constructor(log: UpdateLog, { limits, onDamage }: { limits: Limits; onDamage: () => void }) {
    this.#log = log
    this.#limits = limits
    this.#onDamage = onDamage
    const { snapshotClocks, movedClocks, waiting } = log.state
    this.#moved = decodeClocks(movedClocks)
    this.#clocks = decodeClocks(snapshotClocks)
    for (const [client, clock] of this.#moved) this.#clocks.set(client, clock)
    this.#waiting = waiting
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
      throw new SyncError("too-large", `Update of ${update.length} bytes; at most ${this.#limits.updateBytes}`)
    }
    const verdict = vet(update, this.#clocks)
    if (verdict.kind === "refuse") throw new SyncError("bad-update", verdict.reason)
    const fresh = verdict.sections.filter((section) => section.end > this.#clockOf(section.client))
    // A delete set is the last part of an update; an empty one is the byte 0.
    const deletes = update[update.length - 1] !== 0
    if (fresh.length === 0 && !deletes) return { kind: "known" }
    if (claim !== undefined) for (const { client } of fresh) claim(client)
    this.#makeRoom(update.length)
    if (verdict.kind === "accept" && !this.#waiting && !(whole && deletes)) {
      for (const { client, end } of fresh) this.#advance(client, end)
      if (this.#doc !== null) this.#feed.push(update)
      return this.#take("taken", update)
    }
    return this.#judgeWithDocument(update, verdict)
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
        this.#readClocks(doc)
        this.#take("taken", update)
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
      throw new SyncError("bad-frame", `State vector of ${stateVector.length} bytes cannot be read`, { cause })
    }
  }

  /** The whole document as updates that follow one another, read from the log without a Y.Doc. At least one. */
  whole(): Uint8Array[] {
    const { snapshot, updates, damaged } = this.#log.load()
    if (damaged) this.#doc = this.#hydrate({ damaged })
    const rest = [...updates.map(({ update }) => update), ...this.#uncommitted]
    const all = snapshot === null ? [] : [snapshot]
    if (rest.length > 0) all.push(mergeInGroups(rest))
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
    const moved = Y.encodeStateVector(this.#moved)
    const revision = this.#log.append(this.#uncommitted, { moved, waiting: this.#waiting })
    this.#uncommitted = []
    this.#uncommittedBytes = 0
    if (this.#doc !== null && !this.#waiting && Date.now() - this.#neededAt > this.#limits.dehydrateMs) {
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
    const doc = this.document()
    const snapshot = Y.encodeStateAsUpdate(doc)
    prove(snapshot, doc)
    this.#log.compact(snapshot, { clocks: Y.encodeStateVector(doc), waiting: this.#waiting })
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
      throw new SyncError("bad-update", `The archived document of ${update.length} bytes does not load`, { cause })
    }
    const waiting = pendingBytesOf(doc) > 0
    this.#log.adopt(update, { clocks: Y.encodeStateVector(doc), revision, waiting })
    this.#doc = doc
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
    this.#waiting = false
    this.#log.erase()
  }

  /** The slow path: let the document apply it now, and read from the document where that led. */
  #judgeWithDocument(
    update: Uint8Array,
    verdict: { readonly kind: "accept" | "pending" | "overlap"; readonly sections: readonly Section[] },
  ): Received {
    const doc = this.document()
    if (verdict.kind === "overlap") {
      const reason = vetOverlap(verdict.sections, doc)
      if (reason !== null) throw new SyncError("bad-update", reason)
    }
    const pendingBytes = pendingBytesOf(doc)
    if (verdict.kind === "pending" && pendingBytes + update.length > this.#limits.pendingBytes) {
      throw new SyncError(
        "pending-full",
        `${pendingBytes} bytes wait for updates that have not arrived; at most ${this.#limits.pendingBytes}`,
      )
    }
    let news: Uint8Array | null
    try {
      news = capture(doc, () => Y.applyUpdate(doc, update)).update
    } catch (cause) {
      this.dehydrate()
      throw new SyncError("bad-update", `Update of ${update.length} bytes does not apply`, { cause })
    }
    const grew = pendingBytesOf(doc) > pendingBytes
    this.#readClocks(doc)
    if (news === null && !grew) return { kind: "known" }
    // What waits is not in `news`: the log keeps the bytes as they came (D3).
    if (news === null || grew || verdict.kind === "pending") {
      return this.#take(this.#waiting ? "waiting" : "taken", update)
    }
    return this.#take("taken", news)
  }

  #take(kind: "taken" | "waiting", update: Uint8Array): Received {
    this.#uncommitted.push(update)
    this.#uncommittedBytes += update.length
    return { kind, update }
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
    this.#waiting = pendingBytesOf(doc) > 0
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
    return { result, update: updates.length === 0 ? null : mergeInGroups(updates) }
  } finally {
    doc.off("update", keep)
  }
}

/** The snapshot loads in a fresh Y.Doc to the same structs, deletes and waiting updates. */
function prove(snapshot: Uint8Array, doc: Y.Doc): void {
  const fresh = new Y.Doc()
  Y.applyUpdate(fresh, snapshot)
  const same =
    Y.equalSnapshots(Y.snapshot(fresh), Y.snapshot(doc)) && pendingBytesOf(fresh) > 0 === pendingBytesOf(doc) > 0
  fresh.destroy()
  if (!same) throw new SyncError("internal", `Snapshot of ${snapshot.length} bytes does not load to its document`)
}

function pendingBytesOf(doc: Y.Doc): number {
  const { pendingStructs, pendingDs } = doc.store
  return (pendingStructs?.update.length ?? 0) + (pendingDs?.length ?? 0)
}

function decodeClocks(stateVector: Uint8Array): Map<number, number> {
  return stateVector.length === 0 ? new Map() : Y.decodeStateVector(stateVector)
}
