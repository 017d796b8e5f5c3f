/** The history of a document, as a room asks it: moments, states, differences, authors, activity. Reads only. */
import type * as Y from "yjs"
import { SyncError } from "../errors.ts"
import type { Limits } from "../limits.ts"
import { type Activity, activityOf } from "./activity.ts"
import { Attribution, knowWho, type Who } from "./attribution.ts"
import { Authors, type Register } from "./authors.ts"
import { blame, type Span } from "./blame.ts"
import { Copies } from "./copies.ts"
import { Before, type Change, diff } from "./diff.ts"
import { parseMoment } from "./moments.ts"
import { Persons } from "./persons.ts"
import type { Commit, Segments, Tables } from "./segments.ts"
import { Pace, type Steps } from "./steps.ts"
import { type Place, type Present, Timeline, tooLarge } from "./timeline.ts"
import { Versions } from "./versions.ts"

/** Reads a document's past. */
export class History {
  readonly timeline: Timeline
  readonly versions: Versions
  readonly persons: Persons
  readonly #tables: Tables
  readonly #limits: Limits
  readonly #register: () => Omit<Register, "nameOf">

  constructor(parts: {
    tables: Tables
    segments: Segments
    present: Present
    limits: Limits
    /** What is known of people's client ids, read once for each answer. */
    register: () => Omit<Register, "nameOf">
  }) {
    const { tables, segments, present, limits } = parts
    this.timeline = new Timeline(segments, present, limits)
    this.versions = new Versions(tables, limits)
    this.persons = new Persons(tables, limits.people)
    this.#tables = tables
    this.#limits = limits
    this.#register = parts.register
  }

