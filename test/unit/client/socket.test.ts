import { afterEach, beforeEach, expect, it, vi } from "vitest"
import { Socket } from "../../../src/client/socket.ts"
import { type ChannelFrame, readChannelFrame, writeChannelFrame } from "../../../src/wire/bundle.ts"

/** Every WebSocket that was made, and what happened on it. */
class Wire {
  static readonly all: Wire[] = []
  static isBroken = false
  readonly url: string
  readonly protocols: string[] | undefined
  readonly said: ChannelFrame[] = []
  binaryType = ""
  readyState = 0
  onopen: (() => void) | null = null
  onmessage: ((event: { data: unknown }) => void) | null = null
  onclose: ((event: { code: number; reason: string }) => void) | null = null
  onerror: ((event: unknown) => void) | null = null

  constructor(url: string, protocols?: string[]) {
    if (Wire.isBroken) throw new Error("no such scheme")
    this.url = url
    this.protocols = protocols
    Wire.all.push(this)
  }

  send(message: Uint8Array): void {
    this.said.push(readChannelFrame(message))
  }

  close(): void {
    this.readyState = 3
  }

  opens(): void {
    this.readyState = 1
    this.onopen?.()
  }

  says(frame: ChannelFrame | Uint8Array): void {
    const bytes = frame instanceof Uint8Array ? frame : writeChannelFrame(frame)
    this.onmessage?.({ data: bytes.slice().buffer })
  }
}

/** What a provider uses of its WebSocket. */
interface Channel {
  readyState: number
  onopen: () => void
  onmessage: (event: { data: unknown }) => void
  onclose: (event: { code: number; reason: string }) => void
  onerror: (event: unknown) => void
  send(message: string | Uint8Array): void
  close(code?: number, reason?: string): void
}

beforeEach(() => {
  vi.useFakeTimers()
  Wire.all.length = 0
  Wire.isBroken = false
})
afterEach(() => {
  vi.useRealTimers()
})

/** A socket, and how a provider opens a channel of it; `log` keeps what the provider is told. */
function begin() {
  const socket = new Socket("https://example.com/docs/", { WebSocketPolyfill: Wire })
  const open = (path: string, token?: string) => {
    const log: unknown[] = []
    const protocols = token === undefined ? ["yurt"] : ["yurt", token]
    const channel = new socket.Channel(`wss://example.com/docs/${path}`, protocols) as Channel
    channel.onopen = () => log.push("open")
    channel.onmessage = ({ data }) =>
      log.push(typeof data === "string" ? data : new Uint8Array(data as ArrayBuffer))
    channel.onclose = ({ code }) => log.push(code)
    channel.onerror = () => log.push("error")
    return { channel, log }
  }
  return { socket, open }
}

it("[C7] opens one connection for all, closes it when the last has gone, and opens it again for the next", () => {
  const { socket, open } = begin()
  const [one, other] = [open("a%20b?x=1", "t.t.t"), open("c")]
  const [wire] = Wire.all
  expect([Wire.all.length, wire!.url, wire!.protocols, socket.size]).toEqual([
    1,
    "wss://example.com/docs",
    ["yurt"],
    2,
  ])
  wire!.opens()
  expect(wire!.said).toEqual([
    { channel: 1, type: "open", path: "a%20b?x=1", token: "t.t.t" },
    { channel: 2, type: "open", path: "c", token: "" },
  ])
  one.channel.send("too early")
  wire!.says({ channel: 1, type: "opened" })
  one.channel.send("ping")
  one.channel.send(Uint8Array.of(1))
  wire!.says({ channel: 1, type: "message", message: "pong" })
  wire!.says({ channel: 1, type: "message", message: Uint8Array.of(2, 3) })
  expect(one.log).toEqual(["open", "pong", Uint8Array.of(2, 3)])
  expect(other.log).toEqual([])
  const late = open("d")
  expect(wire!.said.slice(2)).toEqual([
    { channel: 1, type: "message", message: "ping" },
    { channel: 1, type: "message", message: Uint8Array.of(1) },
    { channel: 3, type: "open", path: "d", token: "" },
  ])
  for (const { channel } of [one, other, late]) channel.close()
  expect([socket.size, wire!.readyState]).toEqual([0, 3])
  // What was on its way when they left.
  wire!.says({ channel: 1, type: "message", message: "late" })
  expect(one.log).toHaveLength(3)
  open("e")
  expect(Wire.all).toHaveLength(2)
})

it("[C3] tells a document alone of its end, and all of them of the connection's", () => {
  const { open } = begin()
  const [one, other] = [open("a"), open("b")]
  const [wire] = Wire.all
  wire!.opens()
  wire!.says({ channel: 1, type: "close", code: 4403, reason: "no" })
  expect([one.log, one.channel.readyState, other.log]).toEqual([[4403], 3, []])
  wire!.onerror?.({})
  wire!.onclose?.({ code: 4401, reason: "closed" })
  expect([one.log, other.log]).toEqual([[4403], ["error", 4401]])
})

it("[C3] gives up a connection that has died without a word, and none on which others hear something", () => {
  const { open } = begin()
  const [one, other] = [open("a"), open("b")]
  const [wire] = Wire.all
  wire!.opens()
  for (const channel of [1, 2]) wire!.says({ channel, type: "opened" })
  vi.advanceTimersByTime(20_000)
  wire!.says({ channel: 2, type: "message", message: "pong" })
  one.channel.close(4000, "no answer")
  expect([wire!.readyState, other.log]).toEqual([1, ["open", "pong"]])
  const again = open("a")
  vi.advanceTimersByTime(20_000)
  again.channel.close(4000, "no answer")
  expect([wire!.readyState, other.log]).toEqual([3, ["open", "pong", 1006]])
})

it("[F3] echoes the server's question how far it has read", () => {
  const { open } = begin()
  open("a")
  const [wire] = Wire.all
  wire!.opens()
  const probe = { channel: 0, type: "probe", nonce: Uint8Array.of(7, 7) } as const
  wire!.says(probe)
  expect(wire!.said.at(-1)).toEqual(probe)
})

it("[W1] begins anew after a frame that cannot be read, and stays usable where no connection can be made", () => {
  const { socket, open } = begin()
  const { log } = open("a")
  const [wire] = Wire.all
  wire!.opens()
  wire!.says(Uint8Array.of(1, 99))
  expect([log, wire!.readyState, socket.size]).toEqual([["error", 1006], 3, 0])
  Wire.isBroken = true
  expect(() => open("b")).toThrow("no such scheme")
  expect(socket.size).toBe(0)
  Wire.isBroken = false
  open("b")
  expect(socket.size).toBe(1)
})
