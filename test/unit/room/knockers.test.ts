import * as encoding from "lib0/encoding"
import type { Connection } from "partyserver"
import { expect, it } from "vitest"
import { type Grant, OPEN_GRANT } from "../../../src/access/rights.ts"
import { SyncError } from "../../../src/errors.ts"
import { LIMITS, type Limits } from "../../../src/limits.ts"
import { type Entrance, Knockers } from "../../../src/room/knockers.ts"
import { hocuspocus } from "../../../src/wire/hocuspocus.ts"

const ADA: Grant = { ...OPEN_GRANT, subject: "ada" }
const STRANGER = { grant: null, isHocuspocus: true } as const

/** A socket that keeps what was done to it. */
class Socket {
  state: unknown = null
  readonly sent: Uint8Array[] = []
  closed: number | null = null
  setState(state: unknown): void {
    this.state = state
  }
  send(message: Uint8Array): void {
    this.sent.push(message)
  }
  close(code: number): void {
    this.closed = code
  }
}

/** A door with these limits, and everything that happens at it. */
function openDoor({
  limits = {},
  name = "doc",
  verify = async () => ADA,
  checkSpace = () => {},
}: {
  limits?: Partial<Limits>
  name?: string
  verify?: (token: string) => Promise<Grant>
  checkSpace?: (grant: Grant) => void
} = {}) {
  const admitted: Entrance[] = []
  const knockers = new Knockers(name, {
    limits: { ...LIMITS, ...limits },
    emit: () => {},
    verify,
    checkSpace,
    admit: (_, entrance) => admitted.push(entrance),
  })
  return {
    knockers,
    admitted,
    knock(who: { grant: Grant | null; isHocuspocus: boolean } = STRANGER) {
      const socket = new Socket()
      // reason: of a connection only what Socket has is used.
      const connection = socket as unknown as Connection
      knockers.knock(connection, who)
      return { socket, connection, say: (message: Uint8Array | string) => knockers.hear(connection, message) }
    },
  }
}

function hello(token: string, key = "doc"): Uint8Array {
  return encoding.encode((encoder) => {
    encoding.writeVarString(encoder, key)
    encoding.writeVarUint(encoder, 2)
    encoding.writeVarUint(encoder, 0)
    encoding.writeVarString(encoder, token)
  })
}

const denied = (reason: string, key = "doc") => hocuspocus(key).write({ type: "denied", reason })

it("[R1] lets in who shows a token, with what they sent while it was verified, in its order", async () => {
  let verified = (_: Grant) => {}
  const door = openDoor({ verify: () => new Promise((resolve) => (verified = resolve)) })
  const ada = door.knock()
  const entering = ada.say(hello("good"))
  await ada.say(new Uint8Array([1]))
  await ada.say(new Uint8Array([2]))
  expect(door.admitted).toEqual([])
  verified(ADA)
  await entering
  expect(door.admitted).toMatchObject([
    { grant: ADA, dialect: { name: "hocuspocus doc" }, messages: [new Uint8Array([1]), new Uint8Array([2])] },
  ])
  expect([door.knockers.size, ada.socket.sent, ada.socket.closed]).toEqual([0, [], null])
})

it("[R1] tells who is not let in why, keeps nothing of theirs, and looks at another token", async () => {
  const door = openDoor({
    verify: async (token) => {
      if (token === "good") return ADA
      throw new SyncError("unauthorized", `not ${token}`)
    },
  })
  const ada = door.knock()
  await ada.say(hello("bad"))
  await ada.say(new Uint8Array([1]))
  expect(ada.socket.sent).toEqual([denied("not bad")])
  await ada.say(hello(""))
  expect(ada.socket.sent[1]).toEqual(denied("Bring a token"))
  await ada.say(hello("good"))
  expect(door.admitted).toMatchObject([{ grant: ADA, messages: [] }])
  expect(ada.socket.closed).toBeNull()
})

it("[R7] closes who knocks while the key server is out, so that they come again", async () => {
  const door = openDoor({ verify: () => Promise.reject(new SyncError("unavailable", "out")) })
  const ada = door.knock()
  await ada.say(hello("good"))
  expect([ada.socket.closed, ada.socket.sent, door.knockers.size]).toEqual([1013, [], 0])
})

it("[R1] lets nobody into another document, nor into one whose name only begins alike", async () => {
  const door = openDoor()
  for (const key of ["do", "docs", "other", "/party/doc"]) {
    const ada = door.knock()
    await ada.say(hello("good", key))
    expect(ada.socket.sent).toEqual([denied("This address is another document's", key)])
  }
  expect(door.admitted).toEqual([])
})

it("[W1] knows a document of a party by its id and by its whole name, in any form of Unicode, with a session", async () => {
  const door = openDoor({ name: "/counter/é" })
  for (const key of ["é", "/counter/é", "e\u0301", "é\0session"]) await door.knock().say(hello("good", key))
  expect(door.admitted.map(({ dialect }) => dialect.name)).toEqual([
    "hocuspocus é",
    "hocuspocus /counter/é",
    "hocuspocus e\u0301",
    "hocuspocus é\0session",
  ])
})

