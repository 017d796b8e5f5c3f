/**
 * The board of cards on the page: its columns and cards as elements, which stay the same elements while a card moves, and
 * the keyboard. Pointers are in kanban-drag.ts.
 */
import type { ProviderAwareness } from "../src/client/provider.ts"
import { el } from "./element.ts"
import type { Card, Cards, Column } from "./kanban-cards.ts"
import { followDrags } from "./kanban-drag.ts"
import { readVisitor } from "./people.ts"
import { bindField } from "./text-field.ts"

/** Where a card would be put down: before the `index`-th of the other cards. */
export interface Spot {
  readonly column: string
  readonly index: number
}

/** A card that is picked up: it is shown at its spot, and nowhere else until it is put down. */
interface Held {
  readonly id: string
  readonly spot: Spot
}

/** The columns and cards as elements of the page. */
export class CardBoard {
  readonly #root: HTMLElement
  readonly #cards: Cards
  readonly #awareness: ProviderAwareness
  readonly #voice = el("p", { class: "unseen", role: "status", "aria-live": "assertive" })
  readonly #columns = new Map<string, HTMLElement>()
  readonly #faces = new Map<string, HTMLElement>()
  readonly #more: HTMLElement
  #held: Held | null = null
  #open: { readonly id: string; close(): void } | null = null
  #locked = false

