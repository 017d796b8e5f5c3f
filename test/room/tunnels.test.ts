/** Sockets over HTTP: a peer whose network lets no WebSocket through is a peer like any other. */
import { runInDurableObject } from "cloudflare:test"
import { env } from "cloudflare:workers"
import { SignJWT } from "jose"
import * as encoding from "lib0/encoding"
import { afterEach, describe, expect, it, vi } from "vitest"
import * as Y from "yjs"
import { revoke } from "../../src/access/revocations.ts"
import { HttpSocket, type Way } from "../../src/client/http-socket.ts"
import { routeDocuments } from "../../src/http/routes.ts"
import { writeUp } from "../../src/wire/tunnel.ts"
import { DocumentClient } from "../kit/client.ts"
import { freshId, openRoom, type TestRoom, until } from "./vocabulary.ts"

const secret = "a secret of more than thirty-two bytes, for tests only"
const settings = { ...env, AUTH_SECRET: secret }

function sign(id: string, { sub = "ada", rights = "write", seconds = 3600 } = {}): Promise<string> {
  return new SignJWT({ docs: [{ id, rights }] })
    .setProtectedHeader({ alg: "HS256" })
    .setSubject(sub)
    .setAudience("yurt")
    .setExpirationTime(Math.floor(Date.now() / 1000) + seconds)
    .sign(new TextEncoder().encode(secret))
}

const asked: Request[] = []
const askedAtMs: number[] = []
const open: Tunneller[] = []
vi.stubGlobal("fetch", (url: string, init: RequestInit) => {
  const { cache: _, ...rest } = init
  const request = new Request(url, rest)
  asked.push(request)
  if (request.method === "GET") askedAtMs.push(Date.now())
  return routeDocuments(request, settings)
})
afterEach(() => {
  for (const one of open.splice(0)) one.detach()
  asked.length = 0
  askedAtMs.length = 0
})

/** Someone in the room, over HTTP. */
class Tunneller extends DocumentClient {
  readonly socket: HttpSocket

  constructor(id: string, { way, token }: { way: Way; token: string }) {
    super()
    const socket = new HttpSocket(`wss://yurt.example/docs/${encodeURIComponent(id)}`, ["yurt", token], {
      way,
      waitMs: 5_000,
      onFailure: () => {},
    })
    this.socket = socket
    open.push(this)
    this.attach({
      protocol: "yurt",
      get isOpen() {
        return socket.readyState === 1
      },
      send: (message) => socket.send(message),
      onOpen: (listener) => {
        socket.onopen = listener
      },
      onMessage: (listener) => {
        socket.onmessage = ({ data }) => listener(typeof data === "string" ? data : new Uint8Array(data))
      },
      onClose: (listener) => {
        socket.onclose = ({ code, reason }) => listener(code, reason)
      },
      terminate: () => socket.close(),
    })
  }

  get text(): string {
    return this.doc.getText("text").toString()
  }

  type(text: string): void {
    this.doc.getText("text").insert(this.text.length, text)
  }
}

async function enter(room: TestRoom, way: Way, who: Parameters<typeof sign>[1] = {}): Promise<Tunneller> {
  const tunneller = new Tunneller(room.id, { way, token: await sign(room.id, who) })
  await until(() => tunneller.synced || tunneller.closed, "they are in, or refused")
  return tunneller
}

