/**
 * Honest and hostile Yjs updates, and a desk that takes them in as a room would: shared by the vet's tests and its
 * fuzz script. Everything is drawn from one seeded generator, so a seed is a whole run.
 */
import * as encoding from "lib0/encoding"
import * as prng from "lib0/prng"
import * as Y from "yjs"
import { capture, createDocument, settleDoubts } from "../../src/update/settle.ts"
import { type Accepted, type Clocks, vet, type Waiting } from "../../src/update/vet.ts"

export type Random = prng.PRNG

const below = (random: Random, count: number) => prng.int32(random, 0, count - 1)
const chance = (random: Random, probability: number) => random.next() < probability
const pick = <T>(random: Random, of: readonly T[]): T => of[below(random, of.length)]!

// ---- honest

const WORDS = [
  "a",
  "bc",
  "hello ",
  "\n",
  "ß",
  "漢字",
  "🧶",
  // Not a first half alone: where Yjs splits an item after one, it replaces whatever comes next, in some documents.
  "🧶🧶",
  "\uddf6x",
  "\ufeff",
  "\u0000",
  "👩‍👩‍👧",
]
const KEYS = ["a", "b", "key", "", "toString", "ключ"]
const MARKS = ["bold", "color", "link"]

function anyValue(random: Random, depth = 0): unknown {
  switch (below(random, depth > 2 ? 9 : 12)) {
    case 0:
      return null
    case 1:
      return undefined
    case 2:
      return chance(random, 0.5)
    case 3:
      return prng.int32(random, -(2 ** 31), 2 ** 31 - 1)
    case 4:
      return random.next() * 1e9
    case 5:
      return pick(random, [0, -0, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53 - 1, -(2 ** 40), 0.5])
    case 6:
      return BigInt(prng.int32(random, -99, 99)) * 2n ** 40n
    case 7:
      return pick(random, WORDS)
    case 8:
      return prng.uint8Array(random, below(random, 9))
    case 9:
      return Array.from({ length: below(random, 4) }, () => anyValue(random, depth + 1))
    default:
      return Object.fromEntries(KEYS.slice(below(random, 6)).map((key) => [key, anyValue(random, depth + 1)]))
  }
}

function jsonValue(random: Random): Record<string, unknown> {
  return { src: pick(random, WORDS).toWellFormed(), size: [below(random, 9), null, { deep: true }] }
}

/** Y.Array takes these two only inside of something. */
function listable(value: unknown): unknown {
  return value === undefined || typeof value === "bigint" ? [value] : value
}

function arrayOf(value: unknown): Y.Array<unknown> {
  const array = new Y.Array<unknown>()
  array.push([listable(value)])
  return array
}

type SharedType = Y.Text | Y.Array<unknown> | Y.Map<unknown> | Y.XmlFragment

function newType(random: Random): SharedType {
  const text = () => pick(random, WORDS)
  switch (below(random, 7)) {
    case 0:
      return arrayOf(anyValue(random))
    case 1:
      return new Y.Map([[pick(random, KEYS), text()]])
    case 2:
      return new Y.Text(text())
    case 3: {
      const element = new Y.XmlElement(pick(random, ["p", "h1", "image"]))
      element.setAttribute("id", text())
      element.insert(0, [new Y.XmlText(text())])
      return element
    }
    case 4:
      return new Y.XmlFragment()
    case 5:
      return new Y.XmlText(text())
    default:
      return new Y.XmlHook("widget")
  }
}

function newChild(random: Random): unknown {
  if (chance(random, 0.1)) {
    return new Y.Doc({
      guid: prng.word(random, 1, 8),
      meta: anyValue(random),
      gc: chance(random, 0.8),
      autoLoad: chance(random, 0.3),
    })
  }
  return chance(random, 0.4) ? newType(random) : anyValue(random)
}

