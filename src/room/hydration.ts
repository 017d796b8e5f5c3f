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
    const doc = buildInGroups(loaded, uncommitted)
    if (doc !== null) return { doc, damaged }
    damaged = true
    setAsideCulprit(log, loaded, uncommitted)
  }
}

type Loaded = ReturnType<Log["load"]>

/** @returns null where a value does not apply. Updates are merged in groups, since a Y.Doc applies few large ones fastest. */
function buildInGroups({ snapshot, updates }: Loaded, uncommitted: readonly Entry[]): Y.Doc | null {
  const doc = createDocument()
  try {
    if (snapshot !== null) Y.applyUpdate(doc, snapshot)
    const all = [...updates, ...uncommitted].map(({ update }) => update)
    for (const update of groupsOf(all)) Y.applyUpdate(doc, update)
    return doc
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
