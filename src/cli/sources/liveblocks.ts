/**
 * Liveblocks: the Yjs document of every room, and its versions. What a room holds beside it, Storage, comments and threads, is
 * no Yjs and stays there. See liveblocks.ts for how it is asked.
 *
 * @source @liveblocks/node 3.24: getRooms, getYjsDocumentAsBinaryUpdate, getVersionHistory, getYjsVersion
 */
import { liveblocksAt } from "../liveblocks.ts"
import type { OpenSource, SourceDocument, SourceVersion } from "./source.ts"

/** Open `https://api.liveblocks.io`. */
export const openLiveblocks: OpenSource = async (where, { settings }) => {
  const liveblocks = liveblocksAt(where, settings)
  const read = async (path: string) => (await liveblocks.request(path)).body

  async function versionsOf(path: string): Promise<SourceVersion[]> {
    const found: SourceVersion[] = []
    const entries = liveblocks.list<{ id: string; createdAt: string; authors?: unknown }>(
      `${path}/versions`,
      "cursor",
    )
    for await (const { id, createdAt, authors } of entries)
      found.push({
        key: id,
        name: null,
        at: new Date(createdAt).toISOString(),
        meta: { authors },
        read: () => read(`${path}/versions/${encodeURIComponent(id)}/yjs`),
      })
    // The newest comes first there.
    return found.reverse()
  }

  return {
    async *documents(): AsyncGenerator<SourceDocument> {
      for await (const { id } of liveblocks.list<{ id: string }>("", "startingAfter")) {
        const path = `/${encodeURIComponent(id)}`
        yield { id, read: () => read(`${path}/ydoc-binary`), versions: () => versionsOf(path) }
      }
    },
    close: async () => {},
  }
}
