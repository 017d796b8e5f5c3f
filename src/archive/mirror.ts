/**
 * Two archives at once, or more: the primary decides, loads and lists; the others only receive.
 *
 * A write goes to the primary first. Is it a conflict there, the others never hear of it; else they get the same
 * write. What another holds may be older than what the primary held, since it may have been away, or be new here. So
 * where it says "conflict", its copy is replaced all the same, if
 * - the primary still holds this very write (else a later one has come, and brings the other along), and
 * - what the other holds has been the primary's before, as far as versions can tell: it has a writer, and its revision
 *   is below the one that is written, or belongs to the writer that was expected and is not above it. Rooms count on
 *   from what they have merged, so a lower revision under another name is an earlier state.
 * Anything else is kept and told: the primary may have been restored from an older copy, and the other is the newer one.
 *
 * A write is done when all have it. Where one of the others fails, the call rejects and the room comes again; for
 * everybody else the document is by then what the primary holds, which for a deletion means that it is gone.
 */

import { SyncError } from "../errors.ts"
import type { Archive, Version } from "./archive.ts"
import { type Held, isSameVersion } from "./swap.ts"

type Outcome = "stored" | "conflict"

/**
 * Keep documents in several archives; parts of their pasts in the first that takes them.
 *
 * @param primary answers `load` and `list`, and says whether a write may replace what it holds
 * @param others get every `store` and `remove` that the primary took
 * @example archive = mirrorArchive(postgresArchive(env.POSTGRES), r2Archive(env.BUCKET))
 * @throws SyncError "archive-unavailable" that names those who failed
 */
export function mirrorArchive(primary: Archive, ...others: Archive[]): Archive {
  /** Write to the primary, and then to all others. */
  async function all(
    { id, held, expected }: { id: string; held: Held; expected: Version | null },
    write: (archive: Archive, expected: Version | null) => Promise<Outcome>,
    signal: AbortSignal,
  ): Promise<Outcome> {
    if ((await write(primary, expected)) === "conflict") return "conflict"
    const results = await Promise.allSettled(
      others.map(async (other) => {
        if ((await write(other, expected)) === "stored") return
        const ours = heldIn(await primary.load(id, signal))
        if (ours === null || !isSame(ours, held)) return
        if (other.keeps === "readable") throw kept("it refuses this, and cannot be read")
        const theirs = heldIn(await other.load(id, signal))
        const isEarlier = theirs !== null && wasBefore(theirs, { held, expected })
        if (isEarlier && (await write(other, theirs)) === "stored") return
        throw kept("it holds what the first archive does not have")
      }),
    )
    const failures = results.flatMap((result, at) =>
      result.status === "rejected" ? [{ name: others[at]!.name, reason: result.reason as unknown }] : [],
    )
    if (failures.length === 0) return "stored"
    signal.throwIfAborted()
    const said = failures.map(
      ({ name, reason }) => `${name}: ${reason instanceof SyncError ? reason.message : "failed"}`,
    )
    throw new SyncError("archive-unavailable", `${primary.name} has it; ${said.join("; ")}`, {
      cause: new AggregateError(failures.map(({ reason }) => reason)),
    })
  }

  const segments = [primary, ...others].find((archive) => archive.segments !== undefined)?.segments
  return {
    ...(segments && { segments }),
    name: [primary, ...others].map(({ name }) => name).join("+"),
    ...(primary.keeps && { keeps: primary.keeps }),
    load: (id, signal) => primary.load(id, signal),
    store: (id, document, expected, signal) => {
      const held = { writer: document.writer, revision: document.revision, deleted: false }
      return all(
        { id, held, expected },
        (archive, expected) => archive.store(id, document, expected, signal),
        signal,
      )
    },
    remove: (id, mark, expected, signal) => {
      const held = { writer: mark.writer, revision: mark.revision, deleted: true }
      return all(
        { id, held, expected },
        (archive, expected) => archive.remove(id, mark, expected, signal),
        signal,
      )
    },
    list: (page, signal) => primary.list(page, signal),
  }
}

/** What an archive that was asked holds, null for nothing. */
function heldIn(lookup: Awaited<ReturnType<Archive["load"]>>): Held | null {
  switch (lookup.kind) {
    case "absent":
      return null
    case "found":
      return { writer: lookup.document.writer, revision: lookup.document.revision, deleted: false }
    case "deleted":
      return { ...lookup.version, deleted: true }
  }
}

function kept(why: string): SyncError {
  return new SyncError("archive-unavailable", why)
}

function isSame(left: Held, right: Held): boolean {
  return isSameVersion(left, right) && left.deleted === right.deleted
}

/** Whether what another holds was the primary's before this write, as far as versions can tell. */
function wasBefore(theirs: Held, { held, expected }: { held: Held; expected: Version | null }): boolean {
  if (theirs.writer === null) return false
  if (theirs.revision < held.revision) return true
  return expected !== null && theirs.writer === expected.writer && theirs.revision <= expected.revision
}
