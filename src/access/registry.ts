/**
 * Who is no longer welcome. Every subject and every token id has a registry of its own: a room whose
 * name is no document's (`registryName`). The Worker asks it at the door; it remembers which documents were opened, so that
 * a revocation also closes what is open.
 *
 * Kept in the object's key-value storage: it is no document, and needs none of a document's tables.
 */
import { SyncError } from "../errors.ts"
import { findRooms, type Revoked, registryName, type Visit } from "../rpc.ts"
import type { Grant } from "./access.ts"

const REVOKED = "revoked"
const VISIT = "visit "

export class Registry {
  readonly #storage: SyncKvStorage

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage.kv
  }

  /** Whether they may come in; notes what they open. */
  admit(visit: Visit | null): boolean {
    if (this.#storage.get(REVOKED) !== undefined) return false
    if (visit === null) return true
    const key = `${VISIT}${visit.party ?? ""} ${visit.id}`
    const before = this.#storage.get<Visit>(key)
    if (before === undefined || before.untilMs < visit.untilMs) this.#storage.put(key, visit)
    return true
  }

  /** Never again. @returns what they may have open */
  revoke(nowMs: number): Visit[] {
    this.#storage.put(REVOKED, nowMs)
    const visits: Visit[] = []
    for (const [key, visit] of this.#storage.list<Visit>({ prefix: VISIT })) {
      this.#storage.delete(key)
      if (visit.untilMs >= nowMs) visits.push(visit)
    }
    return visits
  }
}

/** A document: which rooms (null: the default ones), which of them. */
export interface Place {
  readonly party: string | null
  readonly id: string
}

/**
 * Let a grant in, or not.
 * @param visit the document a socket is opened on; null for what ends by itself
 * @throws SyncError unauthorized
 */
export async function checkRevoked(
  env: object,
  { grant, visit }: { grant: Grant; visit: Place | null },
  options: { binding?: string } = {},
): Promise<void> {
  const registries: Revoked[] = []
  if (grant.subject !== null) registries.push({ subject: grant.subject })
  if (grant.tokenId !== null) registries.push({ tokenId: grant.tokenId })
  // In open mode nobody has a name, and nobody can be revoked.
  if (registries.length === 0) return
  const rooms = findRooms(env, null, options)
  const noted = visit === null ? null : { ...visit, untilMs: grant.expiresAtMs ?? Number.MAX_SAFE_INTEGER }
  const answers = await Promise.all(
    registries.map(async (who) => rooms.getByName(await registryName(who)).admit(noted)),
  )
  if (answers.includes(false)) throw new SyncError("unauthorized", "This token was revoked.")
}

/** Refuse a subject or a token from now on, and close what it has open. */
export async function revoke(env: object, who: Revoked, options: { binding?: string } = {}): Promise<void> {
  const registry = findRooms(env, null, options).getByName(await registryName(who))
  const visits = await registry.revoke()
  await Promise.all(visits.map(({ party, id }) => findRooms(env, party, options).getByName(id).dismiss(who)))
}
