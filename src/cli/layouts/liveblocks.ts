/**
 * Liveblocks, which is a service and no store: a room is made where there is none, and the document merged into what it has. A
 * room made here lets nobody in until its project says who may. See liveblocks.ts for how it is asked.
 *
 * @source @liveblocks/node 3.24: getRoom, createRoom (409 where there is one), sendYjsBinaryUpdate
 */
import { liveblocksAt } from "../liveblocks.ts"
import type { OpenLayout } from "./layout.ts"

/** Open `https://api.liveblocks.io`. */
export const writeLiveblocks: OpenLayout = async (where, settings) => {
  const liveblocks = liveblocksAt(where, settings)
  return {
    async has(id) {
      const { status } = await liveblocks.request(`/${encodeURIComponent(id)}`, { taken: [404] })
      return status !== 404
    },
    async write(id, body) {
      const room = new TextEncoder().encode(JSON.stringify({ id, defaultAccesses: [] }))
      await liveblocks.request("", {
        method: "POST",
        body: room,
        mediaType: "application/json",
        taken: [409],
      })
      await liveblocks.request(`/${encodeURIComponent(id)}/ydoc`, {
        method: "PUT",
        body,
        mediaType: "application/octet-stream",
      })
    },
    close: async () => {},
  }
}
