/**
 * A bundle: one socket of a client's, in the Worker, and behind it a socket of a room for each document that the client
 * has open on it. It holds no document and no right: each room judges its own, and what befalls one of them is told to
 * the client about that one alone. What the client and the rooms say to each other it passes on.
 *
 * What it keeps is bounded: documents, bytes for rooms that are still opening, and bytes that the client has not read.
 * Rooms count for themselves as well what was not read of theirs.
 */
import { asSyncError, closeReason, SyncError } from "../errors.ts"
import type { Limits } from "../limits.ts"

/** The limits of a bundle. */
export type BundleLimits = Pick<
  Limits,
  | "bundleDocuments"
  | "bundleOpens"
  | "bundleWaitingBytes"
  | "bundleUnreadBytes"
  | "probeBytes"
  | "messageOverheadBytes"
  | "keyLength"
  | "bundleRetryMs"
  | "bundleRetryCeilingMs"
>

/** What is used of a WebSocket, whose `binaryType` is "arraybuffer". */
export interface Socket {
  accept(): void
  send(message: Uint8Array | string): void
  close(code?: number, reason?: string): void
  addEventListener(type: "message", listener: (event: { readonly data: unknown }) => void): void
  addEventListener(
    type: "close",
    listener: (event: { readonly code: number; readonly reason: string }) => void,
  ): void
  addEventListener(type: "error", listener: () => void): void
}

/** How a document's socket ended, or why there is none. */
export interface Loss {
  readonly code: number
  readonly reason: string
}

/** What a dialect does with what a bundle brings it. */
export interface Speech<Key> {
  /** The client said something. */
  hear(message: Uint8Array | string): void
  /** A room did. */
  relay(key: Key, message: Uint8Array | string): void
  /** The socket of a document is open, and what waited for it has been sent. */
  opened(key: Key): void
  /** The socket of a document has ended, or could not be opened. It is none of the bundle's any more. */
  lost(key: Key, loss: Loss): void
  /** Ask the client for a sign that it has read so far. It calls `markRead` when that comes. */
  probe(): void
  /** The client is gone. */
  ended(): void
}

interface Leg {
  /** null: it is being opened. */
  socket: Socket | null
  waiting: (Uint8Array | string)[]
  waitingBytes: number
}

/** The sockets of one client. */
export class Bundle<Key> {
  readonly limits: BundleLimits
  readonly #client: Socket
  readonly #legs = new Map<Key, Leg>()
  #speech: Speech<Key> | null = null
  #opens = 0
  #waitingBytes = 0
  #unreadBytes = 0
  #isProbing = false
  #ended = false

  /** @param client not accepted yet */
  constructor(client: Socket, limits: BundleLimits) {
    this.#client = client
    this.limits = limits
  }

