/**
 * The Worker of `yurt serve`: the deployable one, under plain workerd on a machine of one's own. It adds what the platform
 * gives elsewhere: a list without a database, structured logs, metrics, and a way to go without losing anything.
 */
import "../start/quietly.ts"
import { WorkerEntrypoint } from "cloudflare:workers"
import { authorize } from "../access/door.ts"
import { checkRevoked, type RegistryEnv } from "../access/revocations.ts"
import { OPEN_GRANT } from "../access/rights.ts"
import type { AccessSettings } from "../access/settings.ts"
import { writeMetrics } from "../admin/counts.ts"
import { makeDesk } from "../admin/desk.ts"
import { findLookout, type LookoutEnv } from "../admin/reports.ts"
import { admin, answerMetrics } from "../admin/routes.ts"
import type { Archive, ArchivePage } from "../archive/archive.ts"
import { chooseArchive } from "../archive/choose.ts"
import { mirrorArchive } from "../archive/mirror.ts"
import { asSyncError, SyncError } from "../errors.ts"
import { routeDocuments } from "../http/routes.ts"
import type { RoomEvent } from "../room/events.ts"
import { Room as YurtRoom } from "../room/room.ts"
import { unwrap } from "../rpc.ts"
import { type CatalogueRpc, catalogueArchive } from "./catalogue.ts"
import { logLine } from "./log.ts"
import { Metrics } from "./metrics.ts"

export { Registry } from "../access/registry.ts"
export { Lookout } from "../admin/lookout.ts"
export { Catalogue } from "./catalogue.ts"

/** What the configuration of `yurt serve` binds. */
export interface Env extends AccessSettings, RegistryEnv, LookoutEnv {
  readonly Room: DurableObjectNamespace<Room>
  readonly Catalogue: { getByName(name: string): CatalogueRpc }
  /** The least that is logged: debug, info, warn or error. */
  readonly LOG_LEVEL?: string
  /** In a cluster: this node as the others reach it. */
  readonly Node?: { fetch(url: string): Promise<Response> }
  /** "none": documents are listed nowhere either. */
  readonly ARCHIVE?: string
}

/** Rooms that the operator's door asks at once. A guess: enough for the disk, few enough for memory. */
const ASKED_AT_ONCE = 32
/** Documents of the catalogue that are read at once. */
const REFILLED_AT_ONCE = 256
/** The name of the one catalogue. */
const CATALOGUE = "all"

/**
 * Plain workerd runs all rooms in this one isolate, so what is counted here is all there is, and outlives their sleep. In a
 * cluster it is what this node's rooms do.
 */
const metrics = new Metrics()
let draining = false

/** A document whose archive is the one that the environment names, else the catalogue. */
export class Room extends YurtRoom<Env> {
  readonly archive: Archive | null = this.#chooseArchive()
  override readonly desk = makeDesk({ count: (sample, by) => metrics.count(this.name, sample, by) })

  override onEvent(event: RoomEvent): void {
    metrics.note(this.name, event)
    const line = logLine(this.name, event, this.env.LOG_LEVEL ?? "info")
    if (line !== null) console.log(line)
  }

  #chooseArchive(): Archive | null {
    if (this.env.ARCHIVE === "none") return null
    const catalogue = catalogueArchive(() => this.env.Catalogue.getByName(CATALOGUE))
    const archive = chooseArchive(this.env)
    // The catalogue is kept beside a database as well: by it everything is found again when the database is another one.
    return archive === null ? catalogue : mirrorArchive(archive, catalogue)
  }
}

/**
 * The operator's own door: bound to a socket that only the machine's owner can open.
 *
 * - `POST /drain`: no request and no socket is taken from now on; what was taken is committed, and everyone is sent away.
 * - `POST /refill?archive=NAME`: every document is written to the archive again, whatever the archive is thought to hold;
 *   nothing is done where the archive of this name has been filled before.
 */
