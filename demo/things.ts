/**
 * What lies on the board beside the strokes: a Y.Map "things", by id, of Y.Maps `{kind, at, size, color, layer, text}`.
 *
 * `at` and `size` are one value each, so that of two people who move a thing at once one wins, whole. `text` is a Y.Text: two
 * people can write in one note. `layer` is a position (position.ts): what has a greater one lies on top.
 */
import * as Y from "yjs"
import type { Bounds, Place } from "./geometry.ts"
import { positionBetween } from "./position.ts"

/** What a thing can be. */
export const KINDS = ["box", "ellipse", "arrow", "text", "note"] as const

/** One of them. */
export type Kind = (typeof KINDS)[number]

/** A thing as the document has it: lengths in px of the drawing. */
export interface ThingLook {
  readonly kind: Kind
  readonly at: Place
  /** Of an arrow, from its tail to its head; it can point anywhere. Of a text, nothing: it is as large as its words. */
  readonly size: Place
  /** `#rrggbb`. */
  readonly color: string
  readonly layer: string
  readonly words: string
}

/** How large a thing is that was not drawn larger, px. */
export const USUAL_SIZE: Readonly<Record<Kind, Place>> = {
  box: { x: 160, y: 100 },
  ellipse: { x: 160, y: 100 },
  arrow: { x: 140, y: 0 },
  text: { x: 0, y: 0 },
  note: { x: 180, y: 140 },
}

/** Of the words on a board, px. @source draw.css */
export const FONT_PX = 18
export const LINE_PX = 26
/** How wide a letter is about, where nothing can measure it. A guess. */
export const LETTER_PX = 9.5

/** Further away from the middle, or larger, nothing is shown, px: others may have written any number. */
const REACH = 1e6

/** One thing of the document. */
export class Thing {
  readonly id: string
  readonly map: Y.Map<unknown>
  /** How large its words are on this screen, px of the drawing, once somebody has measured. */
  measured: Place | null = null

  constructor(id: string, map: Y.Map<unknown>) {
    this.id = id
    this.map = map
  }

  get look(): ThingLook {
    return readThing(this.map)!
  }

  get at(): Place {
    return this.look.at
  }

  get text(): Y.Text {
    return this.map.get("text") as Y.Text
  }

  get bounds(): Bounds {
    return boundsOfThing(this.look, this.measured)
  }

  /** Whether a place is on it, or so near. */
  isNear(x: number, y: number, distance: number): boolean {
    const { kind, at, size } = this.look
    const { left, top, right, bottom } = this.bounds
    if (x < left - distance || x > right + distance || y < top - distance || y > bottom + distance)
      return false
    if (kind !== "arrow") return true
    const length = Math.hypot(size.x, size.y) || 1
    return Math.abs((x - at.x) * size.y - (y - at.y) * size.x) / length <= distance + 6
  }
}

/** All things of a document, and the changes that can be made to them. */
export class Things {
  readonly map: Y.Map<unknown>
  readonly #doc: Y.Doc
  readonly #origin: unknown
  readonly #listeners = new Set<() => void>()
  readonly #known = new Map<string, Thing>()
  #list: readonly Thing[] = []

  /** @param origin of all changes, for an undo manager */
  constructor(doc: Y.Doc, origin: unknown) {
    this.#doc = doc
    this.#origin = origin
    this.map = doc.getMap("things")
    this.map.observeDeep(() => {
      this.#read()
      for (const listener of this.#listeners) listener()
    })
    this.#read()
  }

  /** Bottom to top. */
  get list(): readonly Thing[] {
    return this.#list
  }

  onChange(listener: () => void): void {
    this.#listeners.add(listener)
  }

  /** Put a new thing on top. */
  add(kind: Kind, color: string, at: Place): Thing {
    const id = crypto.randomUUID()
    const layer = positionBetween(this.#list.at(-1)?.look.layer ?? "")
    this.#doc.transact(() => {
      const map = new Y.Map<unknown>(Object.entries({ kind, color, layer, at: pair(at), size: [0, 0] }))
      map.set("text", new Y.Text())
      this.map.set(id, map)
    }, this.#origin)
    return this.#known.get(id)!
  }

  resize({ map }: Thing, size: Place): void {
    this.#doc.transact(() => map.set("size", pair(size)), this.#origin)
  }

  recolor(things: Iterable<{ readonly map: Y.Map<unknown> }>, color: string): void {
    this.#doc.transact(() => {
      for (const { map } of things) map.set("color", color)
    }, this.#origin)
  }

