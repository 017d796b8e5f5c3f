/** What an operator sees of rooms and does to them: /admin and the desk (O1), with rights checked (R1). */
import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test"
import { env } from "cloudflare:workers"
import { beforeEach, describe, expect, it } from "vitest"
import * as Y from "yjs"
import type { Grant } from "../../src/access/rights.ts"
import type { Costs, Entry, Listed, Look } from "../../src/admin/page/answers.ts"
import { admin } from "../../src/admin.ts"
import { d1Archive } from "../../src/archive/d1.ts"
import { routeDocuments } from "../../src/http/routes.ts"
import { mintToken } from "../../src/token.ts"
import { freshId, openRoom, TestRoom, until, WRITER } from "./vocabulary.ts"
import { faults, points } from "./worker.ts"

const SECRET = "k4Zr8wq1Tn6vYb3mXc9sLd2pGf7hJj5u"
const ADA: Grant = { ...WRITER, subject: "ada", name: "Ada", admin: false }
const settings = { ...env, OPEN_ON_LOCALHOST: "", AUTH_SECRET: SECRET }

const tokens = {
  operator: await mintToken({ subject: "ops", admin: true, docs: [] }, { secret: SECRET }),
  reader: await mintToken(
    { subject: "ops", admin: true, docs: [{ id: "*", rights: "read" }] },
    { secret: SECRET },
  ),
  writer: await mintToken({ subject: "bob", docs: [{ id: "*", rights: "write" }] }, { secret: SECRET }),
}

interface Documents {
  readonly documents: Listed[]
}
interface Entries {
  readonly entries: Entry[]
}
interface Found {
  readonly documents: Record<string, unknown>[]
}

/** Ask the server as a token of one of these. */
function ask(
  path: string,
  { as = "operator", method = "GET" }: { as?: keyof typeof tokens | null; method?: string } = {},
) {
  const headers: Record<string, string> = as === null ? {} : { authorization: `Bearer ${tokens[as]}` }
  const request = new Request(`https://yurt.example${path}`, { method, headers })
  return routeDocuments(request, settings, { admin, binding: "Watched" })
}

async function json<Value = Record<string, unknown>>(response: Response): Promise<Value> {
  expect(response.status, await response.clone().text()).toBeLessThan(300)
  return (await response.json()) as Value
}

/** A room with a desk. */
async function watched(grants: Grant[] = []): Promise<TestRoom> {
  const room = new TestRoom(freshId(), env.Watched as never)
  for (const grant of grants) await room.join(grant)
  return room
}

/** What the lookout knows of a room, once that holds. */
async function reported(
  id: string,
  holds: (line: Record<string, unknown>) => boolean,
): Promise<Record<string, unknown>> {
  let line: Record<string, unknown> | undefined
  await until(async () => {
    const [found] = await env.Lookout.getByName("all").linesOf([id])
    line = found as never
    return line !== undefined && holds(line)
  }, `the lookout is told of ${id}`)
  return line!
}

beforeEach(() => {
  faults.failures = 0
})

