/** The condition under which an archive replaces what it holds, for every adapter that can look before it writes. */

import type { ArchiveMark, ArchiveWrite, Version } from "./archive.ts"

/** What stands under an id, as far as it decides whether something else may take its place. */
export interface Held extends Version {
  /** It is a mark that a deletion left. */
  readonly deleted: boolean
}

/** A document, or the mark of a deletion, on its way into a database that holds bytes alone. */
export interface Write extends Held {
  /** Empty in a mark. */
  readonly update: Uint8Array
  readonly sidecar: Uint8Array | null
  /** ms since 1970. */
  readonly updatedAtMs: number
}

/** What a room hands over to be stored. */
export function documentWrite({ update, sidecar, writer, revision, updatedAtMs }: ArchiveWrite): Write {
  return { update, sidecar, writer, revision, updatedAtMs, deleted: false }
}

/** What a room leaves of a document that it deletes. */
export function markWrite({ sidecar, writer, revision }: ArchiveMark): Write {
  return { update: new Uint8Array(), sidecar, writer, revision, updatedAtMs: Date.now(), deleted: true }
}

/**
 * May this take the place of what is held? The rule of `Archive.store` and `Archive.remove`, in one place.
 * The adapter writes on "replace", in a way that fails when what it holds has changed since the look.
 *
 * @param write what a room hands over: a document, or with `deleted` a mark
 * @param now what the database holds, null for nothing, and what the room has read there
 * @returns "stored" when the very same is held already
 */
export function judgeSwap(
  write: Held,
  now: { held: Held | null; expected: Version | null },
): "replace" | "stored" | "conflict" {
  const { held, expected } = now
  if (held === null) return "replace"
  const sameWriter = write.writer !== null && held.writer === write.writer
  if (sameWriter && held.deleted === write.deleted && held.revision === write.revision) return "stored"
  if (expected !== null && isSameVersion(held, expected)) return "replace"
  if (!sameWriter || held.deleted) return "conflict"
  if (held.revision < write.revision) return "replace"
  return write.deleted && held.revision === write.revision ? "replace" : "conflict"
}

/** Whether two versions name one state. */
export function isSameVersion(left: Version, right: Version): boolean {
  return left.writer === right.writer && left.revision === right.revision
}
