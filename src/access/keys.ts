/**
 * Keys: which keys a token may be signed with, from the settings and from a key server. Several may be set at once:
 * a key rotates with an overlap, and an outage of the key server closes nobody whose key is known already [R7].
 */
import * as jose from "jose"
import { SyncError } from "../errors.ts"
import { readLimits } from "../limits.ts"
import { type AccessSettings, readText } from "./settings.ts"

/** A key, and the only algorithms it may be used with. Keeping the two together is what rules out algorithm confusion. */
export interface Key {
  readonly algorithms: readonly string[]
  readonly resolve: jose.JWTVerifyGetKey
}

const HMAC = ["HS256"]
const EDDSA = ["EdDSA", "Ed25519"]
/** What identity providers sign with. Never HMAC: a public key must not be taken for a secret. */
const JWKS = [...EDDSA, "ES256", "RS256", "PS256"]

/** The shortest secret for HS256, bytes. No limit to be changed: @source RFC 7518, section 3.2, at least the size of the hash */
const SECRET_BYTES = 32

/** The cause of a SyncError "closed" that is about the key server, not about the token or the configuration. */
class KeyServerOutage extends Error {
  override readonly name = "KeyServerOutage"
}

/**
 * Whether a check of a token failed for a reason that says nothing about the token: the key server or a registry
 * can't be reached. Whoever holds a grant keeps it until it ends, and the check is repeated later [R7].
 */
export function isOutage(thrown: unknown): boolean {
  if (thrown instanceof SyncError)
    return thrown.code === "unavailable" || thrown.cause instanceof KeyServerOutage
  // What the platform throws while a Durable Object moves, restarts or has too much to do.
  return thrown instanceof Error && ("retryable" in thrown || "overloaded" in thrown)
}

/** Whether any key is set. One that can't be used counts: it closes the server instead of opening it to localhost. */
export function hasKey(settings: AccessSettings): boolean {
  return [
    settings.AUTH_SECRET,
    settings.AUTH_SECRET_PREVIOUS,
    settings.AUTH_PUBLIC_KEY,
    settings.AUTH_PUBLIC_KEY_PREVIOUS,
    settings.AUTH_JWKS_URL,
  ].some((key) => readText(key) !== null)
}

/** @throws SyncError "closed" that names the line to add, where no key is set */
export function requireKey(settings: AccessSettings): void {
  if (hasKey(settings)) return
  const hint =
    settings.OPEN_ON_LOCALHOST === "true" ? " OPEN_ON_LOCALHOST lets in requests to localhost alone." : ""
  throw new SyncError(
    "closed",
    "The server has no key, so it is closed. Add one: npx wrangler secret put AUTH_SECRET " +
      `(on your own machine: a line AUTH_SECRET=… in .dev.vars).${hint}`,
  )
}

/**
 * Every key that is set. One that can't be used closes the server: half a configuration is a mistake, not a choice.
 * @throws SyncError "closed" that names the setting
 */
export async function readKeys(settings: AccessSettings): Promise<Key[]> {
  requireKey(settings)
  const keys: Key[] = []
  for (const name of ["AUTH_SECRET", "AUTH_SECRET_PREVIOUS"] as const) {
    const secret = readText(settings[name])
    if (secret === null) continue
    const fault = secretFault(secret)
    if (fault !== null)
      throw new SyncError("closed", `${name} ${fault}: put at least ${SECRET_BYTES} random bytes there.`)
    const bytes = new TextEncoder().encode(secret)
    keys.push({ algorithms: HMAC, resolve: async () => bytes })
  }
  for (const name of ["AUTH_PUBLIC_KEY", "AUTH_PUBLIC_KEY_PREVIOUS"] as const) {
    const publicKey = readText(settings[name])
    if (publicKey === null) continue
    const key = await readPublicKey(name, publicKey)
    keys.push({ algorithms: EDDSA, resolve: async () => key })
  }
  const url = readText(settings.AUTH_JWKS_URL)
  if (url !== null) {
    const remote = remoteKeys(url)
    keys.push({ algorithms: JWKS, resolve: (header, token) => remote.resolve(header, token, settings) })
  }
  return keys
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

/** @throws SyncError "closed" */
async function readPublicKey(name: string, pemOrJwk: string): Promise<CryptoKey> {
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
    throw new SyncError("closed", `${name} is not an Ed25519 public key, as SPKI PEM or as a JWK in JSON.`)
  }
}

