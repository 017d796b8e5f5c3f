/**
 * The deployable Worker: a room for every document, the archive that env names (D1 unless it says
 * otherwise), access, and the routes.
 */

import type { AccessSettings } from "./access/access.ts"
import type { Archive } from "./archive/archive.ts"
import { chooseArchive } from "./archive/choose.ts"
import { routeDocuments } from "./http/routes.ts"
import { Room as YurtRoom } from "./room/room.ts"

/** What wrangler.toml binds. */
export interface Env extends AccessSettings {
  readonly Room: DurableObjectNamespace<Room>
  readonly DB?: D1Database
  /** The demo pages; a deployment of your own needs none. */
  readonly ASSETS?: Fetcher
}

export class Room extends YurtRoom<Env> {
  readonly archive: Archive | null = chooseArchive(this.env)
}

export default {
  fetch(request: Request, env: Env): Response | Promise<Response> {
    const { pathname } = new URL(request.url)
    if (pathname === "/" && env.ASSETS !== undefined)
      return env.ASSETS.fetch(new URL("/index.html", request.url))
    // Where the edge saw the request come from; the demos show it as a flag.
    if (pathname === "/where") return Response.json({ country: request.cf?.country ?? null })
    return routeDocuments(request, env)
  },
}
