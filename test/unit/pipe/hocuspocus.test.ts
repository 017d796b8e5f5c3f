import * as encoding from "lib0/encoding"
import { afterEach, beforeEach, expect, it, vi } from "vitest"
import { SyncError } from "../../../src/errors.ts"
import { LIMITS, type Limits } from "../../../src/limits.ts"
import { HocuspocusBundle } from "../../../src/pipe/hocuspocus.ts"
import type { Told } from "../../../src/wire/dialect.ts"
import { hocuspocus, writeTokenRequest } from "../../../src/wire/hocuspocus.ts"
import { FakeSocket, settle } from "./socket.ts"

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

/** A client with a bundle; rooms by the order in which they were asked for. */
function connect({ limits = {} }: { limits?: Partial<Limits> } = {}) {
  const client = new FakeSocket()
  const rooms: { readonly name: string; readonly socket: FakeSocket }[] = []
  const failures: SyncError[] = []
  new HocuspocusBundle(client, {
    limits: { ...LIMITS, ...limits },
    open: async (name) => {
      const failure = failures.shift()
      if (failure !== undefined) throw failure
      const socket = new FakeSocket()
      rooms.push({ name, socket })
      return socket
    },
  })
  return { client, rooms, failures }
}

const told = (key: string, frame: Told) => hocuspocus(key).write(frame)!

/** A frame of a client's that a room writes in the same way. */
const update = (key: string) => told(key, { type: "update", update: Uint8Array.of(0, 0) })
const step1 = (key: string) => told(key, { type: "step-1", stateVector: Uint8Array.of(0) })
const step2 = (key: string) => told(key, { type: "step-2", update: Uint8Array.of(0, 0) })
const kept = (key: string) => told(key, { type: "receipt", kept: true })
const notKept = (key: string) => told(key, { type: "receipt", kept: false })
const admitted = (key: string) => told(key, { type: "admitted", rights: "write" })
const PING = told("a", { type: "ping" })
const PONG = told("a", { type: "pong" })

function hello(key: string, token = "t"): Uint8Array {
  return encoding.encode((encoder) => {
    encoding.writeVarString(encoder, key)
    encoding.writeVarUint(encoder, 2)
    encoding.writeVarUint(encoder, 0)
    encoding.writeVarString(encoder, token)
  })
}

/** Somebody who is in at this document. */
async function enter(key: string, options: Parameters<typeof connect>[0] = {}) {
  const connected = connect(options)
  const { client, rooms } = connected
  client.says(hello(key))
  await settle()
  const room = rooms.at(-1)!.socket
  room.says(admitted(key))
  client.says(step1(key))
  room.heard()
  client.heard()
  return { ...connected, room }
}

it("[W2] opens a room for each document, by its name, and passes on what is said to the one it is about", async () => {
  const { client, rooms } = connect()
  client.says(hello("a"))
  client.says(hello("b\0session"))
  client.says(step1("a"))
  await settle()
  expect(rooms.map(({ name }) => name)).toEqual(["a", "b"])
  expect(rooms.map(({ socket }) => socket.heard())).toEqual([[hello("a"), step1("a")], [hello("b\0session")]])
  rooms[1]!.socket.says(admitted("b\0session"))
  expect(client.heard()).toEqual([admitted("b\0session")])
})

it("[B1] opens nothing for frames that begin with no token, are about nothing, or name too much", async () => {
  const { client, rooms } = connect()
  for (const frame of [
    step1("a"),
    update("a"),
    Uint8Array.of(),
    Uint8Array.of(5, 1),
    Uint8Array.of(0, 2, 0, 0),
  ])
    client.says(frame)
  client.says("a text")
  client.says(hello("x".repeat(LIMITS.keyLength + 1)))
  await settle()
  expect([rooms, client.sent, client.closed]).toEqual([[], [], null])
})