  /** Begin to hear the client. */
  begin(speech: Speech<Key>): void {
    this.#speech = speech
    this.#client.addEventListener("message", ({ data }) => {
      const message = messageOf(data)
      if (!this.#ended && message !== null) speech.hear(message)
    })
    this.#client.addEventListener("close", ({ code, reason }) => {
      this.#end()
      // The platform does not answer a close by itself.
      closeQuietly(this.#client, { code: code >= 3000 ? code : 1000, reason })
    })
    this.#client.addEventListener("error", () => this.#end())
    this.#client.accept()
  }

  /** Whether a document has a socket, or is about to. */
  has(key: Key): boolean {
    return this.#legs.has(key)
  }

  /**
   * Open a socket for a document.
   * @param open opens it, not accepted yet
   * @throws SyncError rate-limited where the client has as many as it may
   */
  open(key: Key, open: () => Promise<Socket>): void {
    const { bundleDocuments, bundleOpens } = this.limits
    if (this.#legs.size >= bundleDocuments)
      throw new SyncError("rate-limited", `At most ${bundleDocuments} documents may be open on a socket`)
    // What a Worker may ask for in one go is counted: a new socket starts a new count.
    if (++this.#opens > bundleOpens) {
      this.end(new SyncError("rate-limited", `${bundleOpens} documents were opened; come again`))
      return
    }
    const leg: Leg = { socket: null, waiting: [], waitingBytes: 0 }
    this.#legs.set(key, leg)
    void this.#connect(key, { leg, open })
  }

  /** Pass something on to the room of a document, now or once its socket is open. */
  pass(key: Key, message: Uint8Array | string): void {
    const leg = this.#legs.get(key)
    if (leg === undefined) return
    if (leg.socket !== null) {
      sendQuietly(leg.socket, message)
      return
    }
    const bytes = message.length + this.limits.messageOverheadBytes
    this.#waitingBytes += bytes
    leg.waitingBytes += bytes
    leg.waiting.push(message)
    if (this.#waitingBytes > this.limits.bundleWaitingBytes)
      this.end(new SyncError("rate-limited", "Too much was sent to documents that are still opening"))
  }

  /** Close a document's socket. Nothing more is told of it. */
  close(key: Key, { code, reason }: Loss = { code: 1000, reason: "" }): void {
    const leg = this.#legs.get(key)
    if (leg === undefined) return
    this.#drop(key, leg)
    if (leg.socket !== null) closeQuietly(leg.socket, { code, reason })
  }

  /** Tell the client something. */
  tell(message: Uint8Array | string): void {
    if (this.#ended || !sendQuietly(this.#client, message)) return
    this.#unreadBytes += message.length + this.limits.messageOverheadBytes
    if (this.#unreadBytes > this.limits.bundleUnreadBytes)
      return this.end(new SyncError("slow-receiver", `${this.#unreadBytes} bytes were not read`))
    if (this.#unreadBytes <= this.limits.probeBytes || this.#isProbing) return
    this.#isProbing = true
    this.#unreadBytes = 0
    this.#speech?.probe()
  }

  /** Note that the client has read up to the last probe. */
  markRead(): void {
    this.#isProbing = false
  }

  /** Close everything. */
  end({ closeCode, message }: SyncError): void {
    if (this.#ended) return
    this.#end()
    closeQuietly(this.#client, { code: closeCode, reason: closeReason(message) })
  }

  async #connect(key: Key, { leg, open }: { leg: Leg; open: () => Promise<Socket> }): Promise<void> {
    // It may have been closed meanwhile, and even opened anew.
    const isCurrent = () => this.#legs.get(key) === leg
    const lose = (loss: Loss) => {
      if (!isCurrent()) return
      this.#drop(key, leg)
      this.#speech?.lost(key, loss)
    }
    let socket: Socket
    try {
      socket = await open()
    } catch (thrown) {
      const { closeCode, message } = asSyncError(thrown)
      return lose({ code: closeCode, reason: message })
    }
    socket.accept()
    if (!isCurrent()) return closeQuietly(socket, { code: 1000, reason: "" })
    socket.addEventListener("message", ({ data }) => {
      const message = messageOf(data)
      if (message !== null && isCurrent()) this.#speech?.relay(key, message)
    })
    socket.addEventListener("close", ({ code, reason }) => {
      lose({ code, reason })
      closeQuietly(socket, { code: 1000, reason: "" })
    })
    socket.addEventListener("error", () => lose({ code: 1006, reason: "" }))
    leg.socket = socket
    for (const message of leg.waiting) sendQuietly(socket, message)
    this.#letGo(leg)
    this.#speech?.opened(key)
  }

  #drop(key: Key, leg: Leg): void {
    this.#letGo(leg)
    this.#legs.delete(key)
  }

  #letGo(leg: Leg): void {
    this.#waitingBytes -= leg.waitingBytes
    leg.waitingBytes = 0
    leg.waiting = []
  }

  #end(): void {
    if (this.#ended) return
    this.#ended = true
    for (const key of [...this.#legs.keys()]) this.close(key)
    this.#speech?.ended()
  }
}

function messageOf(data: unknown): Uint8Array | string | null {
  if (typeof data === "string") return data
  return data instanceof ArrayBuffer ? new Uint8Array(data) : null
}

/** @returns whether it was sent; a socket may be gone already */
function sendQuietly(socket: Socket, message: Uint8Array | string): boolean {
  try {
    socket.send(message)
    return true
  } catch {
    return false
  }
}

function closeQuietly(socket: Socket, { code, reason }: Loss): void {
  try {
    socket.close(code, reason)
  } catch {
    // It is closed already.
  }
}
