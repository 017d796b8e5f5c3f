import { expect, it } from "vitest"
import { SyncError } from "../../../src/errors.ts"
import { LIMITS, type Limits } from "../../../src/limits.ts"
import { Channels } from "../../../src/pipe/channels.ts"
import { type ChannelFrame, readChannelFrame, writeChannelFrame } from "../../../src/wire/bundle.ts"
import { FakeSocket, settle } from "./socket.ts"

/** A client with a socket, and the rooms that were asked for. */
function connect(limits: Partial<Limits> = {}) {
  const client = new FakeSocket()
  const rooms: { readonly path: string; readonly token: string | null; readonly socket: FakeSocket }[] = []
  new Channels(client, {
    limits: { ...LIMITS, ...limits },
    open: async (path, token) => {
      if (path === "closed") throw new SyncError("forbidden", "This token does not reach it")
      const socket = new FakeSocket()
      rooms.push({ path, token, socket })
      return socket
    },
  })
  return {
    client,
    rooms,
    say: (frame: ChannelFrame) => client.says(writeChannelFrame(frame)),
    heard: () => client.heard().map((message) => readChannelFrame(message as Uint8Array)),
  }
}

const FRAMES: ChannelFrame[] = [
  { channel: 0, type: "open", path: "a%20b?x=1", token: "a.b.c" },
  { channel: 2 ** 40, type: "opened" },
  { channel: 7, type: "message", message: Uint8Array.of(0, 1, 2) },
  { channel: 7, type: "message", message: new Uint8Array() },
  { channel: 7, type: "message", message: "a text of ünïcode" },
  { channel: 7, type: "close", code: 4403, reason: "no" },
  { channel: 0, type: "probe", nonce: Uint8Array.of(1, 2, 3) },
]

for (const frame of FRAMES) {
  it(`[W1] reads what it wrote: ${JSON.stringify(frame)}`, () => {
    expect(readChannelFrame(writeChannelFrame(frame))).toEqual(frame)
  })
}

for (const [what, bytes] of Object.entries({
  "no byte": [],
  "a channel alone": [1],
  "an unknown kind": [1, 9],
  "a number that never ends": Array.from({ length: 20 }, () => 255),
  "a path shorter than it says": [1, 0, 9, 97],
  "bytes after a close": [1, 4, 1, 0, 0],
  "a probe of 2^50 bytes, it says": [0, 5, 128, 128, 128, 128, 128, 128, 128, 2, 1],
})) {
  it(`[W1] refuses ${what}`, () => {
    expect(() => readChannelFrame(Uint8Array.from(bytes))).toThrow(SyncError)
  })
}

it("[W2] opens a room for each channel, and passes on what is said on it, texts as texts", async () => {
  const { rooms, say, heard } = connect()
  say({ channel: 1, type: "open", path: "a", token: "" })
  say({ channel: 1, type: "message", message: Uint8Array.of(1) })
  say({ channel: 2, type: "open", path: "b", token: "t" })
  await settle()
  expect(rooms.map(({ path, token }) => [path, token])).toEqual([
    ["a", null],
    ["b", "t"],
  ])
  expect(heard()).toEqual([
    { channel: 1, type: "opened" },
    { channel: 2, type: "opened" },
  ])
  say({ channel: 2, type: "message", message: "ping" })
  expect(rooms.map(({ socket }) => socket.heard())).toEqual([[Uint8Array.of(1)], ["ping"]])
  rooms[1]!.socket.says("pong")
  expect(heard()).toEqual([{ channel: 2, type: "message", message: "pong" }])
})

it("[R1] tells how a channel ended, or why it did not begin, and goes on with the others", async () => {
  const { client, rooms, say, heard } = connect({ bundleDocuments: 2 })
  for (const path of ["closed", "a", "b", "c"])
    say({ channel: path.length * 10 + path.charCodeAt(0), type: "open", path, token: "" })
  await settle()
  rooms[0]!.socket.goes(4404, "deleted")
  const ends = heard().flatMap((frame) => (frame.type === "close" ? [[frame.code, frame.reason]] : []))
  expect(ends).toEqual([
    [1013, "At most 2 documents may be open on a socket"],
    [1013, "At most 2 documents may be open on a socket"],
    [4403, "This token does not reach it"],
    [4404, "deleted"],
  ])
  expect(client.closed).toBe(null)
})

it("[P3] closes a room's socket with its channel, and by no code that is the platform's", async () => {
  const { rooms, say } = connect()
  for (const [channel, code] of [4000, 1006, 99999].entries()) {
    say({ channel, type: "open", path: "a", token: "" })
    await settle()
    say({ channel, type: "close", code, reason: "done" })
  }
  expect(rooms.map(({ socket }) => socket.closed?.code)).toEqual([4000, 1000, 1000])
})

it("[W1] closes a client whose frames cannot be read, or who opens a channel twice", async () => {
  for (const attack of [
    ({ client }: ReturnType<typeof connect>) => client.says("a text"),
    ({ client }: ReturnType<typeof connect>) => client.says(Uint8Array.of(1)),
    ({ say }: ReturnType<typeof connect>) => say({ channel: 1, type: "opened" }),
    ({ say }: ReturnType<typeof connect>) => say({ channel: 1, type: "open", path: "b", token: "" }),
  ]) {
    const connected = connect()
    connected.say({ channel: 1, type: "open", path: "a", token: "" })
    await settle()
    attack(connected)
    expect(connected.client.closed?.code).toBe(4400)
    expect(connected.rooms[0]!.socket.closed).not.toBe(null)
  }
})

it("[F3] takes the echo of its own nonce for a sign of reading, and no other", async () => {
  for (const honest of [true, false]) {
    const { client, rooms, say, heard } = connect({ probeBytes: 1_000, bundleUnreadBytes: 10_000 })
    say({ channel: 1, type: "open", path: "a", token: "" })
    await settle()
    for (let i = 0; i < 100; i++) {
      rooms[0]!.socket.says(new Uint8Array(200))
      for (const frame of heard())
        if (frame.type === "probe") say(honest ? frame : { ...frame, nonce: new Uint8Array(8) })
    }
    expect(client.closed?.code ?? null).toBe(honest ? null : 1013)
  }
})