  /** Of things and strokes alike: put each at its place. */
  place(places: ReadonlyMap<{ readonly map: Y.Map<unknown> }, Place>): void {
    this.#doc.transact(() => {
      for (const [{ map }, at] of places) map.set("at", pair(at))
    }, this.#origin)
  }

  erase(things: Iterable<Thing>): void {
    this.#doc.transact(() => {
      for (const { id } of things) this.map.delete(id)
    }, this.#origin)
  }

  #read(): void {
    for (const [id, value] of this.map) {
      const known = this.#known.get(id)
      if (!(value instanceof Y.Map) || readThing(value) === undefined) this.#known.delete(id)
      else if (known?.map !== value) this.#known.set(id, new Thing(id, value))
    }
    for (const id of this.#known.keys()) if (!this.map.has(id)) this.#known.delete(id)
    this.#list = [...this.#known.values()].sort((a, b) => inOrder([a.look.layer, a.id], [b.look.layer, b.id]))
  }
}

/** A thing as others have written it; undefined where it is none. */
export function readThing(map: Y.Map<unknown>): ThingLook | undefined {
  const kind = KINDS.find((each) => each === map.get("kind"))
  const text = map.get("text")
  const [at, size] = [readPair(map.get("at")), readPair(map.get("size"))]
  if (kind === undefined || at === undefined || size === undefined || !(text instanceof Y.Text))
    return undefined
  const color = map.get("color")
  const layer = map.get("layer")
  return {
    kind,
    at,
    size: kind === "arrow" ? size : { x: Math.abs(size.x), y: Math.abs(size.y) },
    color: typeof color === "string" && /^#[0-9a-f]{6}$/i.test(color) ? color : "#1f1b18",
    layer: typeof layer === "string" && /^[0-9A-Za-z]{1,500}$/.test(layer) ? layer : "",
    words: text.toString(),
  }
}

/** The box around a thing, px. @param measured its words on a screen; default: a guess */
export function boundsOfThing(look: ThingLook, measured: Place | null = null): Bounds {
  const { kind, at, size, words } = look
  const lines = words.split("\n")
  const letters = Math.max(...lines.map((line) => line.length))
  const extent = measured ?? { x: Math.max(1, letters) * LETTER_PX, y: lines.length * LINE_PX }
  let { x, y } = size
  if (kind === "text") ({ x, y } = extent)
  if (kind === "note" && measured !== null) y = Math.max(y, measured.y)
  return {
    left: Math.min(at.x, at.x + x),
    top: Math.min(at.y, at.y + y),
    right: Math.max(at.x, at.x + x),
    bottom: Math.max(at.y, at.y + y),
  }
}

function inOrder(a: readonly [string, string], b: readonly [string, string]): number {
  const index = a[0] === b[0] ? 1 : 0
  return a[index]! < b[index]! ? -1 : 1
}

function pair({ x, y }: Place): [number, number] {
  return [Math.round(x), Math.round(y)]
}

function readPair(value: unknown): Place | undefined {
  const [x, y] = Array.isArray(value) ? (value as unknown[]) : []
  const isLength = (number: unknown): number is number =>
    typeof number === "number" && Math.abs(number) <= REACH
  return isLength(x) && isLength(y) ? { x, y } : undefined
}
