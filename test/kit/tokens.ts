/** Tokens as a company's own backend would sign them, with Node's crypto alone. */
import { createHmac } from "node:crypto"

/** What a token says; see SECURITY.md. */
export type TokenClaims = Readonly<Record<string, unknown>>

/**
 * Sign a token by HMAC.
 *
 * @param claims a claim that is undefined is left out
 * @param options.alg HS256 unless a test wants to be refused
 */
export function signToken(secret: string, claims: TokenClaims, { alg = "HS256" } = {}): string {
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url")
  const content = `${encode({ alg, typ: "JWT" })}.${encode(claims)}`
  const signature = createHmac(`sha${alg.slice(2)}`, secret)
    .update(content)
    .digest("base64url")
  return `${content}.${signature}`
}

/** The claims of somebody with rights to documents, good for an hour. */
export function claimsOf(
  subject: string,
  docs: readonly { id: string; rights: "read" | "write" }[],
): Record<string, unknown> {
  return { sub: subject, aud: "yurt", exp: Math.floor(Date.now() / 1000) + 3600, docs }
}
