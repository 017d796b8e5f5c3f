/**
 * One connection for many documents. Each document's provider has what it takes for a socket of its own, a channel; the
 * server opens a socket of the document's room behind it. So each provider reconnects, saves and ends for itself, and a
 * page with a hundred documents opens one connection.
 */
import { type ChannelFrame, readChannelFrame, writeChannelFrame } from "../wire/bundle.ts"
import type { SocketClose, WebSocketClass } from "./connection.ts"

export { followSubdocuments, type Subdocuments } from "./subdocuments.ts"

/** What is used of a WebSocket. */
interface Carrier {
  binaryType: string
  readonly readyState: number
  onopen: (() => void) | null
  onmessage: ((event: { readonly data: unknown }) => void) | null
  onclose: ((event: SocketClose) => void) | null
  onerror: ((event: unknown) => void) | null
  send(message: Uint8Array): void
  close(code?: number, reason?: string): void
}

/** `readyState`. @source WHATWG WebSockets */
const CONNECTING = 0
const OPEN = 1
const CLOSED = 3

/** The close code of a provider that begins anew, see connection.ts. */
const RESTART = 4000

/** The close code of a connection that ended without a word. @source RFC 6455, 7.1.5 */
const ABNORMAL = 1006

/** A channel that gives up for want of an answer, on a connection that has brought nothing for this long, ms, has a dead one. */
const DEAD_MS = 4_000

/** A connection that many providers share. It is open while one of them is. */
export class Socket {
  /** Where the rooms are, as given. */
  readonly url: string
  /** A provider's WebSocket class: a channel of this socket. */
  readonly Channel: WebSocketClass
  readonly #base: string
  readonly #WebSocket: WebSocketClass | undefined
  readonly #channels = new Map<number, Channel>()
  #carrier: Carrier | null = null
  #last = 0
  #heardAtMs = 0

  /**
   * @param url where the rooms are: `wss://host/docs`
   * @param options.WebSocketPolyfill another WebSocket class than the global one, for example that of `ws`
   * @example
   * const socket = new Socket("wss://example.com/docs")
   * const notes = new Provider(socket, "notes", new Y.Doc())
   * const plans = new Provider(socket, "plans", new Y.Doc())
   */
  constructor(url: string, options: { WebSocketPolyfill?: WebSocketClass | undefined } = {}) {
    this.url = url
    this.#base = url.replace(/^http/, "ws").replace(/\/+$/, "")
    this.#WebSocket = options.WebSocketPolyfill
    const open = (channel: Channel) => this.#open(channel)
    const send = (channel: Channel, message: Uint8Array | string) =>
      this.#carrier?.send(writeChannelFrame({ channel: channel.number, type: "message", message }))
    const close = (channel: Channel, end: SocketClose) => this.#close(channel, end)
    const next = () => ++this.#last
    this.Channel = class extends Channel {
      constructor(address: string, protocols?: string[]) {
        super({ number: next(), address, protocols: protocols ?? [], ports: { send, close } })
        open(this)
      }
    }
  }

  /** How many documents are open on it, or about to. */
  get size(): number {
    return this.#channels.size
  }

