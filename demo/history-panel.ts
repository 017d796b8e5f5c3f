/**
 * The history of the text: a button in the header, and behind it a timeline of who worked when. A slider goes through it;
 * the page shows what came and what went at each stop, or whose every word is. A state can be brought back, and a stretch of
 * work taken back; both are changes like any other, seen by everybody.
 */
import type * as Y from "yjs"
import type { Activity, Change, Provider, Span, Version, Who } from "../src/client/provider.ts"
import { el, find, icon } from "./element.ts"
import { colorOf, nameOf, timeOf } from "./history-words.ts"
import { page } from "./page.ts"
import { listPeople, type Person } from "./people.ts"
import { watchRights } from "./rights.ts"

/** Work that pauses no longer than this is one stop of the timeline, ms. */
const PAUSE_MS = 10_000
/** Stops of the timeline. */
const STOPS = 100

/** A stop of the timeline: somebody's stretch of work, and the names that its state has. */
interface Stop extends Activity {
  readonly versions: readonly Version[]
}

/** A piece of what is shown: a change or a span, and how it looks. */
export interface Piece extends Partial<Pick<Change, "op" | "text" | "value" | "path">> {
  readonly node: HTMLElement | Text
}

/** Puts pieces on the page. @param then the document as it was */
export type LayOut = (pieces: readonly Piece[], then: Y.Doc) => Node[]

/**
 * Put the button into the header, and the panel on the page; not on a miniature.
 * @param options.root the text's name in the document
 * @param options.layOut for a text of blocks; without it the pieces stand one after another
 */
export function showHistory(provider: Provider, options: { root: string; layOut?: LayOut }): void {
  if (page.mini) return
  const panel = new HistoryPanel(provider, options)
  find("bar").querySelector(".share")?.before(panel.button)
  find("editor").after(panel.page, panel.side)
}

