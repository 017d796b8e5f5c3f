/**
 * What a connection does where no WebSocket opens: it goes over HTTP, and tries the socket again beside that.
 *
 * It goes over HTTP after two sockets in a row that never opened, or where there is no class for them; after five on a page
 * that has had one, because a server that starts anew refuses some. One that was given no answer at all is enough; the first
 * of these on a page that has had none is given up early. Where HTTP does not open either, the next attempts are sockets
 * again, with more time: then it was not the network that minds them.
 *
 * What streams is preferred. Where an answer is held back until its end, or where two streams in a row are cut within a
 * minute, the page asks again and again instead, and leaves an answer silent for half as long as those were.
 *
 * As soon as HTTP works, a socket is tried once more, then after half a minute, and after twice as long each time; and so
 * anew where the connection was lost or the page is seen again, because the network may be another one. One that opens is
 * what the connection goes back to.
 */
import type { WebSocketClass } from "./connection.ts"
import { type Failure, HttpSocket, type Way } from "./http-socket.ts"

/** When the second trial of a socket is made after the first, ms; each next one after twice as long. */
const TRIAL_MS = 30_000

/** ... to this ceiling, ms. */
const TRIAL_CEILING_MS = 16 * 60_000

/** A trial that has brought nothing by then has failed, ms. */
const TRIAL_TIMEOUT_MS = 20_000

/** A stream that ends sooner, ms, without a word of the room's, was cut. */
const CUT_MS = 60_000

/** How long the answer to a question may be silent, ms, where nothing has been cut; the server's own limit is a little higher. */
const WAIT_MS = 15_000

/** ... and where much was: the page asks at most this often. A guess. */
const WAIT_FLOOR_MS = 500

/** What is used of a WebSocket on trial. */
interface Trial {
  onopen: (() => void) | null
  onclose: (() => void) | null
  onerror: (() => void) | null
  close(): void
}

/** HTTP in the place of sockets. */
export class Fallback {
  /** How what the room says comes. */
  way: Way = "stream"
  readonly #WebSocket: WebSocketClass | undefined
  readonly #onSocket: () => void
  #failure: Failure | null = null
  #cuts = 0
  /** How long it was silent before it was lost. */
  #silentMs = 0
  #waitMs = WAIT_MS
  #trialMs = 0
  #timer: ReturnType<typeof setTimeout> | undefined
  #trial: Trial | null = null
  /** Makes the next trial; null while HTTP is not open. */
  #retry: (() => void) | null = null
  #openedAtMs = 0

  /** @param onSocket a socket has opened: HTTP is not needed any more */
  constructor(WebSocket: WebSocketClass | undefined, onSocket: () => void) {
    this.#WebSocket = WebSocket
    this.#onSocket = onSocket
  }

  /** What stands for the socket of this address. */
  open(url: string, protocols: string[]): HttpSocket {
    this.#failure = null
    const onFailure = (failure: Failure, silentMs: number) => {
      this.#failure = failure
      this.#silentMs = silentMs
    }
    return new HttpSocket(url, protocols, { way: this.way, waitMs: this.#waitMs, onFailure })
  }

  /** It is open: see whether a socket would. */
  opened(url: string, protocols: string[]): void {
    this.#openedAtMs = Date.now()
    const WebSocket = this.#WebSocket
    if (WebSocket === undefined) return
    this.#retry = () => this.#try(() => new WebSocket(url, protocols) as Trial)
    this.#timer = setTimeout(this.#retry, this.#trialMs)
  }

  /** It is not open any more, or never was. @returns whether the next attempt is over HTTP as well */
  lost(wasOpen: boolean): boolean {
    this.stop()
    this.#trialMs = 0
    const isCut = wasOpen && this.#failure !== null && Date.now() - this.#openedAtMs < CUT_MS
    this.#cuts = isCut ? this.#cuts + 1 : 0
    if (this.#cuts > 1)
      this.#waitMs = Math.min(Math.max(Math.round(this.#silentMs / 2), WAIT_FLOOR_MS), WAIT_MS)
    const isHeld = this.way === "stream" && (this.#failure === "held" || this.#cuts > 1)
    if (isHeld) this.way = "poll"
    return wasOpen || isHeld
  }

  /** The network may be another one: try a socket now. */
  hurry(): void {
    if (this.#retry === null || this.#trial !== null) return
    clearTimeout(this.#timer)
    this.#trialMs = 0
    this.#retry()
  }

  /** Try no more sockets. */
  stop(): void {
    clearTimeout(this.#timer)
    this.#retry = null
    const trial = this.#trial
    this.#trial = null
    trial?.close()
  }

  #try(dial: () => Trial): void {
    this.#trialMs = Math.min(Math.max(2 * this.#trialMs, TRIAL_MS), TRIAL_CEILING_MS)
    let trial: Trial | null = null
    const again = () => {
      if (this.#trial !== trial) return
      this.stop()
      this.#retry = () => this.#try(dial)
      this.#timer = setTimeout(this.#retry, this.#trialMs)
    }
    try {
      trial = dial()
    } catch {
      // A class may throw where another one tells of an error.
      return again()
    }
    this.#trial = trial
    trial.onopen = () => {
      if (this.#trial !== trial) return
      this.stop()
      this.#onSocket()
    }
    trial.onclose = again
    trial.onerror = () => {}
    this.#timer = setTimeout(again, TRIAL_TIMEOUT_MS)
  }
}
