/**
 * YHub: its table in Postgres, the bucket that large values are in, and what Redis has not yet brought there. Name all
 * places that yours has: `postgres://… s3://… redis://…`.
 *
 *     table yhub_ydoc_v1(org, docid, branch, t, created, gcDoc, nongcDoc, …)    values are lib0-any:
 *         {type: "asset:ydoc:v1", update}       a Yjs V1 update
 *         {type: "asset:retrievable:v1", …}     it is the object id:ydoc:v1/{org}/{docid}/{branch}/{0|1}/{t}, 1: gcDoc
 *     table yhub_ydoc_tombstones_v1(org, docid, branch, …)                      what was deleted
 *     stream {prefix}:room:{org}:{docid}:{branch}    a field m: lib0-any, {type: "ydoc:update:v1", update}
 *
 * A document is `{org}/{docid}`; its branch is "main". Each row is what was written since the one before, and is a version
 * with the time at which it was stored. The prefix is "yhub", or `?prefix=` of the address.
 *
 * @source yjs/yhub 0.7, src/persistence.js, src/types.js, src/plugins/s3.js, src/stream.js, STORAGE-ARCHITECTURE.md
 */
import { decodeAny } from "lib0/buffer"
import { openPlace, type Place } from "../place.ts"
import { Redis } from "../redis.ts"
import { CommandError } from "../terminal.ts"
import { kindOf, mergeAll, Parts } from "./parts.ts"
import { findTables, openPostgres } from "./postgres.ts"
import type { OpenSource, SourceVersion } from "./source.ts"

const BRANCH = "main"

/** A row, as far as it is read before its bytes are. */
interface Stored {
  readonly org: string
  readonly docid: string
  /** A clock of Redis: ms since 1970, `-`, and a count. */
  readonly t: string
}

/** Open all the places that were named. */
export const openYhub: OpenSource = async (where, { also, settings }) => {
  const addresses = [where, ...also]
  const databases = addresses.filter((address) => kindOf(address) === "postgres")
  const buckets = addresses.filter((address) => kindOf(address) === "files")
  const queues = addresses.filter((address) => kindOf(address) === "redis")
  if (databases.length !== 1 || buckets.length > 1 || queues.length > 1)
    throw new CommandError(
      "usage",
      "YHub is one postgres://…, with an s3://… and a redis://… where there are.",
    )
  const place = buckets.length === 0 ? null : await openPlace(buckets[0]!, settings)
  const sql = await openPostgres(databases[0]!)
  const redis = queues.length === 0 ? null : await Redis.open(queues[0]!)
  const close = async () => {
    redis?.close()
    await sql.end({ timeout: 5 })
  }
  try {
    const tables = await findTables(sql, ["yhub_ydoc_v1", "yhub_ydoc_tombstones_v1"])
    if (!tables.has("yhub_ydoc_v1"))
      throw new CommandError("bad-source", "The database has no table yhub_ydoc_v1: it is none of YHub's.")
    const rows = await sql<Stored[]>`SELECT org, docid, t FROM yhub_ydoc_v1 WHERE branch = ${BRANCH}`
    const deleted = new Set<string>()
    if (tables.has("yhub_ydoc_tombstones_v1"))
      for (const { org, docid } of await sql<Stored[]>`
        SELECT org, docid FROM yhub_ydoc_tombstones_v1 WHERE branch = ${BRANCH}`)
        deleted.add(idOf(org, docid))

    const read = async ({ org, docid, t }: Stored, isGc: boolean): Promise<Uint8Array | null> => {
      const [row] = await sql<{ value: Uint8Array | null }[]>`
        SELECT ${isGc ? sql`gcdoc` : sql`nongcdoc`} AS value FROM yhub_ydoc_v1
        WHERE org = ${org} AND docid = ${docid} AND branch = ${BRANCH} AND t = ${t}`
      if (row?.value == null) return null
      return updateOf(row.value, { place, path: pathOf({ org, docid, t }, isGc) })
    }

    const parts = new Parts()
    const stored = new Map<string, Stored[]>()
    for (const row of [...rows].sort((one, other) => compareClocks(one.t, other.t))) {
      const id = idOf(row.org, row.docid)
      if (deleted.has(id)) continue
      stored.set(id, [...(stored.get(id) ?? []), row])
      parts.add(id, async () => listed((await read(row, true)) ?? (await read(row, false))))
    }
    if (redis !== null) await addQueue(parts, { redis, address: queues[0]!, deleted })

    const versions = async (id: string): Promise<SourceVersion[]> => {
      const rows = stored.get(id) ?? []
      return rows.slice(0, -1).map((row, n) => ({
        key: row.t,
        name: null,
        at: new Date(Number(row.t.split("-")[0])).toISOString(),
        read: async () => {
          const updates: Uint8Array[] = []
          // What was deleted later is whole only in what was not collected.
          for (const earlier of rows.slice(0, n + 1))
            updates.push(...listed((await read(earlier, false)) ?? (await read(earlier, true))))
          return mergeAll(id, updates)
        },
      }))
    }
    return parts.source(close, (id) => ({ versions: () => versions(id) }))
  } catch (thrown) {
    await close()
    throw thrown
  }
}

