"use client"

/** One note: everyone who opens it writes in it at once. */
import { basicSetup, EditorView } from "codemirror"
import { useEffect, useRef, useState } from "react"
import { yCollab } from "y-codemirror.next"
import * as Y from "yjs"
import { useProvider } from "yurt/react"

/** @param rooms where they are: another server than the one of this page */
export function Editor({ id, name, rooms }: { id: string; name: string; rooms: string }) {
  const [initial] = useState(() => new Y.Doc())
  // The provider asks for a token at each attempt to connect, and shortly before the last one ends.
  const { provider, doc, status, synced, saved, readOnly, closed } = useProvider(rooms, id, initial, {
    token: () => fetchToken(id),
  })
  const parent = useRef<HTMLDivElement>(null)

  useEffect(() => provider.awareness.setLocalStateField("user", { name }), [provider, name])

  useEffect(() => {
    if (!synced || parent.current === null) return
    const text = doc.getText("text")
    const extensions = [basicSetup, yCollab(text, provider.awareness), EditorView.editable.of(!readOnly)]
    const view = new EditorView({ parent: parent.current, doc: text.toString(), extensions })
    return () => view.destroy()
  }, [provider, doc, synced, readOnly])

  if (closed !== null) return <p role="alert">This note is closed: {closed.reason}</p>
  const safe = saved ? "Saved" : "Saving"
  return (
    <section>
      <header>
        <span role="status">{status === "connected" ? safe : "Connecting"}</span>
        {synced && readOnly && <span>You may read it</span>}
      </header>
      <div ref={parent} />
    </section>
  )
}

/** @throws Error where the session has ended: the provider then tries again, until somebody has signed in */
async function fetchToken(id: string): Promise<string> {
  const response = await fetch(`/api/document-token?id=${encodeURIComponent(id)}`)
  if (!response.ok) throw new Error(await response.text())
  return response.text()
}
