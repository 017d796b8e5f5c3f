/**
 * Tiptap's document server, in its cloud or on premises, by its REST: what importing from it and exporting into it share.
 *
 * TIPTAP_TOKEN is a signed token with the permission `Documents:Api:All`, TIPTAP_SECRET the older API secret.
 *
 * @source tiptap-docs, collaboration/documents/rest-api.mdx
 */
import { type Answered, type Asked, ask, parseAnswer } from "./ask.ts"
import type { Settings } from "./settings.ts"
import { CommandError } from "./terminal.ts"

/** Documents on a page of its list. */
const PAGE = 100

/** A document server. */
export interface Tiptap {
  /** One request to `/api/documents` and what comes after it. @throws CommandError as `ask` */
  request(path: string, how?: Pick<Asked, "method" | "body" | "taken">): Promise<Answered>
  /** @throws CommandError "bad-source" where it answers something else */
  list(path: string): Promise<unknown[]>
  /** The name of every document, once. */
  names(): AsyncGenerator<string>
}

/**
 * A document server by its address.
 * @param where `https://YOUR_APP_ID.collab.tiptap.cloud`
 * @throws CommandError "usage", "bad-config"
 */
export function tiptapAt(where: string, { TIPTAP_TOKEN, TIPTAP_SECRET }: Settings): Tiptap {
  if (!URL.canParse(where))
    throw new CommandError("usage", `${where} is not https://YOUR_APP_ID.collab.tiptap.cloud.`)
  const authorization = TIPTAP_TOKEN ? `Bearer ${TIPTAP_TOKEN}` : (TIPTAP_SECRET ?? "")
  if (authorization === "")
    throw new CommandError(
      "bad-config",
      "TIPTAP_TOKEN or TIPTAP_SECRET has to be set: see its Cloud dashboard.",
    )
  const base = `${where.replace(/\/+$/, "")}/api/documents`
  const type = { "content-type": "application/octet-stream" }

  const request: Tiptap["request"] = (path, how = {}) =>
    ask({
      ...how,
      url: `${base}${path}`,
      headers: () => ({ authorization, ...(how.body !== undefined && type) }),
    })

  async function list(path: string): Promise<unknown[]> {
    const answer = parseAnswer(base, (await request(path)).body)
    if (Array.isArray(answer)) return answer
    throw new CommandError("bad-source", `${base}${path} answered what is no list.`)
  }

  return {
    request,
    list,
    async *names() {
      // By position: where one is deleted meanwhile the next page would begin too late, so pages overlap by one.
      const seen = new Set<string>()
      for (let skip = 0; ; skip += PAGE - 1) {
        const page = (await list(`?take=${PAGE}&skip=${skip}`)) as { name: string }[]
        for (const { name } of page) {
          if (seen.has(name)) continue
          seen.add(name)
          yield name
        }
        if (page.length < PAGE) return
      }
    },
  }
}
