/** `/docs/{id}/-/events`: what of a document's events has not arrived at EVENTS_URL, and telling them once more. */
import { SyncError } from "../errors.ts"
import { unwrap } from "../rpc.ts"
import { answerJson, type Resource } from "./resource.ts"

/** GET: what waits. POST `?from=`: tell what changed from a revision on once more. */
export const events: Resource = {
  about: "document",
  path: "/docs/{id}/-/events",
  methods: {
    GET: {
      rights: "admin",
      answer: async ({ room }) => answerJson(await unwrap(room.events(null))),
    },
    POST: {
      rights: "admin",
      async answer({ room, url }) {
        const from = url.searchParams.get("from") ?? ""
        if (!/^\d{1,15}$/.test(from)) throw new SyncError("bad-request", "from is a revision, in the query.")
        return answerJson(await unwrap(room.events(Number(from))), 202)
      },
    },
  },
}
