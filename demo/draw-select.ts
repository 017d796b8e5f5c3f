/**
 * What is selected on the board, strokes and things alike, and the gestures of the tools that select and that put things on
 * the board.
 *
 *     click, Shift + click      select one, one more       drag on nothing       a frame around what is to be selected
 *     drag on one               move all that is selected  drag at its corner    make a thing larger or smaller
 *     double click, Enter       write in it                Delete, arrow keys    erase, move
 */
import type { Board } from "./board.ts"
import type { Tools } from "./draw-tools.ts"
import { el, isTyping } from "./element.ts"
import type { Bounds, Place } from "./geometry.ts"
import type { Gesture } from "./gesture.ts"
import { type Drawing, Sketch } from "./strokes.ts"
import { KINDS, type Kind, Thing, USUAL_SIZE } from "./things.ts"
import type { ThingsLayer } from "./things-layer.ts"

type Piece = Thing | Sketch

/** How near a pointer has to come, and how far it has to go to be more than a click, px of the screen. */
const NEAR_PX = 8
const CLICK_PX = 5
/** Around the corner by which a thing is made larger, px of the screen. */
const HANDLE_PX = 14
/** What is moved or made larger is told to others at most this often, ms. */
const TELL_EVERY_MS = 60
/** Nothing can be made smaller, px of the drawing. */
const LEAST_PX = 24
/** The keyboard's steps, px of the drawing; with Shift the fine one. */
const STEP_PX = { coarse: 10, fine: 1 } as const
const ARROWS: Readonly<Record<string, Place>> = {
  ArrowLeft: { x: -1, y: 0 },
  ArrowRight: { x: 1, y: 0 },
  ArrowUp: { x: 0, y: -1 },
  ArrowDown: { x: 0, y: 1 },
}

/** The selection of this page; nobody else sees it. */
export class Selection {
  readonly #board: Board
  readonly #drawing: Drawing
  readonly #tools: Tools
  readonly #layer: ThingsLayer
  readonly #frames = el("div", { class: "frames", "aria-hidden": "true" })
  readonly #voice = el("p", { class: "unseen", role: "status", "aria-live": "polite" })
  #pieces: ReadonlySet<Piece> = new Set()
  #lastClick = { at: 0, piece: null as Piece | null }

