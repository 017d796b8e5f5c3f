/**
 * The archivist: between the room and the archive. Starts from it, flushes to it, merges what it holds that this room
 * has not seen, recovers from it after damage, and sees a deletion through.
 *
 * The archive's copy is replaced only by a state that contains it (A10): a store names what it expects to replace, and
 * whatever else is there is merged first. What cannot be merged is kept there, never overwritten, and told in `status`.
 */
import * as Y from "yjs"
import { limited } from "../archive/abortable.ts"
import type { Archive, ArchivedDocument, ArchivePage, IndexPage, Version } from "../archive/archive.ts"
import { isSameVersion } from "../archive/swap.ts"
import { asSyncError, SyncError } from "../errors.ts"
import { exportBudget } from "../export/budget.ts"
import { jsonWithin } from "../export/json.ts"
import { textWithin } from "../export/text.ts"
import type { Origin } from "../history/origin.ts"
import type { Limits } from "../limits.ts"
import type { Authors } from "./authors.ts"
import { decodeClocks } from "./clocks.ts"
import type { Emit } from "./events.ts"
import type { Intake } from "./intake.ts"
import type { Log } from "./log.ts"
import type { Mover } from "./mover.ts"
import { Outbox } from "./outbox.ts"
import type { Replica } from "./replica.ts"
import { readSidecar, writeSidecar } from "./sidecar.ts"

/** What the archivist calls in the room. */
export interface Keeper {
  /** Ask every writer for all they have: something stored was damaged. */
  askEveryone(): void
  /** Tell the peers that the document was deleted, by another room. */
  buried(): void
  /** Drop what was derived from the document: its content has changed. */
  changed(): void
}

const DONE = Promise.resolve()

/** The way in for what the archive holds. */
type Taking = Pick<Intake<never>, "take" | "commitOrThrow">

/** Between a room and its archive. */
export class Archivist {
  readonly outbox: Outbox
  readonly #name: string
  readonly #archive: Archive | null
  readonly #log: Log
  readonly #replica: Replica
  readonly #authors: Authors
  readonly #intake: Taking
  readonly #limits: Limits
  readonly #emit: Emit
  readonly #keeper: Keeper
  readonly #mover: Pick<Mover, "look">
  /** The call that writes to the archive, one at a time. */
  #flight: Promise<void> | null = null
  /** Of every room that has kept some of its past there (D8). */
  readonly #removePast = () =>
    this.#call((archive, signal) => archive.segments?.remove(this.#name, "", signal) ?? DONE)
  /** The archive was last seen to hold the mark of a deletion. */
  #sawDeletion = false

  constructor(
    name: string,
    parts: {
      archive: Archive | null
      log: Log
      replica: Replica
      authors: Authors
      intake: Taking
      limits: Limits
      emit: Emit
      keeper: Keeper
      mover: Pick<Mover, "look">
    },
  ) {
    this.#name = name
    // Every call has a time limit of the room's own, whatever the adapter does with its signal (A5).
    this.#archive = parts.archive === null ? null : limited(parts.archive, parts.limits.archiveTimeoutMs)
    this.#log = parts.log
    this.#replica = parts.replica
    this.#authors = parts.authors
    this.#intake = parts.intake
    this.#limits = parts.limits
    this.#emit = parts.emit
    this.#keeper = parts.keeper
    this.#mover = parts.mover
    this.outbox = new Outbox(parts.log, { limits: parts.limits, archive: parts.archive?.name ?? null })
  }

  /** The archive can give documents back, so a room may start from it and drop its own copy. */
  get gives(): boolean {
    return this.#archive !== null && this.#archive.keeps !== "readable"
  }

  /** Whether the document that is not here was deleted, as far as this room and the archive know. */
  get knowsDeletion(): boolean {
    return this.#sawDeletion || this.outbox.ledger.deleting || this.#replica.deleted.size > 0
  }