  /** What restores have copied. */
  get copies(): Copies {
    return Copies.read(this.#tables)
  }

  /**
   * The commit that a moment names.
   * @param text as it was asked for; null: the newest
   * @param sinceMs what may be seen begins at this time (H5), ms since 1970; null: all of it
   * @throws SyncError bad-request, not-found, gone, forbidden
   */
  placeOf(text: string | null, sinceMs: number | null): Place {
    const place = text === null ? this.timeline.newest : this.#find(text)
    if (place.revision < this.floor(sinceMs))
      throw new SyncError("forbidden", "The token shows nothing of the document from before that time.")
    return place
  }

  /** The oldest revision that may be seen: what the document was at that time. */
  floor(sinceMs: number | null): number {
    if (sinceMs === null) return 0
    try {
      return this.timeline.placeAt(sinceMs).revision
    } catch (thrown) {
      // The document, or what is kept of it, is younger.
      if (thrown instanceof SyncError && (thrown.code === "not-found" || thrown.code === "gone")) return 0
      throw thrown
    }
  }

  /** Whom the content of a root is by at a moment. @throws SyncError as `placeOf`, too-large */
  *blame(root: string, { at, sinceMs }: { at: string | null; sinceMs: number | null }): Steps<Span[]> {
    const { revision } = this.placeOf(at, sinceMs)
    const doc = yield* this.timeline.rebuild(revision)
    const authors = this.#authors(yield* this.attribute(revision), sinceMs)
    return yield* blame(doc, root, {
      authors,
      budgetBytes: this.#limits.pastAnswerBytes,
      stepItems: this.#limits.pastStepItems,
    })
  }

  /** What became of the content between two moments. @throws SyncError as `placeOf`, too-large */
  *diff(ask: {
    from: string
    to: string | null
    root: string | null
    sinceMs: number | null
  }): Steps<{ from: Place; to: Place; roots: Record<string, Change[]> }> {
    const [from, to] = [this.placeOf(ask.from, ask.sinceMs), this.placeOf(ask.to, ask.sinceMs)]
    if (from.revision > to.revision)
      throw new SyncError("bad-request", `from is revision ${from.revision}, after to: ${to.revision}.`)
    let before: Before | null = null
    const { doc, attribution } = yield* this.replay(to.revision, {
      from: from.revision,
      onFrom: (then) => {
        before = new Before(then)
      },
    })
    const roots = yield* diff(doc, {
      before: before!,
      authors: this.#authors(attribution, ask.sinceMs),
      root: ask.root,
      budgetBytes: this.#limits.pastAnswerBytes,
      stepItems: this.#limits.pastStepItems,
    })
    return { from, to, roots }
  }

  /** Who worked when. @throws SyncError as `placeOf` */
  *activity(ask: {
    from: string | null
    to: string | null
    by: string | null
    via: string | null
    groupMs: number
    newestFirst: boolean
    cursor: string | null
    limit: number
    sinceMs: number | null
  }): Steps<{ activity: Activity[]; cursor: string | null }> {
    const { newestFirst, sinceMs } = ask
    let after = Math.max(this.timeline.oldest.revision, this.floor(sinceMs))
    // The revision at `from` is a part of it, where it is a revision; a time names the state before it.
    if (ask.from !== null) after = Math.max(after, this.#first(ask.from, sinceMs))
    let upTo = this.placeOf(ask.to, sinceMs).revision
    if (ask.cursor !== null) {
      if (!/^\d{1,15}$/.test(ask.cursor))
        throw new SyncError("bad-request", `${JSON.stringify(ask.cursor)} is no cursor of this listing.`)
      if (newestFirst) upTo = Math.min(upTo, Number(ask.cursor))
      else after = Math.max(after, Number(ask.cursor) - 1)
    }
    const { activity, next } = yield* activityOf(this.timeline.commits(after, upTo, { back: newestFirst }), {
      by: ask.by,
      via: ask.via,
      groupMs: ask.groupMs,
      limit: ask.limit,
      nameOf: (subject) => this.persons.nameOf(subject),
      readBytes: this.#limits.pastScanBytes,
      stepBytes: this.#limits.pastStepBytes,
    })
    return { activity, cursor: next === null ? null : String(next) }
  }

  /** Everybody who wrote after one revision and up to another; of very many the newest. */
  writers(after: number, upTo: number): Who[] {
    const found = new Map<string, Who>()
    const known = knowWho((subject) => this.persons.nameOf(subject))
    let bytes = 0
    // A version is made without the archive.
    const whatIsHere = { back: true, overDamage: true, hereOnly: true }
    for (const { updates } of this.timeline.commits(after, upTo, whatIsHere)) {
      for (const { update, origin } of updates) {
        bytes += update.length
        const { key, who } = known(origin)
        found.set(key, who)
      }
      // Bounds, where nobody has made a version for very long.
      if (bytes > this.#limits.pastScanBytes || found.size >= this.#limits.versionWriters) break
    }
    return [...found.values()]
  }

  /**
   * A state with what was deleted since an earlier one, and whose changes led from there to it: what was there before is
   * told without its author, so that only what came between has to be read.
   * @throws SyncError too-large, gone
   */
  *replay(
    revision: number,
    { from, onFrom = () => {} }: { from: number; onFrom?: (doc: Y.Doc) => void },
  ): Steps<{ doc: Y.Doc; attribution: Attribution }> {
    const attribution = new Attribution()
    let bytes = 0
    const onCommit = (commit: Commit): void => {
      for (const { update } of commit.updates) bytes += update.length
      if (bytes > this.#limits.pastScanBytes) throw tooLarge(bytes)
      attribution.add(commit)
    }
    const doc = yield* this.timeline.rebuild(revision, { from, onFrom, onCommit })
    return { doc, attribution }
  }

  /** Whose changes the commits up to a revision are; of what is damaged nobody's. @throws SyncError too-large */
  *attribute(upTo: number): Steps<Attribution> {
    const attribution = new Attribution()
    const pace = new Pace(this.#limits.pastStepBytes)
    for (const commit of this.timeline.all(upTo)) {
      attribution.add(commit)
      let bytes = 0
      for (const { update } of commit.updates) bytes += update.length
      if (pace.isDue(bytes)) yield
    }
    return attribution
  }

  #find(text: string): Place {
    const moment = parseMoment(text)
    switch (moment.kind) {
      case "revision":
        return this.timeline.placeOf(moment.revision)
      case "time":
        return this.timeline.placeAt(moment.time)
      case "version":
        return this.timeline.placeOf(this.versions.get(moment.id).revision)
      default:
        throw new TypeError(`unknown moment ${JSON.stringify(moment satisfies never)}`)
    }
  }

  #first(text: string, sinceMs: number | null): number {
    const moment = parseMoment(text)
    if (moment.kind === "time") {
      try {
        // What was committed in that very millisecond is a part of it.
        return this.placeOf(new Date(moment.time - 1).toISOString(), sinceMs).revision
      } catch (thrown) {
        if (thrown instanceof SyncError && thrown.code === "not-found") return 0
        throw thrown
      }
    }
    return this.placeOf(text, sinceMs).revision - (moment.kind === "revision" ? 1 : 0)
  }

  #authors(attribution: Attribution, sinceMs: number | null): Authors {
    return new Authors(attribution, {
      copies: this.copies,
      register: { ...this.#register(), nameOf: (subject) => this.persons.nameOf(subject) },
      notBeforeMs: sinceMs ?? 0,
    })
  }
}