/** One random edit to a shared type, or to something nested in it. */
function editType(random: Random, type: unknown): void {
  if (type instanceof Y.Text) {
    editText(random, type)
  } else if (type instanceof Y.Map) {
    const key = pick(random, KEYS)
    const child = type.get(key)
    if (child instanceof Y.AbstractType && chance(random, 0.5)) editType(random, child)
    else if (chance(random, 0.2)) type.delete(key)
    else type.set(key, newChild(random))
  } else if (type instanceof Y.XmlFragment || type instanceof Y.Array) {
    const at = below(random, type.length + 1)
    const child = type.length > 0 ? type.get(Math.min(at, type.length - 1)) : undefined
    if (child instanceof Y.AbstractType && chance(random, 0.5)) {
      editType(random, child)
    } else if (type instanceof Y.XmlElement && chance(random, 0.3)) {
      if (chance(random, 0.3)) type.removeAttribute("class")
      else type.setAttribute("class", pick(random, WORDS))
    } else if (type.length > 0 && chance(random, 0.3)) {
      const from = below(random, type.length)
      type.delete(from, 1 + below(random, Math.min(3, type.length - from)))
    } else if (type instanceof Y.Array) {
      type.insert(
        at,
        Array.from({ length: 1 + below(random, 3) }, () => listable(newChild(random))),
      )
    } else {
      type.insert(at, [chance(random, 0.6) ? new Y.XmlElement("li") : new Y.XmlText(pick(random, WORDS))])
    }
  }
}

function editText(random: Random, text: Y.Text): void {
  const at = below(random, text.length + 1)
  const length = 1 + below(random, 4)
  switch (below(random, 8)) {
    case 0:
      text.delete(Math.min(at, Math.max(0, text.length - length)), Math.min(length, text.length))
      break
    case 1:
      text.format(at, length, { [pick(random, MARKS)]: pick(random, [true, null, "red", { href: "x" }]) })
      break
    case 2:
      text.insertEmbed(at, chance(random, 0.5) ? jsonValue(random) : newType(random))
      break
    case 3:
      text.insert(at, pick(random, WORDS), { [pick(random, MARKS)]: true })
      break
    case 4:
      text.setAttribute("lang", pick(random, WORDS))
      break
    default:
      text.insert(at, pick(random, WORDS))
  }
}

/** The roots of every test document, as the kinds an editor would use. */
export function rootsOf(doc: Y.Doc): SharedType[] {
  return [doc.getText("text"), doc.getArray("array"), doc.getMap("map"), doc.getXmlFragment("xml")]
}

export interface History {
  /** Every update as its document emitted it. */
  readonly updates: Uint8Array[]
  /** What a provider makes of them: merged, diffed, converted, whole states, from anywhere in between. */
  readonly derived: Uint8Array[]
  readonly docs: Y.Doc[]
}

/** Some clients edit every shared type, undo, and now and then exchange a part of what they have. */
export function honestHistory(random: Random, { clients = 3, steps = 30 } = {}): History {
  const updates: Uint8Array[] = []
  const derived: Uint8Array[] = []
  const docs: Y.Doc[] = []
  const undos: Y.UndoManager[] = []
  for (let i = 0; i < clients; i++) {
    const doc = new Y.Doc({ gc: chance(random, 0.8) })
    doc.clientID = chance(random, 0.1)
      ? Number.MAX_SAFE_INTEGER - i
      : chance(random, 0.3)
        ? i + 1
        : prng.uint32(random, 9, 2 ** 32 - 1)
    doc.on("update", (update: Uint8Array, origin: unknown) => {
      if (origin !== "remote") updates.push(update)
    })
    docs.push(doc)
    undos.push(new Y.UndoManager(rootsOf(doc), { captureTimeout: 0 }))
  }
  for (let step = 0; step < steps; step++) {
    const index = below(random, clients)
    const doc = docs[index]!
    switch (below(random, 12)) {
      case 0:
        undos[index]!.undo()
        break
      case 1:
        undos[index]!.redo()
        break
      case 2:
        Y.applyUpdate(doc, pick(random, updates) ?? EMPTY_UPDATE, "remote")
        break
      case 3:
      case 4: {
        const other = pick(random, docs)
        const state = chance(random, 0.5) ? Y.encodeStateVector(doc) : Y.encodeStateVector(pick(random, docs))
        const update = Y.encodeStateAsUpdate(other, state)
        derived.push(update)
        Y.applyUpdate(doc, update, "remote")
        break
      }
      case 5:
        derived.push(
          Y.mergeUpdates(
            Array.from({ length: 2 + below(random, 6) }, () => pick(random, updates) ?? EMPTY_UPDATE),
          ),
        )
        break
      case 6: {
        const pool = derived.length > 0 ? derived : updates
        derived.push(
          Y.diffUpdate(pick(random, pool) ?? EMPTY_UPDATE, Y.encodeStateVector(pick(random, docs))),
        )
        break
      }
      case 7:
        derived.push(Y.convertUpdateFormatV2ToV1(Y.encodeStateAsUpdateV2(doc)))
        break
      default:
        doc.transact(() => {
          for (let edits = 1 + below(random, 3); edits > 0; edits--)
            editType(random, pick(random, rootsOf(doc)))
        })
    }
  }
  for (const undo of undos) undo.destroy()
  return { updates, derived, docs }
}

