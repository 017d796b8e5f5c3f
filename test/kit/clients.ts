/**
 * Clients for journeys, in Node: the two stock providers and ours, all over `ws` and each a page of its own, and a raw
 * socket that speaks the dialect on y-protocols alone, so that a fault of our own codec cannot hide itself.
 */
import * as decoding from "lib0/decoding"
import * as encoding from "lib0/encoding"
import { WebSocket } from "ws"
import YProvider from "y-partyserver/provider"
import { Awareness, applyAwarenessUpdate, encodeAwarenessUpdate } from "y-protocols/awareness"
import { readSyncMessage, writeSyncStep1, writeUpdate } from "y-protocols/sync"
import { WebsocketProvider } from "y-websocket"
import * as Y from "yjs"
import { Provider } from "../../src/client/provider.ts"

/** Someone with a document open. */
export interface Client {
  readonly doc: Y.Doc
  readonly awareness: Awareness
  /** The room's step 2 has come, on the connection that is open now. */
  readonly synced: boolean
  /** Close codes of the connections lost so far, 1006 where there was none. */
  readonly losses: readonly number[]
  /** Disconnect and forget everything. */
  leave(): void
}

export type Params = Record<string, string>

// Each stock provider listens for the end of the process.
process.setMaxListeners(200)

// reason: y-partyserver asks for the browser's class; `ws` behaves like it.
const BrowserSocket = WebSocket as unknown as typeof globalThis.WebSocket

/** Stock y-websocket, at `${docs}/${id}`; it does not encode the id. */
export function openWebsocketProvider(
  docs: string,
  id: string,
  { params = {} }: { params?: Params } = {},
): Client & { readonly provider: WebsocketProvider } {
  const doc = new Y.Doc()
  const provider = new WebsocketProvider(docs, id, doc, {
    params,
    WebSocketPolyfill: BrowserSocket,
    // In one process all providers are tabs of one browser: they would talk past the server.
    disableBc: true,
    maxBackoffTime: 500,
  })
  const losses = lossesOf((note) => provider.on("connection-close", (event) => note(event?.code)))
  return {
    ...{ doc, provider, losses, awareness: provider.awareness },
    get synced() {
      return provider.synced
    },
    leave: () => leave(provider, doc),
  }
}

/** Stock y-partyserver, at `/parties/main/{id}`. */
export function openYProvider(
  url: string,
  id: string,
  { params = {}, connectionId }: { params?: Params; connectionId?: string } = {},
): Client & { readonly provider: YProvider; readonly messages: string[] } {
  const doc = new Y.Doc()
  const provider = new YProvider(url, id, doc, {
    params,
    ...(connectionId !== undefined && { connectionId }),
    WebSocketPolyfill: BrowserSocket,
    disableBc: true,
    maxBackoffTime: 500,
  })
  const messages: string[] = []
  provider.on("custom-message", (message: string) => messages.push(message))
  const losses = lossesOf((note) => provider.on("connection-close", (event: CloseEvent) => note(event.code)))
  return {
    ...{ doc, provider, messages, losses, awareness: provider.awareness },
    get synced() {
      return provider.synced
    },
    leave: () => leave(provider, doc),
  }
}

/** Our own provider. */
export function openProvider(
  docs: string,
  id: string,
  { token }: { token?: string } = {},
): Client & { readonly provider: Provider } {
  const doc = new Y.Doc()
  const provider = new Provider(docs, id, doc, {
    token,
    WebSocketPolyfill: WebSocket,
    disableBc: true,
    maxBackoffTime: 500,
  })
  const losses = lossesOf((note) => provider.on("connection-close", ({ code }) => note(code)))
  return {
    ...{ doc, provider, losses, awareness: provider.awareness },
    get synced() {
      return provider.synced
    },
    leave: () => leave(provider, doc),
  }
}

function leave(provider: { destroy(): void }, doc: Y.Doc): void {
  provider.destroy()
  doc.destroy()
}

function lossesOf(listen: (note: (code: number | undefined) => void) => void): number[] {
  const losses: number[] = []
  listen((code) => losses.push(code ?? 1006))
  return losses
}

const SYNC = 0
const AWARENESS = 1
const REFUSAL = 2
const QUERY = 3
const SAVED = 102

/** One socket with a document, that never comes back once it is closed. */
export class RawClient implements Client {
  readonly doc = new Y.Doc()
  readonly awareness = new Awareness(this.doc)
  readonly socket: WebSocket
  readonly losses: number[] = []
  synced = false
  /** The reasons of the refusals that came. */
  readonly refusals: string[] = []
  readonly texts: string[] = []
  /** What went wrong here while a frame of the room's was read. */
  readonly faults: unknown[] = []
  #asked = 0
  #saved = 0

