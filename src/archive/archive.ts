/**
 * The archive: the external database a document lands in. A room calls it, one call at a time;
 * an adapter stores bytes and knows nothing of Yjs, sockets or alarms.
 *
 * Write one in an afternoon: four methods, and `test/archive-contract.ts` says when it is right.
 */

/** A document as an archive holds it. */
export interface ArchivedDocument {
  /** The whole state as one Yjs V1 update. */
  readonly update: Uint8Array
  /** The room's count of commits that `update` includes. Grows only. */
  readonly revision: number
}

/** What a room hands over: the bytes, and the same document readable, made only if the adapter asks. */
export interface ArchiveWrite extends ArchivedDocument {
  /** When the room made this snapshot, ms since 1970. */
  readonly updatedAtMs: number
  /** The document as JSON: root name → value. */
  json(): Record<string, unknown>
  /** The text of all roots, in name order. */
  text(): string
}

/** A line of the index. */
export interface ArchiveEntry {
  readonly id: string
  readonly revision: number
  /** Size of the archived update, bytes. */
  readonly bytes: number
  /** ISO 8601, UTC. */
  readonly updatedAt: string
}

/** A page of the index, in id order. `cursor` is null on the last page. */
export interface ArchivePage {
  readonly documents: ArchiveEntry[]
  readonly cursor: string | null
}

/** What `load` finds. */
export type ArchiveLookup =
  | { readonly kind: "found"; readonly document: ArchivedDocument }
  /** Never stored. */
  | { readonly kind: "absent" }
  /** Deleted at this revision: a new document of this id must start above it, or a late write could revive the old one. */
  | { readonly kind: "deleted"; readonly revision: number }

/**
 * Contract (each sentence is a test in the contract suite):
 * - `load` returns exactly the bytes and revision last stored.
 * - `store` is atomic, and does nothing when the archive already holds this revision or a newer one (also a
 *   newer deletion). It resolves to "newer" when what the archive holds is newer than this, else to "stored";
 *   the room then merges the newer document and stores the result above it.
 * - `remove` leaves a mark of the revision, so that an older `store` that arrives late stays refused.
 * - `list` returns what exists, ordered by id (code-point order), without what was removed.
 * - Everything is tested up to 25 MB.
 * - When the database can't answer, a method rejects (any error); it never resolves to "absent".
 * - `signal` aborts when the room's time limit is over. Honour it where the client library can; the room
 *   stops waiting in any case.
 */
export interface Archive {
  /** For logs and status: "d1", "postgres", … */
  readonly name: string
  load(id: string, signal: AbortSignal): Promise<ArchiveLookup>
  store(id: string, document: ArchiveWrite, signal: AbortSignal): Promise<"stored" | "newer">
  remove(id: string, revision: number, signal: AbortSignal): Promise<void>
  /** @param page.limit 1–1000 · @param page.cursor as returned by the page before, or null for the first */
  list(page: { cursor: string | null; limit: number }, signal: AbortSignal): Promise<ArchivePage>
}