/** One set a URL, for as long as the isolate lives. Holds keys and times, no promise or response of a request. */
const remotes = new Map<string, RemoteKeys>()

/** @throws SyncError "closed" */
function remoteKeys(href: string): RemoteKeys {
  const known = remotes.get(href)
  if (known !== undefined) return known
  const { protocol, hostname } = URL.canParse(href) ? new URL(href) : { protocol: "", hostname: "" }
  const isLocal = protocol === "http:" && ["localhost", "127.0.0.1", "[::1]"].includes(hostname)
  if (protocol !== "https:" && !isLocal) throw new SyncError("closed", "AUTH_JWKS_URL is not an https URL.")
  const made = new RemoteKeys(href)
  remotes.set(href, made)
  return made
}

/**
 * A key set that is fetched. jose's own drops its keys as soon as a fetch fails, and asks a server that is down for
 * every token; this one keeps what it has while the server is out, and leaves the server alone between attempts.
 */
class RemoteKeys {
  readonly #href: string
  #set: jose.JWTVerifyGetKey | null = null
  #fetchedAtMs = Number.NEGATIVE_INFINITY
  /** When the last attempt began, and whether it brought a set. */
  #attemptedAtMs = Number.NEGATIVE_INFINITY
  #failed = false

  constructor(href: string) {
    this.#href = href
  }

  /**
   * The key for a token.
   * @throws SyncError "closed" caused by a KeyServerOutage; what jose throws when the set has no such key
   */
  async resolve(
    header: jose.JWTHeaderParameters,
    token: jose.FlattenedJWSInput,
    settings: AccessSettings,
  ): Promise<CryptoKey | Uint8Array> {
    const { jwksMaxAgeMs, jwksStaleMs } = readLimits(settings)
    const ageMs = () => Date.now() - this.#fetchedAtMs
    if (this.#set === null || ageMs() > jwksMaxAgeMs) await this.#refresh(settings)
    if (this.#set === null || ageMs() > jwksStaleMs) throw outage()
    try {
      return (await this.#set(header, token)) as CryptoKey | Uint8Array
    } catch (thrown) {
      if (!(thrown instanceof jose.errors.JWKSNoMatchingKey)) throw thrown
      // The key may be newer than the set.
      if (await this.#refresh(settings)) return (await this.#set(header, token)) as CryptoKey | Uint8Array
      // Nobody can say whether there is such a key while its server does not answer.
      if (this.#failed) throw outage()
      throw thrown
    }
  }

  /**
   * Fetch the set, unless the last attempt was a moment ago. Calls at the same time may each fetch while there is no
   * set at all: in Workers a request can't wait for another one's response.
   * @returns whether a set came
   */
  async #refresh(settings: AccessSettings): Promise<boolean> {
    const { jwksCooldownMs, jwksTimeoutMs } = readLimits(settings)
    const mayAsk = this.#set === null && !this.#failed
    if (!mayAsk && Date.now() - this.#attemptedAtMs <= jwksCooldownMs) return false
    this.#attemptedAtMs = Date.now()
    try {
      const response = await fetch(this.#href, {
        redirect: "manual",
        headers: { accept: "application/jwk-set+json, application/json" },
        signal: AbortSignal.timeout(jwksTimeoutMs),
      })
      if (response.status !== 200) throw new TypeError(`HTTP status ${response.status}`)
      // Throws when it is not a key set.
      this.#set = jose.createLocalJWKSet((await response.json()) as jose.JSONWebKeySet)
      this.#fetchedAtMs = Date.now()
      this.#failed = false
      return true
    } catch (thrown) {
      console.warn(`keys: ${this.#href} gave no key set: ${String(thrown)}`)
      this.#failed = true
      return false
    }
  }
}

function outage(): SyncError {
  return new SyncError("closed", "The keys at AUTH_JWKS_URL can't be fetched now; try again later.", {
    cause: new KeyServerOutage("no key set"),
  })
}
