/**
 * The timeline of a document: its states by revision, from what was handed over and what the log still holds, as if it
 * were one list of commits.
 *
 * A state is rebuilt in a throw-away document, which the present never sees.
 */
import * as Y from "yjs"
import { SyncError } from "../errors.ts"
import type { Limits } from "../limits.ts"
import { mergeUpdates } from "../update/merge.ts"
import { createDocument, weightOf } from "../update/settle.ts"
import { type Commit, type Frame, type LoggedCommit, readCommit, type Segments } from "./segments.ts"

import { Pace, type Steps } from "./steps.ts"

/** What the room itself holds: the newest part of the timeline. */
export interface Present {
  /** The newest revision, and when it was committed, ms since 1970. */
  readonly state: { readonly revision: number; readonly at: number; readonly snapshotWeight: number }
  /** The snapshot. */
  readonly base: Frame
  /** The commits after it, of those after one revision and up to another. @throws SyncError gone */
  commits(after: number, upTo: number, options?: { overDamage: boolean }): LoggedCommit[]
}

/** A commit as far as its place in time goes. */
export interface Place {
  readonly revision: number
  /** ms since 1970. */
  readonly at: number
}

/** Updates that a document swallows at once, joined before: fewer cost more each, more cost memory. Measured. */
const GROUP = 1_000

/** A document that is being rebuilt is weighed after each so many bytes of updates. */
const WEIGH_BYTES = 2 * 1024 * 1024

/** The states of a document by revision. */
export class Timeline {
  readonly #segments: Segments
  readonly #present: Present
  readonly #limits: Limits

  constructor(segments: Segments, present: Present, limits: Limits) {
    this.#segments = segments
    this.#present = present
    this.#limits = limits
  }

  /** The newest commit. */
  get newest(): Place {
    const { revision, at } = this.#present.state
    return { revision, at }
  }

  /** The oldest state that is kept. */
  get oldest(): Place {
    const { revision, at } = this.#segments.first ?? this.#present.base
    return { revision, at }
  }

