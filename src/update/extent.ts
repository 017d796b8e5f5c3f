/** What an update adds and deletes, as ranges of clocks: what a history has to know of each, without a document. */
import { Reader } from "./reader.ts"
import { DELETED, FORMAT, GC, NOTHING_KNOWN, SKIP } from "./struct.ts"

/** The clocks [clock, end) of a client. */
export interface Range {
  readonly client: number
  readonly clock: number
  readonly end: number
}

/** What an update adds and deletes. */
export interface Extent {
  readonly sections: readonly Range[]
  readonly deletes: readonly Range[]
  /** Of what it adds: letters and values, without formatting and what is dead already. */
  readonly shown: number
}

/** The extent of a vetted update. */
export function extentOf(update: Uint8Array): Extent {
  const reader = new Reader(update, NOTHING_KNOWN, { isVetted: true })
  const sections: Range[] = []
  let shown = 0
  for (let count = reader.number(); count > 0; count--) {
    const structs = reader.number()
    const client = reader.number()
    let from = reader.number()
    let clock = from
    for (let i = 0; i < structs; i++) {
      reader.readStruct(client, clock)
      const { kind, length } = reader
      if (kind === SKIP) {
        if (clock > from) sections.push({ client, clock: from, end: clock })
        from = clock + length
      } else if (kind !== FORMAT && kind !== DELETED && kind !== GC) shown += length
      clock += length
    }
    if (clock > from) sections.push({ client, clock: from, end: clock })
  }
  const deletes: Range[] = []
  for (let count = reader.number(); count > 0; count--) {
    const client = reader.number()
    for (let ranges = reader.number(); ranges > 0; ranges--) {
      const clock = reader.number()
      deletes.push({ client, clock, end: clock + reader.number() })
    }
  }
  return { sections, deletes, shown }
}
