/** Faults: a stored value is damaged, and each of those who can be the first to notice it is. Damage spreads nowhere [D7]. */
import * as Y from "yjs"
import type { Editor } from "./editor.ts"
import type { FaultServer } from "./harness.ts"
import { checkArchived, checkArchiveKept, checkKept, checkRoomKept, holds } from "./invariants.ts"
import type { Fault, Round } from "./round.ts"
import { flipBit, writeAndFold } from "./storage.ts"

interface Scene {
  readonly round: Round
  readonly server: FaultServer
  readonly id: string
  readonly editors: readonly Editor[]
}

/** Merge what an author makes who holds this much of the document; tried again until it is taken, and then it is there. */
async function merge(
  { server, id }: Scene,
  change: (doc: Y.Doc) => void,
  holding: Uint8Array = Y.encodeStateAsUpdate(new Y.Doc()),
): Promise<void> {
  const author = new Y.Doc()
  Y.applyUpdate(author, holding)
  const before = Y.encodeStateVector(author)
  change(author)
  const update = Y.encodeStateAsUpdate(author, before)
  await holds(async () => {
    const response = await server.patch(id, update)
    if (response.status !== 200) throw new Error(`PATCH: ${response.status} ${await response.text()}`)
  })
  const { clientID } = author
  await holds(async () => {
    const clock = Y.getState((await server.exported(id)).store, clientID)
    if (clock < Y.getState(author.store, clientID)) throw new Error(`A merged update ends at clock ${clock}`)
  })
}

/** What makes each of them look at the damaged value first. Nobody is connected who could give back what is missing. */
const FINDERS: Readonly<Record<string, (scene: Scene) => Promise<void>>> = {
  // An entry of a root of its own needs no document, until the flush makes one.
  "a flush": async (scene) => {
    await scene.server.patch(scene.id, entry())
    await checkArchived(scene.server, scene.id)
  },
  "a compaction": async (scene) => {
    await merge(scene, (doc) => doc.getText("pasted").insert(0, "x".repeat(1_500_000)))
  },
  "the judging of an update": async (scene) => {
    // A word in the middle of the text has to be held against what stands there.
    const holding = Y.encodeStateAsUpdate(scene.editors[0]!.doc)
    await merge(scene, (doc) => doc.getText("text").insert(3, "One more word. "), holding)
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

/** Everything is in the room and in the archive, with nobody there who could have given it back. */
async function checkNothingSpread({ round, server, id, editors }: Scene): Promise<void> {
  await holds(async () => checkKept(await server.exported(id), editors, "in the export"))
  await checkRoomKept(server, id, editors)
  await checkArchived(server, id)
  await checkArchiveKept(() => round.inPostgres(id), editors)
}

export const DAMAGE: readonly Fault[] = [
  ...Object.entries(FINDERS).map(
    ([finder, find]): Fault => ({
      name: `a flipped bit in a snapshot, found by ${finder}`,
      rule: "D7",
      rounds: { short: finder === "a flush" ? 1 : 0, long: 5 },
      async strike(round) {
        const server = await round.serve({ vars: await round.postgresVars() })
        const scene = { round, server, ...(await writeAndFold(round, server)) }
        flipBit(round, server.databaseOf(scene.id), "snapshot")
        await server.restart()
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
      const scene = { round, server, ...(await writeAndFold(round, server)) }
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
