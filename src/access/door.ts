/**
 * The door: a request → who asks, with which rights, and whether a page of its origin may.
 *
 * Closed by default [R1]: without a key every request is answered 503 and told which line to add. Open mode
 * (`OPEN_ON_LOCALHOST`) lets requests to localhost in without a token, and nobody else, wherever it is deployed.
 *
 * What comes out is a Grant, which travels on into the room [R2]; the token itself ends here [R4]: no error, header or
 * URL that leaves this file carries it.
 */
import { SyncError } from "../errors.ts"
import { hasKey, requireKey } from "./keys.ts"
import { type Claims, type Grant, grantFor, type Need, OPEN_GRANT } from "./rights.ts"
import { type AccessSettings, readList, readText } from "./settings.ts"
import { readClaims } from "./token.ts"

/**
 * Who asks, if they may do what they need. Looks at the request's URL and headers only; wakes no room. Does not ask
 * whether the token was revoked: `checkRevoked` does.
 *
 * @throws SyncError "closed" without a usable key (the message names the setting), "origin-refused",
 * "unauthorized" without a valid token, "forbidden" when the token does not reach as far as the need
 * @example const grant = await authorize(request, { id: "notes", rights: "read" }, env)
 */
export async function authorize(request: Request, need: Need, settings: AccessSettings): Promise<Grant> {
  const grant = await authorizeKnock(request, need, settings)
  if (grant === null) throw noToken()
  return grant
}

/**
 * Who asks, for what is about many documents: what the token is worth for each is judged when it is asked about.
 *
 * @returns what the token says; null in open mode
 * @throws SyncError "closed", "origin-refused", "unauthorized"
 */
export async function identify(request: Request, settings: AccessSettings): Promise<Claims | null> {
  if (checkOrigin(request, settings).open) return null
  const token = findToken(request)
  if (token === null) throw noToken()
  return readClaims(token, settings)
}

function noToken(): SyncError {
  return new SyncError(
    "unauthorized",
    "Bring a token: Authorization: Bearer …, the WebSocket subprotocols yurt and the token, or ?token=…",
  )
}

/**
 * The same for an upgrade whose token may come on the socket.
 * @returns null where the request has no token: whoever asks may knock, and no more
 * @throws SyncError as `authorize`
 */
export async function authorizeKnock(
  request: Request,
  need: Need,
  settings: AccessSettings,
): Promise<Grant | null> {
  if (checkOrigin(request, settings).open) return OPEN_GRANT
  const token = findToken(request)
  if (token === null) return null
  return grantFor(await readClaims(token, settings), need)
}

/**
 * Whether anybody may ask at all from where this request comes.
 * @returns `open`: without a token
 * @throws SyncError "closed" without a usable key, "origin-refused"
 */
export function checkOrigin(request: Request, settings: AccessSettings): { open: boolean } {
  const open = isOpen(request, settings)
  // First of all, whoever asks from wherever: the operator has to see it.
  if (!open) requireKey(settings)
  const origin = request.headers.get("origin")
  if (origin !== null && !allowsOrigin(origin, { open, settings })) {
    const who = open ? "without a key only pages of localhost may" : "ALLOWED_ORIGINS does not name it"
    throw new SyncError("origin-refused", `The origin ${origin} may not ask here: ${who}.`)
  }
  return { open }
}

/**
 * Refuse a page of elsewhere as such, also where the server is closed to everybody but this machine: a page whose name
 * turned out to be this machine's address has a foreign Host too, and would be told which key is missing.
 *
 * @throws SyncError "origin-refused"
 * @source Model Context Protocol, Streamable HTTP: an Origin that is not valid is answered 403
 */
export function refuseForeignPage(request: Request, settings: AccessSettings): void {
  const origin = request.headers.get("origin")
  if (origin !== null && settings.OPEN_ON_LOCALHOST === "true" && !hasKey(settings) && !isLocalUrl(origin))
    throw new SyncError(
      "origin-refused",
      `The origin ${origin} may not ask here: without a key only pages of localhost may.`,
    )
}

/** The subprotocol to answer an upgrade with: "yurt" when the client offers it, else none. Never the token. */
export function echoedProtocol(request: Request): "yurt" | null {
  return offeredProtocols(request).includes("yurt") ? "yurt" : null
}

/**
 * The same request, fit to be passed on and logged: without a token in any of its places, and without the
 * headers by which a client could pass itself off as this Worker (`x-yurt-*`, and partyserver's `x-partykit-*`).
 * The Referer goes too: a page opened with `?token=` sends its own address.
 */
export function withoutToken(request: Request): Request {
  const url = new URL(request.url)
  if (url.searchParams.has("token")) url.searchParams.delete("token")
  const bare = new Request(url.href, request)
  for (const name of [...bare.headers.keys()]) {
    if (/^(authorization|referer|x-yurt-.*|x-partykit-.*)$/i.test(name)) bare.headers.delete(name)
  }
  const protocol = echoedProtocol(request)
  if (protocol === null) bare.headers.delete("sec-websocket-protocol")
  else bare.headers.set("sec-websocket-protocol", protocol)
  return bare
}

/**
 * CORS headers for the answer to this request, and for a preflight what may be asked. Without an Origin, or for
 * one that may not ask, only `vary`. Credentials are never allowed: a token is sent by a page that holds it, so
 * there is no cookie that another page could ride on, and any header that a page wants to send (a tracer's) may come.
 *
 * @param methods the methods that exist at this address
 */