  #open(channel: Channel): void {
    this.#channels.set(channel.number, channel)
    try {
      if (this.#carrier === null) this.#dial()
    } catch (thrown) {
      this.#channels.delete(channel.number)
      throw thrown
    }
    if (this.#carrier?.readyState === OPEN) this.#ask(channel)
  }

  #dial(): void {
    const WebSocket = this.#WebSocket ?? (globalThis.WebSocket as WebSocketClass)
    const carrier = new WebSocket(this.#base, ["yurt"]) as Carrier
    this.#carrier = carrier
    carrier.binaryType = "arraybuffer"
    this.#heardAtMs = Date.now()
    const isCurrent = () => this.#carrier === carrier
    carrier.onopen = () => {
      if (isCurrent()) for (const channel of this.#channels.values()) this.#ask(channel)
    }
    carrier.onmessage = ({ data }) => {
      if (!isCurrent()) return
      this.#heardAtMs = Date.now()
      if (data instanceof ArrayBuffer) this.#hear(new Uint8Array(data), carrier)
    }
    carrier.onclose = ({ code, reason }) => {
      if (isCurrent()) this.#lose({ code, reason })
    }
    carrier.onerror = (event) => {
      if (isCurrent()) for (const channel of this.#channels.values()) channel.onerror?.(event)
    }
  }

  #ask({ number, address, token }: Channel): void {
    const path = address.slice(this.#base.length + 1)
    this.#carrier?.send(writeChannelFrame({ channel: number, type: "open", path, token }))
  }

  #hear(message: Uint8Array, carrier: Carrier): void {
    let frame: ChannelFrame
    try {
      frame = readChannelFrame(message)
    } catch (problem) {
      // What it was is missing somewhere now, and only a new connection brings it.
      carrier.onerror?.(problem)
      this.#lose({ code: ABNORMAL, reason: String(problem) })
      return carrier.close()
    }
    if (frame.type === "probe") return carrier.send(message)
    const channel = this.#channels.get(frame.channel)
    // What was on its way when the provider left.
    if (channel === undefined) return
    if (frame.type === "opened") channel.opened()
    else if (frame.type === "message") channel.heard(frame.message)
    else if (frame.type === "close") {
      this.#channels.delete(frame.channel)
      channel.ended(frame)
      this.#rest()
    }
  }

  #close(channel: Channel, { code, reason }: SocketClose): void {
    if (!this.#channels.delete(channel.number)) return
    const carrier = this.#carrier
    if (carrier?.readyState === OPEN)
      carrier.send(writeChannelFrame({ channel: channel.number, type: "close", code, reason }))
    if (code === RESTART && Date.now() - this.#heardAtMs > DEAD_MS) {
      this.#lose({ code: ABNORMAL, reason })
      carrier?.close()
    }
    this.#rest()
  }

  #lose(end: SocketClose): void {
    this.#carrier = null
    const channels = [...this.#channels.values()]
    this.#channels.clear()
    for (const channel of channels) channel.ended(end)
  }

  /** Nobody needs the connection any more. */
  #rest(): void {
    if (this.#channels.size > 0) return
    const carrier = this.#carrier
    this.#carrier = null
    carrier?.close()
  }
}

/** A document's part of the connection: to its provider a WebSocket. */
class Channel {
  binaryType = "arraybuffer"
  readyState = CONNECTING
  onopen: (() => void) | null = null
  onmessage: ((event: { readonly data: string | ArrayBuffer }) => void) | null = null
  onclose: ((event: SocketClose) => void) | null = null
  onerror: ((event: unknown) => void) | null = null
  readonly number: number
  readonly address: string
  readonly token: string
  readonly #ports: {
    send(channel: Channel, message: Uint8Array | string): void
    close(channel: Channel, end: SocketClose): void
  }

  constructor({
    number,
    address,
    protocols,
    ports,
  }: {
    number: number
    address: string
    protocols: string[]
    ports: {
      send(channel: Channel, message: Uint8Array | string): void
      close(channel: Channel, end: SocketClose): void
    }
  }) {
    this.number = number
    this.address = address
    this.token = protocols[1] ?? ""
    this.#ports = ports
  }

  send(message: string | Uint8Array): void {
    if (this.readyState === OPEN) this.#ports.send(this, message)
  }

  close(code = 1000, reason = ""): void {
    if (this.readyState === CLOSED) return
    this.readyState = CLOSED
    this.#ports.close(this, { code, reason })
  }

  opened(): void {
    this.readyState = OPEN
    this.onopen?.()
  }

  heard(message: string | Uint8Array): void {
    if (typeof message === "string") this.onmessage?.({ data: message })
    // A copy, because a provider takes the whole buffer for the message.
    else this.onmessage?.({ data: message.slice().buffer })
  }

  ended({ code, reason }: SocketClose): void {
    this.readyState = CLOSED
    this.onclose?.({ code, reason })
  }
}
