/**
 * Cards under a pointer. A mouse takes hold of a card anywhere, a finger at its grip, because on the rest of it a finger
 * scrolls. While it is dragged only this page shows it elsewhere; the document changes when it is let go.
 */
import type { Spot } from "./kanban-view.ts"

/** What can be dragged and put down. */
interface Hand {
  readonly locked: boolean
  hold(id: string, spot: Spot): void
  putDown(): void
  putBack(): void
  open(id: string): void
}

/** A pointer that moves less than this has clicked, px. */
const CLICK_PX = 5
/** So near to an edge the board scrolls under the card, by so much a frame, px. */
const EDGE_PX = 48
const SCROLL_PX = 9

/** Follow pointers on these columns from now on. */
export function followDrags(root: HTMLElement, hand: Hand): void {
  let hasDragged = false

  root.addEventListener("pointerdown", (event) => {
    hasDragged = false
    const face = faceOf(event)
    if (event.button !== 0 || face === undefined || hand.locked) return
    if (event.pointerType === "mouse" || (event.target as Element).closest(".grip") !== null)
      drag(face, event)
  })
  root.addEventListener("click", (event) => {
    const face = faceOf(event)
    // A browser calls the end of a drag a click.
    if (face !== undefined && !hasDragged) hand.open(face.dataset.card!)
  })

  function drag(face: HTMLElement, down: PointerEvent): void {
    const id = face.dataset.card!
    const box = face.getBoundingClientRect()
    const ending = new AbortController()
    const { signal } = ending
    let copy: HTMLElement | null = null
    let at = { x: down.clientX, y: down.clientY }
    let frame = 0

    const follow = (): void => {
      copy!.style.translate = `${box.left + at.x - down.clientX}px ${box.top + at.y - down.clientY}px`
      const spot = spotUnder(root, at, id)
      if (spot !== undefined) hand.hold(id, spot)
    }
    const scroll = (): void => {
      frame = requestAnimationFrame(scroll)
      const { left, right } = root.getBoundingClientRect()
      const sideways = Number(at.x > right - EDGE_PX) - Number(at.x < left + EDGE_PX)
      const list = columnUnder(root, at.x)?.querySelector("ul")
      const edges = list?.getBoundingClientRect()
      const down = edges && Number(at.y > edges.bottom - EDGE_PX) - Number(at.y < edges.top + EDGE_PX)
      root.scrollLeft += sideways * SCROLL_PX
      if (list && down) list.scrollTop += down * SCROLL_PX
      if (sideways !== 0 || down) follow()
    }
    const begin = (): void => {
      copy = face.cloneNode(true) as HTMLElement
      copy.classList.add("flying")
      copy.inert = true
      copy.style.width = `${box.width}px`
      document.body.append(copy)
      root.classList.add("dragging")
      hasDragged = true
      scroll()
    }
    const end = (finish: () => void): void => {
      ending.abort()
      cancelAnimationFrame(frame)
      root.classList.remove("dragging")
      copy?.remove()
      finish()
    }

    addEventListener(
      "pointermove",
      (event) => {
        if (event.pointerId !== down.pointerId) return
        at = { x: event.clientX, y: event.clientY }
        if (copy === null && Math.hypot(at.x - down.clientX, at.y - down.clientY) < CLICK_PX) return
        if (copy === null) begin()
        follow()
      },
      { signal },
    )
    addEventListener(
      "pointerup",
      (event) => {
        if (event.pointerId !== down.pointerId) return
        end(() => hand.putDown())
      },
      { signal },
    )
    addEventListener("pointercancel", () => end(() => hand.putBack()), { signal })
    addEventListener(
      "keydown",
      (event) => {
        if (event.key !== "Escape") return
        event.preventDefault()
        event.stopPropagation()
        end(() => hand.putBack())
      },
      { signal, capture: true },
    )
  }
}

/** The card of an event, unless it is about the sheet that is open in it. */
function faceOf({ target }: Event): HTMLElement | undefined {
  const element = target as Element
  return element.closest(".sheet") === null ? (element.closest<HTMLElement>(".card") ?? undefined) : undefined
}

function columnUnder(root: HTMLElement, x: number): HTMLElement | undefined {
  const columns = [...root.querySelectorAll<HTMLElement>(".column")]
  return columns.find((column) => x < column.getBoundingClientRect().right) ?? columns.at(-1)
}

/** Where the card would be put down: before the first other card whose middle is below the pointer. */
function spotUnder(root: HTMLElement, { x, y }: { x: number; y: number }, id: string): Spot | undefined {
  const column = columnUnder(root, x)
  if (column === undefined) return undefined
  const others = [...column.querySelectorAll<HTMLElement>(".card")].filter((card) => card.dataset.card !== id)
  const index = others.findIndex((card) => {
    const { top, height } = card.getBoundingClientRect()
    return y < top + height / 2
  })
  return { column: column.dataset.column!, index: index < 0 ? others.length : index }
}
