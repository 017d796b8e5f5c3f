/** What "yurt/server" exports: the Room to subclass, the routes, and what a subclass touches. */

export { type AccessSettings, authorize, type Grant } from "./access/access.ts"
export type {
  Archive,
  ArchivedDocument,
  ArchiveEntry,
  ArchiveLookup,
  ArchivePage,
  ArchiveWrite,
} from "./archive/archive.ts"
export { type ErrorCode, SyncError } from "./errors.ts"
export { type RouteOptions, routeDocuments } from "./http/routes.ts"
export { LIMITS, type Limits } from "./limits.ts"
export { type Peer, Room } from "./room/room.ts"