export const EMPTY_UPDATE = Uint8Array.of(0, 0)

export function shuffle<T>(random: Random, list: readonly T[]): T[] {
  const shuffled = [...list]
  for (let i = shuffled.length - 1; i > 0; i--) {
    const j = below(random, i + 1)
    ;[shuffled[i], shuffled[j]] = [shuffled[j]!, shuffled[i]!]
  }
  return shuffled
}

// ---- hostile

/** An honest update with some bytes changed, cut, doubled, or exchanged with those of another. */
export function mutate(random: Random, update: Uint8Array, other: Uint8Array): Uint8Array {
  let bytes = [...update]
  for (let changes = 1 + below(random, 3); changes > 0; changes--) {
    const at = below(random, bytes.length + 1)
    switch (below(random, 8)) {
      case 0:
        bytes = bytes.slice(0, at)
        break
      case 1:
        bytes.splice(at, 1 + below(random, 3))
        break
      case 2:
        bytes.splice(at, 0, ...prng.uint8Array(random, 1 + below(random, 3)))
        break
      case 3:
        bytes = [...bytes.slice(0, at), ...other.slice(below(random, other.length))]
        break
      case 4:
        bytes.splice(at, 0, ...bytes.slice(at, at + 1 + below(random, 8)))
        break
      case 5:
        bytes[at] = (bytes[at] ?? 0) ^ (1 << below(random, 8))
        break
      case 6:
        bytes[at] = pick(random, [0, 1, 2, 127, 128, 255])
        break
      default:
        bytes[at] = ((bytes[at] ?? 0) + pick(random, [1, 255])) & 255
    }
  }
  return Uint8Array.from(bytes)
}

/**
 * An update written by the grammar, with the room's clocks at hand: nearly always well-formed, and nonsense all the
 * same: neighbours from different parents, parents that are no types, strangers' client ids, clocks that overlap.
 */