describe("[R1] an operator's routes", () => {
  it.each(["/admin", "/admin/page.js", "/admin/page.css"])(
    "[R1] %s is loaded without a token, holds none, and may run nothing but its own script",
    async (path) => {
      const response = await ask(path, { as: null })
      expect(response.status).toBe(200)
      const policy = response.headers.get("content-security-policy")!
      expect(policy).toContain("default-src 'none'")
      expect(policy).toContain("script-src 'self'")
      expect(policy).not.toContain("unsafe")
      expect(response.headers.get("x-content-type-options")).toBe("nosniff")
      expect(await response.text()).not.toMatch(
        /innerHTML|<script(?! type="module" src="\/admin\/page.js")|https?:\/\/(?!developers|liveblocks\.io\/docs\/pricing)/,
      )
    },
  )

  it.each([
    ["GET", "/admin/documents"],
    ["GET", "/admin/audit"],
    ["GET", "/admin/costs"],
    ["GET", "/admin/subjects/ada"],
    ["DELETE", "/admin/subjects/ada"],
    ["POST", "/admin/flush"],
    ["GET", "/metrics"],
    ["GET", "/docs/a/-/desk"],
    ["GET", "/docs/a/-/watch"],
    ["GET", "/docs/a/-/quarantine?value=1"],
    ["PUT", "/docs/a/-/read-only"],
    ["DELETE", "/docs/a/-/read-only"],
    ["POST", "/docs/a/-/close"],
    ["POST", "/docs/a/-/compact"],
    ["POST", "/docs/a/-/recover"],
  ])(
    "[R1] %s %s is for an admin's token alone, and is nowhere where it was not asked for",
    async (method, path) => {
      expect((await ask(path, { as: null, method })).status).toBe(401)
      expect((await ask(path, { as: "writer", method })).status).toBe(403)
      const request = new Request(`https://yurt.example${path}`, { method })
      expect((await routeDocuments(request, settings, { binding: "Watched" })).status).toBe(404)
    },
  )

  it.each([
    "/admin/documents?only=all",
    "/admin/documents?limit=0",
    "/admin/audit?cursor=1;DROP",
    "/admin/costs?days=0",
    "/admin/costs?days=91",
    `/admin/subjects/${"x".repeat(257)}`,
    "/admin/subjects/%E0%A4",
    "/docs/a/-/quarantine?value=-1",
  ])("[R1] %s is refused as it stands", async (path) => {
    expect((await ask(path, { as: "reader" })).status).toBe(400)
  })

  it("[R1] a room whose class names no desk says so", async () => {
    const room = await openRoom({ peers: 1 })
    const request = new Request(`https://yurt.example/docs/${room.id}/-/desk`, {
      headers: { authorization: `Bearer ${tokens.operator}` },
    })
    const response = await routeDocuments(request, settings, { admin })
    expect(response.status).toBe(404)
    expect(await response.text()).toContain("yurt/admin")
  })
})

