/** What "yurt/server" exports: the Room to subclass, the routes, and what a subclass or a route of your own touches. */
import "./start/quietly.ts"

export { authorize } from "./access/door.ts"
export { Registry } from "./access/registry.ts"
export { checkRevoked } from "./access/revocations.ts"
export type { Grant, Need } from "./access/rights.ts"
export type { AccessSettings } from "./access/settings.ts"
export type {
  Archive,
  ArchivedDocument,
  ArchiveEntry,
  ArchiveLookup,
  ArchivePage,
  ArchiveWrite,
} from "./archive/archive.ts"
export { type ErrorCode, SyncError } from "./errors.ts"
export type { RouteOptions } from "./http/parties.ts"
export { routeDocuments } from "./http/routes.ts"
export { LIMITS, type Limits, readLimits } from "./limits.ts"
export type { RoomEvent } from "./room/events.ts"
export type { Peer } from "./room/peer.ts"
export { Room } from "./room/room.ts"
export type { Seed, SeedPlace } from "./room/seed.ts"
export { encodeGrant, GRANT_HEADER, type PastCalls } from "./rpc.ts"
