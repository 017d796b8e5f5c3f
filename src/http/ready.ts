/** `/ready`: whether documents can be served now: a room's disk takes a write, and the archive answers. */
import { asSyncError } from "../errors.ts"
import { INDEX_ROOM, type Readiness, type RoomNamespace, unwrap } from "../rpc.ts"
import { findPlace } from "./parties.ts"
import { answerJson, type Resource } from "./resource.ts"

/** GET: 200 where rooms and archive work, 503 where they do not. Without a token: the answer names no document. */
export const ready: Resource = {
  about: "server",
  path: "/ready",
  methods: {
    GET: {
      rights: null,
      async answer({ env, options }) {
        const readiness = await look(findPlace(env, { party: null, id: INDEX_ROOM }, options).rooms)
        const works = readiness !== null && readiness.archive !== "unavailable"
        const rooms = readiness === null ? "unavailable" : "ok"
        const archive = readiness?.archive ?? null
        return answerJson({ status: works ? "ok" : "unavailable", rooms, archive }, works ? 200 : 503)
      },
    },
  },
}

/** @returns null where the rooms do not answer, or their disk takes no write */
async function look(rooms: RoomNamespace): Promise<Readiness | null> {
  try {
    return await unwrap(rooms.getByName(INDEX_ROOM).ready())
  } catch (thrown) {
    console.error("ready: the rooms do not answer", asSyncError(thrown).cause ?? thrown)
    return null
  }
}
