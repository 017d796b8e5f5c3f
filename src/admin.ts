/**
 * What "yurt/admin" exports: the operator's page, and what it needs in the rooms and beside them.
 *
 *     export { Lookout } from "yurt/admin"            keeps watch over all rooms: bind it as Lookout
 *     readonly desk = makeDesk()                      in the class of a room: what is seen of it and done to it
 *     routeDocuments(request, env, { admin })         the page at /admin, and what it asks
 *
 * A server that does not import this carries none of it.
 */
import "./start/quietly.ts"

export { type DeskOptions, makeDesk } from "./admin/desk.ts"
export { Lookout } from "./admin/lookout.ts"
export { dollars, dollarsToStore, PRICES, type Used } from "./admin/prices.ts"
export type { AnalyticsPoint, AuditEntry, Line, LookoutEnv } from "./admin/reports.ts"
export { admin } from "./admin/routes.ts"
export type { AdminOption } from "./http/parties.ts"
export type { DeskKit } from "./room/desk.ts"
