/**
 * The vet: what of an update is safe to relay, to store and to apply now? (rules W3, D9)
 *
 * Yjs is no judge of that: `applyUpdate` integrates structs before it has read the deletes, and a throw inside a
 * transaction leaves the document stuck for good. So the bytes are read first, strictly, without building an Item and
 * without a document: all the vet knows is the room's state vector.
 *
 * As Yjs does, it takes what can be taken: of each client the structs up to the first that refers to something not yet
 * here. The rest is handed back as an update that waits.
 */
import { LIMITS, type UpdateLimits } from "../limits.ts"
import { Integration, type Section } from "./integration.ts"
import { divide, isEmpty, withoutKnown } from "./merge.ts"
import { Reader } from "./reader.ts"
import { Refusal, refusal } from "./refusal.ts"
import { CLOCK_CEILING, type Clocks, GC, type Id, SKIP, TYPE } from "./struct.ts"
import { COST } from "./weight.ts"

export type { Section } from "./integration.ts"
export type { Clocks, Id } from "./struct.ts"

/** A part of an update that cannot integrate yet. */
export interface Waiting {
  /** An update of its own; its sections may begin beyond the known clocks. */
  readonly update: Uint8Array
  /**
   * What its sections and deletes need next: the arrival of one of these is worth another look, and nothing else is.
   * One may be an id that `waiting` has itself, where that waits for another.
   */
  readonly missing: readonly Id[]
}

/** What can be taken of an update, and what has to wait. */
export interface Accepted {
  readonly kind: "accept"
  /**
   * What integrates now, without what is known; null where nothing of the update does. The very object that was given
   * when nothing had to be cut.
   */
  readonly news: Uint8Array | null
  /** The structs of `news`: each section begins at the known clock. */
  readonly sections: readonly Section[]
  /** Whether `news` has deletes; the document may know them already. */
  readonly deletes: boolean
  /** Only the document can tell whether `news` is safe: see `settleDoubts`. */
  readonly doubts?: readonly Id[]
  /** `news` creates shared types, at most so many levels within each other; how deep they then lie: see `settleDepth`. */
  readonly levels?: number
  /** About how many bytes of memory `news` takes in a Y.Doc (see weight.ts); splits that deletes cause included. */
  readonly weight: number
  /** What cannot integrate yet; null where nothing waits. */
  readonly waiting: Waiting | null
}

/** What the vet says of an update. */
export type Verdict =
  | Accepted
  /** Not a safe update; the reason is plain and carries the values, e.g. "zero-length delete at byte 9". */
  | { readonly kind: "refuse"; readonly reason: string }

/** What the vet may be told besides the clocks. */
export interface VetOptions {
  /**
   * Whether new structs may be added under a client id. Where not, they wait (missing: the id at the known clock), and so
   * does what depends on them. Asked for clients of which the update has something new.
   */
  readonly mayExtend?: ((client: number) => boolean) | undefined
  /** Instead of `LIMITS`. */
  readonly limits?: UpdateLimits | undefined
}

const NO_OPTIONS: VetOptions = {}

/**
 * Judge one Yjs V1 update. Has no side effects, never throws, and allocates nothing by a count that the update declares.
 *
 * "accept" (its doubts settled) is a promise: `Y.applyUpdate` of `news` on a document in the state `known` integrates all
 * of it without a throw, and leaves it in the state vector max(known, end of each section). `news` and `waiting` together
 * carry all of the update that is not known.
 *
 * One pass over the bytes, and a second one when its items depend on each other. Where something is known or has to
 * wait, the update is cut and judged again.
 *
 * @example
 * const verdict = vet(update, known)
 * if (verdict.kind === "refuse") return refuse(verdict.reason)
 * if (verdict.news !== null) take(verdict.news)
 * if (verdict.waiting !== null) keep(verdict.waiting)
 */
