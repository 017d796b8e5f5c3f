/** One note: everyone who opens it writes in it at once. */
import { basicSetup, EditorView } from "codemirror"
import { useEffect, useRef, useState } from "react"
import { yCollab } from "y-codemirror.next"
import * as Y from "yjs"
import { indexedDb } from "yurt/offline"
import { useProvider } from "yurt/react"

const ROOMS = "ws://localhost:8787/docs"

export function Editor({ id }: { id: string }) {
  const [initial] = useState(() => new Y.Doc())
  const { provider, doc, status, saved, readOnly, closed } = useProvider(ROOMS, id, initial, {
    // A copy in this browser: the note opens without a network, and what is typed then is sent later.
    offline: indexedDb,
    // Where your server has a key: token: async () => (await fetch(`/api/document-token?id=${id}`)).text()
  })
  const parent = useRef<HTMLDivElement>(null)
  const people = usePeople(provider.awareness)

  useEffect(() => {
    if (parent.current === null) return
    const text = doc.getText("text")
    const extensions = [basicSetup, yCollab(text, provider.awareness), EditorView.editable.of(!readOnly)]
    const view = new EditorView({ parent: parent.current, doc: text.toString(), extensions })
    return () => view.destroy()
  }, [provider, doc, readOnly])

  if (closed !== null) return <p role="alert">This note is closed: {closed.reason}</p>
  return (
    <section>
      <header>
        <span>{status === "connected" ? (saved ? "Saved" : "Saving") : "Offline, kept in this browser"}</span>
        <span>{people === 1 ? "Only you" : `${people} people`}</span>
      </header>
      <div ref={parent} />
    </section>
  )
}

/** How many have this note open. */
function usePeople(awareness: ReturnType<typeof useProvider>["provider"]["awareness"]): number {
  const [people, setPeople] = useState(1)
  useEffect(() => {
    const count = () => setPeople(awareness.getStates().size)
    count()
    awareness.on("change", count)
    return () => awareness.off("change", count)
  }, [awareness])
  return people
}
