/**
 * What an attacker can do to the server, and what it gets for it, in one word or two:
 *
 *     "open"            what was sent has been dealt with, and the socket is still there
 *     "refused"         the same, after a refusal frame
 *     "told"            the same, after a notice
 *     "unheard"         the server said why, and listens no longer on a socket that it keeps open
 *     "closed 4400"     the server closed the socket with this code
 *     "ended"           the platform ended the connection, with whatever code
 *     "400 bad-id"      an HTTP answer: its status and, where there is one, the error's code
 *
 * It offers the subprotocol yurt, to which the server says more, unless a row is about stock clients. Everything the
 * server says to it is kept, to be searched for what it should not tell.
 */
import { request as httpRequest } from "node:http"
import { connect as connectTcp, type Socket } from "node:net"
import * as decoding from "lib0/decoding"
import { WebSocket } from "ws"
import { FRAME } from "../kit/client.ts"
import type { Client } from "../kit/clients.ts"
import { openWebSocket } from "../kit/node-socket.ts"
import { until } from "../kit/until.ts"
import { raw, step1 } from "./bytes.ts"

/** What keeps a stock client connected that has nothing else to hear. */
const NO_ENTRIES = raw(FRAME.awareness, 1, 0)

/** A server, the room that honest people are in, and who they are. */
export interface Target {
  /** http://127.0.0.1:port */
  readonly url: string
  /** The document's id. */
  readonly id: string
  readonly honest: readonly Client[]
  /** A token of the attacker's, who may write this document unless the claims say otherwise; null on an open server. */
  readonly mint: ((claims?: Record<string, unknown>, options?: TokenOptions) => Promise<string>) | null
  /** Everything the server has said to the attacker. */
  readonly heard: string[]
}

export interface TokenOptions {
  readonly secret?: string
  readonly alg?: string
}

export interface Approach {
  /** Default: the honest people's document. */
  readonly path?: string
  /** null: no token at all. Default: one of the attacker's. */
  readonly token?: string | null
  /** What to add to the query, `&a=b`. */
  readonly query?: string
  /** Default: ours. */
  readonly protocols?: string[]
  readonly headers?: Record<string, string>
  /** Offer compression. */
  readonly deflate?: boolean
}

/** A WebSocket that sends anything. */
export class Attacker {
  readonly socket: WebSocket
  readonly #heard: string[]
  #closed: number | null = null
  #refusals = 0
  #notices = 0
  /** Fresh tokens that were taken. */
  renewed = 0
  /** Other people's changes that came. */
  updates = 0
  /** Called for each step 1 of the room's. */
  onStep1: () => void = () => {}
  /** Step 1 frames sent, and step 2 frames received. */
  #asked = 0
  #answered = 0
  /** Signs of life that came for nothing else. */
  #signs = 0

  private constructor(socket: WebSocket, heard: string[]) {
    this.socket = socket
    this.#heard = heard
    socket.on("message", (data: Buffer, isBinary) => {
      if (isBinary) this.#listen(data)
      else heard.push(data.toString())
    })
    socket.on("close", (code, reason) => {
      this.#closed = code
      heard.push(reason.toString())
    })
  }

  /** @returns an attacker who is in, or what the door said */
  static async enter(target: Target, approach: Approach = {}): Promise<Attacker | string> {
    const {
      path = `/docs/${target.id}`,
      query = "",
      protocols = ["yurt"],
      headers = {},
      deflate = false,
    } = approach
    const token = approach.token === undefined ? ((await target.mint?.()) ?? null) : approach.token
    const search = `?${token === null ? "" : `token=${token}`}${query}`
    const address = `${target.url.replace("http", "ws")}${path}${search}`
    const socket = openWebSocket(address, { protocols, headers, deflate })
    const attacker = new Attacker(socket, target.heard)
    const refusal = await new Promise<string | null>((resolve) => {
      socket.on("open", () => resolve(null))
      socket.on("error", (error) => resolve(error.message))
      socket.on("unexpected-response", async (_, response) => {
        const chunks = await response.toArray()
        resolve(answerOf(target, response.statusCode!, Buffer.concat(chunks).toString()))
        socket.terminate()
      })
    })
    return refusal ?? attacker
  }

  get closed(): boolean {
    return this.#closed !== null
  }

  send(...messages: (Uint8Array | string)[]): void {
    for (const message of messages) {
      if (this.socket.readyState !== WebSocket.OPEN) return
      if (typeof message !== "string" && message[0] === 0 && message[1] === 0) this.#asked++
      this.socket.send(message)
    }
  }

