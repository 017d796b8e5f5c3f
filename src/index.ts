/**
 * The deployable Worker: a room for every document, the archive that env names (D1 unless it says
 * otherwise), access, and the routes.
 */
import "./start/quietly.ts"
import type { RegistryEnv } from "./access/revocations.ts"
import type { AccessSettings } from "./access/settings.ts"
import type { Archive } from "./archive/archive.ts"
import { chooseArchive } from "./archive/choose.ts"
import type { PaceEnv } from "./http/pace.ts"
import { routeDocuments } from "./http/routes.ts"
import { Room as YurtRoom } from "./room/room.ts"

export { Registry } from "./access/registry.ts"

/** What wrangler.toml binds and sets. */
export interface Env extends AccessSettings, PaceEnv, RegistryEnv {
  readonly Room: DurableObjectNamespace<Room>
  readonly DB?: D1Database
}

/** A document: its archive is the one that the environment names. */
export class Room extends YurtRoom<Env> {
  readonly archive: Archive | null = chooseArchive(this.env)
}

export default {
  fetch: (request: Request, env: Env): Promise<Response> => routeDocuments(request, env),
}