describe("[O1] one room", () => {
  it("[O1] shows its people with their rights, what waits and what is in quarantine, but no content to an admin alone", async () => {
    const room = await watched([ADA, { ...ADA, subject: "bea", rights: "read" }])
    room.type(0, "hello")
    await room.saves(0)
    // Content that builds on something the room has never seen.
    const doc = new Y.Doc()
    const updates: Uint8Array[] = []
    doc.on("update", (update: Uint8Array) => updates.push(update))
    doc.getText("text").insert(0, "a")
    doc.getText("text").insert(1, "b")
    await room.merge(updates[1]!, ADA)
    await room.damage(
      "INSERT INTO quarantine (source, revision, at, reason, bytes) VALUES ('log', 1, 1, 'torn', x'0102')",
    )
    const look = await json<Look>(await ask(`/docs/${room.id}/-/desk`))
    expect(look.people.map(({ subject, rights }) => [subject, rights])).toEqual([
      ["ada", "write"],
      ["bea", "read"],
    ])
    expect(look).toMatchObject({ waitingCount: 1, quarantined: 1, readOnly: false, damaged: false })
    expect(look.waiting[0]).toMatchObject({ subject: "ada", missing: [doc.clientID, 0] })
    expect(look.quarantine[0]).toMatchObject({ source: "log", reason: "torn", bytes: 2 })
    expect(JSON.stringify(look)).not.toContain("hello")
    const { id } = look.quarantine[0]!
    expect((await ask(`/docs/${room.id}/-/quarantine?value=${id}`)).status).toBe(403)
    const bytes = await ask(`/docs/${room.id}/-/quarantine?value=${id}`, { as: "reader" })
    expect(new Uint8Array(await bytes.arrayBuffer())).toEqual(new Uint8Array([1, 2]))
    expect((await ask(`/docs/${room.id}/-/quarantine?value=9999`, { as: "reader" })).status).toBe(404)
    expect((await ask(`/docs/${room.id}/-/quarantine?value=x`, { as: "reader" })).status).toBe(400)
  })

  it("[O1] a document that is not there has no desk, and asking makes none", async () => {
    const room = await watched()
    expect((await ask(`/docs/${room.id}/-/desk`)).status).toBe(404)
    expect(await room.rows("SELECT name FROM sqlite_master WHERE name = 'meta'")).toEqual([])
  })

  it("[O1] tells its frames as they pass, and no content", async () => {
    const room = await watched([ADA, ADA])
    const response = await ask(`/docs/${room.id}/-/watch`)
    expect(response.headers.get("content-type")).toBe("text/event-stream")
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
    let text = ""
    const reading = (async () => {
      for (;;) {
        const { done, value } = await reader.read()
        if (done) return
        text += value
      }
    })()
    room.type(0, "secret words")
    await room.saves(0)
    await until(
      () => /"way":"in","type":"update"/.test(text) && /"type":"committed"/.test(text),
      "frames are told",
    )
    const frames = [...text.matchAll(/^data: (\{"frames.*)$/gm)].flatMap(
      ([, data]) => JSON.parse(data!).frames,
    )
    expect(frames.find(({ way, type }) => way === "in" && type === "update")).toMatchObject({
      subject: "ada",
      to: 1,
    })
    expect(frames.find(({ way, type }) => way === "out" && type === "update")).toMatchObject({
      peer: null,
      to: 1,
    })
    expect(text).not.toContain("secret")
    await reader.cancel()
    await reading
  })

  it("[R6] ends the stream of a token that is revoked", async () => {
    const room = await watched([ADA])
    const subject = `ops-${room.id}`
    const token = await mintToken({ subject, admin: true, docs: [] }, { secret: SECRET })
    const response = await routeDocuments(
      new Request(`https://yurt.example/docs/${room.id}/-/watch`, {
        headers: { authorization: `Bearer ${token}` },
      }),
      settings,
      { admin, binding: "Watched" },
    )
    const as = await mintToken({ subject: "boss", admin: true, docs: [] }, { secret: SECRET })
    const revoked = await routeDocuments(
      new Request("https://yurt.example/admin/revocations", {
        ...{ method: "POST", body: JSON.stringify({ subject }) },
        headers: { authorization: `Bearer ${as}` },
      }),
      settings,
      { admin },
    )
    expect(await revoked.json()).toEqual({ closed: 1, failed: 0 })
    expect(await response.text()).toContain("event: end")
  })

  it("[R2] is held read-only, across a restart and for whoever comes, and let go again", async () => {
    const room = await watched([ADA])
    room.type(0, "before")
    await room.saves(0)
    expect(await json(await ask(`/docs/${room.id}/-/read-only`, { method: "PUT" }))).toEqual({
      readOnly: true,
      closed: 1,
    })
    expect((await room.closing(0)).code).toBe(1012)
    await room.evict()
    await room.rejoin(0, ADA)
    room.type(0, " after")
    await until(() => room.visitors[0]!.refusals.length > 0, "the change is refused")
    const update = Y.encodeStateAsUpdate(room.visitors[0]!.doc)
    await expect(room.merge(update, ADA)).rejects.toMatchObject({ code: "forbidden" })
    await expect(room.edit((doc) => doc.getText("text").insert(0, "x"))).rejects.toMatchObject({
      message: expect.stringContaining("read-only"),
    })
    const exported = await room.export({ format: "text", accept: null, root: null, ifNoneMatch: null })
    expect(exported!.body).toBe("before")
    await json(await ask(`/docs/${room.id}/-/read-only`, { method: "DELETE" }))
    await room.closing(0)
    await room.rejoin(0, ADA)
    const reader = await room.join(ADA)
    await room.reads(reader, "before after")
  })

  it("[D8] is held read-only no longer once it is deleted: the next document of its name is another", async () => {
    const room = await watched([ADA])
    room.type(0, "held")
    await room.saves(0)
    await json(await ask(`/docs/${room.id}/-/read-only`, { method: "PUT" }))
    await room.closing(0)
    expect(await room.remove()).toBe(true)
    const writer = await room.join(ADA)
    room.type(writer, "another")
    await room.saves(writer)
    expect(await json(await ask(`/docs/${room.id}/-/desk`))).toMatchObject({ readOnly: false })
  })

  it("[A2] [A4] a lookout that never answers keeps nothing from the archive, and is told later", async () => {
    const room = await watched()
    let tries = 0
    const hangs = {
      report: () => {
        tries++
        return new Promise<void>(() => {})
      },
    }
    await runInDurableObject(room.stub as never, (instance: object) => {
      Reflect.set(instance, "env", { ...env, Lookout: { getByName: () => hangs } })
    })
    await room.join(ADA)
    for (let round = 1; round <= 2; round++) {
      room.type(0, "x")
      await room.saves(0)
      await until(() => tries >= round, "the lookout is told")
      await until(async () => {
        const { archivedRevision, revision } = (await room.status())!
        return archivedRevision === revision
      }, "the archive has it")
    }
  })

  it("[B3] a room that is only asked over HTTP reports once in its time, and one that empties at once", async () => {
    const room = await watched()
    let reports = 0
    const counts = { report: async () => void reports++ }
    await runInDurableObject(room.stub as never, (instance: object) => {
      Reflect.set(instance, "env", { ...env, Lookout: { getByName: () => counts } })
      Reflect.set(instance, "limits", { ...Reflect.get(instance, "limits"), reportMs: 60_000 })
    })
    const doc = new Y.Doc()
    for (const letter of "abc") {
      doc.getText("text").insert(0, letter)
      await room.merge(Y.encodeStateAsUpdate(doc), ADA)
    }
    await until(async () => {
      const { archivedRevision, revision } = (await room.status())!
      return archivedRevision === revision
    }, "its alarm has come")
    expect(reports).toBe(0)
    await room.join(ADA)
    await room.leave(0)
    await until(() => reports === 1, "it is told that nobody is there")
  })

  it.each(["GET", "DELETE"])(
    "[O1] calls nobody found or erased where no audit is kept: %s",
    async (method) => {
      const headers = { authorization: `Bearer ${tokens.operator}` }
      const request = new Request("https://yurt.example/admin/subjects/ada", { method, headers })
      const response = await routeDocuments(request, { ...settings, LIMIT_AUDIT_MS: "0" }, { admin })
      expect([response.status, await response.json()]).toMatchObject([503, { error: "closed" }])
    },
  )

  it("[R6] a revocation holds, and is answered so, also while nobody can write it down", async () => {
    const down = { getByName: () => ({ note: () => Promise.reject(new Error("the lookout is away")) }) }
    const response = await routeDocuments(
      new Request("https://yurt.example/admin/revocations", {
        ...{ method: "POST", body: JSON.stringify({ subject: freshId() }) },
        headers: { authorization: `Bearer ${tokens.operator}` },
      }),
      { ...settings, Lookout: down },
      { admin },
    )
    expect([response.status, await response.json()]).toEqual([200, { closed: 0, failed: 0 }])
  })

  it("[O1] closes one socket or all, folds the log, and reads all that is stored", async () => {
    const room = await watched([ADA, ADA])
    room.type(0, "some text")
    await room.saves(0)
    const { people } = await json<Look>(await ask(`/docs/${room.id}/-/desk`))
    expect(
      await json(await ask(`/docs/${room.id}/-/close?peer=${people[0]!.id}`, { method: "POST" })),
    ).toEqual({ closed: 1 })
    expect((await room.closing(0)).code).toBe(1012)
    expect((await ask(`/docs/${room.id}/-/close?peer=nobody`, { method: "POST" })).status).toBe(404)
    expect(await json(await ask(`/docs/${room.id}/-/close`, { method: "POST" }))).toEqual({ closed: 1 })
    expect(await json(await ask(`/docs/${room.id}/-/compact`, { method: "POST" }))).toMatchObject({
      logRows: 0,
    })
    expect(await json(await ask(`/docs/${room.id}/-/recover`, { method: "POST" }))).toMatchObject({
      quarantined: 0,
    })
    await json(await ask(`/docs/${room.id}/-/flush`, { method: "POST" }))
    await room.damage("UPDATE snapshot SET bytes = x'00'")
    await room.evict()
    // Found by reading it, and merged back from the archive.
    const found = await json(await ask(`/docs/${room.id}/-/recover`, { method: "POST" }))
    expect(found).toMatchObject({ damaged: false, quarantined: 1 })
    const exported = await room.export({ format: "text", accept: null, root: null, ifNoneMatch: null })
    expect(exported!.body).toBe("some text")
  })
})

describe("[O1] all rooms", () => {
  it("[O1] are listed with who is connected and which are in trouble, while all of them sleep", async () => {
    const room = await watched([ADA])
    room.type(0, "a")
    await room.saves(0)
    await reported(room.id, ({ peers }) => peers === 1)
    await room.hibernate()
    const wakes = faults.wakes
    const open = await json<Documents>(
      await ask(`/admin/documents?only=open&search=${room.id.toUpperCase()}`),
    )
    expect(open.documents).toMatchObject([
      { id: room.id, line: { peers: 1, people: [{ subject: "ada", name: "Ada" }] } },
    ])
    expect(
      (await json<Documents>(await ask(`/admin/documents?only=trouble&search=${room.id}`))).documents,
    ).toEqual([])
    expect(faults.wakes).toBe(wakes)
    faults.failures = 1_000
    room.type(0, "b")
    await reported(room.id, ({ archiveError }) => archiveError !== null)
    const troubled = await json<Documents>(await ask(`/admin/documents?only=trouble&search=${room.id}`))
    expect(troubled.documents.map(({ id }) => id)).toEqual([room.id])
    faults.failures = 0
    await reported(
      room.id,
      ({ archiveError, archivedRevision, revision }) =>
        archiveError === null && archivedRevision === revision,
    )
    await room.leave(0)
    await reported(room.id, ({ peers }) => peers === 0)
    // The archive's index, with the room's line.
    const listed = await json<Documents>(await ask(`/admin/documents?search=${room.id}`))
    expect(listed).toMatchObject({
      source: "archive",
      documents: [{ id: room.id, line: { peers: 0, damaged: false } }],
    })
  })

  it("[A10] are flushed again where the archive was lost, by the names that rooms have reported", async () => {
    const room = await watched([ADA])
    room.type(0, "a")
    await room.saves(0)
    await reported(room.id, ({ archivedRevision }) => archivedRevision !== null)
    await env.DB.prepare("DELETE FROM yurt_documents").run()
    expect((await json<Documents>(await ask(`/admin/documents?search=${room.id}`))).documents).toEqual([])
    for (let cursor: string | null = null; ; ) {
      const page: { cursor: string | null } = await json(
        await ask(`/admin/flush${cursor === null ? "" : `?cursor=${encodeURIComponent(cursor)}`}`, {
          method: "POST",
        }),
      )
      cursor = page.cursor
      if (cursor === null) break
    }
    expect((await json<Documents>(await ask(`/admin/documents?search=${room.id}`))).documents).toHaveLength(1)
  })

  it("[O1] tell what they used, as metrics, as costs, and as one point of Analytics Engine a report", async () => {
    points.length = 0
    const room = await watched([ADA])
    room.type(0, "a")
    await room.saves(0)
    await room.leave(0)
    await reported(room.id, ({ peers }) => peers === 0)
    const text = new TextDecoder().decode(await (await ask("/metrics")).arrayBuffer())
    for (const sample of [
      'yurt_messages_total{type="update"}',
      'yurt_commit_seconds_bucket{le="+Inf"}',
      "yurt_acknowledge_seconds_count",
      "yurt_rows_written_total",
      "yurt_cost_dollars_total",
      "yurt_document_bytes",
    ]) {
      const line = text.split("\n").find((one) => one.startsWith(`${sample} `))
      expect(Number(line?.split(" ").at(-1)), sample).toBeGreaterThan(0)
    }
    const { documents, prices } = await json<Costs>(await ask("/admin/costs?days=1"))
    const cost = documents.find(({ document }) => document === room.id)!
    expect(prices.source).toMatch(/^https:/)
    expect(cost.rowsWritten).toBeGreaterThan(2)
    expect(cost.messages).toBeGreaterThan(1)
    expect(cost.dollars).toBeCloseTo(
      (cost.requests + cost.alarms + cost.messages / 20) * 0.15e-6 +
        (cost.awakeMs / 1000) * 0.128 * 12.5e-6 +
        cost.rowsWritten * 1e-6 +
        cost.rowsRead * 1e-9,
      12,
    )
    const own = points.filter(({ blobs }) => blobs[0] === room.id)
    expect(own.at(-1)).toMatchObject({ indexes: [room.id], blobs: [room.id, "well"] })
    for (const { doubles, indexes } of own) {
      expect(doubles.length).toBeLessThanOrEqual(20)
      expect(doubles.every(Number.isFinite)).toBe(true)
      expect(new TextEncoder().encode(indexes[0]).length).toBeLessThanOrEqual(96)
    }
    expect(own.reduce((sum, { doubles }) => sum + doubles[4]!, 0)).toBe(1)
  })

  it("[O1] a report that comes twice is counted once", async () => {
    const lookout = env.Lookout.getByName("all")
    const used = { messages: 7, requests: 0, alarms: 0, rowsRead: 0, rowsWritten: 0, awakeMs: 0 }
    const document = freshId()
    const report = {
      id: "r1",
      document,
      line: null,
      used,
      counts: {},
      audit: [{ at: 1, subject: "ada", deed: "deleted" as const }],
    }
    await lookout.report(report)
    await lookout.report(report)
    const { documents } = await lookout.costs({ days: 1, limit: 1_000 })
    expect(documents.find((one) => one.document === document)?.messages).toBe(7)
    const { entries } = await lookout.audit({ document, subject: null, cursor: null, limit: 10 })
    expect(entries).toHaveLength(1)
  })

  it("[B1] a search looks through so many and goes on from there, and sums are kept, not counted", async () => {
    const lookout = env.Lookout.getByName(freshId())
    const used = { messages: 0, requests: 0, alarms: 0, rowsRead: 0, rowsWritten: 0, awakeMs: 0 }
    const room = await watched([ADA])
    room.type(0, "a")
    await room.saves(0)
    await room.leave(0)
    const model = await reported(room.id, ({ peers }) => peers === 0)
    const tell = (document: string, change: object | null) => {
      const line = change === null ? null : ({ ...model, document, peers: 0, bytes: 10, ...change } as never)
      return lookout.report({ id: freshId(), document, line, used, counts: {}, audit: [] })
    }
    const sampled = async (name: string) => (await lookout.samples()).find(([sample]) => sample === name)?.[1]
    for (let i = 0; i < 30; i++) await tell(`room-${10 + i}`, { peers: i % 2 })
    await tell("room-10", { bytes: 25 })
    await tell("room-11", null)
    expect(await sampled("yurt_documents")).toBe(29)
    expect(await sampled("yurt_document_bytes")).toBe(28 * 10 + 25)
    expect(await sampled("yurt_rooms_open")).toBe(14)
    await runInDurableObject(lookout as never, (one: object, state) => {
      // Kept by an older server, that had no sums.
      state.storage.sql.exec("DELETE FROM total")
      Reflect.construct(one.constructor, [state, env])
    })
    expect(await sampled("yurt_documents")).toBe(29)
    expect(await sampled("yurt_document_bytes")).toBe(28 * 10 + 25)
    const plans = await runInDurableObject(lookout as never, (_, { storage }) =>
      ["peers > 0", "trouble = 1", "peers > 0 OR trouble = 1"].flatMap((where) =>
        storage.sql
          .exec<{ detail: string }>(
            `EXPLAIN QUERY PLAN SELECT value FROM line WHERE document > '' AND (${where})`,
          )
          .toArray()
          .map(({ detail }) => detail),
      ),
    )
    for (const plan of plans) expect(plan).toContain("line_shown")
    // Nothing is found in the first ten thousand.
    await runInDurableObject(lookout as never, (_, { storage }) => {
      storage.sql.exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10100)
        INSERT INTO line SELECT 'a-' || i, '', 0, 0, (SELECT value FROM line WHERE document = 'room-12') FROM n`)
    })
    const ask = { only: null, search: "ROOM-39", limit: 10 } as const
    const first = await lookout.lines({ ...ask, cursor: null })
    expect(first.lines).toEqual([])
    expect(first.cursor).not.toBeNull()
    const { lines, cursor } = await lookout.lines({ ...ask, cursor: first.cursor })
    expect([lines.map(({ document }) => document), cursor]).toEqual([["room-39"], null])
    expect((await lookout.lines({ ...ask, only: "open", cursor: null })).lines).toHaveLength(1)
  })

  it("[B1] what is older than the audit is kept goes", async () => {
    const lookout = env.Lookout.getByName("all")
    const document = freshId()
    await lookout.note(document, { at: Date.now() - 91 * 24 * 3_600_000, subject: "old", deed: "opened" })
    await lookout.note(document, { at: Date.now(), subject: "new", deed: "opened" })
    await until(() => runDurableObjectAlarm(lookout as never), "it looks once a day")
    const { entries } = await lookout.audit({ document, subject: null, cursor: null, limit: 10 })
    expect(entries.map(({ subject }) => subject)).toEqual(["new"])
  })
})

describe("[O1] the audit", () => {
  it("[O1] says who opened, exported, restored, operated, deleted; kept where the room is killed before it has told", async () => {
    const room = await watched([ADA])
    room.type(0, "a")
    await room.saves(0)
    await room.stub.export(
      { format: "json", accept: null, root: null, ifNoneMatch: null },
      { ...ADA, subject: "bea" },
    )
    await room.stub.export(
      { format: "json", accept: null, root: null, ifNoneMatch: null },
      { ...ADA, subject: "bea" },
    )
    await ask(`/docs/${room.id}/-/compact`, { method: "POST" })
    await room.stub.remove({ ...ADA, subject: "cyd" })
    await room.evict()
    await room.alarm()
    const wanted = ["ada opened", "bea exported", "ops operated compact", "cyd deleted"]
    await until(async () => {
      const { entries } = await json<Entries>(await ask(`/admin/audit?document=${room.id}`))
      const told = entries.map(({ subject, deed, detail = "" }) => `${subject} ${deed} ${detail}`.trim())
      return wanted.every((one) => told.includes(one))
    }, "all is told")
  })

  it("[R6] says who revoked whom, and took it back", async () => {
    const subject = freshId()
    const revocation = new Request("https://yurt.example/admin/revocations", {
      method: "POST",
      headers: { authorization: `Bearer ${tokens.operator}` },
      body: JSON.stringify({ subject }),
    })
    expect((await routeDocuments(revocation, settings, { admin })).status).toBe(200)
    expect((await ask(`/admin/revocations?subject=${subject}`, { method: "DELETE" })).status).toBe(204)
    const { entries } = await json<Entries>(await ask("/admin/audit?subject=ops&limit=2"))
    expect(entries).toMatchObject([
      { deed: "un-revoked", detail: subject, subject: "ops" },
      { deed: "revoked", detail: subject, subject: "ops" },
    ])
  })
})

describe("[O1] one person", () => {
  it("[O1] is found wherever they have been, and erased there, in the past and in the audit; what they wrote stays", async () => {
    const subject = `person "${freshId()}"/ä`
    const path = `/admin/subjects/${encodeURIComponent(subject)}`
    const grant = { ...ADA, subject, name: "Grace" }
    const room = await watched([grant])
    room.point(0, { user: { name: "Grace" } })
    room.type(0, "her words")
    await room.saves(0)
    // A part of what she wrote is in the log, and a part is a segment of the past.
    await ask(`/docs/${room.id}/-/compact`, { method: "POST" })
    room.type(0, ", and more")
    await room.saves(0)
    await room.stub.past("createVersion", { name: "hers", meta: null }, grant)
    await until(async () => (await json<Found>(await ask(path))).documents.length === 1, "she is found")
    const found = await json<Found>(await ask(path))
    expect(found.documents[0]).toMatchObject({ document: room.id, name: "Grace", versions: 1, commits: 2 })
    expect(found.documents[0]!.connections).toBeGreaterThan(0)
    // She would be back at once.
    const refused = await ask(path, { method: "DELETE" })
    expect(refused.status).toBe(202)
    expect(await refused.json()).toMatchObject({ done: false, failed: [{ document: room.id }] })
    await json(await ask(`/docs/${room.id}/-/close`, { method: "POST" }))
    await room.evict()
    const { as, done } = await json<{ as: string; done: boolean }>(await ask(path, { method: "DELETE" }))
    expect(done).toBe(true)
    await until(async () => (await json<Found>(await ask(path))).documents.length === 0, "no trace is left")
    const blame = await room.stub.past("blame", { root: "text", at: null }, WRITER)
    expect(JSON.stringify(blame)).toContain(as)
    expect(JSON.stringify(blame)).not.toMatch(/person|Grace/)
    const versions = await room.stub.past("versions", { cursor: null, limit: 10 }, WRITER)
    expect(JSON.stringify(versions)).not.toMatch(/person|Grace/)
    const exported = await room.export({ format: "text", accept: null, root: null, ifNoneMatch: null })
    expect(exported!.body).toBe("her words, and more")
    // Nor in the archive, which knows whose client ids are whose.
    const signal = new AbortController().signal
    await until(async () => {
      const archived = await d1Archive(env.DB).load(room.id, signal)
      const { sidecar } = (archived as { document: { sidecar: Uint8Array } }).document
      const text = new TextDecoder().decode(sidecar)
      return text.includes(as) && !text.includes("person")
    }, "the archive has forgotten her")
    await room.evict()
    // Sound, with its checksums.
    expect(await json(await ask(`/docs/${room.id}/-/recover`, { method: "POST" }))).toMatchObject({
      quarantined: 0,
    })
    const { entries } = await json<Entries>(await ask(`/admin/audit?document=${room.id}`))
    expect(JSON.stringify(entries)).not.toContain("person")
  })
})
