/**
 * Whose content is whose (R5). Who carries an update is not who originated it: a peer gives back what the room lost, a
 * WebRTC neighbour is faster, an import brings everybody's. So nobody is refused for carrying, and carrying makes
 * nobody an author.
 *
 * A client id belongs to the subject whose socket announces it (in its awareness) and writes under it. It moves to
 * another subject who announces it, once the old one has no socket under it: a guest who logs in. What somebody else
 * brings under an owned client id
 *
 *     waits     while the owner is connected under it: the owner brings the same, or it was forged and is dropped
 *     is taken  while the owner is away, as carried: it is left out of the state vector that the owner is sent, so
 *               that the owner's client gives it again. Equal content makes it the owner's; other content is a
 *               conflict, and the owner is told
 *
 * In open mode nobody has a name, and nothing of this is kept.
 */
import type { Log } from "./log.ts"

/** Who brings an update: a subject, by which peer (its id; null: over REST or from the archive). */
export interface Bearer {
  readonly subject: string | null
  readonly peer: string | null
}

/** What may become of new structs of a client id. */
export type Standing = "own" | "carried" | "waits"

/** Who announces a client id now, or null. */
export type AnnouncedBy = (client: number) => { readonly id: string; readonly subject: string | null } | null

/** A change that the next commit writes. */
type Change = (log: Log) => void

/** The table of whose client ids are whose, and what of them was carried by others. */
export class Authors {
  readonly #log: Log
  readonly #announcedBy: AnnouncedBy
  /** Whom a client id belongs to, as far as it was asked since the wake; null: to nobody. */
  readonly #owners = new Map<number, string | null>()
  /** Owner → client → the clock from which on the content is not known to be the owner's. */
  #carried: Map<string, Map<number, number>>
  #changes: Change[] = []

  /** @param announcedBy who shows themselves under a client id now */
  constructor(log: Log, announcedBy: AnnouncedBy) {
    this.#log = log
    this.#announcedBy = announcedBy
    this.#carried = readCarried(log)
  }

  /** What may become of new structs under `client` that this bearer brings. Changes nothing. */
  judge(client: number, { subject, peer }: Bearer): Standing {
    if (subject === null) return "own"
    const owner = this.#ownerOf(client)
    if (owner === subject) return "own"
    const speaker = this.#announcedBy(client)
    // An id that nobody has written under yet is that of whoever shows themselves under it.
    if (speaker !== null && speaker.subject !== subject && (owner ?? speaker.subject) === speaker.subject)
      return "waits"
    if (owner === null) return "own"
    return speaker !== null && speaker.id === peer ? "own" : "carried"
  }

  /** New structs under `client` were taken from this bearer, from `clock` on. Written with the next commit. */
  took({ client, clock }: { client: number; clock: number }, bearer: Bearer): void {
    const { subject, peer } = bearer
    if (subject === null) return
    const owner = this.#ownerOf(client)
    if (owner === subject) return
    const announces = this.#announcedBy(client)?.id === peer && peer !== null
    // Whoever is the owner no longer, or has not written this: their client is asked for it when it is back.
    if (owner !== null && this.#carried.get(owner)?.has(client) !== true)
      this.#setCarried(client, { owner, clock })
    if (announces) {
      this.#owners.set(client, subject)
      this.#changes.push((log) => log.own(client, subject))
    }
  }

  /** Client ids of this subject whose content from a clock on was brought by others: client → clock. */
  carriedOf(subject: string | null): ReadonlyMap<number, number> | null {
    return subject === null ? null : (this.#carried.get(subject) ?? null)
  }

  /** Up to this clock the owner has brought the same content; `known`: the clock that the room has reached. */
  verified(client: number, { owner, end, known }: { owner: string; end: number; known: number }): void {
    this.#setCarried(client, { owner, clock: end >= known ? null : end })
  }

  /** Writes that belong to the commit; called inside its transaction. */
  write(): void {
    for (const change of this.#changes) change(this.#log)
  }

  /** The commit held: what `write` wrote is stored. */
  wrote(): void {
    this.#changes = []
  }

  /** Read everything from the log again: the document was erased, adopted or its last edit taken back. */
  reread(): void {
    this.#owners.clear()
    this.#changes = []
    this.#carried = readCarried(this.#log)
  }

  #ownerOf(client: number): string | null {
    let owner = this.#owners.get(client)
    if (owner === undefined) {
      owner = this.#log.ownerOf(client)
      this.#owners.set(client, owner)
    }
    return owner
  }

  #setCarried(client: number, { owner, clock }: { owner: string; clock: number | null }): void {
    const clients = this.#carried.get(owner) ?? new Map<number, number>()
    if (clock === null) clients.delete(client)
    else clients.set(client, clock)
    if (clients.size === 0) this.#carried.delete(owner)
    else this.#carried.set(owner, clients)
    this.#changes.push((log) => log.setCarried(client, { owner, clock }))
  }
}

function readCarried(log: Log): Map<string, Map<number, number>> {
  const carried = new Map<string, Map<number, number>>()
  for (const { client, owner, clock } of log.carried()) {
    const clients = carried.get(owner) ?? new Map<number, number>()
    carried.set(owner, clients.set(client, clock))
  }
  return carried
}
