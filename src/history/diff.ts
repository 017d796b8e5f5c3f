/**
 * Differences between two states of a document, told by its content's own clocks: nothing is guessed from two texts, so
 * a word that was moved by nobody is never shown as changed, and each change has its author.
 */
import * as Y from "yjs"
import { Budget } from "../export/budget.ts"
import { findRoots, type Root } from "../export/roots.ts"
import type { SharedType } from "../export/shared-types.ts"
import { isSameMinute, type Who } from "./attribution.ts"
import type { Authors, Authorship } from "./authors.ts"
import { lastBefore } from "./copies.ts"
import { isSamePath, itemsOf, lettersOf, type Path, shownValue, typeIn } from "./reading.ts"
import { Pace, type Steps } from "./steps.ts"

/** One stretch of text or one value, and what became of it. */
export interface Change {
  readonly op: "equal" | "insert" | "delete" | "format"
  readonly text?: string
  readonly value?: unknown
  /** Of text: the type it is in; of a value: where it stands. Absent: the root itself. */
  readonly path?: Path
  /** Of "format": the formats that changed, as they are now; null: removed. */
  readonly attributes?: Readonly<Record<string, unknown>>
  /** Who changed it, and when (RFC 3339); absent where nothing changed. null: not known, or not to be told. */
  readonly by?: Who | null
  readonly at?: string | null
}

/** What a change takes beside its text, bytes. */
const CHANGE_BYTES = 160

/** Tells what was visible at the earlier of two states. */
export class Before {
  readonly #clocks: ReadonlyMap<number, number>
  readonly #deletes = new Map<number, { clock: number; end: number }[]>()

  /** @param doc as it was then */
  constructor(doc: Y.Doc) {
    const { sv, ds } = Y.snapshot(doc)
    this.#clocks = sv
    for (const [client, items] of ds.clients)
      this.#deletes.set(
        client,
        items.map(({ clock, len }) => ({ clock, end: clock + len })),
      )
  }

  /** Whether the content at a clock was visible, and up to which clock that is so. */
  at(client: number, clock: number): { visible: boolean; end: number } {
    const known = this.#clocks.get(client) ?? 0
    if (clock >= known) return { visible: false, end: Number.POSITIVE_INFINITY }
    const deletes = this.#deletes.get(client) ?? []
    const index = lastBefore(deletes, clock)
    const deleted = deletes[index]
    if (deleted !== undefined && clock < deleted.end)
      return { visible: false, end: Math.min(deleted.end, known) }
    return { visible: true, end: Math.min(deletes[index + 1]?.clock ?? Number.POSITIVE_INFINITY, known) }
  }
}

/**
 * The differences of each root, in document order.
 * @param doc the later state, with what was deleted since the earlier one
 * @throws SyncError not-found where there is no such root, too-large
 */
export function* diff(
  doc: Y.Doc,
  options: { before: Before; authors: Authors; root: string | null; budgetBytes: number; stepItems: number },
): Steps<Record<string, Change[]>> {
  const budget = new Budget(options.budgetBytes)
  const pace = new Pace(options.stepItems)
  const roots: [name: string, changes: Change[]][] = []
  for (const { name, type } of rootsOf(doc, options.root)) {
    const writer = new Differences(options.before, options.authors, { budget, pace })
    yield* writer.read(type, { path: [], isNew: false, isGone: false })
    roots.push([name, writer.changes])
  }
  return Object.fromEntries(roots)
}

function rootsOf(doc: Y.Doc, root: string | null): Root[] {
  const all = findRoots(doc)
  return root === null ? all : all.filter(({ name }) => name === root)
}

/** How the type around something stands: a part of what is new or gone is so as well. */
interface Around {
  readonly path: Path
  readonly isNew: boolean
  readonly isGone: boolean
}

/** Collects the changes of one root. */
class Differences {
  readonly changes: Change[] = []
  readonly #before: Before
  readonly #authors: Authors
  readonly #budget: Budget
  readonly #pace: Pace

  constructor(before: Before, authors: Authors, { budget, pace }: { budget: Budget; pace: Pace }) {
    this.#before = before
    this.#authors = authors
    this.#budget = budget
    this.#pace = pace
  }