  /** @param url ws://…/docs/id, with its query */
  constructor(url: string, protocols: string[] = []) {
    this.socket = new WebSocket(url, protocols, { perMessageDeflate: false, maxPayload: 256 * 1024 * 1024 })
    this.awareness.setLocalState(null)
    // It has no timer of its own: the room says who leaves.
    clearInterval(this.awareness._checkInterval)
    this.socket.on("open", () => this.#write(SYNC, (encoder) => writeSyncStep1(encoder, this.doc)))
    this.socket.on("message", (data: Buffer, isBinary) => {
      if (!isBinary) return this.texts.push(data.toString())
      try {
        this.#receive(data)
      } catch (thrown) {
        this.faults.push(thrown)
      }
    })
    this.socket.on("close", (code) => {
      this.losses.push(code)
      this.synced = false
    })
    this.socket.on("error", () => {}) // its close follows
    this.doc.on("update", (update: Uint8Array, origin: unknown) => {
      if (origin !== this) this.#write(SYNC, (encoder) => writeUpdate(encoder, update))
    })
    this.awareness.on("update", (_: unknown, origin: unknown) => {
      if (origin !== this) this.#sendAwareness()
    })
  }

  /** How many questions were asked with `askSaved`. */
  get asked(): number {
    return this.#asked
  }

  /** The newest question that was answered: all that was sent before it is durable. */
  get saved(): number {
    return this.#saved
  }

  /** Ask for an acknowledgement of all that was sent before; answered when `saved` has reached the number returned. */
  askSaved(): number {
    const question = ++this.#asked
    const payload = encoding.encode((encoder) => encoding.writeVarUint(encoder, question))
    this.#write(SAVED, (encoder) => encoding.writeVarUint8Array(encoder, payload))
    return question
  }

  leave(): void {
    this.socket.terminate()
    this.awareness.destroy()
    this.doc.destroy()
  }

  #receive(data: Uint8Array): void {
    const decoder = decoding.createDecoder(data)
    const type = decoding.readVarUint(decoder)
    switch (type) {
      case SYNC: {
        const encoder = encoding.createEncoder()
        encoding.writeVarUint(encoder, SYNC)
        const step = readSyncMessage(decoder, encoder, this.doc, this, (error) => this.faults.push(error))
        if (encoding.length(encoder) > 1) this.#send(encoding.toUint8Array(encoder))
        if (step === 1) this.synced = true
        return
      }
      case AWARENESS:
        applyAwarenessUpdate(this.awareness, decoding.readVarUint8Array(decoder), this)
        return
      case REFUSAL:
        decoding.readVarUint(decoder)
        this.refusals.push(decoding.readVarString(decoder))
        return
      case QUERY:
        this.#sendAwareness()
        return
      case SAVED:
        this.#saved = decoding.readVarUint(decoding.createDecoder(decoding.readVarUint8Array(decoder)))
        return
      default:
        throw new Error(`A client got an unknown frame ${type}`)
    }
  }

  #sendAwareness(): void {
    const clients = [...this.awareness.getStates().keys()]
    this.#write(AWARENESS, (encoder) =>
      encoding.writeVarUint8Array(encoder, encodeAwarenessUpdate(this.awareness, clients)),
    )
  }

  #write(type: number, rest: (encoder: encoding.Encoder) => void): void {
    this.#send(
      encoding.encode((encoder) => {
        encoding.writeVarUint(encoder, type)
        rest(encoder)
      }),
    )
  }

  #send(message: Uint8Array): void {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(message)
  }
}

/** The root that clients type into. */
export const ROOT = "text"

export function textOf({ doc }: Client): string {
  return doc.getText(ROOT).toString()
}

/** Append to the shared text. */
export function type({ doc }: Client, text: string): void {
  const shared = doc.getText(ROOT)
  shared.insert(shared.length, text)
}

/** The awareness states this client sees of others. */
export function cursorsOf({ awareness, doc }: Client): Record<string, unknown>[] {
  return [...awareness.getStates()].filter(([client]) => client !== doc.clientID).map(([, state]) => state)
}

/** Both have the same structs and deletes. */
export function isSame(one: Client, other: Client): boolean {
  return Y.equalSnapshots(Y.snapshot(one.doc), Y.snapshot(other.doc))
}
