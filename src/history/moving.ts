/**
 * Moving: parts of the past that outgrow the room stand in the archive. The row of a piece stays here with the checksums of its
 * parts; each part, a megabyte at most, is an object there. Its name says all that its row says, so that the past is found
 * again where this storage is lost:
 *
 *     {writer}/{kind}.{first}.{last}.{first at}.{last at}.{joins}.{size}.{kept}.{packed}.{part}.{crc}.
 *
 * The name depends on nothing else, so a move that was cut short writes the same objects again. What stands beside the parts:
 * contents.ts.
 */
import { crc32 } from "node:zlib"
import { SyncError } from "../errors.ts"
import type { Limits } from "../limits.ts"
import { keptContents, leaveContents } from "./contents.ts"
import type { Piece, Tables } from "./segments.ts"

/** A part of a piece, and what it is called in the archive. */
export interface Part {
  readonly id: number
  readonly part: number
  readonly crc: number
  readonly name: string
}

/** What is asked for stands in the archive: fetch these, and ask again. */
export class Away extends SyncError {
  readonly parts: readonly Part[]

  constructor(parts: readonly Part[]) {
    super("archive-unavailable", "A part of the past that this needs stands in the archive.")
    this.parts = parts
  }
}

/** What of a room's past stands in the archive. */
export class Moving {
  readonly #tables: Tables
  readonly #limits: Pick<Limits, "pastFetchBytes">
  readonly #changed: () => void
  /** What was fetched to be read. */
  readonly #held = new Map<string, Uint8Array>()

  /** @param options.changed called when the sizes have to be counted anew */
  constructor(
    tables: Tables,
    { limits, changed }: { limits: Pick<Limits, "pastFetchBytes">; changed: () => void },
  ) {
    this.#tables = tables
    this.#limits = limits
    this.#changed = changed
  }

  /** The oldest piece whose bytes are here; null: there is none. */
  next(): Piece | null {
    const query = "SELECT * FROM past WHERE moved IS NULL AND damaged = 0 ORDER BY last, id LIMIT 1"
    return this.#tables.rows<Piece>(query)[0] ?? null
  }

  /** Its parts, as this writer would call them. */
  parts(piece: Piece, writer: string): Part[] {
    const { id, kind, first, last, first_at, last_at, joins, size, kept, packed } = piece
    const stem = [kind, first, last, first_at, last_at, joins, size, kept, packed].join(".")
    const query = "SELECT part, crc FROM past_bytes WHERE id = ? ORDER BY part"
    const rows = this.#tables.rows<{ part: number; crc: number }>(query, id)
    // The empty document has no bytes, and its frame is told by an empty object.
    if (rows.length === 0) rows.push({ part: 0, crc: 0 })
    return rows.map(({ part, crc }) => ({ id, part, crc, name: `${writer}/${stem}.${part}.${crc}.` }))
  }

  /** The bytes of a part that is here; null where they are damaged. */
  read({ id, part, crc }: Part): Uint8Array | null {
    const query = "SELECT bytes FROM past_bytes WHERE id = ? AND part = ?"
    const [row] = this.#tables.rows<{ bytes: ArrayBuffer }>(query, id, part)
    const bytes = new Uint8Array(row?.bytes ?? [])
    return crc32(bytes) === crc ? bytes : null
  }

