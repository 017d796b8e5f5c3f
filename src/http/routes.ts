/**
 * URLs → rooms, and the REST resource of a document. Knows HTTP and nothing of Yjs: it finds out which room is
 * meant, lets `access` decide, asks the room by RPC, and turns whatever goes wrong into `{error, message}`.
 *
 * | path                                  | methods                                              |
 * |---------------------------------------|------------------------------------------------------|
 * | `/docs/{id}`, `/parties/{party}/{id}` | WebSocket, GET, HEAD, PATCH, POST (a hook), DELETE   |
 * | `/docs/{id}/status`                   | GET, HEAD                                            |
 * | `/docs`                               | GET, HEAD                                            |
 * | `/admin/revocations`                  | POST                                                 |
 * | `/health`                             | GET, HEAD                                            |
 */

import {
  authorize,
  corsHeaders,
  echoedProtocol,
  type Grant,
  type Need,
  withoutToken,
} from "../access/access.ts"
import { checkRevoked, type Place, revoke } from "../access/registry.ts"
import { asSyncError, SyncError } from "../errors.ts"
import { chooseFormat, type Format, mediaType } from "../export/formats.ts"
import { LIMITS } from "../limits.ts"
import { limitUpgrades } from "../room/rate.ts"
import {
  encodeGrant,
  findRooms,
  GRANT_HEADER,
  INDEX_ROOM,
  isDefaultParty,
  type Revoked,
  type RoomRpc,
  unwrap,
} from "../rpc.ts"

export interface RouteOptions {
  /** The Durable Object binding of `/docs` and of the party "main". Default "Room". */
  readonly binding?: string
}

/** What a path names. `party` is null for `/docs`. */
export type Target =
  | { readonly kind: "document" | "status"; readonly party: string | null; readonly id: string }
  | { readonly kind: "index" | "revocations" | "health" }

const METHODS: Readonly<Record<Target["kind"], readonly string[]>> = {
  document: ["GET", "HEAD", "PATCH", "POST", "DELETE"],
  status: ["GET", "HEAD"],
  index: ["GET", "HEAD"],
  revocations: ["POST"],
  health: ["GET", "HEAD"],
}

/** Statuses worth another try, and after how many seconds. */
const RETRY_AFTER_S: Readonly<Record<number, string>> = { 429: "1", 503: "5" }

/**
 * The whole HTTP and WebSocket face of a server of rooms. Always answers; never throws, never shows a stack.
 *
 * @param env the Worker's environment: the rooms' bindings, and what `access` reads (AccessSettings)
 */
export async function routeDocuments(
  request: Request,
  env: object,
  options: RouteOptions = {},
): Promise<Response> {
  let response: Response
  try {
    response = await answer(request, env, options)
    // A 101 carries its socket: a copy with more headers would lose it.
    if (response.status === 101) return response
  } catch (thrown) {
    const error = asSyncError(thrown)
    const { closeCode } = error
    // A browser shows a refused upgrade as a broken one, to be tried again. Our provider is told the reason in a way it
    // can read; stock ones are not, since some reset their backoff on open.
    if (echoedProtocol(request) === "yurt" && closeCode >= 4400 && closeCode < 4500)
      return refuseSocket(error)
    response = answerError(error)
  }
  const headers = new Headers(response.headers)
  for (const [name, value] of Object.entries(corsHeaders(request, env))) {
    if (name === "vary") headers.append(name, value)
    else headers.set(name, value)
  }
  headers.set("x-content-type-options", "nosniff")
  const isHead = request.method === "HEAD"
  if (isHead) await response.body?.cancel()
  return new Response(isHead ? null : response.body, { status: response.status, headers })
}

