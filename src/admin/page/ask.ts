/** Dialogs and notes: what the page asks before it does something, and what it says after. */
import { button, el } from "./dom.ts"

/** Say something for some seconds. */
export function say(text: string, kind: "good" | "bad" = "good"): void {
  document.querySelector(".note")?.remove()
  const note = el("p", { class: `note ${kind}`, role: kind === "bad" ? "alert" : "status" }, text)
  document.body.append(note)
  setTimeout(() => note.remove(), kind === "bad" ? 10_000 : 4_000)
}

/**
 * Ask for a text. With `must`, only that text is taken: whoever deletes types what.
 * @returns null where it was called off
 */
export function askText(question: {
  readonly title: string
  readonly text: string
  readonly act: string
  readonly label: string
  readonly must?: string
  readonly danger?: boolean
}): Promise<string | null> {
  const { promise, resolve } = Promise.withResolvers<string | null>()
  const input = el("input", { type: "text", autocomplete: "off", spellcheck: "false", required: true })
  const act = el(
    "button",
    { type: "submit", class: question.danger === true ? "danger" : "main" },
    question.act,
  )
  const check = () => {
    act.disabled = question.must === undefined ? input.value.trim() === "" : input.value !== question.must
  }
  input.addEventListener("input", check)
  check()
  const dialog = el(
    "dialog",
    { "aria-label": question.title },
    el(
      "form",
      {
        method: "dialog",
        onsubmit: () => resolve(input.value),
      },
      el("h2", {}, question.title),
      el("p", {}, question.text),
      el("label", {}, question.label, input),
      el(
        "div",
        { class: "acts" },
        button("Cancel", () => dialog.close()),
        act,
      ),
    ),
  )
  show(dialog, () => resolve(null))
  return promise
}

/** Ask yes or no. */
export function askSure(question: {
  title: string
  text: string
  act: string
  danger?: boolean
}): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const act = button(
    question.act,
    () => {
      resolve(true)
      dialog.close()
    },
    { class: question.danger === true ? "danger" : "main" },
  )
  const dialog = el(
    "dialog",
    { "aria-label": question.title },
    el("h2", {}, question.title),
    el("p", {}, question.text),
    el(
      "div",
      { class: "acts" },
      button("Cancel", () => dialog.close()),
      act,
    ),
  )
  show(dialog, () => resolve(false))
  return promise
}

/** Show a dialog until it is closed. What was answered before, the closing does not change. */
function show(dialog: HTMLDialogElement, closed: () => void): void {
  dialog.addEventListener("close", () => {
    closed()
    dialog.remove()
  })
  document.body.append(dialog)
  dialog.showModal()
}
