/** Faults: the disk, the database files, the memory and the clock under a room. */
import { execFileSync } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { documentPath } from "../kit/addresses.ts"
import { until } from "../kit/until.ts"
import type { Editor } from "./editor.ts"
import type { FaultServer } from "./harness.ts"
import { Broken, checkArchived, checkConverged, checkRoomKept, checkSockets } from "./invariants.ts"
import type { Fault, Round } from "./round.ts"

const DAY_MS = 24 * 3600 * 1000

/** The disk of a server, small enough to fill. */
interface SmallDisk {
  readonly folder?: string
  /** Without a disk of its own the server gets a limit for its files. */
  readonly fileBytes?: number
  /** From now on nothing more fits. */
  fill(): void
  empty(): void
}

/** A tmpfs where the process may mount one (Linux, root), else null. */
function mountSmallDisk(round: Round): SmallDisk | null {
  const folder = mkdtempSync(join(tmpdir(), "yurt-small-disk-"))
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=4m", "tmpfs", folder], { stdio: "ignore" })
  } catch {
    rmSync(folder, { recursive: true })
    return null
  }
  round.atEnd(() => {
    execFileSync("umount", ["--lazy", folder])
    rmSync(folder, { recursive: true })
  })
  const ballast = join(folder, "ballast")
  return {
    folder,
    fill() {
      mkdirSync(ballast)
      // Down to the last page.
      for (const bytes of [256 * 1024, 4096]) {
        try {
          for (let i = 0; ; i++) writeFileSync(join(ballast, `${bytes}-${i}`), Buffer.alloc(bytes, 1))
        } catch (thrown) {
          if ((thrown as NodeJS.ErrnoException).code !== "ENOSPC") throw thrown
        }
      }
    },
    empty: () => rmSync(ballast, { recursive: true }),
  }
}

/** A room with things in its log and snapshot, kept and down; its editors hold all of it. */
async function writeAndKill(round: Round, { folded }: { folded: boolean }) {
  const { server, receiver } = await round.serveArchived()
  const id = round.id()
  const editors = await round.enter(server, id, 2, folded ? { company: false } : {})
  for (const editor of editors) editor.write(20)
  await Promise.all(editors.map((editor) => editor.allSaved()))
  if (folded) {
    for (const editor of editors) editor.detach()
    await until(async () => (await server.status(id))?.logRows === 0, "the log is folded in")
    await checkArchived(server, id)
    await Promise.all(editors.map((editor) => editor.connect(server, id)))
  }
  for (let i = 0; i < 3; i++) {
    for (const editor of editors) editor.write(5)
    await Promise.all(editors.map((editor) => editor.allSaved()))
  }
  await checkConverged(server, id, editors)
  await server.locate(id)
  await server.kill()
  return { server, receiver, id, editors }
}

/**
 * A room whose snapshot is all there is of it in the room, and whose archive has the same: kept and down. Its editors
 * hold all of it, and are away.
 */
export async function writeAndFold(
  round: Round,
  server: FaultServer,
): Promise<{ id: string; editors: Editor[] }> {
  const id = round.id()
  const editors = await round.enter(server, id, 2, { company: false })
  // One struct of many letters: an update that stands between two of them cannot be judged by its bytes alone.
  editors[0]!.doc.getText("thesis").insert(0, "The whole thesis. ".repeat(20))
  for (const editor of editors) editor.write(40)
  await Promise.all(editors.map((editor) => editor.allSaved()))
  for (const editor of editors) editor.detach()
  await until(async () => (await server.status(id))?.logRows === 0, "the log is folded in")
  await checkArchived(server, id)
  await server.locate(id)
  await server.kill()
  return { id, editors }
}

