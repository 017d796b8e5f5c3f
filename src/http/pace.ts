/** How often somebody may ask, by the platform's own counters. Each is optional: without its binding nothing is counted. */
import type { Grant } from "../access/rights.ts"
import { SyncError } from "../errors.ts"

/** The platform's rate limit. @source Cloudflare Workers, rate limiting binding: counts per location, eventually */
export interface RateLimitBinding {
  limit(options: { key: string }): Promise<{ success: boolean }>
}

/** The part of the environment that this file reads. */
export interface PaceEnv {
  /** How often one subject may open a socket to one document. */
  readonly UPGRADES?: RateLimitBinding
  /** How often one subject may send a request from one address. */
  readonly REQUESTS?: RateLimitBinding
}

/**
 * Count one upgrade. By document as well as by subject: a public page has one token for all its visitors, and a rush to
 * one document must not lock them out of the others.
 *
 * @throws SyncError "rate-limited", which a client tries again
 */
export function limitUpgrades(env: PaceEnv, { subject }: Grant, name: string): Promise<void> {
  return count(env.UPGRADES, subject === null ? null : `${subject} ${name}`, "connections were opened")
}

/** Count one upgrade of somebody who has shown no token, by address. @throws SyncError "rate-limited" */
export function limitKnocks(env: PaceEnv, request: Request): Promise<void> {
  const address = request.headers.get("cf-connecting-ip")
  return count(env.UPGRADES, address === null ? null : `knock ${address}`, "connections were opened")
}

/**
 * Count one request [B3]. By address as well as by subject, for the same reason.
 * @throws SyncError "rate-limited"
 */
export function limitRequests(
  env: PaceEnv,
  { subject }: Pick<Grant, "subject">,
  request: Request,
): Promise<void> {
  const address = request.headers.get("cf-connecting-ip") ?? ""
  return count(env.REQUESTS, subject === null ? null : `${subject} ${address}`, "requests were made")
}

async function count(binding: RateLimitBinding | undefined, key: string | null, what: string): Promise<void> {
  if (binding === undefined || key === null) return
  const { success } = await binding.limit({ key })
  if (!success)
    throw new SyncError("rate-limited", `Too many ${what} in a short time; try again in a moment.`)
}