export function craft(random: Random, known: Clocks): Uint8Array {
  const encoder = encoding.createEncoder()
  const slip = (right: number, ...wrong: number[]) => (chance(random, 0.004) ? pick(random, wrong) : right)
  const number = (value: number) => encoding.writeVarUint(encoder, value)
  const string = (value: string) => encoding.writeVarString(encoder, value)
  const clients = new Set([1, 2, 3, 7, ...[...known.keys()].slice(0, 6)])
  const senders = shuffle(random, [...clients])
    .slice(0, pick(random, [0, 1, 1, 1, 1, 2, 3]))
    .sort((a, b) => (chance(random, 0.01) ? a - b : b - a))
  const written = new Map(known)
  const id = (own: number, clock: number) => {
    const client = chance(random, 0.6) ? own : pick(random, [...clients])
    const reach = client === own ? clock : (written.get(client) ?? 0) + (chance(random, 0.1) ? 2 : 0)
    if (client === own && clock === 0) return { client: slip(2, own), clock: 0 }
    return {
      client,
      clock: slip(reach > 0 ? (chance(random, 0.4) ? reach - 1 : below(random, reach)) : 0, reach, reach + 1),
    }
  }
  const writeId = ({ client, clock }: { client: number; clock: number }) => {
    number(client)
    number(clock)
  }

  number(slip(senders.length, senders.length + 1, 200))
  for (const client of senders) {
    const state = known.get(client) ?? 0
    const structs = 1 + below(random, 5)
    let clock = chance(random, 0.75) ? state : Math.max(0, state + prng.int32(random, -6, 2))
    number(slip(structs, 0, structs + 1, 2 ** 30))
    number(slip(client, 0, 2 ** 53 - 1))
    number(slip(clock, clock + 1, 2 ** 31 - 2))
    for (let i = 0; i < structs; i++) {
      const kind = chance(random, 0.08)
        ? pick(random, [0, 0, 10])
        : pick(random, [1, 2, 3, 4, 4, 4, 5, 6, 7, 7, 7, 8, 8, 9, slip(4, 11, 31)])
      if (kind === 0 || kind === 10) {
        const length = slip(1 + below(random, 4), 0)
        encoding.writeUint8(encoder, slip(kind, kind | 32, kind | 128))
        number(length)
        clock += length
        continue
      }
      const place = clock === 0 && chance(random, 0.7) ? 0 : pick(random, [0, 0, 128, 128, 128, 64, 192, 192])
      const key = chance(random, 0.3) ? 32 : 0
      encoding.writeUint8(encoder, kind | place | key)
      if (place & 128)
        writeId(chance(random, 0.4) && clock > 0 ? { client, clock: clock - 1 } : id(client, clock))
      if (place & 64) writeId(id(client, clock))
      if (place === 0) {
        if (chance(random, 0.5)) {
          number(slip(1, 2))
          string(
            chance(random, 0.9)
              ? pick(random, ["text", "array", "map", "xml"])
              : pick(random, ["", "new", slip(0, 1) ? "__proto__" : "n"]),
          )
        } else {
          number(0)
          writeId(id(client, clock))
        }
        if (key) string(chance(random, 0.99) ? pick(random, KEYS) : "__proto__")
      }
      let length = 1
      if (kind === 1) {
        length = slip(1 + below(random, 5), 0)
        number(length)
      } else if (kind === 2 || kind === 8) {
        length = slip(1 + below(random, 3), 0)
        number(length)
        for (let j = 0; j < length; j++) {
          if (kind === 8) encoding.writeAny(encoder, anyValue(random) as null)
          else
            string(
              chance(random, 0.98)
                ? pick(random, ["undefined", "null", "1", '"x"', '{"a":[]}'])
                : pick(random, ["", "{", '{"__proto__":1}', "[".repeat(70) + "]".repeat(70)]),
            )
        }
      } else if (kind === 3) {
        encoding.writeVarUint8Array(encoder, prng.uint8Array(random, below(random, 4)))
      } else if (kind === 4) {
        const text = slip(0, 1) ? "" : WORDS[below(random, WORDS.length)]!.toWellFormed()
        length = text.length
        string(text)
      } else if (kind === 5) {
        string(
          chance(random, 0.98)
            ? JSON.stringify(pick(random, [null, 1, "x", jsonValue(random)]))
            : "undefined",
        )
      } else if (kind === 6) {
        string(chance(random, 0.99) ? pick(random, MARKS) : "__proto__")
        string(pick(random, ["true", "null", '"red"', '{"href":"x"}']))
      } else if (kind === 7) {
        const type = slip(below(random, 7), 7, 200)
        number(type)
        if (type === 3 || type === 5) string(pick(random, ["p", ""]))
      } else if (kind === 9) {
        string(pick(random, ["guid", ""]))
        encoding.writeAny(
          encoder,
          chance(random, 0.97)
            ? ({ meta: anyValue(random), gc: chance(random, 0.5), autoLoad: anyValue(random) } as never)
            : (pick(random, [null, [1], { guid: 1 }, { gcFilter: 1 }]) as never),
        )
      }
      clock += length
    }
    written.set(client, Math.max(written.get(client) ?? 0, clock))
  }

  const deleters = shuffle(random, [...clients]).slice(0, pick(random, [0, 0, 1, 2]))
  number(slip(deleters.length, deleters.length + 1))
  for (const client of deleters) {
    number(client)
    const ranges: [number, number][] = []
    const reach = written.get(client) ?? 0
    for (let clock = below(random, reach + 1); clock < reach && ranges.length < 4; ) {
      const length = slip(1 + below(random, 4), 0)
      const fits = chance(random, 0.95) ? Math.min(length, reach - clock) : length
      ranges.push([clock, fits])
      clock += slip(fits, -1) + below(random, 3)
    }
    number(slip(ranges.length, ranges.length + 1))
    for (const [clock, length] of ranges) {
      number(Math.max(0, clock))
      number(length)
    }
  }
  return encoding.toUint8Array(encoder)
}

