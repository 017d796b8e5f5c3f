/**
 * Minting: what a backend says of somebody → a token that the server takes. The command `yurt token` and a backend of
 * one's own mint by this file alone. Web Crypto only, so it runs in Node, Bun, Deno, Workers and edge functions.
 */
import * as jose from "jose"
import { SyncError } from "../errors.ts"
import { LIMITS } from "../limits.ts"
import { secretFault } from "./keys.ts"
import type { Claims } from "./rights.ts"
import { readText } from "./settings.ts"
import { claimsOf, readClaims } from "./token.ts"

/** What somebody may do with documents: one entry of a token. */
export interface DocumentRight {
  /** A document's id, or the beginning of ids with a `*` at the end: `acme/*`. In a party of its own: `/counter/*`. */
  readonly id: string
  readonly rights: "read" | "write"
  /** Whether they may show a cursor. Default: writers may, readers may not. */
  readonly presence?: boolean
  /** Of a writer: the only roots they may change. */
  readonly roots?: readonly string[]
  /** Of a writer: may take back what others did. Default: only their own. */
  readonly rollback?: "any"
  /** What they may see of the past begins here: when they were let in, for one. Default: all of it. */
  readonly historySince?: Date
}

/** What a token is to say. */
export interface TokenRequest {
  /** Who it is, as your backend knows them: 1 to 256 characters. By it they are told apart, recorded and revoked. */
  readonly subject: string
  readonly docs?: readonly DocumentRight[]
  /** May list, delete, flush and revoke on the whole server. */
  readonly admin?: boolean
  /** For every document: what they may see of the past begins here. */
  readonly historySince?: Date
  /** What to call them, at most 100 characters. */
  readonly name?: string
  /** Their colour, at most 100 characters. */
  readonly color?: string
  /** It is for a program that writes with people, under this name, at most 100 characters. */
  readonly agent?: string
  /** The subject for whom that program acts. */
  readonly onBehalfOf?: string
  /** How long it is good, minutes. Default 15: the provider asks for the next one in time. */
  readonly minutes?: number
  /** By which it can be revoked alone. Default: a random UUID. */
  readonly tokenId?: string
}

/** With what a token is signed, and for whom. */
export interface Signing {
  /** The text of the server's AUTH_SECRET; nothing is decoded. */
  readonly secret?: string | undefined
  /** Or the Ed25519 private key whose public half is the server's AUTH_PUBLIC_KEY: PKCS #8 PEM, or a JWK in JSON. */
  readonly privateKey?: string | undefined
  /** The server's AUTH_AUDIENCE. Default "yurt". */
  readonly audience?: string | undefined
  /** The server's AUTH_ISSUER, where it has one. */
  readonly issuer?: string | undefined
}

/** By what a token is proven: the same settings as the server's, by shorter names. */
export interface Verifying {
  /** AUTH_SECRET */
  readonly secret?: string | undefined
  /** AUTH_PUBLIC_KEY */
  readonly publicKey?: string | undefined
  /** AUTH_JWKS_URL */
  readonly jwksUrl?: string | undefined
  /** AUTH_AUDIENCE */
  readonly audience?: string | undefined
  /** AUTH_ISSUER */
  readonly issuer?: string | undefined
}

/**
 * Sign a token for somebody your backend has signed in.
 *
 * @returns the JWT, to be handed to that person's page
 * @throws TypeError that says what of the request or of the key the server would refuse; it repeats nothing of the key
 * @example
 * const token = await mintToken(
 *   { subject: user.id, name: user.name, docs: [{ id: "notes", rights: "write" }] },
 *   { secret: process.env.AUTH_SECRET },
 * )
 */
