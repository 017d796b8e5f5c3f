/**
 * Liveblocks, by its REST: what importing from it and exporting into it share.
 *
 * LIVEBLOCKS_SECRET_KEY is the project's secret key, sk_….
 *
 * @source @liveblocks/node 3.24
 */
import { type Answered, type Asked, ask, parseAnswer } from "./ask.ts"
import type { Settings } from "./settings.ts"
import { CommandError } from "./terminal.ts"

/** Entries on a page: the most it gives. */
const PAGE = 100

/** A page of one of its lists. */
interface Page<Entry> {
  readonly data: readonly Entry[]
  readonly nextCursor?: string | null
}

/** A project there. */
export interface Liveblocks {
  /** One request to `/v2/rooms` and what comes after it. @throws CommandError as `ask` */
  request(
    path: string,
    how?: Pick<Asked, "method" | "body" | "taken"> & { readonly mediaType?: string },
  ): Promise<Answered>
  /**
   * All entries of a list.
   * @param cursorName what its cursor is called
   * @throws CommandError "bad-source" where it answers something else
   */
  list<Entry>(path: string, cursorName: string): AsyncGenerator<Entry>
}

/**
 * A project by its address.
 * @param where `https://api.liveblocks.io`
 * @throws CommandError "usage", "bad-config"
 */
export function liveblocksAt(where: string, { LIVEBLOCKS_SECRET_KEY }: Settings): Liveblocks {
  if (!URL.canParse(where)) throw new CommandError("usage", `${where} is not https://api.liveblocks.io.`)
  if (!LIVEBLOCKS_SECRET_KEY)
    throw new CommandError(
      "bad-config",
      "LIVEBLOCKS_SECRET_KEY has to be set: see API keys in its dashboard.",
    )
  const base = `${where.replace(/\/+$/, "").replace(/\/v2$/, "")}/v2/rooms`
  const authorization = `Bearer ${LIVEBLOCKS_SECRET_KEY}`

  const request: Liveblocks["request"] = (path, { mediaType, ...how } = {}) =>
    ask({
      ...how,
      url: `${base}${path}`,
      headers: () => ({ authorization, ...(mediaType !== undefined && { "content-type": mediaType }) }),
    })

  return {
    request,
    async *list<Entry>(path: string, cursorName: string) {
      for (let cursor: string | null = ""; cursor !== null; ) {
        const query = new URLSearchParams({
          limit: String(PAGE),
          ...(cursor !== "" && { [cursorName]: cursor }),
        })
        const page = parseAnswer(base, (await request(`${path}?${query}`)).body) as Page<Entry>
        if (!Array.isArray(page.data))
          throw new CommandError("bad-source", `${base}${path} answered what is no list.`)
        yield* page.data
        cursor = page.nextCursor ?? null
      }
    },
  }
}