export function corsHeaders(
  request: Request,
  settings: AccessSettings,
  methods: readonly string[],
): Record<string, string> {
  const headers = { vary: "Origin" }
  const origin = request.headers.get("origin")
  const open = isOpen(request, settings)
  if (origin === null || !allowsOrigin(origin, { open, settings })) return headers
  const shared = {
    ...headers,
    "access-control-allow-origin": origin,
    "access-control-expose-headers":
      "Allow, Content-Disposition, ETag, Idempotency-Key, Last-Event-ID, Link, MCP-Protocol-Version, MCP-Session-Id, Location, Retry-After, WWW-Authenticate",
  }
  if (request.method !== "OPTIONS" || !request.headers.has("access-control-request-method")) return shared
  const wanted = request.headers.get("access-control-request-headers") ?? ""
  return {
    ...shared,
    vary: "Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
    "access-control-allow-methods": methods.join(", "),
    // Names of headers alone are repeated, nothing else that a request may hold.
    ...(/^[\w!#$%&'*+.^`|~, -]+$/.test(wanted) ? { "access-control-allow-headers": wanted } : {}),
    "access-control-max-age": "7200",
  }
}

// ---- where a request comes from

function isOpen(request: Request, settings: AccessSettings): boolean {
  return settings.OPEN_ON_LOCALHOST === "true" && !hasKey(settings) && isLocal(request)
}

/**
 * Whether this request was made on this machine to this machine. The Host is the defence against DNS rebinding,
 * where a foreign page reaches 127.0.0.1 under its own name. wrangler can rewrite the URL's host
 * (`--local-upstream`), so the header counts as well. A proxy or tunnel (ngrok, cloudflared, Codespaces) may rewrite
 * both, and tells on itself in X-Forwarded-* or Forwarded: what it names has to be this machine too. A private
 * address is not enough: it is everybody else on the network.
 */
function isLocal(request: Request): boolean {
  const forwarded = readForwarded(request.headers.get("forwarded"))
  if (forwarded === null) return false
  const hosts = [
    new URL(request.url).host,
    request.headers.get("host") ?? new URL(request.url).host,
    ...readList(request.headers.get("x-forwarded-host")),
    ...forwarded.hosts,
  ]
  const addresses = [...readList(request.headers.get("x-forwarded-for")), ...forwarded.addresses]
  return hosts.every((host) => isLocalUrl(`http://${host}`)) && addresses.every(isLoopback)
}

function isLoopback(address: string): boolean {
  return /^(\[?(::ffff:)?127(\.\d{1,3}){3}\]?|\[::1\]|::1)(:\d{1,5})?$/i.test(address)
}

/**
 * The hosts and addresses that a Forwarded header names.
 * @returns null when it can't be read
 * @source RFC 7239, section 4
 */
function readForwarded(header: string | null): { hosts: string[]; addresses: string[] } | null {
  const hosts: string[] = []
  const addresses: string[] = []
  for (const pair of readList((header ?? "").replaceAll(";", ","))) {
    const match = /^(for|host|by|proto) *= *(?:"([^"\\]*)"|([^\s"]+))$/i.exec(pair)
    if (match === null) return null
    const [, name = "", quoted, bare] = match
    const value = quoted ?? bare ?? ""
    if (name.toLowerCase() === "host") hosts.push(value)
    if (name.toLowerCase() === "for") addresses.push(value)
  }
  return { hosts, addresses }
}

function isLocalUrl(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { protocol, hostname } = new URL(text)
  return /^https?:$/.test(protocol) && ["localhost", "127.0.0.1", "[::1]"].includes(hostname)
}

/**
 * Whether a page of this origin may ask. Where there are tokens and no list, any page may: it can't use what it
 * does not hold. In open mode there is nothing to hold, so only pages of this machine may, whatever the list says.
 */
function allowsOrigin(
  origin: string,
  { open, settings }: { open: boolean; settings: AccessSettings },
): boolean {
  if (open && !isLocalUrl(origin)) return false
  const allowed = readText(settings.ALLOWED_ORIGINS)
  if (allowed === null) return true
  return readList(allowed).some((one) => one === "*" || originOf(one) === origin)
}

/**
 * The origin that an entry of ALLOWED_ORIGINS stands for, as a browser writes it; null when it stands for none.
 * The URL class knows the origins of http and https alone, so an app's own scheme is taken to the letter.
 */
function originOf(entry: string): string | null {
  if (entry === "null") return entry
  const match = /^([a-z][a-z0-9+.-]*):\/\/([^/]+)\/?$/i.exec(entry)
  if (match === null) return null
  const [, scheme = "", host = ""] = match
  if (!/^https?$/i.test(scheme)) return `${scheme}://${host}`.toLowerCase()
  return URL.canParse(entry) ? new URL(entry).origin : null
}

// ---- where a token stands

/** A header comes first, then the subprotocol, then the query: the ones that end up in fewer logs. */
function findToken(request: Request): string | null {
  const bearer = /^Bearer +(\S+) *$/i.exec(request.headers.get("authorization") ?? "")?.[1]
  if (bearer !== undefined) return bearer
  const offered = offeredProtocols(request)
  // A JWT is the one thing offered that has two dots; a browser would refuse an answer that does not echo "yurt".
  const protocol = offered.includes("yurt")
    ? offered.find((one) => /^[\w-]+\.[\w-]+\.[\w-]*$/.test(one))
    : undefined
  return protocol ?? (new URL(request.url).searchParams.get("token") || null)
}

function offeredProtocols(request: Request): string[] {
  return readList(request.headers.get("sec-websocket-protocol"))
}
