/** Upgrades: a request → a socket of a room, or a socket that is closed at once with the reason. */
import { echoedProtocol, withoutToken } from "../access/door.ts"
import type { Grant } from "../access/rights.ts"
import { closeReason, parseSyncError, SyncError } from "../errors.ts"
import type { Socket as PipeSocket } from "../pipe/bundle.ts"
import { DIALECT_HEADER, encodeGrant, GRANT_HEADER, MAILBOX_HEADER, type RoomRpc } from "../rpc.ts"

/** Whether a request wants a socket. */
export function isUpgrade(request: Request): boolean {
  return request.method === "GET" && request.headers.get("upgrade")?.toLowerCase() === "websocket"
}

/**
 * Open a socket to a room. The request goes on without its token, with what the token was worth.
 * @param options.grant null: its token comes on the socket
 * @param options.dialect what its path says that it speaks; null: nothing
 * @param options.keeps the room keeps the client's end as well, for who comes and asks: the answer is 204
 * @throws SyncError that the room answered with instead
 */
export async function connect(
  request: Request,
  room: RoomRpc,
  { grant, dialect, keeps = false }: { grant: Grant | null; dialect: "hocuspocus" | null; keeps?: boolean },
): Promise<Response> {
  const bare = withoutToken(request)
  bare.headers.set(GRANT_HEADER, encodeGrant(grant))
  if (dialect !== null) bare.headers.set(DIALECT_HEADER, dialect)
  if (keeps) bare.headers.set(MAILBOX_HEADER, "")
  const response = (await room.fetch(bare)) as UpgradeResponse
  if (keeps && response.status === 204) return response
  if (response.status !== 101) {
    const body = await response.arrayBuffer()
    const refusal = parseSyncError(new TextDecoder().decode(body))
    if (refusal !== null) throw refusal
    // A subclass may have an answer of its own.
    return new Response(body, response)
  }
  // partyserver echoes no subprotocol, and a browser that offered one would close at once.
  return switchProtocols(response.webSocket, new Headers(response.headers), echoedProtocol(request))
}

/** A socket for a client, and the server's end of it, which is not accepted yet. */
export function openPair(request: Request): { response: Response; socket: PipeSocket } {
  const { 0: client, 1: server } = new WebSocketPair()
  server.binaryType = "arraybuffer"
  return { response: switchProtocols(client, new Headers(), echoedProtocol(request)), socket: server }
}

/** The socket of an answer that opens one. @throws SyncError internal where a subclass has answered something else */
export function socketOf(response: Response): PipeSocket {
  const { webSocket } = response as Partial<UpgradeResponse>
  if (webSocket === undefined || webSocket === null)
    throw new SyncError("internal", `The room answered ${response.status}`)
  webSocket.binaryType = "arraybuffer"
  return webSocket
}

/**
 * Accept, and close for good with the reason: a browser shows a refused upgrade as a broken one, to be tried again. Only
 * for who offers the subprotocol "yurt", our provider; stock ones reset their backoff on open. No room is woken.
 *
 * @returns null where the refusal is better answered by HTTP
 */
export function refuseSocket(request: Request, { closeCode, message }: SyncError): Response | null {
  const isFinal = closeCode >= 4400 && closeCode < 4500
  if (!isFinal || !isUpgrade(request) || echoedProtocol(request) !== "yurt") return null
  const { 0: client, 1: server } = new WebSocketPair()
  server.accept()
  server.close(closeCode, closeReason(message))
  return switchProtocols(client, new Headers(), "yurt")
}

/** A response of workerd: with its status 101 it carries the socket. The types of browsers know no such thing. */
type UpgradeResponse = Response & { readonly webSocket: WebSocket }

function switchProtocols(webSocket: WebSocket, headers: Headers, protocol: "yurt" | null): Response {
  if (protocol !== null) headers.set("sec-websocket-protocol", protocol)
  return new Response(null, { status: 101, webSocket, headers } as ResponseInit)
}
