/**
 * Hydration: builds a Y.Doc from all that is stored and taken. An update that does not apply is found and set aside, and
 * the rest of the document loads (D6).
 */
import * as Y from "yjs"
import { groupsOf } from "../update/merge.ts"
import { createDocument } from "../update/settle.ts"
import type { Entry, Log } from "./log.ts"

/** A document, and whether anything stored was lost on the way. */
export interface Hydrated {
  readonly doc: Y.Doc
  /** Something stored failed its checksum or did not apply, and is in quarantine now. */
  readonly damaged: boolean
  /** State vector of what is stored, without what was taken and is not in the log yet. */
  readonly storedClocks: Uint8Array
}

/**
 * Build the document.
 * @param uncommitted updates that were taken and are not in the log yet; one that does not apply is removed from it and
 *   set aside
 */
export function hydrate(log: Log, uncommitted: Entry[]): Hydrated {
  let damaged = false
  for (;;) {
    const loaded = log.load()
    damaged ||= loaded.damaged
    const built = buildInGroups(loaded, uncommitted)
    if (built !== null) return { ...built, damaged }
    damaged = true
    setAsideCulprit(log, loaded, uncommitted)
  }
}

type Loaded = ReturnType<Log["load"]>

/** Null where a value does not apply. Fed in groups, which a document swallows fastest. */
function buildInGroups(
  { snapshot, updates }: Loaded,
  uncommitted: readonly Entry[],
): Omit<Hydrated, "damaged"> | null {
  const doc = createDocument()
  const apply = (entries: readonly Entry[]) => {
    for (const update of groupsOf(entries.map(({ update }) => update))) Y.applyUpdate(doc, update)
  }
  try {
    if (snapshot !== null) Y.applyUpdate(doc, snapshot)
    apply(updates)
    const storedClocks = Y.encodeStateVector(doc)
    apply(uncommitted)
    return { doc, storedClocks }
  } catch {
    // A throw does not say which update of the group caused it, and the Y.Doc is unusable: the caller tries one by one.
    doc.destroy()
    return null
  }
}

/** Apply one by one until one throws, and set that one aside. */
function setAsideCulprit(log: Log, { snapshot, updates }: Loaded, uncommitted: Entry[]): void {
  const doc = createDocument()
  const fault = (update: Uint8Array): string | null => {
    try {
      Y.applyUpdate(doc, update)
      return null
    } catch (thrown) {
      return String(thrown)
    }
  }
  const broken = snapshot === null ? null : fault(snapshot)
  if (broken !== null) return log.quarantineSnapshot(broken)
  for (const { revision, update } of updates) {
    const reason = fault(update)
    if (reason !== null) return log.quarantine(revision, reason)
  }
  for (const [i, { update }] of uncommitted.entries()) {
    const reason = fault(update)
    if (reason === null) continue
    log.quarantineUpdate(update, reason)
    uncommitted.splice(i, 1)
    return
  }
  // Each update applies alone, and only their merge does not, so Yjs' merge is at fault. The newest commit is set aside.
  const newest = updates.at(-1)
  if (newest !== undefined) log.quarantine(newest.revision, "applies alone, but not merged with others")
  else throw new Error("the stored document loads in no way")
}
