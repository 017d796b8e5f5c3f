/**
 * A socket that comes back: backoff with jitter, a retry at once when the browser is back online or the page is seen
 * again, and a heartbeat that the platform answers without waking the room.
 * Knows addresses, close codes and time; no document and no frames. Where no socket opens, it goes over HTTP: fallback.ts.
 *
 * partysocket is not used for it: it clones each event with the global MessageEvent and extends Event when it is
 * loaded, which React Native does not have (cloudflare/partykit#401), and once it waits, nothing can shorten the wait.
 */
import { PING, PONG } from "../wire/y-websocket.ts"
import type { Fallback } from "./fallback.ts"
import { isPageHidden, listenToDocument, listenToWindow } from "./page.ts"

/** The browser's WebSocket, or a class that behaves like it (`ws` in Node). */
export type WebSocketClass = new (url: string, protocols?: string[]) => unknown

/**
 * What the connection goes over: a WebSocket, or where the network lets none through, HTTP: a stream down (`stream`), or
 * where the network holds that back, questions again and again (`poll`).
 */
export type Transport = "websocket" | "stream" | "poll"

/** Where an attempt goes. */
export interface Address {
  readonly url: string
  readonly protocols: string[]
}

/** How a socket ended; a CloseEvent is one. */
export interface SocketClose {
  readonly code: number
  readonly reason: string
}

/** The options and callbacks of a connection. */
export interface ConnectionOptions {
  /** Asked before each attempt; a rejection counts as a failed attempt. */
  readonly address: () => Promise<Address>
  /** Whether a close with this code ends it for good; asked once a close. */
  readonly isFinal: (code: number) => boolean
  readonly WebSocket: WebSocketClass | undefined
  /** Whether to go over HTTP where no socket opens. */
  readonly mayFallBack: boolean
  /** No wait between two attempts is longer, ms. */
  readonly maxBackoffMs: number
  /** A ping this often, ms; its answer, or anything else, has to come before the next one is due. */
  readonly heartbeatMs: number
  readonly onAttempt: () => void
  readonly onOpen: () => void
  readonly onMessage: (message: string | Uint8Array) => void
  /** After each close, that of a failed attempt as well; `final` when no attempt follows. */
  readonly onClose: (event: SocketClose, final: boolean) => void
  /** The socket's own event, or why no address could be had. */
  readonly onError: (problem: unknown) => void
}

/** What is used of a WebSocket. */
interface Socket {
  binaryType: string
  readonly readyState: number
  onopen: (() => void) | null
  onmessage: ((event: { readonly data: string | ArrayBuffer }) => void) | null
  onclose: ((event: SocketClose) => void) | null
  onerror: ((event: unknown) => void) | null
  send(message: string | Uint8Array): void
  close(code?: number, reason?: string): void
}

/** `readyState` of a socket that is open. */
const OPEN = 1

/** The close code of a connection that ended without a word. @source RFC 6455, 7.1.5 */
const ABNORMAL = 1006

/** A cold room may load its document from an archive first, which has 15 s for it. */
const CONNECT_TIMEOUT_MS = 20_000

/**
 * ... but what swallows upgrades answers never: a page that has had no socket gives one that says nothing this long, ms, and
 * then sees what HTTP does, which tries a socket again as soon as it works. A guess: a server under load takes some seconds.
 */
const FIRST_ANSWER_MS = 10_000

/** A connection that lasted this long was a good one: the next loss starts the backoff anew. A guess. */
const STABLE_MS = 5_000

/** The first wait, doubled with each failure. */
const BACKOFF_MS = 200

/** So many sockets in a row that never opened are the network's doing, or once it has been seen what they do, the second. */
const PATIENCE = 2
const LONG_PATIENCE = 5

/** After coming back online a socket that is still open has this long to prove it. A guess. */
const PROBE_MS = 5_000

/** Keeps one socket open, with attempts and waits between them. */
export class Connection {
  readonly #options: ConnectionOptions
  readonly #WebSocket: WebSocketClass | undefined
  readonly #stopListening: (() => void)[]
  /** Of the attempt or the open connection; null while waiting and while the address is asked for. */
  #socket: Socket | null = null
  #closed = false
  /** Attempts since the last good connection. */
  #attempts = 0
  #openedAtMs = 0
  /** Sockets in a row that never opened; one that was given no answer counts for as many as it takes. */
  #failures = 0
  #patience = PATIENCE
  /** HTTP in the place of sockets; null while they are tried. */
  #fallback: Fallback | null = null
  #endWait: (() => void) | null = null
  #connectTimeout: ReturnType<typeof setTimeout> | undefined
  #heartbeat: ReturnType<typeof setInterval> | undefined
  /** When this fires, nothing has come for too long. */
  #deadline: ReturnType<typeof setTimeout> | undefined