export function vet(update: Uint8Array, known: Clocks, options: VetOptions = NO_OPTIONS): Verdict {
  try {
    return judge(update, known, options) ?? judgeInParts(update, known, options)
  } catch (thrown) {
    return { kind: "refuse", reason: thrown instanceof Refusal ? thrown.reason : `unreadable: ${thrown}` }
  }
}

/** Null where something of the update is known, waits, or is out of order; then every byte of it was read all the same. */
function judge(update: Uint8Array, known: Clocks, options: VetOptions): Accepted | null {
  const { mayExtend, limits = LIMITS } = options
  const reader = new Reader(update, known, options)
  const sections: Section[] = []
  const starts: number[] = []
  let isWhole = true
  let secondPass = false
  let newClients = 0
  let allStructs = 0
  let types = 0
  let previous = Number.POSITIVE_INFINITY
  let seen: Set<number> | null = null

  const count = reader.count("sections")
  for (let i = 0; i < count; i++) {
    const at = reader.at
    const structs = reader.count("structs")
    if (structs === 0) throw refusal("empty section", at)
    allStructs += structs
    if (allStructs > limits.updateStructs) throw refusal(`more than ${limits.updateStructs} structs`, at)
    const client = reader.number()
    if (client >= previous || seen !== null) {
      // Yjs before 13.2 wrote the clients ascending; a client with two sections would lose one of them.
      seen ??= new Set(sections.map((section) => section.client))
      if (seen.has(client)) throw refusal(`second section of client ${client}`, at)
      seen.add(client)
      isWhole = false
    }
    previous = client
    const clock = reader.number()
    const state = known.get(client) ?? 0
    if (clock !== state) isWhole = false
    if (state === 0 && ++newClients > limits.newClients) {
      throw refusal(`more than ${limits.newClients} new clients`, at)
    }
    starts.push(reader.at)
    let end = clock
    for (let j = 0; j < structs; j++) {
      reader.readStruct(client, end)
      end += reader.length
      if (reader.kind === SKIP) isWhole = false
      else if (reader.kind !== GC) {
        if (reader.kind === TYPE) types++
        if (reader.isAhead || reader.mayBeLongUnderKey) secondPass = true
      }
    }
    if (mayExtend !== undefined && isWhole && !mayExtend(client)) isWhole = false
    sections.push({ client, clock, end })
  }
  const deletesAt = reader.at
  const deletes = readDeletes(reader, sections)
  if (reader.at !== update.length) {
    throw refusal(`${update.length - reader.at} trailing bytes`, reader.at)
  }
  if (!isWhole || deletes === WAIT) return null
  const { weight } = reader
  const news = count === 0 && deletes === NO_DELETES ? null : update
  const accepted: Accepted = {
    kind: "accept",
    news,
    sections,
    deletes: deletes === ALL_HERE,
    weight,
    waiting: null,
  }
  if (!secondPass && types <= limits.typeDepth) return types === 0 ? accepted : { ...accepted, levels: types }
  const integration = new Integration(new Reader(update, known, { limits, isVetted: true }), {
    deletesAt,
    typeDepth: limits.typeDepth,
  })
  for (let i = 0; i < count; i++) integration.add(sections[i]!, { at: starts[i]! })
  if (!integration.run()) return null
  const doubts = integration.doubts()
  return {
    ...accepted,
    ...(doubts.length > 0 && { doubts }),
    ...(types > 0 && { levels: integration.levels }),
  }
}

const NO_DELETES = 0
const ALL_HERE = 1
const WAIT = 2

