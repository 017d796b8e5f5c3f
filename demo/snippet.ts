/** A piece of code to copy. */
import { el } from "./element.ts"

/** @param label what it is, for the button: "Copy the command" */
export function snippet(code: string, label: string): HTMLElement {
  const words = el("span", { "aria-live": "polite" }, "Copy")
  const copy = async (): Promise<void> => {
    await navigator.clipboard.writeText(code)
    words.replaceChildren("Copied")
    setTimeout(() => words.replaceChildren("Copy"), 2000)
  }
  return el(
    "figure",
    { class: code.includes("\n") ? "snippet long" : "snippet" },
    // Focusable, because it scrolls.
    el("pre", { tabindex: 0, "aria-label": label.replace("Copy ", "") }, el("code", {}, code)),
    el("button", { type: "button", title: label, onclick: () => void copy() }, words),
  )
}
