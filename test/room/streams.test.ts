/** The document live, over HTTP: server-sent events. */

import { runInDurableObject } from "cloudflare:test"
import { exports } from "cloudflare:workers"
import { afterEach, describe, expect, it } from "vitest"
import * as Y from "yjs"
import type { Grant } from "../../src/access/rights.ts"
import { encodeGrant, GRANT_HEADER } from "../../src/rpc.ts"
import { follow } from "../kit/follow.ts"
import { freshId, openRoom, type TestRoom, until, WRITER } from "./vocabulary.ts"

interface Event {
  readonly type: string
  readonly id: number | null
  // reason: each test knows what its events hold
  // biome-ignore lint/suspicious/noExplicitAny: see above
  readonly data: any
}

const open: Follower[] = []
afterEach(async () => {
  for (const follower of open.splice(0)) await follower.leave()
})

/** Someone who follows, and what they were told. */
class Follower {
  readonly response: Response
  readonly events: Event[] = []
  readonly comments: string[] = []
  retryMs: number | null = null
  ended = false
  value: unknown = undefined
  readonly doc = new Y.Doc()
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>

  constructor(response: Response, { reads = true }: { reads?: boolean } = {}) {
    this.response = response
    this.#reader = response.body!.getReader()
    open.push(this)
    if (reads) void this.#read()
  }

  static async ask(
    path: string,
    { reads = true, after }: { reads?: boolean; after?: number } = {},
  ): Promise<Follower> {
    const headers = {
      accept: "text/event-stream",
      ...(after !== undefined && { "last-event-id": String(after) }),
    }
    const response = await exports.default.fetch(new Request(`http://localhost/docs/${path}`, { headers }))
    if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`)
    return new Follower(response, { reads })
  }

  /** The same with a grant of its own. */
  static async enter(room: TestRoom, query: string, grant: Grant): Promise<Follower> {
    const headers = { accept: "text/event-stream", [GRANT_HEADER]: encodeGrant(grant) }
    const response = await room.stub.fetch(`http://localhost/docs/${room.id}${query}`, { headers })
    if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`)
    return new Follower(response)
  }

  get lastId(): number {
    return this.events.findLast(({ id }) => id !== null)!.id!
  }

  ofType(type: string): Event[] {
    return this.events.filter((event) => event.type === type)
  }

  async leave(): Promise<void> {
    await this.#reader.cancel().catch(() => {})
  }

  async #read(): Promise<void> {
    const decoder = new TextDecoder()
    let text = ""
    try {
      for (;;) {
        const { done, value } = await this.#reader.read()
        if (done) break
        text += decoder.decode(value, { stream: true })
        const blocks = text.split("\n\n")
        text = blocks.pop()!
        for (const block of blocks) this.#take(block)
      }
    } catch {
      // Broken off.
    }
    this.ended = true
  }

  #take(block: string): void {
    const fields = new Map(
      block.split("\n").map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]),
    )
    if (fields.has("retry")) this.retryMs = Number(fields.get("retry"))
    if (!fields.has("event")) return void this.comments.push(block)
    const id = fields.has("id") ? Number(fields.get("id")) : null
    const event = { type: fields.get("event")!, id, data: JSON.parse(fields.get("data")!) }
    this.events.push(event)
    if (event.type === "state" && "value" in event.data) this.value = event.data.value
    if (event.type === "change" && "patch" in event.data) this.value = follow(this.value, event.data.patch)
    const { update } = event.data
    if (typeof update === "string")
      Y.applyUpdate(
        this.doc,
        Uint8Array.from(atob(update), (letter) => letter.charCodeAt(0)),
      )
  }

  async reads(value: unknown): Promise<void> {
    const wanted = JSON.stringify(value)
    await until(() => JSON.stringify(this.value) === wanted, `a follower reads ${wanted.slice(0, 200)}`)
  }
}

async function openWith(text: string, peers = 1): Promise<TestRoom> {
  const room = await openRoom({ peers })
  room.type(0, text)
  await room.saves(0)
  return room
}

const patch = (id: string, operations: unknown) =>
  exports.default.fetch(
    new Request(`http://localhost/docs/${id}`, {
      ...{ method: "PATCH", body: JSON.stringify(operations) },
      headers: { "content-type": "application/json-patch+json" },
    }),
  )

