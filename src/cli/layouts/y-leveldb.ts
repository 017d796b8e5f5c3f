/** y-leveldb: each document as one update, and its state vector, as `flushDocument` leaves it. See level.ts for the keys. */
import * as encoding from "lib0/encoding"
import * as Y from "yjs"
import { endOf, keyOf, openLevel } from "../level.ts"
import type { OpenLayout } from "./layout.ts"

/** Open the folder that is given to `new LeveldbPersistence`. */
export const writeYLeveldb: OpenLayout = async (where) => {
  const level = await openLevel(where, { create: true })
  const keysOf = async (id: string) => {
    const keys: Buffer[] = []
    const updates = keyOf("v1", id, "update")
    for await (const key of level.keys({ gte: updates, lt: endOf(updates) })) keys.push(key)
    return keys
  }
  return {
    has: async (id) => (await keysOf(id)).length > 0,
    async write(id, update) {
      const vector = encoding.encode((encoder) => {
        // The clock that the state vector is of.
        encoding.writeVarUint(encoder, 0)
        encoding.writeVarUint8Array(encoder, Y.encodeStateVectorFromUpdate(update))
      })
      const before = await keysOf(id)
      await level.batch([
        ...before.map((key) => ({ type: "del" as const, key })),
        { type: "put", key: keyOf("v1", id, "update", 0), value: Buffer.from(update) },
        { type: "put", key: keyOf("v1_sv", id), value: Buffer.from(vector) },
      ])
    },
    close: () => level.close(),
  }
}
