/** The line that says whether the visitor's work is saved. */
import type { Provider } from "../src/client/provider.ts"
import { el, icon } from "./element.ts"

/** What the line can say; one at a time. */
type State = "connecting" | "saved" | "saving" | "offline" | "refused" | "stopped"

const STATES: Record<State, { label: string; says: string; paths: string[] }> = {
  connecting: { label: "Connecting", says: "Connecting to the room", paths: ["M12 4a8 8 0 1 1-8 8"] },
  saved: { label: "Saved", says: "Everything is saved on the server", paths: ["M5 12.5l4.5 4.5L19 7.5"] },
  saving: { label: "Saving", says: "Saving", paths: ["M12 19V6", "M6.5 11.5L12 6l5.5 5.5"] },
  offline: {
    label: "Offline",
    says: "Offline: your changes are kept in this browser and sent when you are back",
    paths: [
      "M4 4l16 16",
      "M7 18h9.5M18.6 15.5A4 4 0 0 0 17 10a5.5 5.5 0 0 0-8.3-3",
      "M6.3 10A4 4 0 0 0 7 18",
    ],
  },
  refused: { label: "Not saved", says: "The room refused a change", paths: ["M12 5v9M12 18.5v.5"] },
  stopped: { label: "Stopped", says: "The room closed the connection", paths: ["M6 6l12 12M18 6L6 18"] },
}

/** States that a screen reader announces. */
const WORTH_SAYING: readonly (State | undefined)[] = ["offline", "refused", "stopped"]

/** A change that is saved faster than this is not worth a flicker, ms. */
const SAVING_SHOWS_AFTER_MS = 300
/** Once "Saving" is shown it stays until nothing was changed for so long, ms: steady typing is one saving, not many. */
const SAVED_SHOWS_AFTER_MS = 1000

/** The line, kept true. @param say what a screen reader is to say now */
export function savedLine(provider: Provider, say: (sentence: string) => void): HTMLElement {
  const line = el("p", { class: "state" })
  let shown: State | undefined
  let later: ReturnType<typeof setTimeout> | undefined
  let wasConnected = false

  const show = (state: State): void => {
    if (state === shown) return
    const { label, says, paths } = STATES[state]
    line.dataset.state = state
    line.title = says
    line.replaceChildren(icon(...paths), el("span", {}, label))
    if (WORTH_SAYING.includes(state) || shown === "offline") say(says)
    shown = state
  }
  const update = (): void => {
    clearTimeout(later)
    const state = stateOf(provider)
    const delayMs = delayOf(state)
    if (delayMs === 0) show(state)
    else later = setTimeout(() => show(stateOf(provider)), delayMs)
  }
  const delayOf = (state: State): number => {
    if (state === "saving" && shown === "saved") return SAVING_SHOWS_AFTER_MS
    return state === "saved" && shown === "saving" ? SAVED_SHOWS_AFTER_MS : 0
  }
  function stateOf({ status, synced, refused, closed, hasUnsavedChanges }: Provider): State {
    if (closed !== null) return "stopped"
    if (!navigator.onLine) return "offline"
    if (status !== "connected") return wasConnected ? "offline" : "connecting"
    if (!synced) return "connecting"
    if (refused !== null) return "refused"
    return hasUnsavedChanges ? "saving" : "saved"
  }
  provider.on("sync", (synced) => {
    wasConnected ||= synced
    update()
  })
  provider.on("connection-error", () => {
    wasConnected = true
    update()
  })
  for (const event of ["closed", "status", "refused", "saved", "unsaved"] as const) provider.on(event, update)
  addEventListener("online", update)
  addEventListener("offline", update)
  update()
  return line
}
