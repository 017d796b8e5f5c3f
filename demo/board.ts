/**
 * The board a drawing is shown on: pan, zoom, and two canvases.
 *
 * Finished strokes lie on the lower canvas and are painted once; a stroke that grows is painted on the upper one,
 * each frame anew. So a drawing of a thousand strokes costs as much per frame as the one stroke that is drawn.
 */
import { el } from "./element.ts"
import { type Bounds, boundsOfAll, type Place } from "./geometry.ts"
import type { Drawing, Sketch } from "./strokes.ts"

/** A stroke that has not grown for this long is finished, ms. */
const FINISHED_AFTER_MS = 400
/** If painting everything takes longer than this, ms, a moving board shows the old picture shifted, and paints at intervals. */
const FRAME_BUDGET_MS = 34
const MOVING_REPAINT_MS = 150
const ZOOM_RANGE = [0.1, 8] as const
const MARGIN = 40

/** The two canvases, and the view of the drawing that they show. */
export class Board {
  readonly element: HTMLElement
  readonly #drawing: Drawing
  readonly #colorOf: (color: string) => string
  readonly #lower = el("canvas")
  readonly #upper = el("canvas")
  readonly #watchers = new Set<() => void>()
  /** The growing strokes, and when each last grew. */
  readonly #growing = new Map<Sketch, number>()
  /** How many strokes, from the bottom, are on the lower canvas. */
  #painted = 0
  #width = 0
  #height = 0
  /** The place of the drawing at the centre of the board, and how many px of the screen one of its px takes. */
  #view = { x: 0, y: 0, zoom: 1 }
  /** The view the lower canvas was painted for. */
  #paintedView = this.#view
  /** How long the last whole painting took, ms. While one is being measured, `#wholeAt` is when it began. */
  #wholeMs = 0
  #wholeAt = 0
  #repaintAt = 0
  #upperIsEmpty = true
  #frame = 0