  constructor(board: Board, parts: { drawing: Drawing; tools: Tools; layer: ThingsLayer }) {
    this.#board = board
    this.#drawing = parts.drawing
    this.#tools = parts.tools
    this.#layer = parts.layer
    board.element.append(this.#frames)
    document.body.append(this.#voice)
    board.onView(() => this.#show())
    this.#drawing.onChange(() => this.#show())
    this.#drawing.things.onChange(() => this.#show())
    this.#tools.onColor = (color) => {
      if (this.#pieces.size === 0) return
      this.#drawing.beginStep()
      this.#drawing.things.recolor(this.#pieces, color)
      board.repaint()
    }
    // Before the board's own keys, which move the view.
    board.element.addEventListener("keydown", (event) => this.#press(event))
    board.element.addEventListener("focusin", ({ target }) => {
      const thing = this.#layer.thingAt(target)
      // A Tab has come to it; a click has selected it already.
      if (thing !== undefined && !this.#pieces.has(thing)) this.#select([thing])
    })
  }

  /** The gesture that begins here with the present tool; null where the tool is one of the pen's. */
  begin(event: PointerEvent): Gesture | null {
    const { tool } = this.#tools
    const kind = KINDS.find((each) => each === tool)
    if (kind !== undefined) return this.#make(kind, event)
    if (tool === "select") return this.#grab(event)
    this.#select([])
    return null
  }

  #make(kind: Kind, event: PointerEvent): Gesture {
    const { things } = this.#drawing
    const from = this.#placeOf(event)
    this.#drawing.beginStep()
    const thing = things.add(kind, this.#tools.color, from)
    const tell = this.#paced((to: Place) => things.resize(thing, { x: to.x - from.x, y: to.y - from.y }))
    let isDrag = false
    return {
      move: (events) => {
        const last = events.at(-1)!
        isDrag ||= this.#distance(event, last) > CLICK_PX
        if (isDrag && kind !== "text") tell.later(this.#placeOf(last))
      },
      end: () => {
        tell.now()
        if (isDrag && kind !== "text") this.#settle(thing)
        else things.resize(thing, USUAL_SIZE[kind])
        this.#tools.choose("select")
        this.#select([thing])
        this.#layer.focus(thing)
        if (kind === "text" || kind === "note") this.#write(thing)
      },
    }
  }

  /** A shape that was drawn towards the left or upwards begins where it ends. */
  #settle(thing: Thing): void {
    if (thing.look.kind === "arrow") return
    const [x = 0, y = 0] = thing.map.get("size") as number[]
    const { at } = thing
    const size = { x: Math.max(LEAST_PX, Math.abs(x)), y: Math.max(LEAST_PX, Math.abs(y)) }
    this.#drawing.things.resize(thing, size)
    if (x < 0 || y < 0)
      this.#drawing.things.place(new Map([[thing, { x: at.x + Math.min(0, x), y: at.y + Math.min(0, y) }]]))
  }

  #grab(event: PointerEvent): Gesture {
    const corner = this.#cornerAt(event)
    if (corner !== undefined) return this.#stretch(corner, event)
    const piece = this.#pieceAt(event)
    const isSecond =
      piece !== null && piece === this.#lastClick.piece && event.timeStamp - this.#lastClick.at < 400
    this.#lastClick = { at: event.timeStamp, piece }
    if (piece === null) return this.#frame(event)
    if (isSecond && piece instanceof Thing) return { move() {}, end: () => this.#write(piece) }
    if (event.shiftKey) {
      const without = [...this.#pieces].filter((each) => each !== piece)
      this.#select(without.length < this.#pieces.size ? without : [...without, piece])
    } else if (!this.#pieces.has(piece)) this.#select([piece])
    if (piece instanceof Thing) this.#layer.focus(piece)
    return this.#drag(event)
  }

  #drag(event: PointerEvent): Gesture {
    const from = this.#placeOf(event)
    const starts = new Map([...this.#pieces].map((piece) => [piece, piece.at]))
    let isDrag = false
    const tell = this.#paced((to: Place) => {
      const places = [...starts].map(
        ([piece, at]) => [piece, { x: at.x + to.x - from.x, y: at.y + to.y - from.y }] as const,
      )
      this.#drawing.things.place(new Map(places))
    })
    return {
      move: (events) => {
        const last = events.at(-1)!
        if (!isDrag && this.#distance(event, last) <= CLICK_PX) return
        if (!isDrag) this.#drawing.beginStep()
        isDrag = true
        tell.later(this.#placeOf(last))
      },
      end: () => tell.now(),
    }
  }

  #stretch(thing: Thing, event: PointerEvent): Gesture {
    const from = this.#placeOf(event)
    const { size, kind } = thing.look
    const least = kind === "arrow" ? Number.NEGATIVE_INFINITY : LEAST_PX
    this.#drawing.beginStep()
    const tell = this.#paced((to: Place) =>
      this.#drawing.things.resize(thing, {
        x: Math.max(least, size.x + to.x - from.x),
        y: Math.max(least, size.y + to.y - from.y),
      }),
    )
    return { move: (events) => tell.later(this.#placeOf(events.at(-1)!)), end: () => tell.now() }
  }

  #frame(event: PointerEvent): Gesture {
    const from = this.#placeOf(event)
    const kept = event.shiftKey ? [...this.#pieces] : []
    this.#select(kept)
    const frame = el("div", { class: "frame around" })
    return {
      move: (events) => {
        const to = this.#placeOf(events.at(-1)!)
        const box = {
          left: Math.min(from.x, to.x),
          top: Math.min(from.y, to.y),
          right: Math.max(from.x, to.x),
          bottom: Math.max(from.y, to.y),
        }
        const inside = this.#drawing.pieces.filter(({ bounds }) => isInside(bounds, box))
        this.#select([...new Set([...kept, ...inside])])
        this.#outline(frame, box, 0)
        this.#frames.append(frame)
      },
      end: () => frame.remove(),
    }
  }

  #write(thing: Thing): void {
    this.#layer.write(thing, () => {
      // Somebody has erased it meanwhile.
      if (!this.#drawing.things.list.includes(thing)) return
      // A text without words is nothing that anybody could see again.
      if (thing.look.kind === "text" && thing.look.words.trim() === "") this.#drawing.things.erase([thing])
    })
  }

  #press(event: KeyboardEvent): void {
    if (isTyping(event) || this.#tools.locked) return
    const isCommand = event.ctrlKey || event.metaKey
    const act = isCommand ? this.#command(event) : this.#keys(event)
    if (act === undefined) return
    event.preventDefault()
    event.stopPropagation()
    act()
  }

  #command({ key }: KeyboardEvent): (() => void) | undefined {
    if (key.toLowerCase() !== "a") return undefined
    return () => {
      this.#tools.choose("select")
      this.#select(this.#drawing.pieces)
    }
  }

  #keys({ key, shiftKey }: KeyboardEvent): (() => void) | undefined {
    const arrow = ARROWS[key]
    const pieces = this.#pieces
    const [first] = pieces
    if (arrow !== undefined && pieces.size > 0) {
      const step = shiftKey ? STEP_PX.fine : STEP_PX.coarse
      return () => {
        this.#drawing.beginStep()
        const places = [...pieces].map((piece) => {
          const { x, y } = piece.at
          return [piece, { x: x + arrow.x * step, y: y + arrow.y * step }] as const
        })
        this.#drawing.things.place(new Map(places))
      }
    }
    if (key === "Enter") {
      const kind = KINDS.find((each) => each === this.#tools.tool)
      if (kind !== undefined) return () => this.#makeInTheMiddle(kind)
      return first instanceof Thing && pieces.size === 1 ? () => this.#write(first) : undefined
    }
    if (pieces.size === 0) return undefined
    if (key === "Delete" || key === "Backspace") return () => this.#erase()
    return key === "Escape" ? () => this.#select([]) : undefined
  }

  /** For who has no pointer: a tool's key, then Enter. */
  #makeInTheMiddle(kind: Kind): void {
    const { width, height } = this.#board.element.getBoundingClientRect()
    const middle = this.#board.placeAt({ x: width / 2, y: height / 2 })
    const size = USUAL_SIZE[kind]
    this.#drawing.beginStep()
    const at = { x: middle.x - size.x / 2, y: middle.y - size.y / 2 }
    const thing = this.#drawing.things.add(kind, this.#tools.color, at)
    this.#drawing.things.resize(thing, size)
    this.#tools.choose("select")
    this.#select([thing])
    this.#layer.focus(thing)
    if (kind === "text" || kind === "note") this.#write(thing)
  }

  #erase(): void {
    const pieces = [...this.#pieces]
    this.#drawing.beginStep()
    this.#drawing.erase(new Set(pieces.filter((piece) => piece instanceof Sketch)))
    this.#drawing.things.erase(pieces.filter((piece) => piece instanceof Thing))
    this.#select([])
    this.#board.element.focus({ preventScroll: true })
  }

  #select(pieces: Iterable<Piece>): void {
    const before = this.#pieces.size
    this.#pieces = new Set(pieces)
    const { size } = this.#pieces
    if (size !== before) this.#voice.textContent = size === 0 ? "Nothing is selected." : `${size} selected.`
    this.#show()
  }

  #show(): void {
    const there = new Set<Piece>(this.#drawing.pieces)
    if ([...this.#pieces].some((piece) => !there.has(piece)))
      this.#pieces = new Set([...this.#pieces].filter((piece) => there.has(piece)))
    const frames = [...this.#pieces].map((piece) => {
      const frame = el("div", { class: "frame" })
      this.#outline(frame, piece.bounds, 4)
      return frame
    })
    const corner = this.#corner()
    if (corner !== undefined) {
      const handle = el("div", { class: "handle" })
      handle.style.translate = `${corner.point.x}px ${corner.point.y}px`
      frames.push(handle)
    }
    this.#frames.replaceChildren(...frames)
  }

  #outline({ style }: HTMLElement, { left, top, right, bottom }: Bounds, around: number): void {
    const start = this.#board.pointOf({ x: left, y: top })
    const end = this.#board.pointOf({ x: right, y: bottom })
    style.translate = `${start.x - around}px ${start.y - around}px`
    style.width = `${end.x - start.x + 2 * around}px`
    style.height = `${end.y - start.y + 2 * around}px`
  }

  /** The corner of the one thing that is selected, as a point of the board. */
  #corner(): { thing: Thing; point: Place } | undefined {
    const [thing] = this.#pieces
    if (this.#pieces.size !== 1 || !(thing instanceof Thing) || thing.look.kind === "text") return undefined
    const { at, size } = thing.look
    const { bottom } = thing.bounds
    const corner = { x: at.x + size.x, y: thing.look.kind === "arrow" ? at.y + size.y : bottom }
    return { thing, point: this.#board.pointOf(corner) }
  }

  #cornerAt({ offsetX, offsetY, pointerType }: PointerEvent): Thing | undefined {
    const corner = this.#corner()
    if (corner === undefined) return undefined
    const reach = pointerType === "touch" ? 2 * HANDLE_PX : HANDLE_PX
    const { x, y } = corner.point
    return Math.hypot(x - offsetX, y - offsetY) <= reach ? corner.thing : undefined
  }

  /** What lies on top here. */
  #pieceAt(event: PointerEvent): Piece | null {
    const { x, y } = this.#placeOf(event)
    const near = NEAR_PX / this.#board.zoom
    return this.#drawing.pieces.findLast((piece) => piece.isNear(x, y, near)) ?? null
  }

  #placeOf({ offsetX, offsetY }: PointerEvent): Place {
    return this.#board.placeAt({ x: offsetX, y: offsetY })
  }

  #distance(a: PointerEvent, b: PointerEvent): number {
    return Math.hypot(a.offsetX - b.offsetX, a.offsetY - b.offsetY)
  }

  /** Tell the newest place now and then, and the last one at the end. */
  #paced(tell: (place: Place) => void): { later(place: Place): void; now(): void } {
    let next: Place | null = null
    let timer: ReturnType<typeof setTimeout> | undefined
    const now = (): void => {
      clearTimeout(timer)
      timer = undefined
      if (next !== null) tell(next)
      next = null
    }
    return {
      later: (place) => {
        next = place
        timer ??= setTimeout(now, TELL_EVERY_MS)
      },
      now,
    }
  }
}

function isInside(inner: Bounds, outer: Bounds): boolean {
  const { left, top, right, bottom } = outer
  return inner.left >= left && inner.top >= top && inner.right <= right && inner.bottom <= bottom
}
