/** The binding of CodeMirror and Yjs, and a caret's flag that keeps up with its owner's name. */
import { Compartment, type Extension } from "@codemirror/state"
import { ViewPlugin } from "@codemirror/view"
import { yCollab, yRemoteSelections } from "y-codemirror.next"
import type { Awareness } from "y-protocols/awareness"
import type * as Y from "yjs"
import { readVisitor } from "./people.ts"

/** Everything one types into the editor goes into the text, and the others' carets are shown. */
export function collaboration(text: Y.Text, awareness: Awareness): Extension {
  const carets = new Compartment()
  const parts = [yCollab(text, awareness)].flat()
  return [
    parts.map((part) => (part === yRemoteSelections ? carets.of(part) : part)),
    redrawRenamed(carets, awareness),
  ]
}

/** y-codemirror.next takes a caret for the same as long as its colour is; after a rename all carets are drawn anew. */
function redrawRenamed(carets: Compartment, awareness: Awareness): Extension {
  return ViewPlugin.define((view) => {
    const names = new Map<number, string | undefined>()
    const onChange = ({ added, updated }: { added: number[]; updated: number[] }): void => {
      let renamed = false
      for (const id of [...added, ...updated]) {
        if (id === awareness.clientID) continue
        const name = readVisitor(awareness.getStates().get(id) ?? {})?.name
        renamed ||= names.has(id) && names.get(id) !== name
        names.set(id, name)
      }
      if (!renamed) return
      view.dispatch({ effects: carets.reconfigure([]) })
      view.dispatch({ effects: carets.reconfigure(yRemoteSelections) })
      // A view plugin that has just been made decorates at the next update.
      view.dispatch({})
    }
    awareness.on("change", onChange)
    return { destroy: () => awareness.off("change", onChange) }
  })
}
