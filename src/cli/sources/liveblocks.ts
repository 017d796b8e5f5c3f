/**
 * Liveblocks, by its REST: the Yjs document of every room, and its versions. What a room holds beside it, Storage, comments
 * and threads, is no Yjs and stays there.
 *
 * LIVEBLOCKS_SECRET_KEY is the project's secret key, sk_….
 *
 * @source @liveblocks/node 3.24: getRooms, getYjsDocumentAsBinaryUpdate, getVersionHistory, getYjsVersion
 */
import { ask, parseAnswer } from "../ask.ts"
import { CommandError } from "../terminal.ts"
import type { OpenSource, SourceDocument, SourceVersion } from "./source.ts"

/** Entries on a page: the most it gives. */
const PAGE = 100

/** A page of one of its lists. */
interface Page<Entry> {
  readonly data: readonly Entry[]
  readonly nextCursor?: string | null
}

/** Open `https://api.liveblocks.io`. */
export const openLiveblocks: OpenSource = async (where, { settings: { LIVEBLOCKS_SECRET_KEY } }) => {
  if (!URL.canParse(where)) throw new CommandError("usage", `${where} is not https://api.liveblocks.io.`)
  if (!LIVEBLOCKS_SECRET_KEY)
    throw new CommandError(
      "bad-config",
      "LIVEBLOCKS_SECRET_KEY has to be set: see API keys in its dashboard.",
    )
  const base = `${where.replace(/\/+$/, "").replace(/\/v2$/, "")}/v2/rooms`
  const authorization = `Bearer ${LIVEBLOCKS_SECRET_KEY}`

  async function get(path: string): Promise<Uint8Array> {
    const { body } = await ask({ url: `${base}${path}`, headers: () => ({ authorization }) })
    return body
  }

  async function* list<Entry>(path: string, cursorName: string): AsyncGenerator<Entry> {
    for (let cursor: string | null = ""; cursor !== null; ) {
      const query = new URLSearchParams({
        limit: String(PAGE),
        ...(cursor !== "" && { [cursorName]: cursor }),
      })
      const page = parseAnswer(base, await get(`${path}?${query}`)) as Page<Entry>
      if (!Array.isArray(page.data))
        throw new CommandError("bad-source", `${base}${path} answered what is no list.`)
      yield* page.data
      cursor = page.nextCursor ?? null
    }
  }

  async function versionsOf(path: string): Promise<SourceVersion[]> {
    const found: SourceVersion[] = []
    const entries = list<{ id: string; createdAt: string; authors?: unknown }>(`${path}/versions`, "cursor")
    for await (const { id, createdAt, authors } of entries)
      found.push({
        key: id,
        name: null,
        at: new Date(createdAt).toISOString(),
        meta: { authors },
        read: () => get(`${path}/versions/${encodeURIComponent(id)}/yjs`),
      })
    // The newest comes first there.
    return found.reverse()
  }

  return {
    async *documents(): AsyncGenerator<SourceDocument> {
      for await (const { id } of list<{ id: string }>("", "startingAfter")) {
        const path = `/${encodeURIComponent(id)}`
        yield { id, read: () => get(`${path}/ydoc-binary`), versions: () => versionsOf(path) }
      }
    },
    close: async () => {},
  }
}