// ---- the desk

/** All of it was taken · some of it waits · none of it was. */
export type Fate = "accept" | "waiting" | "refuse"

/**
 * What a room does with updates, with nothing around it: vet, settle doubts with the document, apply what can be taken,
 * keep what waits until an id that it misses has arrived, and keep the state vector by the verdicts alone. Throws where
 * the vet's promise is broken.
 */
export class Desk {
  readonly doc: Y.Doc
  readonly known = new Map<number, number>()
  /** What was applied, as it was applied, in order. */
  readonly applied: Uint8Array[] = []
  readonly refusals: string[] = []
  #waiting: Waiting[] = []
  readonly #mayExtend: (client: number) => boolean

  constructor(
    doc = createDocument(),
    { mayExtend = () => true }: { mayExtend?: (client: number) => boolean } = {},
  ) {
    this.doc = doc
    this.#mayExtend = mayExtend
  }

  get waiting(): number {
    return this.#waiting.length
  }

  /** Take an update in, and then whatever waited for it. @returns what became of the update itself */
  receive(update: Uint8Array): Fate {
    const { fate, isNews } = this.#take(update)
    if (isNews) this.#lookAgain()
    return fate
  }

  #lookAgain(): void {
    for (let progress = true; progress; ) {
      progress = false
      const ready = this.#waiting.filter(({ missing }) => missing.some((id) => this.#isKnown(id)))
      this.#waiting = this.#waiting.filter((each) => !ready.includes(each))
      for (const { update } of ready) if (this.#take(update).isNews) progress = true
    }
  }