export async function mintToken(request: TokenRequest, signing: Signing): Promise<string> {
  const {
    minutes = 15,
    tokenId = crypto.randomUUID(),
    subject,
    name,
    color,
    agent,
    onBehalfOf,
    historySince,
    admin,
    docs = [],
  } = request
  const nowS = Math.floor(Date.now() / 1000)
  if (!(minutes > 0 && minutes < 1e8)) throw new TypeError(`minutes is ${minutes}: no time for a token`)
  for (const [what, text] of Object.entries({ name, color, agent })) {
    // The server would leave it out without a word.
    if (text !== undefined && (text.length === 0 || text.length > LIMITS.nameLength))
      throw new TypeError(`${what} has ${text.length} characters; 1 to ${LIMITS.nameLength} are taken`)
  }
  if (docs.length === 0 && admin !== true)
    throw new TypeError("the token would open nothing: name documents, or make it an admin's")
  const payload = {
    sub: subject,
    jti: tokenId,
    iat: nowS,
    exp: nowS + Math.ceil(minutes * 60),
    docs: docs.map(({ id, rights, presence, roots, rollback, historySince }) => ({
      id,
      rights,
      ...(presence !== undefined && { presence }),
      ...(roots !== undefined && { roots }),
      ...(rollback !== undefined && { rollback }),
      ...(historySince !== undefined && { historySince: historySince.getTime() / 1000 }),
    })),
    ...(historySince !== undefined && { historySince: historySince.getTime() / 1000 }),
    ...(admin === true && { admin }),
    ...(name !== undefined && { name }),
    ...(color !== undefined && { color }),
    ...(agent !== undefined && { agent: { name: agent } }),
    ...(onBehalfOf !== undefined && { onBehalfOf }),
  }
  try {
    claimsOf(payload, LIMITS)
  } catch (thrown) {
    throw thrown instanceof SyncError ? new TypeError(thrown.message) : thrown
  }
  const { alg, key } = await readSigningKey(signing)
  const token = new jose.SignJWT(payload)
    .setProtectedHeader({ alg, typ: "JWT" })
    .setAudience(readText(signing.audience) ?? "yurt")
  const issuer = readText(signing.issuer)
  if (issuer !== null) token.setIssuer(issuer)
  const signed = await token.sign(key)
  if (signed.length > LIMITS.tokenLength)
    throw new TypeError(
      `the token has ${signed.length} characters; at most ${LIMITS.tokenLength}: name fewer documents`,
    )
  return signed
}

/**
 * What a token says, once it is proven as the server proves it: for a backend's own routes, for one that asks who may
 * export a document. Whether it was revoked is known to the server alone.
 *
 * @throws SyncError "unauthorized" that says what is wrong with it, "closed" without a usable key
 */
export function verifyToken(
  token: string,
  { secret, publicKey, jwksUrl, audience, issuer }: Verifying,
): Promise<Claims> {
  return readClaims(token, {
    ...(secret !== undefined && { AUTH_SECRET: secret }),
    ...(publicKey !== undefined && { AUTH_PUBLIC_KEY: publicKey }),
    ...(jwksUrl !== undefined && { AUTH_JWKS_URL: jwksUrl }),
    ...(audience !== undefined && { AUTH_AUDIENCE: audience }),
    ...(issuer !== undefined && { AUTH_ISSUER: issuer }),
  })
}

/** @throws TypeError */
async function readSigningKey({
  secret,
  privateKey,
}: Signing): Promise<{ alg: "HS256" | "EdDSA"; key: CryptoKey | Uint8Array }> {
  const text = readText(secret)
  const pemOrJwk = readText(privateKey)
  if ((text === null) === (pemOrJwk === null))
    throw new TypeError("give either secret or privateKey; is AUTH_SECRET set where your backend runs?")
  if (text !== null) {
    const fault = secretFault(text)
    if (fault !== null) throw new TypeError(`the secret ${fault}; the server would refuse it`)
    return { alg: "HS256", key: new TextEncoder().encode(text) }
  }
  try {
    // Environment files keep a PEM on one line, its line ends written out.
    const key = pemOrJwk!.startsWith("{")
      ? await jose.importJWK({ ...JSON.parse(pemOrJwk!), alg: "EdDSA" }, "EdDSA")
      : await jose.importPKCS8(pemOrJwk!.replaceAll("\\n", "\n"), "EdDSA")
    if (key instanceof Uint8Array || key.type !== "private") throw new TypeError("not a private key")
    return { alg: "EdDSA", key }
  } catch {
    // reason: no `cause`. It may quote the key.
    throw new TypeError("privateKey is not an Ed25519 private key, as PKCS #8 PEM or as a JWK in JSON")
  }
}
