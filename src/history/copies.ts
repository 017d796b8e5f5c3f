/**
 * Copies: what was brought back is new content with the author of the old (H3, H4). Yjs brings nothing deleted back to
 * life, so a restore writes it again, under new clocks; this knows of which old ones.
 *
 *     copies = { varUint(client) varUint(clock) varUint(length) varUint(source client) varUint(source clock) }*
 */
import * as decoding from "lib0/decoding"
import * as encoding from "lib0/encoding"
import type { Tables } from "./segments.ts"

/** The clocks [clock, clock + length) of a client are the content that stood under those of the source. */
export interface Copy {
  readonly client: number
  readonly clock: number
  readonly length: number
  readonly sourceClient: number
  readonly sourceClock: number
}

/** Clocks of a client of which the same is true: [clock, clock + length). */
export interface Stretch {
  readonly client: number
  readonly clock: number
  readonly length: number
}

/** A stored row, bytes: half of what the platform takes. */
const ROW_BYTES = 1024 * 1024

/** Knows of what each restored content is a copy. */
export class Copies {
  readonly #byCopy = new Map<number, Copy[]>()
  /** Of each client the clocks that were copied at least once, as ranges that do not touch. */
  readonly #copied = new Map<number, { clock: number; end: number }[]>()

  constructor(copies: Iterable<Copy>) {
    const sources = new Map<number, { clock: number; end: number }[]>()
    for (const copy of copies) {
      push(this.#byCopy, copy.client, copy)
      push(sources, copy.sourceClient, { clock: copy.sourceClock, end: copy.sourceClock + copy.length })
    }
    for (const list of this.#byCopy.values()) list.sort((a, b) => a.clock - b.clock)
    for (const [client, list] of sources) this.#copied.set(client, unite(list))
  }

  /** What is stored. */
  static read(tables: Tables): Copies {
    const copies: Copy[] = []
    for (const { bytes } of tables.rows<{ bytes: ArrayBuffer }>("SELECT bytes FROM copied ORDER BY id")) {
      const decoder = decoding.createDecoder(new Uint8Array(bytes))
      const number = () => decoding.readVarUint(decoder)
      while (decoding.hasContent(decoder))
        copies.push({
          client: number(),
          clock: number(),
          length: number(),
          sourceClient: number(),
          sourceClock: number(),
        })
    }
    return new Copies(copies)
  }

  /** The first content of which this is a copy, however often it was brought back; itself where it is none. */
  sourceOf(client: number, clock: number, length: number): Stretch {
    let at = { client, clock, length }
    for (;;) {
      const list = this.#byCopy.get(at.client)
      if (list === undefined) return at
      const index = lastBefore(list, at.clock)
      const copy = list[index]
      if (copy === undefined || at.clock >= copy.clock + copy.length) {
        const next = list[index + 1]?.clock ?? Number.POSITIVE_INFINITY
        return { ...at, length: Math.min(at.length, next - at.clock) }
      }
      const offset = at.clock - copy.clock
      at = {
        client: copy.sourceClient,
        clock: copy.sourceClock + offset,
        length: Math.min(at.length, copy.length - offset),
      }
    }
  }

  /** Whether the content at this clock was brought back at least once. */
  isCopied(client: number, clock: number): boolean {
    const list = this.#copied.get(client) ?? []
    const range = list[lastBefore(list, clock)]
    return range !== undefined && clock < range.end
  }

  /** Whether this is a copy. */
  isCopy(client: number, clock: number): boolean {
    const list = this.#byCopy.get(client) ?? []
    const copy = list[lastBefore(list, clock)]
    return copy !== undefined && clock < copy.clock + copy.length
  }
}

/** Store what a restore at this revision has copied. Joins the transaction of the turn. */
export function keepCopies(tables: Tables, copies: readonly Copy[], revision: number): void {
  if (copies.length === 0) return
  const bytes = encoding.encode((encoder) => {
    for (const { client, clock, length, sourceClient, sourceClock } of copies)
      for (const number of [client, clock, length, sourceClient, sourceClock])
        encoding.writeVarUint(encoder, number)
  })
  if (bytes.length <= ROW_BYTES)
    return tables.write((sql) => sql("INSERT INTO copied (revision, bytes) VALUES (?, ?)", revision, bytes))
  const middle = copies.length >> 1
  keepCopies(tables, copies.slice(0, middle), revision)
  keepCopies(tables, copies.slice(middle), revision)
}

function push<One>(map: Map<number, One[]>, key: number, one: One): void {
  const list = map.get(key)
  if (list === undefined) map.set(key, [one])
  else list.push(one)
}

function unite(ranges: { clock: number; end: number }[]): { clock: number; end: number }[] {
  const united: { clock: number; end: number }[] = []
  for (const range of ranges.sort((a, b) => a.clock - b.clock)) {
    const last = united.at(-1)
    if (last !== undefined && range.clock <= last.end) last.end = Math.max(last.end, range.end)
    else united.push({ ...range })
  }
  return united
}

/** The index of the last of a sorted list that begins at or before a clock; -1 where there is none. */
export function lastBefore(list: readonly { readonly clock: number }[], clock: number): number {
  let low = 0
  let high = list.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (list[middle]!.clock <= clock) low = middle + 1
    else high = middle
  }
  return low - 1
}
