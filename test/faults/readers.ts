/** Faults: much to read, and much to hold. Nobody who reads is closed [F3], and no document outgrows its memory [B2]. */
import * as Y from "yjs"
import { Editor } from "./editor.ts"
import { Broken, checkConverged, checkSockets, checkWelcome } from "./invariants.ts"
import type { Fault } from "./round.ts"

const PASTES = 14
/** Together more than 128 MB when it is hydrated: an entry takes about 242 bytes of heap. */
const ENTRIES = 600_000
const ENTRIES_AT_ONCE = 50_000

export const READERS: readonly Fault[] = [
  {
    name: "a reader without presence, while many megabytes are written",
    rule: "F3",
    rounds: { short: 1, long: 3 },
    auth: "tokens",
    async strike(round) {
      // No archive: this is about sockets.
      const server = await round.serve()
      const id = round.id()
      const [writer] = (await round.enter(server, id, 1)) as [Editor]
      const readers = [false, true].map(
        (speaksYurt) => new Editor(`reader ${speaksYurt}`, 1, { rights: "read", speaksYurt }),
      )
      for (const reader of readers) round.atEnd(() => reader.detach())
      await Promise.all(readers.map((reader) => reader.connect(server, id)))
      for (let i = 0; i < PASTES; i++) {
        writer.doc.getText("text").insert(0, "x".repeat(1_000_000))
        writer.write()
        await writer.allSaved()
      }
      checkWelcome([writer, ...readers, ...round.company!.clients])
      await checkConverged(server, id, [writer, ...readers, ...round.company!.clients])
      checkSockets(readers)
      await round.settle(server, id, { editors: [writer], archived: false })
    },
  },
  {
    name: `a map of ${ENTRIES.toLocaleString("en")} entries`,
    rule: "B2",
    rounds: { short: 0, long: 1 },
    async strike(round) {
      const server = await round.serve()
      const id = round.id()
      const editors = await round.enter(server, id, 2)
      for (const editor of editors) editor.write(5)
      await Promise.all(editors.map((editor) => editor.allSaved()))
      for (let at = 0; at < ENTRIES; at += ENTRIES_AT_ONCE) {
        const doc = new Y.Doc()
        doc.transact(() => {
          for (let n = at; n < at + ENTRIES_AT_ONCE; n++) doc.getMap("entries").set(`entry ${n}`, n)
        })
        const response = await server.patch(id, Y.encodeStateAsUpdate(doc))
        if (response.ok) continue
        // It may say that it is full; it may not die of it.
        if (![409, 413, 507].includes(response.status)) {
          throw new Broken("I4", `PATCH at ${at} entries: ${response.status}`)
        }
        break
      }
      if ((await server.exported(id)).getMap("entries").size === 0)
        throw new Broken("I1", "The entries are gone")
      // A full document still takes deletions.
      const whole = await server.exported(id)
      const before = Y.encodeStateVector(whole)
      whole.getMap("entries").delete("entry 1")
      const deletion = await server.patch(id, Y.encodeStateAsUpdate(whole, before))
      if (!deletion.ok) throw new Broken("I6", `A deletion in a full document: ${deletion.status}`)
      await round.settle(server, id, { editors, archived: false })
    },
  },
]
