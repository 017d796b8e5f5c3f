/**
 * One client for all layers of tests: a Y.Doc and its awareness behind any socket, in the stock dialect. It is written
 * on y-protocols alone, so that a fault of our own codec cannot hide itself.
 *
 * It behaves as y-websocket does: a step 1 when the socket opens, an answer to each step 1 and each query, every local
 * change as a frame of its own. Beyond that it knows the room's own frames (102 saved, 104 renewal, 105 notice, 106 probe) and keeps
 * what the room told it. It never reconnects by itself: `attach` it to another socket.
 */
import * as decoding from "lib0/decoding"
import * as encoding from "lib0/encoding"
import { Awareness, applyAwarenessUpdate, encodeAwarenessUpdate } from "y-protocols/awareness"
import { readSyncMessage, writeSyncStep1, writeUpdate } from "y-protocols/sync"
import * as Y from "yjs"

/** What a client needs of a socket: `ws` in Node (node-socket.ts), the platform's own in workerd. */
export interface ClientSocket {
  /** The subprotocol that was agreed on; "" where there is none. */
  readonly protocol: string
  readonly isOpen: boolean
  send(message: Uint8Array | string): void
  /** The listener is called at once where the socket is open already. */
  onOpen(listener: () => void): void
  onMessage(listener: (message: Uint8Array | string) => void): void
  /** @param listener gets 1006 as the code where no goodbye came */
  onClose(listener: (code: number, reason: string) => void): void
  /** End the connection without a goodbye. */
  terminate(): void
}

/** Types of frames. @source src/wire/y-websocket.ts */
export const FRAME = {
  sync: 0,
  awareness: 1,
  refusal: 2,
  query: 3,
  saved: 102,
  renewal: 104,
  notice: 105,
  probe: 106,
} as const

const STEP_1 = 0
const STEP_2 = 1

/** How a connection ended. */
export interface Closing {
  readonly code: number
  readonly reason: string
}

/** What the room said was not taken, on a connection that goes on. */
export interface Notice {
  readonly code: string
  readonly message: string
}

/** A document and its awareness, connected through one socket at a time. */
export class DocumentClient {
  readonly doc = new Y.Doc()
  readonly awareness = new Awareness(this.doc)
  /** The room's step 2 has come on the connection that is open now. */
  synced = false
  /** The room asked what it lacks on the connection that is open now, and was given it. */
  given = false
  /** How the newest connection ended; null while it is open. */
  closed: Closing | null = null
  /** Close codes of the connections that this client did not end itself; 1006 where no goodbye came. */
  readonly losses: number[] = []
  /** The reasons of the refusal frames that came. */
  readonly refusals: string[] = []
  readonly notices: Notice[] = []
  /** Fresh tokens that the room has taken. */
  renewals = 0
  /** Text messages, as they came. */
  readonly texts: string[] = []
  /** What could not be read or applied. */
  readonly faults: unknown[] = []
  /** The newest question that was answered: all that was sent before it is durable. */
  saved = 0
  /** The newest question that was asked with `askSaved`. */
  asked = 0
  /** Hears each binary message before it is read. */
  onFrame: (message: Uint8Array) => void = () => {}
  /** Called once the room was given what it lacks. */
  onGiven: () => void = () => {}
  #socket: ClientSocket | null = null

  constructor() {
    this.awareness.setLocalState(null)
    // The room says who leaves: a timer that forgets people would hide a room that does not.
    clearInterval(this.awareness._checkInterval)
    this.doc.on("update", (update: Uint8Array, origin: unknown) => {
      if (origin !== this) this.sendUpdate(update)
    })
    // Other people's changes as well: it is how a stock client shows the room that it reads.
    this.awareness.on(
      "update",
      ({ added, updated, removed }: Record<"added" | "updated" | "removed", number[]>) =>
        this.#sendAwareness([...added, ...updated, ...removed]),
    )
  }

  /** The socket is open. */
  get connected(): boolean {
    return this.#socket?.isOpen ?? false
  }