async function answer(request: Request, env: object, options: RouteOptions): Promise<Response> {
  const url = new URL(request.url)
  const isSocket = request.headers.get("upgrade")?.toLowerCase() === "websocket"
  const target = parsePath(url.pathname, isSocket)
  const methods = METHODS[target.kind]
  if (request.method === "OPTIONS") return new Response(null, { status: 204, headers: allow(methods) })
  if (!methods.includes(request.method)) {
    const message = `${request.method} is not for ${url.pathname}, which has ${methods.join(", ")}.`
    return Response.json(new SyncError("method-not-allowed", message), {
      status: 405,
      headers: allow(methods),
    })
  }
  /** Whoever gets past this has a valid token that was not revoked. */
  const admit = async (request: Request, need: Need, visit: Place | null = null) => {
    const grant = await authorize(request, need, env)
    await checkRevoked(env, { grant, visit }, options)
    return grant
  }
  switch (target.kind) {
    case "health":
      return Response.json({ status: "ok" }, uncached)
    case "index": {
      const rooms = findRooms(env, null, options)
      await admit(request, { id: null, rights: "admin" })
      return Response.json(
        await unwrap(rooms.getByName(INDEX_ROOM).list(parsePage(url.searchParams))),
        uncached,
      )
    }
    case "revocations": {
      await admit(request, { id: null, rights: "admin" })
      await revoke(env, parseRevocation(await readBody(request)), options)
      return new Response(null, { status: 204 })
    }
    case "status": {
      const rooms = findRooms(env, target.party, options)
      const name = nameRoom(target, options)
      await admit(request, { id: name, rights: "read" })
      const status = await unwrap(rooms.getByName(name).status())
      if (status === null) throw notFound(name)
      return Response.json(status, uncached)
    }
    case "document": {
      const { party } = target
      const rooms = findRooms(env, party, options)
      const id = nameRoom(target, options)
      const rights = request.method === "DELETE" ? "admin" : /^P/.test(request.method) ? "write" : "read"
      const grant = await admit(request, { id, rights }, isSocket ? { party, id } : null)
      if (isSocket) await limitUpgrades(env, grant.subject)
      const room = rooms.getByName(id)
      return isSocket ? connect(request, room, grant) : answerDocument(request, room, { id, grant })
    }
    default:
      throw new TypeError(`unknown target ${target satisfies never}`)
  }
}

// ---- a document

const uncached = { headers: { "cache-control": "no-store" } }

async function answerDocument(
  request: Request,
  room: RoomRpc,
  { id, grant }: { id: string; grant: Grant },
): Promise<Response> {
  switch (request.method) {
    case "GET":
    case "HEAD":
      return exportDocument(request, room, id)
    case "PATCH":
      checkUpdateType(request)
      return Response.json(await unwrap(room.merge(await readBody(request), grant)), uncached)
    case "DELETE":
      if (!(await unwrap(room.remove(grant)))) throw notFound(id)
      return new Response(null, { status: 204 })
    case "POST": {
      const { url, headers } = bearing(grant, request)
      return room.fetch(new Request(url, { method: "POST", headers, body: await readBody(request) }))
    }
    default:
      throw new TypeError(`unknown method ${request.method}`)
  }
}

async function exportDocument(request: Request, room: RoomRpc, id: string): Promise<Response> {
  const { searchParams } = new URL(request.url)
  const format = chooseFormat({ name: searchParams.get("format"), accept: request.headers.get("accept") })
  const root = searchParams.get("root")
  if (root !== null && (format === "update" || format === "state-vector")) {
    throw new SyncError("bad-request", `The format ${format} is of the whole document; it has no root.`)
  }
  const exported = await unwrap(
    room.export({ format, root, ifNoneMatch: request.headers.get("if-none-match") }),
  )
  if (exported === null) throw notFound(id)
  const headers = new Headers({
    etag: exported.etag,
    // May be kept, by this one reader, and must be asked about each time.
    "cache-control": "private, no-cache",
    vary: "Accept",
  })
  if (exported.body === null) return new Response(null, { status: 304, headers })
  headers.set("content-type", mediaType(format))
  const policy = contentSecurityPolicy(format)
  if (policy !== null) headers.set("content-security-policy", policy)
  const body = typeof exported.body === "string" ? new TextEncoder().encode(exported.body) : exported.body
  if (body instanceof Uint8Array) headers.set("content-length", String(body.byteLength))
  return new Response(body as BodyInit, { headers })
}

/** For what a browser would show as a page: it is what people typed, on the origin of the API. */
function contentSecurityPolicy(format: Format): string | null {
  if (format !== "html" && format !== "svg") return null
  return "default-src 'none'; style-src 'unsafe-inline'; img-src https: data:"
}

