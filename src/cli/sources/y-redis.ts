/**
 * y-redis: what Redis has of each document, and the storage that its workers bring it to. Name all places that yours has:
 * `redis://…`, `postgres://…`, `s3://…`.
 *
 *     stream {prefix}:room:{room}:{docid}[:{branch}]    entries with a field m: 00 02 and a Yjs V1 update, or awareness
 *     list {name}:updates                               the y-redis of 2020: a Yjs V1 update each
 *     table yredis_docs_v1(room, doc, r, update, sv)    a Yjs V2 update each
 *     table yredis_docs_v2(room, doc, branch, gc, r, update, sv)
 *     object {room}/{docid}[/{branch}/{gc}]/{r}         a Yjs V2 update each
 *
 * Names are percent-encoded, but in tables. A client that opens `/notes` writes room "notes", docid "index": that is the
 * document `notes`; another docid is `notes/{docid}`. The branch is "main"; of a document that is there twice, garbage
 * collected and not (gc), the collected one is read. The prefix is "y", or `?prefix=` of the address.
 *
 * @source yjs/y-redis, src/api.js, src/storage/postgres.js and s3.js; y-redis 1.0.3, src/y-redis.js
 */
import * as decoding from "lib0/decoding"
import * as Y from "yjs"
import { openPlace } from "../place.ts"
import { Redis } from "../redis.ts"
import type { Settings } from "../settings.ts"
import { CommandError } from "../terminal.ts"
import { kindOf, Parts } from "./parts.ts"
import { findTables, openPostgres } from "./postgres.ts"
import type { OpenSource } from "./source.ts"

const BRANCH = "main"

/** Open all the places that were named. */
export const openYRedis: OpenSource = async (where, { also, settings }) => {
  const parts = new Parts()
  const closes: (() => Promise<void>)[] = []
  const close = async () => {
    for (const close of closes.splice(0)) await close()
  }
  try {
    for (const address of [where, ...also]) {
      const kind = kindOf(address)
      if (kind === "redis") closes.push(await addRedis(parts, address))
      else if (kind === "postgres") closes.push(await addPostgres(parts, address))
      else await addFiles(parts, { address, settings })
    }
    if (parts.isEmpty) throw new CommandError("bad-source", `${where} holds nothing of y-redis.`)
  } catch (thrown) {
    await close()
    throw thrown
  }
  return parts.source(close)
}

async function addRedis(parts: Parts, address: string): Promise<() => Promise<void>> {
  const prefix = new URL(address).searchParams.get("prefix") ?? "y"
  const redis = await Redis.open(address)
  const begin = `${prefix}:room:`
  for await (const key of redis.scan(`${begin.replace(/[*?[\]\\^]/g, "\\$&")}*`, "stream")) {
    const [room = "", doc = "", branch = BRANCH] = key.slice(begin.length).split(":").map(decodeURIComponent)
    if (branch !== BRANCH) continue
    parts.add(idOf(room, doc), async () => (await redis.messages(key)).flatMap(updateIn))
  }
  for await (const key of redis.scan("*:updates", "list"))
    parts.add(key.slice(0, -":updates".length), () => redis.items(key))
  return async () => redis.close()
}

/** The update in a message; none where it is about who is there. */
function updateIn(message: Uint8Array): Uint8Array[] {
  const decoder = decoding.createDecoder(message)
  const isUpdate = decoding.readVarUint(decoder) === 0 && decoding.readVarUint(decoder) === 2
  return isUpdate ? [decoding.readVarUint8Array(decoder)] : []
}

async function addPostgres(parts: Parts, address: string): Promise<() => Promise<void>> {
  const sql = await openPostgres(address)
  const tables = await findTables(sql, ["yredis_docs_v1", "yredis_docs_v2"])
  type Name = { room: string; doc: string }
  type Row = { update: Uint8Array }
  if (tables.has("yredis_docs_v1"))
    for (const { room, doc } of await sql<Name[]>`SELECT DISTINCT room, doc FROM yredis_docs_v1`)
      parts.add(idOf(room, doc), async () =>
        convert(
          await sql<
            Row[]
          >`SELECT update FROM yredis_docs_v1 WHERE room = ${room} AND doc = ${doc} ORDER BY r`,
        ),
      )
  if (tables.has("yredis_docs_v2"))
    for (const { room, doc, gc } of await sql<(Name & { gc: boolean })[]>`
      SELECT room, doc, bool_or(gc) AS gc FROM yredis_docs_v2 WHERE branch = ${BRANCH} GROUP BY room, doc`)
      parts.add(idOf(room, doc), async () =>
        convert(
          await sql<Row[]>`
          SELECT update FROM yredis_docs_v2
          WHERE room = ${room} AND doc = ${doc} AND branch = ${BRANCH} AND gc = ${gc} ORDER BY r`,
        ),
      )
  return () => sql.end({ timeout: 5 })
}

async function addFiles(
  parts: Parts,
  { address, settings }: { address: string; settings: Settings },
): Promise<void> {
  const place = await openPlace(address, settings)
  /** Objects by document; of those that are there twice, collected and not, the collected ones. */
  const objects = new Map<string, { path: string; gc: boolean }[]>()
  for await (const path of place.list()) {
    const names = path.split("/").map(decodeURIComponent)
    const [room = "", doc = "", branch = BRANCH, gc = "true"] = names.length === 3 ? names.slice(0, 2) : names
    if ((names.length !== 3 && names.length !== 5) || branch !== BRANCH) continue
    const id = idOf(room, doc)
    objects.set(id, [...(objects.get(id) ?? []), { path, gc: gc === "true" }])
  }
  for (const [id, all] of objects) {
    const collected = all.filter(({ gc }) => gc)
    for (const { path } of collected.length > 0 ? collected : all)
      parts.add(id, async () => convert([{ update: await place.read(path) }]))
  }
}

function idOf(room: string, doc: string): string {
  return doc === "index" ? room : `${room}/${doc}`
}

/** @throws CommandError "bad-source" where they are none */
function convert(rows: readonly { update: Uint8Array }[]): Uint8Array[] {
  try {
    return rows.map(({ update }) => Y.convertUpdateFormatV2ToV1(update))
  } catch (thrown) {
    throw new CommandError("bad-source", `it holds what is no Yjs V2 update: ${(thrown as Error).message}`)
  }
}
