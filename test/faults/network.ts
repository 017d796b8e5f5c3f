/** Faults: the network between clients and a room, and clients that come all at once. */
import * as Y from "yjs"
import { startProxy } from "../kit/proxy.ts"
import { until } from "../kit/server.ts"
import { honestHistory, shuffle } from "../kit/updates.ts"
import type { Editor } from "./editor.ts"
import { checkConverged, checkEqual, checkSockets } from "./invariants.ts"
import { scribble } from "./scribble.ts"
import type { Fault } from "./world.ts"

const STORM_SOCKETS = 1_000

export const NETWORK: readonly Fault[] = [
  {
    name: "a connection that is half open",
    rule: "D2",
    rounds: { short: 1, long: 3 },
    async strike(world) {
      const { server } = await world.serveArchived()
      const proxy = await startProxy(server.port)
      world.atEnd(() => proxy.close())
      const id = world.id()
      const [behind, beside] = world.editors(2) as [Editor, Editor]
      await behind.connect(server.address(id, proxy.port))
      await beside.connect(server.address(id))
      for (const editor of [behind, beside]) editor.write(10)
      await Promise.all([behind.saved(), beside.saved()])
      proxy.hold()
      for (const editor of [behind, beside]) editor.write(10)
      behind.ask()
      // The one who can be heard is served as ever.
      await beside.saved()
      const told = behind.acknowledged
      // It gives up on the silence and comes in by another way; the room still holds the dead socket.
      await behind.connect(server.address(id))
      if (behind.acknowledged !== told) throw new Error("Something came through the held proxy")
      await Promise.all([behind.saved(), beside.saved()])
      await checkConverged(server, id, [behind, beside])
      await world.settle(server, id, { editors: [behind, beside] })
    },
  },
  {
    name: "updates that come twice and in any order",
    rule: "D3",
    rounds: { short: 1, long: 20 },
    async strike(world) {
      const { server } = await world.serveArchived()
      const id = world.id()
      const editors = await world.enter(server, id, 3)
      const { updates, derived, docs } = honestHistory(world.random, { clients: 3, steps: 40 })
      const all = shuffle(world.random, [...updates, ...updates, ...derived])
      for (const update of all) {
        const editor = editors[world.below(editors.length)]!
        editor.passOn(update)
        if (world.below(10) === 0) editor.write()
      }
      const whole = new Y.Doc()
      for (const update of [...updates, ...docs.map((doc) => Y.encodeStateAsUpdate(doc))])
        Y.applyUpdate(whole, update)
      // What the room held back for its dependency, and what nobody sent, comes with a step 2.
      for (const doc of docs) Y.applyUpdate(editors[0]!.doc, Y.encodeStateAsUpdate(doc))
      await Promise.all(editors.map((editor) => editor.saved()))
      await checkConverged(server, id, editors)
      for (const editor of editors) Y.applyUpdate(whole, Y.encodeStateAsUpdate(editor.doc))
      checkEqual([whole, editors[0]!.doc], ["all that was ever made", "an editor"])
      await world.settle(server, id, { editors })
    },
  },
  {
    name: "a 5 MB update, and a kill right after its acknowledgement",
    rule: "D5",
    rounds: { short: 1, long: 3 },
    async strike(world) {
      const { server } = await world.serveArchived()
      const id = world.id()
      const editors = await world.enter(server, id, 2)
      editors[0]!.doc.getText("text").insert(0, "0123456789".repeat(500_000))
      editors[0]!.write()
      await editors[0]!.saved()
      await server.kill()
      await server.restart()
      await world.settle(server, id, { editors, cuts: 1 })
    },
  },
  {
    name: `a reconnect storm of ${STORM_SOCKETS} sockets`,
    rule: "D2",
    rounds: { short: 0, long: 1 },
    async strike(world) {
      const { server } = await world.serveArchived()
      const id = world.id()
      const crowd = world.editors(STORM_SOCKETS)
      const writers = crowd.slice(0, 4)
      const enter = () => Promise.all(crowd.map((editor) => editor.connect(server.address(id))))
      await enter()
      for (const writer of writers) writer.write(20)
      await Promise.all(writers.map((writer) => writer.saved()))
      await server.kill()
      for (const writer of writers) writer.write(20)
      await until(() => crowd.every(({ connected }) => !connected), "everyone is cut")
      await server.restart()
      await enter()
      await Promise.all(writers.map((writer) => writer.saved()))
      const size = writers[0]!.made * writers.length
      const has = ({ doc }: Editor) =>
        [...doc.getMap("map").keys()].filter((key) => !key.includes("temp")).length === size
      await until(() => crowd.every(has), "everyone has everything", { timeoutMs: 60_000 })
      checkSockets(crowd, { cuts: 1 })
      for (const watcher of crowd.slice(4)) watcher.disconnect()
      await world.settle(server, id, { editors: writers, cuts: 1 })
    },
  },
  {
    name: "random edits of all shared types over a lossy, slow, reordering network",
    rule: "D2",
    rounds: { short: 1, long: 20 },
    async strike(world) {
      const { server } = await world.serveArchived()
      const id = world.id()
      // A line each, so that what they send arrives in any order.
      const proxies = await Promise.all(Array.from({ length: 4 }, () => startProxy(server.port)))
      for (const proxy of proxies) {
        proxy.delayMs = () => world.below(12)
        world.atEnd(() => proxy.close())
      }
      const editors = world.editors(proxies.length)
      const reconnect = (who: number) => editors[who]!.open(server.address(id, proxies[who]!.port))
      for (const who of editors.keys()) reconnect(who)
      for (let step = 0; step < 150; step++) {
        const who = world.below(editors.length)
        const editor = editors[who]!
        switch (world.below(24)) {
          case 0:
            // In the middle of whatever it carries.
            proxies[who]!.cut()
            break
          case 1:
            proxies[who]!.swallow((["up", "down", "both"] as const)[world.below(3)]!)
            break
          case 2:
            proxies[who]!.heal()
            break
          case 3:
            editor.disconnect()
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
            scribble(world.random, editor.doc)
            if (world.below(4) === 0) {
              editor.write()
              editor.ask()
            }
        }
      }
      for (const proxy of proxies) proxy.heal()
      for (const editor of editors) editor.disconnect()
      for (const editor of editors) {
        // The network cut them; the room had no reason to.
        checkSockets([editor], { cuts: Number.POSITIVE_INFINITY })
        editor.forgive()
      }
      await world.settle(server, id, { editors })
    },
  },
]