/** Flip one bit of a value in a room's database. */
export function flipBit(round: Round, path: string, table: "log" | "snapshot" | "past_bytes"): void {
  const database = new DatabaseSync(path)
  const key = table === "log" ? "id" : table === "snapshot" ? "part" : "rowid"
  const rows = database.prepare(`SELECT ${key} AS key, bytes FROM ${table}`).all() as {
    key: number
    bytes: Uint8Array
  }[]
  const { key: of, bytes } = rows[round.below(rows.length)]!
  const at = round.below(bytes.length)
  bytes[at] = bytes[at]! ^ (1 << round.below(8))
  database.prepare(`UPDATE ${table} SET bytes = ? WHERE ${key} = ?`).run(bytes, of)
  database.close()
}

/** The room reports the damage, and those who hold what is missing give it back. */
async function checkHealed(
  round: Round,
  { server, id, editors }: Awaited<ReturnType<typeof writeAndKill>>,
): Promise<void> {
  await server.restart()
  for (const editor of editors) editor.detach()
  await Promise.all(editors.map((editor) => editor.connect(server, id)))
  // The document is hydrated by an export at the latest: then the damage is seen.
  await server.exported(id)
  if (((await server.status(id))?.quarantined ?? 0) === 0) {
    throw new Broken("I5", "A flipped bit went unnoticed")
  }
  await round.settle(server, id, { editors, cuts: 1, alone: false })
}

