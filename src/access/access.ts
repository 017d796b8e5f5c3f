/**
 * Access: a request → who asks, and with which rights. Nothing else in the server reads a token.
 *
 * Closed by default [R1]: without a key every request is answered 503 and told which line to add. Open mode
 * (`OPEN_ON_LOCALHOST`) lets requests to localhost in without a token, and nobody else, wherever it is deployed.
 *
 * A token is a JWT. What comes out of it is a Grant, which travels on into the room [R2]; the token itself ends
 * here: no error, header or URL that leaves this file carries it.
 */
import * as jose from "jose"
import { SyncError } from "../errors.ts"

/** The part of the Worker's environment that decides about access. A blank value counts as not set. */
export interface AccessSettings {
  /** HS256: the secret as text, at least 32 bytes of UTF-8; its text is the key, nothing is decoded. */
  readonly AUTH_SECRET?: string
  /** EdDSA (Ed25519): a public key as SPKI PEM (`\n` may be written out), or a JWK as JSON. */
  readonly AUTH_PUBLIC_KEY?: string
  /** A JSON Web Key Set, https (http on localhost). */
  readonly AUTH_JWKS_URL?: string
  /** What a token's `aud` must hold. Default "yurt". */
  readonly AUTH_AUDIENCE?: string
  /** What a token's `iss` must be, when this is set. */
  readonly AUTH_ISSUER?: string
  /** The origins whose pages may ask, as `scheme://host[:port]`, comma-separated, or "*". Requests without an Origin pass. */
  readonly ALLOWED_ORIGINS?: string
  /** "true": while no key is set, requests to localhost, 127.0.0.1 and [::1] have every right. */
  readonly OPEN_ON_LOCALHOST?: string
}

/** Who asks, and what they may do. JSON-safe: it travels to the room in a header and lives in a socket's attachment. */
export interface Grant {
  /** The token's `sub`; null in open mode, where nobody can be told apart. At most 256 characters. */
  readonly subject: string | null
  /** For the document asked about. Where only `admin` was needed and the token names no such document: "read". */
  readonly rights: "read" | "write"
  /** May publish awareness. A writer may unless the token says no, a reader only if it says yes. */
  readonly presence: boolean
  /** May list, delete and revoke, on the whole server. Gives no right to read or write a document. */
  readonly admin: boolean
  /** From here on the grant is void, ms since 1970; null: never. */
  readonly expiresAtMs: number | null
  /** The token's `jti`, by which it can be revoked. At most 256 characters. */
  readonly tokenId: string | null
  /** What to call them. At most 100 characters. */
  readonly name?: string
  /** Their colour, as the issuer wrote it. At most 100 characters. */
  readonly color?: string
}

/** What a request needs. `id` is null when it is about no one document; then only "admin" can be granted. */
export interface Need {
  readonly id: string | null
  readonly rights: "read" | "write" | "admin"
}

/** One line of a token's `docs`: an id, or the beginning of one with a `*` at the end. */
interface DocsEntry {
  readonly id: string
  readonly rights: "read" | "write"
  readonly presence: boolean
}

/** What a verified token says. */
interface Claims {
  readonly subject: string
  readonly tokenId: string | null
  readonly expiresAtMs: number
  readonly admin: boolean
  readonly docs: readonly DocsEntry[]
  readonly name?: string
  readonly color?: string
}

/** A key, and the only algorithms it may be used with. Keeping the two together is what rules out algorithm confusion. */
interface Key {
  readonly algorithms: readonly string[]
  readonly resolve: jose.JWTVerifyGetKey
}

/** A longer token is not looked at, characters. */
const TOKEN_LENGTH = 8192
/** A token may become valid this much later than now, s: clocks differ. It never lives a moment longer than its `exp`. */
const CLOCK_TOLERANCE_S = 5
/** RFC 7518, section 3.2: a key for HS256 has at least the size of the hash. */
const SECRET_BYTES = 32
/** A JWKS is fetched again when it is older than this, ms: how long a key that was taken out of it still works. */
const JWKS_MAX_AGE_MS = 10 * 60_000
/** ... for a key id it does not hold, or after a failure, at most this often, ms. */
const JWKS_COOLDOWN_MS = 30_000
const JWKS_TIMEOUT_MS = 5_000

