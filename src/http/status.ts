/** `/docs/{id}/-/status` and `/docs/{id}/-/flush`: how a document is, and its way into the archive at once. */
import { unwrap } from "../rpc.ts"
import { answerJson, noDocument, type Resource } from "./resource.ts"

/** GET: connections, revisions, what the archive lacks. */
export const status: Resource = {
  about: "document",
  path: "/docs/{id}/-/status",
  methods: {
    GET: {
      rights: "read",
      async answer({ room, name }) {
        const found = await unwrap(room.status())
        if (found === null) throw noDocument(name)
        return answerJson(found)
      },
    },
  },
}

/** POST: writes to the archive what it lacks, and answers when it is there. */
export const flush: Resource = {
  about: "document",
  path: "/docs/{id}/-/flush",
  methods: {
    POST: {
      rights: "admin",
      async answer({ room, grant }) {
        return answerJson(await unwrap(room.flush(grant)))
      },
    },
  },
}
