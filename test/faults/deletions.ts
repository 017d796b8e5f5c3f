/** Faults: a document is deleted, and somebody still has it. Deletion stays [D8]. */
import * as Y from "yjs"
import type { Editor } from "./editor.ts"
import { Broken, checkArchived, checkGone, checkGoneEverywhere } from "./invariants.ts"
import type { Fault, Round } from "./round.ts"

/** How long those who still have the document try to bring it back, ms. */
const COMEBACK_MS = 2_000

/** A document that is archived, and two editors who have it. */
async function archivedDocument(round: Round, { company }: { company?: boolean } = {}) {
  const server = await round.serve({ vars: await round.postgresVars() })
  const id = round.id()
  const editors = await round.enter(server, id, 2, company === undefined ? {} : { company })
  for (const editor of editors) editor.write(5)
  await Promise.all(editors.map((editor) => editor.allSaved()))
  await checkArchived(server, id)
  const deleted = new Y.Doc()
  for (const { doc } of editors) Y.applyUpdate(deleted, Y.encodeStateAsUpdate(doc))
  return { server, id, editors, deleted, archived: () => round.inPostgres(id) }
}

/** They come with their copies, again and again, as clients do that take no close code for final. */
async function comeBack(editors: readonly Editor[], connect: (editor: Editor) => void): Promise<void> {
  for (const end = Date.now() + COMEBACK_MS; Date.now() < end; ) {
    for (const editor of editors) if (!editor.connected) connect(editor)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

/** A document may begin anew under the id, and holds nothing of the old one. */
async function checkBeginsAnew(
  round: Round,
  { server, id, deleted }: Awaited<ReturnType<typeof archivedDocument>>,
): Promise<void> {
  const [other] = round.editors(1) as [Editor]
  await other.connect(server, id)
  other.write(3)
  await other.allSaved()
  const exported = await server.exported(id)
  if (other.lostIn(exported).length > 0) throw new Broken("I1", "A document that began anew is not there")
  checkGone(deleted, exported, "in a document that began anew")
}

export const DELETIONS: readonly Fault[] = [
  {
    name: "a deletion while people type, who come back with their copies",
    rule: "D8",
    rounds: { short: 1, long: 5 },
    async strike(round) {
      const scene = await archivedDocument(round)
      const { server, id, editors } = scene
      for (const editor of editors) editor.write(2)
      await server.remove(id)
      await comeBack(editors, (editor) => editor.open(server, id))
      await checkGoneEverywhere(server, id, scene)
      await server.kill()
      await server.restart()
      await comeBack(editors, (editor) => editor.open(server, id))
      await checkGoneEverywhere(server, id, scene)
      await checkBeginsAnew(round, scene)
    },
  },
  {
    name: "a deletion while everyone is away, who come back with their copies",
    rule: "D8",
    rounds: { short: 0, long: 5 },
    async strike(round) {
      const scene = await archivedDocument(round, { company: false })
      const { server, id, editors } = scene
      for (const editor of editors) {
        editor.detach()
        editor.write(3)
      }
      await server.remove(id)
      if (round.below(2) === 0) {
        await server.kill()
        await server.restart()
      }
      await comeBack(editors, (editor) => editor.open(server, id))
      await checkGoneEverywhere(server, id, scene)
      await checkBeginsAnew(round, scene)
    },
  },
  {
    name: "killed inside a deletion, which is asked for again",
    rule: "D8",
    rounds: { short: 0, long: 5 },
    async strike(round) {
      const scene = await archivedDocument(round, { company: false })
      const { server, id, editors } = scene
      await server.inject({ stop: round.below(2) === 0 ? "^remove$" : "^remove done" })
      const asked = server.remove(id).catch(() => {})
      await server.stopped()
      await server.kill()
      await asked
      for (const editor of editors) editor.detach()
      await server.restart()
      await server.inject({})
      const response = await server.request(`/docs/${id}`, { method: "DELETE" })
      // 404: the first one came to its end.
      if (![204, 404].includes(response.status)) throw new Error(`DELETE again: ${response.status}`)
      await checkGoneEverywhere(server, id, scene)
      await comeBack(editors, (editor) => editor.open(server, id))
      await checkGoneEverywhere(server, id, scene)
    },
  },
  {
    name: "a deletion that the archive refuses once, and one that is asked for again",
    rule: "D8",
    rounds: { short: 0, long: 3 },
    async strike(round) {
      const scene = await archivedDocument(round, { company: false })
      const { server, id, editors } = scene
      for (const editor of editors) editor.detach()
      await server.inject({ fail: { step: "^remove", times: 1 } })
      const first = await server.request(`/docs/${id}`, { method: "DELETE" })
      if (first.status < 500 && first.status !== 204) throw new Error(`DELETE: ${first.status}`)
      const again = await server.request(`/docs/${id}`, { method: "DELETE" })
      if (![204, 404].includes(again.status)) throw new Error(`DELETE again: ${again.status}`)
      await checkGoneEverywhere(server, id, scene)
    },
  },
  {
    name: "a deletion while the room reads the archive",
    rule: "D8",
    rounds: { short: 0, long: 3 },
    async strike(round) {
      const scene = await archivedDocument(round, { company: false })
      const { server, id, editors } = scene
      for (const editor of editors) editor.detach()
      await server.locate(id)
      await server.kill()
      server.dropDatabase(id)
      await server.restart({ injection: { hang: { step: "^load", times: 1, ms: 700 } } })
      const [early] = round.editors(1) as [Editor]
      early.open(server, id)
      const response = await server.request(`/docs/${id}`, { method: "DELETE" })
      if (response.status !== 204) throw new Error(`DELETE: ${response.status}`)
      early.detach()
      await comeBack(editors, (editor) => editor.open(server, id))
      await checkGoneEverywhere(server, id, scene)
    },
  },
  {
    name: "a deletion, and the room's own storage is lost",
    rule: "D8",
    rounds: { short: 0, long: 3 },
    async strike(round) {
      const scene = await archivedDocument(round, { company: false })
      const { server, id, editors } = scene
      for (const editor of editors) editor.detach()
      await server.locate(id)
      await server.remove(id)
      await server.kill()
      server.dropDatabase(id)
      await server.restart()
      await checkGoneEverywhere(server, id, scene)
      await comeBack(editors, (editor) => editor.open(server, id))
      await checkGoneEverywhere(server, id, scene)
    },
  },
]