const HMAC = ["HS256"]
const EDDSA = ["EdDSA", "Ed25519"]
/** What identity providers sign with. Never HMAC: a public key must not be taken for a secret. */
const JWKS = [...EDDSA, "ES256", "RS256", "PS256"]

const OPEN: Grant = {
  subject: null,
  rights: "write",
  presence: true,
  admin: true,
  expiresAtMs: null,
  tokenId: null,
}

const CLOSED =
  "The server has no key, so it is closed. Add one: npx wrangler secret put AUTH_SECRET " +
  "(on your own machine: a line AUTH_SECRET=… in .dev.vars)."

const NO_KEYS = "The keys at AUTH_JWKS_URL can't be fetched now; try again later."

/**
 * Who asks, if they may do what they need. Looks at the request's URL and headers only; wakes no room.
 *
 * @throws SyncError "closed" without a usable key (the message names the setting), "origin-refused",
 * "unauthorized" without a valid token, "forbidden" when the token does not reach as far as the need
 */
export async function authorize(request: Request, need: Need, settings: AccessSettings): Promise<Grant> {
  const open = isOpen(request, settings)
  if (!open && !hasKey(settings)) {
    const hint =
      settings.OPEN_ON_LOCALHOST === "true" ? " OPEN_ON_LOCALHOST lets in requests to localhost alone." : ""
    throw new SyncError("closed", CLOSED + hint)
  }
  const origin = request.headers.get("origin")
  if (origin !== null && !allowsOrigin(origin, { open, settings })) {
    const who = open ? "without a key only pages of localhost may" : "ALLOWED_ORIGINS does not name it"
    throw new SyncError("origin-refused", `The origin ${origin} may not ask here: ${who}.`)
  }
  if (open) return OPEN
  const token = findToken(request)
  if (token === null) {
    throw new SyncError(
      "unauthorized",
      "Bring a token: Authorization: Bearer …, the WebSocket subprotocols yurt and the token, or ?token=…",
    )
  }
  return grant(await verify(token, settings), need)
}

/**
 * What a bare token is worth for a document: for a socket that renews its token in-band. The caller compares
 * the subject with the one it knows.
 *
 * @throws SyncError "closed" | "unauthorized" | "forbidden"
 */
export async function verifyToken(token: string, id: string, settings: AccessSettings): Promise<Grant> {
  if (!hasKey(settings)) throw new SyncError("closed", CLOSED)
  return grant(await verify(token, settings), { id, rights: "read" })
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
 * there is no cookie that another page could ride on.
 */
export function corsHeaders(request: Request, settings: AccessSettings): Record<string, string> {
  const headers = { vary: "Origin" }
  const origin = request.headers.get("origin")
  const open = isOpen(request, settings)
  if (origin === null || !allowsOrigin(origin, { open, settings })) return headers
  const shared = {
    ...headers,
    "access-control-allow-origin": origin,
    "access-control-expose-headers": "ETag, Location, Retry-After, WWW-Authenticate",
  }
  if (request.method !== "OPTIONS" || !request.headers.has("access-control-request-method")) return shared
  return {
    ...shared,
    "access-control-allow-methods": "GET, HEAD, POST, PUT, PATCH, DELETE",
    "access-control-allow-headers": "Authorization, Content-Type, If-Match, If-None-Match",
    "access-control-max-age": "7200",
  }
}

/** What is wrong with a secret for HS256, as the end of a sentence; null when nothing is. */
export function secretFault(secret: string): string | null {
  if (new TextEncoder().encode(secret).length < SECRET_BYTES) return `is shorter than ${SECRET_BYTES} bytes`
  if (/^(.{1,16}?)\1+.{0,15}$/s.test(secret)) return "repeats itself"
  if (/change.?me|replace|placeholder|example|your.{0,3}secret|secret-at-least/i.test(secret)) {
    return "is a placeholder"
  }
  return null
}

// ---- where a request comes from

function isOpen(request: Request, settings: AccessSettings): boolean {
  return settings.OPEN_ON_LOCALHOST === "true" && !hasKey(settings) && isLocal(request)
}

/**
 * Whether this request was made on this machine to this machine. The Host is the defence against DNS rebinding,
 * where a foreign page reaches 127.0.0.1 under its own name. wrangler can rewrite the URL's host
 * (`--local-upstream`), so the header counts as well. A tunnel (ngrok, cloudflared, Codespaces) may rewrite both,
 * and tells on itself in X-Forwarded-*; private addresses are let through, they are Docker's and a dev server's.
 */
function isLocal(request: Request): boolean {
  const hosts = [
    new URL(request.url).host,
    request.headers.get("host"),
    ...list(request.headers.get("x-forwarded-host")),
  ]
  const isPrivate =
    /^\[?(::ffff:)?(127\.|10\.|192\.168\.|169\.254\.|172\.(1[6-9]|2\d|3[01])\.|::1(\]|$)|f[cd][0-9a-f]{2}:|fe80:)/i
  return (
    hosts.every((host) => host === null || isLocalUrl(`http://${host}`)) &&
    list(request.headers.get("x-forwarded-for")).every((address) => isPrivate.test(address))
  )
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
  const allowed = text(settings.ALLOWED_ORIGINS)
  if (allowed === null) return true
  return list(allowed).some(
    (one) => one === "*" || (URL.canParse(one) && new URL(one).origin === origin && origin !== "null"),
  )
}

// ---- the token

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
  return list(request.headers.get("sec-websocket-protocol"))
}