  #isKnown({ client, clock }: { client: number; clock: number }): boolean {
    return clock < (this.known.get(client) ?? 0)
  }

  #take(update: Uint8Array): { fate: Fate; isNews: boolean } {
    const verdict = vet(update, this.known, { mayExtend: this.#mayExtend })
    const reason =
      verdict.kind === "refuse"
        ? verdict.reason
        : verdict.doubts === undefined
          ? null
          : settleDoubts(verdict.doubts, this.doc)
    if (verdict.kind === "refuse" || reason !== null) {
      if (reason?.includes("should integrate") || reason?.startsWith("unreadable")) throw new Error(reason)
      this.refusals.push(reason ?? "")
      return { fate: "refuse", isNews: false }
    }
    checkVerdict(verdict, { known: this.known, mayExtend: this.#mayExtend })
    if (verdict.news !== null) this.#apply(verdict.news, verdict)
    if (verdict.waiting !== null) this.#waiting.push(verdict.waiting)
    return { fate: verdict.waiting === null ? "accept" : "waiting", isNews: verdict.news !== null }
  }

  #apply(news: Uint8Array, { doubts, sections }: Accepted): void {
    const { update } = capture(this.doc, () => Y.applyUpdate(this.doc, news))
    if (doubts === undefined) this.applied.push(news)
    else if (update !== null) this.applied.push(update)
    for (const { client, clock, end } of sections) {
      if (clock !== (this.known.get(client) ?? 0))
        throw new Error(`news of client ${client} begin at ${clock}`)
      if (Y.getState(this.doc.store, client) !== end)
        throw new Error(`client ${client}: said ${end}, is ${Y.getState(this.doc.store, client)}`)
      this.known.set(client, end)
    }
    if (this.doc.store.pendingStructs !== null || this.doc.store.pendingDs !== null)
      throw new Error("something accepted waits")
  }

  /** Throws unless the document is whole, is where the verdicts say, still works, and can be saved and loaded. */
  check(exact: boolean): void {
    checkWhole(this.doc)
    const state = stateOf(this.doc)
    for (const [client, clock] of this.known) {
      if (state.get(client) !== clock)
        throw new Error(`client ${client}: known ${clock}, is ${state.get(client)}`)
    }
    if (state.size !== this.known.size) throw new Error(`${this.known.size} clients known, are ${state.size}`)
    if (this.doc.store.pendingStructs !== null || this.doc.store.pendingDs !== null) {
      throw new Error("something accepted still waits")
    }
    const saved = Y.encodeStateAsUpdate(this.doc)
    const loaded = load(saved)
    checkSame(loaded, this.doc, exact)
    const again = vet(saved, new Map())
    if (again.kind !== "accept" || again.news !== saved || again.waiting !== null)
      throw new Error(`the saved state is vetted ${JSON.stringify(again)}`)
  }
}

/** Throws unless the parts of a verdict fit together, whatever the update. */
function checkVerdict(
  { news, sections, deletes, waiting, weight }: Accepted,
  { known, mayExtend }: { known: Clocks; mayExtend: (client: number) => boolean },
): void {
  if ((news === null) !== (sections.length === 0 && !deletes))
    throw new Error("news without anything, or the reverse")
  if (news !== null && !(weight >= 0)) throw new Error(`a weight of ${weight}`)
  if (waiting === null) return
  if (waiting.missing.length === 0) throw new Error("something waits for nothing")
  const reached = new Map([...known, ...sections.map(({ client, end }) => [client, end] as const)])
  for (const { client, clock } of waiting.missing) {
    if (clock < (reached.get(client) ?? 0))
      throw new Error(`clock ${clock} of ${client} is missing, and here`)
  }
  const again = vet(waiting.update, reached, { mayExtend })
  if (again.kind === "refuse") return
  if (again.news !== null) throw new Error("something of what waits could have been taken")
  if (again.waiting === null) throw new Error("what waits is nothing")
}

/** Throws if a transaction was left open, or its cleanup unfinished. */
export function checkWhole(doc: Y.Doc): void {
  if (doc._transaction !== null) throw new Error("the document is stuck in a transaction")
  if (doc._transactionCleanups.length > 0) throw new Error("the document is stuck in its cleanups")
}

/**
 * Throws unless two documents hold the same structs, both can be exported, and, when `exact`, read the same. Nonsense
 * that names neighbours in an impossible order ends up in an order that depends on the way it came in.
 */
export function checkSame(one: Y.Doc, other: Y.Doc, exact: boolean): void {
  const [state, otherState] = [one, other].map((doc) =>
    JSON.stringify([...stateOf(doc)].sort(([a], [b]) => a - b)),
  )
  if (state !== otherState) throw new Error(`different states: ${state} and ${otherState}`)
  const [content, otherContent] = [contentOf(one), contentOf(other)] as const
  if (exact && content !== otherContent) throw new Error(differ("different contents", content, otherContent))
}

export function stateOf(doc: Y.Doc): Map<number, number> {
  return Y.decodeStateVector(Y.encodeStateVector(doc))
}

/** A fresh document with this state, checked to be whole. */
export function load(state: Uint8Array): Y.Doc {
  const doc = createDocument()
  Y.applyUpdate(doc, state)
  checkWhole(doc)
  return doc
}

/** Everything the four roots hold, as text that is equal for equal documents. */
export function contentOf(doc: Y.Doc): string {
  // A copy: reading a root as a kind fixes that kind.
  const copy = load(Y.encodeStateAsUpdate(doc))
  return JSON.stringify(rootsOf(copy).map(plain))
}

/** A shared type as plain JSON; unlike Yjs' toJSON it takes any content in any type. */
function plain(value: unknown): unknown {
  if (value instanceof Y.Text) return [value.toDelta().map(plain), plain(value.getAttributes())]
  if (value instanceof Y.XmlHook) return [value.hookName, [...value.entries()].sort(byKey).map(plain)]
  if (value instanceof Y.Map) return [...value.entries()].sort(byKey).map(plain)
  if (value instanceof Y.XmlElement)
    return [value.nodeName, plain(value.getAttributes()), value.toArray().map(plain)]
  if (value instanceof Y.XmlFragment || value instanceof Y.Array) return value.toArray().map(plain)
  if (value instanceof Y.Doc) return ["doc", value.guid, plain(value.meta)]
  // Yjs replaces both halves of a pair that is split where a client typed: in which documents depends on the order.
  if (typeof value === "string") return value.replace(/[\ud800-\udfff]/g, "\ufffd")
  if (value instanceof Uint8Array) return ["bytes", ...value]
  if (typeof value === "bigint" || typeof value === "number") return `${typeof value} ${value}`
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value === "object" && value !== null) return Object.entries(value).sort(byKey).map(plain)
  return value === undefined ? "undefined" : value
}

