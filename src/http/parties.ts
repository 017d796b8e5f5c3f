/**
 * Parties: which Durable Object bindings are rooms. The default one is; others only where the server names them, so
 * that no token and no path reaches a Durable Object that has nothing to do with documents.
 */
import { SyncError } from "../errors.ts"
import type { Limits } from "../limits.ts"
import { findRooms, type RoomNamespace } from "../rpc.ts"
import type { Ask, DocumentAsk, DocumentsAsk, Resource } from "./resource.ts"

/** How a server of rooms is set up. */
export interface RouteOptions {
  /** The Durable Object binding of `/docs` and of the party "main". Default "Room". */
  readonly binding?: string
  /**
   * The parties beside the default one, by the kebab-case of their bindings: `["shopping-cart"]` makes the binding
   * `ShoppingCart` reachable at `/parties/shopping-cart/{id}`. No other binding is.
   */
  readonly parties?: readonly string[]
  /** Numbers of the Worker's own, `bodyBytes` for one, where no variable sets them. */
  readonly limits?: Partial<Limits>
  /**
   * What speaks the Model Context Protocol at `/docs/{id}/-/mcp`, and at `/mcp` for all documents of a token: `mcp` of
   * "yurt/agent". Without it nothing is there.
   */
  readonly agents?: {
    answer(ask: DocumentAsk): Promise<Response>
    answerAll(ask: DocumentsAsk): Promise<Response>
  }
  /** The operator's page and what it asks: `admin` of "yurt/admin". Without it nothing of that is there. */
  readonly admin?: AdminOption
}

/** What "yurt/admin" adds to the routes. */
export interface AdminOption {
  readonly resources: readonly Resource[]
  /** Somebody was revoked, or it was taken back: for the audit. */
  note(ask: Ask, deed: "revoked" | "un-revoked", whom: string): Promise<void>
}

/** A room that a path names. */
export interface Place {
  readonly binding: string
  /** The document's name: what the room, the archive and tokens call it. */
  readonly name: string
  readonly rooms: RoomNamespace
}

/**
 * The rooms of a document, and its name among them: the plain id in the default party, `/{party}/{id}` in others. An
 * id never begins with a slash, so no two documents share a name.
 *
 * @param party as the path has it; null for `/docs`
 * @throws SyncError "not-found" for a party that is not named; TypeError where a binding is missing, which is a fault of the deployment
 */
export function findPlace(
  env: object,
  { party, id }: { party: string | null; id: string },
  { binding = "Room", parties = [] }: RouteOptions,
): Place {
  if (party === null || party === "main" || party === kebabCase(binding)) {
    return { binding, name: id, rooms: requireRooms(env, binding) }
  }
  if (!parties.includes(party)) throw new SyncError("not-found", `There is no party ${party}.`)
  const name = `/${party}/${id}`
  const own = Object.keys(env).find((one) => kebabCase(one) === party && findRooms(env, one) !== null)
  if (own === undefined)
    throw new TypeError(`the environment has no Durable Object binding for the party ${party}`)
  return { binding: own, name, rooms: requireRooms(env, own) }
}

/** @throws TypeError */
function requireRooms(env: object, binding: string): RoomNamespace {
  const rooms = findRooms(env, binding)
  if (rooms === null) throw new TypeError(`the environment has no Durable Object binding ${binding}`)
  return rooms
}

/**
 * The party of a binding, by partyserver's own rule, because its clients write it: `YServer` is `y-server`, `AIRoom`
 * is `a-i-room`, `MY_ROOMS` is `my-rooms`.
 *
 * @source partyserver, camelCaseToKebabCase (not exported)
 */
export function kebabCase(binding: string): string {
  const isCapitals = binding === binding.toUpperCase() && binding !== binding.toLowerCase()
  const words = isCapitals
    ? binding.toLowerCase()
    : binding.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`).replace(/^-/, "")
  const dashed = words.replaceAll("_", "-")
  return isCapitals ? dashed : dashed.replace(/-$/, "")
}
