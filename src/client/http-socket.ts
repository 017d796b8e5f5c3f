/**
 * A WebSocket over HTTP: what a connection takes for a socket where the network lets none through. What the room says comes
 * as a stream of events, or where the network shows an answer only once it has ended, by asking again and again; what is
 * said to the room goes in a PATCH at a time. See wire/tunnel.ts.
 */
import { parseSyncError } from "../errors.ts"
import { type ChannelFrame, readChannelFrame } from "../wire/bundle.ts"
import { SESSION_HEADER, WAIT_HEADER, writeUp } from "../wire/tunnel.ts"
import { PING, PONG, readFrame } from "../wire/y-websocket.ts"

/** How what the room says comes. */
export type Way = "stream" | "poll"

/** `readyState`. @source WHATWG WebSockets */
const CONNECTING = 0
const OPEN = 1
const CLOSED = 3

/** The close code of a connection that ended without a word. @source RFC 6455, 7.1.5 */
const ABNORMAL = 1006

/** The server says at once that it is there. An answer that has not begun by then is held back by something. A guess. */
const BEGIN_MS = 5_000

/** What has brought nothing for this long, ms, is dead: the server breaks its silence every 15 s. */
const SILENT_MS = 35_000

/**
 * No PATCH follows another sooner, ms, and no question an answer: what is said meanwhile goes in one. Below what the eye sees
 * of a cursor.
 */
const PAUSE_MS = 100

/** No PATCH has more, bytes; but for one message that is longer. Servers before ours often take no more than some MB. */
const BODY_BYTES = 1024 * 1024

/** How it ended, as a CloseEvent says it. */
interface End {
  readonly code: number
  readonly reason: string
}

/** The session ended in silence: why. */
export type Failure =
  /** The network answers, and holds back what is streamed. */
  | "held"
  /** Something else. */
  | "lost"

/** To its connection a WebSocket. */
export class HttpSocket {
  binaryType = "arraybuffer"
  readyState = CONNECTING
  onopen: (() => void) | null = null
  onmessage: ((event: { readonly data: string | ArrayBuffer }) => void) | null = null
  onclose: ((event: End) => void) | null = null
  onerror: ((event: unknown) => void) | null = null
  readonly #address: string
  readonly #way: Way
  readonly #waitMs: number
  readonly #onFailure: (failure: Failure, silentMs: number) => void
  readonly #headers: Record<string, string>
  readonly #abort = new AbortController()
  readonly #unsent: ChannelFrame[] = []
  /** When the PATCH under way began, ms since 1970; null: none is. */
  #sendingSinceMs: number | null = null
  #heardAtMs = Date.now()

  /**
   * @param url of the document's socket
   * @param protocols those of the socket: `yurt`, and the token
   * @param options.waitMs of a poll: how long an answer may be silent; at least 1
   * @param options.onFailure called before `onclose` where the room has said no word of an end, which came after so much silence
   */
  constructor(
    url: string,
    protocols: readonly string[],
    {
      way,
      waitMs,
      onFailure,
    }: { way: Way; waitMs: number; onFailure: (failure: Failure, silentMs: number) => void },
  ) {
    this.#address = url.replace(/^ws/, "http").replace(/(?=\?|$)/, "/-/frames")
    this.#way = way
    this.#waitMs = waitMs
    this.#onFailure = onFailure
    this.#headers = { [SESSION_HEADER]: drawSession() }
    this.#useToken(protocols[1])
    void this.#listen()
  }

