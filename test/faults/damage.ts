/** Faults: a stored value is damaged, and each of those who can be the first to notice it is. Damage spreads nowhere [D7]. */
import { once } from "node:events"
import * as Y from "yjs"
import { updateFrame } from "../hostile/bytes.ts"
import { openWebSocket } from "../kit/node-socket.ts"
import { until } from "../kit/until.ts"
import type { Editor } from "./editor.ts"
import type { FaultServer } from "./harness.ts"
import { Broken, checkArchived, checkArchiveKept, checkKept, checkRoomKept, holds } from "./invariants.ts"
import type { Fault, Round } from "./round.ts"
import { flipBit, writeAndFold } from "./storage.ts"

interface Scene {
  readonly round: Round
  readonly server: FaultServer
  readonly id: string
  readonly editors: readonly Editor[]
  /** Documents of authors whose PATCH was taken. */
  readonly merged: Y.Doc[]
}

/** Merge what an author makes who holds this much of the document; tried again until it is taken. */
async function merge(
  scene: Scene,
  change: (doc: Y.Doc) => void,
  holding: Uint8Array = Y.encodeStateAsUpdate(new Y.Doc()),
): Promise<void> {
  const { server, id } = scene
  const author = new Y.Doc()
  Y.applyUpdate(author, holding)
  const before = Y.encodeStateVector(author)
  change(author)
  const update = Y.encodeStateAsUpdate(author, before)
  let refused: Broken | null = null
  await holds(async () => {
    const response = await server.patch(id, update)
    // 202: what it builds on is not there before the recovery, so a part of it waits; then it has to show.
    if (response.status === 200 || response.status === 202) return
    const said = `${response.status} ${await response.text()}`
    if (response.status < 500) refused = new Broken("I6", `An honest PATCH was refused: ${said}`)
    else throw new Error(`PATCH: ${said}`)
  })
  if (refused !== null) throw refused
  scene.merged.push(author)
}

/** [I8] What was merged by REST is in this document. */
function checkMerged({ merged }: Scene, doc: Y.Doc): void {
  for (const { clientID, store } of merged) {
    if (Y.getState(doc.store, clientID) < Y.getState(store, clientID)) {
      throw new Broken("I8", "A PATCH that was taken is not in the export")
    }
  }
}

/** What makes each of them look at the damaged value first. Nobody is connected who could give back what is missing. */
const FINDERS: Readonly<Record<string, (scene: Scene) => Promise<void>>> = {
  // An entry of a root of its own needs no document until the flush makes one; while somebody is there nothing is folded.
  "a flush": async ({ round, server, id }) => {
    const socket = openWebSocket(server.address(id, { subject: "typist" }))
    round.atEnd(() => socket.terminate())
    await once(socket, "open")
    socket.send(updateFrame(entry()))
    await until(async () => ((await server.status(id))?.revision ?? 0) > 0, "it is taken")
    await checkArchived(server, id)
    socket.terminate()
  },
  "a compaction": async (scene) => {
    await merge(scene, (doc) => doc.getText("pasted").insert(0, "x".repeat(1_500_000)))
  },
  "the judging of an update": async (scene) => {
    const holding = Y.encodeStateAsUpdate(scene.editors[0]!.doc)
    await merge(scene, (doc) => doc.getText("thesis").insert(5, "One more word. "), holding)
  },
  "an export": async ({ server, id }) => {
    await holds(async () => void (await server.exported(id)))
  },
  "a newcomer": async ({ round, server, id }) => {
    const [newcomer] = round.editors(1) as [Editor]
    newcomer.open(server, id)
    await holds(async () => {
      if (!newcomer.synced) throw new Error("The newcomer is not synced")
    })
    newcomer.detach()
  },
}

function entry(): Uint8Array {
  const doc = new Y.Doc()
  doc.getMap("entries").set("one", 1)
  return Y.encodeStateAsUpdate(doc)
}

/** How long a recovery may take, ms: a look at the archive, and a few more where it was away. */
const RECOVERY = { timeoutMs: 8_000 }

/** Everything is in the room and in the archive, with nobody there who could have given it back. */
async function checkNothingSpread(scene: Scene): Promise<void> {
  const { round, server, id, editors } = scene
  await holds(async () => {
    const exported = await server.exported(id)
    checkKept(exported, editors, "in the export")
    checkMerged(scene, exported)
  }, RECOVERY)
  await checkRoomKept(server, id, editors)
  await checkArchived(server, id)
  await checkArchiveKept(() => round.inPostgres(id), editors, RECOVERY)
}

export const DAMAGE: readonly Fault[] = [
  ...Object.entries(FINDERS).map(
    ([finder, find]): Fault => ({
      name: `a flipped bit in a snapshot, found by ${finder}`,
      rule: "D7",
      rounds: { short: finder === "a flush" ? 1 : 0, long: 5 },
      async strike(round) {
        const server = await round.serve({ vars: await round.postgresVars() })
        const scene = { round, server, merged: [], ...(await writeAndFold(round, server)) }
        flipBit(round, server.databaseOf(scene.id), "snapshot")
        await server.restart()
        // A copy that is looked for late is the one that a flush has written meanwhile, if it has.
        await server.inject({ hang: { step: "^load", times: 1, ms: 700 } })
        await find(scene)
        await checkNothingSpread(scene)
        await server.kill()
        await server.restart()
        await checkNothingSpread(scene)
        await round.settle(server, scene.id, scene)
      },
    }),
  ),
  {
    name: "a flipped bit in a snapshot, found while the archive is away, and a restart",
    rule: "D7",
    rounds: { short: 0, long: 3 },
    async strike(round) {
      const database = await round.postgres()
      const server = await round.serve({ vars: await round.postgresVars() })
      const scene = { round, server, merged: [], ...(await writeAndFold(round, server)) }
      flipBit(round, server.databaseOf(scene.id), "snapshot")
      await server.restart()
      await database.stop()
      try {
        // Whatever it is answered: it makes the room look.
        await server.patch(scene.id, entry())
        await server.request(`/docs/${scene.id}?format=json`)
        await server.kill()
        await server.restart()
      } finally {
        await database.start()
      }
      await checkNothingSpread(scene)
      await round.settle(server, scene.id, scene)
    },
  },
]
