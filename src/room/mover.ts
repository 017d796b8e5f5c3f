/**
 * The mover: what of the past outgrows the room's own storage goes to the archive, where that takes parts of pasts, the oldest
 * first; and comes back for a question that needs it. The present needs none of it: while the archive is away, only such
 * questions are.
 */
import { limited } from "../archive/abortable.ts"
import type { Archive, ArchiveSegments, Version } from "../archive/archive.ts"
import {
  areContentsDue,
  contentsOf,
  readContents,
  storeContents,
  TOLD_VERSIONS,
} from "../history/contents.ts"
import { Away, type Part, piecesOf } from "../history/moving.ts"
import { Versions } from "../history/versions.ts"
import type { Limits } from "../limits.ts"
import type { Aside } from "./aside.ts"
import type { Emit } from "./events.ts"
import type { Log } from "./log.ts"

/** When what was removed is looked for again, ms since 1970: a write that was given up may have landed after its removal. */
const SWEEP = "past_sweep"

/** Moves parts of a room's past out, and fetches them. */
export class Mover {
  readonly #name: string
  readonly #store: ArchiveSegments | undefined
  readonly #log: Log
  readonly #aside: Pick<Aside, "alone">
  readonly #limits: Limits
  readonly #emit: Emit
  /** Questions that read what was fetched. */
  #reading = 0

  constructor(
    name: string,
    parts: { archive: Archive | null; log: Log; aside: Pick<Aside, "alone">; limits: Limits; emit: Emit },
  ) {
    const { archive, log, aside, limits, emit } = parts
    this.#name = name
    this.#store = archive === null ? undefined : limited(archive, limits.archiveTimeoutMs).segments
    this.#log = log
    this.#aside = aside
    this.#limits = limits
    this.#emit = emit
  }

  /** When there is something to move out, or to remove there, ms since 1970; null: there is not. */
  get dueAtMs(): number | null {
    if (this.#store === undefined) return null
    const { bytes, movedBytes, gone } = this.#log.past.size
    const isDue = gone > 0 || bytes - movedBytes > this.#limits.pastHereBytes
    if (isDue || areContentsDue(this.#log.tables, movedBytes > 0)) return Date.now()
    return this.#log.noted<number>(SWEEP)
  }

  /**
   * Remove in the archive what is not kept any more, and move out the oldest, so that half of the budget is free again; then
   * the contents, where they have changed.
   * @throws SyncError archive-unavailable
   */
  async run(): Promise<void> {
    const store = this.#store
    const { moving } = this.#log.past
    if (store === undefined) return
    const writer = this.#log.writer
    const gone = moving.gone()
    for (const name of gone) {
      await store.remove(this.#name, name, patient())
      moving.removed(name)
    }
    if (gone.length > 0) this.#log.note(SWEEP, Date.now() + this.#limits.archiveOrphanMs)
    else if ((this.#log.noted<number>(SWEEP) ?? Infinity) <= Date.now()) {
      for (const name of moving.strays(await store.list(this.#name, `${writer}/`, patient())))
        await store.remove(this.#name, name, patient())
      this.#log.drop(SWEEP)
    }
    await this.#moveOldest(store)
    const { tables, past } = this.#log
    if (!areContentsDue(tables, past.size.movedBytes > 0)) return
    const page = { cursor: null, limit: TOLD_VERSIONS, notBeforeMs: 0 }
    const { versions } = new Versions(tables, this.#limits).list(page)
    const put = (bytes: Uint8Array) => store.put(this.#name, contentsOf(writer), bytes, patient())
    await storeContents(tables, { versions, writers: moving.others(writer) }, put)
  }

  async #moveOldest(store: ArchiveSegments): Promise<void> {
    const { moving } = this.#log.past
    const writer = this.#log.writer
    if (this.#log.past.size.bytes - this.#log.past.size.movedBytes <= this.#limits.pastHereBytes) return
    for (;;) {
      const { bytes, movedBytes } = this.#log.past.size
      const piece = moving.next()
      if (piece === null || bytes - movedBytes <= this.#limits.pastHereBytes / 2) return
      const parts = moving.parts(piece, writer)
      let isSound = true
      for (const part of parts) {
        const value = moving.read(part)
        isSound &&= value !== null
        if (value !== null) await store.put(this.#name, part.name, value, patient())
      }
      await this.#aside.alone(() =>
        isSound ? moving.moved(piece, { writer, parts }) : this.#log.past.markDamaged(piece),
      )
      this.#emit({ type: "past-moved", bytes: piece.kept })
    }
  }

  /**
   * Ask something of the past; where it needs what stands in the archive, fetch that and ask again.
   * @throws SyncError archive-unavailable, and what `ask` throws
   */
  async reading<Answer>(ask: () => Answer | Promise<Answer>): Promise<Answer> {
    const store = this.#store
    const { moving } = this.#log.past
    this.#reading++
    try {
      for (;;) {
        try {
          return await ask()
        } catch (thrown) {
          if (!(thrown instanceof Away) || store === undefined) throw thrown
          const fetch = async (part: Part) =>
            moving.hold(part, await store.get(this.#name, part.name, patient()))
          await Promise.all(thrown.parts.map(fetch))
        }
      }
    } finally {
      if (--this.#reading === 0) moving.release()
    }
  }

  /**
   * What the archive has of the past of a document that this room has lost, or never had.
   * @param version of the state that the room begins with; null: with none
   * @returns a function that takes it over
   * @throws SyncError archive-unavailable
   */
  async look(version: Version | null): Promise<() => void> {
    const { past, tables } = this.#log
    if (this.#store === undefined || !version?.writer || past.first !== null) return () => {}
    const { writer, revision } = version
    const [names, contents] = await Promise.all([
      this.#store.list(this.#name, "", patient()),
      this.#store.get(this.#name, contentsOf(writer), patient()).then(readContents),
    ])
    const { pieces, parts } = piecesOf(names, new Map([...contents.writers, [writer, revision]]))
    const last = pieces.at(-1)?.last ?? 0
    // Between the last piece and what the archive has of the document nothing is known any more.
    const known = contents.versions.filter((one) => one.revision <= last || one.revision === revision)
    return () => {
      if (pieces.length === 0 || past.first !== null) return
      past.adopt(pieces, parts)
      const versions = new Versions(tables, this.#limits)
      for (const one of known.slice(0, this.#limits.versions).reverse())
        versions.make({ ...one, atMs: Date.parse(one.at) }, one.id)
    }
  }
}

/** The archive's own time limit ends the call. */
function patient(): AbortSignal {
  return new AbortController().signal
}
