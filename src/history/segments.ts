/**
 * Segments: what a room keeps of its past (H6). Compaction drops the rows of the log; in the same transaction they are
 * handed over to this, so that nothing acknowledged is ever in neither.
 *
 *     frame     a whole state at a revision, as the room's snapshot had it: the first one, and a further one where it pays
 *     segment   the commits between two revisions, as they were vetted (D3), with the origin of each update, compressed
 *
 * What is larger than a segment, a paste or a whole state, is copied row by row as it is, so that memory never holds it.
 *
 *     commit    = varUint(revision) varBytes(origins) varBytes(updates, each with its length before it)
 *     segment   = deflate(commit*)
 *
 * A past state is a frame and the commits after it. A frame that `joins` continues what is stored before it; one that does
 * not begins the past anew, because something between is unknown: another room's copy was adopted, or a value is damaged.
 * Damage here never touches the present (D7): the value is marked, what needs it is refused, and the next compaction keeps
 * a frame to go on from.
 *
 * Over 450 lines: how a piece is written and how it is read have to agree, and both stand here.
 */
import { crc32, deflateRawSync, inflateRawSync } from "node:zlib"
import * as decoding from "lib0/decoding"
import * as encoding from "lib0/encoding"
import { SyncError } from "../errors.ts"
import type { Limits } from "../limits.ts"
import { Moving } from "./moving.ts"
import { type Origin, readOrigins } from "./origin.ts"

/** The room's tables, as far as its past uses them. */
export interface Tables {
  /** Rows of a query; none where nothing was ever stored. */
  rows<Row extends Record<string, SqlStorageValue>>(
    query: string,
    ...bindings: (SqlStorageValue | Uint8Array)[]
  ): Row[]
  /** Run writes that hold all or none. Joins a transaction that is under way. */
  write(change: (sql: Tables["rows"]) => void): void
  noted<Value extends SqlStorageValue>(key: string): Value | null
  note(key: string, value: SqlStorageValue): void
}

/** One update of a commit and its origin. */
export interface PastUpdate {
  readonly update: Uint8Array
  readonly origin: Origin
}

/** One commit of the past. */
export interface Commit {
  readonly revision: number
  /** When its last update was taken, ms since 1970. */
  readonly at: number
  readonly updates: readonly PastUpdate[]
}

/** A commit as the log's rows have it. */
export interface LoggedCommit {
  readonly revision: number
  readonly who: Uint8Array
  readonly bytes: Uint8Array
}

/** A commit that leaves the log. */
export interface LeavingCommit extends Omit<LoggedCommit, "bytes"> {
  /** null: it fails its checksum, or is `large`. */
  readonly bytes: Uint8Array | null
  /** Its size, and a way to copy it to this piece, from part 1 on. */
  readonly large?: { readonly size: number; readonly copy: (piece: number) => void }
}

/** The snapshot that a compaction replaces: `bytes` long, 0 where there is none. */
export interface LeavingSnapshot {
  readonly revision: number
  readonly at: number
  readonly bytes: number
  /** Copies it to this piece. */
  readonly copy: (piece: number) => void
}

/** A whole state that the past can be rebuilt from. */
export interface Frame {
  readonly revision: number
  readonly at: number
  /** Whether it continues what is stored before it. */
  readonly joins: boolean
  /** The state as one Yjs update; null: the empty document. */
  read(): Uint8Array | null
}

/** The stored size of the past. */
export interface PastSize {
  /** Bytes kept for the past, how many of them stand in the archive, and bytes of the updates taken that they stand for. */
  readonly bytes: number
  readonly movedBytes: number
  readonly updateBytes: number
  /** Values that cannot be read any more. */
  readonly damaged: number
  /** Names that are still to be removed from the archive. */
  readonly gone: number
}

/** A frame or a segment as its row has it. */
export type Piece = {
  id: number
  kind: "frame" | "segment"
  first: number
  last: number
  first_at: number
  last_at: number
  joins: number
  size: number
  kept: number
  damaged: number
  packed: number
  /** By whom it was moved out into the archive; null: its bytes are here. */
  moved: string | null
}

const COLUMNS = "id, kind, first, last, first_at, last_at, joins, size, kept, damaged, packed, moved"

/** The frames and segments of a room. */
export class Segments {
  readonly #tables: Tables
  readonly #limits: Limits
  readonly #onDamage: () => void
  readonly moving: Moving
  /** null: to be counted anew. It is asked for with every commit. */
  #size: PastSize | null = null

