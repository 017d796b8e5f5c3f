/**
 * URLs → rooms. Knows HTTP and nothing of Yjs: it finds out what is asked for, lets `access` decide, asks the room by
 * RPC, and turns whatever goes wrong into `{error, message}`.
 *
 * A resource is one file and one row here. `/docs/{id}` stands for `/parties/{party}/{id}` as well; WebSockets go there.
 */
import {
  authorize,
  authorizeKnock,
  checkOrigin,
  corsHeaders,
  identify,
  refuseForeignPage,
} from "../access/door.ts"
import { checkRevoked } from "../access/revocations.ts"
import { type Grant, grantFor, type Need, OPEN_GRANT } from "../access/rights.ts"
import { asSyncError, SyncError } from "../errors.ts"
import { readLimits } from "../limits.ts"
import { Channels } from "../pipe/channels.ts"
import { HocuspocusBundle } from "../pipe/hocuspocus.ts"
import { authorization, challengeFor } from "./authorization.ts"
import { document } from "./document.ts"
import { events } from "./events.ts"
import { frames } from "./frames.ts"
import { health } from "./health.ts"
import { history } from "./history.ts"
import { hocuspocus, hocuspocusBundle } from "./hocuspocus.ts"
import { list } from "./list.ts"
import { limitKnocks, limitRequests, limitUpgrades } from "./pace.ts"
import { findPlace, type Place, type RouteOptions } from "./parties.ts"
import { parseId, parsePath, type Target } from "./paths.ts"
import { ready } from "./ready.ts"
import type { Resource } from "./resource.ts"
import { revocations } from "./revocations.ts"
import { connect, isUpgrade, openPair, refuseSocket, socketOf } from "./socket.ts"
import { flush, status } from "./status.ts"
import { mcp, mcpOfAll, tools } from "./tools.ts"
import { ySweet } from "./y-sweet.ts"

/** All that a server has, but for what `admin` adds. */
export const RESOURCES: readonly Resource[] = [
  document,
  frames,
  hocuspocus,
  hocuspocusBundle,
  status,
  flush,
  ...history,
  list,
  revocations,
  authorization,
  health,
  ready,
  events,
  ...tools,
  mcp,
  mcpOfAll,
  ...ySweet,
]

const TABLE: ReadonlyMap<string, Resource> = new Map(RESOURCES.map((resource) => [resource.path, resource]))

/** Statuses worth another try, and after how many seconds. */
const RETRY_AFTER_S: Readonly<Record<number, string>> = { 429: "10", 503: "5" }

/** What is there, the operator's own where the server has been given them. */
function resourceAt({ path }: Target, { admin }: RouteOptions): Resource | undefined {
  return TABLE.get(path) ?? admin?.resources.find((resource) => resource.path === path)
}

/**
 * The whole HTTP and WebSocket face of a server of rooms. Always answers; never throws, never shows a stack.
 *
 * @param env the Worker's environment: the rooms' bindings, `Registry`, and what `access` reads (AccessSettings)
 * @example
 * export default {
 *   fetch: (request: Request, env: Env) => routeDocuments(request, env, { parties: ["counter"] }),
 * }
 */
export async function routeDocuments(
  request: Request,
  env: object,
  options: RouteOptions = {},
): Promise<Response> {
  try {
    return finish(request, { env, options }, await answer(request, env, options))
  } catch (thrown) {
    const error = asSyncError(thrown)
    if (error.code === "internal") console.error("routes:", error.cause ?? error)
    return (
      refuseSocket(request, error) ??
      finish(request, { env, options }, answerError(error, challengeFor(request, env)))
    )
  }
}

