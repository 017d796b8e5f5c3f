/**
 * Things as elements of the page, under the ink: so that a screen reader has their words, a Tab reaches them, and words are
 * laid out in any script. Pointers go through them to the board, which knows where each is.
 */
import type { Board } from "./board.ts"
import { el, svg } from "./element.ts"
import type { Drawing } from "./strokes.ts"
import { bindField } from "./text-field.ts"
import type { Kind, Thing } from "./things.ts"
import { arrowPath } from "./things-svg.ts"

/** What a screen reader calls them. */
const NAMES: Record<Kind, string> = {
  box: "Box",
  ellipse: "Ellipse",
  arrow: "Arrow",
  text: "Text",
  note: "Note",
}

/** The elements, kept true. */
export class ThingsLayer {
  readonly #board: Board
  readonly #drawing: Drawing
  readonly #colorOf: (color: string) => string
  readonly #layer = el("div", { class: "things" })
  readonly #elements = new Map<Thing, HTMLElement>()
  #writing: { readonly thing: Thing; end(): void } | null = null

  /** @param colorOf the colour on this screen of a colour in the document */
  constructor(board: Board, drawing: Drawing, colorOf: (color: string) => string) {
    this.#board = board
    this.#drawing = drawing
    this.#colorOf = colorOf
    board.element.prepend(this.#layer)
    board.onView(() => this.#move())
    drawing.things.onChange(() => this.show())
    this.#move()
    this.show()
  }

  /** The thing an element of the page is; undefined for any other element. */
  thingAt(element: EventTarget | null): Thing | undefined {
    return [...this.#elements].find(([, each]) => each === element)?.[0]
  }

  focus(thing: Thing): void {
    this.#elements.get(thing)?.focus({ preventScroll: true })
  }

  /** Write in a thing, until the visitor goes elsewhere. @param onEnd told then */
  write(thing: Thing, onEnd: () => void): void {
    this.#writing?.end()
    const element = this.#elements.get(thing)
    if (element === undefined || thing.look.kind === "arrow") return
    const field = el("textarea", {
      dir: "auto",
      rows: 1,
      "aria-label": `The words of the ${NAMES[thing.look.kind].toLowerCase()}`,
    })
    this.#drawing.beginStep()
    const unbind = bindField(field, thing.text, this.#drawing)
    const end = (): void => {
      if (this.#writing?.thing !== thing) return
      this.#writing = null
      unbind()
      field.remove()
      element.classList.remove("writing")
      onEnd()
      this.show()
    }
    this.#writing = { thing, end }
    field.addEventListener("blur", end)
    field.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || event.isComposing) return
      event.stopPropagation()
      end()
      this.focus(thing)
    })
    element.classList.add("writing")
    element.append(field)
    field.focus({ preventScroll: true })
    field.select()
  }

  /** Draw what the document has now. */
  show(): void {
    const { list } = this.#drawing.things
    const there = new Set(list)
    for (const [thing, element] of this.#elements) {
      if (there.has(thing)) continue
      if (this.#writing?.thing === thing) this.#writing.end()
      element.remove()
      this.#elements.delete(thing)
    }
    for (const [index, thing] of list.entries()) {
      const element = this.#elements.get(thing) ?? this.#make(thing)
      if (this.#layer.children[index] !== element)
        this.#layer.insertBefore(element, this.#layer.children[index] ?? null)
      this.#fill(element, thing)
    }
  }

  #make(thing: Thing): HTMLElement {
    const { kind } = thing.look
    const element = el(
      "div",
      { class: `thing ${kind}`, tabindex: 0, role: "group" },
      kind === "arrow" && svg("svg", { "aria-hidden": "true" }, svg("path")),
      el("p", { dir: "auto" }),
    )
    this.#elements.set(thing, element)
    return element
  }

  #fill(element: HTMLElement, thing: Thing): void {
    const { kind, at, size, color, words } = thing.look
    const { style } = element
    style.setProperty("--color", this.#colorOf(color))
    style.left = `${at.x}px`
    style.top = `${at.y}px`
    if (kind === "arrow") element.querySelector("path")!.setAttribute("d", arrowPath(0, 0, size.x, size.y))
    else if (kind !== "text") {
      style.width = `${size.x}px`
      style.minHeight = `${size.y}px`
    }
    const paragraph = element.querySelector("p")!
    if (paragraph.textContent !== words) paragraph.textContent = words
    element.ariaLabel = words === "" ? NAMES[kind] : `${NAMES[kind]}: ${words}`
    thing.measured =
      kind === "text" || kind === "note" ? { x: element.offsetWidth, y: element.offsetHeight } : null
  }

  #move(): void {
    const { x, y } = this.#board.pointOf({ x: 0, y: 0 })
    this.#layer.style.transform = `translate(${x}px, ${y}px) scale(${this.#board.zoom})`
  }
}
