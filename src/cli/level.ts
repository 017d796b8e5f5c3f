/**
 * A LevelDB as y-leveldb keeps its documents in one: keys are lists, `["v1", document, "update", clock]` for each update,
 * and `["v1_sv", document]` for the state vector of them all.
 *
 * A list is its items one after another: `00` and a var string, or `01` and a big-endian number of 32 bits. It is opened by
 * classic-level, which whoever has such a store has installed with y-leveldb.
 *
 * @source y-leveldb 0.2, src/y-leveldb.js
 */
import { createRequire } from "node:module"
import * as encoding from "lib0/encoding"
import { entryOf, findPackage } from "./packages.ts"
import { CommandError } from "./terminal.ts"

/** The part of classic-level that is used here, which is the same in its versions 1 to 3. */
export interface Level {
  open(): Promise<void>
  close(): Promise<void>
  keys(range: { gte: Buffer; lt: Buffer; limit?: number }): AsyncIterable<Buffer>
  values(range: { gte: Buffer; lt: Buffer }): AsyncIterable<Buffer>
  batch(
    operations: ({ type: "put"; key: Buffer; value: Buffer } | { type: "del"; key: Buffer })[],
  ): Promise<void>
}

type LevelClass = new (
  path: string,
  options: { keyEncoding: "buffer"; valueEncoding: "buffer"; createIfMissing: boolean },
) => Level

/**
 * Open a LevelDB.
 * @param create make it where there is none
 * @throws CommandError "not-installed", "bad-source" where it cannot be opened
 */
export async function openLevel(where: string, { create }: { create: boolean }): Promise<Level> {
  const ClassicLevel = loadLevel()
  const level = new ClassicLevel(where, {
    keyEncoding: "buffer",
    valueEncoding: "buffer",
    createIfMissing: create,
  })
  try {
    await level.open()
    return level
  } catch (thrown) {
    const cause = thrown instanceof Error && thrown.cause instanceof Error ? thrown.cause : (thrown as Error)
    throw new CommandError(
      "bad-source",
      `${where} cannot be opened: ${cause.message}.`,
      "Only one process can have a LevelDB open. Stop its server, or copy the folder and use the copy.",
    )
  }
}

/** A list as a key; a number is a clock. */
export function keyOf(...items: (string | number)[]): Buffer {
  return Buffer.from(
    encoding.encode((encoder) => {
      for (const item of items) {
        encoding.writeUint8(encoder, typeof item === "string" ? 0 : 1)
        if (typeof item === "string") encoding.writeVarString(encoder, item)
        else encoding.writeUint32BigEndian(encoder, item)
      }
    }),
  )
}

/** Behind all keys that begin with these items: what follows them is a 00 or a 01. */
export function endOf(prefix: Buffer): Buffer {
  return Buffer.concat([prefix, Buffer.from([0xff])])
}

/** @throws CommandError "not-installed" */
function loadLevel(): LevelClass {
  const found = findPackage("classic-level", ["level", "y-leveldb/node_modules/level"])
  if (found === null)
    throw new CommandError(
      "not-installed",
      "A LevelDB is read and written by classic-level, which is not installed here.",
      "npm install classic-level",
    )
  const { ClassicLevel } = createRequire(import.meta.url)(entryOf(found)) as { ClassicLevel: LevelClass }
  return ClassicLevel
}
