/** Faults: the network between clients and a room, and clients that come all at once. */
import * as Y from "yjs"
import { LIMITS } from "../../src/limits.ts"
import { startProxy } from "../kit/proxy.ts"
import { until } from "../kit/until.ts"
import { honestHistory, shuffle } from "../kit/updates.ts"
import type { Editor } from "./editor.ts"
import { checkConverged, checkEqual, checkSockets } from "./invariants.ts"
import { randomEdit } from "./random-edit.ts"
import type { Fault } from "./round.ts"

const STORM_SOCKETS = 1_000

export const NETWORK: readonly Fault[] = [
  {
    name: "a connection that is half open",
    rule: "D2",
    rounds: { short: 1, long: 3 },
    async strike(round) {
      const { server } = await round.serveArchived()
      const proxy = await startProxy(server.port)
      round.atEnd(() => proxy.close())
      const id = round.id()
      const [behind, beside] = round.editors(2) as [Editor, Editor]
      await behind.connect(server, id, proxy.port)
      await beside.connect(server, id)
      for (const editor of [behind, beside]) editor.write(10)
      await Promise.all([behind.allSaved(), beside.allSaved()])
      proxy.hold()
      for (const editor of [behind, beside]) editor.write(10)
      behind.ask()
      // The one who can be heard is served as ever.
      await beside.allSaved()
      const told = behind.acknowledged
      // It gives up on the silence and comes in by another way; the room still holds the dead socket.
      await behind.connect(server, id)
      if (behind.acknowledged !== told) throw new Error("Something came through the held proxy")
      await Promise.all([behind.allSaved(), beside.allSaved()])
      await checkConverged(server, id, [behind, beside])
      await round.settle(server, id, { editors: [behind, beside] })
    },
  },
  {
    name: "updates that come twice and in any order",
    rule: "D3",
    rounds: { short: 1, long: 20 },
    async strike(round) {
      const { server } = await round.serveArchived()
      const id = round.id()
      const editors = await round.enter(server, id, 3)
      const { updates, derived, docs } = honestHistory(round.random, { clients: 3, steps: 40 })
      const all = shuffle(round.random, [...updates, ...updates, ...derived])
      for (const update of all) {
        const editor = editors[round.below(editors.length)]!
        editor.passOn(update)
        if (round.below(10) === 0) editor.write()
      }
      const whole = new Y.Doc()
      for (const update of [...updates, ...docs.map((doc) => Y.encodeStateAsUpdate(doc))])
        Y.applyUpdate(whole, update)
      // What the room held back for its dependency, and what nobody sent, comes with a step 2.
      for (const doc of docs) Y.applyUpdate(editors[0]!.doc, Y.encodeStateAsUpdate(doc))
      await Promise.all(editors.map((editor) => editor.allSaved()))
      await checkConverged(server, id, editors)
      for (const editor of editors) Y.applyUpdate(whole, Y.encodeStateAsUpdate(editor.doc))
      checkEqual([whole, editors[0]!.doc], ["all that was ever made", "an editor"])
      await round.settle(server, id, { editors })
    },
  },
  {
    name: "a 5 MB update, and a kill right after its acknowledgement",
    rule: "D5",
    rounds: { short: 1, long: 3 },
    async strike(round) {
      const { server } = await round.serveArchived()
      const id = round.id()
      const editors = await round.enter(server, id, 2)
      editors[0]!.doc.getText("text").insert(0, "0123456789".repeat(500_000))
      editors[0]!.write()
      await editors[0]!.allSaved()
      await server.kill()
      await server.restart()
      await round.settle(server, id, { editors, cuts: 1 })
    },
  },
  {
    name: `a reconnect storm of ${STORM_SOCKETS} sockets`,
    rule: "D2",
    rounds: { short: 0, long: 1 },
    async strike(round) {
      // They all come while the archive is asked, whose answer has to wait for its turn: its usual patience, not the quick one.
      const { server } = await round.serveArchived({ limits: { archiveTimeoutMs: LIMITS.archiveTimeoutMs } })
      const id = round.id()
      const crowd = round.editors(STORM_SOCKETS)
      // Stock clients pass on whatever presence they learn: of a thousand that is a million frames for each move.
      for (const { awareness } of crowd) awareness.setLocalState(null)
      const writers = crowd.slice(0, 4)
      const enter = async () => {
        for (const editor of crowd) editor.open(server, id)
        const isIn = (editor: Editor) => {
          // A busy machine may keep the archive's answer waiting for so long that the room refuses: who is refused comes again.
          if (editor.closed !== null) {
            editor.forgive()
            editor.open(server, id)
          }
          return editor.synced && editor.given
        }
        await until(() => crowd.filter(isIn).length === crowd.length, "everyone is in sync", {
          timeoutMs: 90_000,
          everyMs: 500,
        })
      }
      await enter()
      for (const writer of writers) writer.write(20)
      await Promise.all(writers.map((writer) => writer.allSaved()))
      await server.kill()
      for (const writer of writers) writer.write(20)
      await until(() => crowd.every(({ connected }) => !connected), "everyone is cut")
      await server.restart()
      await enter()
      await Promise.all(writers.map((writer) => writer.allSaved()))
      const size = writers[0]!.made * writers.length
      const has = ({ doc }: Editor) =>
        [...doc.getMap("map").keys()].filter((key) => !key.includes("temp")).length === size
      await until(() => crowd.every(has), "everyone has everything", { timeoutMs: 60_000 })
      checkSockets(crowd, { cuts: 1 })
      for (const watcher of crowd.slice(4)) watcher.detach()
      await round.settle(server, id, { editors: writers, cuts: 1 })
    },
  },
  {
    name: "random edits of all shared types over a lossy, slow, reordering network",
    rule: "D2",
    rounds: { short: 1, long: 20 },
    async strike(round) {
      const { server } = await round.serveArchived()
      const id = round.id()
      // A line each, so that what they send arrives in any order.
      const proxies = await Promise.all(Array.from({ length: 4 }, () => startProxy(server.port)))
      for (const proxy of proxies) {
        proxy.delayMs = () => round.below(12)
        round.atEnd(() => proxy.close())
      }
      const editors = round.editors(proxies.length)
      const reconnect = (who: number) => editors[who]!.open(server, id, proxies[who]!.port)
      for (const who of editors.keys()) reconnect(who)
      for (let step = 0; step < 150; step++) {
        const who = round.below(editors.length)
        const editor = editors[who]!
        switch (round.below(24)) {
          case 0:
            // In the middle of whatever it carries.
            proxies[who]!.cut()
            break
          case 1:
            proxies[who]!.swallow((["up", "down", "both"] as const)[round.below(3)]!)
            break
          case 2:
            proxies[who]!.heal()
            break
          case 3:
            editor.detach()
            break
          case 4:
          case 5:
            if (!editor.connected) reconnect(who)
            break
          case 6:
            // Once in a while everyone is heard.
            await new Promise((resolve) => setTimeout(resolve, 40))
            break
          default:
            randomEdit(round.random, editor.doc)
            if (round.below(4) === 0) {
              editor.write()
              editor.ask()
            }
        }
      }
      for (const proxy of proxies) proxy.heal()
      for (const editor of editors) editor.detach()
      for (const editor of editors) {
        // The network cut them; the room had no reason to.
        checkSockets([editor], { cuts: Number.POSITIVE_INFINITY })
        editor.forgive()
      }
      await round.settle(server, id, { editors })
    },
  },
]
