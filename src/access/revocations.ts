/**
 * Revocations, as the door and the rooms see them: every subject and every token id has a `Registry` object of its
 * own, which is asked whenever one of them comes in. Where the Worker has no binding `Registry`, nobody is asked and
 * nobody can be revoked.
 */
import { SyncError } from "../errors.ts"
import { type NamedObjects, placed } from "../placement.ts"
import type { Revoked } from "../rpc.ts"
import type { Grant } from "./rights.ts"

/** A room that somebody opens a socket to: its Durable Object binding, and the document's name. */
export interface Visit {
  readonly binding: string
  readonly name: string
}

/** What became of a revocation: how many rooms have closed the sockets, and how many have not answered yet. */
export interface Dismissal {
  readonly closed: number
  /** These are asked again by the registry itself until they answer. */
  readonly failed: number
}

/** A registry's answer at the door: "full" where it can't keep count of one more room. */
export type Admission = "admitted" | "revoked" | "full"

/** One line of the list of revocations. */
export type Revocation = Revoked & { readonly revokedAtMs: number }

/** A registry as the door and the rooms see it. */
export interface RegistryRpc {
  /**
   * Whether they may come in.
   * @param visit the room they open a socket to, and until when the grant holds, ms since 1970; null for what ends by itself
   */
  admit(visit: (Visit & { readonly untilMs: number }) | null): Promise<Admission>
  /** Refuse them from now on, and close what they have open. May be repeated: then every room is asked again. */
  revoke(who: Revoked): Promise<Dismissal>
  /** Take it back. @returns false where nothing was revoked */
  restore(): Promise<boolean>
  /** Of the index: keep a line of the list, or drop it. */
  enlist(key: string, revocation: Revocation | null): Promise<void>
  /** Of the index: one page of the list. */
  list(page: {
    cursor: string | null
    limit: number
  }): Promise<{ revocations: Revocation[]; cursor: string | null }>
}

/** The part of the environment that this file reads. */
export interface RegistryEnv {
  /** `[[durable_objects.bindings]]` of the class `Registry`. */
  readonly Registry?: NamedObjects<RegistryRpc>
}

/** What of a grant, or of a token's claims, a revocation could name. */
type Identity = Pick<Grant, "subject" | "tokenId" | "expiresAtMs">

/** The registry that keeps the list of all revocations. No digest is this short. */
export const REGISTRY_INDEX = "-"

/**
 * Refuse a grant that was revoked. Asks a registry for the subject and one for the token id, both at once; none in open
 * mode and none without the binding.
 *
 * @param env the Worker's or the room's environment
 * @param visit the room a socket is opened to, or whose socket has brought a fresh token; null for what ends by itself
 * @throws SyncError "unauthorized" where it was revoked, "rate-limited" where more rooms were visited than a registry
 * keeps count of
 */
export async function checkRevoked(
  env: object,
  { grant, visit }: { grant: Identity; visit: Visit | null },
): Promise<void> {
  const registries = findRegistries(env)
  if (registries === null) return
  const noted = visit === null ? null : { ...visit, untilMs: grant.expiresAtMs ?? Number.MAX_SAFE_INTEGER }
  const answers = await Promise.all(
    identities(grant).map(async (who) => registries.getByName(await registryName(who)).admit(noted)),
  )
  if (answers.includes("revoked")) throw new SyncError("unauthorized", "This token was revoked.")
  if (answers.includes("full"))
    throw new SyncError(
      "rate-limited",
      "Too many documents are open under this subject or token; try again later.",
    )
}

/**
 * Refuse a subject or a token from now on, and close what it has open [R6].
 * @throws SyncError "closed" without the binding; the message has the lines to add
 */
export async function revoke(env: object, who: Revoked): Promise<Dismissal> {
  return requireRegistry(env)
    .getByName(await registryName(who))
    .revoke(who)
}

/**
 * Take a revocation back.
 * @returns false where there was none
 * @throws SyncError "closed" without the binding
 */
export async function restore(env: object, who: Revoked): Promise<boolean> {
  return requireRegistry(env)
    .getByName(await registryName(who))
    .restore()
}

/**
 * One page of the revocations in force, in no order that means anything.
 * @throws SyncError "closed" without the binding
 */
export async function listRevocations(
  env: object,
  page: { cursor: string | null; limit: number },
): Promise<{ revocations: Revocation[]; cursor: string | null }> {
  return requireRegistry(env).getByName(REGISTRY_INDEX).list(page)
}

/** The name of the registry of a subject or a token: a digest, because a name as long as theirs could get lost. */
export async function registryName(who: Revoked): Promise<string> {
  const text = "subject" in who ? `subject ${who.subject}` : `token ${who.tokenId}`
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text))
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("")
}

/** Whom a revocation could name and mean this grant. */
function identities({ subject, tokenId }: Identity): Revoked[] {
  return [...(subject === null ? [] : [{ subject }]), ...(tokenId === null ? [] : [{ tokenId }])]
}

/** The registries, where the environment wants them; null where it has none. */
export function findRegistries(env: object): NamedObjects<RegistryRpc> | null {
  const { Registry }: RegistryEnv = env
  return Registry === undefined ? null : placed(Registry, env)
}

function requireRegistry(env: object): NamedObjects<RegistryRpc> {
  const registries = findRegistries(env)
  if (registries !== null) return registries
  throw new SyncError(
    "closed",
    "Nothing can be revoked here: the Worker has no registry. Export its class, export { Registry } from " +
      '"yurt/server", and add to wrangler.toml: [[durable_objects.bindings]] name = "Registry" class_name = "Registry", ' +
      'then [[migrations]] tag = "registry" new_sqlite_classes = ["Registry"].',
  )
}
