/**
 * The rows of what waits: each update that refers to something that has not arrived, as it was sent (D9). The bytes are a
 * value of their own, since they may outgrow a row.
 */
import { crc32 } from "node:zlib"
import { SyncError } from "../errors.ts"
import { type Origin, readOrigins, writeOrigins } from "../history/origin.ts"
import type { Database } from "./database.ts"

/** An update, or a part of one, that waits for ids that have not arrived. Its bytes are read when it is looked at. */
export interface Waiting {
  readonly id: number
  /** The peers that have brought it (their ids, the newest last), and on whose behalf the first of them did. */
  readonly peers: readonly string[]
  readonly subject: string | null
  /** The only roots it may change; null: all. */
  readonly roots: readonly string[] | null
  /** The ids whose arrival makes it worth another look: client, clock, client, clock, … */
  readonly missing: readonly number[]
  readonly bytes: number
}

/** The table `waiting`. */
export class WaitingRows {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  /** Keep an update that waits for another one, as it came (D3). */
  hold(
    update: Uint8Array,
    { origin, ...rest }: Pick<Waiting, "peers" | "roots" | "missing"> & { readonly origin: Origin },
  ): Waiting {
    const { subject } = origin
    const { peers, roots, missing } = rest
    let id = 0
    this.#database.write(() => {
      id = this.#database.sql<{ id: number }>(
        `INSERT INTO waiting (size, crc, peers, subject, roots, who, missing)
         VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id`,
        ...[update.length, crc32(update), peers.join(" "), subject, roots && JSON.stringify(roots)],
        ...[writeOrigins([origin]), JSON.stringify(missing)],
      )[0]!.id
      this.#database.writeValue(`waiting ${id}`, update)
    })
    return { id, subject, ...rest, bytes: update.length }
  }

  /** The id of these very bytes, where they wait already for this subject with the same rights; else null. */
  findWaiting(
    update: Uint8Array,
    { subject, roots }: { subject: string | null; roots: readonly string[] | null },
  ): number | null {
    if (!this.#database.created) return null
    const alike = this.#database
      .sql<{ id: number }>(
        "SELECT id FROM waiting WHERE size = ? AND crc = ? AND subject IS ? AND roots IS ?",
        ...[update.length, crc32(update), subject, roots && JSON.stringify(roots)],
      )
      .find(({ id }) => equalBytes(this.#database.readOrSetAside(`waiting ${id}`), update))
    return alike?.id ?? null
  }

  /** Others have brought it too, or it waits for something else by now. */
  holdOn({ id, peers, missing }: Waiting): void {
    const changed = [peers.join(" "), JSON.stringify(missing), id]
    this.#database.write(() =>
      this.#database.sql("UPDATE waiting SET peers = ?, missing = ? WHERE id = ?", ...changed),
    )
  }

  /** Delete a waiting update. */
  release(id: number): void {
    this.#database.sql("DELETE FROM waiting WHERE id = ?", id)
    this.#database.writeValue(`waiting ${id}`, new Uint8Array())
  }

  /** The waiting updates, without their bytes. A row that cannot be read is set aside. */
  all(): Waiting[] {
    if (!this.#database.created) return []
    const rows = this.#database.sql<WaitingRow>(`SELECT ${WAITING_COLUMNS} FROM waiting ORDER BY id`)
    return rows.flatMap((row) => {
      try {
        return [readWaiting(row)]
      } catch {
        this.#database.write(() => {
          const bytes = `SELECT 0 AS revision, bytes FROM value WHERE name = 'waiting ${row.id}'`
          this.#database.setAside("waiting", "its row cannot be read", bytes)
          this.release(row.id)
          this.#database.note("damaged", Date.now())
        })
        return []
      }
    })
  }

  /** A waiting update: its bytes and its origin; null where the bytes were damaged, and are in quarantine. */
  held(id: number): { update: Uint8Array; origin: Origin } | null {
    const row = this.#database.sql<{ who: ArrayBuffer }>("SELECT who FROM waiting WHERE id = ?", id)[0]
    if (row === undefined) throw new SyncError("internal", `Nothing waits under the id ${id}`)
    const update = this.#database.readOrSetAside(`waiting ${id}`)
    if (update.length === 0) return null
    return { update, origin: readOrigins(new Uint8Array(row.who))() }
  }
}

const WAITING_COLUMNS = "id, size, peers, subject, roots, missing"
type WaitingRow = {
  id: number
  size: number
  peers: string
  subject: string | null
  roots: string | null
  missing: string
}
function readWaiting({ id, size, peers, subject, roots, missing }: WaitingRow): Waiting {
  return {
    id,
    subject,
    bytes: size,
    peers: peers === "" ? [] : peers.split(" "),
    roots: roots === null ? null : (JSON.parse(roots) as string[]),
    missing: JSON.parse(missing) as number[],
  }
}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}
