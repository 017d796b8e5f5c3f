/** What the line above the text says: whether what one has typed is safe, and who is here. */
import type { HocuspocusProvider } from "@hocuspocus/provider"
import type { Editor } from "@tiptap/core"

/** Show a document's state while the page is open. */
export function showState(provider: HocuspocusProvider, editor: Editor): void {
  const state = document.querySelector("#state")!
  const people = document.querySelector("#people")!
  let isOffline = false

  const show = () => {
    if (isOffline) state.textContent = "Offline: what you type is sent when the connection is back"
    else if (!provider.isSynced) state.textContent = "Opening"
    // The server acknowledges a change once it is on disk: until then the provider counts it.
    else state.textContent = provider.hasUnsyncedChanges ? "Saving" : "Saved"
  }
  const count = () => {
    const here = provider.awareness?.getStates().size ?? 1
    people.textContent = here <= 1 ? "Only you" : `${here} people`
  }

  provider.on("status", ({ status }: { status: string }) => {
    // Between two attempts it says "connecting", and that is no news.
    if (status !== "connecting") isOffline = status === "disconnected"
    show()
  })
  provider.on("synced", show)
  provider.on("unsyncedChanges", show)
  provider.on("awarenessChange", count)
  provider.on("authenticated", () => editor.setEditable(provider.authorizedScope !== "readonly"))
  provider.on("authenticationFailed", ({ reason }: { reason: string }) => {
    editor.setEditable(false)
    state.textContent = `Closed: ${reason}`
  })
  show()
  count()
}
