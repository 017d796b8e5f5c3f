/** Faults: somebody is revoked who is in, by whichever way they came. A revocation closes all they have open [R6]. */
import { startProxy } from "../kit/proxy.ts"
import { until } from "../kit/until.ts"
import { Editor } from "./editor.ts"
import { Broken, checkWelcome, holds } from "./invariants.ts"
import type { Fault } from "./round.ts"

/** @source the rule R6 */
const CLOSED_WITHIN_MS = 5_000
const UNAUTHORIZED = 4401

/** [I9] This one cannot come in. */
async function checkOut(editor: Editor, connect: () => void): Promise<void> {
  editor.detach()
  connect()
  await until(() => editor.closed !== null || editor.synced, "the door answers")
  if (editor.synced) throw new Broken("I9", `${editor.name} was revoked, and is let in`)
}

export const REVOKING: readonly Fault[] = [
  {
    name: "a revocation of someone with a renewed and a half-open socket, a kill, and a pardon",
    rule: "R6",
    rounds: { short: 1, long: 5 },
    auth: "tokens",
    async strike(round) {
      const { server } = await round.serveArchived()
      const id = round.id()
      const proxy = await startProxy(server.port)
      round.atEnd(() => proxy.close())
      const [renewed, ben] = round.editors(2) as [Editor, Editor]
      // The same person in another tab, behind a network that has gone silent.
      const halfOpen = new Editor(renewed.name, 7)
      round.atEnd(() => halfOpen.detach())
      const everyone = [renewed, ben]
      await Promise.all(everyone.map((editor) => editor.connect(server, id)))
      await halfOpen.connect(server, id, proxy.port)
      for (const editor of everyone) editor.write(3)
      await Promise.all(everyone.map((editor) => editor.allSaved()))
      if (round.below(2) === 0) {
        // A room that wakes with none of its memory, and sockets that came after.
        await server.kill()
        await server.restart()
        await Promise.all(everyone.map((editor) => editor.connect(server, id)))
        await halfOpen.connect(server, id, proxy.port)
      }
      const later = Math.floor(Date.now() / 1000) + 7_200
      renewed.renew(server.token({ subject: renewed.name }, { exp: later, jti: "fresh" })!)
      await until(() => renewed.renewals > 0, "the fresh token is taken", { everyMs: 2 })
      proxy.hold()
      const body = JSON.stringify({ subject: renewed.name })
      const revoked = await server.request("/admin/revocations", { method: "POST", body })
      if (!revoked.ok) throw new Error(`POST: ${revoked.status} ${await revoked.text()}`)
      const sentAt = Date.now()
      await until(() => renewed.closed !== null, "the socket is closed", {
        timeoutMs: CLOSED_WITHIN_MS,
        everyMs: 5,
      }).catch(() => {
        throw new Broken("I9", `${renewed.name} was revoked ${Date.now() - sentAt} ms ago, and is in`)
      })
      if (renewed.closed?.code !== UNAUTHORIZED)
        throw new Broken("I9", `${renewed.name} was closed with ${renewed.closed?.code}`)
      await holds(async () => {
        const connections = (await server.status(id))?.connections
        if (connections !== 1) throw new Broken("I9", `${connections} sockets are open, 1 by the honest`)
      })
      renewed.write()
      const look = () => checkOut(renewed, () => renewed.open(server, id))
      await look()
      await server.kill()
      await server.restart()
      await look()
      await ben.connect(server, id)
      ben.write()
      await ben.allSaved()
      checkWelcome([ben])
      const exported = await server.exported(id)
      if (exported.getMap("map").has(`${renewed.name}:3`))
        throw new Broken("I9", "What somebody wrote after they were revoked is there")
      const pardon = await server.request(`/admin/revocations?subject=${encodeURIComponent(renewed.name)}`, {
        method: "DELETE",
      })
      if (pardon.status !== 204) throw new Error(`DELETE: ${pardon.status} ${await pardon.text()}`)
      renewed.detach()
      for (const editor of everyone) editor.forgive()
      await round.settle(server, id, { editors: everyone })
    },
  },
]
