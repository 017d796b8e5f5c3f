/**
 * The archive: the external database a document lands in. A room calls it, one call at a time;
 * an adapter stores bytes and knows nothing of Yjs, sockets or alarms.
 *
 * Write one in an afternoon: four methods, and `contract.ts` says when it is right. `README.md` is the guide.
 */

/**
 * Which state of which lineage: a revision counts only beside the writer that counted it.
 * Two rooms may hold one document (two deployments, a lost storage), and their counts say nothing of each other.
 */
export interface Version {
  /** The storage of the room that wrote this. null: written by hand, by an importer, or before writers were kept. */
  readonly writer: string | null
  /**
   * The writer's count of commits: it only grows. Of a writer that is null it is no count, only a tag by which a
   * change is noticed.
   */
  readonly revision: number
}

/** A document as an archive holds it. */
export interface ArchivedDocument extends Version {
  /** The whole state as one Yjs V1 update. */
  readonly update: Uint8Array
  /** What the room needs beside the update; opaque to the archive, and given back byte for byte. */
  readonly sidecar: Uint8Array | null
}

/** What a room hands over: the bytes, and the same document readable, made only if the adapter asks. */
export interface ArchiveWrite extends ArchivedDocument {
  /** When the room made this snapshot, ms since 1970. */
  readonly updatedAtMs: number
  /** The document as JSON: root name → value. null: too large to show. */
  json(): Record<string, unknown> | null
  /** The text of all roots, in name order. null: too large to show. */
  text(): string | null
}

/** What is left of a document that was deleted. */
export interface ArchiveMark extends Version {
  /** As in a document: by it the room knows a deleted letter again. */
  readonly sidecar: Uint8Array | null
}

/** A line of the index. */
export interface ArchiveEntry {
  readonly id: string
  /** The revision of its version; 0 for a document written by hand. */
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

/** Ids from one on, and before another (null: to the end), in code-point order. */
export interface IndexRange {
  readonly from: string
  readonly before: string | null
}

/** Which page of the index is asked for. */
export interface IndexPage {
  /** As returned by the page before, or null for the first. */
  readonly cursor: string | null
  /** 1–1000 */
  readonly limit: number
  /** Only the ids of this range, so that a search among a million documents does not read them all. Absent: every id. */
  readonly within?: IndexRange | undefined
}

/** What `load` finds. */
export type ArchiveLookup =
  | { readonly kind: "found"; readonly document: ArchivedDocument }
  /** Never stored. */
  | { readonly kind: "absent" }
  /** Deleted: the mark's version, and the sidecar it was left with. */
  | { readonly kind: "deleted"; readonly version: Version; readonly sidecar: Uint8Array | null }

/**
 * Where parts of documents' pasts are kept, which a room moves out when they outgrow it. Under a name stand bytes, at most a
 * megabyte; what they are only the room knows. Each method rejects when the database can't answer.
 */
export interface ArchiveSegments {
  /** Keep bytes under a name, in place of what may be there. */
  put(id: string, name: string, bytes: Uint8Array, signal: AbortSignal): Promise<void>
  /** Exactly the bytes last put; null: there are none. */
  get(id: string, name: string, signal: AbortSignal): Promise<Uint8Array | null>
  /** All names that begin so, "" for all of the document's; of this document alone. */
  list(id: string, begin: string, signal: AbortSignal): Promise<string[]>
  /** Remove what stands under the names that begin so; it is no error where there are none. */
  remove(id: string, begin: string, signal: AbortSignal): Promise<void>
}

/**
 * Contract (each sentence is a test in the contract suite):
 * - `load` returns exactly the bytes, the sidecar and the version last stored.
 * - `store` is atomic: it replaces what is held, whole, or nothing changes. It replaces only if nothing is held; or
 *   a document of the same writer with a lower revision; or exactly `expected`, document or mark. A document of
 *   exactly this writer and revision is left, and the answer is "stored". Anything else is "conflict": the room
 *   loads, merges and stores again. A writer that is null is never the same writer.
 * - `remove` leaves a mark in place of the document under the same condition, where a document of the same writer
 *   and an equal revision gives way too, and a mark of the same writer and an equal revision is "stored".
 *   A mark is replaced only when it is `expected`, so that a store that arrives late revives nothing.
 *   The revision of a mark is to be above those its writer stored: `expected` could not tell the two apart.
 * - Of calls that race for one id, each sees the other's outcome: two that expect the same, and one wins.
 * - `list` returns what exists, ordered by id (code-point order), without what was removed, and within the range alone.
 * - An id is any text of 1 to 512 bytes of UTF-8; it may begin with a slash, and holds no control characters.
 * - Everything is tested up to 50 MB.
 * - When the database can't answer, a method rejects; it never resolves to "absent". The message is shown to
 *   clients and names the archive only; what the driver said is the `cause`.
 * - `signal` aborts when the room's time limit is over: the method then rejects with the signal's reason. What was
 *   already sent may still arrive, which is harmless: it is compared like any other.
 */
export interface Archive {
  /** For logs and status: "d1", "postgres", … */
  readonly name: string
  /**
   * What it can give back. "update", the default: the bytes; a room may start from them. "readable": only what people
   * read; `load` rejects, and a room neither asks it nor ever drops its own copy for it.
   */
  readonly keeps?: "update" | "readable"
  /** Takes parts of documents' pasts. Absent: they stay with their rooms. No part is in `list`. */
  readonly segments?: ArchiveSegments
  /** @throws SyncError "archive-unavailable" */
  load(id: string, signal: AbortSignal): Promise<ArchiveLookup>
  /** @throws SyncError "archive-unavailable" */
  store(
    id: string,
    document: ArchiveWrite,
    expected: Version | null,
    signal: AbortSignal,
  ): Promise<"stored" | "conflict">
  /** @throws SyncError "archive-unavailable" */
  remove(
    id: string,
    mark: ArchiveMark,
    expected: Version | null,
    signal: AbortSignal,
  ): Promise<"stored" | "conflict">
  /** @throws SyncError "archive-unavailable" */
  list(page: IndexPage, signal: AbortSignal): Promise<ArchivePage>
}
