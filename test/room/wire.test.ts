import * as encoding from "lib0/encoding"
import { describe, expect, it } from "vitest"
import * as Y from "yjs"
import { PING, PONG } from "../../src/wire/y-websocket.ts"
import { openRoom, until, Visitor, WRITER } from "./vocabulary.ts"
import { faults } from "./worker.ts"

function hex(text: string): Uint8Array {
  return Uint8Array.from(text.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16))
}

/** An update frame around these bytes. */
function updateFrame(update: Uint8Array): Uint8Array {
  return encoding.encode((encoder) => {
    encoding.writeVarUint(encoder, 0)
    encoding.writeVarUint(encoder, 2)
    encoding.writeVarUint8Array(encoder, update)
  })
}

describe("[W1] a frame that cannot be read closes its socket with 4400, and disturbs nobody", () => {
  const broken: Record<string, Uint8Array | string> = {
    "an empty message": new Uint8Array(),
    "an unknown type": new Uint8Array([77]),
    "a sync frame without a step": new Uint8Array([0]),
    "an unknown sync step": new Uint8Array([0, 9, 0]),
    "a declared length beyond the frame": new Uint8Array([0, 2, 200, 1, 5]),
    "bytes left over": new Uint8Array([3, 1]),
    "an endless varint": new Uint8Array(40).fill(255),
    "a state vector that is none": new Uint8Array([0, 0, 3, 9, 9, 9]),
    "a refusal from a client": new Uint8Array([2, 0, 1, 65]),
  }
  for (const [what, message] of Object.entries(broken)) {
    it(what, async () => {
      const room = await openRoom({ peers: 3, ours: true })
      room.visitors[0]!.send(message)
      const { code, reason } = await room.closing(0)
      expect(code).toBe(4400)
      expect(reason).not.toBe("")
      room.type(1, "undisturbed")
      await room.reads(2, "undisturbed")
      await room.saves(1)
    })
  }
})

it("[B3] closes who asks over and over what its document lacks, and disturbs nobody", async () => {
  const room = await openRoom({ peers: 3, ours: true })
  const question = new Uint8Array([0, 0, 3, 1, 5, 1])
  for (let i = 0; i < 90; i++) room.visitors[1]!.send(question)
  room.type(1, "a")
  await room.saves(1)
  for (let i = 0; i < 100; i++) room.visitors[1]!.send(question)
  expect(await room.closing(1)).toMatchObject({ code: 1013 })
  room.type(0, "undisturbed")
  await room.reads(2, room.text(0))
})

it("[W1] tells a stock client what was wrong, and hears it no more: from a close it would come back at once", async () => {
  const room = await openRoom({ peers: 3 })
  room.visitors[0]!.send(new Uint8Array([77]))
  await until(() => room.visitors[0]!.refusals.length > 0, "it is told")
  room.type(0, "unheard")
  room.visitors[0]!.askSaved()
  room.type(1, "heard")
  await room.saves(1)
  await room.reads(2, "heard")
  expect([room.visitors[0]!.closed, room.visitors[0]!.saved]).toEqual([null, 0])
})

it("[W1] ignores a text frame that is no custom message: applications send keep-alives", async () => {
  const room = await openRoom({ peers: 2 })
  for (const text of ["hello", "", '{"type":"ping"}', "ping"]) room.visitors[0]!.send(text)
  room.type(0, "still here")
  await room.reads(1, "still here")
  await room.saves(0)
  expect(room.visitors[0]!.texts).toEqual([])
})

describe("[W3] a poisonous update is refused before it touches the document", () => {
  const poison: Record<string, string> = {
    "a zero-length deletion": "01014d00010101740000",
    "a zero-length GC": "01014d00000000",
    "a truncated update": "01014d00040101740568656c",
    "trailing bytes": "0000ff",
    "no update at all": "ffffffffff",
  }
  for (const [what, bytes] of Object.entries(poison)) {
    it(what, async () => {
      const room = await openRoom({ peers: 3, ours: true })
      room.type(1, "before ")
      await room.reads(2, "before ")
      await room.saves(1)
      const { revision } = (await room.status())!
      room.visitors[0]!.send(updateFrame(hex(bytes)))
      room.visitors[0]!.askSaved()
      expect((await room.closing(0)).code).toBe(4422)
      expect(room.visitors[0]!.saved).toBe(0)
      expect((await room.status())!.revision).toBe(revision)
      room.type(1, "after")
      await room.reads(2, "before after")
      await room.join()
      await room.reads(3, "before after")
    })
  }
})

it("[W2] gives a custom message to the hook, and what the hook sends to everyone", async () => {
  const room = await openRoom({ peers: 2 })
  room.visitors[0]!.send("__YPS:hello")
  await until(() => room.visitors[1]!.texts.includes("__YPS:heard hello"), "the other one heard it")
})

it("[W2] sends no text frame to anyone who did not ask for one", async () => {
  const room = await openRoom({ peers: 2 })
  room.type(0, "a")
  room.point(0, { a: 1 })
  await room.reads(1, "a")
  await room.sees(1, [{ a: 1 }])
  expect(room.visitors.flatMap(({ texts }) => texts)).toEqual([])
})

it("answers the heartbeat of our provider without waking the room", async () => {
  const room = await openRoom({ peers: 1 })
  await room.hibernate()
  const { wakes } = faults
  room.visitors[0]!.send(PING)
  await until(() => room.visitors[0]!.texts.includes(PONG), "the heartbeat is answered")
  expect(faults.wakes).toBe(wakes)
  // Anything else wakes it.
  room.type(0, "a")
  await room.saves(0)
  expect(faults.wakes).toBe(wakes + 1)
})

