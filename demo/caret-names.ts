/**
 * The names at the carets of others. Each binding puts one above its caret; two carets in one place, or a few letters apart, would
 * cover each other's, and one at the end of a line would leave the page. So each is moved to where it can be read.
 */
import { el } from "./element.ts"

/** What y-codemirror.next, Lexical, and what `renderCaret` makes call them. */
const NAMES = ".cm-ySelectionInfo, .caret-name, .collaboration-carets__label"
/** Between two names, px. */
const GAP_PX = 1

/** Keep the names in an editor apart, and inside of it, for as long as the page is open. */
export function spreadCaretNames(editor: HTMLElement): void {
  /** How far each has been moved, px. */
  const moved = new WeakMap<Element, { readonly x: number; readonly y: number }>()
  const spread = (): void => {
    // Behind the history nothing is anywhere.
    if (editor.hidden) return
    const edge = editor.getBoundingClientRect().right - GAP_PX
    const taken: DOMRect[] = []
    for (const name of editor.querySelectorAll<HTMLElement>(NAMES)) {
      const { left, top, width, height } = name.getBoundingClientRect()
      const { x, y } = moved.get(name) ?? { x: 0, y: 0 }
      const own = new DOMRect(left - x, top - y, width, height)
      const place = placeFor(own, taken, edge)
      taken.push(place)
      const shift = { x: Math.round(place.x - own.x), y: Math.round(place.y - own.y) }
      if (shift.x === x && shift.y === y) continue
      moved.set(name, shift)
      name.style.translate = `${shift.x}px ${shift.y}px`
    }
    // What was moved here moves nothing else.
    changes.takeRecords()
  }
  // Before the page is painted: nobody sees a name jump.
  const changes = new MutationObserver(spread)
  // Lexical moves a caret by its style.
  const what = { childList: true, subtree: true, characterData: true, attributeFilter: ["style"] }
  changes.observe(editor, what)
  new ResizeObserver(spread).observe(editor)
}

/** Beside those that are there already, as long as there is room; else above them. */
function placeFor({ x, y, width, height }: DOMRect, taken: readonly DOMRect[], edge: number): DOMRect {
  const start = Math.min(x, edge - width)
  const place = new DOMRect(start, y, width, height)
  for (;;) {
    const inTheWay = taken.find((other) => overlap(place, other))
    if (inTheWay === undefined) return place
    place.x = inTheWay.right + GAP_PX
    if (place.right <= edge) continue
    place.x = start
    place.y -= height + GAP_PX
  }
}

function overlap(one: DOMRect, other: DOMRect): boolean {
  return one.left < other.right && other.left < one.right && one.top < other.bottom && other.top < one.bottom
}

/** A caret with a name, for Tiptap and BlockNote. */
export function renderCaret({ name, color }: { name?: string; color?: string }): HTMLElement {
  const label = el("span", { class: "collaboration-carets__label" }, name ?? "")
  label.style.backgroundColor = color ?? ""
  const caret = el("span", { class: "collaboration-carets__caret" }, label)
  caret.style.borderColor = color ?? ""
  return caret
}