describe.each<Way>(["stream", "poll"])("[C1] over HTTP, %s", (way) => {
  it("[D1] [P3] edits, sees and is seen, and is told what is saved once it is", async () => {
    const room = await openRoom({ peers: 1 })
    const ada = await enter(room, way)
    room.type(0, "Hello ")
    await until(() => ada.text === "Hello ", "Ada reads")
    ada.type("Ada")
    await room.reads(0, "Hello Ada")
    ada.askSaved()
    await until(() => ada.saved === ada.asked, "it is saved")
    expect(await room.rows("SELECT 1 FROM log")).not.toEqual([])
    room.point(0, { name: "bo" })
    await until(
      () => [...ada.awareness.getStates().values()].some(({ name }) => name === "bo"),
      "Ada sees Bo",
    )
    ada.awareness.setLocalState({ name: "ada" })
    await until(() => room.visitors[0]!.awareness.getStates().has(ada.doc.clientID), "Bo sees Ada")
    ada.detach()
    await until(() => !room.visitors[0]!.awareness.getStates().has(ada.doc.clientID), "Ada is gone")
  })

  it("[R2] tells a reader that it may not write, and goes on", async () => {
    const room = await openRoom({ peers: 1 })
    const eve = await enter(room, way, { rights: "read" })
    eve.type("no")
    await until(() => eve.refusals.length > 0, "it is refused")
    room.type(0, "yes")
    await until(() => eve.text.includes("yes"), "Eve reads on")
    expect([room.text(0), eve.closed]).toEqual(["yes", null])
  })

  it("[R2] ends with its token, at the door and while connected", async () => {
    const room = await openRoom()
    const late = await enter(room, way, { seconds: -60 })
    expect(late.closed).toMatchObject({ code: 4401 })
    const eve = await enter(room, way, { seconds: 2 })
    expect(eve.closed).toBeNull()
    await until(async () => {
      await room.alarm()
      return eve.closed
    }, "Eve's token has ended")
    expect(eve.closed).toMatchObject({ code: 4401 })
  })

  it("[R6] ends when it is revoked", async () => {
    const room = await openRoom()
    const eve = await enter(room, way, { sub: "eve" })
    await room.stub.dismiss({ subject: "eve" })
    await until(() => eve.closed, "Eve is out")
    expect(eve.closed).toMatchObject({ code: 4401 })
  })
})

/** The header by which a request names its session, and a body that says one thing. */
const by = (session: string, extra: Record<string, string> = {}) => ({ "yurt-session": session, ...extra })
const saying = (...message: number[]) =>
  writeUp([{ channel: 0, type: "message", message: Uint8Array.from(message) }])

async function ask(room: TestRoom, token: string, init: RequestInit): Promise<Response> {
  const headers = new Headers(init.headers)
  headers.set("authorization", `Bearer ${token}`)
  return routeDocuments(
    new Request(`https://yurt.example/docs/${room.id}/-/frames`, { ...init, headers }),
    settings,
  )
}

it("[D1] [P4] lets the room sleep while a stream is open, and wakes it by what is said", async () => {
  const room = await openRoom({ peers: 1 })
  const ada = await enter(room, "stream")
  ada.awareness.setLocalState({ name: "ada" })
  await until(() => room.visitors[0]!.awareness.getStates().has(ada.doc.clientID), "Ada is seen")
  await room.attaches()
  await room.hibernate()
  ada.type("Good morning")
  await room.reads(0, "Good morning")
  await room.hibernate()
  room.type(0, "!")
  await until(() => ada.text === "Good morning!", "Ada hears of it")
  expect(ada.closed).toBeNull()
})

it("[R4] [R5] hears on a session only who opened it", async () => {
  const room = await openRoom({ peers: 1 })
  const sessions = () => [...new Set(asked.map(({ headers }) => headers.get("yurt-session")!))]
  await Promise.all([enter(room, "stream"), enter(room, "poll")])
  const mallory = await sign(room.id, { sub: "mallory" })
  for (const session of sessions()) {
    const spoken = await ask(room, mallory, { method: "PATCH", headers: by(session), body: saying(3) })
    expect(spoken.status).toBe(403)
  }
  const stolen = await ask(room, mallory, { headers: by(sessions()[1]!, { "yurt-wait": "1" }) })
  expect(stolen.status).toBe(403)
  expect(asked.every(({ url }) => !url.includes("token") && !url.includes("session"))).toBe(true)
})

it.each<Way>(["stream", "poll"])(
  "[R2] gives who speaks on a session no more than their own token, %s",
  async (way) => {
    const room = await openRoom({ peers: 1 })
    const ada = await enter(room, way)
    const session = asked[0]!.headers.get("yurt-session")!
    const update = (text: string) => {
      const doc = new Y.Doc()
      doc.getText("text").insert(0, text)
      const frame = encoding.createEncoder()
      for (const part of [0, 2]) encoding.writeVarUint(frame, part)
      encoding.writeVarUint8Array(frame, Y.encodeStateAsUpdate(doc))
      return saying(...encoding.toUint8Array(frame))
    }
    const speak = async (rights: string, text: string) =>
      ask(room, await sign(room.id, { rights }), {
        method: "PATCH",
        headers: by(session),
        body: update(text),
      })
    expect((await speak("read", "stolen")).status).toBe(204)
    await until(() => ada.refusals.length > 0, "it is refused")
    expect((await speak("write", "own")).status).toBe(204)
    await room.reads(0, "own")
    ada.type("!")
    await until(() => room.text(0).length === "own!".length, "Ada goes on as she may")
  },
)

