/**
 * Tokens: a JWT → what it claims. The token itself ends here: no error and no log of this file carries it.
 */
import * as jose from "jose"
import { SyncError } from "../errors.ts"
import { type Limits, readLimits } from "../limits.ts"
import { readKeys } from "./keys.ts"
import { type Claims, type DocsEntry, type Grant, grantFor } from "./rights.ts"
import { type AccessSettings, readText } from "./settings.ts"

/**
 * What a bare token is worth for a document: for a socket that renews its token in-band. The caller compares
 * the subject with the one it knows.
 *
 * @param name the document's name: the plain id, or `/{party}/{id}`
 * @throws SyncError "unauthorized" | "forbidden" | "closed". Where `isOutage` is true of it, the key server can't be
 * reached: nothing is said about the token, and a grant that still holds stays
 */
export async function verifyToken(token: string, name: string, settings: AccessSettings): Promise<Grant> {
  return grantFor(await readClaims(token, settings), { id: name, rights: "read" })
}

/**
 * The claims of a token, once its signature, its times, its audience and issuer are proven.
 * @throws SyncError "closed" without a usable key (the message names the setting), "unauthorized"
 */
export async function readClaims(token: string, settings: AccessSettings): Promise<Claims> {
  const keys = await readKeys(settings)
  const limits = readLimits(settings)
  const { tokenLength, clockToleranceMs } = limits
  if (token.length > tokenLength) throw unauthorized(`is longer than ${tokenLength} characters`)
  const alg = readAlgorithm(token)
  const fitting = keys.filter((key) => key.algorithms.includes(alg))
  if (fitting.length === 0) {
    throw unauthorized(`is not signed with ${[...new Set(keys.flatMap((key) => key.algorithms))].join(", ")}`)
  }
  const issuer = readText(settings.AUTH_ISSUER)
  let fault: unknown
  for (const { algorithms, resolve } of fitting) {
    try {
      // Named one by one: by itself jose takes HS512, a token without exp, and any audience.
      const { payload } = await jose.jwtVerify(token, resolve, {
        algorithms: [...algorithms],
        audience: readText(settings.AUTH_AUDIENCE) ?? "yurt",
        ...(issuer === null ? {} : { issuer }),
        requiredClaims: ["exp", "sub"],
        clockTolerance: clockToleranceMs / 1000,
      })
      return claimsOf(payload, limits)
    } catch (thrown) {
      // What says most is kept: that the key server is out says more than that another key did not fit.
      if (!(fault instanceof SyncError)) fault = thrown
      // Another key may have signed it.
      if (!isOtherKey(thrown) && !(thrown instanceof SyncError && thrown.code === "closed")) break
    }
  }
  // reason: no `cause`. jose's errors carry the payload, and what is thrown here is logged.
  throw fault instanceof SyncError ? fault : unauthorized(describe(fault))
}

function readAlgorithm(token: string): string {
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

/**
 * The claims that a payload makes, each checked.
 * @throws SyncError "unauthorized" that names the claim which is not what it should be
 */
export function claimsOf(payload: jose.JWTPayload, { subjectLength, nameLength }: Limits): Claims {
  const { sub, jti, exp, admin = false, docs = [], name, color, historySince, agent, onBehalfOf } = payload
  if (!isShort(sub, subjectLength))
    throw unauthorized(`has a "sub" that is not a string of 1 to ${subjectLength} characters`)
  if (jti !== undefined && !isShort(jti, subjectLength))
    throw unauthorized(`has a "jti" that is not a string of 1 to ${subjectLength} characters`)
  // JSON can write 1e999: Infinity, which would turn into null, "never", on its way to the room.
  if (exp === undefined || !Number.isSafeInteger(Math.floor(exp * 1000)))
    throw unauthorized('has an "exp" out of range')
  const expiresAtMs = Math.floor(exp * 1000)
  // The tolerance is for tokens that are too young: the door and the room agree on when one is over.
  if (expiresAtMs <= Date.now()) throw unauthorized("has expired")
  if (typeof admin !== "boolean") throw unauthorized('has an "admin" that is not true or false')
  if (!Array.isArray(docs)) throw unauthorized('has a "docs" that is not a list')
  const agentName = agent === undefined ? undefined : (Object(agent) as { name?: unknown }).name
  if (agent !== undefined && !isShort(agentName, nameLength))
    throw unauthorized(`has an "agent" without a name of 1 to ${nameLength} characters`)
  if (onBehalfOf !== undefined && !isShort(onBehalfOf, subjectLength))
    throw unauthorized(`has an "onBehalfOf" that is not a string of 1 to ${subjectLength} characters`)
  return {
    subject: sub,
    tokenId: jti ?? null,
    expiresAtMs,
    admin,
    docs: docs.map(readDocsEntry),
    ...(isShort(name, nameLength) ? { name } : {}),
    ...(isShort(color, nameLength) ? { color } : {}),
    ...readSince(historySince, "historySince"),
    ...(isShort(agentName, nameLength) ? { agent: agentName } : {}),
    ...(isShort(onBehalfOf, subjectLength) ? { onBehalfOf } : {}),
  }
}

/** @throws SyncError "unauthorized": a bound that cannot be read must not be left out */
function readSince(value: unknown, where: string): { historySinceMs?: number } {
  if (value === undefined) return {}
  if (typeof value !== "number" || !Number.isSafeInteger(Math.floor(value * 1000)) || value < 0)
    throw unauthorized(`has a ${where} that is not a time in seconds since 1970`)
  return { historySinceMs: Math.floor(value * 1000) }
}

function readDocsEntry(entry: unknown, index: number): DocsEntry {
  const { id, rights, presence, roots, rollback, historySince } = Object(entry) as Record<string, unknown>
  if (typeof id !== "string") throw unauthorized(`has a docs[${index}].id that is not a string`)
  if (rights !== "read" && rights !== "write")
    throw unauthorized(`has a docs[${index}].rights that is not "read" or "write"`)
  if (presence !== undefined && typeof presence !== "boolean") {
    throw unauthorized(`has a docs[${index}].presence that is not true or false`)
  }
  if (roots !== undefined) {
    if (!Array.isArray(roots) || !roots.every((root) => typeof root === "string"))
      throw unauthorized(`has a docs[${index}].roots that is not a list of strings`)
    // It would look like a right to read these roots alone, which there is not.
    if (rights === "read") throw unauthorized(`has docs[${index}].roots without the right to write`)
  }
  if (rollback !== undefined && rollback !== "any" && rollback !== "own")
    throw unauthorized(`has a docs[${index}].rollback that is not "own" or "any"`)
  if (rollback === "any" && rights === "read")
    throw unauthorized(`has docs[${index}].rollback without the right to write`)
  return {
    // Names of documents are NFC, so that one name typed on two machines is one document.
    id: id.normalize("NFC"),
    rights,
    presence: presence ?? rights === "write",
    ...(roots === undefined ? {} : { roots }),
    ...(rollback === "any" ? { rollback } : {}),
    ...readSince(historySince, `docs[${index}].historySince`),
  }
}

function isShort(value: unknown, length: number): value is string {
  return typeof value === "string" && value.length > 0 && value.length <= length
}

function unauthorized(fault: string): SyncError {
  return new SyncError("unauthorized", `The token ${fault}.`)
}