  /**
   * Look the document up in the archive: the room holds nothing.
   * @throws SyncError archive-unavailable: never start empty over a document that exists
   */
  async open(): Promise<void> {
    // A deletion here has not reached the archive yet: its copy is not to be loaded.
    if (!this.gives || this.outbox.ledger.deleting) return
    const found = await this.#load()
    const takeOver = await this.#mover.look(found.kind === "found" ? found.document : null)
    // An update was taken while the archive was asked.
    if (this.#replica.exists) return
    this.#sawDeletion = found.kind === "deleted"
    switch (found.kind) {
      case "absent":
        // What begins here now does not follow from what was dropped.
        this.#log.past.interrupt()
        break
      case "deleted":
        this.#log.forgetPast()
        this.#bury(found.sidecar)
        this.outbox.confirmed(found.version, null)
        // After the first write, which makes the tables: before it a revision is kept nowhere.
        this.#log.raise(found.version.revision)
        break
      case "found":
        this.#adopt(found.document, takeOver)
        break
      default:
        throw new TypeError(`unknown lookup ${JSON.stringify(found satisfies never)}`)
    }
    // Where everything stored had been damaged, loading the archive's copy is the recovery.
    this.#log.repaired()
  }

  /** Store in the archive what it lacks. One call at a time; a failure is noted and retried, never thrown. */
  flush(): Promise<void> {
    this.#flight ??= this.#tryFlush().finally(() => {
      this.#flight = null
    })
    return this.#flight
  }

  /**
   * Ask whether the archive still holds what it confirmed, before the only other copy is dropped: it may have been
   * restored or emptied since. Where it does not, it is to get the document again.
   * @throws SyncError archive-unavailable
   */
  async verify(): Promise<boolean> {
    const found = await this.#load()
    const { held } = this.outbox.ledger
    if (found.kind === "found" && held !== null && isSameVersion(found.document, held)) return true
    this.outbox.note({ archivedRevision: null, dueAtMs: Date.now() })
    return false
  }

  /**
   * Something stored was damaged and is in quarantine. Everyone connected is asked for all they have, and the archive
   * for its copy; merging either twice changes nothing. Until that is done nothing is flushed or compacted (D7).
   * @throws SyncError archive-unavailable
   */
  async recover(): Promise<void> {
    const { quarantined } = this.#log
    this.#keeper.askEveryone()
    // What the archive still holds of a document that was deleted here is as good as gone.
    if (this.gives && !this.outbox.ledger.deleting) {
      const found = await this.#load()
      // It was deleted meanwhile, or somebody else who asked was faster.
      if (!this.#log.damaged) return
      if (found.kind === "found") this.#merge(found.document)
    }
    // More was found damaged while the archive was asked.
    if (this.#log.quarantined !== quarantined) return this.recover()
    this.#log.repaired()
    this.#emit({ type: "recovered" })
    this.outbox.touch()
  }

  /**
   * Delete the document in the archive, after it was deleted here. What another room has stored there meanwhile is deleted
   * as well.
   * @throws SyncError archive-unavailable; it is tried again until the archive knows
   */
  async remove(): Promise<void> {
    this.outbox.note({ deleting: true, dueAtMs: Date.now() })
    // A store that is under way is not awaited: it may hang, and if it arrives later it cannot replace the mark.
    await this.#tryRemove()
    if (this.outbox.ledger.deleting)
      throw new SyncError(
        "archive-unavailable",
        "The document is deleted here, and its archived copy will be as soon as the archive answers.",
      )
  }

  /**
   * A page of the archive's index.
   * @throws SyncError archive-unavailable, not-found where there is no archive
   */
  list(page: IndexPage): Promise<ArchivePage> {
    return this.#call((archive, signal) => archive.list(page, signal))
  }

  #tryFlush(): Promise<void> {
    // A document that began anew after a deletion is stored once the archive knows of the deletion.
    if (this.outbox.ledger.deleting) return this.#tryRemove()
    return this.#attempt(() => this.#storeOnce())
  }

  #tryRemove(): Promise<void> {
    return this.#attempt(() => this.#removeOnce())
  }

  async #attempt(call: () => Promise<void>): Promise<void> {
    try {
      await call()
    } catch (thrown) {
      const error = asSyncError(thrown)
      const nextInMs = this.outbox.failed(error.message)
      const { archivedRevision, attempts } = this.outbox.ledger
      const lag = this.#log.state.revision - (archivedRevision ?? 0)
      this.#emit({
        type: "archive-failed",
        attempts,
        lag,
        nextInMs,
        message: error.message,
        cause: error.cause,
      })
    }
  }

  async #storeOnce(): Promise<void> {
    if (!this.#log.exists) return
    const revision = this.#intake.commitOrThrow()
    if (this.#log.damaged) throw damaged()
    const update = this.#replica.encode()
    // Encoding may have found damage (D7).
    if (this.#log.damaged) throw damaged()
    const doc = this.#replica.document()
    const version = { writer: this.#log.writer, revision }
    const write = {
      ...version,
      update,
      sidecar: this.#sidecar(),
      updatedAtMs: Date.now(),
      json: () => jsonWithin(doc, exportBudget(update.length, this.#limits)),
      text: () => textWithin(doc, exportBudget(update.length, this.#limits)),
    }
    const { held } = this.outbox.ledger
    const { erasures } = this.#replica
    const outcome = await this.#call((archive, signal) => archive.store(this.#name, write, held, signal))
    // Deleted while the archive wrote: the deletion has its own answer.
    if (erasures !== this.#replica.erasures) return
    if (outcome === "conflict") return this.#resolve()
    this.outbox.confirmed(version, revision)
    this.#emit({ type: "archived", revision })
  }

  /** Merge the archive's copy, which this room has not seen, so that the next store goes above it. */
  async #resolve(): Promise<void> {
    const { erasures } = this.#replica
    const found = await this.#load()
    if (erasures !== this.#replica.erasures) return
    switch (found.kind) {
      case "absent":
        // The copy was removed between two calls.
        return this.outbox.note({ held: null, dueAtMs: Date.now() })
      case "deleted":
        return this.#meetDeletion(found.version, found.sidecar)
      case "found":
        if (this.#isDeletedIn(found.document)) return this.#startOver(found.document)
        this.#merge(found.document)
        this.outbox.note({ held: versionOf(found.document), dueAtMs: Date.now() })
        return
      default:
        throw new TypeError(`unknown lookup ${JSON.stringify(found satisfies never)}`)
    }
  }

  /**
   * Another room of this document deleted it. Where this room's content was part of what was deleted, it is deleted here
   * as well (D8), and its bytes are kept aside, since somebody may have written on. A document that began anew goes on.
   */
  #meetDeletion(version: Version, sidecar: Uint8Array | null): void {
    const { dead } = readSidecar(sidecar)
    const isDead = [...decodeClocks(dead)].some(
      ([client, clock]) => clock > 0 && this.#replica.clockOf(client) > 0,
    )
    if (!isDead) {
      this.#bury(sidecar)
      return this.outbox.note({ held: version, dueAtMs: Date.now() })
    }
    this.#keeper.buried()
    this.#replica.erase({ dead, aside: "deleted in the archive by another room" })
    this.#authors.reread()
    this.#log.raise(version.revision)
    this.outbox.confirmed(version, null)
    this.#emit({ type: "deleted", revision: this.#log.state.revision })
  }

  /** Whether what is here was deleted by another room, which has begun anew since and has nothing of it any more. */
  #isDeletedIn({ update, sidecar }: ArchivedDocument): boolean {
    const dead = decodeClocks(readSidecar(sidecar).dead)
    if (dead.size === 0) return false
    const alive = Y.decodeStateVector(Y.encodeStateVectorFromUpdate(update))
    return [...dead].some(
      ([client, clock]) => clock > 0 && !alive.has(client) && this.#replica.clockOf(client) > 0,
    )
  }

  /** What is here is deleted as in `#meetDeletion`, and the room goes on with the document that has begun since (D8). */
  #startOver(document: ArchivedDocument): void {
    const { dead } = readSidecar(document.sidecar)
    this.#keeper.buried()
    this.#replica.erase({ dead, aside: "deleted in the archive by another room" })
    this.#emit({ type: "deleted", revision: this.#log.state.revision })
    this.#adopt(document)
    this.#keeper.changed()
  }

  async #removeOnce(): Promise<void> {
    for (let attempt = 1; attempt <= this.#limits.removeAttempts; attempt++) {
      const version = { writer: this.#log.writer, revision: this.#log.state.revision }
      const mark = { ...version, sidecar: this.#sidecar() }
      const { held } = this.outbox.ledger
      const outcome = await this.#call((archive, signal) => archive.remove(this.#name, mark, held, signal))
      // A document that began anew meanwhile is stored next.
      if (outcome === "stored") {
        await this.#removePast()
        return this.outbox.confirmed(version, null)
      }
      const found = this.gives ? await this.#load() : ({ kind: "absent" } as const)
      if (found.kind === "absent") this.outbox.note({ held: null })
      else if (found.kind === "deleted") {
        this.#bury(found.sidecar)
        // The mark may be our own, from an attempt that came no further.
        await this.#removePast()
        return this.outbox.confirmed(found.version, null)
      } else {
        // Another room has written on: that content is deleted with the document.
        this.#replica.deleted.bury(stateVectorOf(found.document.update))
        this.#bury(found.document.sidecar)
        this.#log.raise(found.document.revision + 1)
        this.outbox.note({ held: versionOf(found.document) })
      }
    }
    throw new SyncError("archive-unavailable", "The archived document changes faster than it can be deleted")
  }

  /** @throws SyncError where the archived copy cannot be merged; then nothing has changed */
  #merge(document: ArchivedDocument): void {
    const origin: Origin = { at: Date.now(), subject: null, via: "archive" }
    const bearer = { subject: null, peer: null }
    try {
      // What the archive holds another room has taken: a letter that was deleted here was brought back there on purpose.
      const how = { bearer, origin, whole: true, archived: true, revives: true }
      this.#intake.take(document.update, how, null)
    } catch (thrown) {
      const { message } = asSyncError(thrown)
      throw new SyncError(
        "archive-unavailable",
        `The archive holds revision ${document.revision} of another room, which cannot be merged: ${message}`,
        { cause: thrown },
      )
    }
    // First, since whose content is whose is read anew after the sidecar.
    this.#intake.commitOrThrow()
    this.#takeSidecar(document.sidecar)
    this.#log.raise(document.revision + 1)
    this.#keeper.changed()
    this.#emit({ type: "merged", revision: document.revision })
  }

  /** @param alongside what belongs to the same transaction */
  #adopt(document: ArchivedDocument, alongside = () => {}): void {
    const origin: Origin = { at: Date.now(), subject: null, via: "archive" }
    const { writer, revision } = document
    this.#replica.adopt(document.update, {
      revision,
      origin,
      continues:
        writer !== null && writer === this.#log.noted("writer") && revision === this.#log.state.revision,
      alongside: () => {
        this.#writeSidecar(document.sidecar)
        alongside()
      },
    })
    this.#authors.reread()
    this.outbox.confirmed(versionOf(document), document.revision)
  }

  #takeSidecar(bytes: Uint8Array | null): void {
    this.#log.transact(() => this.#writeSidecar(bytes))
    this.#authors.reread()
  }

  #writeSidecar(bytes: Uint8Array | null): void {
    const { dead, owners, carried } = readSidecar(bytes)
    if (dead.length > 0) this.#replica.deleted.bury(dead)
    for (const { client, subject } of owners)
      if (this.#log.ownerOf(client) === null) this.#log.own(client, subject)
    const before = new Map(this.#log.carried().map((one) => [`${one.client} ${one.owner}`, one.clock]))
    for (const { client, owner, clock } of carried) {
      const known = before.get(`${client} ${owner}`) ?? clock
      this.#log.setCarried(client, { owner, clock: Math.min(clock, known) })
    }
  }

  #bury(sidecar: Uint8Array | null): void {
    const { dead } = readSidecar(sidecar)
    if (dead.length > 0) this.#replica.deleted.bury(dead)
  }

  #sidecar(): Uint8Array | null {
    return writeSidecar({
      dead: this.#replica.deleted.clocks,
      owners: this.#log.owners(),
      carried: this.#log.carried(),
    })
  }

  #load() {
    return this.#call((archive, signal) => archive.load(this.#name, signal))
  }

  #call<Answer>(call: (archive: Archive, signal: AbortSignal) => Promise<Answer>): Promise<Answer> {
    if (this.#archive === null) throw new SyncError("not-found", "This server has no archive")
    return call(this.#archive, new AbortController().signal)
  }
}

/** Of an archived copy that is to be deleted; none where it cannot be read, since nothing in it can be known again. */
function stateVectorOf(update: Uint8Array): Uint8Array {
  try {
    return Y.encodeStateVectorFromUpdate(update)
  } catch {
    return new Uint8Array()
  }
}

function versionOf({ writer, revision }: Version): Version {
  return { writer, revision }
}

function damaged(): SyncError {
  return new SyncError(
    "unavailable",
    "Something stored is damaged and not recovered yet; until then nothing is archived",
  )
}
