/** Faults: somebody brings what somebody else wrote. A right is about who originates, not about who carries [R5]. */
import * as Y from "yjs"
import { startProxy } from "../kit/proxy.ts"
import { until } from "../kit/until.ts"
import { Editor } from "./editor.ts"
import { Broken, checkConverged, checkKept, checkWelcome, holds } from "./invariants.ts"
import { patch } from "./kills.ts"
import type { Fault, Round } from "./round.ts"

/** A server and two editors who have written something that is saved. */
async function twoWriters(round: Round, limits = {}) {
  const { server, receiver } = await round.serveArchived({ limits })
  const id = round.id()
  const [ada, ben] = (await round.enter(server, id, 2)) as [Editor, Editor]
  for (const editor of [ada, ben]) editor.write(5)
  await Promise.all([ada.allSaved(), ben.allSaved()])
  return { server, receiver, id, ada, ben }
}

const has = (doc: Y.Doc, { doc: { clientID, store } }: Editor) =>
  Y.getState(doc.store, clientID) === Y.getState(store, clientID)

export const CARRYING: readonly Fault[] = [
  {
    name: "killed between relay and commit, and the author stays away",
    rule: "R5",
    rounds: { short: 2, long: 10 },
    async strike(round) {
      // A long window, so that what is relayed is not committed yet.
      const { server, id, ada, ben } = await twoWriters(round, { commitWindowMs: 1_000 })
      ada.write()
      await until(() => has(ben.doc, ada), "a first edit is relayed, and committed at once", { everyMs: 1 })
      ada.write()
      await until(() => has(ben.doc, ada), "the next one is relayed", { everyMs: 1 })
      await server.kill()
      await server.restart()
      ada.detach()
      await ben.connect(server, id)
      ben.write(3)
      await ben.allSaved()
      checkWelcome([ben])
      await checkConverged(server, id, [ben])
      ada.write(2)
      await round.settle(server, id, { editors: [ada, ben], cuts: 1 })
    },
  },
  {
    name: "two documents piped into each other beside the server",
    rule: "R5",
    rounds: { short: 1, long: 5 },
    async strike(round) {
      const { server, id, ada, ben } = await twoWriters(round)
      ada.detach()
      ada.write(5)
      // As y-webrtc, a second tab or a native bridge does.
      ben.passOn(Y.encodeStateAsUpdate(ada.doc, Y.encodeStateVector(ben.doc)))
      ben.write(5)
      await ben.allSaved()
      checkWelcome([ben])
      ada.write(2)
      await round.settle(server, id, { editors: [ada, ben] })
    },
  },
  {
    name: "a guest who logs in and writes on in the same page",
    rule: "R5",
    rounds: { short: 1, long: 3 },
    async strike(round) {
      const { server, id, ada: guest, ben } = await twoWriters(round)
      guest.detach()
      const [member] = round.editors(1) as [Editor]
      Y.applyUpdate(member.doc, Y.encodeStateAsUpdate(guest.doc))
      member.writeUnder(guest.doc.clientID)
      await member.connect(server, id)
      member.write(5)
      await member.allSaved()
      checkWelcome([member])
      await round.settle(server, id, { editors: [member, ben] })
    },
  },
  {
    name: "an import, and then its author",
    rule: "R5",
    rounds: { short: 0, long: 3 },
    async strike(round) {
      const { server } = await round.serveArchived()
      const id = round.id()
      const [author] = round.editors(1) as [Editor]
      author.write(10)
      await patch(server, id, Y.encodeStateAsUpdate(author.doc))
      await author.connect(server, id)
      author.write(5)
      await author.allSaved()
      await round.settle(server, id, { editors: [author] })
    },
  },
  {
    name: "a backup that is merged back by an operator",
    rule: "R5",
    rounds: { short: 0, long: 3 },
    async strike(round) {
      const { server, id, ada, ben } = await twoWriters(round)
      const backup = Y.encodeStateAsUpdate(await server.exported(id))
      for (const editor of [ada, ben]) editor.write(5)
      await patch(server, id, backup)
      await round.settle(server, id, { editors: [ada, ben] })
    },
  },
  {
    name: "somebody writes under the client id of someone who is here and writes as well",
    rule: "R5",
    rounds: { short: 1, long: 3 },
    // Without tokens nobody can be told apart.
    auth: "tokens",
    async strike(round) {
      const { server } = await round.serveArchived()
      const id = round.id()
      const proxy = await startProxy(server.port)
      round.atEnd(() => proxy.close())
      const [ada, ben] = round.editors(2) as [Editor, Editor]
      await ada.connect(server, id, proxy.port)
      await ben.connect(server, id)
      for (const editor of [ada, ben]) editor.write(5)
      await Promise.all([ada.allSaved(), ben.allSaved()])
      const eve = new Editor("eve", 7)
      round.atEnd(() => eve.detach())
      await eve.connect(server, id)
      // What is forged is there before what the owner writes at the same clocks, and she has not seen it.
      proxy.delayMs = () => 300
      eve.doc.clientID = ada.doc.clientID
      eve.doc.getMap("map").set("forged", "x".repeat(40))
      ada.write(5)
      await ada.allSaved()
      checkWelcome([ada, ben])
      eve.detach()
      await round.settle(server, id, { editors: [ada, ben] })
    },
  },
  {
    name: "a start from the archive, after which somebody writes under someone else's client id",
    rule: "R5",
    rounds: { short: 1, long: 3 },
    // Without tokens nobody can be told apart.
    auth: "tokens",
    async strike(round) {
      const { server } = await round.serveArchived()
      const id = round.id()
      const [ada] = (await round.enter(server, id, 1, { company: false })) as [Editor]
      ada.write(5)
      await ada.allSaved()
      ada.detach()
      await until(async () => (await server.status(id))?.archivedRevision !== null, "it is archived")
      await server.locate(id)
      await server.kill()
      server.dropDatabase(id)
      await server.restart()
      ada.write(3)
      const eve = new Editor("eve", 7)
      round.atEnd(() => eve.detach())
      await eve.connect(server, id)
      eve.doc.clientID = ada.doc.clientID
      eve.doc.getMap("map").set("forged", "x".repeat(40))
      // Taken or refused: either way it has been dealt with when a question after it could be answered.
      eve.askSaved()
      await until(
        () => eve.saved > 0 || eve.refusals.length + eve.notices.length > 0 || eve.closed !== null,
        "the forged edit is dealt with",
      )
      ada.open(server, id)
      await until(
        () =>
          ada.acknowledged === ada.made ||
          ada.refusals.length + ada.notices.length > 0 ||
          ada.closed !== null,
        "the owner's own edits are saved, or she is told",
      )
      if (ada.acknowledged === ada.made) {
        const look = async () => checkKept(await server.exported(id), [ada], "in the export")
        await holds(look, { timeoutMs: 3_000 })
      } else if (ada.closed !== null)
        throw new Broken("I6", `The room closed the owner with ${ada.closed.code}`)
    },
  },
]
