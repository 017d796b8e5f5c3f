/** Hocuspocus in a room, frame by frame: what its stock client would not do, and what the room does when it slept. */

import { exports } from "cloudflare:workers"
import * as encoding from "lib0/encoding"
import { expect, it } from "vitest"
import type { Grant } from "../../src/access/rights.ts"
import { DIALECT_HEADER, encodeGrant, GRANT_HEADER } from "../../src/rpc.ts"
import { type Frame, readFrame } from "../../src/wire/y-websocket.ts"
import { freshId, openRoom, type TestRoom, until, WRITER } from "./vocabulary.ts"

/** Somebody who speaks Hocuspocus, byte by byte. */
class Speaker {
  readonly socket: WebSocket
  readonly heard: Uint8Array[] = []
  closed: number | null = null
  readonly #key: string

  constructor(socket: WebSocket, key: string) {
    this.socket = socket
    this.#key = key
    socket.binaryType = "arraybuffer"
    socket.addEventListener("message", ({ data }) => {
      this.heard.push(new Uint8Array(data as ArrayBuffer))
    })
    socket.addEventListener("close", ({ code }) => {
      this.closed = code
    })
    socket.accept()
  }

  /** A frame of these fields: numbers, texts and bytes. */
  frame(...fields: (number | string | Uint8Array)[]): Uint8Array {
    return encoding.encode((encoder) => {
      encoding.writeVarString(encoder, this.#key)
      for (const field of fields) {
        if (typeof field === "number") encoding.writeVarUint(encoder, field)
        else if (typeof field === "string") encoding.writeVarString(encoder, field)
        else encoding.writeVarUint8Array(encoder, field)
      }
    })
  }

  say(...fields: (number | string | Uint8Array)[]): void {
    this.socket.send(this.frame(...fields))
  }

  /** How often exactly this frame has come. */
  count(...fields: (number | string | Uint8Array)[]): number {
    const wanted = this.frame(...fields).join()
    return this.heard.filter((frame) => frame.join() === wanted).length
  }

  hears(...fields: (number | string | Uint8Array)[]): Promise<void> {
    return until(() => this.count(...fields) > 0, `it hears ${JSON.stringify(fields)}`)
  }
}

async function dial(room: TestRoom, grant: Grant | null = WRITER): Promise<Speaker> {
  const { webSocket } = await room.stub.fetch(`http://localhost/hocuspocus/${encodeURIComponent(room.id)}`, {
    headers: { Upgrade: "websocket", [GRANT_HEADER]: encodeGrant(grant), [DIALECT_HEADER]: "hocuspocus" },
  })
  return new Speaker(webSocket!, room.id)
}

/** Someone who is in. */
async function enter(room: TestRoom, grant: Grant = WRITER): Promise<Speaker> {
  const speaker = await dial(room, grant)
  speaker.say(2, 0, "")
  await speaker.hears(2, 2, grant.rights === "write" ? "read-write" : "readonly")
  return speaker
}

/** One letter under a client id, as an update. */
function letter(client: number): Uint8Array {
  return Uint8Array.from([1, 1, client, 0, 4, 1, 4, ...new TextEncoder().encode("text"), 1, 97, 0])
}

it("[D1] gives a receipt for each update, after the commit, and for the step 2 that a step 1 calls for", async () => {
  const room = await openRoom({ peers: 1 })
  const ada = await enter(room)
  ada.say(0, 0, new Uint8Array([0]))
  await until(() => ada.heard.some((frame) => frame.at(-2) === 1), "it is asked what it has")
  ada.say(0, 2, letter(1))
  ada.say(0, 2, letter(2))
  await until(() => ada.count(8, 1) === 2, "two receipts")
  ada.say(0, 1, letter(2))
  await until(() => ada.count(8, 1) === 3, "one for the step 2")
  // Nothing has asked for this one, so its client has not counted it.
  ada.say(0, 1, letter(2))
  ada.say(0, 2, letter(2))
  await until(() => ada.count(8, 1) === 4, "one for an update that was known")
  expect((await room.status())!.revision).toBeGreaterThan(0)
  await room.reads(0, "aa")
})

it("[D1] gives no receipt while the disk takes nothing", async () => {
  const room = await openRoom()
  const ada = await enter(room)
  ada.say(0, 2, letter(1))
  await until(() => ada.count(8, 1) === 1, "the disk takes the first")
  await room.damage("create trigger full before insert on log begin select raise(abort, 'no space'); end")
  ada.say(0, 2, letter(2))
  await until(async () => (await room.happened("commit-failed")) > 0, "a commit failed")
  expect(ada.count(8, 1)).toBe(1)
  await room.damage("drop trigger full")
  await until(() => ada.count(8, 1) === 2, "the disk takes the second")
})

it("[D9] gives no receipt for what waits for something that has not arrived", async () => {
  const room = await openRoom()
  const ada = await enter(room)
  // Clock 1 of client 3 comes after clock 0, which nobody has.
  ada.say(0, 2, Uint8Array.from([1, 1, 3, 1, 0x84, 3, 0, 1, 98, 0]))
  await until(async () => (await room.status())?.waiting === 1, "it waits")
  expect(ada.count(8, 1)).toBe(0)
  ada.say(0, 2, letter(3))
  await until(() => ada.count(8, 1) === 2, "both are in")
})

it("[R2] says of a reader's update that it was refused, each time", async () => {
  const room = await openRoom()
  const bo = await enter(room, { ...WRITER, rights: "read" })
  bo.say(0, 2, letter(1))
  bo.say(0, 2, letter(2))
  await until(() => bo.count(8, 0) === 2, "both were refused")
  expect([bo.count(8, 1), bo.closed, await room.status()]).toEqual([0, null, null])
})

it("[W2] gives a stateless message to the hook, and what the hook sends to everyone in their dialect", async () => {
  const room = await openRoom({ peers: 1 })
  const [ada, bo] = [await enter(room), await enter(room)]
  ada.say(5, "hello")
  await bo.hears(5, "heard hello")
  await until(() => room.visitors[0]!.texts.includes("__YPS:heard hello"), "the other dialect hears it")
})

it("[W1] ends the document with a close frame where a frame cannot be read, and disturbs nobody", async () => {
  const room = await openRoom({ peers: 2 })
  for (const message of [
    new Uint8Array([77]),
    // Frames of y-websocket's: a step 1, an awareness, a query.
    new Uint8Array([0, 0, 1, 0]),
    new Uint8Array([1, 1, 0]),
    new Uint8Array([3]),
  ]) {
    const ada = await enter(room)
    ada.socket.send(message)
    await until(() => ada.heard.some((frame) => frame[room.id.length + 1] === 7), "its document is closed")
    ada.say(0, 2, letter(9))
    expect(ada.closed).toBeNull()
  }
  room.type(0, "undisturbed")
  await room.saves(0)
  await room.reads(1, "undisturbed")
})

it("[W1] answers a token for another document on the socket, and goes on with its own", async () => {
  const room = await openRoom()
  const ada = await enter(room)
  const other = new Speaker(new WebSocketPair()[0], "another")
  ada.socket.send(other.frame(2, 0, ""))
  ada.socket.send(other.frame(0, 2, letter(1)))
  ada.say(0, 2, letter(2))
  await ada.hears(8, 1)
  const denied = other.frame(2, 1, "This address is another document's").join()
  expect(ada.heard.filter((frame) => frame.join() === denied)).toHaveLength(1)
  expect(ada.count(8, 1)).toBe(1)
})

it("[P4] speaks Hocuspocus on when the room has slept, and still waits for who had not said anything", async () => {
  const room = await openRoom({ peers: 1 })
  const ada = await enter(room)
  const late = await dial(room)
  await room.hibernate()
  room.type(0, "a")
  await until(() => ada.heard.some((frame) => frame[room.id.length + 1] === 0), "it hears of the update")
  late.say(2, 0, "")
  await late.hears(2, 2, "read-write")
  ada.say(0, 2, letter(1))
  await ada.hears(8, 1)
  expect([ada.closed, late.closed]).toEqual([null, null])
})

/** A bundle of the Worker's, and on it somebody who speaks of this document. */
async function bundle(room: TestRoom): Promise<Speaker> {
  const request = new Request("http://localhost/hocuspocus", { headers: { Upgrade: "websocket" } })
  const { webSocket } = await exports.default.fetch(request)
  const speaker = new Speaker(webSocket!, room.id)
  speaker.say(2, 0, "")
  await speaker.hears(2, 2, "read-write")
  return speaker
}

it("[P4] goes on in a bundle when the room has slept behind it", async () => {
  const room = await openRoom({ peers: 1 })
  const ada = await bundle(room)
  await room.hibernate()
  room.type(0, "a")
  await until(() => ada.heard.some((frame) => frame[room.id.length + 1] === 0), "it hears of the update")
  ada.say(0, 2, letter(1))
  await ada.hears(8, 1)
  expect(ada.closed).toBe(null)
})

it("[D1] comes back in a bundle when the room was lost, and gets its receipts once all is on disk", async () => {
  const room = await openRoom()
  const ada = await bundle(room)
  ada.say(0, 0, new Uint8Array([0]))
  ada.say(0, 2, letter(1))
  await room.evict()
  await until(() => ada.count(2, 0) > 0, "it is asked for its token again")
  const before = ada.count(8, 1)
  ada.say(2, 0, "")
  await until(
    () => ada.heard.filter((frame) => frame.at(-2) === 1 && frame.at(-3) === 0).length > 0,
    "all it has is asked for",
  )
  ada.say(0, 1, letter(1))
  await until(() => ada.count(8, 1) > before, "it is saved")
  expect([ada.count(8, 1), ada.closed]).toEqual([2, null])
  const text = await exports.default.fetch(
    new Request(`http://localhost/docs/${encodeURIComponent(room.id)}?format=text`),
  )
  expect(await text.text()).toContain("a")
})

it("[R1] tells a stranger nothing of the document, and closes one that shows no token in time", async () => {
  const room = await openRoom({ peers: 1 })
  const stranger = await dial(room, null)
  stranger.say(0, 0, new Uint8Array([0]))
  stranger.say(3)
  stranger.say(5, "hello")
  room.type(0, "secret")
  room.point(0, { a: 1 })
  await room.saves(0)
  await until(() => stranger.closed !== null, "the stranger is closed")
  expect(stranger.closed).toBe(4401)
  expect([stranger.heard, room.visitors[0]!.texts]).toEqual([[], []])
  expect((await room.status())!.connections).toBe(1)
})

it("[W1] takes a stock client's first frame for what it is at the document's own URL", async () => {
  const id = freshId()
  const room = await openRoom({ id })
  const { webSocket } = await room.knock()
  const ada = new Speaker(webSocket!, id)
  await until(async () => (await room.connections()) === 1, "the socket is open")
  expect(ada.heard).toEqual([])
  ada.socket.send(new Uint8Array([0, 0, 1, 0]))
  await until(() => ada.heard.length === 2, "it is greeted and answered in y-websocket")
  const types: Frame["type"][] = ada.heard.map((frame) => readFrame(frame).type)
  expect(types).toEqual(["step-1", "step-2"])
})
