/**
 * Tiptap's document server, in its cloud or on premises, by its REST: the list, each document as a Yjs V1 update, and its
 * versions. (Its /export is a zip, whose inside is not documented; these routes hold the same.)
 *
 * TIPTAP_TOKEN is a signed token with the permission `Documents:Api:All`, TIPTAP_SECRET the older API secret.
 *
 * @source tiptap-docs, collaboration/documents/rest-api.mdx
 */
import { ask, parseAnswer } from "../ask.ts"
import { CommandError } from "../terminal.ts"
import type { OpenSource, SourceDocument, SourceVersion } from "./source.ts"

/** Documents on a page of its list. */
const PAGE = 100

/** A line of its list of versions. */
interface Line {
  readonly version: number
  /** ms since 1970, or a text. */
  readonly date: number | string
  readonly name?: string | null
  readonly meta?: unknown
}

/** Open `https://YOUR_APP_ID.collab.tiptap.cloud`. */
export const openTiptapCloud: OpenSource = async (where, { settings: { TIPTAP_TOKEN, TIPTAP_SECRET } }) => {
  if (!URL.canParse(where))
    throw new CommandError("usage", `${where} is not https://YOUR_APP_ID.collab.tiptap.cloud.`)
  const authorization = TIPTAP_TOKEN ? `Bearer ${TIPTAP_TOKEN}` : (TIPTAP_SECRET ?? "")
  if (authorization === "")
    throw new CommandError(
      "bad-config",
      "TIPTAP_TOKEN or TIPTAP_SECRET has to be set: see its Cloud dashboard.",
    )
  const base = where.replace(/\/+$/, "")

  async function get(path: string): Promise<Uint8Array> {
    const { body } = await ask({ url: `${base}/api/documents${path}`, headers: () => ({ authorization }) })
    return body
  }

  async function list(path: string): Promise<unknown[]> {
    const answer = parseAnswer(base, await get(path))
    if (Array.isArray(answer)) return answer
    throw new CommandError("bad-source", `${base}/api/documents${path} answered what is no list.`)
  }

  async function versionsOf(path: string): Promise<SourceVersion[]> {
    const lines = (await list(`${path}/versions`)) as Line[]
    return lines
      .toSorted((one, other) => one.version - other.version)
      .map(({ version, date, name, meta }) => ({
        key: String(version),
        name: name || null,
        at: new Date(date).toISOString(),
        meta,
        read: () => get(`${path}?format=yjs&version=${version}`),
      }))
  }

  return {
    async *documents(): AsyncGenerator<SourceDocument> {
      // By position: where one is deleted meanwhile the next page would begin too late, so pages overlap by one.
      const seen = new Set<string>()
      for (let skip = 0; ; skip += PAGE - 1) {
        const page = (await list(`?take=${PAGE}&skip=${skip}`)) as { name: string }[]
        for (const { name } of page) {
          if (seen.has(name)) continue
          seen.add(name)
          const path = `/${encodeURIComponent(name)}`
          yield { id: name, read: () => get(`${path}?format=yjs`), versions: () => versionsOf(path) }
        }
        if (page.length < PAGE) return
      }
    },
    close: async () => {},
  }
}
