import { createHmac } from "node:crypto"
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import type { Version } from "../../../src/history/versions.ts"
import { LIMITS } from "../../../src/limits.ts"
import type { Log } from "../../../src/room/log.ts"
import { Postbox, readReceiver } from "../../../src/room/postbox.ts"

const SECRET = `whsec_${Buffer.from("a key of more than twenty-four bytes").toString("base64")}`

interface Heard {
  readonly id: string
  readonly type: string
  readonly data: Record<string, unknown>
}

let server: Server
let url: string
const heard: Heard[] = []
let answers: number[] = []

beforeEach(async () => {
  heard.length = 0
  answers = []
  server = createServer(async (request, response) => {
    const body = Buffer.concat(await request.toArray()).toString()
    const { headers } = request
    const [id, seconds] = [headers["webhook-id"], headers["webhook-timestamp"]]
    const key = Buffer.from(SECRET.slice("whsec_".length), "base64")
    const right = `v1,${createHmac("sha256", key).update(`${id}.${seconds}.${body}`).digest("base64")}`
    const status = headers["webhook-signature"] === right ? (answers.shift() ?? 204) : 401
    if (status === 204) heard.push({ id: String(id), ...JSON.parse(body) })
    response.writeHead(status).end()
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/events`
})

afterEach(() => new Promise((resolve) => server.close(resolve)))

/** A room's storage, as far as a postbox asks; it outlives the postbox. */
class Room {
  readonly notes = new Map<string, unknown>()
  revision = 0
  exists = false
  box: Postbox

  constructor(limits: Partial<typeof LIMITS> = {}) {
    this.limits = { ...LIMITS, ...limits }
    this.box = this.wake()
  }

  readonly limits: typeof LIMITS

  /** A postbox on what is stored. */
  wake(): Postbox {
    const { notes } = this
    const revision = () => this.revision
    const exists = () => this.exists
    // reason: a postbox asks no more of a log than this
    const log = {
      noted: (key: string) => notes.get(key) ?? null,
      note: (key: string, value: unknown) => void notes.set(key, value),
      get state() {
        return { revision: revision() }
      },
      get exists() {
        return exists()
      },
    } as unknown as Log
    this.box = new Postbox("notes", {
      receiver: readReceiver({ EVENTS_URL: url, EVENTS_SECRET: SECRET }),
      log,
      limits: this.limits,
    })
    return this.box
  }

  commit(): void {
    this.exists = true
    this.revision++
    this.box.note({ type: "committed", revision: this.revision, bytes: 1 })
  }
}

const types = () => heard.map(({ type }) => type)

describe("a postbox", () => {
  it("[A4] tells of a change once for all that came, signed, and of who comes and goes", async () => {
    const room = new Room()
    room.commit()
    room.commit()
    room.box.note({ type: "joined", subject: "ada", peers: 1, rights: "write", dialect: "yurt" })
    expect(room.box.dueAtMs).toBeGreaterThan(Date.now())
    await room.box.flush()
    expect(heard).toMatchObject([
      { type: "presence.joined", data: { document: "notes", subject: "ada", connections: 1 } },
      { type: "document.created", data: { document: "notes", revision: 2 } },
    ])
    room.commit()
    await room.box.flush()
    expect(heard.at(-1)).toMatchObject({ type: "document.changed", data: { revision: 3, from: 2 } })
    expect(room.box.dueAtMs).toBeNull()
    expect(new Set(heard.map(({ id }) => id)).size).toBe(3)
  })

  it("[D2] goes on after a failure and after a kill, in order, and loses nothing", async () => {
    const room = new Room()
    room.commit()
    room.box.note({ type: "left", subject: "ada", peers: 0, rights: "write", dialect: "yurt" })
    answers = [500]
    await expect(room.box.flush()).rejects.toMatchObject({ code: "unavailable" })
    room.commit()
    expect(heard).toEqual([])
    await room.wake().flush()
    expect(types()).toEqual(["presence.left", "document.created", "document.changed"])
    expect(room.box.status).toEqual({ told: 2, waiting: 0, dropped: 0 })
  })

  it("tells of a deletion, and of what comes after it as a new document", async () => {
    const room = new Room()
    room.commit()
    await room.box.flush()
    room.exists = false
    room.box.note({ type: "deleted", revision: ++room.revision })
    await room.box.flush()
    room.commit()
    await room.box.flush()
    expect(types()).toEqual(["document.created", "document.deleted", "document.created"])
  })

  it("tells once more from a revision on", async () => {
    const room = new Room()
    for (let i = 0; i < 5; i++) room.commit()
    await room.box.flush()
    room.box.replay(2)
    await room.box.flush()
    expect(heard.at(-1)).toMatchObject({ type: "document.changed", data: { revision: 5, from: 2 } })
  })

  it("[H2] tells of a version that was made", async () => {
    const room = new Room()
    const version: Version = {
      ...{
        id: "v_1",
        name: "Draft",
        at: "2026-11-27T00:00:00.000Z",
        revision: 1,
        trigger: "manual",
        meta: null,
      },
      createdBy: { subject: "ada", via: "rest" },
      by: [{ subject: "bob", via: "socket" }],
    }
    room.box.note({ type: "versioned", version })
    expect(room.box.dueAtMs).toBeGreaterThan(0)
    await room.wake().flush()
    expect(heard).toMatchObject([{ type: "version.created", data: { document: "notes", version } }])
  })

  it("[B1] keeps no more than fits one stored value", async () => {
    const room = new Room({ eventsLength: 1_000 } as unknown as Partial<typeof LIMITS>)
    for (let i = 0; i < 20; i++)
      room.box.note({
        type: "joined",
        subject: `${i}`.repeat(50),
        peers: 1,
        rights: "write",
        dialect: "yurt",
      })
    expect(String(room.notes.get("events")).length).toBeLessThan(1_200)
    await room.box.flush()
    expect(heard.at(-1)!.data.subject).toBe("19".repeat(50))
    expect(heard.length + room.box.status.dropped).toBe(20)
  })

  it("[B1] keeps so many, and counts what it had to drop", async () => {
    const room = new Room({ eventsKept: 3 } as unknown as Partial<typeof LIMITS>)
    for (let i = 0; i < 5; i++)
      room.box.note({ type: "joined", subject: `${i}`, peers: 1, rights: "write", dialect: "yurt" })
    await room.box.flush()
    expect(heard.map(({ data }) => data.subject)).toEqual(["2", "3", "4"])
    expect(room.box.status.dropped).toBe(2)
  })

  it("[O2] needs https and a secret", () => {
    expect(readReceiver({})).toBeNull()
    for (const env of [
      { EVENTS_URL: "http://example.com/", EVENTS_SECRET: SECRET },
      { EVENTS_URL: "https://example.com/" },
      { EVENTS_URL: "https://example.com/", EVENTS_SECRET: "short" },
      { EVENTS_URL: "nonsense", EVENTS_SECRET: SECRET },
    ])
      expect(() => readReceiver(env)).toThrow("EVENTS_")
  })
})