  *read(type: SharedType, { path, isNew, isGone }: Around): Steps<void> {
    let index = 0
    const formats = new Formats()
    for (const item of itemsOf(type)) {
      if (this.#pace.isDue(1)) yield
      const { client, clock } = item.id
      const end = clock + item.length
      const isHere = !item.deleted && !isGone
      for (let at = clock; at < end; ) {
        const before = this.#before.at(client, at)
        const was = before.visible && !isNew
        const until = Math.min(before.end, end)
        if (item.content instanceof Y.ContentFormat) this.#note(formats, item, was, isHere)
        else if (was || isHere) yield* this.#tell(item, { at, until, was, isHere, path, index, formats })
        at = until
      }
      if (isHere && item.countable) index += item.length
    }
    yield* this.#readKeys(type, { path, isNew, isGone })
  }

  *#tell(
    item: Y.Item,
    place: {
      at: number
      until: number
      was: boolean
      isHere: boolean
      path: Path
      index: number
      formats: Formats
    },
  ): Steps<void> {
    const { until, was, isHere, path, index, formats } = place
    const { client, clock } = item.id
    for (let at = place.at; at < until; ) {
      if (this.#pace.isDue(1)) yield
      let op: Change["op"] = was ? (isHere ? "equal" : "delete") : "insert"
      let end = until
      let rest: Partial<Change> = {}
      if (op === "insert") {
        const authored = this.#authors.of(client, at, until)
        rest = doingOf(authored.authorship)
        end = authored.end
      } else if (op === "delete") {
        const { by, at: time, end: last } = this.#authors.deletionOf(client, at)
        rest = { by, at: time }
        end = Math.min(last, until)
      } else {
        const changed = formats.changed()
        if (changed !== null && item.content instanceof Y.ContentString) {
          op = "format"
          rest = changed
        }
      }
      const text = lettersOf(item, at, end)
      if (text !== null) this.#add({ op, text, ...(path.length > 0 && { path }), ...rest })
      else if (item.countable || item.content instanceof Y.ContentDeleted)
        for (let one = at; one < end; one++)
          this.#add({
            op,
            value: shownValue(item, one - clock),
            path: [...path, index + (isHere ? one - clock : 0)],
            ...rest,
          })
      at = end
    }
    const nested = typeIn(item)
    if (nested !== null) yield* this.read(nested, { path: [...path, index], isNew: !was, isGone: !isHere })
  }

  *#readKeys(type: SharedType, { path, isNew, isGone }: Around): Steps<void> {
    for (const [key, last] of [...type._map].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const here = last.deleted || isGone ? null : last
      let was: Y.Item | null = null
      for (let item: Y.Item | null = last; item !== null && was === null && !isNew; item = item.left)
        if (this.#before.at(item.id.client, item.id.clock + item.length - 1).visible) was = item
      const place = [...path, key]
      if (was !== null && was !== here) {
        const { by, at } = this.#authors.deletionOf(was.id.client, was.id.clock + was.length - 1)
        this.#add({ op: "delete", value: shownValue(was, was.length - 1), path: place, by, at })
        const gone = typeIn(was)
        if (gone !== null) yield* this.read(gone, { path: place, isNew: false, isGone: true })
      }
      if (here !== null && was !== here) {
        const clock = here.id.clock + here.length - 1
        const { authorship } = this.#authors.of(here.id.client, clock, clock + 1)
        const value = shownValue(here, here.length - 1)
        this.#add({ op: "insert", value, path: place, ...doingOf(authorship) })
      }
      const nested = here === null ? null : typeIn(here)
      if (nested !== null) yield* this.read(nested, { path: place, isNew: was !== here, isGone: false })
    }
  }

  #note(formats: Formats, item: Y.Item, was: boolean, isHere: boolean): void {
    const { key, value } = item.content as Y.ContentFormat
    const { client, clock } = item.id
    if (was) formats.before.set(key, value)
    if (isHere) formats.now.set(key, value)
    if (was === isHere) return
    if (isHere) {
      formats.reasons.set(key, doingOf(this.#authors.of(client, clock, clock + 1).authorship))
    } else {
      const { by, at } = this.#authors.deletionOf(client, clock)
      formats.reasons.set(key, { by, at })
    }
  }

  #add(change: Change): void {
    const last = this.changes.at(-1)
    if (change.text !== undefined && last?.text !== undefined && isOneChange(last, change)) {
      this.#budget.spend(change.text.length)
      this.changes[this.changes.length - 1] = { ...last, text: last.text + change.text }
      return
    }
    this.#budget.spend(CHANGE_BYTES + (change.text?.length ?? JSON.stringify(change.value ?? null).length))
    this.changes.push(change)
  }
}

/** Whose doing it is that something is here: what a restore brought back is its. */
function doingOf({ by, at, restoredBy, restoredAt }: Authorship): { by: Who | null; at: string | null } {
  return restoredBy === undefined ? { by, at } : { by: restoredBy, at: restoredAt ?? at }
}

/** The formats that hold at a place, before and now, and who changed them. */
class Formats {
  readonly before = new Map<string, unknown>()
  readonly now = new Map<string, unknown>()
  readonly reasons = new Map<string, { by: Who | null; at: string | null }>()

  /** What changed here; null: nothing. */
  changed(): Pick<Change, "attributes" | "by" | "at"> | null {
    const attributes: [key: string, value: unknown][] = []
    let reason: { by: Who | null; at: string | null } = { by: null, at: null }
    for (const key of new Set([...this.before.keys(), ...this.now.keys()])) {
      const [was, is] = [this.before.get(key) ?? null, this.now.get(key) ?? null]
      if (was === is || JSON.stringify(was) === JSON.stringify(is)) continue
      attributes.push([key, is])
      reason = this.reasons.get(key) ?? reason
    }
    return attributes.length > 0 ? { attributes: Object.fromEntries(attributes), ...reason } : null
  }
}

/** Times are told to the minute of the first letter of a stretch. */
function isOneChange(one: Change, other: Change): boolean {
  return (
    one.op === other.op &&
    one.by === other.by &&
    isSameMinute(one.at, other.at) &&
    isSamePath(one.path, other.path) &&
    (one.attributes === other.attributes ||
      JSON.stringify(one.attributes) === JSON.stringify(other.attributes))
  )
}
