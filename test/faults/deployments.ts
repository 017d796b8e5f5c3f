/** Faults: two deployments share one archive. Its copy is replaced only by a state that contains it [A10]. */
import * as Y from "yjs"
import { until } from "../kit/until.ts"
import type { Editor } from "./editor.ts"
import type { FaultServer } from "./harness.ts"
import { Broken, checkArchiveKept, checkKept, checkWelcome, holds } from "./invariants.ts"
import type { Fault, Round } from "./round.ts"

/** Long enough that a room flushes when its last one leaves, and not before, ms. */
const NOT_BY_ITSELF_MS = 60_000

async function twoDeployments(round: Round, limits = {}): Promise<{ blue: FaultServer; green: FaultServer }> {
  const vars = await round.postgresVars()
  const options = { vars, limits: { flushMs: NOT_BY_ITSELF_MS, ...limits } }
  return { blue: await round.serve(options), green: await round.serve(options) }
}

/** Somebody writes in one deployment; resolves when it is saved. */
async function visit(editor: Editor, server: FaultServer, id: string, edits = 3): Promise<void> {
  await editor.connect(server, id)
  editor.write(edits)
  await editor.allSaved()
}

/** The last one leaves, which makes the room flush; resolves when the archive has it all, as far as the room knows. */
async function leave(editor: Editor, server: FaultServer, id: string): Promise<void> {
  editor.detach()
  await until(async () => {
    const status = await server.status(id)
    return status !== null && status.connections === 0 && status.archivedRevision === status.revision
  }, "the room has flushed")
}

export const DEPLOYMENTS: readonly Fault[] = [
  {
    name: "two deployments, in which people write at once",
    rule: "A10",
    rounds: { short: 1, long: 10 },
    async strike(round) {
      const { blue, green } = await twoDeployments(round)
      const id = round.id()
      const [ada, ben] = round.editors(2) as [Editor, Editor]
      const archived = () => round.inPostgres(id)
      const sides = [
        { editor: ada, server: blue },
        { editor: ben, server: green },
      ]
      await visit(ada, blue, id, 1 + round.below(4))
      await visit(ben, green, id, 1 + round.below(4))
      for (let turn = 0; turn < 4; turn++) {
        const { editor, server } = sides[round.below(2)]!
        if (editor.connected) {
          await leave(editor, server, id)
          await checkArchiveKept(archived, [editor])
        } else await visit(editor, server, id)
      }
      for (const { editor, server } of sides) if (editor.connected) await leave(editor, server, id)
      checkWelcome([ada, ben])
      // Both rooms have said that the archive has everything.
      await checkArchiveKept(archived, [ada, ben], { timeoutMs: 2_000 })
    },
  },
  {
    name: "two deployments, and one finds a newer copy that is larger than an update may be",
    rule: "A10",
    rounds: { short: 1, long: 3 },
    async strike(round) {
      const { blue, green } = await twoDeployments(round, { updateBytes: 200_000 })
      const id = round.id()
      const [ada, ben] = round.editors(2) as [Editor, Editor]
      await visit(ada, blue, id)
      await ben.connect(green, id)
      for (let i = 0; i < 4; i++) {
        ben.doc.getText("text").insert(0, "x".repeat(100_000))
        ben.write(5)
        await ben.allSaved()
      }
      await leave(ben, green, id)
      await checkArchiveKept(() => round.inPostgres(id), [ben])
      // Twice, since a merge that failed must not be taken for one that held.
      for (let i = 0; i < 2; i++) {
        ada.detach()
        await holds(async () => {
          if ((await blue.status(id))?.connections !== 0) throw new Error("Somebody is still there")
        })
        await visit(ada, blue, id)
      }
      ada.detach()
      await checkArchiveKept(() => round.inPostgres(id), [ada, ben])
    },
  },
  {
    name: "a document that another deployment makes a moment after it was asked for in vain",
    rule: "A10",
    rounds: { short: 1, long: 3 },
    async strike(round) {
      const { blue, green } = await twoDeployments(round)
      const id = round.id()
      const asked = await blue.request(`/docs/${id}`)
      if (asked.status !== 404) throw new Error(`GET: ${asked.status}`)
      const [ada, ben] = round.editors(2) as [Editor, Editor]
      await visit(ben, green, id)
      await leave(ben, green, id)
      await visit(ada, blue, id)
      checkKept(ada.doc, [ben], "with who opens it")
      ada.detach()
      await checkArchiveKept(() => round.inPostgres(id), [ada, ben])
    },
  },
  {
    name: "an archived copy of which a part waits",
    rule: "A10",
    rounds: { short: 0, long: 3 },
    async strike(round) {
      const server = await round.serve({ vars: await round.postgresVars() })
      const { query } = await round.postgres()
      // The table is made when the archive is first asked.
      await server.listed("nobody")
      const id = round.id()
      const author = new Y.Doc()
      const updates: Uint8Array[] = []
      author.on("update", (update: Uint8Array) => updates.push(update))
      author.getText("late").insert(0, "first ")
      author.getText("late").insert(6, "w".repeat([1_000, 1_500_000][round.below(2)]!))
      const [first, waits] = updates as [Uint8Array, Uint8Array]
      await query(`insert into yurt_documents (id, update) values ($1, decode($2, 'hex'))`, [
        id,
        Buffer.from(waits).toString("hex"),
      ])
      const [ada] = round.editors(1) as [Editor]
      await visit(ada, server, id)
      ada.detach()
      await checkArchiveKept(() => round.inPostgres(id), [ada])
      const copy = (await round.inPostgres(id))!
      Y.applyUpdate(copy, first)
      if (copy.getText("late").length !== author.getText("late").length) {
        throw new Broken("I1", "The archive no longer has what waits", { lost: 1 })
      }
      await holds(async () => {
        const response = await server.patch(id, first)
        if (!response.ok) throw new Error(`PATCH: ${response.status} ${await response.text()}`)
      })
      if ((await server.exported(id)).getText("late").length !== author.getText("late").length) {
        throw new Broken("I8", "What waited does not show after what it waited for has come")
      }
    },
  },
]
