/** Tokens that the server signs itself, for whoever may give out what they have. */
import { SignJWT } from "jose"
import { SyncError } from "../errors.ts"
import { secretFault } from "./keys.ts"
import type { DocsEntry } from "./rights.ts"
import { type AccessSettings, readText } from "./settings.ts"

/**
 * A token for one document, by HS256 with AUTH_SECRET.
 *
 * @param options.lifetimeMs it ends so long from now
 * @throws SyncError "closed" where there is no AUTH_SECRET, or none that can be used
 */
export async function mintToken(
  settings: AccessSettings,
  { subject, entry, lifetimeMs }: { subject: string; entry: DocsEntry; lifetimeMs: number },
): Promise<string> {
  const secret = readText(settings.AUTH_SECRET)
  if (secret === null || secretFault(secret) !== null)
    throw new SyncError(
      "closed",
      "This server signs no tokens, since it has no AUTH_SECRET; your backend does.",
    )
  const token = new SignJWT({ docs: [entry] })
    .setProtectedHeader({ alg: "HS256", typ: "JWT" })
    .setSubject(subject)
    .setAudience(readText(settings.AUTH_AUDIENCE) ?? "yurt")
    .setJti(crypto.randomUUID())
    .setIssuedAt()
    .setExpirationTime(new Date(Date.now() + lifetimeMs))
  const issuer = readText(settings.AUTH_ISSUER)
  if (issuer !== null) token.setIssuer(issuer)
  return token.sign(new TextEncoder().encode(secret))
}
