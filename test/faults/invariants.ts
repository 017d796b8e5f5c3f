/**
 * What must hold after every fault.
 *
 * I1  What was acknowledged is there: over REST, for a newcomer, and on the disk.
 * I2  All replicas are equal in state vector, delete set and JSON.
 * I3  The archive's revision is ≤ the room's, never goes back, and catches up.
 * I4  Honest sockets stay open unless the fault cut them.
 * I5  The stored snapshot loads in a fresh Y.Doc.
 * I6  Nobody honest was refused or closed: no refusal frame, no notice, no close code of the room's.
 * I7  Nothing deleted is anywhere: in the room, in the archive, in an export, with a newcomer.
 * I8  Nothing saved waits: what was answered as saved or done is in the document, and readable.
 * I9  Nobody revoked is in: their sockets are closed within 5 s, and nothing they write after is in the document.
 * I10 What was acknowledged can be seen at its revision.
 */
import { cpSync, existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { crc32 } from "node:zlib"
import * as decoding from "lib0/decoding"
import * as Y from "yjs"
import type { Notice } from "../kit/client.ts"
import { until } from "../kit/until.ts"
import { contentOf } from "../kit/updates.ts"
import { Editor, HARMLESS } from "./editor.ts"
import type { FaultServer, RoomServer } from "./harness.ts"

export type Invariant = "I1" | "I2" | "I3" | "I4" | "I5" | "I6" | "I7" | "I8" | "I9" | "I10"

/** An invariant does not hold. */
export class Broken extends Error {
  override readonly name = "Broken"
  readonly invariant: Invariant
  /** How many acknowledged edits are gone. */
  readonly lost: number

  constructor(invariant: Invariant, message: string, { lost = 0 } = {}) {
    super(`[${invariant}] ${message}`)
    this.invariant = invariant
    this.lost = lost
  }
}

/** [I1] What these editors were told is saved is in this document. */
export function checkKept(doc: Y.Doc, editors: readonly Editor[], where: string): void {
  const lost = editors.flatMap((editor) => editor.lostIn(doc))
  if (lost.length === 0) return
  const first = lost.slice(0, 5).join(", ")
  throw new Broken("I1", `${lost.length} acknowledged edits are not ${where}: ${first}`, {
    lost: lost.length,
  })
}

/** [I1] The room has it, for REST and for a newcomer, though nobody else is here who could give it back. */
export async function checkRoomKept(
  server: RoomServer,
  id: string,
  editors: readonly Editor[],
): Promise<void> {
  const look = async () => {
    const newcomer = new Editor("newcomer", 1)
    await newcomer.connect(server, id)
    newcomer.detach()
    if (newcomer.refusals.length > 0)
      throw new Broken("I6", `A newcomer was refused: ${newcomer.refusals[0]}`)
    return { newcomer: newcomer.doc, exported: await server.exported(id) }
  }
  const { newcomer, exported } = await look()
  checkKept(newcomer, editors, "with a newcomer")
  checkKept(exported, editors, "in the export")
  // What a slow network still carries of those who left may come between two looks.
  await holds(async () => {
    const { newcomer, exported } = await look()
    checkEqual([exported, newcomer], ["the export", "a newcomer"])
  })
}

/** [I2] They are equal in state vector, delete set and JSON. */
export function checkEqual(docs: readonly Y.Doc[], names: readonly string[]): void {
  const [first, ...rest] = docs
  rest.forEach((doc, i) => {
    const pair = `${names[0]} and ${names[i + 1]}`
    if (!Y.equalSnapshots(Y.snapshot(first!), Y.snapshot(doc))) {
      const clocks = [first!, doc].map((one) => JSON.stringify([...Y.snapshot(one).sv]))
      throw new Broken("I2", `${pair} hold different structs or deletes: ${clocks.join(" and ")}`)
    }
    if (contentOf(first!) !== contentOf(doc)) throw new Broken("I2", `${pair} read different`)
  })
}

/** [I2] Everyone who is connected, and the room's export, come to the same document. */
export async function checkConverged(
  server: RoomServer,
  id: string,
  clients: readonly HonestClient[],
): Promise<void> {
  const names = ["the export", ...clients.map(({ name }) => name)]
  await holds(async () => {
    checkEqual([await server.exported(id), ...clients.map(({ doc }) => doc)], names)
  })
  for (const { name, faults = [] } of clients) {
    if (faults.length > 0) throw new Broken("I2", `${name} could not read the room: ${faults[0]}`)
  }
}

/** [I3] The archive gets all there is. */
export async function checkArchived(server: RoomServer, id: string): Promise<void> {
  let untrue: Broken | null = null
  await holds(async () => {
    // In this order: what is archived while we look only adds to the second.
    const [status, entry] = [await server.status(id), await server.listed(id)]
    if (status === null) throw new Broken("I3", "There is no room to compare with")
    const held = entry?.revision ?? 0
    const claimed = status.archivedRevision ?? 0
    if (held > status.revision) {
      // The room may have gone on while we looked.
      const { revision } = (await server.status(id))!
      if (held > revision) throw new Broken("I3", `The archive is at ${held}, the room at ${revision}`)
    }
    if (claimed > held) {
      untrue = new Broken("I3", `The room takes the archive to be at ${claimed}; it is at ${held}`)
      return
    }
    if (held < status.revision || claimed < held) {
      const error = status.archiveError ?? "no error"
      throw new Broken("I3", `The archive stays at ${held}, the room is at ${status.revision}: ${error}`)
    }
  })
  // A claim that is not true does not get better by waiting.
  if (untrue !== null) throw untrue
}

/** [I3] Watches that the archive's revision never goes back, until the returned function is called. */
export function watchArchive(revisionOf: () => Promise<number | null>): () => Promise<void> {
  let watches = true
  const done = (async () => {
    let highest = 0
    while (watches) {
      // A database that is down says nothing.
      const revision = await revisionOf().catch(() => null)
      if (revision !== null && revision < highest) {
        throw new Broken("I3", `The archive went back from ${highest} to ${revision}`)
      }
      highest = Math.max(highest, revision ?? 0)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  })()
  done.catch(() => {}) // told when it is asked
  return async () => {
    watches = false
    await done
  }
}

/** What is looked at of somebody honest: an editor, or a stock client. */
export interface HonestClient {
  readonly name: string
  readonly doc: Y.Doc
  readonly losses: readonly number[]
  readonly refusals: readonly string[]
  readonly notices?: readonly Notice[]
  readonly faults?: readonly unknown[]
}

/** [I6] Nobody was refused, told off or closed by the room. */
export function checkWelcome(clients: readonly HonestClient[]): void {
  for (const { name, losses, refusals, notices = [] } of clients) {
    if (refusals.length > 0) throw new Broken("I6", `The room refused ${name}: ${refusals[0]}`)
    if (notices.length > 0) {
      throw new Broken("I6", `The room told ${name}: ${notices[0]!.code}, ${notices[0]!.message}`)
    }
    const closed = losses.filter((code) => !HARMLESS.includes(code))
    if (closed.length > 0) throw new Broken("I6", `The room closed ${name} with ${closed.join(", ")}`)
  }
}

/** [I4] Nobody lost a connection but by the fault, which cut each this many times. [I6] */
export function checkSockets(clients: readonly HonestClient[], { cuts = 0 } = {}): void {
  checkWelcome(clients)
  for (const { name, losses } of clients) {
    if (losses.length > cuts) {
      throw new Broken("I4", `${name} lost ${losses.length} connections, ${cuts} by the fault`)
    }
  }
}

/** [I7] No struct of a deleted document is in this one. */
export function checkGone(deleted: Y.Doc, doc: Y.Doc, where: string): void {
  const back = [...Y.decodeStateVector(Y.encodeStateVector(deleted)).keys()].filter(
    (client) => Y.getState(doc.store, client) > 0,
  )
  if (back.length > 0) {
    throw new Broken("I7", `What clients ${back.join(", ")} wrote was deleted, and is ${where}`)
  }
}

/**
 * [I7] Nothing of a deleted document is in the room, by REST or for a newcomer, nor in the archive.
 *
 * @param archived what the archive holds; null where it holds no such document
 */
export async function checkGoneEverywhere(
  server: RoomServer,
  id: string,
  { deleted, archived }: { deleted: Y.Doc; archived: () => Promise<Y.Doc | null> },
): Promise<void> {
  checkGone(deleted, await server.exported(id), "in the export")
  const newcomer = new Editor("newcomer", 1)
  try {
    await newcomer.connect(server, id)
    checkGone(deleted, newcomer.doc, "with a newcomer")
  } finally {
    newcomer.detach()
  }
  const copy = await archived()
  if (copy !== null) checkGone(deleted, copy, "in the archive")
}

/** [I1] The archive's copy has all that these editors were told is saved, now or soon. */
export async function checkArchiveKept(
  archived: () => Promise<Y.Doc | null>,
  editors: readonly Editor[],
  patience: { timeoutMs?: number } = {},
): Promise<void> {
  await holds(async () => checkKept((await archived()) ?? new Y.Doc(), editors, "in the archive"), patience)
}

/** [I1] [I5] What is on the disk of a server that is down: the snapshot loads, and with the log it has everything. */
export function checkStored(server: FaultServer, id: string, editors: readonly Editor[] = []): void {
  const { snapshot, updates } = readStored(server.databaseOf(id))
  const doc = new Y.Doc()
  try {
    if (snapshot !== null) Y.applyUpdate(doc, snapshot)
  } catch (thrown) {
    throw new Broken("I5", `The snapshot of ${snapshot?.length} bytes does not load: ${thrown}`)
  }
  if (doc.store.pendingStructs !== null)
    throw new Broken("I5", "The snapshot waits for structs it does not hold")
  for (const update of updates) Y.applyUpdate(doc, update)
  checkKept(doc, editors, "on the disk")
}

/** A room's database as bytes: its snapshot and its log. Reads a copy, since a look writes to a database in WAL mode. */
export function readStored(path: string): { snapshot: Uint8Array | null; updates: Uint8Array[] } {
  const folder = mkdtempSync(join(tmpdir(), "yurt-stored-"))
  try {
    for (const suffix of ["", "-wal"]) {
      if (existsSync(path + suffix)) cpSync(path + suffix, join(folder, `room.sqlite${suffix}`))
    }
    const database = new DatabaseSync(join(folder, "room.sqlite"))
    const hasTables = database.prepare("SELECT 1 FROM sqlite_master WHERE name = 'snapshot'").all().length > 0
    if (!hasTables) return { snapshot: null, updates: [] }
    const values = (query: string) =>
      (database.prepare(query).all() as { crc: number; bytes: Uint8Array; revision?: number }[]).map(
        (row) => {
          if (crc32(row.bytes) !== row.crc)
            throw new Broken("I5", `A stored value fails its checksum: ${query}`)
          return row
        },
      )
    const parts = values("SELECT crc, bytes FROM snapshot ORDER BY part")
    const commits = new Map<number, Uint8Array[]>()
    for (const { revision, bytes } of values("SELECT revision, crc, bytes FROM log ORDER BY id")) {
      const commit = commits.get(revision!)
      if (commit === undefined) commits.set(revision!, [bytes])
      else commit.push(bytes)
    }
    database.close()
    const updates: Uint8Array[] = []
    for (const commit of commits.values()) {
      const decoder = decoding.createDecoder(Buffer.concat(commit))
      while (decoding.hasContent(decoder)) updates.push(decoding.readVarUint8Array(decoder))
    }
    const snapshot =
      parts.length === 0 ? null : new Uint8Array(Buffer.concat(parts.map(({ bytes }) => bytes)))
    return { snapshot, updates }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Wait until a check passes; where it never does, throw what it threw last. */
export async function holds(check: () => Promise<void>, { timeoutMs = 20_000 } = {}): Promise<void> {
  let broken: unknown
  await until(
    async () => {
      try {
        await check()
        return true
      } catch (thrown) {
        broken = thrown
        return false
      }
    },
    "it holds",
    { timeoutMs },
  ).catch(() => {
    throw broken
  })
}