  constructor(root: HTMLElement, cards: Cards, awareness: ProviderAwareness) {
    this.#root = root
    this.#cards = cards
    this.#awareness = awareness
    this.#more = el(
      "button",
      { type: "button", class: "more", onclick: () => this.#addColumn() },
      "Add a column",
    )
    root.append(this.#more)
    document.body.append(this.#voice)
    cards.doc.on("update", () => this.#show())
    awareness.on("change", () => this.#showOthers())
    root.addEventListener("keydown", (event) => this.#press(event))
    root.addEventListener("focusin", (event) => this.#tellWhere(event.target as Element))
    root.addEventListener("focusout", () => this.#tellWhere(null))
    followDrags(root, this)
    this.#show()
  }

  /** Whether nothing can be changed. */
  get locked(): boolean {
    return this.#locked
  }

  /** Whether nothing can be changed, from now on. */
  lock(locked: boolean): void {
    this.#locked = locked
    this.#root.classList.toggle("locked", locked)
    if (locked) this.#open?.close()
    this.putBack()
  }

  /** Show a card at a spot, without telling anybody. */
  hold(id: string, spot: Spot): void {
    this.#held = { id, spot }
    this.#show()
  }

  /** The card that is held goes to where it is shown: one operation of the document. */
  putDown(): void {
    if (this.#held === null) return
    const { id, spot } = this.#held
    this.#held = null
    this.#cards.move(id, spot.column, spot.index)
    this.#show()
    this.#say(`Put down: ${this.#placeOf(id)}`)
  }

  /** The card that is held goes to where it was. */
  putBack(): void {
    if (this.#held === null) return
    this.#held = null
    this.#show()
    this.#say("Put back.")
  }

  /** Open a card to write in it. */
  open(id: string): void {
    if (this.#locked || this.#open?.id === id) return
    this.#open?.close()
    const face = this.#faces.get(id)
    const card = this.#cardOf(id)
    if (face === undefined || card === undefined) return
    const field = el("textarea", {
      dir: "auto",
      rows: 2,
      "aria-label": "The card’s text",
      placeholder: "Write a card",
    })
    const unbind = bindField(field, card.text, this.#cards)
    const column = el("select", { "aria-label": "In the column" })
    for (const { id: value, title } of this.#cards.read())
      column.append(el("option", { value }, title || "Untitled"))
    column.value = this.#spotOf(id)?.column ?? ""
    column.addEventListener("change", () => this.#cards.move(id, column.value, Infinity))
    const done = el("button", { type: "button", class: "primary" }, "Done")
    const remove = el("button", { type: "button" }, "Delete")
    const sheet = el("div", { class: "sheet" }, field, el("div", { class: "row" }, column, remove, done))
    // Every word since it was opened is one step.
    this.#cards.undo.stopCapturing()
    const close = (): void => {
      if (this.#open?.id !== id) return
      this.#open = null
      unbind()
      const hadFocus = sheet.contains(document.activeElement)
      sheet.remove()
      face.classList.remove("open")
      // Opened, and nothing written.
      const isEmpty = card.text.length === 0 && !this.#locked
      const next = isEmpty ? neighbourOf(face) : face
      if (isEmpty) this.#cards.remove(id)
      this.#show()
      if (hadFocus) next?.focus()
    }
    const discard = (): void => {
      const next = neighbourOf(face)
      close()
      this.#cards.remove(id)
      next?.focus()
    }
    done.addEventListener("click", close)
    remove.addEventListener("click", discard)
    sheet.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" && !(event.key === "Enter" && !event.shiftKey && event.target === field))
        return
      // The key that ends the choice of a character is the input method's.
      if (event.isComposing) return
      event.preventDefault()
      event.stopPropagation()
      close()
    })
    sheet.addEventListener("focusout", (event) => {
      if (!sheet.contains(event.relatedTarget as Node | null) && document.hasFocus()) close()
    })
    this.#open = { id, close }
    face.classList.add("open")
    face.append(sheet)
    field.focus()
    field.setSelectionRange(field.value.length, field.value.length)
  }

  #show(): void {
    const focused = document.activeElement
    const columns = this.#arranged()
    keepOnly(this.#columns, new Set(columns.map(({ id }) => id)))
    const known = new Set(columns.flatMap(({ cards }) => cards.map(({ id }) => id)))
    if (this.#open !== null && !known.has(this.#open.id)) this.#open.close()
    keepOnly(this.#faces, known)
    for (const [index, column] of columns.entries()) {
      const element = this.#columns.get(column.id) ?? this.#makeColumn(column.id)
      place(this.#root, element, index)
      const title = element.querySelector<HTMLInputElement>(".name")!
      if (document.activeElement !== title) title.value = column.title
      element.ariaLabel = column.title || "Untitled"
      element.querySelector(".count")!.textContent = String(column.cards.length)
      element.querySelector<HTMLButtonElement>(".drop")!.hidden =
        column.cards.length > 0 || columns.length === 1
      const list = element.querySelector("ul")!
      for (const [at, card] of column.cards.entries()) {
        const face = this.#faces.get(card.id) ?? this.#makeFace(card.id)
        place(list, face.parentElement!, at)
        this.#fill(face, card)
      }
    }
    // An element that is moved in the page loses the focus.
    if (focused !== document.activeElement && focused instanceof HTMLElement && this.#root.contains(focused))
      focused.focus()
    this.#showOthers()
  }

  /** The columns with the card that is held at its spot. */
  #arranged(): readonly Column[] {
    const columns = this.#cards.read()
    const held = this.#held
    if (held === null) return columns
    const card = columns.flatMap(({ cards }) => cards).find(({ id }) => id === held.id)
    // Somebody has deleted it, under the hand.
    if (card === undefined) return columns
    return columns.map((column) => {
      const others = column.cards.filter(({ id }) => id !== held.id)
      return {
        ...column,
        cards: column.id === held.spot.column ? others.toSpliced(held.spot.index, 0, card) : others,
      }
    })
  }

  #makeColumn(id: string): HTMLElement {
    const name = el("input", {
      class: "name",
      type: "text",
      dir: "auto",
      "aria-label": "The column’s name",
      autocomplete: "off",
    })
    name.addEventListener("change", () => this.#cards.renameColumn(id, name.value))
    name.addEventListener("keydown", ({ key }) => {
      if (key === "Enter") name.blur()
    })
    const element = el(
      "section",
      { class: "column", "data-column": id },
      el(
        "header",
        {},
        name,
        el("span", { class: "count" }),
        el(
          "button",
          {
            type: "button",
            class: "drop",
            title: "Remove this column",
            "aria-label": "Remove this column",
            onclick: () => this.#cards.removeColumn(id),
          },
          "×",
        ),
      ),
      el("ul", {}),
      el(
        "button",
        { type: "button", class: "add", onclick: () => this.open(this.#cards.add(id)) },
        "Add a card",
      ),
    )
    this.#columns.set(id, element)
    return element
  }

  #makeFace(id: string): HTMLElement {
    const face = el(
      "div",
      {
        class: "card",
        tabindex: 0,
        role: "group",
        "aria-roledescription": "card",
        "aria-describedby": "keys",
        "data-card": id,
      },
      el("p", { dir: "auto" }),
      el("span", { class: "grip", "aria-hidden": "true" }),
      el("span", { class: "here", "aria-hidden": "true" }),
    )
    el("li", {}, face)
    this.#faces.set(id, face)
    return face
  }

  #fill(face: HTMLElement, { id, text }: Card): void {
    const words = text.toString()
    const shown = words || "Empty card"
    if (face.ariaLabel !== shown) {
      face.firstElementChild!.textContent = shown
      face.ariaLabel = shown
    }
    face.classList.toggle("empty", words === "")
    face.classList.toggle("held", this.#held?.id === id)
  }

  #press(event: KeyboardEvent): void {
    const face = event.target as HTMLElement
    const id = face.dataset.card
    if (id === undefined || event.ctrlKey || event.metaKey || event.altKey) return
    const act = this.#held === null ? this.#keysAtRest(face, id) : this.#keysInHand(id)
    const go = act[event.key]
    if (go === undefined) return
    event.preventDefault()
    go()
  }

  #keysAtRest(face: HTMLElement, id: string): Record<string, () => void> {
    const focus = (down: number, right: number) => () => this.#neighbour(id, down, right)?.focus()
    return {
      ArrowUp: focus(-1, 0),
      ArrowDown: focus(1, 0),
      ArrowLeft: focus(0, -1),
      ArrowRight: focus(0, 1),
      Enter: () => this.open(id),
      ...(!this.#locked && {
        " ": () => {
          this.hold(id, this.#spotOf(id)!)
          this.#say(
            `Picked up: ${this.#placeOf(id)}. Arrow keys move it, Space puts it down, Escape puts it back.`,
          )
        },
        Delete: () => {
          const next = neighbourOf(face)
          this.#cards.remove(id)
          next?.focus()
        },
      }),
    }
  }

  #keysInHand(id: string): Record<string, () => void> {
    const { spot } = this.#held!
    const move = (down: number, right: number) => () => {
      const columns = this.#cards.read()
      const at = columns.findIndex((column) => column.id === spot.column) + right
      const column = columns[at]
      if (column === undefined) return
      const others = column.cards.filter((card) => card.id !== id).length
      this.hold(id, { column: column.id, index: Math.max(0, Math.min(spot.index + down, others)) })
      this.#faces.get(id)?.scrollIntoView({ block: "nearest", inline: "nearest" })
      this.#say(this.#placeOf(id))
    }
    return {
      ArrowUp: move(-1, 0),
      ArrowDown: move(1, 0),
      ArrowLeft: move(0, -1),
      ArrowRight: move(0, 1),
      " ": () => this.putDown(),
      Enter: () => this.putDown(),
      Escape: () => this.putBack(),
      Tab: () => this.putDown(),
    }
  }

  /** The card next to this one; beside it, at the same height. */
  #neighbour(id: string, down: number, right: number): HTMLElement | undefined {
    const columns = this.#arranged()
    const spot = this.#spotOf(id)!
    let at = columns.findIndex((column) => column.id === spot.column) + right
    while (right !== 0 && columns[at]?.cards.length === 0) at += right
    const cards = columns[at]?.cards ?? []
    const index = right === 0 ? spot.index + down : Math.min(spot.index, cards.length - 1)
    const card = cards[index]
    return card && this.#faces.get(card.id)
  }

  #spotOf(id: string): Spot | undefined {
    for (const { id: column, cards } of this.#arranged()) {
      const index = cards.findIndex((card) => card.id === id)
      if (index >= 0) return { column, index }
    }
    return undefined
  }

  /** In words: "Order bread, 2 of 3 in To do". */
  #placeOf(id: string): string {
    const spot = this.#spotOf(id)
    const column = this.#arranged().find((each) => each.id === spot?.column)
    const words = this.#faces.get(id)?.ariaLabel ?? ""
    if (spot === undefined || column === undefined) return words
    return `${words}, ${spot.index + 1} of ${column.cards.length} in ${column.title || "Untitled"}`
  }

  #cardOf(id: string): Card | undefined {
    return this.#cards
      .read()
      .flatMap(({ cards }) => cards)
      .find((card) => card.id === id)
  }

  #addColumn(): void {
    this.#cards.addColumn("")
    const names = this.#root.querySelectorAll<HTMLInputElement>(".name")
    names[names.length - 1]?.focus()
  }

  #tellWhere(target: Element | null): void {
    const id = target?.closest<HTMLElement>("[data-card]")?.dataset.card ?? null
    this.#awareness.setLocalStateField("card", id)
  }

  /** A ring round each card that somebody else is on, in their colour. */
  #showOthers(): void {
    for (const face of this.#faces.values()) face.classList.remove("taken")
    for (const [client, state] of this.#awareness.getStates()) {
      const visitor = readVisitor(state)
      const face = typeof state.card === "string" ? this.#faces.get(state.card) : undefined
      if (client === this.#awareness.clientID || visitor === undefined || face === undefined) continue
      face.classList.add("taken")
      face.style.setProperty("--color", visitor.color)
      face.querySelector(".here")!.textContent = visitor.name
    }
  }

  #say(sentence: string): void {
    this.#voice.textContent = sentence
  }
}

/** The card after this one in its column, else the one before it, else the column's button. */
function neighbourOf(face: HTMLElement): HTMLElement | null {
  const item = face.parentElement
  const next = item?.nextElementSibling ?? item?.previousElementSibling
  return (
    next?.querySelector<HTMLElement>(".card") ??
    item?.closest(".column")?.querySelector<HTMLElement>(".add") ??
    null
  )
}

function place(parent: Element, child: Element, index: number): void {
  if (parent.children[index] !== child) parent.insertBefore(child, parent.children[index] ?? null)
}

/** Take from the page what is not among these. A card's element is in a list item, which goes with it. */
function keepOnly(elements: Map<string, HTMLElement>, ids: ReadonlySet<string>): void {
  for (const [id, element] of elements) {
    if (ids.has(id)) continue
    ;(element.closest("li") ?? element).remove()
    elements.delete(id)
  }
}
