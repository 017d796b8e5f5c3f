/**
 * A drawing in a document: a Y.Array "strokes" of Y.Maps `{id, color, width, points}`.
 *
 * `points` is a Y.Array of integers, three a point: x and y in tenths of a px, pressure 0–1000. One push an
 * animation frame is one small update, and Yjs keeps a run of pushes as one item. Who moves a stroke sets `at`, by how
 * much in px. What lies beside the strokes is in things.ts.
 */
import * as Y from "yjs"
import { outlinePath, type Stroke, shiftPoints, strokeOutline } from "./draw-stroke.ts"
import type { Bounds, Place } from "./geometry.ts"
import { mayUndo } from "./own-words.ts"
import { type Thing, Things } from "./things.ts"

/** What changed, for whoever shows the drawing. */
export interface Change {
  /** Strokes that are new or have grown. */
  readonly touched: ReadonlySet<Sketch>
  /** Whether strokes are gone or new ones lie between others, so that the picture on the screen has to be painted anew. */
  readonly rearranged: boolean
}

/** A wider stroke in a document is shown as this wide, px: others may have written anything. */
const WIDTH_LIMIT = 200

/** One stroke of the document. Its shape is worked out when it is needed and kept until it grows. */
export class Sketch {
  readonly map: Y.Map<unknown>
  readonly width: number
  #shape: { path: Path2D; bounds: Bounds } | null = null

  constructor(map: Y.Map<unknown>) {
    const width = map.get("width")
    this.map = map
    this.width = typeof width === "number" && width > 0 ? Math.min(width, WIDTH_LIMIT) : 1
  }

  get color(): string {
    const color = this.map.get("color")
    return typeof color === "string" && /^#[0-9a-f]{6}$/i.test(color) ? color : "#1f1b18"
  }

  get points(): readonly number[] {
    const points = this.map.get("points")
    const numbers: unknown[] = points instanceof Y.Array ? points.toArray() : []
    return numbers.every(Number.isSafeInteger) ? shiftPoints(numbers as number[], this.map.get("at")) : []
  }

  /** By how much it was moved since it was drawn. */
  get at(): Place {
    const at = this.map.get("at")
    const [x, y] = Array.isArray(at) ? (at as unknown[]) : []
    return typeof x === "number" && typeof y === "number" ? { x, y } : { x: 0, y: 0 }
  }

  get path(): Path2D {
    return this.#work().path
  }

  get bounds(): Bounds {
    return this.#work().bounds
  }

  /** Its points or its place have changed. */
  grow(): void {
    this.#shape = null
  }

  /** Whether its line passes within `distance` px of a place. */
  isNear(x: number, y: number, distance: number): boolean {
    const reach = distance + this.width / 2
    const { left, top, right, bottom } = this.bounds
    if (x < left - distance || x > right + distance || y < top - distance || y > bottom + distance)
      return false
    const { points } = this
    for (let i = 0; i + 2 < points.length; i += 3) {
      const from = Math.max(0, i - 3)
      if (distanceToLine([x, y], at(points, from), at(points, i)) <= reach) return true
    }
    return false
  }

  #work(): { path: Path2D; bounds: Bounds } {
    if (this.#shape === null) {
      const outline = strokeOutline(this)
      this.#shape = { path: new Path2D(outlinePath(outline)), bounds: boundsOf(outline) }
    }
    return this.#shape
  }
}

/** All strokes of a document, the changes that can be made to them, and their undo. */
export class Drawing {
  readonly things: Things
  readonly #doc: Y.Doc
  readonly #strokes: Y.Array<unknown>
  readonly #undo: Y.UndoManager
  readonly #listeners = new Set<(change: Change) => void>()
  /** The sketches, by the Y.Map that holds each. */
  readonly #known = new Map<unknown, Sketch>()
  #sketches: Sketch[] = []

