/** Faults: the process dies, at a random moment or inside a step. */
import { execFileSync } from "node:child_process"
import * as Y from "yjs"
import { startProxy } from "../kit/proxy.ts"
import { startServer, type TestServer } from "../kit/server.ts"
import { until } from "../kit/until.ts"
import type { Editor } from "./editor.ts"
import { authVars, type Patch, RoomServer } from "./harness.ts"
import { Broken, checkArchived } from "./invariants.ts"
import type { Fault, Round } from "./round.ts"

/** Stop the process at a step, provoke that step, kill what stands still, and look at everything. */
async function killAt(
  round: Round,
  step: string,
  {
    provoke,
    company = round.auth === "tokens",
  }: { provoke: (editors: Editor[]) => unknown; company?: boolean },
): Promise<void> {
  const { server } = await round.serveArchived()
  const id = round.id()
  const editors = await round.enter(server, id, 2, { company })
  for (const editor of editors) editor.write(10)
  await Promise.all(editors.map((editor) => editor.allSaved()))
  await server.inject({ stop: step })
  provoke(editors)
  await server.stopped()
  for (const editor of editors) editor.write(3)
  await server.kill()
  await server.restart()
  await round.settle(server, id, { editors, cuts: 1 })
}

const type = (editors: Editor[]) => {
  for (const editor of editors) {
    editor.write(5)
    editor.ask()
  }
}
const leave = (editors: Editor[]) => {
  for (const editor of editors) editor.detach()
}
/** The log outgrows its snapshot, and the new one is of several parts. */
const paste = ([editor]: Editor[]) => {
  editor!.doc.getText("text").insert(0, "x".repeat(1_500_000))
  editor!.ask()
}

/** A next step of the schema, as a later version would bring it. */
const NEXT_SCHEMA: Patch = {
  file: "src/room/schema.ts",
  find: /^(export const MIGRATIONS = \[[\s\S]*?)^\]/,
  replace: `$1  "CREATE TABLE next_step (id INTEGER PRIMARY KEY); ALTER TABLE quarantine ADD COLUMN next_step TEXT;",
]`,
}

/** Kill what `npm start` runs while people type, start it again, and look at everything but the files. */
async function killStart(round: Round, kill: (server: TestServer) => Promise<void>): Promise<void> {
  const started = await startServer(
    Object.entries(authVars(round.auth)).map(([name, value]) => `--var=${name}:${value}`),
  )
  round.atEnd(() => started.stop())
  const server = new RoomServer(Number(new URL(started.url).port), round.auth)
  const id = round.id()
  const editors = await round.enter(server, id, 3, { company: false })
  const stops = editors.map((editor) => editor.keepWriting())
  await until(() => editors.every(({ acknowledged }) => acknowledged > 20), "something is acknowledged")
  await kill(started)
  await until(() => editors.every(({ connected }) => !connected), "everyone is cut")
  for (const stop of stops) await stop()
  await started.restart()
  // Its archive flushes when the last one leaves; while people stay it may take half a minute.
  await round.settle(server, id, { editors, cuts: 1, archived: false })
  for (const editor of editors) editor.detach()
  await checkArchived(server, id)
}

/** The workerd processes under the wrangler that keeps its data in this folder. */
function workerdsOf(storage: string): number[] {
  const lines = execFileSync("ps", ["-A", "-o", "pid=,ppid=,args="], { encoding: "utf8" }).trim().split("\n")
  const processes = lines.map((line) => {
    const [, pid, parent, command] = /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line)!
    return { pid: Number(pid), parent: Number(parent), command: command! }
  })
  const family = new Set(processes.filter(({ command }) => command.includes(storage)).map(({ pid }) => pid))
  // Parents stand before their children often, not always: until nobody joins.
  for (let size = 0; size !== family.size; ) {
    size = family.size
    for (const { pid, parent } of processes) if (family.has(parent)) family.add(pid)
  }
  return processes
    .filter(({ pid, command }) => family.has(pid) && /workerd\b.* serve/.test(command))
    .map(({ pid }) => pid)
}