async function answer(request: Request, env: object, options: RouteOptions): Promise<Response> {
  const url = new URL(request.url)
  const target = parsePath(url.pathname)
  const resource = resourceAt(target, options)
  // Before anything that could be refused: a page is shown no answer whose preflight was refused, not even why.
  if (request.method === "OPTIONS") return new Response(null, { status: 204, headers: allow(resource) })
  if (resource === undefined) throw new SyncError("not-found", `Nothing is at ${url.pathname}.`)
  if (isUpgrade(request)) return openSocket(request, { env, options, target, resource })
  if (!methodsOf(resource).includes(request.method)) {
    const message = `${request.method} is not for ${url.pathname}, which has ${methodsOf(resource).join(", ")}.`
    const refusal = answerError(new SyncError("method-not-allowed", message), "Bearer")
    for (const [name, value] of Object.entries(allow(resource))) refusal.headers.set(name, value)
    return refusal
  }
  if (resource === mcp || resource === mcpOfAll) refuseForeignPage(request, env)
  const method = request.method === "HEAD" ? "GET" : request.method
  const limits = readLimits(env, options.limits)
  switch (resource.about) {
    case "server": {
      const { rights, answer } = resource.methods[method]!
      const need = { id: null, rights: rights ?? "admin" }
      const grant = rights === null ? null : await admit(request, { env, need, visit: null })
      return answer({ request, url, env, options, limits, grant, item: decodeItem(target) })
    }
    case "document": {
      const { rights, opens, answer } = resource.methods[method]!
      const place = placeOf(target, env, options)
      const { name, rooms } = place
      const visit = (typeof opens === "function" ? opens(request) : opens) ? place : null
      const grant = await admit(request, { env, need: { id: name, rights }, visit })
      const room = rooms.getByName(name)
      const item = decodeItem(target)
      return answer({ request, url, env, options, limits, grant, room, name, item })
    }
    case "documents": {
      const claims = await identify(request, env)
      if (claims !== null) {
        await limitRequests(env, claims, request)
        await checkRevoked(env, { grant: claims, visit: null })
      }
      const ask = { request, url, env, options, limits, grant: null, item: "" }
      return resource.methods[method]!.answer({
        ...{ ...ask, claims },
        enter(document, rights) {
          const { name, rooms } = placeOf(targetOf(document.toWellFormed()), env, options)
          const grant = claims === null ? OPEN_GRANT : grantFor(claims, { id: name, rights })
          return { ...ask, grant, room: rooms.getByName(name), name }
        },
      })
    }
    default:
      throw new SyncError("internal", `Unknown resource ${JSON.stringify(resource satisfies never)}`)
  }
}

async function openSocket(
  request: Request,
  {
    env,
    options,
    target,
    resource,
  }: { env: object; options: RouteOptions; target: Target; resource: Resource },
): Promise<Response> {
  if (resource === list || resource === hocuspocusBundle)
    return openBundle(request, { env, options, isHocuspocus: resource === hocuspocusBundle })
  if (resource !== document && resource !== hocuspocus)
    throw new SyncError("bad-id", `A WebSocket opens a document, and ${resource.path} is none.`)
  const place = placeOf(target, env, options)
  if (resource === hocuspocus) return openKnock(request, env, place)
  const grant = await admit(request, { env, need: { id: place.name, rights: "read" }, visit: place })
  return connect(request, place.rooms.getByName(place.name), { grant, dialect: null })
}

/** A socket for many documents. Each is opened as if its client had asked for it alone. */
async function openBundle(
  request: Request,
  { env, options, isHocuspocus }: { env: object; options: RouteOptions; isHocuspocus: boolean },
): Promise<Response> {
  checkOrigin(request, env)
  await limitKnocks(env, request)
  const limits = readLimits(env, options.limits)
  const { response, socket } = openPair(request)
  const open = async (own: Request, { target, resource }: { target: Target; resource: Resource }) =>
    socketOf(await openSocket(own, { env, options, target, resource }))
  if (isHocuspocus) {
    new HocuspocusBundle(socket, {
      limits,
      open: (name) => open(request, { target: targetOf(name), resource: hocuspocus }),
    })
  } else {
    new Channels(socket, {
      limits,
      open: async (path, token) => {
        const own = requestOf(request, { path: `/docs/${path}`, token })
        const target = parsePath(new URL(own.url).pathname)
        if (target.path !== document.path)
          throw new SyncError("bad-id", `A channel opens a document, and ${path} is none.`)
        return open(own, { target, resource: document })
      },
    })
  }
  return response
}

/** The document of this name, `/{party}/{id}` in other parties than the default one. */
function targetOf(name: string): Target {
  const [, party = null, id = name] = /^\/([^/]+)\/(.*)$/s.exec(name) ?? []
  return { path: hocuspocus.path, party, id: encodeURIComponent(id) }
}

