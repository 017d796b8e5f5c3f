import * as encoding from "lib0/encoding"
import { expect, it } from "vitest"
import { openRoom, until, WRITER } from "./vocabulary.ts"

const ada = { user: { name: "Ada" } }
const bob = { user: { name: "Bob" } }

/** An awareness frame with these entries, as any client could write it. */
function awarenessFrame(...entries: [client: number, clock: number, state: string][]): Uint8Array {
  const inner = encoding.encode((encoder) => {
    encoding.writeVarUint(encoder, entries.length)
    for (const [client, clock, state] of entries) {
      encoding.writeVarUint(encoder, client)
      encoding.writeVarUint(encoder, clock)
      encoding.writeVarString(encoder, state)
    }
  })
  return encoding.encode((encoder) => {
    encoding.writeVarUint(encoder, 1)
    encoding.writeVarUint8Array(encoder, inner)
  })
}

it("shows everyone to everyone", async () => {
  const room = await openRoom({ peers: 2 })
  room.point(0, ada)
  await room.sees(1, [ada])
  room.point(1, bob)
  await room.sees(0, [bob])
})

it("[P1] lets nobody change the state of a client that lives on another socket", async () => {
  const room = await openRoom({ peers: 3 })
  room.point(0, ada)
  await room.sees(1, [ada])
  const victim = room.client(0)
  room.visitors[1]!.send(awarenessFrame([victim, 99, JSON.stringify(bob)]))
  room.visitors[1]!.send(awarenessFrame([victim, 100, "null"]))
  room.point(1, bob)
  await until(() => room.cursors(2).length === 2, "the third one sees both")
  expect(room.cursors(2)).toEqual(expect.arrayContaining([ada, bob]))
})

it("[P2] drops malformed and stale entries and relays the good one beside them", async () => {
  const room = await openRoom({ peers: 2 })
  const deep = `${'{"a":'.repeat(20)}1${"}".repeat(20)}`
  const own = room.client(0)
  for (const [clock, state] of [
    [1, "not json"],
    [2, '"a string"'],
    [3, "[1]"],
    [4, deep],
    [5, JSON.stringify({ big: "x".repeat(5000) })],
    [2 ** 31, "{}"],
  ] as const) {
    room.visitors[0]!.send(awarenessFrame([own, clock, state]))
  }
  room.visitors[0]!.send(awarenessFrame([own, 6, JSON.stringify(ada)], [own, 6, JSON.stringify(bob)]))
  await room.sees(1, [ada])
})

it("[P2] closes a socket whose entries cannot be read, and nobody else's", async () => {
  const room = await openRoom({ peers: 2, ours: true })
  room.visitors[0]!.send(new Uint8Array([1, 3, 200, 1, 1]))
  expect((await room.closing(0)).code).toBe(4400)
  room.type(1, "still here")
  await room.saves(1)
})

it("[P3] removes exactly the own cursor when a socket closes", async () => {
  const room = await openRoom({ peers: 3 })
  room.point(0, ada)
  room.point(1, bob)
  await until(() => room.cursors(2).length === 2, "the third one sees both")
  await room.leave(0)
  await room.sees(2, [bob])
})

it("[P3] removes a cursor when its socket closes after hibernation", async () => {
  const room = await openRoom({ peers: 2 })
  room.point(0, ada)
  await room.sees(1, [ada])
  await room.attaches()
  await room.hibernate()
  await room.leave(0)
  await room.sees(1, [])
})

it("[P3] removes a cursor that another tab has relayed, and does not take it back from that tab", async () => {
  const room = await openRoom({ peers: 3 })
  room.point(0, ada)
  room.point(1, bob)
  await until(() => room.cursors(2).length === 2, "the third one sees both")
  const relayed = awarenessFrame([room.client(0), room.clock(0), JSON.stringify(ada)])
  room.visitors[1]!.send(relayed)
  await room.leave(0)
  await room.sees(2, [bob])
  room.visitors[1]!.send(relayed)
  await room.saves(1)
  await room.join()
  await room.sees(3, [bob])
})

it("[P3] hands a client id to its new socket when the old one's close arrives late", async () => {
  const room = await openRoom({ peers: 2 })
  room.point(0, ada)
  await room.sees(1, [ada])
  // The same client, back on another socket before the room knows that the first one is dead.
  await room.join()
  const moved = { user: { name: "Ada", moved: true } }
  room.visitors[2]!.send(awarenessFrame([room.client(0), room.clock(0) + 1, JSON.stringify(moved)]))
  await room.saves(2)
  await room.leave(0)
  await room.sees(1, [moved])
})

it("[P1] hands a client id over at once where both sockets are the same subject's", async () => {
  const room = await openRoom()
  const subject = { ...WRITER, subject: "ada" }
  await room.join(subject)
  await room.join({ ...WRITER, subject: "bob" })
  room.point(0, ada)
  await room.sees(1, [ada])
  await room.join(subject)
  room.visitors[2]!.send(awarenessFrame([room.client(0), room.clock(0) + 1, JSON.stringify(bob)]))
  await room.sees(1, [bob])
})

it("[P4] shows a newcomer everyone, also those who were idle through a hibernation", async () => {
  const room = await openRoom({ peers: 2 })
  room.point(0, ada)
  room.point(1, bob)
  await room.sees(0, [bob])
  await room.sees(1, [ada])
  await room.attaches()
  await room.hibernate()
  await room.join()
  await until(() => room.cursors(2).length === 2, "the newcomer sees both")
})

it("[P5] answers the renewal of a client that is alone in the room", async () => {
  const room = await openRoom({ peers: 1 })
  room.point(0, ada)
  await room.saves(0)
  const frames = room.visitors[0]!.frames.length
  room.point(0, ada)
  await until(() => room.visitors[0]!.frames.length > frames, "the renewal is answered")
  expect(room.visitors[0]!.frames.at(-1)![0]).toBe(1)
})

it("[R2] drops the presence of a reader whose token does not allow it", async () => {
  const room = await openRoom({ peers: 1 })
  await room.join({ ...WRITER, rights: "read", presence: false })
  room.point(1, ada)
  room.point(0, bob)
  await room.sees(1, [bob])
  expect(room.cursors(0)).toEqual([])
})
