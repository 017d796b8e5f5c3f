/**
 * y-leveldb, which y-websocket's server before version 3 kept its documents in: each update under a key of its own, a Yjs V1
 * update. See level.ts for the keys.
 */
import { existsSync } from "node:fs"
import { join } from "node:path"
import * as decoding from "lib0/decoding"
import * as Y from "yjs"
import { endOf, keyOf, type Level, openLevel } from "../level.ts"
import { CommandError } from "../terminal.ts"
import type { OpenSource, SourceDocument } from "./source.ts"

/** Open the folder that was given to `new LeveldbPersistence`, or to y-websocket as YPERSISTENCE. */
export const openYLeveldb: OpenSource = async (where) => {
  if (!existsSync(join(where, "CURRENT")))
    throw new CommandError("bad-source", `${where} is no folder of a LevelDB: it has no file CURRENT.`)
  const level = await openLevel(where, { create: false })
  return {
    async *documents(): AsyncGenerator<SourceDocument> {
      let from = keyOf("v1")
      for (;;) {
        const [key] = await firstKey(level, from)
        if (key === undefined) return
        const name = documentOf(key)
        if (name === null) return
        // Behind everything of this document.
        from = endOf(keyOf("v1", name))
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