  /**
   * @param element holds the canvases, and is as large as the board is to be
   * @param colorOf the colour on this screen of a colour in the document
   */
  constructor(element: HTMLElement, drawing: Drawing, colorOf: (color: string) => string) {
    this.element = element
    this.#drawing = drawing
    this.#colorOf = colorOf
    element.prepend(this.#lower, this.#upper)
    // Focusable, so that the arrow keys can move the board.
    element.tabIndex = 0
    element.role = "application"
    element.ariaLabel = "The drawing"
    new ResizeObserver(() => this.#resize()).observe(element)
    this.#resize()
    drawing.onChange(({ touched, rearranged }) => {
      const now = performance.now()
      for (const sketch of touched) this.#growing.set(sketch, now)
      // What lies below can only be painted over: a change there starts from a clean canvas.
      const below = drawing.sketches.slice(0, this.#painted)
      if (rearranged || below.some((sketch) => touched.has(sketch))) this.#painted = 0
      this.#schedule()
    })
  }

  get zoom(): number {
    return this.#view.zoom
  }

  /** Be told when the view has moved. */
  onView(watcher: () => void): void {
    this.#watchers.add(watcher)
  }

  /** The place of the drawing under a point of the board. */
  placeAt(point: Place): Place {
    const { x, y, zoom } = this.#view
    return { x: (point.x - this.#width / 2) / zoom + x, y: (point.y - this.#height / 2) / zoom + y }
  }

  /** The point of the board where a place of the drawing is. */
  pointOf(place: Place): Place {
    const { x, y, zoom } = this.#view
    return { x: (place.x - x) * zoom + this.#width / 2, y: (place.y - y) * zoom + this.#height / 2 }
  }

  /** Look at the same place as another board of this size does. */
  lookAs(other: Board): void {
    this.#look(other.#view)
  }

  /** Move the picture by so many px of the screen. */
  pan(dx: number, dy: number): void {
    const { x, y, zoom } = this.#view
    this.#look({ x: x - dx / zoom, y: y - dy / zoom, zoom })
  }

  /** Zoom by a factor around a point of the board (default: its centre), which keeps its place of the drawing. */
  zoomBy(factor: number, point: Place = { x: this.#width / 2, y: this.#height / 2 }): void {
    const place = this.placeAt(point)
    const zoom = Math.max(ZOOM_RANGE[0], Math.min(ZOOM_RANGE[1], this.#view.zoom * factor))
    this.#look({
      x: place.x - (point.x - this.#width / 2) / zoom,
      y: place.y - (point.y - this.#height / 2) / zoom,
      zoom,
    })
  }

  /** Show the whole drawing, never larger than it was drawn. */
  fit(): void {
    const bounds = boundsOfAll(this.#drawing.pieces)
    if (bounds === undefined) {
      this.#look({ x: 0, y: 0, zoom: 1 })
      return
    }
    const { left, top, right, bottom } = bounds
    const margin = Math.min(MARGIN, this.#width / 12)
    const across = (this.#width - 2 * margin) / Math.max(1, right - left)
    const down = (this.#height - 2 * margin) / Math.max(1, bottom - top)
    const zoom = Math.max(ZOOM_RANGE[0], Math.min(1, across, down))
    this.#look({ x: (left + right) / 2, y: (top + bottom) / 2, zoom })
  }

  /** Paint everything again: the colours have changed. */
  repaint(): void {
    this.#painted = 0
    this.#schedule()
  }

  /** Count all strokes as finished: none of them is growing any more. */
  settle(): void {
    this.#growing.clear()
    this.#schedule()
  }

  #look(view: { x: number; y: number; zoom: number }): void {
    this.#view = view
    this.#schedule()
    for (const watcher of this.#watchers) watcher()
  }

  #resize(): void {
    const { width, height } = this.element.getBoundingClientRect()
    this.#width = width
    this.#height = height
    for (const canvas of [this.#lower, this.#upper]) {
      canvas.width = Math.round(width * devicePixelRatio)
      canvas.height = Math.round(height * devicePixelRatio)
    }
    this.#painted = 0
    this.#paint()
    for (const watcher of this.#watchers) watcher()
  }

  #schedule(): void {
    if (this.#frame === 0) this.#frame = requestAnimationFrame(() => this.#paint())
  }

  #paint(): void {
    this.#frame = 0
    const now = performance.now()
    // The canvas is rasterized after the script that paints it: the time to the next frame is what it cost.
    if (this.#wholeAt > 0) this.#wholeMs = now - this.#wholeAt
    this.#wholeAt = 0
    for (const [sketch, grewAt] of this.#growing) {
      if (now - grewAt > FINISHED_AFTER_MS) this.#growing.delete(sketch)
    }
    this.#paintLower(now)
    this.#paintUpper()
    if (this.#growing.size > 0 || this.#view !== this.#paintedView || this.#wholeAt > 0) this.#schedule()
  }

  #paintLower(now: number): void {
    const { sketches } = this.#drawing
    const moved = this.#view !== this.#paintedView
    if (moved && this.#painted > 0 && this.#wholeMs > FRAME_BUDGET_MS && now < this.#repaintAt) {
      this.#lower.style.transform = this.#transformFrom(this.#paintedView)
      return
    }
    const context = this.#lower.getContext("2d")!
    if (moved || this.#painted === 0) {
      clear(context)
      this.#painted = 0
      this.#paintedView = this.#view
      this.#lower.style.transform = ""
    }
    const isWhole = this.#painted === 0
    // A growing stroke stays above until it is finished, and so do those over it.
    while (this.#painted < sketches.length && !this.#growing.has(sketches[this.#painted]!)) {
      this.#fill(context, sketches[this.#painted]!)
      this.#painted += 1
    }
    if (!isWhole) return
    this.#wholeAt = now
    this.#repaintAt = now + MOVING_REPAINT_MS
  }

  #paintUpper(): void {
    const above = this.#drawing.sketches.slice(this.#painted)
    if (above.length === 0 && this.#upperIsEmpty) return
    const context = this.#upper.getContext("2d")!
    clear(context)
    for (const sketch of above) this.#fill(context, sketch)
    this.#upperIsEmpty = above.length === 0
  }

  #fill(context: CanvasRenderingContext2D, sketch: Sketch): void {
    if (!this.#isVisible(sketch.bounds)) return
    const { x, y, zoom } = this.#view
    const scale = zoom * devicePixelRatio
    const { width, height } = context.canvas
    context.setTransform(scale, 0, 0, scale, width / 2 - x * scale, height / 2 - y * scale)
    context.fillStyle = this.#colorOf(sketch.color)
    context.fill(sketch.path)
  }

  #isVisible({ left, top, right, bottom }: Bounds): boolean {
    const start = this.placeAt({ x: 0, y: 0 })
    const end = this.placeAt({ x: this.#width, y: this.#height })
    return right >= start.x && left <= end.x && bottom >= start.y && top <= end.y
  }

  /** The CSS transform that moves a picture painted for an older view to its position in the present one. */
  #transformFrom(old: { x: number; y: number; zoom: number }): string {
    const { x, y, zoom } = this.#view
    const scale = zoom / old.zoom
    return `translate(${(old.x - x) * zoom}px, ${(old.y - y) * zoom}px) scale(${scale})`
  }
}

function clear(context: CanvasRenderingContext2D): void {
  context.resetTransform()
  context.clearRect(0, 0, context.canvas.width, context.canvas.height)
}