it.each<[string, RequestInit, number]>([
  ["no session", { method: "PATCH", body: saying(3) }, 400],
  ["a session that is no number", { headers: by("../../admin") }, 400],
  ["a session of another length", { headers: by("a".repeat(33)) }, 400],
  ["a session that nobody opened", { method: "PATCH", headers: by("a".repeat(32)), body: saying(3) }, 503],
  ["a mailbox that nobody opened", { headers: by("b".repeat(32), { "yurt-wait": "5" }) }, 503],
  ["a wait that is no number", { headers: by("c".repeat(32), { "yurt-wait": "-1" }) }, 400],
  [
    "a body that is encoded",
    { method: "PATCH", headers: by("d".repeat(32), { "content-encoding": "gzip" }), body: saying(3) },
    415,
  ],
  ["a method that is not there", { method: "DELETE", headers: by("e".repeat(32)) }, 405],
])("[B1] answers %s without harm", async (_, init, status) => {
  const room = await openRoom()
  expect((await ask(room, await sign(room.id), init)).status).toBe(status)
  expect((await ask(room, "none", init)).status).toBe(status === 405 ? 405 : 401)
  expect(await room.connections()).toBe(0)
})

it.each<[string, Uint8Array, Way?]>([
  ["a frame that is none", saying(99)],
  ["a frame that is none, and polls", saying(99), "poll"],
  ["bytes that end inside a message", Uint8Array.of(200, 1, 2)],
  ["a message of no kind", Uint8Array.of(2, 0, 77)],
  ["what only a server says", writeUp([{ channel: 0, type: "opened" }])],
  ["an opening of another document", writeUp([{ channel: 1, type: "open", path: "other", token: "" }])],
])("[W1] closes the socket of who sends %s, and of nobody else", async (_, body, way = "stream") => {
  const room = await openRoom({ peers: 1 })
  const mallory = await enter(room, way)
  const session = asked[0]!.headers.get("yurt-session")!
  const answer = await ask(room, await sign(room.id), {
    method: "PATCH",
    headers: by(session),
    body: body as BodyInit,
  })
  expect(answer.status).toBe(204)
  await until(() => mallory.closed, "Mallory is out")
  expect(mallory.closed).toMatchObject({ code: 4400 })
  expect(await room.connections()).toBe(1)
})

it("[R3] counts what comes in one request as it counts frames", async () => {
  const room = await openRoom()
  const mallory = await enter(room, "stream")
  mallory.type("first")
  await until(async () => (await room.status()) !== null, "there is a document")
  const session = asked[0]!.headers.get("yurt-session")!
  const question = writeUp([{ channel: 0, type: "message", message: "nothing" }])
  const flood = new Uint8Array(question.length * 330_000)
  for (let at = 0; at < flood.length; at += question.length) flood.set(question, at)
  await ask(room, await sign(room.id), { method: "PATCH", headers: by(session), body: flood })
  await until(() => mallory.closed, "Mallory is out")
  expect(mallory.closed).toMatchObject({ code: 1013 })
  expect(await room.happened("refused")).toBe(1)
})

it("[B1] keeps one mailbox for a session, and answers with what it has, some at a time", async () => {
  const room = await openRoom()
  const token = await sign(room.id)
  const headers = by("f".repeat(32), { "yurt-wait": "0" })
  await (await ask(room, token, { headers })).text()
  await (await ask(room, token, { headers })).text()
  await until(async () => (await room.connections()) === 1, "the first one's socket is closed")
  const writer = await room.join()
  for (let i = 0; i < 6; i++) {
    room.type(writer, "x".repeat(1024 * 1024))
    await room.merge(new Uint8Array([0, 0]))
  }
  const next = async () =>
    (await ask(room, token, { headers: by("f".repeat(32), { "yurt-wait": "1000" }) })).text()
  let [largest, total] = [0, 0]
  await until(async () => {
    const { length } = await next()
    largest = Math.max(largest, length)
    total += length
    return total > 6 * 1024 * 1024
  }, "all of it has come")
  // In base64 a third more.
  expect(largest).toBeLessThan(5.5 * 1024 * 1024)
})