describe("a stream", () => {
  it("gives the document once, and then what changes", async () => {
    const room = await openWith("a text that is long enough to be told")
    const follower = await Follower.ask(room.id)
    expect(follower.response.headers.get("content-type")).toBe("text/event-stream")
    await follower.reads({ text: "a text that is long enough to be told" })
    expect(follower.retryMs).toBe(1_000)
    room.type(0, ", and goes on")
    await follower.reads({ text: "a text that is long enough to be told, and goes on" })
    expect(follower.ofType("state")).toHaveLength(1)
    const [change] = follower.ofType("change")
    expect(change).toEqual({
      type: "change",
      id: (await room.status())!.revision,
      data: {
        patch: [{ op: "text", path: "/text", index: 37, insert: ", and goes on" }],
        by: [],
        via: ["socket"],
      },
    })
    await patch(room.id, [{ op: "add", path: "/list/-", value: { n: 1 } }])
    await follower.reads({ text: "a text that is long enough to be told, and goes on", list: [{ n: 1 }] })
    expect(follower.ofType("change").at(-1)!.data.via).toEqual(["rest"])
  })

  it("[H1] says by whom", async () => {
    const room = await openRoom()
    const ada = await room.join({ ...WRITER, subject: "ada" })
    room.type(ada, "one")
    await room.saves(ada)
    const follower = await Follower.ask(room.id)
    room.type(ada, " two")
    await follower.reads({ text: "one two" })
    expect(follower.ofType("change")[0]!.data).toMatchObject({ by: ["ada"], via: ["socket"] })
  })

  it("gives Yjs updates, or patches of RFC 6902 alone, or what is at a path", async () => {
    const room = await openWith("a text that is long enough to be told")
    const updates = await Follower.ask(`${room.id}?format=update`)
    const strict = await Follower.ask(`${room.id}?text=replace`)
    const inside = await Follower.ask(`${room.id}?path=/map/a`)
    room.type(0, "!")
    await until(() => updates.doc.getText("text").toString().endsWith("told!"), "the update has come")
    await strict.reads({ text: "a text that is long enough to be told!" })
    expect(strict.ofType("change")[0]!.data.patch[0].op).toBe("replace")
    await inside.reads(null)
    await patch(room.id, [{ op: "add", path: "/map/a", value: { b: 1 } }])
    await inside.reads({ b: 1 })
    await patch(room.id, [{ op: "replace", path: "/map/a/b", value: 2 }])
    await inside.reads({ b: 2 })
    expect(inside.ofType("change").at(-1)!.data.patch).toEqual([{ op: "replace", path: "/b", value: 2 }])
  })

  it("resumes without a gap and without the whole, over a restart too", async () => {
    const room = await openWith("a text that is long enough to be told")
    const before = await Follower.ask(room.id)
    await until(() => before.events.length > 0, "the state has come")
    await before.leave()
    const ada = await room.join({ ...WRITER, subject: "ada" })
    room.type(ada, " more")
    await room.saves(ada)
    await patch(room.id, [{ op: "text", path: "/text", index: 0, insert: "> " }])
    await room.evict()
    for (const format of ["json-patch", "update"]) {
      const again = await Follower.ask(`${room.id}?format=${format}`, { after: before.lastId })
      await until(() => again.events.length > 0, "what was missed has come")
      expect(again.events.map(({ type }) => type)).toEqual(["change"])
      expect(again.lastId).toBe((await room.status())!.revision)
      expect(again.events[0]!.data).toMatchObject({ by: ["ada"], via: ["socket", "rest"] })
      if (format === "json-patch")
        expect(follow(before.value, again.events[0]!.data.patch)).toEqual({
          text: "> a text that is long enough to be told more",
        })
    }
    // An EventSource sets no headers on its first request.
    const byQuery = await Follower.ask(`${room.id}?after=${(await room.status())!.revision}`)
    await until(() => byQuery.events.length > 0, "nothing was missed")
    expect(byQuery.events[0]!.data).toEqual({ patch: [], by: [], via: [] })
    for (const follower of open) await follower.leave()
    // What is from before the snapshot is not known any more, so the whole is given.
    await runInDurableObject(room.stub, (_, state) => state.storage.sql.exec("DELETE FROM log"))
    await room.evict()
    await patch(room.id, [{ op: "add", path: "/map/a", value: 1 }])
    const late = await Follower.ask(room.id, { after: 1 })
    await until(() => late.events.length > 0, "the state has come")
    expect(late.events[0]!.type).toBe("state")
  })

  it("[H5] resumes from nothing that predates an access", async () => {
    const room = await openWith("begin")
    const { revision } = (await room.status())!
    room.type(0, " secret")
    await room.saves(0)
    await patch(room.id, [{ op: "text", path: "/text", index: 5, delete: 7 }])
    const historySinceMs = Date.now() + 1
    await until(() => Date.now() > historySinceMs, "the clock goes on")
    const fromNow: Grant = { ...WRITER, subject: "eve", historySinceMs }
    const late = (await room.status())!.revision
    await patch(room.id, [{ op: "text", path: "/text", index: 5, insert: "!" }])
    for (const format of ["update", "json-patch"]) {
      const asked = await Follower.enter(room, `?format=${format}&after=${revision}`, fromNow)
      await until(() => asked.events.length > 0, "an answer has come")
      const [{ type, data }] = asked.events as [Event]
      expect(type).toBe("state")
      expect(JSON.stringify(data) + atob(data.update ?? "")).not.toContain("secret")
      const own = await Follower.enter(room, `?format=${format}&after=${late}`, fromNow)
      await until(() => own.events.length > 0, "an answer has come")
      expect(own.events[0]!.type).toBe("change")
      await asked.leave()
      await own.leave()
    }
  })

  it("tells nobody of what is not committed, and of everything that is", async () => {
    const room = await openWith("start", 3)
    const followers = await Promise.all(Array.from({ length: 3 }, () => Follower.ask(room.id)))
    for (let i = 0; i < 60; i++) {
      room.type(i % 3, `${i} `)
      if (i % 20 === 10) {
        const before = await Follower.ask(room.id)
        followers.push(before)
      }
      await new Promise((resolve) => queueMicrotask(() => resolve(null)))
    }
    await room.converges()
    await room.saves(0)
    await room.saves(1)
    await room.saves(2)
    for (const follower of followers) await follower.reads({ text: room.text(0) })
    for (const { events } of followers) {
      const ids = events.map(({ id }) => id!)
      expect(ids).toEqual([...new Set(ids)].sort((a, b) => a - b))
    }
  })

  it("[P3] shows who is here, where it is asked for", async () => {
    const room = await openWith("x", 2)
    room.point(0, { name: "Ada" })
    await room.sees(1, [{ name: "Ada" }])
    const [curious, other] = [await Follower.ask(`${room.id}?presence=true`), await Follower.ask(room.id)]
    await until(() => curious.ofType("presence").length > 0, "who is here was told")
    expect(curious.ofType("presence")[0]!.data).toEqual([{ client: room.client(0), state: { name: "Ada" } }])
    await room.leave(0)
    await until(() => curious.ofType("presence").at(-1)!.data[0].state === null, "who has left was told")
    expect(other.ofType("presence")).toEqual([])
  })

  it("[R2] ends with the right, [R6] with a revocation, and with the document", async () => {
    const room = await openWith("x")
    const ask = async (subject: string, expiresAtMs: number | null) => {
      const headers = {
        accept: "text/event-stream",
        [GRANT_HEADER]: encodeGrant({ ...WRITER, subject, expiresAtMs }),
      }
      return new Follower(await room.stub.fetch(`http://localhost/docs/${room.id}`, { headers }))
    }
    const [short, revoked, last] = [
      await ask("ada", Date.now() + 300),
      await ask("bob", null),
      await ask("eve", null),
    ]
    await until(() => short.ended, "the right has ended")
    expect(short.ofType("end")[0]!.data.error).toBe("unauthorized")
    await room.stub.dismiss({ subject: "bob" })
    await until(() => revoked.ended, "the right was revoked")
    expect(revoked.ofType("end")[0]!.data.error).toBe("unauthorized")
    expect(last.ended).toBe(false)
    await room.remove()
    await until(() => last.ended, "the document is gone")
    expect(last.ofType("deleted")[0]!.data.error).toBe("deleted")
  })

  it("[F3] that is not read is broken off, and the others go on", async () => {
    const room = await openWith("x")
    const lazy = await Follower.ask(`${room.id}?text=replace`, { reads: false })
    const reader = await Follower.ask(`${room.id}?text=replace`)
    await reader.reads({ text: "x" })
    let refused = 0
    for (let i = 0; i < 40 && refused === 0; i++) {
      const value = String(i).repeat(400_000 / String(i).length)
      expect((await patch(room.id, [{ op: "replace", path: "/text", value }])).status).toBe(200)
      await reader.reads({ text: value })
      refused = await room.happened("refused")
    }
    expect(refused).toBe(1)
    expect(lazy.ended).toBe(false)
    await patch(room.id, [{ op: "replace", path: "/text", value: "after" }])
    await reader.reads({ text: "after" })
  })

  it("[B1] is one of so many, and says what it can be", async () => {
    const room = await openWith("x")
    const cases: [string, number][] = [
      [`${room.id}?format=json`, 400],
      [`${room.id}?path=a`, 400],
      [`${room.id}?format=update&path=/a`, 400],
      [`${room.id}?after=x`, 400],
      [freshId(), 404],
    ]
    for (const [path, status] of cases) {
      const headers = { accept: "text/event-stream" }
      const response = await exports.default.fetch(new Request(`http://localhost/docs/${path}`, { headers }))
      expect([path, response.status, ((await response.json()) as { error: string }).error]).toEqual([
        path,
        status,
        expect.any(String),
      ])
    }
    const small = await openRoom()
    const bob = { ...WRITER, subject: "bob" }
    await small.join(bob)
    small.type(0, "x")
    await small.saves(0)
    const headers = { accept: "text/event-stream", [GRANT_HEADER]: encodeGrant(bob) }
    const answers: number[] = []
    for (let i = 0; i < 4; i++) {
      const response = await small.stub.fetch(`http://localhost/docs/${small.id}`, { headers })
      answers.push(response.status)
      if (response.status === 200) new Follower(response)
      else await response.text()
    }
    expect(answers).toEqual([200, 200, 200, 503])
  })
})