/** Read the deletes; WAIT where one of them is of a struct that is neither known nor in these sections. */
function readDeletes(reader: Reader, sections: readonly Section[]): number {
  let found = NO_DELETES
  const count = reader.count("delete sections")
  // Yjs writes the clients descending; other writers (yrs, Yjs before 13.5) in any order.
  const seen = count > 1 ? new Set<number>() : null
  for (let i = 0; i < count; i++) {
    const at = reader.at
    const client = reader.number()
    if (seen?.has(client)) throw refusal(`second delete section of client ${client}`, at)
    seen?.add(client)
    const state = reader.known.get(client) ?? 0
    const reach = Math.max(state, endOf(sections, client))
    const ranges = reader.count("deletes")
    let end = 0
    for (let j = 0; j < ranges; j++) {
      const at = reader.at
      const clock = reader.number()
      if (clock < end) throw refusal(`delete at clock ${clock} after one that ends at ${end}`, at)
      const length = reader.number()
      if (length === 0) throw refusal("zero-length delete", at)
      end = clock + length
      if (end > CLOCK_CEILING) throw refusal(`delete up to clock ${end}, past ${CLOCK_CEILING},`, at)
      // What is deleted out of the middle of a known item leaves three of it.
      if (clock < state) reader.weight += 2 * COST.split
    }
    if (end > reach) found = WAIT
    else if (end > 0 && found === NO_DELETES) found = ALL_HERE
  }
  return found
}

/** Where the section of a client ends, 0 without one; the clients are descending. */
function endOf(sections: readonly Section[], client: number): number {
  let low = 0
  let high = sections.length - 1
  while (low <= high) {
    const middle = (low + high) >> 1
    const section = sections[middle]!
    if (section.client === client) return section.end
    if (section.client > client) low = middle + 1
    else high = middle - 1
  }
  return 0
}

/** Take what is new and can integrate; what cannot waits. */
function judgeInParts(update: Uint8Array, known: Clocks, options: VetOptions): Accepted {
  const rest = withoutKnown(update, known)
  const whole = judge(rest, known, options)
  if (whole !== null) return whole
  const { stops, clockOf } = reachOf(rest, known, options)
  const { below, above, firstDeletes } = divide(rest, clockOf)
  const accepted = judge(below, known, options)
  if (accepted === null) throw refusal("what should integrate does not", 0)
  if (isEmpty(above)) return accepted
  const missing = new Map<string, Id>()
  for (const { missing: id } of stops) missing.set(`${id.client} ${id.clock}`, id)
  for (const [client, clock] of firstDeletes) missing.set(`${client} ${clock}`, { client, clock })
  return { ...accepted, waiting: { update: above, missing: [...missing.values()] } }
}

/** How far an update without known structs can integrate, and why not further. */
function reachOf(
  update: Uint8Array,
  known: Clocks,
  { mayExtend, limits = LIMITS }: VetOptions,
): { stops: { client: number; missing: Id }[]; clockOf: (client: number) => number } {
  const reader = new Reader(update, known, { limits, isVetted: true })
  const clocks = new Map<number, number>()
  const sections: { section: Section; at: number; missing: Id | null }[] = []
  for (let count = reader.number(); count > 0; count--) {
    const structs = reader.number()
    const client = reader.number()
    const clock = reader.number()
    const { at } = reader
    let end = clock
    for (let i = 0; i < structs; i++) {
      reader.readStruct(client, end)
      end += reader.length
    }
    const state = known.get(client) ?? 0
    let missing: Id | null = null
    if (mayExtend !== undefined && !mayExtend(client)) missing = { client, clock: state }
    else if (clock > state) missing = { client, clock: clock - 1 }
    // What cannot begin has come no further than what is known.
    sections.push({ section: { client, clock: state, end }, at, missing })
    clocks.set(client, end)
  }
  const integration = new Integration(reader, { deletesAt: reader.at, typeDepth: limits.typeDepth })
  for (const { section, ...where } of sections) integration.add(section, where)
  integration.run()
  const stops: { client: number; missing: Id }[] = []
  for (const { client, clock, missing } of integration.stops()) {
    stops.push({ client, missing })
    clocks.set(client, clock)
  }
  return { stops, clockOf: (client) => clocks.get(client) ?? known.get(client) ?? 0 }
}
