/** The Worker of the demos: the deployable one, two rooms of its own, the pages, and where the edge saw a visitor. */
import { admin, makeDesk } from "../src/admin.ts"
import { mcp } from "../src/agent.ts"
import { routeDocuments } from "../src/http/routes.ts"
import { type Env as ServerEnv, Room as ServerRoom } from "../src/index.ts"
import { findRooms } from "../src/rpc.ts"
import { DRAWING_FORMATS } from "./draw-room.ts"

import { answerGuest, type GuestSettings, sweepGuests } from "./guests.ts"

export { Lookout } from "../src/admin.ts"
export { Registry } from "../src/index.ts"
export { Cart } from "./cart-room.ts"
export { Counter } from "./counter-room.ts"

/** The parties of the demos, and their bindings. */
const PARTIES = { counter: "Counter", cart: "Cart" } as const

interface Env extends ServerEnv, GuestSettings {
  /** The pages that `npm run build:demo` has built. */
  readonly ASSETS: Fetcher
}

/** The room of texts, rich texts and drawings: it exports a drawing as SVG too. */
export class Room extends ServerRoom {
  override readonly formats = DRAWING_FORMATS
  override readonly desk = makeDesk()
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const { pathname, search } = new URL(request.url)
    if (pathname === "/") return env.ASSETS.fetch(new URL("/index.html", request.url))
    if (/^\/docs-site\/?$/.test(pathname))
      return Response.redirect(new URL("/docs-site/index.html", request.url).href)
    // The country the edge saw the request come from; the pages show it as a flag.
    if (pathname === "/where") return Response.json({ country: request.cf?.country ?? null })
    if (pathname === "/guest") return answerGuest(request, env, Object.keys(PARTIES))
    // A person who leaves out the ending means the page.
    const wantsPage = request.headers.get("accept")?.includes("text/html") === true
    if (wantsPage && /^\/[a-z-]+$/.test(pathname)) {
      const page = new URL(`${pathname}.html${search}`, request.url)
      if ((await env.ASSETS.fetch(page, { method: "HEAD" })).ok) return Response.redirect(page.href)
    }
    return routeDocuments(request, env, { parties: Object.keys(PARTIES), agents: mcp, admin })
  },

  /** Once a day, by the trigger in wrangler.toml: what guests have left behind. */
  async scheduled(_controller: ScheduledController, env: Env): Promise<void> {
    const bindings: Readonly<Record<string, string>> = PARTIES
    const swept = await sweepGuests(env, (party) =>
      findRooms(env, party === null ? "Room" : (bindings[party] ?? "")),
    )
    if (swept > 0) console.log(`${swept} documents of guests are deleted`)
  },
}