it("[R2] refuses a reader's update visibly, keeps it reading, and stores nothing", async () => {
  const room = await openRoom()
  const reader = await room.join({ ...WRITER, rights: "read" })
  const writer = await room.join()
  room.type(reader, "not allowed")
  await until(() => room.visitors[reader]!.refusals.length > 0, "the reader is told")
  room.type(reader, ", really")
  room.visitors[reader]!.askSaved()
  room.type(writer, "allowed")
  await room.saves(writer)
  await until(() => room.text(reader).includes("allowed"), "the reader goes on reading")
  expect([room.visitors[reader]!.closed, room.visitors[reader]!.saved]).toEqual([null, 0])
  expect(room.visitors[reader]!.refusals).toHaveLength(1)
  const guest = await room.join()
  expect(room.text(guest)).toBe("allowed")
})

it("[R2] closes a socket with 4401 when its token expires", async () => {
  const room = await openRoom()
  await room.join({ ...WRITER, subject: "ada", expiresAtMs: Date.now() + 300 })
  expect((await room.closing(0)).code).toBe(4401)
})

it("[F1] relays at once in a quiet room, one frame, and loses nothing in a busy one", async () => {
  const room = await openRoom({ peers: 8 })
  const before = room.visitors[2]!.frames.length
  room.type(0, "a")
  await room.reads(2, "a")
  expect(room.visitors[2]!.frames.length - before).toBe(1)
  for (let i = 0; i < 50; i++) {
    room.type(0, "a")
    room.type(1, "b")
  }
  await room.converges()
  expect(room.text(2)).toHaveLength(101)
})

it("[F1] does not send a sender alone in a tick its own update back", async () => {
  const room = await openRoom({ peers: 2 })
  const before = room.visitors[0]!.frames.length
  room.type(0, "a")
  await room.reads(1, "a")
  expect(room.visitors[0]!.frames.length).toBe(before)
})

it("[F3] closes a receiver that never reads before it has cost the room its memory", async () => {
  const room = await openRoom({ peers: 1 })
  const response = await room.knock(WRITER, { ours: true })
  // It accepts and reads, but like a peer that does not, it never gives a sign.
  const silent = response.webSocket!
  silent.accept()
  let closed = 0
  silent.addEventListener("close", ({ code }) => {
    closed = code
  })
  for (let i = 0; i < 12 && closed === 0; i++) {
    room.type(0, "x".repeat(1_000_000))
    await room.saves(0)
  }
  await until(() => closed !== 0, "the silent one is closed")
  expect(closed).toBe(1013)
  expect(room.visitors[0]!.closed).toBeNull()
})

it("[B1] sends a large document to so many at once, and to the next when one of them has read or is gone", async () => {
  const room = await openRoom({ peers: 1 })
  room.type(0, "x".repeat(12_000_000))
  await room.saves(0)
  const silent: WebSocket[] = []
  for (let i = 0; i < 2; i++) {
    const socket = (await room.knock(WRITER, { ours: true })).webSocket!
    socket.accept()
    // A step 1 of an empty document, and never a sign that anything was read.
    socket.send(Uint8Array.of(0, 0, 1, 0))
    silent.push(socket)
  }
  const honest = new Visitor((await room.knock()).webSocket!)
  await until(() => honest.frames.length > 0, "it is greeted")
  honest.askSaved()
  await until(() => honest.saved === honest.asked, "it is answered")
  expect(honest.synced).toBe(false)
  silent[0]!.close()
  await until(() => honest.synced, "it has the document")
  expect(honest.doc.getText("text")).toHaveLength(12_000_000)
})

it("refuses a frame that would make the document too large, and keeps the room", async () => {
  const room = await openRoom({ peers: 2, ours: true })
  room.type(0, "x".repeat(27_000_000))
  expect((await room.closing(0)).code).toBe(4413)
  room.type(1, "fine")
  await room.saves(1)
})

it("[R2] lets a token that names roots write in these alone, by socket and by PATCH", async () => {
  const room = await openRoom({ peers: 1 })
  room.type(0, "text of the author")
  await room.saves(0)
  const grant = { ...WRITER, subject: "reviewer", roots: ["comments"] }
  const reviewer = await room.join(grant)
  const { doc } = room.visitors[reviewer]!
  doc.getArray("comments").push(["well said"])
  await room.saves(reviewer)
  doc.getText("text").delete(0, 4)
  await until(() => room.visitors[reviewer]!.refusals.length > 0, "the reviewer is told")
  const other = new Y.Doc()
  other.getMap("settings").set("theme", "dark")
  await expect(room.merge(Y.encodeStateAsUpdate(other), grant)).rejects.toMatchObject({ code: "forbidden" })
  const guest = await room.join()
  expect(room.text(guest)).toBe("text of the author")
  expect(room.visitors[guest]!.doc.getArray("comments").toJSON()).toEqual(["well said"])
})

it("[F3] does not answer each frame of one that is only kept open, awake or asleep, since nobody counts whether it reads", async () => {
  const room = await openRoom({ peers: 2 })
  const flooder = room.visitors[0]!
  flooder.send(new Uint8Array([77]))
  await until(() => flooder.refusals.length > 0, "it is told")
  const before = flooder.frames.length
  for (let i = 0; i < 100; i++) flooder.send(new Uint8Array([3]))
  room.type(1, "heard")
  await room.saves(1)
  expect(flooder.frames.length - before).toBeLessThan(5)
  await room.remove()
  await room.hibernate()
  const asleep = flooder.frames.length
  for (let i = 0; i < 100; i++) flooder.send(new Uint8Array([3]))
  await room.status()
  await until(() => flooder.frames.length > asleep, "it hears a sign of life")
  expect(flooder.frames.length - asleep).toBeLessThan(5)
})
