/**
 * `/docs/{id}/-/frames`: a socket over HTTP, for networks that let no WebSocket through; see wire/tunnel.ts.
 *
 * A GET opens a socket of the room, and streams what comes on it; a PATCH brings what goes up to the room, which finds the
 * socket by the session's number. So to the room it is a peer like any other: rights, expiry, revocation, pace and back
 * pressure are its own, and it sleeps while nothing is said.
 */
import { SyncError } from "../errors.ts"
import { SESSION_HEADER, streamSocket, WAIT_HEADER, writeEvents } from "../pipe/tunnel.ts"
import { unwrap } from "../rpc.ts"
import { checkIdentity, readBody } from "./body.ts"
import type { DocumentAsk, Resource } from "./resource.ts"
import { connect, socketOf } from "./socket.ts"

/** GET: what the room says, as events. PATCH: what its peer says. Who may read may do both; the room judges the rest. */
export const frames: Resource = {
  about: "document",
  path: "/docs/{id}/-/frames",
  methods: {
    // Who only asks for what has come has been counted when the session began; a busy room answers many times a second.
    GET: { rights: "read", opens: ({ headers }) => Number(headers.get(WAIT_HEADER)) === 0, answer: listen },
    PATCH: { rights: "read", answer: speak },
  },
}

const HEADERS = {
  "content-type": "text/event-stream",
  "cache-control": "no-store, no-transform",
  "x-accel-buffering": "no",
}

async function listen(ask: DocumentAsk): Promise<Response> {
  const { request, room, grant, limits } = ask
  const session = sessionOf(request)
  const wait = request.headers.get(WAIT_HEADER)
  if (wait === null) {
    const open = async () => socketOf(await dial(ask, { session, keeps: false }))
    return new Response(streamSocket(open, limits.streamBeatMs), { headers: HEADERS })
  }
  if (!/^\d{1,6}$/.test(wait))
    throw new SyncError("bad-request", `${WAIT_HEADER} is a number of milliseconds.`)
  if (wait === "0") await dial(ask, { session, keeps: true })
  const heard = await unwrap(room.collect(session, Math.min(Number(wait), limits.collectMs), grant))
  return new Response(writeEvents(heard), { headers: HEADERS })
}

async function speak({ request, room, grant, limits }: DocumentAsk): Promise<Response> {
  checkIdentity(request.headers)
  const session = sessionOf(request)
  await unwrap(room.hear(session, await readBody(request, limits.bodyBytes), grant))
  return new Response(null, { status: 204 })
}

/** Open the session's socket: what partyserver is told as `_pk` is the socket's name. @throws SyncError that the room answers */
function dial(
  { request, url, room, grant }: DocumentAsk,
  { session, keeps }: { session: string; keeps: boolean },
): Promise<Response> {
  const own = new URL(url)
  own.pathname = own.pathname.replace(/\/-\/frames$/, "")
  own.searchParams.set("_pk", session)
  const headers = new Headers(request.headers)
  headers.delete("accept")
  headers.set("upgrade", "websocket")
  headers.set("sec-websocket-protocol", "yurt")
  return connect(new Request(own, { headers }), room, { grant, dialect: null, keeps })
}

/** @throws SyncError bad-request */
function sessionOf({ headers }: Request): string {
  const session = headers.get(SESSION_HEADER) ?? ""
  if (!/^[0-9a-f]{32}$/.test(session))
    throw new SyncError("bad-request", `${SESSION_HEADER} is 128 random bits in hexadecimal.`)
  return session
}