/** @throws SyncError "unsupported-media-type" */
function checkUpdateType(request: Request): void {
  const type = request.headers.get("content-type")
  if (type !== null && !/^application\/octet-stream\s*(;|$)/i.test(type)) {
    throw new SyncError(
      "unsupported-media-type",
      `A PATCH body is the bytes of a Yjs V1 update, application/octet-stream; this one says it is ${type}.`,
    )
  }
  const encoding = request.headers.get("content-encoding")
  if (encoding !== null && encoding.toLowerCase() !== "identity") {
    throw new SyncError("unsupported-media-type", `A body is taken as it is, not as ${encoding}.`)
  }
}

// ---- a socket

async function connect(request: Request, room: RoomRpc, grant: Grant): Promise<Response> {
  const response = await room.fetch(bearing(grant, request))
  if (response.status !== 101) return response
  // partyserver echoes no subprotocol, and a browser that offered one would close at once.
  const protocol = echoedProtocol(request)
  const headers = new Headers(response.headers)
  if (protocol !== null) headers.set("sec-websocket-protocol", protocol)
  const { webSocket } = response as Response & { webSocket?: WebSocket | null }
  return new Response(null, { status: 101, webSocket, headers } as ResponseInit)
}

/** Accept, and close for good with the reason. No room is woken. */
function refuseSocket({ closeCode, message }: SyncError): Response {
  const { 0: client, 1: server } = new WebSocketPair()
  server.accept()
  server.close(closeCode, message.slice(0, 120))
  const headers = { "sec-websocket-protocol": "yurt" }
  return new Response(null, { status: 101, webSocket: client, headers } as ResponseInit)
}

/** The request as it goes on to a room: without its token, with what the token was worth. */
function bearing(grant: Grant, request: Request): Request {
  const bare = withoutToken(request)
  bare.headers.set(GRANT_HEADER, encodeGrant(grant))
  return bare
}

// ---- paths

/**
 * What a path names. `new URL` has already resolved `.` and `..` segments, written plainly or as `%2e`, so what
 * is left of them can only hide behind a `%2F`; the grammar of ids refuses it after the decode.
 *
 * @param isSocket then the whole rest of the path is the id: stock clients don't encode it
 * @throws SyncError "not-found" | "bad-id"
 */
export function parsePath(pathname: string, isSocket: boolean): Target {
  if (pathname === "/health") return { kind: "health" }
  if (pathname === "/admin/revocations") return { kind: "revocations" }
  if (pathname === "/docs" && !isSocket) return { kind: "index" }
  const match = /^\/(?:docs|parties\/([^/]+))(?:\/(.*))?$/.exec(pathname)
  if (match === null) throw new SyncError("not-found", `Nothing is at ${pathname}.`)
  const [, party = null, rest = ""] = match
  if (isSocket) return { kind: "document", party, id: parseId(rest) }
  const [id = "", resource, ...more] = rest.split("/")
  if (resource === undefined) return { kind: "document", party, id: parseId(id) }
  if (resource === "status" && more.length === 0) return { kind: "status", party, id: parseId(id) }
  const written = rest.replaceAll("/", "%2F")
  throw new SyncError(
    "bad-id",
    `A slash in a document id is written %2F here: ${written} instead of ${rest}.`,
  )
}

/**
 * A document id out of a path: decoded once, then 1–256 of `A-Z a-z 0-9 . _ ~ : / -`, no segment of it empty,
 * `.` or `..`.
 *
 * @throws SyncError "bad-id" that says what an id is
 */
export function parseId(encoded: string): string {
  const grammar =
    "an id is 1 to 256 of A-Z a-z 0-9 . _ ~ : / - after one percent-decode, no segment empty, . or .."
  let id: string
  try {
    id = decodeURIComponent(encoded)
  } catch (cause) {
    throw new SyncError("bad-id", `The id ${encoded.slice(0, 300)} can't be percent-decoded; ${grammar}.`, {
      cause,
    })
  }
  if (!/^[A-Za-z0-9._~:/-]{1,256}$/.test(id) || id.split("/").some((segment) => /^\.{0,2}$/.test(segment))) {
    const shown = id.length > 300 ? `of ${id.length} characters` : JSON.stringify(id)
    throw new SyncError("bad-id", `The id ${shown} is not one: ${grammar}.`)
  }
  return id
}