export const KILLS: readonly Fault[] = [
  {
    name: "SIGKILL at a random moment, while four people type",
    rule: "D2",
    rounds: { short: 4, long: 100 },
    async strike(round) {
      const { server } = await round.serveArchived()
      const id = round.id()
      const editors = await round.enter(server, id, 4)
      const stops = editors.map((editor) => editor.keepWriting())
      const momentMs = round.below(400)
      await until(() => editors.every(({ acknowledged }) => acknowledged > 5), "something is acknowledged")
      // The moment is random, and this is it.
      await new Promise((resolve) => setTimeout(resolve, momentMs))
      await server.kill()
      for (const stop of stops) await stop()
      await server.restart()
      await round.settle(server, id, { editors, cuts: 1 })
    },
  },
  {
    name: "SIGKILL of all that `npm start` runs, while people type",
    rule: "D2",
    rounds: { short: 0, long: 5 },
    strike: (round) => killStart(round, (server) => server.kill()),
  },
  {
    name: "SIGKILL of the workerd under `npm start` alone, while people type",
    rule: "D2",
    rounds: { short: 0, long: 5 },
    strike: (round) =>
      killStart(round, async (server) => {
        for (const pid of workerdsOf(server.storage)) process.kill(pid, "SIGKILL")
        // What is left of it serves nobody.
        await server.kill()
      }),
  },
  {
    name: "killed after the write, before its commit",
    rule: "D1",
    rounds: { short: 1, long: 5 },
    strike: (round) => killAt(round, "^sql done INSERT INTO log", { provoke: type }),
  },
  {
    name: "killed after the commit, before the acknowledgement arrives",
    rule: "D1",
    rounds: { short: 1, long: 5 },
    async strike(round) {
      const { server } = await round.serveArchived()
      const proxy = await startProxy(server.port)
      round.atEnd(() => proxy.close())
      const id = round.id()
      const editors = round.editors(2)
      for (const editor of editors) await editor.connect(server, id, proxy.port)
      proxy.swallow("down")
      const before = (await server.status(id))?.revision ?? 0
      type(editors)
      await until(async () => ((await server.status(id))?.revision ?? 0) > before, "it is committed")
      await server.kill()
      await until(() => editors.every(({ connected }) => !connected), "the sockets are cut")
      await server.restart()
      for (const editor of editors) {
        if (editor.acknowledged !== 0) throw new Error("An acknowledgement came through")
      }
      await round.settle(server, id, { editors, cuts: 1 })
    },
  },
  {
    name: "killed inside a compaction",
    rule: "D4",
    rounds: { short: 1, long: 8 },
    strike: (round) => {
      const steps = [
        "sql DELETE FROM snapshot",
        "sql done INSERT INTO snapshot",
        "sql DELETE FROM log",
        "sql done DELETE FROM log",
      ]
      return killAt(round, `^${steps[round.below(steps.length)]}`, { provoke: paste })
    },
  },
  {
    name: "killed inside the first migration",
    rule: "D2",
    rounds: { short: 1, long: 3 },
    async strike(round) {
      const { server } = await round.serveArchived()
      const id = round.id()
      const editors = await round.enter(server, id, 2)
      const steps = ["sql done CREATE TABLE meta", "sql done INSERT OR REPLACE INTO meta VALUES"]
      await server.inject({ stop: `^${steps[round.below(steps.length)]}` })
      type(editors)
      await server.stopped()
      await server.kill()
      await server.restart()
      await round.settle(server, id, { editors, cuts: 1 })
    },
  },
  {
    name: "killed inside a later migration",
    rule: "D2",
    rounds: { short: 1, long: 3 },
    async strike(round) {
      const { server } = await round.serveArchived()
      const id = round.id()
      const editors = await round.enter(server, id, 2)
      type(editors)
      await Promise.all(editors.map((editor) => editor.allSaved()))
      await server.kill()
      await server.restart({
        patches: [NEXT_SCHEMA],
        injection: { stop: "^sql done CREATE TABLE next_step" },
      })
      editors[0]!.open(server, id)
      await server.stopped()
      await server.kill()
      await server.restart({ injection: {} })
      await round.settle(server, id, { editors, cuts: 2 })
    },
  },
  {
    name: "killed between the archive's commit and the room's own mark",
    rule: "A4",
    rounds: { short: 1, long: 5 },
    strike: (round) => killAt(round, "^store done", { provoke: type }),
  },
  {
    name: "killed inside an alarm",
    rule: "A2",
    rounds: { short: 1, long: 6 },
    strike: (round) => {
      const step = ["alarm$", "set alarm", "store \\d", "alarm done"][round.below(4)]!
      // When they leave, the archive may have everything, and nothing is stored any more.
      const types = round.below(2) === 0 || step.startsWith("store")
      // Nobody else may stay where it takes the last one to leave.
      return killAt(round, `^${step}`, types ? { provoke: type } : { provoke: leave, company: false })
    },
  },
  {
    name: "killed, and the alarm is due while the process is down",
    rule: "A2",
    rounds: { short: 1, long: 3 },
    async strike(round) {
      const { server, receiver } = await round.serveArchived()
      const id = round.id()
      const editors = await round.enter(server, id, 2)
      receiver.fault("refuses")
      type(editors)
      await Promise.all(editors.map((editor) => editor.allSaved()))
      await server.kill()
      receiver.fault("none")
      const dueAt = Date.now() + 1_000
      await until(() => Date.now() > dueAt, "the alarm is long due")
      const before = receiver.received.length
      await server.restart()
      // Nobody opens the room: the alarm alone has to do it.
      await until(() => receiver.received.length > before, "the room flushes by itself")
      await round.settle(server, id, { editors, cuts: 1 })
    },
  },
  {
    name: "killed while an update that had waited waits for its commit",
    rule: "D3",
    rounds: { short: 1, long: 3 },
    async strike(round) {
      // A long window, so that what is released is in it for sure.
      const { server } = await round.serveArchived({ limits: { commitWindowMs: 1_000 } })
      const id = round.id()
      const [typist, reader] = (await round.enter(server, id, 2)) as [Editor, Editor]
      const author = new Y.Doc()
      const updates: Uint8Array[] = []
      author.on("update", (update: Uint8Array) => updates.push(update))
      author.getMap("map").set("first", 1)
      author.getMap("map").set("second", 2)
      const [first, second] = updates as [Uint8Array, Uint8Array]
      // Acknowledged with 200; it waits for the first.
      await patch(server, id, second)
      // A commit at once, after which the room is busy: it gathers for the next one.
      typist.write()
      await until(async () => (await server.status(id))?.revision === 1, "it is committed", { everyMs: 1 })
      Y.applyUpdate(typist.doc, first)
      await until(() => reader.doc.getMap("map").has("second"), "it waits no longer", { everyMs: 1 })
      await server.kill()
      await server.restart()
      // Those who saw it do not come back, and what it waited for comes once more.
      await patch(server, id, first)
      if (!(await server.exported(id)).getMap("map").has("second")) {
        throw new Broken("I1", "An update that was acknowledged while it waited is gone", { lost: 1 })
      }
      await round.settle(server, id, { editors: [typist], cuts: 1 })
    },
  },
]

/** Merge an update by REST; resolves when it is acknowledged. */
export async function patch(server: RoomServer, id: string, update: Uint8Array): Promise<void> {
  const response = await server.patch(id, update)
  if (!response.ok) throw new Error(`PATCH ${id}: ${response.status} ${await response.text()}`)
}
