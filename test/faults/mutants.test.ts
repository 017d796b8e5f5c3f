/** The harness sees: each of these faults of the server, made on purpose, breaks an invariant. */
import { afterAll, expect, it } from "vitest"
import { FAULTS } from "./all.ts"
import type { Patch } from "./harness.ts"
import { Broken, type Invariant } from "./invariants.ts"
import { closeShared, World } from "./world.ts"

afterAll(() => closeShared())

/** The first invariant that the named fault breaks in a server with this patch, of a few rounds; null where none. */
async function brokenBy(name: string, patch: Patch): Promise<Invariant | null> {
  const fault = FAULTS.find((fault) => fault.name === name)
  if (fault === undefined) throw new Error(`No fault is called ${name}`)
  for (let seed = 1; seed <= 3; seed++) {
    const world = new World(seed, { patches: [patch] })
    try {
      await fault.strike(world)
    } catch (thrown) {
      if (!(thrown instanceof Broken)) throw thrown
      return thrown.invariant
    } finally {
      await world[Symbol.asyncDispose]()
    }
  }
  return null
}

it("[D1] catches a room that acknowledges without waiting for the commit", async () => {
  const mutant: Patch = {
    file: "src/room/room.ts",
    find: "        peer.awaitsSaved = frame.payload.slice()\n",
    replace: "        this.#send(peer, writeSaved(frame.payload))\n",
  }
  expect(await brokenBy("SIGKILL at a random moment, while four people type", mutant)).toBe("I1")
})

it("[D1] catches a room that acknowledges before it writes", async () => {
  const echo = `    for (const peer of this.#peers) {
      if (peer.awaitsSaved === null) continue
      const payload = peer.awaitsSaved
      peer.awaitsSaved = null
      this.#send(peer, writeSaved(payload))
    }
`
  const mutant: Patch = {
    file: "src/room/room.ts",
    find: "    const wrote = replica.hasUncommitted\n",
    replace: `${echo}    const wrote = replica.hasUncommitted\n`,
  }
  expect(await brokenBy("a write that fails, and a kill before it is tried again", mutant)).toBe("I1")
})

it("[D4] catches a compaction that drops the log for an older snapshot, unproven", async () => {
  const mutant: Patch = {
    file: "src/room/replica.ts",
    find: "    this.#log.compact(folded.snapshot, Y.encodeStateVector(doc))\n",
    replace: "    this.#log.compact(this.whole()[0]!, Y.encodeStateVector(doc))\n",
  }
  expect(await brokenBy("folded into a snapshot twice, and a kill", mutant)).toBe("I1")
})

it("[A4] catches an outbox that clears its mark after the archive has answered", async () => {
  const mutant: Patch = {
    file: "src/room/outbox.ts",
    find: "        archivedRevision: write.revision,\n        dueAtMs: more ? Date.now() + this.#limits.flushMs : null,\n",
    replace: "        archivedRevision: this.#log.state.revision,\n        dueAtMs: null,\n",
  }
  expect(await brokenBy("an edit that arrives while a flush is under way", mutant)).toBe("I3")
})