  /** Speak through this socket from now on; the one before is ended without a goodbye. */
  attach(socket: ClientSocket): void {
    this.detach()
    this.#socket = socket
    this.closed = null
    socket.onMessage((message) => {
      if (socket === this.#socket) this.#receive(message)
    })
    socket.onClose((code, reason) => {
      if (socket !== this.#socket) return
      this.closed = { code, reason }
      this.losses.push(code)
      this.synced = false
      this.given = false
    })
    socket.onOpen(() => {
      if (socket !== this.#socket) return
      this.#write(FRAME.sync, (encoder) => writeSyncStep1(encoder, this.doc))
      // With the clock after the one it had: the room may have told everyone that this client is gone.
      const state = this.awareness.getLocalState()
      if (state !== null) this.awareness.setLocalState(state)
    })
  }

  /** End the connection without a goodbye, as a closed laptop does. */
  detach(): void {
    const socket = this.#socket
    this.#socket = null
    this.synced = false
    this.given = false
    socket?.terminate()
  }

  /** Send bytes or a text as they are; nothing happens where the socket is not open. */
  send(message: Uint8Array | string): void {
    if (this.connected) this.#socket!.send(message)
  }

  /** Send an update that need not be this document's. */
  sendUpdate(update: Uint8Array): void {
    this.#write(FRAME.sync, (encoder) => writeUpdate(encoder, update))
  }

  /**
   * Ask for an acknowledgement of all that was sent before.
   * @returns the question; it is answered when `saved` has reached it
   */
  askSaved(question = this.asked + 1): number {
    this.asked = Math.max(this.asked, question)
    this.#write(FRAME.saved, (encoder) =>
      encoding.writeVarUint8Array(
        encoder,
        encoding.encode((inner) => encoding.writeVarUint(inner, question)),
      ),
    )
    return question
  }

  /** Leave and forget everything. */
  leave(): void {
    this.detach()
    this.awareness.destroy()
    this.doc.destroy()
  }

  #receive(message: Uint8Array | string): void {
    if (typeof message === "string") {
      this.texts.push(message)
      return
    }
    this.onFrame(message)
    try {
      this.#read(message)
    } catch (thrown) {
      this.faults.push(thrown)
    }
  }

  #read(message: Uint8Array): void {
    const decoder = decoding.createDecoder(message)
    const type = decoding.readVarUint(decoder)
    switch (type) {
      case FRAME.sync: {
        const encoder = encoding.createEncoder()
        encoding.writeVarUint(encoder, FRAME.sync)
        const step = readSyncMessage(decoder, encoder, this.doc, this, (error) => this.faults.push(error))
        if (encoding.length(encoder) > 1) this.send(encoding.toUint8Array(encoder))
        if (step === STEP_2) this.synced = true
        if (step === STEP_1) {
          this.given = true
          this.onGiven()
        }
        return
      }
      case FRAME.awareness:
        return applyAwarenessUpdate(this.awareness, decoding.readVarUint8Array(decoder), this)
      case FRAME.refusal:
        decoding.readVarUint(decoder)
        this.refusals.push(decoding.readVarString(decoder))
        return
      case FRAME.query:
        return this.#sendAwareness([...this.awareness.getStates().keys()])
      case FRAME.saved: {
        const payload = decoding.createDecoder(decoding.readVarUint8Array(decoder))
        this.saved = Math.max(this.saved, decoding.readVarUint(payload))
        return
      }
      case FRAME.renewal:
        this.renewals++
        return
      case FRAME.notice:
        this.#mustSpeakYurt(type)
        this.notices.push({
          code: decoding.readVarString(decoder),
          message: decoding.readVarString(decoder),
        })
        return
      case FRAME.probe:
        this.#mustSpeakYurt(type)
        return this.send(message)
      default:
        throw new Error(`A client got an unknown frame ${type}`)
    }
  }

  /** Stock clients know neither frame: y-websocket writes "Unable to compute message" into the console. */
  #mustSpeakYurt(type: number): void {
    if (this.#socket?.protocol !== "yurt") throw new Error(`Frame ${type} came without the subprotocol yurt`)
  }

  #sendAwareness(clients: number[]): void {
    this.#write(FRAME.awareness, (encoder) =>
      encoding.writeVarUint8Array(encoder, encodeAwarenessUpdate(this.awareness, clients)),
    )
  }

  #write(type: number, rest: (encoder: encoding.Encoder) => void): void {
    if (!this.connected) return
    this.send(
      encoding.encode((encoder) => {
        encoding.writeVarUint(encoder, type)
        rest(encoder)
      }),
    )
  }
}