it("[B1] keeps so much in all mailboxes together, and lets go who has not asked for the longest time", async () => {
  const room = await openRoom({ peers: 1 })
  await runInDurableObject(room.stub as never, (instance: object) => {
    const limits = Reflect.get(instance, "limits")
    Object.assign(limits, { mailboxesBytes: 4 * 1024 * 1024 })
  })
  const token = await sign(room.id, { rights: "read" })
  const collect = (digit: string, wait: string) =>
    ask(room, token, { headers: by(digit.repeat(32), { "yurt-wait": wait }) })
  for (const digit of "123") expect((await collect(digit, "0")).status).toBe(200)
  room.type(0, "x".repeat(1.5 * 1024 * 1024))
  await room.saves(0)
  await until(async () => (await room.connections()) === 3, "one had to go")
  const statuses: number[] = []
  for (const digit of "123") statuses.push((await collect(digit, "1")).status)
  expect(statuses).toEqual([503, 200, 200])
})

it.each<Way>(["stream", "poll"])("[B1] closes who opens a session and never reads it, %s", async (way) => {
  const room = await openRoom({ peers: 1 })
  const headers = by("9".repeat(32), way === "poll" ? { "yurt-wait": "0" } : {})
  const answer = await ask(room, await sign(room.id, { rights: "read" }), { headers })
  await until(async () => (await room.connections()) === 2, "they are in")
  for (let i = 0; i < 11; i++) {
    room.type(0, "x".repeat(1024 * 1024))
    await room.saves(0)
  }
  await until(async () => (await room.connections()) === 1, "they are out")
  await answer.body?.cancel()
})

it("[B3] polls a busy room ten times a second, not with each of its frames", async () => {
  const room = await openRoom({ peers: 1 })
  const ada = await enter(room, "poll")
  const before = askedAtMs.length
  for (let i = 1; i <= 20; i++) {
    room.type(0, "x")
    await until(() => ada.text.length === i, "Ada has it")
  }
  const gaps = askedAtMs.slice(before).map((at, i) => at - askedAtMs[before + i - 1]!)
  expect(gaps.length).toBeGreaterThan(0)
  // Timers may be a millisecond early.
  expect(Math.min(...gaps)).toBeGreaterThanOrEqual(98)
})

it("[B3] [R6] counts a session that is polled as one connection, which its revocation ends", async () => {
  const room = await openRoom({ peers: 1 })
  const subject = freshId()
  const token = await sign(room.id, { sub: subject })
  const opened: string[] = []
  const counting = {
    ...settings,
    UPGRADES: {
      limit: async ({ key }: { key: string }) => ({ success: opened.push(key) < 3 }),
    },
  }
  const poll = (wait: string) =>
    routeDocuments(
      new Request(`https://yurt.example/docs/${room.id}/-/frames`, {
        headers: { ...by("1".repeat(32), { "yurt-wait": wait }), authorization: `Bearer ${token}` },
      }),
      counting,
    )
  for (const wait of ["0", "1", "1", "1"]) expect((await poll(wait)).status).toBe(200)
  expect(opened).toEqual([`${subject} ${room.id}`])
  expect(await revoke(counting, { subject })).toEqual({ closed: 1, failed: 0 })
  expect(await room.connections()).toBe(1)
})

it("[B1] [B2] knows nobody by a name that two sockets have", async () => {
  const room = await openRoom()
  const ada = await enter(room, "stream")
  const session = asked[0]!.headers.get("yurt-session")!
  const headers = by(session)
  const second = await ask(room, await sign(room.id), { headers })
  await until(async () => (await room.connections()) === 2, "both are open")
  const spoken = await ask(room, await sign(room.id), { method: "PATCH", headers, body: saying(3) })
  expect(spoken.status).toBe(503)
  await second.body!.cancel()
  ada.detach()
})