/** @throws SyncError "unauthorized" | "closed" */
async function verify(token: string, settings: AccessSettings): Promise<Claims> {
  const keys = await readKeys(settings)
  const alg = readAlgorithm(token)
  const fitting = keys.filter((key) => key.algorithms.includes(alg))
  if (fitting.length === 0) {
    throw unauthorized(`is not signed with ${[...new Set(keys.flatMap((key) => key.algorithms))].join(", ")}`)
  }
  const issuer = text(settings.AUTH_ISSUER)
  let fault: unknown
  for (const { algorithms, resolve } of fitting) {
    try {
      // Named one by one: by itself jose takes HS512, a token without exp, and any audience.
      const { payload } = await jose.jwtVerify(token, resolve, {
        algorithms: [...algorithms],
        audience: text(settings.AUTH_AUDIENCE) ?? "yurt",
        ...(issuer === null ? {} : { issuer }),
        requiredClaims: ["exp", "sub"],
        clockTolerance: CLOCK_TOLERANCE_S,
      })
      return readClaims(payload)
    } catch (error) {
      fault = error
      // Another key may have signed it.
      if (!isOtherKey(error)) break
    }
  }
  // reason: no `cause`. jose's errors carry the payload, and what is thrown here is logged.
  throw fault instanceof SyncError ? fault : unauthorized(describe(fault))
}

function readAlgorithm(token: string): string {
  if (token.length > TOKEN_LENGTH) throw unauthorized(`is longer than ${TOKEN_LENGTH} characters`)
  try {
    return jose.decodeProtectedHeader(token).alg ?? ""
  } catch {
    throw unauthorized("is not a JWT")
  }
}

/** What jose says when the signature is not by this key, or the set holds no such key. */
function isOtherKey(error: unknown): boolean {
  return (
    error instanceof jose.errors.JWSSignatureVerificationFailed ||
    error instanceof jose.errors.JWKSNoMatchingKey ||
    error instanceof jose.errors.JWKSMultipleMatchingKeys
  )
}

/** Why jose refused a token, as the end of a sentence, in words of our own: nothing of the token is repeated. */
function describe(fault: unknown): string {
  if (fault instanceof jose.errors.JWTExpired) return "has expired"
  if (fault instanceof jose.errors.JWTClaimValidationFailed) {
    if (fault.reason === "missing") return `has no "${fault.claim}"`
    if (fault.claim === "nbf" && fault.reason === "check_failed") return "is not valid yet"
    return `has an "${fault.claim}" that does not fit`
  }
  if (fault instanceof jose.errors.JWKSMultipleMatchingKeys)
    return "does not say by which key it is signed (kid)"
  if (isOtherKey(fault)) return "is not signed by a key of this server"
  return "is not a JWT that can be read"
}

