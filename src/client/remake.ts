/**
 * The way out of a conflict (conflict.ts). A Y.Doc cannot give up a struct, so it is a fresh document: the room's
 * state, and in it all that only we have, made again under a client id that nobody has used.
 * Loaded when it is needed.
 */
import * as Y from "yjs"
import type { Clocks } from "./ledger.ts"
import { type Deletions, writeStructs } from "./structs.ts"

/** What becomes of a document in conflict. */
export interface Remade {
  /** The room's state with what is ours made again. */
  readonly doc: Y.Doc
  /** What the room lacks of it. */
  readonly update: Uint8Array
  /** The client ids given up → those that replace them. */
  readonly renamed: Map<number, number>
}

/**
 * Makes the document again, as of the room's state.
 * @param whole the room's whole state
 * @param options.conflicts of the two, see `findConflicts`
 * @param options.own the clients whose structs are ours to make again; of the others in conflict the room's version stays
 */
export function remake(
  doc: Y.Doc,
  whole: Uint8Array,
  { conflicts, own }: { conflicts: Clocks; own: Clocks },
): Remade {
  const { guid, collectionid, gc, gcFilter, meta, autoLoad, shouldLoad } = doc
  const fresh = new Y.Doc({ guid, collectionid, gc, gcFilter, meta, autoLoad, shouldLoad })
  Y.applyUpdate(fresh, whole)
  const have = Y.decodeStateVector(Y.encodeStateVector(fresh))
  const renamed = new Map<number, number>()
  for (const [client, clock] of conflicts) {
    const isOwn = own.has(client)
    have.set(client, isOwn ? clock : Y.getState(doc.store, client))
    // Not the fresh document's own id: Yjs gives a document another one when an update brings structs under it.
    if (isOwn) renamed.set(client, new Y.Doc().clientID)
  }
  const { structs, ds } = Y.decodeUpdate(Y.encodeStateAsUpdate(doc, Y.encodeStateVector(have)))
  const rename = <Id extends Y.ID | null>(id: Id): Id => {
    const first = id === null ? undefined : conflicts.get(id.client)
    const client = id === null ? undefined : renamed.get(id.client)
    if (id === null || first === undefined || client === undefined || id.clock < first) return id
    return Y.createID(client, id.clock - first) as Id
  }
  for (const struct of structs) {
    struct.id = rename(struct.id)
    if (!(struct instanceof Y.Item)) continue
    struct.origin = rename(struct.origin)
    struct.rightOrigin = rename(struct.rightOrigin)
    if (struct.parent instanceof Y.ID) struct.parent = rename(struct.parent)
  }
  const update = writeStructs(structs, renameDeletions(ds.clients, conflicts, renamed))
  Y.applyUpdate(fresh, update)
  return { doc: fresh, update, renamed }
}

function renameDeletions(ranges: Deletions, conflicts: Clocks, renamed: Map<number, number>): Deletions {
  const result: Deletions = new Map()
  const add = (client: number, clock: number, end: number) => {
    if (end <= clock) return
    const known = result.get(client) ?? []
    known.push({ clock, len: end - clock })
    result.set(client, known)
  }
  for (const [client, deleted] of ranges) {
    const first = conflicts.get(client) ?? Number.POSITIVE_INFINITY
    const fresh = renamed.get(client)
    for (const { clock, len } of deleted) {
      add(client, clock, Math.min(clock + len, first))
      // What was deleted of a version that is given up is not deleted of the room's.
      if (fresh !== undefined) add(fresh, Math.max(clock, first) - first, clock + len - first)
    }
  }
  return result
}
