/**
 * Rows about Hocuspocus' dialect and about many documents on one socket. What comes of an attack is seen by a knock with
 * a good token afterwards, on the same socket: "in", "denied", "ended" by a close frame, or "closed" with a code.
 */
import * as decoding from "lib0/decoding"
import { WebSocket } from "ws"
import { writeChannelFrame } from "../../src/wire/bundle.ts"
import { readPassing } from "../../src/wire/hocuspocus.ts"
import { openWebSocket } from "../kit/node-socket.ts"
import { until } from "../kit/until.ts"
import type { Target } from "./attacker.ts"
import * as b from "./bytes.ts"
import { client, MB, ROOT, type Row } from "./rows.ts"

/** How many documents the rows name that are nobody's. */
const LEGION = 10_000

/** A token by Hocuspocus' first frame. */
const hello = (key: string, token: string) => b.bytes(key, 2, 0, token)

/** Somebody who speaks Hocuspocus, or our own dialect for many documents. */
class Impostor {
  readonly socket: WebSocket
  /** What came about a document, by its key: the types of the frames. */
  readonly said = new Map<string, string[]>()
  messages = 0
  closed: number | null = null

  constructor(target: Target, path: string) {
    this.socket = openWebSocket(`${target.url.replace("http", "ws")}${path}`, { protocols: [] })
    this.socket.on("message", (data: Buffer) => {
      this.messages++
      const passing = readPassing(data)
      if (passing === null) return
      const { key, type } = passing
      this.said.set(key, [...(this.said.get(key) ?? []), type])
      if (type !== "denied" && type !== "end") return
      const decoder = decoding.createDecoder(data)
      decoding.readVarString(decoder)
      target.heard.push(Buffer.from(data.subarray(decoder.pos)).toString())
    })
    this.socket.on("close", (code, reason) => {
      this.closed = code
      target.heard.push(reason.toString())
    })
    this.socket.on("error", () => {})
  }

  async opened(): Promise<void> {
    await until(() => this.socket.readyState !== WebSocket.CONNECTING, "it is connected", { everyMs: 2 })
  }

  send(...messages: (Uint8Array | string)[]): void {
    for (const message of messages) if (this.socket.readyState === WebSocket.OPEN) this.socket.send(message)
  }

  /** What a good token is answered. */
  async outcome(target: Target): Promise<string> {
    const before = this.said.get(target.id)?.length ?? 0
    this.send(hello(target.id, (await target.mint?.()) ?? ""))
    const answers = () => (this.said.get(target.id) ?? []).slice(before)
    const isAnswered = () => answers().some((type) => ["admitted", "denied"].includes(type))
    const isEnded = () => (this.said.get(target.id) ?? []).includes("end")
    await until(() => this.closed !== null || isEnded() || isAnswered(), "it is answered", { everyMs: 2 })
    if (isEnded()) return "ended"
    if (this.closed !== null) return `closed ${this.closed}`
    return answers().includes("admitted") ? "in" : "denied"
  }
}

function impostor(
  what: string,
  gets: Row["gets"],
  act: (impostor: Impostor, target: Target) => unknown,
  {
    path = (target: Target) => `/hocuspocus/${target.id}`,
    ...row
  }: Partial<Row> & {
    path?: (target: Target) => string | Promise<string>
  } = {},
): Row {
  return {
    ...{ ...row, what, gets },
    async attack(target) {
      const one = new Impostor(target, await path(target))
      try {
        await one.opened()
        await act(one, target)
        return await one.outcome(target)
      } finally {
        one.socket.terminate()
      }
    },
  }
}

/** Lets it in first. */
async function enter(one: Impostor, target: Target): Promise<void> {
  one.send(hello(target.id, await target.mint!()))
  await until(() => one.said.get(target.id)?.includes("admitted") === true, "it is in", { everyMs: 2 })
}

const about = ({ id }: Target, ...parts: b.Part[]) => b.bytes(id, ...parts)
const letter = () => b.update([[client(), 0, b.letters(ROOT, "forged")]])
const many = { path: () => "/hocuspocus" }

