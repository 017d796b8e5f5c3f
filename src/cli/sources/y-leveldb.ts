/**
 * y-leveldb, which y-websocket's server before version 3 kept its documents in: a LevelDB whose keys are lists,
 * `["v1", document, "update", clock]` for each update, a Yjs V1 update.
 *
 * A list is its items one after another: `00` and a var string, or `01` and a big-endian number of 32 bits. The database is
 * read by classic-level, which whoever has such a store has installed with y-leveldb.
 *
 * @source y-leveldb 0.2, src/y-leveldb.js
 */
import { existsSync } from "node:fs"
import { createRequire } from "node:module"
import { join } from "node:path"
import * as decoding from "lib0/decoding"
import * as encoding from "lib0/encoding"
import * as Y from "yjs"
import { entryOf, findPackage } from "../packages.ts"
import { CommandError } from "../terminal.ts"
import type { OpenSource, SourceDocument } from "./source.ts"

/** The part of classic-level that is used here, which is the same in its versions 1 to 3. */
interface Level {
  open(): Promise<void>
  close(): Promise<void>
  keys(range: {
    gte: Buffer
    lt: Buffer
    limit?: number
  }): AsyncIterable<Buffer> & { next(): Promise<Buffer | undefined> }
  values(range: { gte: Buffer; lt: Buffer }): AsyncIterable<Buffer>
}

type LevelClass = new (
  path: string,
  options: { keyEncoding: "buffer"; valueEncoding: "buffer"; createIfMissing: false },
) => Level

/** Open the folder that was given to `new LeveldbPersistence`, or to y-websocket as YPERSISTENCE. */
export const openYLeveldb: OpenSource = async (where) => {
  if (!existsSync(join(where, "CURRENT")))
    throw new CommandError("bad-source", `${where} is no folder of a LevelDB: it has no file CURRENT.`)
  const ClassicLevel = await loadLevel()
  const level = new ClassicLevel(where, {
    keyEncoding: "buffer",
    valueEncoding: "buffer",
    createIfMissing: false,
  })
  try {
    await level.open()
  } catch (thrown) {
    const cause = thrown instanceof Error && thrown.cause instanceof Error ? thrown.cause : (thrown as Error)
    throw new CommandError(
      "bad-source",
      `${where} cannot be opened: ${cause.message}.`,
      "Only one process can have a LevelDB open. Stop its server, or copy the folder and import the copy.",
    )
  }
  return {
    async *documents(): AsyncGenerator<SourceDocument> {
      let from = keyOf("v1")
      for (;;) {
        const [key] = await firstKey(level, from)
        if (key === undefined) return
        const name = documentOf(key)
        if (name === null) return
        // Behind everything of this document: what follows a string is a 00 or a 01.
        from = Buffer.concat([keyOf("v1", name), Buffer.from([0xff])])
        const range = { gte: keyOf("v1", name, "update"), lt: endOf(keyOf("v1", name, "update")) }
        yield {
          id: name,
          async read() {
            const updates: Uint8Array[] = []
            for await (const update of level.values(range)) updates.push(update)
            return updates.length === 0 ? Y.encodeStateAsUpdate(new Y.Doc()) : Y.mergeUpdates(updates)
          },
        }
      }
    },
    close: () => level.close(),
  }
}

async function firstKey(level: Level, from: Buffer): Promise<Buffer[]> {
  const keys: Buffer[] = []
  for await (const key of level.keys({ gte: from, lt: endOf(keyOf("v1")), limit: 1 })) keys.push(key)
  return keys
}

/** @returns null where the key belongs to no document */
function documentOf(key: Buffer): string | null {
  const decoder = decoding.createDecoder(key)
  const read = () => (decoding.readUint8(decoder) === 0 ? decoding.readVarString(decoder) : null)
  return read() === "v1" ? read() : null
}

function keyOf(...items: string[]): Buffer {
  return Buffer.from(
    encoding.encode((encoder) => {
      for (const item of items) {
        encoding.writeUint8(encoder, 0)
        encoding.writeVarString(encoder, item)
      }
    }),
  )
}

/** Behind all keys that begin with these items. */
function endOf(prefix: Buffer): Buffer {
  return Buffer.concat([prefix, Buffer.from([0xff])])
}

/** @throws CommandError "not-installed" */
async function loadLevel(): Promise<LevelClass> {
  const found = findPackage("classic-level", ["level", "y-leveldb/node_modules/level"])
  if (found === null)
    throw new CommandError(
      "not-installed",
      "A LevelDB is read by classic-level, which is not installed here.",
      "npm install classic-level",
    )
  const { ClassicLevel } = createRequire(import.meta.url)(entryOf(found)) as { ClassicLevel: LevelClass }
  return ClassicLevel
}
