/** Pointers on the board: those of the others are shown with their names, and the visitor's own is published. */

import type { ProviderAwareness } from "../src/client/provider.ts"
import type { Board } from "./board.ts"
import { el, icon } from "./element.ts"
import type { Place } from "./geometry.ts"
import { readVisitor } from "./people.ts"

/** A moving pointer is published at most this often, ms. */
const TELL_EVERY_MS = 40

/** Show the others' pointers from now on, and publish the visitor's own. */
export function showPointers(board: Board, awareness: ProviderAwareness): void {
  const layer = el("div", { class: "pointers", "aria-hidden": "true" })
  board.element.append(layer)
  const shown = new Map<number, HTMLElement>()

  const show = (): void => {
    const states = awareness.getStates()
    for (const [id, element] of shown) {
      if (placeOf(states.get(id)) !== undefined) continue
      element.remove()
      shown.delete(id)
    }
    for (const [id, state] of states) {
      const place = placeOf(state)
      const visitor = readVisitor(state)
      if (place === undefined || visitor === undefined || id === awareness.clientID) continue
      let element = shown.get(id)
      if (element === undefined) {
        element = el("div", { class: "pointer" }, icon("M5 3l14 8-6.5 1.5L9 19z"), el("span"))
        shown.set(id, element)
        layer.append(element)
      }
      element.style.setProperty("--color", visitor.color)
      element.lastElementChild!.textContent = visitor.name
      const { x, y } = board.pointOf(place)
      element.style.transform = `translate(${x}px, ${y}px)`
    }
  }
  awareness.on("change", show)
  board.onView(show)
  tellPlace(board, awareness)
}

function tellPlace(board: Board, awareness: ProviderAwareness): void {
  let place: Place | null = null
  let isDue = false
  const tell = (now: Place | null): void => {
    place = now
    if (isDue) return
    isDue = true
    setTimeout(() => {
      isDue = false
      awareness.setLocalStateField("pointer", place && { x: Math.round(place.x), y: Math.round(place.y) })
    }, TELL_EVERY_MS)
  }
  board.element.addEventListener("pointermove", ({ offsetX, offsetY }) => {
    tell(board.placeAt({ x: offsetX, y: offsetY }))
  })
  board.element.addEventListener("pointerleave", () => tell(null))
  // A lifted finger points nowhere.
  board.element.addEventListener("pointerup", ({ pointerType }) => {
    if (pointerType === "touch") tell(null)
  })
}

function placeOf(state: Record<string, unknown> | undefined): Place | undefined {
  const { x, y } = (state?.pointer ?? {}) as Partial<Record<"x" | "y", unknown>>
  return typeof x === "number" && typeof y === "number" ? { x, y } : undefined
}
