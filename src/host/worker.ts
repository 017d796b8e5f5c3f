/**
 * The Worker of `yurt serve`: the deployable one, under plain workerd on a machine of one's own. It adds what the platform
 * gives elsewhere: a list without a database, structured logs, metrics, and a way to go without losing anything.
 */
import { WorkerEntrypoint } from "cloudflare:workers"
import { authorize } from "../access/door.ts"
import { checkRevoked, type RegistryEnv } from "../access/revocations.ts"
import type { AccessSettings } from "../access/settings.ts"
import type { Archive } from "../archive/archive.ts"
import { chooseArchive } from "../archive/choose.ts"
import { asSyncError, SyncError } from "../errors.ts"
import { routeDocuments } from "../http/routes.ts"
import type { RoomEvent } from "../room/events.ts"
import { Room as YurtRoom } from "../room/room.ts"
import { type CatalogueRpc, catalogueArchive } from "./catalogue.ts"
import { logLine } from "./log.ts"
import { METRICS_TYPE, Metrics } from "./metrics.ts"

export { Registry } from "../access/registry.ts"
export { Catalogue } from "./catalogue.ts"

/** What the configuration of `yurt serve` binds. */
export interface Env extends AccessSettings, RegistryEnv {
  readonly Room: DurableObjectNamespace<Room>
  readonly Catalogue: { getByName(name: string): CatalogueRpc }
  /** The least that is logged: debug, info, warn or error. */
  readonly LOG_LEVEL?: string
  /** "none": documents are listed nowhere either. */
  readonly ARCHIVE?: string
}

/** Rooms asked at once to go. A guess: enough for the disk, few enough for memory. */
const DRAINED_AT_ONCE = 64

/** Plain workerd runs all rooms in this one isolate, so what is counted here is all there is, and outlives their sleep. */
const metrics = new Metrics(Date.now())
let draining = false

/** A document whose archive is the one that the environment names, else the catalogue. */
export class Room extends YurtRoom<Env> {
  readonly archive: Archive | null = this.#chooseArchive()

  override onEvent(event: RoomEvent): void {
    metrics.note(this.name, event)
    const line = logLine(this.name, event, this.env.LOG_LEVEL ?? "info")
    if (line !== null) console.log(line)
  }

  #chooseArchive(): Archive | null {
    if (this.env.ARCHIVE === "none") return null
    return chooseArchive(this.env) ?? catalogueArchive(this.env.Catalogue.getByName("all"))
  }
}

/**
 * The operator's own door: bound to a socket that only the machine's owner can open.
 * `POST /drain`: no request and no socket is taken from now on; what was taken is committed, and everyone is sent away.
 */
export class Control extends WorkerEntrypoint<Env> {
  override async fetch(request: Request): Promise<Response> {
    if (request.method !== "POST" || new URL(request.url).pathname !== "/drain")
      return Response.json(new SyncError("not-found", "The control door has POST /drain."), { status: 404 })
    draining = true
    const names = [...metrics.open.keys()]
    let peers = 0
    let failed = 0
    const drainNext = async () => {
      for (let name = names.pop(); name !== undefined; name = names.pop()) {
        try {
          // Not in one line: `+=` would add to what was before the wait.
          const gone = await this.env.Room.getByName(name).drain()
          peers += gone
        } catch (cause) {
          // The others go on; what this room acknowledged is on its disk.
          failed++
          console.error(`${name}: could not be drained`, cause)
        }
      }
    }
    const rooms = names.length
    await Promise.all(Array.from({ length: DRAINED_AT_ONCE }, drainNext))
    return Response.json({ rooms, peers, failed })
  }
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    if (!draining) {
      const isMetrics = request.method === "GET" && new URL(request.url).pathname === "/metrics"
      return isMetrics ? answerMetrics(request, env) : routeDocuments(request, env)
    }
    const error = new SyncError("restarting", "The server starts anew; ask again.")
    return Response.json(error, { status: error.status, headers: { "retry-after": "2" } })
  },
}

/** `GET /metrics`, for an admin's token: how busy a server is, and what it refuses, is not for everybody. */
async function answerMetrics(request: Request, env: Env): Promise<Response> {
  try {
    const grant = await authorize(request, { id: null, rights: "admin" }, env)
    await checkRevoked(env, { grant, visit: null })
    return new Response(metrics.write(), {
      headers: { "content-type": METRICS_TYPE, "cache-control": "no-store" },
    })
  } catch (thrown) {
    const error = asSyncError(thrown)
    return Response.json(error, { status: error.status })
  }
}