  send(message: string | Uint8Array): void {
    if (this.readyState !== OPEN) return
    if (message === PING) {
      // Whether the room lives is known from what comes: the question is not asked, and wakes nobody.
      const doubtful = Math.min(this.#heardAtMs, this.#sendingSinceMs ?? this.#heardAtMs)
      if (Date.now() - doubtful < SILENT_MS) queueMicrotask(() => this.onmessage?.({ data: PONG }))
      return
    }
    this.#unsent.push({ channel: 0, type: "message", message })
    if (this.#sendingSinceMs === null) void this.#sendAll()
  }

  close(code = 1000, reason = ""): void {
    if (this.readyState === CLOSED) return
    const wasOpen = this.readyState === OPEN
    this.readyState = CLOSED
    this.#abort.abort()
    if (!wasOpen) return
    // Where this does not arrive, the room finds out later.
    const body = writeUp([...this.#unsent, { channel: 0, type: "close", code, reason }])
    // A page that is left may send so much still. @source Fetch Standard: 64 KB of requests that outlive their page
    const last = { method: "PATCH", headers: this.#headers, body, keepalive: body.length < 60_000 }
    fetch(this.#address, last).catch(() => {})
  }

  // ---- down

  async #listen(): Promise<void> {
    // An answer to a question ends, so it comes: where not, the connection gives up.
    const held = this.#way === "stream" ? setTimeout(() => this.#fail("held"), BEGIN_MS) : undefined
    const heard = () => {
      clearTimeout(held)
      this.#heardAtMs = Date.now()
    }
    try {
      if (this.#way === "stream") await this.#follow(heard)
      for (let waitMs = 0; this.#way === "poll" && this.readyState !== CLOSED; waitMs = this.#waitMs) {
        const answer = await this.#ask({ [WAIT_HEADER]: String(waitMs) })
        this.#hear(await answer.text())
        heard()
        // Else a busy room answers each at once, and servers count requests.
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
      }
    } catch (problem) {
      if (this.readyState !== CLOSED) this.onerror?.(problem)
    }
    clearTimeout(held)
    this.#fail("lost")
  }

  async #follow(heard: () => void): Promise<void> {
    const { body } = await this.#ask({})
    // React Native shows an answer only once it has ended.
    if (typeof body?.getReader !== "function") return this.#fail("held")
    const reader = body.getReader()
    const decoder = new TextDecoder()
    let unread = ""
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      heard()
      const text = decoder.decode(value, { stream: true })
      // A long event comes in many pieces: only a new one can hold its end.
      unread += text
      if (text.includes("\n")) unread = this.#hear(unread)
    }
  }

  /** @throws Error where there is no stream of events; the room's refusal has closed us then */
  async #ask(headers: Record<string, string>): Promise<Response> {
    const answer = await fetch(this.#address, {
      headers: { ...this.#headers, ...headers, accept: "text/event-stream" },
      signal: this.#abort.signal,
      cache: "no-store",
    })
    if (answer.ok && answer.headers.get("content-type")?.startsWith("text/event-stream")) return answer
    throw await this.#refused(answer)
  }

  /** Hear whole events. @returns what is left */
  #hear(text: string): string {
    const events = text.split("\n\n")
    const rest = events.pop() ?? ""
    for (const event of events) {
      if (this.readyState === CLOSED) break
      if (event.startsWith("data: ")) this.#receive(readChannelFrame(bytesOf(event.slice(6))))
    }
    return rest
  }

  #receive(frame: ChannelFrame): void {
    if (frame.type === "opened") {
      this.readyState = OPEN
      this.onopen?.()
    } else if (frame.type === "message") {
      const { message } = frame
      // A copy, because a provider takes the whole buffer for the message.
      this.onmessage?.({ data: typeof message === "string" ? message : message.slice().buffer })
    } else if (frame.type === "close") this.#end(frame)
  }

  // ---- up

  async #sendAll(): Promise<void> {
    this.#sendingSinceMs = Date.now()
    try {
      // What is said in this turn goes together.
      await Promise.resolve()
      while (this.#unsent.length > 0 && this.readyState === OPEN) {
        this.#sendingSinceMs = Date.now()
        const answer = await fetch(this.#address, {
          method: "PATCH",
          headers: this.#headers,
          body: writeUp(this.#take()),
          signal: this.#abort.signal,
        })
        if (!answer.ok) throw await this.#refused(answer)
        const pauseMs = this.#sendingSinceMs + PAUSE_MS - Date.now()
        if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs))
      }
    } catch (problem) {
      if (this.readyState === CLOSED) return
      // Nobody knows what of it has arrived: the next connection finds out.
      this.onerror?.(problem)
      this.#fail("lost")
    } finally {
      this.#sendingSinceMs = null
    }
  }

  #take(): ChannelFrame[] {
    let bytes = 0
    const count = this.#unsent.findIndex((frame, index) => {
      bytes += frame.type === "message" ? frame.message.length : 0
      return index > 0 && bytes > BODY_BYTES
    })
    const taken = this.#unsent.splice(0, count < 0 ? this.#unsent.length : count)
    for (const frame of taken) {
      // Our requests bring the token too: from here on the fresh one.
      if (frame.type !== "message" || typeof frame.message === "string") continue
      const said = readFrame(frame.message)
      if (said.type === "renewal") this.#useToken(String.fromCharCode(...said.payload))
    }
    return taken
  }

  #useToken(token: string | undefined): void {
    if (token !== undefined) this.#headers.authorization = `Bearer ${token}`
  }

  // ---- the end

  /** An answer that is none. Where it is a refusal of the room's, this ends as a socket would. */
  async #refused(answer: Response): Promise<Error> {
    const refusal = parseSyncError(await answer.text())
    if (refusal === null) return new Error(`HTTP ${answer.status}`)
    this.#end({ code: refusal.closeCode, reason: refusal.message })
    return refusal
  }

  #fail(failure: Failure): void {
    if (this.readyState === CLOSED) return
    this.#onFailure(failure, Date.now() - this.#heardAtMs)
    this.#end({ code: ABNORMAL, reason: failure })
  }

  #end({ code, reason }: End): void {
    if (this.readyState === CLOSED) return
    this.readyState = CLOSED
    this.#abort.abort()
    this.onclose?.({ code, reason })
  }
}

/** 128 random bits in hexadecimal. */
function drawSession(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")
}

/** lib0 asks for Buffer where there is no `document`: in a worker there is neither. */
function bytesOf(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))
}
