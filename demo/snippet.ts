/** A piece of code to copy. */
import { copyText } from "./clipboard.ts"
import { el } from "./element.ts"

/** The code with a button that copies it. @param label what it is, for the button: "Copy the command" */
export function snippet(code: string, label: string): HTMLElement {
  const words = el("span", { "aria-live": "polite" }, "Copy")
  const copy = async (): Promise<void> => {
    if (await copyText(code)) words.replaceChildren("Copied")
    else {
      getSelection()?.selectAllChildren(source)
      words.replaceChildren("Selected")
    }
    setTimeout(() => words.replaceChildren("Copy"), 2000)
  }
  const source = el("code", {}, code)
  return el(
    "figure",
    { class: code.includes("\n") ? "snippet long" : "snippet" },
    // Focusable, because it scrolls.
    el("pre", { tabindex: 0, "aria-label": label.replace("Copy ", "") }, source),
    el("button", { type: "button", title: label, onclick: () => void copy() }, words),
  )
}
