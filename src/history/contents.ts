/**
 * The contents of a past that stands in the archive: what its parts do not say of themselves. By them a room that has lost its
 * storage finds the names of versions again, and the parts of those that were lost before it.
 *
 *     {writer}/contents    `Contents` as JSON
 *
 * A note of the room's says whether they stand there as they are: whatever changes a version has to say so.
 */
import type { Tables } from "./segments.ts"
import type { Version } from "./versions.ts"

/** What stands beside the parts of a past. */
export interface Contents {
  /** Newest first. */
  readonly versions: readonly Version[]
  /** Whose parts are a part of this past, but for the writer's own, and up to which revision. */
  readonly writers: readonly (readonly [writer: string, upTo: number])[]
}

/** The note that says how it is with them; none: they were never stored. */
const NOTE = "past_contents"
const STALE = 0
const STORED = 1
/** On their way: what changes meanwhile makes them stale, and so does a kill. */
const SENT = 2

/** So many versions are told, the newest: with notes and writers these may be tens of megabytes. */
export const TOLD_VERSIONS = 500

const NOTHING: Contents = { versions: [], writers: [] }

/** What they are called in the archive. */
export function contentsOf(writer: string): string {
  return `${writer}/contents`
}

/** Whether they are to be stored. @param isNeeded there is something whose contents they are */
export function areContentsDue(tables: Tables, isNeeded: boolean): boolean {
  const state = tables.noted<number>(NOTE)
  return state === null ? isNeeded : state !== STORED
}

/** Something that they say has changed. */
export function touchContents(tables: Tables): void {
  if (tables.noted(NOTE) !== null) tables.note(NOTE, STALE)
}

/** What the archive has of them, or is about to have. */
export function keptContents(tables: Tables): string[] {
  return tables.noted(NOTE) === null ? [] : [contentsOf(tables.noted<string>("writer") ?? "")]
}

/** They are dropped here. @returns what of them is to be removed from the archive */
export function leaveContents(tables: Tables): string[] {
  const kept = keptContents(tables)
  if (kept.length > 0) tables.note(NOTE, null)
  return kept
}

/** Store them. @param put keeps bytes under a name */
export async function storeContents(
  tables: Tables,
  contents: Contents,
  put: (bytes: Uint8Array) => Promise<void>,
): Promise<void> {
  tables.note(NOTE, SENT)
  await put(new TextEncoder().encode(JSON.stringify(contents)))
  if (tables.noted(NOTE) === SENT) tables.note(NOTE, STORED)
}

/** Read them. Where they cannot be read there are none: the document, and the parts, are what matters. */
export function readContents(bytes: Uint8Array | null): Contents {
  try {
    return JSON.parse(new TextDecoder().decode(bytes ?? undefined)) as Contents
  } catch {
    return NOTHING
  }
}