  /** All parts of a piece stand in the archive: drop them here. Where it was dropped meanwhile, they are to go there too. */
  moved(piece: Piece, { writer, parts }: { writer: string; parts: readonly Part[] }): void {
    this.#tables.write((sql) => {
      const [row] = sql<Piece>("SELECT * FROM past WHERE id = ?", piece.id)
      const isSame =
        row !== undefined && row.moved === null && row.last === piece.last && row.kept === piece.kept
      if (!isSame) return this.#leave(parts)
      sql("UPDATE past SET moved = ? WHERE id = ?", writer, piece.id)
      sql("UPDATE past_bytes SET bytes = x'' WHERE id = ?", piece.id)
    })
    this.#changed()
  }

  /** A piece is dropped here. */
  leave(piece: Piece): void {
    if (piece.moved !== null) this.#leave(this.parts(piece, piece.moved))
  }

  /** All of them are. */
  leaveAll(): void {
    const writers = this.#tables.rows<{ moved: string }>(
      "SELECT DISTINCT moved FROM past WHERE moved IS NOT NULL",
    )
    const names = [...writers.map(({ moved }) => `${moved}/`), ...leaveContents(this.#tables)]
    this.#leave(names.map((name) => ({ name })))
  }

  /** Whose parts stand there but for this writer's, and up to which revision. */
  others(writer: string): [writer: string, upTo: number][] {
    const query = "SELECT moved, max(last) AS upTo FROM past WHERE moved <> ? GROUP BY moved"
    const rows = this.#tables.rows<{ moved: string; upTo: number }>(query, writer)
    return rows.map(({ moved, upTo }) => [moved, upTo])
  }

  /** What is to be removed from the archive: names, or how they begin. */
  gone(): string[] {
    return this.#tables.rows<{ name: string }>("SELECT name FROM past_gone").map(({ name }) => name)
  }

  /** Which of these names in the archive belong to nothing that is kept. */
  strays(names: readonly string[]): string[] {
    const pieces = this.#tables.rows<Piece>("SELECT * FROM past WHERE moved IS NOT NULL")
    const parts = pieces.flatMap((piece) => this.parts(piece, piece.moved!))
    const known = new Set([...parts.map(({ name }) => name), ...keptContents(this.#tables)])
    return names.filter((name) => !known.has(name))
  }

  /** It was removed there. */
  removed(name: string): void {
    this.#tables.write((sql) => sql("DELETE FROM past_gone WHERE name = ?", name))
    this.#changed()
  }

  /**
   * Check that a piece can be read here.
   * @param following what will be read from it on: as much of that is fetched along as fits one time
   * @throws Away where it has to be fetched first
   */
  checkHere(piece: Piece, following: () => readonly Piece[] = () => [piece]): void {
    if (!this.#isAway(piece)) return
    const parts: Part[] = []
    let bytes = 0
    for (const next of following()) {
      if (!this.#isAway(next)) continue
      bytes += next.kept
      if (parts.length > 0 && bytes > this.#limits.pastFetchBytes) break
      parts.push(...this.parts(next, next.moved!))
    }
    throw new Away(parts)
  }

  /** The parts of a piece that were fetched. @throws Away */
  fetched(piece: Piece): { crc: number; bytes: Uint8Array }[] {
    this.checkHere(piece)
    return this.parts(piece, piece.moved!).map(({ crc, name }) => ({
      crc,
      bytes: this.#held.get(name) ?? new Uint8Array(),
    }))
  }

  #isAway(piece: Piece): boolean {
    const { moved, damaged } = piece
    return (
      moved !== null && damaged === 0 && this.parts(piece, moved).some(({ name }) => !this.#held.has(name))
    )
  }

  /** Hold what was fetched, until it was read. @param bytes null: it is not there any more */
  hold({ name }: Part, bytes: Uint8Array | null): void {
    this.#held.set(name, bytes ?? new Uint8Array())
  }

  /** Hold nothing any more. */
  release(): void {
    this.#held.clear()
  }

  #leave(parts: readonly { readonly name: string }[]): void {
    if (parts.length === 0) return
    this.#tables.write((sql) => {
      for (const { name } of parts) sql("INSERT OR IGNORE INTO past_gone VALUES (?)", name)
    })
    this.#changed()
  }
}

/**
 * The pieces that names in the archive tell of, whole ones alone, and the checksums of their parts.
 * @param upTo for each writer whose pieces are meant: to which revision
 */
export function piecesOf(
  names: readonly string[],
  upTo: ReadonlyMap<string, number>,
): {
  pieces: Omit<Piece, "id" | "damaged">[]
  parts: (index: number) => readonly number[]
} {
  const found = new Map<string, { piece: Omit<Piece, "id" | "damaged">; crcs: number[] }>()
  for (const name of names) {
    const match = /^([^/]+)\/((frame|segment)((?:\.\d+){8}))\.(\d+)\.(\d+)\.$/.exec(name)
    if (match === null) continue
    const [, moved, stem, kind, numbers, part, crc] = match
    const [first, last, first_at, last_at, joins, size, kept, packed] = numbers!
      .slice(1)
      .split(".")
      .map(Number)
    const key = `${moved}/${stem}`
    const one = found.get(key) ?? {
      piece: {
        ...{ kind: kind as Piece["kind"], moved: moved!, first: first!, last: last! },
        ...{
          first_at: first_at!,
          last_at: last_at!,
          joins: joins!,
          size: size!,
          kept: kept!,
          packed: packed!,
        },
      },
      crcs: [],
    }
    one.crcs[Number(part)] = Number(crc)
    found.set(key, one)
  }
  const all = [...found.values()]
    .filter(
      ({ piece, crcs }) =>
        piece.last <= (upTo.get(piece.moved!) ?? -1) && crcs.length === Object.keys(crcs).length,
    )
    .sort(({ piece: a }, { piece: b }) => a.last - b.last || (a.kind < b.kind ? -1 : 1))
  return { pieces: all.map(({ piece }) => piece), parts: (index) => all[index]!.crcs }
}
