/**
 * The drawing plays back its making: a button in the header, and behind it the board as it was, from the first stroke on. The
 * states come from the server, one a stretch of work, and grow in one document, so that strokes are seen being drawn.
 */
import * as Y from "yjs"
import type { Activity, Provider } from "../src/client/provider.ts"
import { Board } from "./board.ts"
import { inkOnScreen } from "./draw-tools.ts"
import { el, find, icon } from "./element.ts"
import { nameOf, timeOf } from "./history-words.ts"
import { Drawing } from "./strokes.ts"

/** Work that pauses no longer than this is one picture of the film, ms. */
const PAUSE_MS = 250
/** Pictures of a film at most: of a longer one every second, third, … is shown. */
const PICTURES = 120
/** How long a picture stands, ms. */
const PICTURE_MS = 150

/** Put the button into the header, and the film over the board. */
export function showMaking(provider: Provider, board: Board): void {
  const film = new Film(provider, board)
  find("bar").querySelector(".share")?.before(film.button)
  find("board").after(film.screen)
}

class Film {
  readonly button: HTMLButtonElement
  readonly screen: HTMLElement
  readonly #provider: Provider
  readonly #board: Board
  readonly #stage = el("div", { class: "board" })
  readonly #slider = el("input", { id: "picture", type: "range", min: 0, step: 1 })
  readonly #caption = el("output", { for: "picture" })
  readonly #play = el("button", { type: "button", class: "primary", onclick: () => this.#toggle() }, "Play")
  #pictures: readonly Activity[] = []
  /** Of each picture the document as it was, once it was asked for. */
  #states: (Promise<Uint8Array> | undefined)[] = []
  #doc = new Y.Doc()
  #shown = -1
  /** Only the newest wish is followed. */
  #wish = 0
  #isPlaying = false

  constructor(provider: Provider, board: Board) {
    this.#provider = provider
    this.#board = board
    this.button = el(
      "button",
      {
        type: "button",
        class: "history",
        title: "See how this was drawn",
        "aria-expanded": "false",
        "aria-controls": "making",
        onclick: () => (this.screen.hidden ? void this.#open() : this.#close()),
      },
      icon("M4 12a8 8 0 1 0 2.5-5.8L4 8.5", "M4 4v4.5h4.5", "M10 8.5l5.5 3.5L10 15.5z"),
      el("span", {}, "Making"),
    )
    this.screen = el(
      "section",
      { id: "making", class: "making", "aria-label": "How it was drawn", hidden: true },
      this.#stage,
      el(
        "div",
        { class: "reel" },
        this.#play,
        el("label", { class: "unseen", for: "picture" }, "Picture"),
        this.#slider,
        this.#caption,
        el("button", { type: "button", onclick: () => this.#close() }, "Back to drawing"),
      ),
    )
    this.#slider.addEventListener("input", () => {
      this.#pause()
      void this.#go(Number(this.#slider.value))
    })
    addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !this.screen.hidden) this.#close()
    })
  }

  async #open(): Promise<void> {
    this.screen.hidden = false
    document.body.classList.add("playing-back")
    this.button.setAttribute("aria-expanded", "true")
    this.#caption.replaceChildren("One moment …")
    this.#pictures = []
    try {
      await this.#provider.whenSaved().catch(() => {})
      const all: Activity[] = []
      // Of what nobody has drawn in there is no document yet, and so no past to ask for.
      const isNew = this.#provider.doc.store.clients.size === 0
      for (let cursor: string | null = isNew ? null : ""; cursor !== null; ) {
        const page = cursor === "" ? {} : { cursor }
        const { versions } = this.#provider
        const answer: Awaited<ReturnType<typeof versions.activity>> = await versions.activity({
          ...{ group: PAUSE_MS, order: "asc", limit: 1_000 },
          ...page,
        })
        all.push(...answer.activity)
        cursor = answer.cursor
      }
      // Work of the same second shares a revision, and so a state.
      const states = all.filter(({ revisions }, i) => revisions[1] !== all[i + 1]?.revisions[1])
      const step = Math.ceil(states.length / PICTURES)
      // The last one always: it is the drawing.
      this.#pictures = states.filter((_, i) => (states.length - 1 - i) % step === 0)
    } catch (error) {
      this.#caption.replaceChildren(error instanceof Error ? error.message : String(error))
      return
    }
    this.#states = []
    this.#shown = -1
    this.#slider.max = String(Math.max(0, this.#pictures.length - 1))
    this.#slider.value = "0"
    this.#play.disabled = this.#pictures.length === 0
    if (this.#pictures.length === 0) this.#caption.replaceChildren("Nothing was drawn here yet.")
    else this.#toggle()
    this.#play.focus()
  }

  #close(): void {
    this.#pause()
    this.#wish++
    this.screen.hidden = true
    document.body.classList.remove("playing-back")
    this.button.setAttribute("aria-expanded", "false")
    this.button.focus()
  }

  #pause(): void {
    this.#isPlaying = false
    this.#play.replaceChildren("Play")
  }

  #toggle(): void {
    if (this.#isPlaying) return this.#pause()
    this.#isPlaying = true
    this.#play.replaceChildren("Pause")
    const isOver = this.#shown === this.#pictures.length - 1
    void this.#run(isOver ? 0 : this.#shown + 1)
  }

  async #run(from: number): Promise<void> {
    for (let i = from; this.#isPlaying && i < this.#pictures.length; i++) {
      const next = new Promise((resolve) => setTimeout(resolve, PICTURE_MS))
      if (!(await this.#go(i))) return
      await next
    }
    this.#pause()
  }

  /** Show a picture. @returns false where something else was wished for meanwhile */
  async #go(index: number): Promise<boolean> {
    const wish = ++this.#wish
    const picture = this.#pictures[index]
    if (picture === undefined) return false
    try {
      const state = await this.#state(index)
      // While it is looked at, the next one comes.
      void this.#state(index + 1)?.catch(() => {})
      if (wish !== this.#wish) return false
      if (index < this.#shown || this.#shown < 0) this.#begin()
      Y.applyUpdate(this.#doc, state!)
      this.#shown = index
      this.#slider.value = String(index)
      const caption = `${timeOf(picture.to)} · ${nameOf(picture.by)}`
      this.#slider.setAttribute("aria-valuetext", caption)
      this.#caption.replaceChildren(caption)
      return true
    } catch (error) {
      this.#caption.replaceChildren(error instanceof Error ? error.message : String(error))
      return false
    }
  }

  #state(index: number): Promise<Uint8Array> | undefined {
    const picture = this.#pictures[index]
    if (picture === undefined) return undefined
    this.#states[index] ??= this.#provider.versions
      .open(picture.revisions[1])
      .then((doc) => Y.encodeStateAsUpdate(doc))
    return this.#states[index]
  }

  /** Strokes only come and go: what is before them is a document that has none of them yet. */
  #begin(): void {
    this.#doc.destroy()
    this.#doc = new Y.Doc()
    this.#stage.replaceChildren()
    const board = new Board(this.#stage, new Drawing(this.#doc), inkOnScreen)
    board.lookAs(this.#board)
    this.#stage.ariaLabel = "The drawing as it was"
    this.#stage.role = "img"
  }
}