/** @throws SyncError "unauthorized" that names the claim which is not what it should be */
function readClaims(payload: jose.JWTPayload): Claims {
  const { sub, jti, exp, admin = false, docs = [], name, color } = payload
  if (!isShort(sub, 256)) throw unauthorized('has a "sub" that is not a string of 1 to 256 characters')
  if (jti !== undefined && !isShort(jti, 256))
    throw unauthorized('has a "jti" that is not a string of 1 to 256 characters')
  // JSON can write 1e999: Infinity, which would turn into null, "never", on its way to the room.
  if (exp === undefined || !Number.isSafeInteger(Math.floor(exp * 1000)))
    throw unauthorized('has an "exp" out of range')
  const expiresAtMs = Math.floor(exp * 1000)
  // The tolerance is for tokens that are too young: the door and the room agree on when one is over.
  if (expiresAtMs <= Date.now()) throw unauthorized("has expired")
  if (typeof admin !== "boolean") throw unauthorized('has an "admin" that is not true or false')
  if (!Array.isArray(docs)) throw unauthorized('has a "docs" that is not a list')
  return {
    subject: sub,
    tokenId: jti ?? null,
    expiresAtMs,
    admin,
    docs: docs.map(readDocsEntry),
    ...(isShort(name, 100) ? { name } : {}),
    ...(isShort(color, 100) ? { color } : {}),
  }
}

function readDocsEntry(entry: unknown, index: number): DocsEntry {
  const { id, rights, presence } = Object(entry) as Record<string, unknown>
  if (typeof id !== "string") throw unauthorized(`has a docs[${index}].id that is not a string`)
  if (rights !== "read" && rights !== "write")
    throw unauthorized(`has a docs[${index}].rights that is not "read" or "write"`)
  if (presence !== undefined && typeof presence !== "boolean") {
    throw unauthorized(`has a docs[${index}].presence that is not true or false`)
  }
  return { id, rights, presence: presence ?? rights === "write" }
}

function isShort(value: unknown, length: number): value is string {
  return typeof value === "string" && value.length > 0 && value.length <= length
}

function unauthorized(fault: string): SyncError {
  return new SyncError("unauthorized", `The token ${fault}.`)
}

// ---- from claims to rights

/** @throws SyncError "forbidden" */
function grant(claims: Claims, need: Need): Grant {
  const { id } = need
  const entries = id === null ? [] : claims.docs.filter((entry) => covers(entry.id, id))
  const rights = entries.some((entry) => entry.rights === "write") ? "write" : "read"
  const about = id === null ? "this" : `the document ${id}`
  switch (need.rights) {
    case "admin":
      if (!claims.admin)
        throw new SyncError("forbidden", `The token lacks the right "admin", which ${about} needs.`)
      break
    case "write":
    case "read":
      if (entries.length === 0) throw new SyncError("forbidden", `The token does not cover ${about}.`)
      if (need.rights === "write" && rights === "read") {
        throw new SyncError("forbidden", `The token may read ${about}, but not write it.`)
      }
      break
    default:
      throw new SyncError("internal", `Unknown right ${need.rights satisfies never}`)
  }
  return {
    subject: claims.subject,
    rights,
    presence: entries.some((entry) => entry.presence),
    admin: claims.admin,
    expiresAtMs: claims.expiresAtMs,
    tokenId: claims.tokenId,
    ...(claims.name === undefined ? {} : { name: claims.name }),
    ...(claims.color === undefined ? {} : { color: claims.color }),
  }
}

/** A `*` at the end stands for any rest, slashes included; anywhere else it is a character no id has. */
function covers(pattern: string, id: string): boolean {
  return pattern.endsWith("*") ? id.startsWith(pattern.slice(0, -1)) : pattern === id
}

// ---- the keys