it("[R1] tells of one refused document alone, and takes another token for it", async () => {
  const { client, rooms, failures } = connect()
  failures.push(new SyncError("forbidden", "This token does not reach a"))
  client.says(hello("a"))
  client.says(hello("b"))
  await settle()
  expect(client.heard()).toEqual([told("a", { type: "denied", reason: "This token does not reach a" })])
  expect(rooms.map(({ name }) => name)).toEqual(["b"])
  client.says(hello("a", "a better one"))
  await settle()
  expect(rooms.map(({ name }) => name)).toEqual(["b", "a"])
  expect(client.closed).toBe(null)
})

it("[W1] ends a document for good where its room does, and it may begin anew", async () => {
  const { client, rooms, room } = await enter("a")
  room.goes(4404, "The document was deleted")
  expect(client.heard()).toEqual([told("a", { type: "end", reason: "The document was deleted" })])
  client.says(update("a"))
  client.says(hello("a"))
  await settle()
  expect(rooms[1]!.socket.heard()).toEqual([hello("a")])
  rooms[1]!.socket.says(admitted("a"))
  rooms[1]!.socket.says(told("a", { type: "end", reason: "Cannot be read" }))
  expect(rooms[1]!.socket.closed).not.toBe(null)
})

it("[D1] brings a document back whose room was lost, and acknowledges only what the new room has acknowledged", async () => {
  const { client, rooms, room } = await enter("a")
  client.says(step2("a"))
  for (let i = 0; i < 3; i++) client.says(update("a"))
  room.says(kept("a"))
  room.says(kept("a"))
  expect(client.heard()).toEqual([kept("a"), kept("a")])
  // Of the four that the client counts two are owed.
  room.goes(1006)
  client.says(update("a"))
  expect(client.heard()).toEqual([])
  await vi.advanceTimersByTimeAsync(LIMITS.bundleRetryMs)
  expect(client.heard()).toEqual([writeTokenRequest("a")])
  client.says(hello("a", "fresh"))
  client.says(update("a"))
  await settle()
  const next = rooms[1]!.socket
  expect(next.heard()).toEqual([hello("a", "fresh")])
  next.says(admitted("a"))
  // In the client's name, who has everything of its own still.
  expect(next.heard()).toEqual([step1("a")])
  expect(client.heard()).toEqual([told("a", { type: "query" }), admitted("a")])
  next.says(step1("a"))
  client.says(step2("a"))
  client.says(update("a"))
  expect(next.heard()).toEqual([step2("a"), update("a")])
  next.says(kept("a"))
  expect(client.heard()).toEqual([step1("a")])
  next.says(kept("a"))
  // Two that were owed, two while it was away, one since.
  expect(client.heard()).toEqual(Array.from({ length: 5 }, () => kept("a")))
  client.says(update("a"))
  next.says(kept("a"))
  expect(client.heard()).toEqual([kept("a")])
})

it("[D9] acknowledges nothing where the new room refuses a part, until the client begins its count anew", async () => {
  const { client, rooms, room } = await enter("a")
  client.says(update("a"))
  room.goes(1012)
  await vi.advanceTimersByTimeAsync(LIMITS.bundleRetryMs)
  client.says(hello("a"))
  await settle()
  const next = rooms[1]!.socket
  next.says(admitted("a"))
  client.says(step2("a"))
  client.heard()
  next.says(notKept("a"))
  client.says(update("a"))
  next.says(kept("a"))
  next.says(kept("a"))
  expect(client.heard()).toEqual([notKept("a")])
  client.says(step1("a"))
  client.says(step2("a"))
  next.says(kept("a"))
  expect(client.heard()).toEqual([kept("a")])
})