it("[W1] takes the first message of whom the door has let in as y-websocket's, unless it is a hello", async () => {
  const door = openDoor()
  const atDocs = { grant: ADA, isHocuspocus: false }
  await door.knock(atDocs).say(new Uint8Array([0, 0, 1, 0]))
  await door.knock(atDocs).say("__YPS:hello")
  await door.knock(atDocs).say(hello(""))
  expect(door.admitted).toMatchObject([
    { dialect: { name: "y-websocket" }, messages: [new Uint8Array([0, 0, 1, 0])] },
    { dialect: { name: "y-websocket" }, messages: ["__YPS:hello"] },
    { dialect: { name: "hocuspocus doc" }, messages: [] },
  ])
})

it("[R1] asks nobody for a token in open mode, whatever they show", async () => {
  const door = openDoor({ verify: () => Promise.reject(new SyncError("closed", "no key")) })
  await door.knock({ grant: OPEN_GRANT, isHocuspocus: true }).say(hello("anything"))
  expect(door.admitted).toMatchObject([{ grant: OPEN_GRANT }])
})

it("[R1] takes the token of the frame before the one of the address", async () => {
  const door = openDoor({ verify: async () => ({ ...ADA, subject: "bo" }) })
  await door.knock({ grant: ADA, isHocuspocus: true }).say(hello("of bo"))
  expect(door.admitted).toMatchObject([{ grant: { subject: "bo" } }])
})

it("[B1] bounds what a stranger may send: messages, bytes, tokens, and all of them together", async () => {
  const never = () => new Promise<Grant>(() => {})
  const many = openDoor({ limits: { knockMessages: 3 } }).knock()
  for (let i = 0; i < 3; i++) await many.say(new Uint8Array([1]))
  expect(many.socket.closed).toBeNull()
  await many.say(new Uint8Array([1]))
  expect(many.socket.closed).toBe(1013)

  const large = openDoor({ limits: { knockBytes: 100 }, verify: never }).knock()
  void large.say(hello("good"))
  await large.say(new Uint8Array(100))
  expect(large.socket.closed).toBe(1013)

  const guessing = openDoor({
    limits: { knockTokens: 2 },
    verify: () => Promise.reject(new SyncError("unauthorized", "no")),
  }).knock()
  for (let i = 0; i < 3; i++) await guessing.say(hello("bad"))
  expect([guessing.socket.sent.length, guessing.socket.closed]).toEqual([2, 1013])

  const crowded = openDoor({ limits: { knockTotalBytes: 100 }, verify: never })
  const [one, other] = [crowded.knock(), crowded.knock()]
  for (const { say } of [one, other]) void say(hello("good"))
  await one.say(new Uint8Array(60))
  await other.say(new Uint8Array(60))
  expect([one.socket.closed, other.socket.closed]).toEqual([null, 1013])
  // What the closed one had sent is let go.
  await one.say(new Uint8Array(40))
  expect(one.socket.closed).toBeNull()
})

it("[B1] bounds how many strangers knock, and how long", () => {
  const door = openDoor({ limits: { knockers: 2, knockMs: 1000 } })
  const atDocs = { grant: ADA, isHocuspocus: false }
  const waiting = [door.knock(), door.knock(atDocs)]
  door.knockers.checkSpace()
  waiting.push(door.knock())
  expect(() => door.knockers.checkSpace()).toThrow("have shown no token yet")
  const endMs = door.knockers.nextEndMs!
  expect(endMs - Date.now()).toBeLessThanOrEqual(1000)
  door.knockers.closeLate(endMs - 1)
  expect(waiting.map(({ socket }) => socket.closed)).toEqual([null, null, null])
  door.knockers.closeLate(endMs + 100)
  expect(waiting.map(({ socket }) => socket.closed)).toEqual([4401, null, 4401])
  expect(door.knockers.nextEndMs).toBeNull()
})

it("[B1] goes on counting the time of who knocks when the room has slept", () => {
  const before = openDoor()
  const { socket, connection } = before.knock()
  const after = openDoor()
  const newcomer = new Socket() as unknown as Connection
  expect([after.knockers.recall(connection), after.knockers.recall(newcomer)]).toEqual([true, false])
  expect(after.knockers.nextEndMs).toBe((socket.state as { sinceMs: number }).sinceMs + LIMITS.knockMs)
})

it("[R6] closes who waits to be heard when their token is revoked or ends", () => {
  const door = openDoor()
  const bo = { ...ADA, subject: "bo", expiresAtMs: Date.now() + 1000 }
  const waiting = [ADA, bo].map((grant) => door.knock({ grant, isHocuspocus: false }))
  door.knockers.dismiss(({ subject }) => subject === "ada")
  expect(waiting.map(({ socket }) => socket.closed)).toEqual([4401, null])
  door.knockers.closeLate(bo.expiresAtMs)
  expect(waiting.map(({ socket }) => socket.closed)).toEqual([4401, 4401])
})

it("[B1] closes who is let in where there is no space, and who left meanwhile comes in no more", async () => {
  const full = openDoor({
    checkSpace: () => {
      throw new SyncError("room-full", "full")
    },
  })
  const ada = full.knock()
  await ada.say(hello("good"))
  expect([ada.socket.closed, full.admitted]).toEqual([1013, []])

  let verified = (_: Grant) => {}
  const door = openDoor({ verify: () => new Promise((resolve) => (verified = resolve)) })
  const bo = door.knock()
  const entering = bo.say(hello("good"))
  expect(door.knockers.left(bo.connection)).toBe(true)
  verified(ADA)
  await entering
  expect([door.admitted, door.knockers.left(bo.connection)]).toEqual([[], false])
})
