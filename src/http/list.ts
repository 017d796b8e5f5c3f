/** `/docs`: the list of what the archive holds. */
import { INDEX_ROOM, unwrap } from "../rpc.ts"
import { parsePage } from "./body.ts"
import { findPlace } from "./parties.ts"
import { answerJson, type Resource } from "./resource.ts"

/** GET: one page of the documents, every party's. */
export const list: Resource = {
  about: "server",
  path: "/docs",
  methods: {
    GET: {
      rights: "admin",
      async answer({ url, env, options, limits }) {
        const page = parsePage(url.searchParams, limits.pageEntries)
        const { rooms } = findPlace(env, { party: null, id: INDEX_ROOM }, options)
        return answerJson(await unwrap(rooms.getByName(INDEX_ROOM).list(page)))
      },
    },
  },
}
