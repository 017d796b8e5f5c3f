/** Which shared types an update changes, as far as its bytes say: for rights that end at the roots of a document. */
import { Reader } from "./reader.ts"
import { type Id, NONE, NOTHING_KNOWN, SKIP } from "./struct.ts"

/** What an update touches. */
export interface Touches {
  /** Roots that it names. */
  readonly roots: readonly string[]
  /** Known structs that it names as parents or neighbours: in the root of each it adds something. */
  readonly ids: readonly Id[]
  /** Known structs that it deletes: the clocks [clock, end). Some may have been deleted before. */
  readonly deletes: readonly { readonly client: number; readonly clock: number; readonly end: number }[]
}

/**
 * What a vetted update touches. Ids of structs that are in the update itself are left out, for what they touch is there.
 * @param update the `news` of a verdict
 */
export function touchesOf(update: Uint8Array): Touches {
  const reader = new Reader(update, NOTHING_KNOWN, { isVetted: true })
  const roots = new Set<string>()
  const named = new Map<number, Set<number>>()
  const sections = new Map<number, { clock: number; end: number }>()
  const isNew = (client: number, clock: number) => {
    const section = sections.get(client)
    return section !== undefined && clock >= section.clock && clock < section.end
  }
  const name = (client: number, clock: number) => {
    if (client === NONE || isNew(client, clock)) return
    const clocks = named.get(client)
    if (clocks === undefined) named.set(client, new Set([clock]))
    else clocks.add(clock)
  }
  for (let count = reader.number(); count > 0; count--) {
    const structs = reader.number()
    const client = reader.number()
    const section = { clock: reader.number(), end: 0 }
    section.end = section.clock
    sections.set(client, section)
    for (let i = 0; i < structs; i++) {
      reader.readStruct(client, section.end)
      section.end += reader.length
      if (reader.kind === SKIP) continue
      if (reader.root !== null) roots.add(reader.root)
      name(reader.leftClient, reader.leftClock)
      name(reader.rightClient, reader.rightClock)
    }
  }
  const deletes: { client: number; clock: number; end: number }[] = []
  for (let count = reader.number(); count > 0; count--) {
    const client = reader.number()
    const first = sections.get(client)?.clock ?? Number.POSITIVE_INFINITY
    for (let ranges = reader.number(); ranges > 0; ranges--) {
      const clock = reader.number()
      const end = Math.min(clock + reader.number(), first)
      if (clock < end) deletes.push({ client, clock, end })
    }
  }
  const ids: Id[] = []
  for (const [client, clocks] of named) {
    for (const clock of clocks) if (!isNew(client, clock)) ids.push({ client, clock })
  }
  return { roots: [...roots], ids, deletes }
}