/** The rows. */
export const BUNDLES: readonly Row[] = [
  impostor("a stranger who writes before a token", "in", (one, target) =>
    one.send(about(target, 0, 2, b.sized(letter()))),
  ),
  impostor("a stranger who sends more than a thousand messages", "closed 1013", (one, target) => {
    for (let i = 0; i < 1_001; i++) one.send(about(target, 3))
  }),
  impostor("a stranger who sends 6 MB", "closed 1013", (one, target) =>
    one.send(about(target, 0, 2, b.sized(new Uint8Array(6 * MB)))),
  ),
  impostor("a stranger with eleven tokens of noise", "closed 1013", async (one, target) => {
    for (let i = 0; i < 11; i++) one.send(hello(target.id, `no.such.${i}`))
    await until(() => one.closed !== null, "it is closed", { everyMs: 2 })
  }),
  impostor("a stranger who speaks y-websocket", "in", (one) =>
    one.send(b.step1(b.raw(0)), b.updateFrame(letter()), b.QUERY, b.saved(b.raw(1))),
  ),
  impostor("a stranger with noise and texts", "in", (one) =>
    one.send(new Uint8Array(64).fill(255), "", "__YPS:x", b.raw(), b.raw(9), b.raw(10)),
  ),
  impostor("a name that is another document's", "in", async (one, target) => {
    one.send(hello("another", await target.mint!()))
    await until(() => one.said.get("another")?.includes("denied") === true, "it is told", { everyMs: 2 })
  }),
  impostor("a name of 1 MB", "closed 4400", async (one, target) =>
    one.send(hello("x".repeat(MB), await target.mint!())),
  ),
  impostor("y-websocket's frames of somebody who has come in by Hocuspocus", "ended", async (one, target) => {
    await enter(one, target)
    one.send(b.step1(b.raw(0)))
  }),
  impostor("an update that cannot be read, by Hocuspocus", "ended", async (one, target) => {
    await enter(one, target)
    one.send(about(target, 0, 2, b.sized(b.hex("01014d00010101740000"))))
  }),
  impostor(
    "ten thousand documents on a socket, with no good token",
    "denied",
    (one) => {
      for (let i = 0; i < LEGION; i++) one.send(hello(`legion-${i}`, "no.such.token"))
    },
    many,
  ),
  impostor(
    "ten thousand names that are none",
    ["in", "closed 1013"],
    (one) => {
      for (let i = 0; i < LEGION; i++) one.send(hello(`/${i}`, "no.such.token"))
    },
    many,
  ),
  impostor(
    "ten thousand documents that are opened and left",
    "closed 1013",
    (one) => {
      for (let i = 0; i < LEGION; i++) one.send(hello("legion", ""), b.bytes("legion", 7))
    },
    many,
  ),
  impostor(
    "frames about documents that nobody has opened",
    "in",
    (one) => {
      for (let i = 0; i < LEGION; i++) one.send(b.bytes(`ghost-${i}`, 0, 2, b.sized(letter())))
      one.send(new Uint8Array(64).fill(255), b.raw(), "text")
    },
    many,
  ),
  impostor(
    "20 MB for a document that is still opening",
    ["in", "closed 1013"],
    async (one, target) => {
      one.send(hello("slow", await target.mint!()))
      for (let i = 0; i < 10; i++) one.send(b.bytes("slow", 0, 2, b.sized(new Uint8Array(2 * MB))))
    },
    many,
  ),
  impostor(
    "pongs that nobody asked for",
    "in",
    (one) => {
      for (let i = 0; i < LEGION; i++) one.send(b.raw(10))
    },
    many,
  ),
  {
    what: "ten thousand channels on a socket of ours",
    gets: "closed 1013",
    async attack(target) {
      const one = new Impostor(target, "/docs")
      try {
        await one.opened()
        const path = target.id
        for (let channel = 0; channel < LEGION; channel++)
          one.send(writeChannelFrame({ channel, type: "open", path, token: "no.such.token" }))
        await until(() => one.closed !== null || one.messages >= LEGION, "all are answered")
        return `closed ${one.closed}`
      } finally {
        one.socket.terminate()
      }
    },
  },
  {
    what: "channels of noise on a socket of ours",
    gets: "closed 4400",
    async attack(target) {
      const one = new Impostor(target, "/docs")
      try {
        await one.opened()
        one.send(writeChannelFrame({ channel: 1, type: "open", path: "../health", token: "" }))
        one.send(writeChannelFrame({ channel: 2, type: "message", message: "nobody's" }))
        one.send(writeChannelFrame({ channel: 3, type: "close", code: 2 ** 50, reason: "" }))
        one.send(new Uint8Array(64).fill(255))
        await until(() => one.closed !== null, "it is closed")
        return `closed ${one.closed}`
      } finally {
        one.socket.terminate()
      }
    },
  },
  // Last, because it uses up what one address may knock in a while.
  impostor("two hundred strangers who say nothing", "in", async (one, target) => {
    const others = Array.from({ length: 200 }, () => new Impostor(target, `/hocuspocus/${target.id}`))
    for (const other of others) await other.opened()
    for (const other of others) other.socket.terminate()
    one.send("")
  }),
]