  constructor(doc: Y.Doc) {
    this.#doc = doc
    this.#strokes = doc.getArray("strokes")
    this.things = new Things(doc, this)
    // Undo takes back only changes made through this object; a step lasts from one `beginStep` to the next.
    this.#undo = new Y.UndoManager([this.#strokes, this.things.map], {
      trackedOrigins: new Set([this]),
      captureTimeout: 1e9,
      deleteFilter: (item) => mayUndo(item, doc.clientID),
    })
    this.#strokes.observeDeep((events) => this.#changed(events))
    this.#list()
  }

  /** Bottom to top. */
  get sketches(): readonly Sketch[] {
    return this.#sketches
  }

  /** All that can be selected, bottom to top. */
  get pieces(): readonly (Thing | Sketch)[] {
    return [...this.things.list, ...this.#sketches]
  }

  get canUndo(): boolean {
    return this.#undo.canUndo()
  }

  get canRedo(): boolean {
    return this.#undo.canRedo()
  }

  onChange(listener: (change: Change) => void): void {
    this.#listeners.add(listener)
  }

  /** Be told when there is something else to undo or redo. */
  onHistory(listener: () => void): void {
    for (const event of ["stack-item-added", "stack-item-popped", "stack-cleared"] as const) {
      this.#undo.on(event, listener)
    }
  }

  /** What follows is one step to undo, however many transactions it takes. */
  beginStep(): void {
    this.#undo.stopCapturing()
  }

  /** Put a stroke on top. @returns a function that makes it longer */
  add(stroke: Stroke): (points: readonly number[]) => void {
    const points = new Y.Array<number>()
    this.#doc.transact(() => writeStroke(this.#strokes, stroke, points), this)
    return (more) => this.#doc.transact(() => points.push([...more]), this)
  }

  erase(sketches: ReadonlySet<Sketch>): void {
    if (sketches.size === 0) return
    const maps = new Set([...sketches].map(({ map }) => map))
    this.#doc.transact(() => {
      for (let i = this.#strokes.length - 1; i >= 0; i--) {
        if (maps.has(this.#strokes.get(i) as Y.Map<unknown>)) this.#strokes.delete(i)
      }
    }, this)
  }

  undo(): void {
    this.#undo.undo()
  }

  redo(): void {
    this.#undo.redo()
  }

  #changed(events: readonly { readonly target: { readonly parent: unknown } }[]): void {
    const before = this.#sketches
    const touched = new Set<Sketch>()
    if (events.some(({ target }) => target === this.#strokes)) {
      this.#list()
      const old = new Set(before)
      for (const sketch of this.#sketches) if (!old.has(sketch)) touched.add(sketch)
    }
    for (const { target } of events) {
      const sketch = this.#known.get(target) ?? this.#known.get(target.parent)
      if (sketch === undefined) continue
      sketch.grow()
      touched.add(sketch)
    }
    const rearranged = before.some((sketch, index) => this.#sketches[index] !== sketch)
    for (const listener of this.#listeners) listener({ touched, rearranged })
  }

  #list(): void {
    const maps = this.#strokes.toArray().filter((value) => value instanceof Y.Map)
    this.#sketches = maps.map((map) => this.#known.get(map) ?? new Sketch(map))
    this.#known.clear()
    for (const sketch of this.#sketches) this.#known.set(sketch.map, sketch)
  }
}

/** Write a stroke into a document's list; inside a transaction. */
export function writeStroke(
  strokes: Y.Array<unknown>,
  { color, width, points: numbers }: Stroke,
  points: Y.Array<number> = new Y.Array(),
): void {
  const map = new Y.Map<unknown>()
  map.set("id", `${strokes.doc?.clientID.toString(36)}-${strokes.length}`)
  map.set("color", color)
  map.set("width", width)
  map.set("points", points)
  points.push([...numbers])
  strokes.push([map])
}

function boundsOf(outline: readonly (readonly [x: number, y: number])[]): Bounds {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity]
  for (const [x, y] of outline) {
    left = Math.min(left, x)
    top = Math.min(top, y)
    right = Math.max(right, x)
    bottom = Math.max(bottom, y)
  }
  return { left, top, right, bottom }
}

function at(points: readonly number[], index: number): [x: number, y: number] {
  return [points[index]! / 10, points[index + 1]! / 10]
}

function distanceToLine(
  [x, y]: [number, number],
  [ax, ay]: [number, number],
  [bx, by]: [number, number],
): number {
  const length = (bx - ax) ** 2 + (by - ay) ** 2
  const along =
    length === 0 ? 0 : Math.max(0, Math.min(1, ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length))
  return Math.hypot(x - ax - along * (bx - ax), y - ay - along * (by - ay))
}