class HistoryPanel {
  readonly button: HTMLButtonElement
  /** The text as it was, where the editor is else. */
  readonly page = el("section", {
    class: "then",
    "aria-label": "The text as it was",
    tabindex: 0,
    hidden: true,
  })
  readonly side: HTMLElement
  readonly #provider: Provider
  readonly #root: string
  readonly #layOut: LayOut | null
  readonly #slider = el("input", { id: "moment", type: "range", min: 0, step: 1 })
  readonly #caption = el("output", { for: "moment" })
  readonly #list = el("ol", { class: "stops" })
  readonly #problem = el("p", { class: "problem", role: "alert", hidden: true })
  readonly #nameless = el(
    "p",
    { class: "nameless", hidden: true },
    "Names come from tokens. Nobody has brought one, so everyone is “Someone” here.",
  )
  readonly #authors = el("input", { id: "by-author", type: "checkbox" })
  readonly #bringBack: HTMLButtonElement
  readonly #takeBack: HTMLButtonElement
  #stops: readonly Stop[] = []
  #readOnly = false
  /** Only the newest question's answer is shown. */
  #asked = 0

  constructor(provider: Provider, { root, layOut }: { root: string; layOut?: LayOut }) {
    this.#provider = provider
    this.#root = root
    this.#layOut = layOut ?? null
    this.page.classList.toggle("blocks", layOut !== undefined)
    this.button = el(
      "button",
      {
        type: "button",
        class: "history",
        title: "What this text was, and who wrote what",
        "aria-expanded": "false",
        "aria-controls": "history",
        onclick: () => (this.side.hidden ? void this.#open() : this.#close()),
      },
      icon("M4 12a8 8 0 1 0 2.5-5.8L4 8.5", "M4 4v4.5h4.5", "M12 8v4.5l3 2"),
      el("span", {}, "History"),
    )
    this.#bringBack = el("button", { type: "button", class: "primary", onclick: () => this.#do("restore") })
    this.#bringBack.append("Bring this back")
    this.#takeBack = el("button", { type: "button", onclick: () => this.#do("rollback") })
    this.side = el(
      "aside",
      { id: "history", class: "history-panel", "aria-label": "History", hidden: true },
      el(
        "header",
        {},
        el("h2", {}, "History"),
        el("button", { type: "button", class: "quiet", onclick: () => this.#close() }, "Back to writing"),
      ),
      el("label", { class: "unseen", for: "moment" }, "Moment"),
      this.#slider,
      this.#caption,
      el("label", { class: "switch", for: "by-author" }, this.#authors, "Colour by author"),
      el("div", { class: "acts" }, this.#bringBack, this.#takeBack),
      this.#problem,
      this.#list,
      this.#nameless,
    )
    this.#slider.addEventListener("input", () => void this.#show())
    this.#authors.addEventListener("change", () => void this.#show())
    watchRights(provider, (readOnly) => {
      this.#readOnly = readOnly
      this.#offer()
    })
    addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !this.side.hidden) this.#close()
    })
  }

  async #open(): Promise<void> {
    this.side.hidden = false
    this.page.hidden = false
    find("editor").hidden = true
    document.body.classList.add("looking-back")
    this.button.setAttribute("aria-expanded", "true")
    this.#stops = []
    this.#list.replaceChildren()
    this.page.replaceChildren()
    await this.#load()
    this.#slider.focus()
  }

  #close(): void {
    this.#asked++
    this.side.hidden = true
    this.page.hidden = true
    find("editor").hidden = false
    document.body.classList.remove("looking-back")
    this.button.setAttribute("aria-expanded", "false")
    this.button.focus()
  }

  /** Ask for the timeline, and stand at its end. */
  async #load(): Promise<void> {
    const { versions } = this.#provider
    const asked = this.#asked
    // Of what nobody has written in there is no document yet, and so no past to ask for.
    if (this.#provider.doc.store.clients.size === 0) return this.#show()
    await this.#try(async () => {
      await this.#provider.whenSaved().catch(() => {})
      const [{ activity }, named] = await Promise.all([
        versions.activity({ group: PAUSE_MS, limit: STOPS }),
        versions.list({ limit: STOPS }),
      ])
      this.#stops = activity
        .sort((a, b) => a.revisions[1] - b.revisions[1])
        .map((stretch, index, all) => ({
          ...stretch,
          versions: named.versions.filter(
            ({ revision }) =>
              revision <= stretch.revisions[1] && revision > (all[index - 1]?.revisions[1] ?? 0),
          ),
        }))
      this.#slider.max = String(Math.max(0, this.#stops.length - 1))
      // Whoever has chosen a stop meanwhile stays there.
      if (asked === this.#asked) this.#slider.value = this.#slider.max
      this.#slider.disabled = this.#stops.length < 2
      this.#nameless.hidden =
        this.#stops.length === 0 || this.#stops.some(({ by }) => nameOf(by) !== nameOf(null))
      this.#list.replaceChildren(...this.#stops.map((stop, index) => this.#item(stop, index)).reverse())
      await this.#show()
    })
  }

  async #show(): Promise<void> {
    const asked = ++this.#asked
    const index = Number(this.#slider.value)
    const stop = this.#stops[index]
    this.#offer()
    for (const item of this.#list.children)
      item.firstElementChild?.setAttribute(
        "aria-current",
        String(Number((item as HTMLElement).dataset.stop) === index),
      )
    if (stop === undefined) {
      this.#caption.replaceChildren("Nothing was written here yet.")
      this.page.replaceChildren()
      return
    }
    this.#caption.replaceChildren(`${timeOf(stop.to)} · ${nameOf(stop.by)}`)
    this.#slider.setAttribute("aria-valuetext", `${timeOf(stop.to)}, ${nameOf(stop.by)}`)
    await this.#try(async () => {
      const [first, last] = stop.revisions
      const seen = this.#stops[index - 1]?.revisions[1] ?? 0
      // Two who write within a second share a revision: it is shown at both their stops, each word by whose it is.
      const before = seen === last ? first - 1 : Math.max(first - 1, seen)
      const { versions } = this.#provider
      const people = listPeople(this.#provider.awareness)
      const byAuthor = this.#authors.checked
      let pieces: Piece[]
      if (byAuthor || before === 0) {
        const { spans } = await versions.blame({ root: this.#root, at: last })
        pieces = spans.map((span) => ({ ...span, node: (byAuthor ? author : came)(span, people) }))
      } else {
        const { roots } = await versions.diff({ from: before, to: last, root: this.#root })
        pieces = (roots[this.#root] ?? []).map((change) => ({ ...change, node: difference(change, people) }))
      }
      const shown =
        this.#layOut === null
          ? pieces.map(({ node }) => node)
          : this.#layOut(pieces, await versions.open(last))
      if (asked !== this.#asked) return
      this.page.replaceChildren(...shown)
      this.page.querySelector("ins, del")?.scrollIntoView({ block: "nearest" })
    })
  }

  /** What can be done with the stop that is shown. */
  #offer(): void {
    const index = Number(this.#slider.value)
    const stop = this.#stops[index]
    this.#bringBack.disabled = this.#readOnly || stop === undefined || index === this.#stops.length - 1
    this.#takeBack.disabled = this.#readOnly || stop === undefined
    this.#takeBack.replaceChildren(
      stop?.by.subject == null || stop.by.via === "restore" ? "Undo this" : `Undo ${nameOf(stop.by)}’s part`,
    )
  }

  #do(what: "restore" | "rollback"): void {
    const stop = this.#stops[Number(this.#slider.value)]
    if (stop === undefined) return
    const { versions } = this.#provider
    const [from, to] = stop.revisions
    const { subject, via } = stop.by
    void this.#try(async () => {
      if (what === "restore") await versions.restore(to, { root: this.#root })
      else {
        // What was brought back or taken back is nobody's own work, and is asked for by its way.
        const whose = { ...(subject !== null && { by: subject }), ...(via === "restore" && { via }) }
        const { unresolved } = await versions.rollback({ ...whose, from, to })
        if (unresolved.length > 0)
          this.#say(
            `Left where others built on it: ${unresolved.length === 1 ? "one place" : `${unresolved.length} places`}.`,
          )
      }
      await this.#load()
    })
  }

  get #people(): Person[] {
    return listPeople(this.#provider.awareness)
  }

  async #try(act: () => Promise<void>): Promise<void> {
    this.#problem.hidden = true
    try {
      await act()
    } catch (error) {
      this.#say(error instanceof Error ? error.message : String(error))
    }
  }

  #say(sentence: string): void {
    this.#problem.hidden = false
    this.#problem.replaceChildren(sentence)
  }

  #item({ by, to, inserted, deleted, versions }: Stop, index: number): HTMLElement {
    const dot = el("span", { class: "dot", "aria-hidden": "true" })
    dot.style.background = colorOf(by, this.#people)
    const go = (): void => {
      this.#slider.value = String(index)
      void this.#show()
    }
    return el(
      "li",
      { "data-stop": index },
      el(
        "button",
        { type: "button", onclick: go },
        dot,
        el("span", { class: "who" }, nameOf(by)),
        el("time", { datetime: to }, timeOf(to)),
        el(
          "span",
          { class: "counts" },
          inserted > 0 && el("ins", {}, `+${inserted}`),
          " ",
          deleted > 0 && el("del", {}, `−${deleted}`),
        ),
        by.via === "restore" && el("span", { class: "counts" }, "from the history"),
        ...versions
          .filter(({ name }) => name !== null)
          .map(({ name }) => el("span", { class: "named" }, name)),
      ),
    )
  }
}

function difference({ op, text, value, by, at }: Change, people: readonly Person[]): HTMLElement | Text {
  const shown = text ?? (value === undefined ? "" : JSON.stringify(value))
  if (op === "equal") return document.createTextNode(shown)
  return mark(op === "insert" ? "ins" : op === "delete" ? "del" : "mark", shown, {
    by: by ?? null,
    at: at ?? null,
    people,
  })
}

function came({ text, value, by, at }: Span, people: readonly Person[]): HTMLElement {
  return mark("ins", text ?? JSON.stringify(value), { by, at, people })
}

function author({ text, value, by, at, verified, restoredBy }: Span, people: readonly Person[]): HTMLElement {
  const shown = mark("span", text ?? JSON.stringify(value), { by, at, people })
  if (restoredBy !== undefined) shown.title += `, brought back by ${nameOf(restoredBy)}`
  if (by?.subject != null && !verified) shown.title += ", as another brought it"
  return shown
}

function mark(
  tag: "ins" | "del" | "mark" | "span",
  text: string,
  { by, at, people }: { by: Who | null; at: string | null; people: readonly Person[] },
): HTMLElement {
  const shown = el(
    tag,
    { title: [nameOf(by), at === null ? "" : timeOf(at)].filter(Boolean).join(", ") },
    text,
  )
  shown.style.setProperty("--by", colorOf(by, people))
  return shown
}