function byKey([a]: [string, unknown], [b]: [string, unknown]): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** A client with typed roots whose observers read everything an event can tell, as an editor binding does. */
export function watchful(): { doc: Y.Doc; events: () => number } {
  const doc = new Y.Doc()
  let events = 0
  for (const root of rootsOf(doc)) {
    root.observeDeep((list) => {
      for (const event of list) {
        events += event.changes.delta.length + event.changes.keys.size + event.path.length + 1
        if (event instanceof Y.YTextEvent) events += event.delta.length
      }
    })
  }
  return { doc, events: () => events }
}

// ---- runs

export interface Counts {
  honest: number
  hostile: number
  accepted: number
  waiting: number
  refused: number
}

export const noCounts = (): Counts => ({ honest: 0, hostile: 0, accepted: 0, waiting: 0, refused: 0 })

/** The same updates in the same order, now and then some that are far from each other merged into one. */
function inGroups(random: Random, updates: readonly Uint8Array[]): Uint8Array[] {
  if (chance(random, 0.5)) return [...updates]
  const groups: Uint8Array[][] = []
  for (const update of updates) {
    if (groups.length > 0 && chance(random, 0.4)) pick(random, groups).push(update)
    else groups.push([update])
  }
  return groups.map((group) => Y.mergeUpdates(group))
}

/**
 * One honest history, shuffled, doubled and merged in groups, through a desk. Throws if anything is refused, if the desk does not end
 * where the authors are, or if a client that only ever saw merged batches does not.
 */
export function runHonest(random: Random, counts: Counts): void {
  const { updates, derived, docs } = honestHistory(random, { clients: 2 + below(random, 4), steps: 40 })
  const desk = new Desk()
  const follower = new Follower(random)
  const all = [...updates, ...derived]
  const order = chance(random, 0.2)
    ? all
    : shuffle(random, [...all, ...all.slice(0, below(random, all.length + 1))])
  const states = docs.map((doc) => Y.encodeStateAsUpdate(doc))
  for (const update of [...inGroups(random, order), ...states]) {
    counts.honest++
    if (desk.receive(update) === "refuse")
      throw new Error(`an honest update was refused: ${desk.refusals.at(-1)}`)
    follower.follow(desk)
  }
  desk.check(true)
  follower.catchUp(desk)
  if (desk.waiting > 0) throw new Error(`${desk.waiting} honest updates still wait`)
  const plain = createDocument()
  for (const update of [...order, ...states]) Y.applyUpdate(plain, update)
  checkSame(desk.doc, plain, true)
  checkSame(desk.doc, follower.doc, true)
}

