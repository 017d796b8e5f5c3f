/**
 * A socket that comes back: partysocket, plus what it lacks. Jitter, a retry at once when the browser is back
 * online or the page is seen again, and a heartbeat that the platform answers without waking the room.
 * Knows addresses, close codes and time; no document and no frames.
 *
 * partysocket asks for the address before each attempt, but once it waits, nothing can hurry it, and all
 * clients of a restarted server wait equally long. So its own delays are zero, and the wait is in here.
 */
import ReconnectingWebSocket, { type CloseEvent } from "partysocket/ws"
import { PING, PONG } from "../wire/y-websocket.ts"

/** The browser's WebSocket, or a class that behaves like it (`ws` in Node). */
export type WebSocketClass = new (url: string, protocols?: string[]) => unknown

/** Where an attempt goes. */
export interface Address {
  readonly url: string
  readonly protocols: string[]
}

export interface ConnectionOptions {
  /** Asked before each attempt; a rejection counts as a failed attempt. */
  readonly address: () => Promise<Address>
  /** Whether a close with this code ends it for good; asked once a close. */
  readonly isFinal: (code: number) => boolean
  readonly WebSocket: WebSocketClass | undefined
  /** No wait between two attempts is longer, ms. */
  readonly maxBackoffMs: number
  /** A ping this often, ms; its answer, or anything else, has to come before the next one is due. */
  readonly heartbeatMs: number
  readonly onAttempt: () => void
  readonly onOpen: () => void
  readonly onMessage: (message: string | Uint8Array) => void
  /** After each close, that of a failed attempt as well; `final` when no attempt follows. */
  readonly onClose: (event: CloseEvent, final: boolean) => void
  readonly onError: (event: Event) => void
}

/** A cold room may load its document from an archive first, which has 15 s for it. */
const CONNECT_TIMEOUT_MS = 20_000

/** A connection that lasted this long was a good one: the next loss starts the backoff anew. A guess. */
const STABLE_MS = 5_000

/** The first wait, doubled with each failure. */
const BACKOFF_MS = 200

/** After coming back online a socket that is still open has this long to prove it. A guess. */
const PROBE_MS = 5_000

export class Connection {
  readonly #options: ConnectionOptions
  readonly #socket: ReconnectingWebSocket
  #closed = false
  #final = false
  /** Attempts since the last good connection. */
  #attempts = 0
  #openedAtMs = 0
  #endWait: (() => void) | null = null
  /** The next wait is not to be waited. */
  #hurried = false
  #heartbeat: ReturnType<typeof setInterval> | undefined
  /** When this fires, nothing has come for too long. */
  #deadline: ReturnType<typeof setTimeout> | undefined

  /** Starts at once. */
  constructor(options: ConnectionOptions) {
    this.#options = options
    // partysocket asks for the URL first, then for the protocols, in the same turn.
    let address: Promise<Address>
    this.#socket = new ReconnectingWebSocket(
      () => {
        address = this.#nextAddress()
        return address.then(({ url }) => url)
      },
      () => address.then(({ protocols }) => protocols),
      {
        WebSocket: options.WebSocket,
        minReconnectionDelay: 0,
        maxReconnectionDelay: 0,
        connectionTimeout: CONNECT_TIMEOUT_MS,
        maxEnqueuedMessages: 0,
        shouldReconnectOnClose: ({ code }) => {
          this.#final = options.isFinal(code)
          return !this.#final
        },
      },
    )
    this.#socket.binaryType = "arraybuffer"
    this.#socket.onopen = () => this.#opened()
    this.#socket.onmessage = ({ data }) => this.#received(data)
    this.#socket.onclose = (event) => this.#lost(event)
    this.#socket.onerror = (event) => options.onError(event)
    globalThis.window?.addEventListener("online", this.#hurry)
    globalThis.document?.addEventListener("visibilitychange", this.#hurry)
  }

  /** @returns whether it went out; what does not is dropped, for the next sync brings it */
  send(message: string | Uint8Array): boolean {
    // reason: partysocket's type excludes shared memory, which lib0 never writes into.
    return !this.#closed && this.#socket.send(message as string | Uint8Array<ArrayBuffer>)
  }

  /** Drops the socket and tries again, after the usual wait. */
  restart(reason: string): void {
    this.#socket.reconnect(4000, reason)
  }

  /** Ends the connection, or the attempt, or the wait for one. Nothing is called afterwards. */
  close(): void {
    this.#closed = true
    this.#socket.onopen = this.#socket.onmessage = this.#socket.onclose = this.#socket.onerror = null
    this.#stopClocks()
    globalThis.window?.removeEventListener("online", this.#hurry)
    globalThis.document?.removeEventListener("visibilitychange", this.#hurry)
    this.#socket.close()
    this.#endWait?.()
  }

  async #nextAddress(): Promise<Address> {
    await this.#wait()
    this.#hurried = false
    // partysocket looks whether it was closed before it uses this.
    if (this.#closed) return { url: "", protocols: [] }
    this.#attempts++
    this.#options.onAttempt()
    return this.#options.address()
  }

  #wait(): Promise<void> {
    const ceiling = this.#attempts === 0 ? 0 : BACKOFF_MS * 2 ** (this.#attempts - 1)
    const waitMs = Math.min(ceiling, this.#options.maxBackoffMs) * (0.5 + Math.random() / 2)
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, this.#hurried ? 0 : waitMs)
      this.#endWait = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  /** Back online, or seen again: end the wait for the next attempt, or see whether the open socket still lives. */
  readonly #hurry = (): void => {
    if (globalThis.document?.visibilityState === "hidden") return
    if (this.#socket.readyState === this.#socket.OPEN) this.#ping(PROBE_MS)
    else {
      // Also where the wait has not begun: partysocket asks for an address a moment after the loss.
      this.#hurried = true
      this.#endWait?.()
    }
  }

  #opened(): void {
    this.#openedAtMs = Date.now()
    this.#heartbeat = setInterval(() => this.#ping(this.#options.heartbeatMs), this.#options.heartbeatMs)
    this.#options.onOpen()
  }

  #received(data: string | ArrayBuffer): void {
    clearTimeout(this.#deadline)
    this.#deadline = undefined
    if (data !== PONG) this.#options.onMessage(typeof data === "string" ? data : new Uint8Array(data))
  }

  #lost(event: CloseEvent): void {
    this.#stopClocks()
    if (this.#openedAtMs > 0 && Date.now() - this.#openedAtMs >= STABLE_MS) this.#attempts = 1
    this.#openedAtMs = 0
    const final = this.#final
    if (final) this.close()
    this.#options.onClose(event, final)
  }

  /**
   * Timers of a hidden page fire late, so silence is not measured by the clock: the deadline starts with a
   * question, and any message ends it.
   */
  #ping(answerMs: number): void {
    this.#socket.send(PING)
    this.#deadline ??= setTimeout(() => this.restart("no answer"), answerMs)
  }

  #stopClocks(): void {
    clearInterval(this.#heartbeat)
    clearTimeout(this.#deadline)
    this.#deadline = undefined
  }
}