it("[R7] tries a room again that cannot be opened for the moment, after pauses that grow, and tells nobody", async () => {
  const { client, rooms, failures } = connect()
  for (let i = 0; i < 3; i++) failures.push(new SyncError("archive-unavailable", "The archive is away"))
  client.says(hello("a"))
  client.says(step1("a"))
  const pauses: number[] = []
  for (let i = 0; i < 3; i++) {
    await settle()
    const since = Date.now()
    while (client.sent.length === 0) await vi.advanceTimersByTimeAsync(10)
    pauses.push(Date.now() - since)
    expect(client.heard()).toEqual([writeTokenRequest("a")])
    client.says(hello("a"))
  }
  await settle()
  rooms[0]!.socket.says(admitted("a"))
  expect(rooms[0]!.socket.heard()).toEqual([hello("a"), step1("a")])
  for (const [i, pause] of pauses.entries()) {
    expect(pause).toBeGreaterThanOrEqual((LIMITS.bundleRetryMs * 2 ** i) / 2)
    expect(pause).toBeLessThanOrEqual(LIMITS.bundleRetryMs * 2 ** i + 10)
  }
})

it("[R1] says nothing more to who showed no good token and is closed for it, until they show another", async () => {
  const { client, rooms } = connect()
  client.says(hello("a"))
  await settle()
  rooms[0]!.socket.says(told("a", { type: "denied", reason: "no" }))
  rooms[0]!.socket.goes(4401, "No token has come that opens this document")
  await vi.advanceTimersByTimeAsync(60_000)
  expect(client.heard()).toEqual([told("a", { type: "denied", reason: "no" })])
  client.says(hello("a"))
  await settle()
  expect(rooms).toHaveLength(2)
})

it("[F3] answers for rooms that ask for a sign of life once the client has given one", async () => {
  const { client, rooms, room } = await enter("a")
  client.says(hello("b"))
  await settle()
  room.says(PING)
  expect(client.heard()).toEqual([PING])
  client.says(PONG)
  expect([room.heard(), rooms[1]!.socket.heard()]).toEqual([[PONG], [hello("b")]])
  client.says(PING)
  expect(client.heard()).toEqual([PONG])
})

it("[F3] closes a client that does not read, and not one that does", async () => {
  const limits = { probeBytes: 1_000, bundleUnreadBytes: 10_000 }
  for (const reads of [true, false]) {
    const { client, room } = await enter("a", { limits })
    for (let i = 0; i < 100; i++) {
      room.says(told("a", { type: "update", update: new Uint8Array(200) }))
      if (reads && client.heard().some((message) => message.length === 1)) client.says(PONG)
    }
    expect(client.closed?.code ?? null, `reads: ${reads}`).toBe(reads ? null : 1013)
    expect(room.closed === null, `reads: ${reads}`).toBe(reads)
  }
})

it("[B1] bounds documents on a socket, how many it opens in its life, and what waits for them", async () => {
  const many = connect({ limits: { bundleDocuments: 2 } })
  for (const key of ["a", "b", "c", "c"]) many.client.says(hello(key))
  await settle()
  expect(many.rooms).toHaveLength(2)
  const reason = "At most 2 documents may be open on a socket"
  expect(many.client.heard()).toEqual([0, 1].map(() => told("c", { type: "denied", reason })))

  const again = connect({ limits: { bundleOpens: 3 } })
  for (let i = 0; i < 4; i++) {
    again.client.says(hello("a"))
    again.client.says(Uint8Array.of(1, 97, 7))
    await settle()
  }
  expect([again.rooms.length, again.client.closed?.code]).toEqual([3, 1013])

  const full = connect({ limits: { bundleWaitingBytes: 10_000 } })
  full.client.says(hello("a"))
  for (let i = 0; i < 3; i++) full.client.says(told("a", { type: "update", update: new Uint8Array(4_000) }))
  expect(full.client.closed?.code).toBe(1013)
})

it("[P3] closes every room's socket with the client's, and asks for no token any more", async () => {
  const { client, rooms, room } = await enter("a")
  client.says(hello("b"))
  await settle()
  rooms[1]!.socket.goes(1006)
  client.goes(1001)
  await vi.advanceTimersByTimeAsync(60_000)
  expect([room.closed, client.sent]).toEqual([{ code: 1000, reason: "" }, []])
})