/**
 * Hostile updates through a desk, with honest ones in between. Throws if one that was accepted breaks a promise: in
 * the desk's document, in a client that reads every event, or in one that only ever sees merged batches.
 */
export function runHostile(random: Random, counts: Counts): void {
  const { updates, derived } = honestHistory(random, { clients: 2 + below(random, 2), steps: 15 })
  const pool = [...updates, ...derived, EMPTY_UPDATE]
  const desk = new Desk(new Y.Doc({ gc: chance(random, 0.9) }))
  const peer = watchful()
  const follower = new Follower(random)
  let relayed = 0
  let honest = 0
  for (let attack = 0; attack < 200; attack++) {
    if (chance(random, 0.2) && honest < updates.length) desk.receive(updates[honest++]!)
    const update = chance(random, 0.4)
      ? mutate(random, pick(random, pool), pick(random, pool))
      : craft(random, desk.known)
    counts.hostile++
    const kind = desk.receive(update)
    if (kind === "refuse") counts.refused++
    else if (kind === "waiting") counts.waiting++
    else counts.accepted++
    while (relayed < desk.applied.length) {
      Y.applyUpdate(peer.doc, desk.applied[relayed++]!)
      checkWhole(peer.doc)
    }
    checkWhole(desk.doc)
    follower.follow(desk)
  }
  desk.check(false)
  // Honest work goes on: what the peer types reaches the desk, and what it types reaches its observers.
  for (const root of rootsOf(peer.doc)) {
    const before = Y.encodeStateVector(peer.doc)
    const seen = peer.events()
    if (root instanceof Y.Text) root.insert(0, "after all")
    else if (root instanceof Y.Map) root.set("after", "all")
    else root.insert(0, [new Y.XmlText("after all")])
    if (peer.events() === seen) throw new Error("the peer's observers are silent")
    const kind = desk.receive(Y.encodeStateAsUpdate(peer.doc, before))
    if (kind !== "accept")
      throw new Error(`an honest edit is "${kind}" after it all: ${desk.refusals.at(-1)}`)
    checkWhole(peer.doc)
  }
  desk.check(false)
  checkSame(peer.doc, desk.doc, false)
  follower.catchUp(desk)
  checkSame(follower.doc, desk.doc, false)
}

/** A client that gets what a desk applied in merged batches only, each vetted again where the client stands. */
class Follower {
  readonly doc = createDocument()
  readonly #random: Random
  #known = new Map<number, number>()
  #from = 0

  constructor(random: Random) {
    this.#random = random
  }

  /** Takes a batch now and then. */
  follow(desk: Desk): void {
    if (chance(this.#random, 0.15)) this.catchUp(desk)
  }

  catchUp(desk: Desk): void {
    const batch = desk.applied.slice(this.#from)
    if (batch.length === 0) return
    this.#from = desk.applied.length
    const merged = Y.mergeUpdates(batch)
    const verdict = vet(merged, this.#known)
    if (verdict.kind !== "accept" || verdict.news !== merged)
      throw new Error(`a merged batch is vetted ${JSON.stringify(verdict)}`)
    for (const { client, end } of verdict.sections) this.#known.set(client, end)
    if (this.#known.size !== desk.known.size) throw new Error("the merged batch lacks a client")
    for (const [client, clock] of desk.known) {
      if (this.#known.get(client) !== clock)
        throw new Error(`the merged batch ends elsewhere for client ${client}`)
    }
    Y.applyUpdate(this.doc, merged)
    checkWhole(this.doc)
  }
}

function differ(what: string, a: string, b: string): string {
  let at = 0
  while (at < a.length && a[at] === b[at]) at++
  return `${what}: ${a.slice(Math.max(0, at - 30), at + 30)} against ${b.slice(Math.max(0, at - 30), at + 30)}`
}
