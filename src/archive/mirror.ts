/**
 * Two archives at once, or more: the primary loads and lists, the others only receive.
 */

import { SyncError } from "../errors.ts"
import type { Archive } from "./archive.ts"

/**
 * A write is done when all have it, and says what the primary says. One that fails does not keep the others
 * from receiving, and the room tries again until none does; who already has the revision ignores it.
 *
 * @param primary answers `load` and `list`
 * @param others get every `store` and `remove`
 * @throws SyncError "archive-unavailable" that names those who failed
 */
export function mirrorArchive(primary: Archive, ...others: Archive[]): Archive {
  const archives = [primary, ...others]

  async function all<T>(write: (archive: Archive) => Promise<T>): Promise<T> {
    const results = await Promise.allSettled(archives.map(write))
    const failures = results.flatMap((result, at) =>
      result.status === "rejected" ? [{ name: archives[at]!.name, reason: result.reason as unknown }] : [],
    )
    const [first] = results
    if (failures.length === 0 && first?.status === "fulfilled") return first.value
    const said = failures.map(
      ({ name, reason }) => `${name}: ${reason instanceof Error ? reason.message : String(reason)}`,
    )
    throw new SyncError("archive-unavailable", said.join("; "), {
      cause: new AggregateError(failures.map(({ reason }) => reason)),
    })
  }

  return {
    name: archives.map(({ name }) => name).join("+"),
    load: (id, signal) => primary.load(id, signal),
    store: (id, document, signal) => all((archive) => archive.store(id, document, signal)),
    remove: (id, revision, signal) => all((archive) => archive.remove(id, revision, signal)),
    list: (page, signal) => primary.list(page, signal),
  }
}
