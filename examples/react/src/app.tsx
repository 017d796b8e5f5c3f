/** Which note is shown. */
import { useState } from "react"
import { Editor } from "./editor"

const NOTES = ["shopping", "ideas", "minutes"]

export function App() {
  const [id, setId] = useState(NOTES[0]!)
  return (
    <>
      <nav>
        {NOTES.map((note) => (
          <button
            key={note}
            type="button"
            aria-current={note === id || undefined}
            onClick={() => setId(note)}
          >
            {note}
          </button>
        ))}
      </nav>
      {/* Another note is another document: React makes a new editor for it. */}
      <Editor key={id} id={id} />
    </>
  )
}