/**
 * The name of a document's room, which is also its id in the archive and in a token: the plain id in the default
 * rooms, `party@id` in others. `@` is outside the grammar of ids, so no two documents share a name.
 *
 * @throws SyncError "bad-id" where party and id together are too long for the platform
 */
export function nameRoom(
  { party, id }: { party: string | null; id: string },
  options: RouteOptions = {},
): string {
  if (party === null || isDefaultParty(party, options)) return id
  const name = `${party}@${id}`
  if (name.length > 256)
    throw new SyncError("bad-id", `${name.length} characters with the party; at most 256.`)
  return name
}

// ---- queries and bodies

/** @throws SyncError "bad-request" */
export function parsePage(query: URLSearchParams): { cursor: string | null; limit: number } {
  const limit = query.get("limit") ?? "100"
  if (!/^\d{1,4}$/.test(limit) || Number(limit) < 1 || Number(limit) > 1000) {
    throw new SyncError(
      "bad-request",
      `limit is a whole number from 1 to 1000, not ${JSON.stringify(limit)}.`,
    )
  }
  return { cursor: query.get("cursor") || null, limit: Number(limit) }
}

/** @throws SyncError "bad-request" */
export function parseRevocation(body: Uint8Array): Revoked {
  const fault = "The body is JSON with a subject or a tokenId: a string of 1 to 256 characters."
  let parsed: unknown
  try {
    parsed = JSON.parse(new TextDecoder().decode(body))
  } catch (cause) {
    throw new SyncError("bad-request", fault, { cause })
  }
  const { subject, tokenId } = Object(parsed) as Record<string, unknown>
  const isName = (value: unknown): value is string =>
    typeof value === "string" && value.length > 0 && value.length <= 256
  if (isName(subject) && tokenId === undefined) return { subject }
  if (isName(tokenId) && subject === undefined) return { tokenId }
  throw new SyncError("bad-request", fault)
}

/**
 * A request's body, counted while it is read: Content-Length may be absent, or a lie.
 *
 * @throws SyncError "too-large" as soon as it is, "bad-request" when the body breaks off
 */
export async function readBody(
  request: Request,
  maxBytes: number = LIMITS.bodyBytes,
): Promise<Uint8Array<ArrayBuffer>> {
  const tooLarge = (bytes: number) =>
    new SyncError("too-large", `The body has ${bytes} bytes or more; at most ${maxBytes} are taken.`)
  const declared = Number(request.headers.get("content-length"))
  if (declared > maxBytes) throw tooLarge(declared)
  const chunks: Uint8Array[] = []
  let length = 0
  const reader = request.body?.getReader()
  while (reader !== undefined) {
    const { done, value } = await reader.read().catch((cause: unknown) => {
      throw new SyncError("bad-request", `The body broke off after ${length} bytes.`, { cause })
    })
    if (done) break
    length += value.byteLength
    if (length > maxBytes) {
      // The answer is what counts; that the rest is not wanted need not reach anyone.
      reader.cancel().catch(() => {})
      throw tooLarge(length)
    }
    chunks.push(value)
  }
  const body = new Uint8Array(length)
  let offset = 0
  for (const chunk of chunks) {
    body.set(chunk, offset)
    offset += chunk.byteLength
  }
  return body
}

// ---- errors

function answerError(error: SyncError): Response {
  if (error.code === "internal") console.error("routes:", error.cause ?? error)
  const headers = new Headers({ "cache-control": "no-store" })
  const retryAfter = RETRY_AFTER_S[error.status]
  if (retryAfter !== undefined) headers.set("retry-after", retryAfter)
  if (error.status === 401) headers.set("www-authenticate", "Bearer")
  return Response.json(error, { status: error.status, headers })
}

function notFound(id: string): SyncError {
  return new SyncError("not-found", `There is no document ${id}.`)
}

function allow(methods: readonly string[]): { allow: string } {
  return { allow: [...methods, "OPTIONS"].join(", ") }
}