  /** @param options.onDamage called once for each value that turns out to be damaged */
  constructor(tables: Tables, { limits, onDamage }: { limits: Limits; onDamage: () => void }) {
    this.#tables = tables
    this.#limits = limits
    this.#onDamage = onDamage
    this.moving = new Moving(tables, { limits, changed: () => this.recount() })
  }

  /** How much is kept. */
  get size(): PastSize {
    this.#size ??= this.#count()
    return this.#size
  }

  /** Count anew: something was written or deleted past this. */
  recount(): void {
    this.#size = null
  }

  /** The oldest frame whose past can be rebuilt up to the newest; null where nothing was handed over yet. */
  get first(): Frame | null {
    const piece = this.#pieces("kind = 'frame' ORDER BY last LIMIT 1")[0]
    return piece === undefined ? null : this.#frameOf(piece)
  }

  /**
   * Take over the commits that a compaction drops. Called inside its transaction.
   * @param options.snapshot the state that they follow, as the room stored it
   */
  take(commits: Iterable<LeavingCommit>, { snapshot }: { snapshot: LeavingSnapshot }): void {
    const joins = this.#tables.noted<number>("past_whole") === 1
    const { segmentBytes, pastBytes } = this.#limits
    if (pastBytes === 0) return this.interrupt()
    if (!joins || this.#paysFrame(snapshot.bytes)) this.#copyFrame(snapshot, joins)
    let gathered: LoggedCommit[] = []
    let bytes = 0
    let isWhole = true
    const put = () => {
      if (gathered.length > 0) this.#keepSegment(gathered)
      gathered = []
      bytes = 0
    }
    for (const commit of commits) {
      if (commit.bytes === null) {
        put()
        if (commit.large !== undefined) this.#copyCommit(commit, commit.large)
        else this.#keepLost(commit.revision)
        isWhole &&= commit.large !== undefined
        continue
      }
      gathered.push({ ...commit, bytes: commit.bytes })
      bytes += commit.bytes.length + commit.who.length
      if (bytes >= segmentBytes) put()
    }
    put()
    if (isWhole) this.#tables.note("past_whole", 1)
    else this.interrupt()
  }

  /** What the room holds next does not follow from what is here: its next compaction begins with a frame. */
  interrupt(): void {
    if (this.#tables.noted("past_whole") !== null) this.#tables.note("past_whole", null)
  }

  /** Keep a whole state. */
  keepFrame(
    state: Uint8Array | null,
    { revision, at, joins }: { revision: number; at: number; joins: boolean },
  ): void {
    const bytes = state ?? new Uint8Array()
    const piece = { first: revision, last: revision, firstAt: at, lastAt: at, joins, size: bytes.length }
    this.#keep("frame", piece, bytes)
  }

  /** The newest frame at or before a revision that is not damaged; null where the past does not reach that far back. */
  frameBefore(revision: number): Frame | null {
    const piece = this.#pieces(
      "kind = 'frame' AND damaged = 0 AND last <= ? ORDER BY last DESC, id DESC LIMIT 1",
      revision,
    )[0]
    return piece === undefined ? null : this.#frameOf(piece)
  }

  /** Whether the past between two revisions begins anew somewhere, so that the one does not follow from the other. */
  isInterrupted(after: number, upTo: number): boolean {
    return (
      this.#pieces("kind = 'frame' AND joins = 0 AND last > ? AND last <= ? LIMIT 1", after, upTo).length > 0
    )
  }

  /** Whether what followed a revision that was handed over is not known. */
  isUnknownAfter(revision: number): boolean {
    const [next] = this.#pieces("last > ? ORDER BY first, id LIMIT 1", revision)
    if (next === undefined) return this.#tables.noted("past_whole") === null
    return next.kind === "frame" && next.joins === 0
  }

  /**
   * The commits after one revision and up to another, in order, or from the newest back.
   * @param options.overDamage leave out what cannot be read
   * @param options.hereOnly leave out what stands in the archive
   * @throws SyncError gone where a segment that is needed cannot be read; Away where one has to be fetched first
   */
  *commits(
    after: number,
    upTo: number,
    { back = false, overDamage = false, hereOnly = false } = {},
  ): Generator<Commit> {
    const order = back ? "DESC" : "ASC"
    const pieces = this.#pieces(
      `kind = 'segment' AND last > ? AND first <= ? ${hereOnly ? "AND moved IS NULL" : ""} ORDER BY first ${order}, id ${order}`,
      after,
      upTo,
    )
    for (const [i, piece] of pieces.entries()) {
      this.moving.checkHere(piece, () => pieces.slice(i))
      const commits = overDamage ? this.#tryReadSegment(piece) : this.#readSegment(piece)
      for (const commit of back ? commits.reverse() : commits)
        if (commit.revision > after && commit.revision <= upTo) yield readCommit(commit)
    }
  }