export class Control extends WorkerEntrypoint<Env> {
  override async fetch(request: Request): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url)
    if (request.method === "POST" && pathname === "/drain") return Response.json(await this.#drain())
    if (request.method === "POST" && pathname === "/refill")
      return Response.json(await this.#refill(searchParams.get("archive") ?? ""))
    return Response.json(new SyncError("not-found", "The control door has POST /drain and /refill."), {
      status: 404,
    })
  }

  async #drain(): Promise<{ rooms: number; peers: number; failed: number }> {
    draining = true
    const names = [...metrics.open.keys()]
    let peers = 0
    const failed = await this.#each(names, async (name) => {
      // Not in one line: `+=` would add to what was before the wait.
      const gone = await this.env.Room.getByName(name).drain()
      peers += gone
    })
    return { rooms: names.length, peers, failed }
  }

  async #refill(archive: string): Promise<{ documents: number; failed: number }> {
    const catalogue = this.env.Catalogue.getByName(CATALOGUE)
    if ((await catalogue.filled()) === archive) return { documents: 0, failed: 0 }
    let documents = 0
    let failed = 0
    for (let cursor: string | null = null; ; ) {
      const page: ArchivePage = await catalogue.list({ cursor, limit: REFILLED_AT_ONCE })
      documents += page.documents.length
      failed += await this.#each(
        page.documents.map(({ id }) => id),
        async (name) => {
          const { archivedRevision } = await unwrap(this.env.Room.getByName(name).flush(OPEN_GRANT))
          if (archivedRevision === null) throw new Error("the archive did not take it")
        },
      )
      cursor = page.cursor
      if (cursor !== null) continue
      if (failed === 0) await catalogue.noteFilled(archive)
      return { documents, failed }
    }
  }

  /** Ask these rooms, some at once. @returns how many failed; the others are asked all the same */
  async #each(names: readonly string[], ask: (name: string) => Promise<void>): Promise<number> {
    const left = [...names]
    let failed = 0
    const askNext = async () => {
      for (let name = left.pop(); name !== undefined; name = left.pop()) {
        try {
          await ask(name)
        } catch (cause) {
          failed++
          console.error(`${name}: was asked by the operator, and failed`, cause)
        }
      }
    }
    await Promise.all(Array.from({ length: ASKED_AT_ONCE }, askNext))
    return failed
  }
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    metrics.started(Date.now())
    if (!draining) {
      const pathname = request.method === "GET" ? new URL(request.url).pathname : null
      if (pathname === "/metrics") return measure(request, env)
      if (pathname === "/ready" && env.Node !== undefined) return answerReady(env.Node)
      return routeDocuments(request, env, { admin })
    }
    const error = new SyncError("restarting", "The server starts anew; ask again.")
    return Response.json(error, { status: error.status, headers: { "retry-after": "2" } })
  },
}

/**
 * `GET /ready` of a node: whether it belongs to the cluster. No room is asked, as a server by itself would: the room may be on
 * a node that has just died, and then every node would say that it is not ready.
 */
async function answerReady(node: NonNullable<Env["Node"]>): Promise<Response> {
  // Its own port has gone where it is about to end.
  const works = await node.fetch("http://node/ready").then(
    ({ ok }) => ok,
    () => false,
  )
  const status = works ? "ok" : "unavailable"
  const headers = { "cache-control": "no-store" }
  return Response.json({ status, rooms: status, archive: null }, { status: works ? 200 : 503, headers })
}

/**
 * `GET /metrics`, for an admin's token: how busy a server is, and what it refuses, is not for everybody. What this process
 * has counted is newer than what rooms have reported, so of the lookout's samples only those are taken that nobody counts.
 */
async function measure(request: Request, env: Env): Promise<Response> {
  try {
    const grant = await authorize(request, { id: null, rights: "admin" }, env)
    await checkRevoked(env, { grant, visit: null })
    const stored = (await findLookout(env)?.samples()) ?? []
    return answerMetrics(writeMetrics(metrics.samples(stored)))
  } catch (thrown) {
    const error = asSyncError(thrown)
    return Response.json(error, { status: error.status })
  }
}