async function addQueue(
  parts: Parts,
  { redis, address, deleted }: { redis: Redis; address: string; deleted: ReadonlySet<string> },
): Promise<void> {
  const begin = `${new URL(address).searchParams.get("prefix") ?? "yhub"}:room:`
  for await (const key of redis.scan(`${begin.replace(/[*?[\]\\^]/g, "\\$&")}*`, "stream")) {
    const [org = "", docid = "", branch] = key.slice(begin.length).split(":").map(decodeURIComponent)
    const id = idOf(org, docid)
    if (branch !== BRANCH || deleted.has(id)) continue
    parts.add(id, async () =>
      (await redis.messages(key)).flatMap((message) => {
        const { type, update } = assetIn(message)
        return type === "ydoc:update:v1" && update !== undefined ? [update] : []
      }),
    )
  }
}

async function updateOf(
  value: Uint8Array,
  { place, path }: { place: Place | null; path: string },
): Promise<Uint8Array> {
  const asset = assetIn(value)
  if (asset.update !== undefined) return asset.update
  if (asset.type !== "asset:retrievable:v1")
    throw new CommandError(
      "bad-source",
      `it holds a value of the type ${asset.type}, which this command does not know`,
    )
  if (place === null)
    throw new CommandError(
      "bad-source",
      `it lies in a bucket (${path}): name it, s3://…, behind the database`,
    )
  const { update } = assetIn(await place.read(path))
  if (update === undefined) throw new CommandError("bad-source", `${path} holds no document`)
  return update
}

/** @throws CommandError "bad-source" where it is no value of lib0 */
function assetIn(bytes: Uint8Array): { type: string; update?: Uint8Array } {
  let value: unknown
  try {
    value = decodeAny(bytes)
  } catch (thrown) {
    throw new CommandError("bad-source", `it holds what lib0 did not write: ${(thrown as Error).message}`)
  }
  const { type, update } = (typeof value === "object" && value !== null ? value : {}) as Record<
    string,
    unknown
  >
  return { type: String(type), ...(update instanceof Uint8Array && { update }) }
}

function pathOf({ org, docid, t }: Stored, isGc: boolean): string {
  return ["id:ydoc:v1", org, docid, BRANCH, isGc ? "1" : "0", t]
    .map((one, n) => (n === 0 ? one : encodeURIComponent(one)))
    .join("/")
}

function idOf(org: string, docid: string): string {
  return `${org}/${docid}`
}

function listed(update: Uint8Array | null): Uint8Array[] {
  return update === null ? [] : [update]
}

function compareClocks(one: string, other: string): number {
  const [ms = 0, count = 0] = one.split("-").map(Number)
  const [otherMs = 0, otherCount = 0] = other.split("-").map(Number)
  return ms - otherMs || count - otherCount
}