  /** Starts at once. */
  constructor(options: ConnectionOptions) {
    this.#options = options
    this.#WebSocket = options.WebSocket ?? (globalThis.WebSocket as WebSocketClass | undefined)
    this.#stopListening = [
      listenToWindow("online", this.#retryNow),
      listenToDocument("visibilitychange", this.#retryNow),
    ]
    void this.#attempt()
  }

  /** What it goes over, or is about to. */
  get transport(): Transport {
    return this.#fallback?.way ?? "websocket"
  }

  /** Send a message. @returns whether it was sent; one that was not is dropped, because the next sync brings its content */
  send(message: string | Uint8Array): boolean {
    if (this.#socket?.readyState !== OPEN) return false
    this.#socket.send(message)
    return true
  }

  /** Drops the socket and tries again, after the usual wait. */
  restart(reason: string): void {
    const socket = this.#socket
    if (socket === null) return
    this.#lose({ code: 4000, reason })
    // The other side may be gone, so its close is not awaited.
    socket.close(4000, reason)
  }

  /** Ends the connection, or the attempt, or the wait for one. Nothing is called afterwards. */
  close(): void {
    this.#closed = true
    this.#stopClocks()
    for (const stop of this.#stopListening) stop()
    const socket = this.#socket
    this.#socket = null
    socket?.close()
    this.#fallback?.stop()
    this.#endWait?.()
  }

  async #attempt(): Promise<void> {
    await this.#wait()
    if (this.#closed) return
    this.#attempts++
    this.#options.onAttempt()
    try {
      const address = await this.#options.address()
      await this.#choose()
      if (!this.#closed) this.#open(address)
    } catch (problem) {
      if (this.#closed) return
      this.#options.onError(problem)
      this.#lose({ code: ABNORMAL, reason: String(problem) })
    }
  }

  /** A socket or HTTP, see fallback.ts. */
  async #choose(): Promise<void> {
    const WebSocket = this.#WebSocket
    if (!this.#options.mayFallBack || this.#fallback !== null) return
    if (WebSocket !== undefined && this.#failures < this.#patience) return
    this.#failures = 0
    try {
      const { Fallback } = await import("./fallback.ts")
      this.#fallback = new Fallback(WebSocket, () => {
        this.#fallback = null
        this.restart("a socket opens")
      })
    } catch (problem) {
      // This part of the program could not be loaded: a socket is tried.
      this.#options.onError(problem)
    }
  }

  #open({ url, protocols }: Address): void {
    const fallback = this.#fallback
    const socket = (fallback?.open(url, protocols) ?? new this.#WebSocket!(url, protocols)) as Socket
    this.#socket = socket
    socket.binaryType = "arraybuffer"
    // A socket that was given up may still tell of its end.
    const isCurrent = () => this.#socket === socket
    socket.onopen = () => {
      if (!isCurrent()) return
      fallback?.opened(url, protocols)
      this.#opened()
    }
    socket.onmessage = ({ data }) => isCurrent() && this.#received(data)
    socket.onclose = ({ code, reason }) => isCurrent() && this.#lose({ code, reason })
    socket.onerror = (event) => isCurrent() && this.#options.onError(event)
    this.#connectTimeout = setTimeout(
      () => {
        if (!fallback) this.#failures = this.#patience = LONG_PATIENCE
        this.restart("no answer")
      },
      fallback || this.#patience > PATIENCE ? CONNECT_TIMEOUT_MS : FIRST_ANSWER_MS,
    )
  }

  #wait(): Promise<void> {
    const ceiling = this.#attempts === 0 ? 0 : BACKOFF_MS * 2 ** (this.#attempts - 1)
    const waitMs = Math.min(ceiling, this.#options.maxBackoffMs) * (0.5 + Math.random() / 2)
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, waitMs)
      this.#endWait = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  /** Back online, or seen again: end the wait for the next attempt, or see whether the open socket still lives. */
  readonly #retryNow = (): void => {
    if (isPageHidden()) return
    this.#fallback?.hurry()
    if (this.#socket?.readyState === OPEN) this.#ping(PROBE_MS)
    else this.#endWait?.()
  }

  #opened(): void {
    clearTimeout(this.#connectTimeout)
    this.#openedAtMs = Date.now()
    if (!this.#fallback) this.#patience = LONG_PATIENCE
    this.#heartbeat = setInterval(() => this.#ping(this.#options.heartbeatMs), this.#options.heartbeatMs)
    this.#options.onOpen()
  }

  #received(data: string | ArrayBuffer): void {
    clearTimeout(this.#deadline)
    this.#deadline = undefined
    if (data !== PONG) this.#options.onMessage(typeof data === "string" ? data : new Uint8Array(data))
  }

  #lose(event: SocketClose): void {
    this.#stopClocks()
    const wasOpen = this.#openedAtMs > 0
    // Where no address could be had, nothing was tried.
    if (this.#socket !== null) {
      this.#failures = wasOpen ? 0 : this.#failures + 1
      if (this.#fallback?.lost(wasOpen) === false) this.#fallback = null
    }
    this.#socket = null
    if (wasOpen && Date.now() - this.#openedAtMs >= STABLE_MS) this.#attempts = 1
    this.#openedAtMs = 0
    const final = this.#options.isFinal(event.code)
    if (final) this.close()
    else void this.#attempt()
    this.#options.onClose(event, final)
  }

  /**
   * Timers of a hidden page fire late, so silence is not measured by the clock: the deadline starts with a
   * question, and any message ends it.
   */
  #ping(answerMs: number): void {
    this.send(PING)
    this.#deadline ??= setTimeout(() => this.restart("no answer"), answerMs)
  }

  #stopClocks(): void {
    clearTimeout(this.#connectTimeout)
    clearInterval(this.#heartbeat)
    clearTimeout(this.#deadline)
    this.#deadline = undefined
  }
}
