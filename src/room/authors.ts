/**
 * Whose content is whose (R5). The peer that carries an update is often not the one that wrote it: a peer gives back
 * what the room lost, a WebRTC neighbour is faster, an import brings everybody's. So nobody is refused for carrying, and
 * nobody becomes an author by it.
 *
 * A client id belongs to the subject whose socket announces it (in its awareness) and writes under it. It moves to
 * another subject who announces it once the old one has no socket under it, as when a guest logs in. Content that
 * somebody else brings under an owned client id
 *
 *     waits     while the owner is connected under it: the owner brings the same, or it was forged and is dropped
 *     is taken  while the owner is away, as carried: it is left out of the state vector that the owner is sent, so
 *               that the owner's client gives it again. Equal content makes it the owner's; other content is a
 *               conflict, and the owner is told
 *
 * In open mode nobody has a name, and none of this is recorded.
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

/** Knows whom each client id belongs to, and from which clock on others have carried its content. */
export class Authors {
  readonly #log: Log
  readonly #announcedBy: AnnouncedBy
  /** Cache of table `owner`: client id → subject, null: nobody. Empty after a wake. */
  readonly #owners = new Map<number, string | null>()
  /** Owner → client → the clock from which on the content is not known to be the owner's. */
  #carried: Map<string, Map<number, number>>
  #changes: Change[] = []

  /** @param announcedBy who announces a client id now */
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
    // Where nobody has written under the id yet, it belongs to the subject that announces it.
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
    // The owner did not write this, or is about to lose the id: their client is asked for it when it is back.
    if (owner !== null && this.#carried.get(owner)?.has(client) !== true)
      this.#setCarried(client, { owner, clock })
    if (announces) {
      this.#owners.set(client, subject)
      this.#changes.push((log) => log.own(client, subject))
    }
  }

  /** Whether this bearer shows itself under a client id now. */
  isAnnouncedBy(client: number, { peer }: Bearer): boolean {
    return peer !== null && this.#announcedBy(client)?.id === peer
  }

  /** Client ids of this subject whose content from a clock on was brought by others: client → clock. */
  carriedOf(subject: string | null): ReadonlyMap<number, number> | null {
    return subject === null ? null : (this.#carried.get(subject) ?? null)
  }

  /** The owner has brought equal content up to the clock `end`. @param options.known the clock that the room has reached */
  verified(client: number, { owner, end, known }: { owner: string; end: number; known: number }): void {
    this.#setCarried(client, { owner, clock: end >= known ? null : end })
  }

  /** Write the changes; called inside the commit's transaction. */
  write(): void {
    for (const change of this.#changes) change(this.#log)
  }

  /** The commit has held: forget the changes that `write` wrote. */
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