export const STORAGE: readonly Fault[] = [
  {
    name: "a full disk, and space again",
    rule: "D1",
    rounds: { short: 1, long: 3 },
    async strike(round) {
      const disk = mountSmallDisk(round)
      const { server } = await round.serveArchived(disk === null ? {} : { folder: disk.folder! })
      const id = round.id()
      const editors = await round.enter(server, id, 2, { company: false })
      for (const editor of editors) editor.write(10)
      await Promise.all(editors.map((editor) => editor.allSaved()))
      if (disk === null) {
        // A file of the room may not grow beyond what it is now.
        await server.kill()
        await server.restart({ fileBytes: 96 * 1024 })
        for (const editor of editors) editor.forgive()
        await Promise.all(editors.map((editor) => editor.connect(server, id)))
      } else disk.fill()
      // Larger than the free pages of the files that are open.
      const text = editors[0]!.doc.getText("text")
      text.insert(0, "x".repeat(600_000))
      for (const editor of editors) {
        editor.write(3)
        editor.ask()
      }
      // The platform puts a room that it cannot store out of memory, and its sockets with it.
      await until(() => editors.every(({ connected }) => !connected), "the room is gone")
      for (const editor of editors) editor.write(3)
      if (disk === null) {
        await server.kill()
        await server.restart({ fileBytes: undefined })
      } else disk.empty()
      // It had to cut them: what it cannot store it must not promise.
      for (const editor of editors) {
        editor.detach()
        editor.forgive()
      }
      await checkRoomKept(server, id, editors)
      await round.settle(server, id, { editors, cuts: 0 })
    },
  },
  {
    name: "a write that fails, and a kill before it is tried again",
    rule: "D1",
    rounds: { short: 1, long: 5 },
    async strike(round) {
      const { server } = await round.serveArchived()
      const id = round.id()
      const editors = await round.enter(server, id, 2)
      for (const editor of editors) editor.write(5)
      await Promise.all(editors.map((editor) => editor.allSaved()))
      await server.inject({ fail: { step: "^sql INSERT INTO log", times: 1_000 } })
      for (const editor of editors) {
        editor.write(5)
        editor.ask()
      }
      await until(() => server.output.includes("a step fails"), "the write fails")
      // What it sent before is here by now, for answers of one server do not overtake each other by much.
      await server.status(id)
      await server.status(id)
      await server.kill()
      await server.restart()
      for (const editor of editors) {
        editor.detach()
        editor.forgive()
      }
      await round.settle(server, id, { editors })
    },
  },
  {
    name: "a write that fails once",
    rule: "D1",
    rounds: { short: 1, long: 5 },
    async strike(round) {
      // No archive, whose alarm would commit as well.
      const server = await round.serve()
      const id = round.id()
      const editors = await round.enter(server, id, 2)
      // In the turn of a message or in that of a timer.
      if (round.below(2) === 0) for (const editor of editors) editor.write()
      await server.inject({ fail: { step: "^sql INSERT INTO log", times: 1 } })
      for (const editor of editors) {
        editor.write(5)
        editor.ask()
      }
      await until(() => server.output.includes("a step fails"), "the write fails")
      // Who lost the connection over it comes back; nobody else does anything.
      await until(
        () => {
          for (const editor of editors) if (!editor.connected) editor.open(server, id)
          return editors.every(({ acknowledged, made }) => acknowledged === made)
        },
        "everyone is told that all is saved",
        { timeoutMs: 10_000, everyMs: 200 },
      )
      for (const editor of editors) editor.forgive()
      await round.settle(server, id, { editors, archived: false })
    },
  },
  {
    name: "an edit by the room's own hand, which the disk does not take, and another",
    rule: "D10",
    rounds: { short: 1, long: 5 },
    async strike(round) {
      // No archive, whose alarm would commit as well.
      const server = await round.serve()
      const id = round.id()
      const editors = await round.enter(server, id, 2)
      for (const editor of editors) editor.write(5)
      await Promise.all(editors.map((editor) => editor.allSaved()))
      const post = async (body: string) =>
        (await server.request(documentPath(id), { method: "POST", body })).status
      await server.inject({ fail: { step: "^sql INSERT INTO log", times: 1 } })
      const refused = await post("an entry that nobody may see")
      if (refused !== 503)
        throw new Broken("I8", `An edit that is not on the disk was answered with ${refused}`)
      const taken = await post("another")
      if (taken !== 200) throw new Error(`POST: ${taken}`)
      const seen = () => editors.map(({ doc }) => doc.getMap("server").get("entry"))
      await until(() => seen().every((entry) => entry !== undefined), "the edit is seen")
      if (!seen().every((entry) => entry === "another"))
        throw new Broken("I2", "An edit was shown whose commit has failed")
      await round.settle(server, id, { editors, archived: false })
    },
  },
  {
    name: "folded into a snapshot twice, and a kill",
    rule: "D4",
    rounds: { short: 1, long: 5 },
    async strike(round) {
      const { server } = await round.serveArchived()
      const id = round.id()
      const editors = round.editors(2)
      for (let i = 0; i < 2; i++) {
        await Promise.all(editors.map((editor) => editor.connect(server, id)))
        for (const editor of editors) editor.write(20)
        await Promise.all(editors.map((editor) => editor.allSaved()))
        for (const editor of editors) editor.detach()
        await until(async () => (await server.status(id))?.logRows === 0, "the log is folded in")
      }
      await server.kill()
      await server.restart()
      await round.settle(server, id, { editors })
    },
  },
  {
    name: "a flipped bit in a log row",
    rule: "D6",
    rounds: { short: 1, long: 5 },
    async strike(round) {
      const room = await writeAndKill(round, { folded: false })
      flipBit(round, room.server.databaseOf(room.id), "log")
      await checkHealed(round, room)
    },
  },
  {
    name: "a flipped bit in a snapshot",
    rule: "D6",
    rounds: { short: 1, long: 5 },
    async strike(round) {
      const room = await writeAndKill(round, { folded: true })
      flipBit(round, room.server.databaseOf(room.id), "snapshot")
      await checkHealed(round, room)
    },
  },
  {
    name: "a deleted -wal file",
    rule: "D6",
    rounds: { short: 1, long: 5 },
    async strike(round) {
      const { server, id, editors } = await writeAndKill(round, { folded: round.below(2) === 0 })
      rmSync(`${server.databaseOf(id)}-wal`)
      rmSync(`${server.databaseOf(id)}-shm`, { force: true })
      await server.restart()
      // The disk has lost it; whoever was there, and the archive, still hold it.
      await round.settle(server, id, { editors, cuts: 1, alone: false })
    },
  },
  {
    name: "a deploy under load",
    rule: "D2",
    rounds: { short: 1, long: 5 },
    async strike(round) {
      const { server } = await round.serveArchived()
      const id = round.id()
      const editors = await round.enter(server, id, 4)
      const stops = editors.map((editor) => editor.keepWriting())
      await until(() => editors.every(({ acknowledged }) => acknowledged > 5), "something is acknowledged")
      await server.deploy({ patches: [NEW_RELEASE] })
      await Promise.all(editors.map((editor) => editor.connect(server, id)))
      const before = editors.map(({ acknowledged }) => acknowledged)
      await until(() => editors.every(({ acknowledged }, i) => acknowledged > before[i]!), "they go on")
      for (const stop of stops) await stop()
      await round.settle(server, id, { editors, cuts: 1 })
    },
  },
  sleepsOn("webhook", { short: 1, long: 2 }, async (round) => (await round.serveArchived()).server),
  sleepsOn("Postgres", { short: 0, long: 2 }, async (round) => {
    const vars = await round.postgresVars()
    return round.serve({ vars, limits: { flushMs: 500 } })
  }),
  {
    name: "eviction after 10 s of idling, with nobody connected",
    rule: "D2",
    rounds: { short: 0, long: 2 },
    async strike(round) {
      const { server } = await round.serveArchived()
      const id = round.id()
      const editors = await round.enter(server, id, 2, { company: false })
      for (const editor of editors) editor.write(10)
      await Promise.all(editors.map((editor) => editor.allSaved()))
      for (const editor of editors) editor.detach()
      await wakesAnew(server, id, () => checkRoomKept(server, id, editors))
      await round.settle(server, id, { editors })
    },
  },
  {
    name: "the wall clock a day back, while people type",
    rule: "D1",
    rounds: { short: 1, long: 3 },
    async strike(round) {
      // So long that the clock is set while a commit gathers. No archive, whose alarm would commit as well.
      const server = await round.serve({ limits: { commitWindowMs: 1_000 } })
      const id = round.id()
      const editors = await round.enter(server, id, 2)
      editors[0]!.write()
      await until(async () => (await server.status(id))?.revision === 1, "it is committed", { everyMs: 1 })
      await server.inject({ clockMs: -DAY_MS })
      for (const editor of editors) editor.write(5)
      await Promise.all(editors.map((editor) => editor.allSaved({ timeoutMs: 5_000 })))
      await round.settle(server, id, { editors, archived: false })
    },
  },
]

