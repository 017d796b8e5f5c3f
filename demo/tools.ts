/** A toolbar for an editor: what a paragraph is, how its words look, and undo. */
import { el, icon } from "./element.ts"

/** A button of the toolbar. */
export interface Tool {
  /** What it shows: a letter, or the path of an icon. */
  readonly face: string
  readonly title: string
  readonly kind?: "bold" | "italic" | "code"
  readonly press: () => void
  /** Whether it stays pressed in; a tool that only does something has none. */
  readonly isOn?: () => boolean
}

/** What the toolbar asks of the editor. */
export interface ToolbarOptions {
  /** Kinds of paragraphs: name → label. */
  readonly kinds: Readonly<Record<string, string>>
  readonly kind: () => string
  readonly setKind: (kind: string) => void
  readonly groups: readonly (readonly Tool[])[]
}

/** The paths of the icons that the editors share. */
export const ICONS = {
  bullets: "M9 6h11M9 12h11M9 18h11M4.5 6h.01M4.5 12h.01M4.5 18h.01",
  tasks: "M10 6h10M10 12h10M10 18h10M3.5 6l1.2 1.2L7 5M3.5 12l1.2 1.2L7 11M3.5 18l1.2 1.2L7 17",
  undo: "M9 8h6a5 5 0 0 1 0 10H8M9 8l4-4M9 8l4 4",
  redo: "M15 8H9a5 5 0 0 0 0 10h7M15 8l-4-4M15 8l-4 4",
} as const

/** Make the toolbar. @returns it, and what makes it say what is true at the selection now */
export function toolbar({ kinds, kind, setKind, groups }: ToolbarOptions): {
  element: HTMLElement
  update: () => void
} {
  const select = el(
    "select",
    { "aria-label": "Kind of paragraph", onchange: () => setKind(select.value) },
    ...Object.entries(kinds).map(([value, label]) => el("option", { value }, label)),
  )
  const buttons = groups.map((group) => group.map((tool) => ({ tool, button: toolButton(tool) })))
  const update = (): void => {
    select.value = kind()
    for (const { tool, button } of buttons.flat())
      if (tool.isOn !== undefined) button.setAttribute("aria-pressed", String(tool.isOn()))
  }
  update()
  const element = el(
    "div",
    { class: "tools", role: "toolbar", "aria-label": "Formatting" },
    select,
    ...buttons.map((group) => el("span", { class: "group" }, ...group.map(({ button }) => button))),
  )
  return { element, update }
}

function toolButton({ face, title, kind, press }: Tool): HTMLButtonElement {
  return el(
    "button",
    {
      ...{ type: "button", class: `tool ${kind ?? ""}`, title, "aria-label": title.replace(/ \(.*/, "") },
      // A mouse press would move the selection out of the text.
      onmousedown: (event) => event.preventDefault(),
      onclick: press,
    },
    face.length > 2 ? icon(face) : face,
  )
}
