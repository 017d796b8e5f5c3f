/**
 * Pointers and wheels on the board: drawing, erasing, moving the view.
 *
 *     pen, mouse or one finger   the chosen tool        two fingers                  pan and zoom
 *     wheel                      pan                    ctrl + wheel                 zoom
 *     space or middle button     pan                    a stylus' eraser end         erase
 *
 * Once a stylus was seen, fingers only pan, because a palm rests on the glass while its hand draws.
 */
import type { Board } from "./board.ts"
import type { Selection } from "./draw-select.ts"
import type { Tools } from "./draw-tools.ts"
import { isTyping } from "./element.ts"
import type { Place } from "./geometry.ts"
import type { Gesture } from "./gesture.ts"
import { page } from "./page.ts"
import type { Drawing, Sketch } from "./strokes.ts"

/** How close to a line the eraser has to come, px of the screen. */
const ERASER_PX = 8
/** A second finger within this time means that the first was not meant to draw, ms. */
const SECOND_FINGER_MS = 250

/**
 * Follow all pointers on the board from now on.
 * @param parts.tools the present choice, read when a gesture begins
 */
export function followPointer(
  board: Board,
  parts: { drawing: Drawing; tools: Tools; selection: Selection },
): void {
  const { drawing, tools, selection } = parts
  const { element } = board
  const fingers = new Map<number, Place>()
  let gesture: { readonly pointerId: number; readonly startedAt: number; readonly hand: Gesture } | null =
    null
  let stylusSeen = false
  let spaceDown = false

  element.addEventListener("pointerdown", (event) => {
    // Into the words of a note.
    if (isTyping(event)) return
    event.preventDefault()
    element.focus({ preventScroll: true })
    // The focus ring is for keyboard users, but a browser also draws it when a script sets the focus.
    element.dataset.held = ""
    element.setPointerCapture(event.pointerId)
    stylusSeen ||= event.pointerType === "pen"
    if (event.pointerType === "touch") {
      fingers.set(event.pointerId, { x: event.offsetX, y: event.offsetY })
      if (fingers.size === 2) return stopForSecondFinger()
      if (fingers.size > 2) return
    }
    if (gesture !== null) return
    gesture = { pointerId: event.pointerId, startedAt: event.timeStamp, hand: begin(event) }
  })

  element.addEventListener("pointermove", (event) => {
    if (fingers.size === 2 && fingers.has(event.pointerId)) pinch(event)
    else if (event.pointerId === gesture?.pointerId) gesture.hand.move(coalesced(event))
  })

  for (const type of ["pointerup", "pointercancel"] as const) {
    element.addEventListener(type, (event) => {
      fingers.delete(event.pointerId)
      if (event.pointerId !== gesture?.pointerId) return
      gesture.hand.end()
      gesture = null
    })
  }

  element.addEventListener(
    "wheel",
    (event) => {
      // Over a miniature the wheel scrolls the start page.
      if (page.mini) return
      event.preventDefault()
      const px = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1
      if (event.ctrlKey || event.metaKey) {
        board.zoomBy(Math.exp(-event.deltaY * px * 0.01), { x: event.offsetX, y: event.offsetY })
      } else if (event.shiftKey) board.pan(-event.deltaY * px, 0)
      else board.pan(-event.deltaX * px, -event.deltaY * px)
    },
    { passive: false },
  )

  addEventListener("keydown", (event) => {
    delete element.dataset.held
    if (isTyping(event)) return
    if (event.code === "Space" && event.target === element) {
      spaceDown = true
      element.classList.add("panning")
      event.preventDefault()
    }
  })
  addEventListener("keyup", (event) => {
    if (event.code !== "Space") return
    spaceDown = false
    element.classList.remove("panning")
  })
  element.addEventListener("contextmenu", (event) => event.preventDefault())

  function begin(event: PointerEvent): Gesture {
    const pans =
      spaceDown ||
      event.button === 1 ||
      tools.tool === "hand" ||
      tools.locked ||
      (stylusSeen && event.pointerType === "touch")
    if (pans) return panFrom(event)
    const made = selection.begin(event)
    if (made !== null) return made
    const erases = tools.tool === "eraser" || (event.buttons & 32) !== 0
    return erases ? eraseFrom(event) : drawFrom(event)
  }

  function panFrom(event: PointerEvent): Gesture {
    let { offsetX, offsetY } = event
    element.classList.add("grabbing")
    return {
      move(events) {
        const last = events.at(-1)!
        board.pan(last.offsetX - offsetX, last.offsetY - offsetY)
        offsetX = last.offsetX
        offsetY = last.offsetY
      },
      end: () => element.classList.remove("grabbing"),
    }
  }

  function drawFrom(event: PointerEvent): Gesture {
    drawing.beginStep()
    const extend = drawing.add({ color: tools.color, width: tools.width, points: triple(event) })
    let pending: number[] = []
    let frame = 0
    // All points of a frame go as one push, one update, one message.
    const flush = (): void => {
      cancelAnimationFrame(frame)
      frame = 0
      if (pending.length > 0) extend(pending)
      pending = []
    }
    return {
      move(events) {
        for (const each of events) pending.push(...triple(each))
        if (frame === 0) frame = requestAnimationFrame(flush)
      },
      end: flush,
    }
  }

  function eraseFrom(event: PointerEvent): Gesture {
    drawing.beginStep()
    const erase = (events: readonly PointerEvent[]): void => {
      const hit = new Set<Sketch>()
      for (const { offsetX, offsetY } of events) {
        const { x, y } = board.placeAt({ x: offsetX, y: offsetY })
        for (const sketch of drawing.sketches)
          if (sketch.isNear(x, y, ERASER_PX / board.zoom)) hit.add(sketch)
      }
      drawing.erase(hit)
      const places = events.map(({ offsetX, offsetY }) => board.placeAt({ x: offsetX, y: offsetY }))
      const things = drawing.things.list.filter((thing) =>
        places.some(({ x, y }) => thing.isNear(x, y, ERASER_PX / board.zoom)),
      )
      if (things.length > 0) drawing.things.erase(things)
    }
    erase([event])
    return { move: erase, end: () => {} }
  }

  function stopForSecondFinger(): void {
    if (gesture === null) return
    const { startedAt, hand } = gesture
    gesture = null
    hand.end()
    if (performance.now() - startedAt < SECOND_FINGER_MS && tools.tool !== "hand") drawing.undo()
  }

  function pinch(event: PointerEvent): void {
    const before = [...fingers.values()] as [Place, Place]
    fingers.set(event.pointerId, { x: event.offsetX, y: event.offsetY })
    const after = [...fingers.values()] as [Place, Place]
    const [from, to] = [middle(before), middle(after)]
    board.pan(to.x - from.x, to.y - from.y)
    board.zoomBy(distance(after) / Math.max(1, distance(before)), to)
  }

  /** A point as the document keeps it. A mouse has no pressure and reports one half. */
  function triple({ offsetX, offsetY, pressure, pointerType }: PointerEvent): [number, number, number] {
    const { x, y } = board.placeAt({ x: offsetX, y: offsetY })
    const force = pointerType === "pen" ? Math.round(pressure * 1000) : 500
    return [Math.round(x * 10), Math.round(y * 10), force]
  }
}

/** The points between two frames, where the browser gives them. */
function coalesced(event: PointerEvent): readonly PointerEvent[] {
  const events = event.getCoalescedEvents?.() ?? []
  return events.length > 0 ? events : [event]
}

function middle([a, b]: readonly [Place, Place]): Place {
  return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 }
}

function distance([a, b]: readonly [Place, Place]): number {
  return Math.hypot(a.x - b.x, a.y - b.y)
}