/** Another bundle, with the same behaviour. */
const NEW_RELEASE = {
  file: "test/faults/worker.ts",
  find: "a room is in memory: ",
  replace: "a room of a new release is in memory: ",
}

/** A flush leaves nothing behind that keeps the room awake: not a timer, not a connection. */
function sleepsOn(
  archive: string,
  rounds: Fault["rounds"],
  serve: (round: Round) => Promise<FaultServer>,
): Fault {
  return {
    name: `eviction after 10 s of idling, with sockets that sleep on and a ${archive} archive`,
    rule: "D2",
    rounds,
    async strike(round) {
      const server = await serve(round)
      const id = round.id()
      const editors = await round.enter(server, id, 2, { company: false })
      for (const editor of editors) editor.write(10)
      await Promise.all(editors.map((editor) => editor.allSaved()))
      await wakesAnew(server, id, async () => {
        editors[0]!.write()
        await editors[0]!.allSaved()
      })
      checkSockets(editors)
      await round.settle(server, id, { editors })
    },
  }
}

/** Wait until the platform has put an idle room out of memory; `poke` then finds it awake anew. */
async function wakesAnew(server: FaultServer, id: string, poke: () => Promise<unknown>): Promise<void> {
  const name = await server.locate(id)
  const wakes = () => server.output.split(`a room is in memory: ${name}`).length
  const before = wakes()
  for (let idleMs = 11_000; wakes() === before; idleMs += 3_000) {
    if (idleMs > 20_000) throw new Error("The room is never put out of memory")
    // Any look would keep it awake, so there is nothing to wait for but time.
    await new Promise((resolve) => setTimeout(resolve, idleMs))
    await poke()
  }
}
