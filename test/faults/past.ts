/**
 * Faults of the past: a kill while the log is handed over to it, while it is moved out or while a state is brought back, a
 * flipped bit in it, here or in the archive, an archive that is away, a clock that runs backwards. What was acknowledged can be seen at its revision afterwards [I10].
 */
import { documentPath } from "../kit/addresses.ts"
import { until } from "../kit/until.ts"
import { type Bucket, startBucket } from "./bucket.ts"
import type { Editor } from "./editor.ts"
import type { FaultServer, RoomServer } from "./harness.ts"
import { Broken } from "./invariants.ts"
import type { Fault, Round } from "./round.ts"
import { flipBit } from "./storage.ts"

/** What a document was at each of some revisions, as JSON. */
type Moments = ReadonlyMap<number, string>

/** The answer to a question about the past. */
async function ask<Answer>(server: RoomServer, id: string, path: string, body?: unknown): Promise<Answer> {
  const init = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) }
  const response = await server.request(`${documentPath(id)}/-/${path}`, init)
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`)
  return (await response.json()) as Answer
}

async function jsonAt(server: RoomServer, id: string, moment: number | string): Promise<Response> {
  return server.request(`${documentPath(id)}?format=json&at=${encodeURIComponent(moment)}`)
}

/** What the document is and was, at up to eight revisions. */
async function remember(server: RoomServer, id: string): Promise<Moments> {
  const { revision } = (await server.status(id))!
  const moments = new Map<number, string>()
  for (let at = revision; at > 0 && moments.size < 8; at -= Math.ceil(revision / 8)) {
    const response = await jsonAt(server, id, at)
    if (!response.ok) throw new Error(`at ${at}: ${response.status} ${await response.text()}`)
    moments.set(at, await response.text())
  }
  return moments
}

/** [I10] Every one of these revisions can be seen as it was, but for those that are allowed to be gone. */
async function checkMoments(
  server: RoomServer,
  id: string,
  { moments, mayBeGone = false }: { moments: Moments; mayBeGone?: boolean },
): Promise<void> {
  for (const [revision, json] of moments) {
    const response = await jsonAt(server, id, revision)
    const body = await response.text()
    if (response.status === 410 && mayBeGone) continue
    if (body !== json)
      throw new Broken("I10", `Revision ${revision} is ${response.status} ${body.slice(0, 200)}`)
  }
}

/** Two people have written, in several commits. */
async function write(round: Round, server: FaultServer): Promise<{ id: string; editors: Editor[] }> {
  const id = round.id()
  const editors = await round.enter(server, id, 2, { company: false })
  for (let turn = 0; turn < 4; turn++) {
    for (const editor of editors) editor.write(5)
    await Promise.all(editors.map((editor) => editor.allSaved()))
  }
  return { id, editors }
}

/** A server whose past goes to a bucket as soon as the log is folded. */
async function serveMoving(round: Round): Promise<{ server: FaultServer; bucket: Bucket }> {
  const bucket = await startBucket()
  round.atEnd(() => bucket.close())
  const { server } = await round.serveArchived({
    vars: { SEGMENTS_URL: bucket.url },
    limits: { pastHereBytes: 1 },
  })
  return { server, bucket }
}

/** Everybody leaves, and all that is kept of the past moves out. */
async function moveOut(server: FaultServer, id: string, editors: readonly Editor[]): Promise<void> {
  for (const editor of editors) editor.detach()
  await until(async () => {
    const { logRows, past } = (await server.status(id))!
    return logRows === 0 && past.bytes > 0 && past.movedBytes === past.bytes
  }, "the past is moved out")
}

const MOVING: readonly Fault[] = [
  {
    name: "killed inside a move out of the past",
    rule: "H6",
    rounds: { short: 1, long: 8 },
    async strike(round) {
      const { server, bucket } = await serveMoving(round)
      const { id, editors } = await write(round, server)
      const moments = await remember(server, id)
      const steps = [
        ...["segment put", "segment done put", "sql UPDATE past SET moved", "sql done UPDATE past SET moved"],
        ...["sql UPDATE past_bytes", "sql done UPDATE past_bytes"],
      ]
      await server.inject({ stop: `^${steps[round.below(steps.length)]}` })
      for (const editor of editors) editor.detach()
      await server.stopped()
      await server.kill()
      await server.restart()
      await checkMoments(server, id, { moments })
      // It is tried again when somebody has been here.
      await editors[0]!.connect(server, id)
      await moveOut(server, id, editors)
      await checkMoments(server, id, { moments })
      await round.settle(server, id, { editors, cuts: 1 })
      await server.restart()
      await server.remove(id)
      if (bucket.held.size > 0) throw new Broken("I7", `${bucket.held.size} parts of a deleted past are left`)
    },
  },
  {
    name: "a flipped bit in what was moved out of the past",
    rule: "D7",
    rounds: { short: 0, long: 5 },
    async strike(round) {
      const { server, bucket } = await serveMoving(round)
      const { id, editors } = await write(round, server)
      const moments = await remember(server, id)
      await moveOut(server, id, editors)
      const parts = [...bucket.held.values()].filter(({ length }) => length > 0)
      const bytes = parts[round.below(parts.length)]!
      const at = round.below(bytes.length)
      bytes[at]! ^= 1 << round.below(8)
      await checkMoments(server, id, { moments, mayBeGone: true })
      const status = (await server.status(id))!
      if (status.past.damaged !== 1) throw new Broken("I10", "A flipped bit in the archive went unnoticed")
      if (status.damaged || status.quarantined > 0)
        throw new Broken("I5", "A flipped bit in the past has reached the present")
      await round.settle(server, id, { editors, cuts: 1 })
    },
  },
  {
    name: "an archive that takes no part of the past for a while",
    rule: "H6",
    rounds: { short: 0, long: 5 },
    async strike(round) {
      const { server } = await serveMoving(round)
      const { id, editors } = await write(round, server)
      const moments = await remember(server, id)
      await server.inject({ fail: { step: "^segment", times: 4 } })
      for (const editor of editors) editor.detach()
      await until(() => server.output.includes("a step fails: segment put"), "a move has failed")
      // Nothing that is acknowledged waits for it.
      await Promise.all(editors.map((editor) => editor.connect(server, id)))
      for (const editor of editors) editor.write(5)
      await Promise.all(editors.map((editor) => editor.allSaved()))
      await checkMoments(server, id, { moments })
      await server.inject({})
      await moveOut(server, id, editors)
      await server.inject({ fail: { step: "^segment get", times: 1_000 } })
      const [oldest] = [...moments.keys()].sort((a, b) => a - b)
      const { status } = await jsonAt(server, id, oldest!)
      if (status !== 503) throw new Broken("I10", `Without its archive the past answers ${status}, not 503`)
      await Promise.all(editors.map((editor) => editor.connect(server, id)))
      for (const editor of editors) editor.write(5)
      await Promise.all(editors.map((editor) => editor.allSaved()))
      await server.inject({})
      await checkMoments(server, id, { moments })
      await round.settle(server, id, { editors, cuts: 2 })
    },
  },
]

export const PAST: readonly Fault[] = [
  ...MOVING,
  {
    name: "killed inside the hand-over of the log to the past",
    rule: "D4",
    rounds: { short: 1, long: 8 },
    async strike(round) {
      const { server } = await round.serveArchived()
      const { id, editors } = await write(round, server)
      const moments = await remember(server, id)
      const steps = ["sql INSERT INTO past ", "sql done INSERT INTO past ", "sql done INSERT INTO past_bytes"]
      await server.inject({ stop: `^${steps[round.below(steps.length)]}` })
      for (const editor of editors) editor.detach()
      await server.stopped()
      await server.kill()
      await server.restart()
      await checkMoments(server, id, { moments })
      // It is tried again when somebody has been here.
      await editors[0]!.connect(server, id)
      editors[0]!.detach()
      await until(async () => (await server.status(id))?.logRows === 0, "the log is folded in")
      await checkMoments(server, id, { moments })
      await round.settle(server, id, { editors, cuts: 1 })
    },
  },
  {
    name: "killed inside a restore",
    rule: "H3",
    rounds: { short: 1, long: 6 },
    async strike(round) {
      const { server } = await round.serveArchived()
      const { id, editors } = await write(round, server)
      const version = await ask<{ id: string }>(server, id, "versions", { name: "Before" })
      const wanted = await (await jsonAt(server, id, version.id)).text()
      for (const editor of editors) editor.write(5)
      await Promise.all(editors.map((editor) => editor.allSaved()))
      const moments = await remember(server, id)
      const steps = ["sql done INSERT INTO version", "sql INSERT INTO log", "sql done INSERT INTO log"]
      await server.inject({ stop: `^${steps[round.below(steps.length)]}` })
      const restore = () => ask(server, id, `versions/${version.id}/restore`, {})
      const cut = restore().catch(() => "cut")
      await server.stopped()
      await server.kill()
      if ((await cut) !== "cut") throw new Broken("I8", "A restore was answered as done before it was")
      await server.restart()
      await checkMoments(server, id, { moments })
      // Neither half of it is there: nothing was brought back, so it can be asked for again.
      await round.settle(server, id, { editors, cuts: 1 })
      await server.restart()
      await restore()
      const now = await (await server.request(`${documentPath(id)}?format=json`)).text()
      if (now !== wanted) throw new Broken("I10", `The restored document is ${now.slice(0, 200)}`)
    },
  },
  {
    name: "a flipped bit in the past",
    rule: "D7",
    rounds: { short: 1, long: 5 },
    async strike(round) {
      const { server } = await round.serveArchived()
      const { id, editors } = await write(round, server)
      const moments = await remember(server, id)
      for (const editor of editors) editor.detach()
      await until(async () => (await server.status(id))?.logRows === 0, "the log is folded in")
      await server.locate(id)
      await server.kill()
      flipBit(round, server.databaseOf(id), "past_bytes")
      await server.restart()
      await checkMoments(server, id, { moments, mayBeGone: true })
      const status = await server.status(id)
      if (status?.past.damaged !== 1) throw new Broken("I10", "A flipped bit in the past went unnoticed")
      if (status.damaged || status.quarantined > 0)
        throw new Broken("I5", "A flipped bit in the past has reached the present")
      await round.settle(server, id, { editors, cuts: 1 })
    },
  },
  {
    name: "a clock that runs backwards, and the past in its order",
    rule: "H1",
    rounds: { short: 0, long: 3 },
    async strike(round) {
      const { server } = await round.serveArchived()
      const { id, editors } = await write(round, server)
      await server.inject({ clockMs: -3_600_000 })
      for (const editor of editors) editor.write(5)
      await Promise.all(editors.map((editor) => editor.allSaved()))
      const { activity } = await ask<{ activity: { from: string; revisions: [number, number] }[] }>(
        server,
        id,
        "activity?order=asc&group=0",
      )
      const inOrder = activity.every(
        ({ from, revisions }, i) =>
          i === 0 || (from >= activity[i - 1]!.from && revisions[0] >= activity[i - 1]!.revisions[0]),
      )
      if (!inOrder) throw new Broken("I10", `Time goes back: ${JSON.stringify(activity).slice(0, 300)}`)
      await server.inject({})
      await round.settle(server, id, { editors })
    },
  },
]
