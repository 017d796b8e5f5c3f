/**
 * The past of a document that is imported: each version becomes the document for a moment, oldest first, and is named there
 * with the time at which it was made. So it can be shown, compared and restored like one that was made here.
 *
 * A version can only be shown where the server holds nothing yet that came after it: what is merged is never taken back. That
 * is so on the first run. Later ones bring the versions that are new.
 */
import * as Y from "yjs"
import { LIMITS } from "../limits.ts"
import type { Remote } from "./remote.ts"
import type { SourceVersion } from "./sources/source.ts"
import { CommandError } from "./terminal.ts"
import { compareDocuments, isEmptyUpdate } from "./verify.ts"

/** Which versions are brought. "hourly": those with a name, and of the others the newest of each hour. */
export type Keeping = "all" | "hourly" | "none"

/** What became of them. */
export interface PastBrought {
  readonly brought: number
  /** The server's document has gone on, so they can be shown no more. */
  readonly late: number
}

/** What says in a version's `meta` where it comes from. */
interface Imported {
  readonly imported?: { readonly from: string; readonly key: string }
}

/**
 * Bring versions into a document, which may be there or not.
 * @param about.kind of the source
 * @throws CommandError as the source and the remote
 */
export async function bringVersions(
  remote: Remote,
  about: { id: string; kind: string; versions: readonly SourceVersion[]; keeping: Keeping },
): Promise<PastBrought> {
  const { id, kind, keeping } = about
  const versions = choose(about.versions, keeping)
  if (versions.length === 0) return { brought: 0, late: 0 }
  let held = (await remote.export(id, "update"))?.body ?? null
  const known = new Set<string>()
  if (held !== null)
    for await (const { meta } of remote.versions(id)) {
      const { imported } = (meta ?? {}) as Imported
      if (imported?.from === kind) known.add(imported.key)
    }
  let brought = 0
  let late = 0
  for (const version of versions) {
    if (known.has(version.key)) continue
    const state = await version.read()
    if (isEmpty(version, state)) continue
    if (held !== null && compareDocuments(held, state) === "differs") {
      late++
      continue
    }
    const news: Uint8Array = held === null ? state : Y.diffUpdate(state, Y.encodeStateVectorFromUpdate(held))
    await remote.merge(id, news)
    await remote.makeVersion(id, noteOf(version, kind))
    held = state
    brought++
  }
  return { brought, late }
}

function isEmpty(version: SourceVersion, state: Uint8Array): boolean {
  try {
    return isEmptyUpdate(state)
  } catch (thrown) {
    throw new CommandError(
      "bad-source",
      `the version ${version.key} is no Yjs V1 update: ${(thrown as Error).message}`,
    )
  }
}

/** Of a source that keeps a state every few seconds there would be thousands. */
function choose(versions: readonly SourceVersion[], keeping: Keeping): readonly SourceVersion[] {
  if (keeping === "none") return []
  if (keeping === "all") return versions
  const hourOf = ({ at }: SourceVersion) => at.slice(0, "2026-11-27T12".length)
  return versions.filter((version, n) => {
    const next = versions.slice(n + 1).find(({ name }) => name === null)
    return version.name !== null || next === undefined || hourOf(next) !== hourOf(version)
  })
}

/** What the server is told of a version, within what it takes. */
function noteOf({ name, at, key, meta }: SourceVersion, kind: string) {
  const imported = { from: kind, key }
  const whole = { imported, ...(meta !== undefined && { meta }) }
  const fits = JSON.stringify(whole).length <= LIMITS.versionMetaLength
  return {
    name: name === null ? null : name.slice(0, LIMITS.versionNameLength),
    // Another machine's clock may be ahead.
    at: new Date(Math.min(Date.parse(at), Date.now() - 1_000)).toISOString(),
    meta: fits ? whole : { imported },
  }
}
