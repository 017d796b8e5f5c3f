/** Faults: something has not come yet, and what depends on it waits. What waits is never called saved [D9]. */
import * as Y from "yjs"
import { FRAME } from "../kit/client.ts"
import { until } from "../kit/until.ts"
import type { Editor } from "./editor.ts"
import { Broken, checkKept, checkWelcome } from "./invariants.ts"
import { patch } from "./kills.ts"
import type { Fault } from "./round.ts"

/** How long a client with a gap is watched, ms. */
const WATCH_MS = 2_000
/** The same gap may be asked for this often meanwhile: once a connection, and once for each distinct update. */
const QUESTIONS = 20

/** Two edits by somebody else, the second of which depends on the first. */
function twoEdits(): [first: Uint8Array, second: Uint8Array] {
  const author = new Y.Doc()
  const updates: Uint8Array[] = []
  author.on("update", (update: Uint8Array) => updates.push(update))
  author.getMap("map").set("first", 1)
  author.getMap("map").set("second", 2)
  return updates as [Uint8Array, Uint8Array]
}

export const GAPS: readonly Fault[] = [
  {
    name: "a client whose own document has a gap",
    rule: "D9",
    rounds: { short: 1, long: 3 },
    async strike(round) {
      const { server } = await round.serveArchived()
      const id = round.id()
      const [peer] = (await round.enter(server, id, 1)) as [Editor]
      const [carrier] = round.editors(1) as [Editor]
      const [first, second] = twoEdits()
      // As after a lost row of IndexedDB.
      Y.applyUpdate(carrier.doc, second, carrier)
      let questions = 0
      carrier.onFrame = ([type, step]) => {
        if (type === FRAME.sync && step === 0) questions++
      }
      carrier.open(server, id)
      await until(() => carrier.synced, "the client with the gap is synced")
      carrier.write(5)
      const { made } = carrier
      carrier.ask()
      await new Promise((resolve) => setTimeout(resolve, WATCH_MS))
      if (questions > QUESTIONS) {
        throw new Broken("I8", `The same gap was asked for ${questions} times in ${WATCH_MS} ms`)
      }
      checkWelcome([carrier, peer])
      if (carrier.acknowledged > 0) throw new Broken("I8", "What waits was called saved")
      const exported = await server.exported(id)
      const missing = Array.from({ length: made }, (_, n) => `${carrier.name}:${n}`).filter(
        (key) => !exported.getMap("map").has(key),
      )
      if (missing.length > 0) throw new Broken("I8", `What waits for nothing is not there: ${missing}`)
      // What was missing comes, by whichever way.
      await patch(server, id, first)
      Y.applyUpdate(carrier.doc, first, carrier)
      await until(() => peer.doc.getMap("map").has("second"), "what waited shows")
      await carrier.allSaved()
      await round.settle(server, id, { editors: [carrier, peer] })
    },
  },
  {
    name: "a PATCH of what waits, a deletion, and what was missing",
    rule: "D9",
    rounds: { short: 1, long: 3 },
    async strike(round) {
      const { server } = await round.serveArchived()
      const id = round.id()
      const [first, second] = twoEdits()
      const response = await server.patch(id, second)
      const body = await response.text()
      if (response.status === 200) {
        throw new Broken("I8", `What is nowhere was answered with 200 ${body}`)
      }
      if (![202, 409].includes(response.status)) throw new Error(`PATCH: ${response.status} ${body}`)
      const deletion = await server.request(`/docs/${id}`, { method: "DELETE" })
      if (response.status === 202 && deletion.status !== 204) {
        throw new Broken("I7", `What waits cannot be deleted: ${deletion.status}`)
      }
      await server.patch(id, first)
      if ((await server.exported(id)).getMap("map").has("second")) {
        throw new Broken("I7", "What waited came back after the deletion")
      }
    },
  },
  {
    name: "two updates that each need a part of the other",
    rule: "D9",
    rounds: { short: 1, long: 1 },
    async strike(round) {
      const { server } = await round.serveArchived()
      for (const updates of [
        ["01020100040101740161840200016300", "01010200840100016200"],
        ["010303000401017401310a01840301013300", "0103030184030001320a01840302013400"],
      ]) {
        const id = round.id()
        const whole = new Y.Doc()
        for (const hex of updates) {
          const update = Buffer.from(hex, "hex")
          Y.applyUpdate(whole, update)
          await patch(server, id, update)
        }
        const [shown, wanted] = [await server.exported(id), whole].map((doc) => doc.getText("t").toString())
        if (shown !== wanted) throw new Broken("I8", `The room shows "${shown}", not "${wanted}"`)
      }
    },
  },
  {
    name: "what waits, a kill, and what was missing",
    rule: "D9",
    rounds: { short: 0, long: 3 },
    async strike(round) {
      const { server } = await round.serveArchived()
      const id = round.id()
      const editors = await round.enter(server, id, 2)
      const [first, second] = twoEdits()
      editors[0]!.write(3)
      await patch(server, id, second)
      await Promise.all(editors.map((editor) => editor.allSaved()))
      await server.kill()
      await server.restart()
      await patch(server, id, first)
      const exported = await server.exported(id)
      if (!exported.getMap("map").has("second")) throw new Broken("I1", "What waited is gone", { lost: 1 })
      checkKept(exported, editors, "in the export")
      await round.settle(server, id, { editors, cuts: 1 })
    },
  },
]