function hasKey(settings: AccessSettings): boolean {
  return [settings.AUTH_SECRET, settings.AUTH_PUBLIC_KEY, settings.AUTH_JWKS_URL].some(
    (key) => text(key) !== null,
  )
}

/** Every key that is set. One that can't be used closes the server: half a configuration is a mistake, not a choice. */
async function readKeys(settings: AccessSettings): Promise<Key[]> {
  const secret = text(settings.AUTH_SECRET)
  const publicKey = text(settings.AUTH_PUBLIC_KEY)
  const url = text(settings.AUTH_JWKS_URL)
  const keys: Key[] = []
  if (secret !== null) {
    const fault = secretFault(secret)
    if (fault !== null)
      throw new SyncError("closed", `AUTH_SECRET ${fault}: put at least ${SECRET_BYTES} random bytes there.`)
    const bytes = new TextEncoder().encode(secret)
    keys.push({ algorithms: HMAC, resolve: async () => bytes })
  }
  if (publicKey !== null) {
    const key = await readPublicKey(publicKey)
    keys.push({ algorithms: EDDSA, resolve: async () => key })
  }
  if (url !== null) keys.push({ algorithms: JWKS, resolve: remoteKeys(url) })
  return keys
}

/** @throws SyncError "closed" */
async function readPublicKey(pemOrJwk: string): Promise<CryptoKey> {
  try {
    // Environment files keep a PEM on one line, its line ends written out.
    if (!pemOrJwk.startsWith("{")) return await jose.importSPKI(pemOrJwk.replaceAll("\\n", "\n"), "EdDSA")
    const { kty = "", crv = "", x = "", d } = JSON.parse(pemOrJwk) as jose.JWK
    if (d !== undefined) throw new TypeError("a private key has no business here")
    const key = await jose.importJWK({ kty, crv, x }, "EdDSA")
    if (key instanceof Uint8Array) throw new TypeError("a symmetric key")
    return key
  } catch {
    // reason: no `cause`. It may quote what was put there, and that may be a private key.
    throw new SyncError(
      "closed",
      "AUTH_PUBLIC_KEY is not an Ed25519 public key, as SPKI PEM or as a JWK in JSON.",
    )
  }
}

/** One set a URL, for as long as the isolate lives. Holds keys and times, no promise or response of a request. */
const remotes = new Map<string, jose.JWTVerifyGetKey>()

function remoteKeys(href: string): jose.JWTVerifyGetKey {
  const known = remotes.get(href)
  if (known !== undefined) return known
  if (!URL.canParse(href) || !(href.startsWith("https://") || isLocalUrl(href))) {
    throw new SyncError("closed", "AUTH_JWKS_URL is not an https URL.")
  }
  let quietUntilMs = 0
  const set = jose.createRemoteJWKSet(new URL(href), {
    cacheMaxAge: JWKS_MAX_AGE_MS,
    cooldownDuration: JWKS_COOLDOWN_MS,
    timeoutDuration: JWKS_TIMEOUT_MS,
    // jose's own cooldown counts from the last success: without this, every token would fetch while the URL is down.
    // Calls at the same time may each fetch: in Workers a request can't wait for another one's response.
    [jose.customFetch]: async (url, options) => {
      if (Date.now() < quietUntilMs) throw new SyncError("closed", NO_KEYS)
      try {
        const response = await fetch(url, options)
        if (response.status !== 200) throw new TypeError(`HTTP status ${response.status}`)
        const keySet: unknown = await response.json()
        jose.createLocalJWKSet(keySet as jose.JSONWebKeySet) // throws when it is not a key set
        return Response.json(keySet)
      } catch (cause) {
        quietUntilMs = Date.now() + JWKS_COOLDOWN_MS
        throw new SyncError("closed", NO_KEYS, { cause })
      }
    },
  })
  remotes.set(href, set)
  return set
}

// ---- text

/** A setting without the blanks around it; null when it is not set. */
function text(value: string | undefined): string | null {
  return value?.trim() || null
}

/** The items of a comma-separated header or setting. */
function list(value: string | null): string[] {
  return (value ?? "")
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "")
}
