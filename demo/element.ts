/** Build DOM without a framework and without innerHTML: text stays text, whoever wrote it. */

type Child = Node | string | null | false
/** Attributes by name; `on…` is a listener, true a bare attribute, false or null none. */
type Attributes = Record<string, string | number | boolean | null | ((event: Event) => void)>

/** An HTML element: `el("button", { type: "button", onclick: save }, "Save")`. */
export function el<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[Tag] {
  return fill(document.createElement(tag), attributes, children)
}

/** An SVG element, the same way. */
export function svg<Tag extends keyof SVGElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: Child[]
): SVGElementTagNameMap[Tag] {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children)
}

/** A 24-unit line icon from path data, hidden from screen readers: its button carries the words. */
export function icon(...paths: string[]): SVGSVGElement {
  return svg(
    "svg",
    { viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true" },
    ...paths.map((d) => svg("path", { d })),
  )
}

/** The element of the page with this id. @throws Error where the page has none */
export function find<Type extends HTMLElement = HTMLElement>(id: string): Type {
  const found = document.getElementById(id)
  if (found === null) throw new Error(`The page has no element #${id}`)
  return found as Type
}

/** Whether an event is about words that are being written, so that its keys are letters and its clicks move the caret. */
export function isTyping({ target }: Event): boolean {
  return (
    target instanceof HTMLTextAreaElement || (target instanceof HTMLInputElement && target.type === "text")
  )
}

function fill<Target extends Element>(element: Target, attributes: Attributes, children: Child[]): Target {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value)
    else if (value === true) element.setAttribute(name, "")
    else if (value !== false && value !== null) element.setAttribute(name, String(value))
  }
  element.append(...children.filter((child) => child !== null && child !== false))
  return element
}
