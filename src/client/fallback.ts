/**
 * What a connection does where no WebSocket opens: it goes over HTTP, and tries the socket again beside that.
 *
 * It goes over HTTP after two sockets in a row that never opened, or where there is no class for them; after five on a page
 * that has had one, because a server that starts anew refuses some. One that was given no answer at all counts twice. Where
 * HTTP does not open either, the next attempts are sockets again: then it was not the network that minds them.
 *
 * What streams is preferred. Where an answer is held back until its end, or where two streams in a row are cut within a
 * minute, the page asks again and again instead.
 *
 * As soon as HTTP works, a socket is tried once more, then after half a minute, and after twice as long each time. One that
 * opens is what the connection goes back to.
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
  #trialMs = 0
  #timer: ReturnType<typeof setTimeout> | undefined
  #trial: Trial | null = null
  #openedAtMs = 0

  /** @param onSocket a socket has opened: HTTP is not needed any more */
  constructor(WebSocket: WebSocketClass | undefined, onSocket: () => void) {
    this.#WebSocket = WebSocket
    this.#onSocket = onSocket
  }

  /** What stands for the socket of this address. */
  open(url: string, protocols: string[]): HttpSocket {
    this.#failure = null
    const onFailure = (failure: Failure) => {
      this.#failure = failure
    }
    return new HttpSocket(url, protocols, { way: this.way, onFailure })
  }

  /** It is open: see whether a socket would. */
  opened(url: string, protocols: string[]): void {
    this.#openedAtMs = Date.now()
    if (this.#WebSocket === undefined) return
    this.#timer = setTimeout(() => this.#try(url, protocols), this.#trialMs)
  }

  /** It is not open any more, or never was. @returns whether the next attempt is over HTTP as well */
  lost(wasOpen: boolean): boolean {
    this.stop()
    if (this.way === "poll") return wasOpen
    if (this.#failure === null) this.#cuts = 0
    else if (wasOpen) this.#cuts = Date.now() - this.#openedAtMs < CUT_MS ? this.#cuts + 1 : 0
    const isHeld = this.#failure === "held" || this.#cuts > 1
    if (isHeld) this.way = "poll"
    return wasOpen || isHeld
  }

  /** Try no more sockets. */
  stop(): void {
    clearTimeout(this.#timer)
    const trial = this.#trial
    this.#trial = null
    trial?.close()
  }

  #try(url: string, protocols: string[]): void {
    this.#trialMs = Math.min(Math.max(2 * this.#trialMs, TRIAL_MS), TRIAL_CEILING_MS)
    const again = () => {
      if (this.#trial !== trial) return
      this.stop()
      this.#timer = setTimeout(() => this.#try(url, protocols), this.#trialMs)
    }
    const trial = new this.#WebSocket!(url, protocols) as Trial
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
