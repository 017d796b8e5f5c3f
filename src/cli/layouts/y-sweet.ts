/**
 * The data folder or the bucket of a Y-Sweet server: `{id}/data.ysweet` each, as it is after the updates of a document were
 * folded into its state. See sources/y-sweet.ts for the bytes.
 */
import * as Y from "yjs"
import { openTarget } from "../place.ts"
import { CommandError } from "../terminal.ts"
import type { OpenLayout } from "./layout.ts"

/** The number of the only document of a store. */
const NUMBER = [0, 0, 0, 1]

/** Open the folder, or `s3://bucket/prefix`, that Y-Sweet is started with. */
export const writeYSweet: OpenLayout = async (where, settings) => {
  const target = openTarget(where, settings)
  return {
    has: (id) => target.has(pathOf(id)),
    write: (id, update) => target.write(pathOf(id), storeOf(update)),
    close: async () => {},
  }
}

/** @throws CommandError "failed" */
function pathOf(id: string): string {
  if (/^[\w-]+$/.test(id)) return `${id}/data.ysweet`
  throw new CommandError("failed", "Y-Sweet knows no such id: letters, digits, - and _ alone")
}

/** Entries in the order of their keys, lengths in 64 bits. */
function storeOf(update: Uint8Array): Uint8Array {
  const entries: [key: Uint8Array, value: Uint8Array][] = [
    [Buffer.from([0, 0, ...Buffer.from("doc"), 0]), Buffer.from(NUMBER)],
    [Buffer.from([0, 1, ...NUMBER, 0]), update],
    [Buffer.from([0, 1, ...NUMBER, 1]), Y.encodeStateVectorFromUpdate(update)],
  ]
  const parts = entries.flatMap(([key, value]) => [count(key.length), key, count(value.length), value])
  return Buffer.concat([count(entries.length), ...parts])
}

function count(value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt(value))
  return bytes
}
