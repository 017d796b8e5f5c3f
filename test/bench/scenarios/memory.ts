/**
 * Memory: a room with 10 MB and 50 clients, one of them typing: how much the server's process grows over what it
 * takes with one small room. Clients arrive one after another; each gets the whole document. V8's heap is held to what
 * the platform gives an object: with no limit V8 lets garbage lie, and the figure is of that.
 */

import { setTimeout as pause } from "node:timers/promises"
import * as Y from "yjs"
import { bigDocument, ROOT, typingOnto } from "../edits.ts"
import { connectAll, disconnectAll, LoadClient } from "../load-client.ts"
import { megabytes, mustServe, type Scenario, until } from "../scenario.ts"
import { startServer } from "../servers.ts"

const CLIENTS = 50
const LETTERS = 20
/** @source Durable Objects limits: 128 MB of memory for each isolate */
const HEAP_MB = 128

export const memory: Scenario = {
  name: "memory",
  title: "50 clients in a room of 10 MB, one typing: growth of the server's process",
  systems: ["yurt", "y-partyserver", "hocuspocus"],
  headline: { figure: "growthMb", better: "less" },
  maxRounds: 1,
  slow: true,
  limitMs: 120_000,
  async measure({ system }) {
    await using server = await startServer(system, { heapMb: HEAP_MB })
    const small = await connectAll(server, ["small", "small"])
    await pause(1_000)
    const idle = await server.memory()
    if (idle === null) throw new Error("a process's memory can be read on Linux only")

    const document = await bigDocument()
    const letters = typingOnto(document, 77, LETTERS)
    const author = await LoadClient.connect(server, "big", { passesOn: true })
    author.send(2, document)
    await pause(3_000)
    const ids = new Array<string>(CLIENTS).fill("big")
    // A room of ours gives only some a document of this size at once, and the next when they have read it.
    const clients = await connectAll(server, ids, { atOnce: 1, passesOn: true })
    const seen = clients.map((client) => client.frames)
    for (const letter of letters) {
      author.send(2, letter)
      await pause(200)
    }
    const reached = await until(() => clients.every((client, index) => client.frames > seen[index]!), 20_000)
    if (!reached) throw new Error("not every client got a letter")
    await pause(2_000)
    const after = await server.memory()

    const expected = new Y.Doc()
    for (const update of [document, ...letters]) Y.applyUpdate(expected, update)
    await mustServe(server, "big", expected.getText(ROOT).toString())
    await disconnectAll([author, ...small, ...clients])
    return {
      figures: {
        idleMb: megabytes(idle.now),
        growthMb: megabytes(after!.now - idle.now),
        peakGrowthMb: megabytes(after!.peak - idle.now),
      },
    }
  },
}