  /**
   * The newest commit at or before a revision.
   * @throws SyncError not-found where there never was such a revision, gone where it is not kept
   */
  placeOf(revision: number): Place {
    const { newest, oldest } = this
    if (revision === newest.revision) return newest
    if (revision < 1 || revision > newest.revision)
      throw new SyncError("not-found", `There is no revision ${revision}; the newest is ${newest.revision}.`)
    if (revision < oldest.revision)
      throw new SyncError(
        "gone",
        `Revision ${revision} is not kept; the past begins at revision ${oldest.revision}.`,
      )
    const frame = this.#frameBefore(revision)
    const [commit] = this.commits(frame.revision, revision, { back: true })
    const { revision: found, at } = commit ?? frame
    // Before the first commit there was no document, and what follows a gap is not what was before it.
    const isUnknown =
      found < Math.min(revision, this.#present.base.revision) && this.#segments.isUnknownAfter(found)
    if (isUnknown || (commit === undefined && frame.read() === null))
      throw new SyncError("gone", `Nothing is kept of revision ${revision}.`)
    return { revision: found, at }
  }

  /**
   * The newest commit at or before a time.
   * @throws SyncError not-found where the document is younger, gone where its past is not kept that far back
   */
  placeAt(time: number): Place {
    const { newest, oldest } = this
    if (time >= newest.at) return newest
    let found: number | null = null
    if (time >= this.#present.base.at) {
      for (const commit of this.#present.commits(-1, newest.revision)) {
        const { revision, at } = readCommit(commit)
        if (at <= time) found = revision
      }
    }
    found ??= this.#segments.revisionAt(time)
    if (found === null && time >= this.#present.base.at && this.#present.base.read() !== null)
      found = this.#present.base.revision
    if (found !== null) return this.placeOf(found)
    const isBorn = (this.#segments.first ?? this.#present.base).read() === null
    throw new SyncError(
      isBorn ? "not-found" : "gone",
      isBorn
        ? "The document is younger than that."
        : `The past begins at ${new Date(oldest.at).toISOString()}.`,
    )
  }

  /**
   * The commits after one revision and up to another, in order, or from the newest back.
   * @param options.overDamage leave out what cannot be read: for what is about each commit and not about a state
   * @param options.hereOnly leave out what stands in the archive
   * @throws SyncError gone where some of them cannot be read
   */
  *commits(
    after: number,
    upTo: number,
    { back = false, overDamage = false, hereOnly = false } = {},
  ): Generator<Commit> {
    const { base } = this.#present
    const recent = upTo > base.revision ? this.#present.commits(after, upTo, { overDamage }) : []
    if (back) for (const commit of recent.reverse()) yield readCommit(commit)
    if (after < base.revision)
      yield* this.#segments.commits(after, Math.min(upTo, base.revision), { back, overDamage, hereOnly })
    if (!back) for (const commit of recent) yield readCommit(commit)
  }

  /**
   * The state at a revision, rebuilt.
   * @param options.from keep what was deleted since this revision, for what is about both
   * @param options.onCommit called with every commit that is replayed
   * @throws SyncError gone, too-large where the replay would outgrow its bounds
   */
  *rebuild(
    revision: number,
    {
      from = revision,
      onCommit = () => {},
      onFrom = () => {},
    }: {
      from?: number
      onCommit?: (commit: Commit) => void
      /** Called with the document as it was at `from`. */
      onFrom?: (doc: Y.Doc) => void
    } = {},
  ): Steps<Y.Doc> {
    const frame = this.#frameBefore(from)
    if (from < revision) this.checkWhole(from, revision)
    const doc = createDocument()
    doc.gc = from === revision
    const state = frame.read()
    if (state !== null) this.#apply(doc, [state])
    let group: Uint8Array[] = []
    let bytes = 0
    let weighed = 0
    const pace = new Pace(this.#limits.pastStepBytes)
    let isBefore = true
    const { pastReadBytes, pastWeight } = this.#limits
    const flush = () => {
      if (group.length > 0) this.#apply(doc, group)
      group = []
    }
    for (const commit of this.commits(frame.revision, revision)) {
      const before = bytes
      if (isBefore && commit.revision > from) {
        flush()
        onFrom(doc)
        isBefore = false
      }
      onCommit(commit)
      for (const { update } of commit.updates) {
        group.push(update)
        bytes += update.length
        if (group.length >= GROUP) flush()
      }
      if (bytes > pastReadBytes) throw tooLarge(bytes)
      if (bytes - weighed > WEIGH_BYTES) {
        flush()
        weighed = bytes
        if (weightOf(doc) > pastWeight) throw tooLarge(bytes)
      }
      if (pace.isDue(bytes - before)) {
        flush()
        yield
      }
    }
    flush()
    // A commit that others build on is missing: it was set aside as damaged. What is left was never the state.
    if (doc.store.pendingStructs !== null)
      throw new SyncError(
        "gone",
        `A part of revision ${revision} was damaged and set aside; it cannot be shown.`,
      )
    if (weightOf(doc) > pastWeight) throw tooLarge(bytes)
    if (isBefore) onFrom(doc)
    return doc
  }

  /** @throws SyncError gone where a state between two revisions is unknown, so that the one does not follow from the other */
  checkWhole(after: number, upTo: number): void {
    if (this.#segments.isInterrupted(after, upTo))
      throw new SyncError("gone", `What led from revision ${after} to ${upTo} is not kept.`)
  }

  /**
   * Every commit that is kept and can be read, up to a revision, from the oldest on.
   * @throws SyncError too-large
   */
  *all(upTo: number): Generator<Commit> {
    let bytes = 0
    for (const commit of this.commits(this.oldest.revision, upTo, { overDamage: true })) {
      for (const { update } of commit.updates) bytes += update.length
      if (bytes > this.#limits.pastScanBytes) throw tooLarge(bytes)
      yield commit
    }
  }

  #frameBefore(revision: number): Frame {
    const { base } = this.#present
    if (revision >= base.revision) return base
    const frame = this.#segments.frameBefore(revision)
    if (frame !== null) return frame
    throw new SyncError("gone", `Revision ${revision} is not kept; the past begins later.`)
  }

  #apply(doc: Y.Doc, updates: readonly Uint8Array[]): void {
    try {
      Y.applyUpdate(doc, mergeUpdates(updates))
    } catch (cause) {
      throw new SyncError("gone", "A part of the past that this needs does not load any more.", { cause })
    }
  }
}

/** What is answered where more would have to be read than there is time or memory for. */
export function tooLarge(bytes: number): SyncError {
  return new SyncError("too-large", `The past that this needs has more than ${bytes} bytes.`)
}