/** What our client would have asked for on a socket for one document. */
function requestOf(request: Request, { path, token }: { path: string; token: string | null }): Request {
  const headers = new Headers(request.headers)
  headers.set("sec-websocket-protocol", "yurt")
  if (token === null) headers.delete("authorization")
  else headers.set("authorization", `Bearer ${token}`)
  return new Request(new URL(path, request.url), { headers })
}

/** A socket whose token comes on it. With one in its address, it is judged here all the same. */
async function openKnock(request: Request, env: object, place: Place): Promise<Response> {
  const grant = await authorizeKnock(request, { id: place.name, rights: "read" }, env)
  if (grant === null) {
    await limitKnocks(env, request)
  } else {
    await limitUpgrades(env, grant, place.name)
    await checkRevoked(env, { grant, visit: { binding: place.binding, name: place.name } })
  }
  return connect(request, place.rooms.getByName(place.name), { grant, dialect: "hocuspocus" })
}

/**
 * Whoever gets past this has a valid token that was not revoked, and does not ask too often.
 * @param visit the room a socket is opened to
 */
async function admit(
  request: Request,
  { env, need, visit }: { env: object; need: Need; visit: Place | null },
): Promise<Grant> {
  const grant = await authorize(request, need, env)
  if (visit === null) await limitRequests(env, grant, request)
  else await limitUpgrades(env, grant, visit.name)
  await checkRevoked(env, {
    grant,
    visit: visit === null ? null : { binding: visit.binding, name: visit.name },
  })
  return grant
}

/** @throws SyncError "bad-request" */
function decodeItem({ item = "" }: Target): string {
  try {
    return decodeURIComponent(item)
  } catch (cause) {
    throw new SyncError("bad-request", `${item.slice(0, 100)} can't be percent-decoded.`, { cause })
  }
}

/** @throws SyncError "bad-id" | "not-found" */
function placeOf({ party, id }: Target, env: object, options: RouteOptions): Place {
  const { idBytes } = readLimits(env, options.limits)
  const place = findPlace(env, { party, id: parseId(id ?? "", idBytes) }, options)
  const bytes = new TextEncoder().encode(place.name).length
  if (bytes > idBytes)
    throw new SyncError("bad-id", `The id and its party have ${bytes} bytes; at most ${idBytes}.`)
  return place
}

// ---- answers

/** What every answer has. A 101 carries its socket: a copy with more headers would lose it. */
function finish(
  request: Request,
  { env, options }: { env: object; options: RouteOptions },
  response: Response,
): Response {
  if (response.status === 101) return response
  const headers = new Headers(response.headers)
  const resource = resourceAt(parsePath(new URL(request.url).pathname), options)
  const asked = request.headers.get("access-control-request-method")
  // Where nothing is, a page may ask by any method, and is told so.
  const methods = resource === undefined ? (asked === null ? [] : [asked]) : methodsOf(resource)
  for (const [name, value] of Object.entries(corsHeaders(request, env, methods))) {
    if (name === "vary") headers.append(name, value)
    else headers.set(name, value)
  }
  headers.set("x-content-type-options", "nosniff")
  const retryAfter = RETRY_AFTER_S[response.status]
  if (retryAfter !== undefined && !headers.has("retry-after")) headers.set("retry-after", retryAfter)
  if (request.method !== "HEAD") return new Response(response.body, { status: response.status, headers })
  // Nobody reads it: that ends what still streams.
  response.body?.cancel().catch(() => {})
  return new Response(null, { status: response.status, headers })
}

function answerError(error: SyncError, challenge: string): Response {
  const headers = new Headers({ "cache-control": "no-store" })
  if (error.status === 401) headers.set("www-authenticate", challenge)
  return Response.json(error, { status: error.status, headers })
}

function methodsOf(resource: Resource): string[] {
  const methods = Object.keys(resource.methods)
  return methods.includes("GET") ? ["GET", "HEAD", ...methods.filter((method) => method !== "GET")] : methods
}

function allow(resource: Resource | undefined): Record<string, string> {
  return resource === undefined ? {} : { allow: [...methodsOf(resource), "OPTIONS"].join(", ") }
}