  /** What it got for what it has sent so far: asked with a step 1, which a healthy socket answers in turn. */
  async outcome(): Promise<string> {
    this.send(step1(raw(0)))
    const isUnheard = () => this.#refusals > 0 && this.#signs > 0
    // A socket that is about to close takes no question, and so owes no answer.
    const isAnswered = () => this.socket.readyState === WebSocket.OPEN && this.#answered >= this.#asked
    await until(() => this.closed || isAnswered() || isUnheard(), "the attacker has its answer", {
      everyMs: 2,
    })
    if (this.#closed === null && this.#answered < this.#asked) return "unheard"
    if (this.#closed !== null) return `closed ${this.#closed}`
    if (this.#refusals > 0) return "refused"
    return this.#notices > 0 ? "told" : "open"
  }

  /** Resolves when it was told off. */
  async refused(): Promise<void> {
    await until(() => this.#refusals > 0 || this.closed, "the attacker is refused", { everyMs: 2 })
  }

  /** Resolves when the server has closed the socket. */
  async ended(): Promise<void> {
    await until(() => this.closed, "the attacker is closed", { everyMs: 2 })
  }

  leave(): void {
    this.socket.terminate()
  }

  #listen(data: Uint8Array): void {
    const decoder = decoding.createDecoder(data)
    const type = decoding.readVarUint(decoder)
    if (type === FRAME.sync) {
      const step = decoding.readVarUint(decoder)
      if (step === 1) this.#answered++
      if (step === 2) this.updates++
      if (step === 0) this.onStep1()
    }
    if (type === FRAME.awareness && data.length === NO_ENTRIES.length) this.#signs++
    if (type === FRAME.probe) this.send(data)
    if (type === FRAME.renewal) this.renewed++
    if (type === FRAME.notice) this.#notices++
    if (type !== FRAME.refusal && type !== FRAME.notice) return
    if (type === FRAME.refusal) this.#refusals++
    this.#heard.push(Buffer.from(data).toString())
  }
}

/** Enter, do something, and say what came of it. */
export async function visit(
  target: Target,
  act: (attacker: Attacker) => unknown,
  approach: Approach = {},
): Promise<string> {
  const attacker = await Attacker.enter(target, approach)
  if (typeof attacker === "string") return attacker
  try {
    await act(attacker)
    return await attacker.outcome()
  } finally {
    attacker.leave()
  }
}

export interface Ask {
  readonly method?: string
  /** As it goes over the wire: nothing is normalised. Default: the honest people's document. */
  readonly path?: string
  readonly headers?: Record<string, string>
  readonly body?: Uint8Array | string
  /** Send the body without saying how long it is. */
  readonly chunked?: boolean
  readonly token?: string | null
}

/** An HTTP request. */
export async function ask(
  target: Target,
  { method = "GET", path, headers = {}, ...rest }: Ask,
): Promise<string> {
  const { body, chunked = false } = rest
  const token = rest.token === undefined ? ((await target.mint?.()) ?? null) : rest.token
  const { hostname, port } = new URL(target.url)
  return new Promise((resolve) => {
    const sent = httpRequest(
      {
        ...{ hostname, port, method, path: path ?? `/docs/${target.id}`, agent: false },
        headers: {
          ...(token !== null && { authorization: `Bearer ${token}` }),
          ...(body !== undefined && !chunked && { "content-length": String(Buffer.byteLength(body)) }),
          ...headers,
        },
      },
      async (response) => {
        const chunks = await response.toArray().catch(() => [])
        resolve(answerOf(target, response.statusCode!, Buffer.concat(chunks).toString()))
        sent.destroy()
      },
    )
    sent.on("error", () => resolve("ended"))
    if (chunked) sent.write("")
    sent.end(body)
  })
}

function answerOf({ heard }: Target, status: number, body: string): string {
  heard.push(body)
  let code = ""
  try {
    const { error } = JSON.parse(body) as { error?: unknown }
    // JSON-RPC has an object there.
    if (typeof error === "string") code = ` ${error}`
  } catch {
    // Not every answer is JSON; its status says enough.
  }
  return `${status}${code}`
}

/** A TCP connection on which anything can be written. */
export class Wire {
  readonly #socket: Socket
  #received = Buffer.alloc(0)
  #ended = false

  constructor({ url }: Target) {
    const { hostname, port } = new URL(url)
    this.#socket = connectTcp(Number(port), hostname)
    this.#socket.setNoDelay(true)
    this.#socket.on("data", (chunk) => {
      this.#received = Buffer.concat([this.#received, chunk])
    })
    this.#socket.on("close", () => {
      this.#ended = true
    })
    this.#socket.on("error", () => {}) // its close follows
  }

  write(...chunks: (Uint8Array | string)[]): void {
    for (const chunk of chunks) if (!this.#ended) this.#socket.write(chunk)
  }

  /** The HTTP answer to what was written, or "ended". */
  async answer(target: Target): Promise<string> {
    await until(() => this.#ended || this.#received.includes("\r\n\r\n"), "an answer comes", { everyMs: 2 })
    const text = this.#received.toString()
    const [, status] = /^HTTP\/1\.1 (\d{3})/.exec(text) ?? []
    if (status === undefined) return "ended"
    await until(() => this.#ended || bodyIsComplete(this.#received.toString()), "its body comes", {
      everyMs: 2,
    })
    const body = this.#received.toString().replace(/^[\s\S]*?\r\n\r\n/, "")
    return answerOf(target, Number(status), /\{.*\}/s.exec(body)?.[0] ?? body)
  }

  /** Upgrade to a WebSocket of the honest people's room. */
  async upgrade(target: Target): Promise<void> {
    const token = (await target.mint?.()) ?? ""
    this.write(upgradeRequest(target, { path: `/docs/${target.id}?token=${token}` }))
    await until(() => this.#received.includes("\r\n\r\n"), "the upgrade is answered", { everyMs: 2 })
    if (!this.#received.toString().startsWith("HTTP/1.1 101")) throw new Error(this.#received.toString())
  }

  /** Whether the server answers a `saved` frame with this payload, or ends the connection. */
  async outcome(payload: Uint8Array): Promise<string> {
    const echo = Buffer.concat([Buffer.from([102, payload.length]), payload])
    await until(
      () => this.#ended || this.#received.includes(echo) || this.#sawClose(),
      "the wire is answered",
      { everyMs: 2 },
    )
    return this.#received.includes(echo) ? "open" : "ended"
  }

  end(): void {
    this.#socket.destroy()
  }

  /**
   * A close frame came. Found by walking from frame to frame: what others write arrives here too, and may hold any
   * bytes.
   */
  #sawClose(): boolean {
    let at = this.#received.indexOf("\r\n\r\n") + 4
    while (at + 2 <= this.#received.length) {
      if ((this.#received[at]! & 0x0f) === 8) return true
      const length = this.#received[at + 1]!
      if (length < 126) at += 2 + length
      else if (at + 10 > this.#received.length) return false
      else if (length === 126) at += 4 + this.#received.readUInt16BE(at + 2)
      else at += 10 + Number(this.#received.readBigUInt64BE(at + 2))
    }
    return false
  }
}

function bodyIsComplete(answer: string): boolean {
  const [head = "", body = ""] = answer.split(/\r\n\r\n([\s\S]*)/)
  const [, length] = /^content-length: (\d+)/im.exec(head) ?? []
  if (length !== undefined) return Buffer.byteLength(body) >= Number(length)
  return !/^transfer-encoding: chunked/im.test(head) || body.includes("0\r\n\r\n")
}

/** The text of an upgrade request; a header given as null is left out. */
export function upgradeRequest(
  { url }: Target,
  {
    path,
    method = "GET",
    headers = {},
  }: { path: string; method?: string; headers?: Record<string, string | null> },
): string {
  const all: Record<string, string | null> = {
    Host: new URL(url).host,
    Upgrade: "websocket",
    Connection: "Upgrade",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
    ...headers,
  }
  const lines = Object.entries(all).flatMap(([name, value]) => (value === null ? [] : [`${name}: ${value}`]))
  return `${method} ${path} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`
}

export interface FrameParts {
  /** 0 continuation, 1 text, 2 binary, 8 close, 9 ping. Default 2. */
  readonly opcode?: number
  readonly final?: boolean
  /** The three reserved bits, 0–7. */
  readonly reserved?: number
  readonly masked?: boolean
  /** The length the header declares; default the payload's own. */
  readonly length?: bigint
}

/** A WebSocket frame, right or wrong. @source RFC 6455, 5.2 */
export function webSocketFrame(payload: Uint8Array | number[], parts: FrameParts = {}): Uint8Array {
  const { opcode = 2, final = true, reserved = 0, masked = true, length = BigInt(payload.length) } = parts
  const head = [(final ? 0x80 : 0) | (reserved << 4) | opcode]
  const mask = masked ? 0x80 : 0
  if (length < 126n) head.push(mask | Number(length))
  else if (length < 65_536n) head.push(mask | 126, Number(length >> 8n), Number(length & 255n))
  else {
    head.push(mask | 127)
    for (let shift = 56n; shift >= 0n; shift -= 8n) head.push(Number((length >> shift) & 255n))
  }
  // The key is zero: what is masked with it looks as before.
  const key = masked ? [0, 0, 0, 0] : []
  return Buffer.concat([Buffer.from([...head, ...key]), Buffer.from(payload)])
}