  /** The newest revision committed at or before a time; null where there is none. ms since 1970 */
  revisionAt(time: number): number | null {
    const [piece] = this.#pieces("first_at <= ? ORDER BY last DESC, id DESC LIMIT 1", time)
    if (piece === undefined) return null
    if (piece.kind === "frame" || piece.last_at <= time) return piece.last
    let found = piece.first
    for (const { revision, who } of this.#readSegment(piece)) if (timeOf(who) <= time) found = revision
    return found
  }

  /**
   * Forget everything before a revision.
   * @param state the whole state at it, from which the past begins then
   */
  prune(state: Uint8Array, { revision, at }: { revision: number; at: number }): void {
    this.#tables.write((sql) => {
      for (const piece of this.#pieces("kind = 'segment' AND first <= ?", revision)) {
        if (piece.last > revision)
          this.#keepSegment(this.#readSegment(piece).filter((commit) => commit.revision > revision))
        this.#drop(sql, piece)
      }
      for (const piece of this.#pieces("kind = 'frame' AND last <= ?", revision)) this.#drop(sql, piece)
      this.keepFrame(state, { revision, at, joins: true })
      sql("DELETE FROM copied WHERE revision <= ?", revision)
    })
  }

  /** A piece cannot be read any more. */
  markDamaged(piece: Piece): void {
    if (piece.damaged !== 0) return
    this.#size = null
    this.#tables.write((sql) => {
      sql("UPDATE past SET damaged = 1 WHERE id = ?", piece.id)
      this.interrupt()
    })
    this.#onDamage()
  }

  /** The segments that can be read, by number. @param options.hereOnly leave out what stands in the archive */
  readable({ hereOnly = false } = {}): number[] {
    return this.#pieces(`kind = 'segment' AND damaged = 0 ${hereOnly ? "AND moved IS NULL" : ""}`).map(
      ({ id }) => id,
    )
  }

  /**
   * Put other origins in the place of those of a segment; one that was moved out comes back.
   * @param change gives the very same bytes where they stay
   * @throws Away where it has to be fetched first
   */
  rewriteOrigins(id: number, change: (who: Uint8Array) => Uint8Array): void {
    const [piece] = this.#pieces("id = ?", id)
    if (piece === undefined) return
    const commits = this.#tryReadSegment(piece)
    const changed = commits.map((commit) => ({ ...commit, who: change(commit.who) }))
    if (changed.every(({ who }, i) => who === commits[i]!.who)) return
    this.#tables.write((sql) => {
      this.#keepSegment(changed)
      this.#drop(sql, piece)
    })
  }

  /** Forget all of it; what stands in the archive is to be removed there. */
  clear(): void {
    this.#tables.write((sql) => {
      this.moving.leaveAll()
      for (const table of ["past", "past_bytes", "copied"]) sql(`DELETE FROM ${table}`)
      this.interrupt()
    })
    this.#size = null
  }

  /** What another room has kept of this document in the archive, before it was lost: the past begins with it. */
  adopt(pieces: readonly Omit<Piece, "id" | "damaged">[], parts: (index: number) => readonly number[]): void {
    this.#tables.write((sql) => {
      for (const [i, piece] of pieces.entries()) {
        const { first, last, first_at: firstAt, last_at: lastAt, kept, packed, moved } = piece
        const range = { first, last, firstAt, lastAt, joins: piece.joins === 1, size: piece.size }
        const id = this.#insert(piece.kind, range, { kept, packed: packed === 1 })
        sql("UPDATE past SET moved = ? WHERE id = ?", moved, id)
        for (const [part, crc] of parts(i).entries())
          sql("INSERT INTO past_bytes VALUES (?, ?, ?, x'')", id, part, crc)
      }
    })
  }

  /** The revision at which older ones could be cut off, so that about this many bytes are left; null: no need. */
  cutFor(bytes: number): number | null {
    let kept = 0
    for (const piece of this.#pieces("1 ORDER BY last DESC, id DESC")) {
      kept += piece.kept
      if (kept > bytes) return piece.last
    }
    return null
  }

  #count(): PastSize {
    const [row] = this.#tables.rows<
      Record<"bytes" | "moved" | "updates" | "damaged" | "gone", number | null>
    >(
      `SELECT sum(kept) AS bytes, sum(CASE WHEN moved IS NULL THEN 0 ELSE kept END) AS moved,
        sum(CASE kind WHEN 'segment' THEN size ELSE 0 END) AS updates, sum(damaged) AS damaged,
        (SELECT count(*) FROM past_gone) AS gone FROM past`,
    )
    const [copied] = this.#tables.rows<{ bytes: number | null }>(
      "SELECT sum(length(bytes)) AS bytes FROM copied",
    )
    return {
      bytes: (row?.bytes ?? 0) + (copied?.bytes ?? 0),
      movedBytes: row?.moved ?? 0,
      updateBytes: row?.updates ?? 0,
      damaged: row?.damaged ?? 0,
      gone: row?.gone ?? 0,
    }
  }

  #sinceFrame(): number {
    const [row] = this.#tables.rows<{ bytes: number | null }>(
      `SELECT sum(size) AS bytes FROM past WHERE kind = 'segment'
        AND last > (SELECT max(last) FROM past WHERE kind = 'frame')`,
    )
    return row?.bytes ?? 0
  }

  /** Whether a frame is worth its bytes: much would have to be replayed instead, or soon could not be. */
  #paysFrame(frameBytes: number): boolean {
    const { frameFactor, frameFloorBytes, frameShare, pastReadBytes } = this.#limits
    const since = this.#sinceFrame()
    if (since > pastReadBytes / 2) return true
    const { bytes, updateBytes } = this.size
    return (
      since > Math.max(frameFloorBytes, frameFactor * frameBytes) &&
      bytes + frameBytes <= frameShare * updateBytes
    )
  }

  #keepSegment(commits: readonly LoggedCommit[]): void {
    const bytes = encoding.encode((encoder) => {
      for (const { revision, who, bytes } of commits) {
        encoding.writeVarUint(encoder, revision)
        encoding.writeVarUint8Array(encoder, who)
        encoding.writeVarUint8Array(encoder, bytes)
      }
    })
    const [first, last] = [commits[0]!, commits.at(-1)!]
    this.#keep(
      "segment",
      {
        first: first.revision,
        last: last.revision,
        firstAt: timeOf(first.who),
        lastAt: timeOf(last.who),
        joins: true,
        size: commits.reduce((total, commit) => total + commit.bytes.length, 0),
      },
      bytes,
    )
  }

  /** Keep the state that the commits follow, as it is stored. */
  #copyFrame({ revision, at, bytes, copy }: LeavingSnapshot, joins: boolean): void {
    if (bytes === 0) return this.keepFrame(null, { revision, at, joins })
    const piece = { first: revision, last: revision, firstAt: at, lastAt: at, joins, size: bytes }
    copy(this.#insert("frame", piece, { kept: bytes, packed: false }))
  }

  #copyCommit({ revision, who }: LeavingCommit, { size, copy }: NonNullable<LeavingCommit["large"]>): void {
    const head = encoding.encode((encoder) => {
      encoding.writeVarUint(encoder, revision)
      encoding.writeVarUint8Array(encoder, who)
      encoding.writeVarUint(encoder, size)
    })
    const at = timeOf(who)
    const piece = { first: revision, last: revision, firstAt: at, lastAt: at, joins: true, size }
    const id = this.#insert("segment", piece, { kept: head.length + size, packed: false })
    this.#tables.write((sql) => sql("INSERT INTO past_bytes VALUES (?, ?, ?, ?)", id, 0, crc32(head), head))
    copy(id)
  }

  /** Keep that there was a commit, which nobody can read any more. */
  #keepLost(revision: number): void {
    const [before] = this.#pieces("last < ? ORDER BY last DESC, id DESC LIMIT 1", revision)
    const at = before?.last_at ?? 0
    const piece = { first: revision, last: revision, firstAt: at, lastAt: at, joins: true, size: 0 }
    this.#insert("segment", piece, { kept: 1, packed: false, damaged: true })
    this.#onDamage()
  }

  /** @returns the piece's id */
  #insert(
    kind: Piece["kind"],
    piece: { first: number; last: number; firstAt: number; lastAt: number; joins: boolean; size: number },
    { kept, packed, damaged = false }: { kept: number; packed: boolean; damaged?: boolean },
  ): number {
    const { first, last, firstAt, lastAt, joins, size } = piece
    this.#size = null
    let id = 0
    this.#tables.write((sql) => {
      const [row] = sql<{ id: number }>(
        `INSERT INTO past (kind, first, last, first_at, last_at, joins, size, kept, damaged, packed)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
        ...[kind, first, last, firstAt, lastAt, joins ? 1 : 0, size, kept, damaged ? 1 : 0, packed ? 1 : 0],
      )
      id = row!.id
    })
    return id
  }

  #keep(
    kind: Piece["kind"],
    piece: { first: number; last: number; firstAt: number; lastAt: number; joins: boolean; size: number },
    bytes: Uint8Array,
  ): void {
    // The fastest level: keystrokes shrink to two fifths, and a compaction takes no longer for it that could be measured.
    const packed = bytes.length === 0 ? bytes : deflateRawSync(bytes, { level: 1 })
    this.#tables.write((sql) => {
      const id = this.#insert(kind, piece, { kept: packed.length, packed: true })
      const { valueBytes } = this.#limits
      for (let part = 0, at = 0; at < packed.length; part++, at += valueBytes) {
        const value = packed.subarray(at, at + valueBytes)
        sql("INSERT INTO past_bytes VALUES (?, ?, ?, ?)", id, part, crc32(value), value)
      }
    })
  }

  #drop(sql: Tables["rows"], piece: Piece): void {
    const { id } = piece
    this.#size = null
    this.moving.leave(piece)
    sql("DELETE FROM past WHERE id = ?", id)
    sql("DELETE FROM past_bytes WHERE id = ?", id)
  }

  #pieces(where: string, ...bindings: SqlStorageValue[]): Piece[] {
    return this.#tables.rows<Piece>(`SELECT ${COLUMNS} FROM past WHERE ${where}`, ...bindings)
  }

  #frameOf(piece: Piece): Frame {
    const { last: revision, last_at: at, joins } = piece
    return { revision, at, joins: joins === 1, read: () => (piece.kept === 0 ? null : this.#read(piece)) }
  }

  #tryReadSegment(piece: Piece): LoggedCommit[] {
    try {
      return this.#readSegment(piece)
    } catch (thrown) {
      if (thrown instanceof SyncError && thrown.code === "gone") return []
      throw thrown
    }
  }

  #readSegment(piece: Piece): LoggedCommit[] {
    const decoder = decoding.createDecoder(this.#read(piece))
    const commits: LoggedCommit[] = []
    while (decoding.hasContent(decoder)) {
      commits.push({
        revision: decoding.readVarUint(decoder),
        who: decoding.readVarUint8Array(decoder),
        bytes: decoding.readVarUint8Array(decoder),
      })
    }
    return commits
  }

  /** @throws SyncError gone, and marks the value, where its checksum does not fit */
  #read(piece: Piece): Uint8Array {
    const rows =
      piece.moved === null
        ? this.#tables.rows<{ crc: number; bytes: ArrayBuffer }>(
            "SELECT crc, bytes FROM past_bytes WHERE id = ? ORDER BY part",
            piece.id,
          )
        : this.moving.fetched(piece)
    const packed = new Uint8Array(piece.kept)
    let at = 0
    let isWhole = true
    for (const row of rows) {
      const value = new Uint8Array(row.bytes)
      isWhole &&= crc32(value) === row.crc && at + value.length <= packed.length
      if (isWhole) packed.set(value, at)
      at += value.length
    }
    if (isWhole && at === packed.length) return piece.packed === 1 ? inflateRawSync(packed) : packed
    this.markDamaged(piece)
    throw new SyncError(
      "gone",
      `What was kept of the revisions ${piece.first} to ${piece.last} is damaged; the present is not.`,
    )
  }
}

/** The updates of a commit with their origins. */
export function readCommit({ revision, who, bytes }: LoggedCommit): Commit {
  const decoder = decoding.createDecoder(bytes)
  const origins = readOrigins(who)
  const updates: PastUpdate[] = []
  while (decoding.hasContent(decoder))
    updates.push({ update: decoding.readVarUint8Array(decoder), origin: origins() })
  return { revision, at: updates.at(-1)?.origin.at ?? 0, updates }
}

/** When the last update of a commit was taken, ms since 1970; 0 where nobody wrote it down. */
function timeOf(who: Uint8Array): number {
  const origins = readOrigins(who)
  let at = 0
  // Each call gives one update's origin, and an unknown one after the last.
  for (let origin = origins(); origin.at > 0; origin = origins()) at = origin.at
  return at
}
