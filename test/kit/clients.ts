/**
 * Clients for Node, all over `ws` and each a page of its own: the stock providers, ours, and a DocumentClient on a
 * socket of its own.
 */
import { HocuspocusProvider, HocuspocusProviderWebsocket, type onCloseParameters } from "@hocuspocus/provider"
import { EVENT_CONNECTION_STATUS, STATUS_CONNECTED, STATUS_ERROR, YSweetProvider } from "@y-sweet/client"
import type { ClientToken } from "@y-sweet/sdk"
import * as decoding from "lib0/decoding"
import { WebSocket } from "ws"
import YProvider from "y-partyserver/provider"
import type { Awareness } from "y-protocols/awareness"
import { WebsocketProvider } from "y-websocket"
import * as Y from "yjs"
import { Provider } from "../../src/client/provider.ts"
import { Socket } from "../../src/client/socket.ts"
import { DocumentClient, FRAME } from "./client.ts"
import { clientSocketOf, openWebSocket } from "./node-socket.ts"
import type { TestServer } from "./server.ts"

/** Someone with a document open. */
export interface Client {
  readonly doc: Y.Doc
  readonly awareness: Awareness
  /** The room's step 2 has come, on the connection that is open now. */
  readonly synced: boolean
  /** Close codes of the connections lost so far, 1006 where there was none. */
  readonly losses: readonly number[]
  /** The reasons of the refusal frames that came, on any connection. */
  readonly refusals: readonly string[]
  /** Disconnect and forget everything. */
  leave(): void
}

export type Params = Record<string, string>

// Each stock provider listens for the end of the process.
process.setMaxListeners(200)

/**
 * `ws` as the browser's class, which keeps the reasons of refusal frames: stock providers only write them to the
 * console.
 */
function browserSocket(refusals: string[]): typeof globalThis.WebSocket {
  class RecordingSocket extends WebSocket {
    constructor(url: string, protocols?: string[]) {
      super(url, protocols)
      this.addEventListener("message", ({ data }) => {
        const bytes = data instanceof ArrayBuffer ? new Uint8Array(data) : data
        if (!(bytes instanceof Uint8Array) || bytes[0] !== FRAME.refusal) return
        const decoder = decoding.createDecoder(bytes.subarray(2))
        refusals.push(decoding.readVarString(decoder))
      })
    }
  }
  // reason: the providers ask for the browser's class; `ws` behaves like it.
  return RecordingSocket as unknown as typeof globalThis.WebSocket
}

/** Stock y-websocket, at `${docs}/${id}`; it does not encode the id. */
export function openWebsocketProvider(
  docs: string,
  id: string,
  { params = {} }: { params?: Params } = {},
): Client & { readonly provider: WebsocketProvider } {
  const doc = new Y.Doc()
  const refusals: string[] = []
  const provider = new WebsocketProvider(docs, id, doc, {
    params,
    WebSocketPolyfill: browserSocket(refusals),
    // In one process all providers are tabs of one browser: they would talk past the server.
    disableBc: true,
    maxBackoffTime: 500,
  })
  const losses = lossesOf((note) => provider.on("connection-close", (event) => note(event?.code)))
  return {
    ...{ doc, provider, losses, refusals, awareness: provider.awareness },
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
  const refusals: string[] = []
  const provider = new YProvider(url, id, doc, {
    params,
    ...(connectionId !== undefined && { connectionId }),
    WebSocketPolyfill: browserSocket(refusals),
    disableBc: true,
    maxBackoffTime: 500,
  })
  const messages: string[] = []
  provider.on("custom-message", (message: string) => messages.push(message))
  const losses = lossesOf((note) => provider.on("connection-close", (event: CloseEvent) => note(event.code)))
  return {
    ...{ doc, provider, messages, losses, refusals, awareness: provider.awareness },
    get synced() {
      return provider.synced
    },
    leave: () => leave(provider, doc),
  }
}

/** How a stock Hocuspocus client's socket comes back, in a test's time. */
const HOCUSPOCUS_SOCKET = { WebSocketPolyfill: WebSocket, delay: 200, minDelay: 100, maxDelay: 500 }

/** Stock Hocuspocus' socket for several documents. */
export function openHocuspocusSocket(url: string): HocuspocusProviderWebsocket {
  return new HocuspocusProviderWebsocket({ url, ...HOCUSPOCUS_SOCKET })
}

/**
 * Stock Hocuspocus, at this address, where the document's name is the rest of the path unless it is said; or on this
 * socket, which others use as well.
 */
export function openHocuspocus(
  at: string | HocuspocusProviderWebsocket,
  {
    name = typeof at === "string" ? decodeURIComponent(new URL(at).pathname.replace(/^\/[^/]+\//, "")) : "",
    token = "",
    sessionAwareness = false,
  }: { name?: string; token?: string | (() => string); sessionAwareness?: boolean } = {},
): Client & { readonly provider: HocuspocusProvider; readonly messages: string[] } {
  const doc = new Y.Doc()
  const refusals: string[] = []
  const messages: string[] = []
  const provider = new HocuspocusProvider({
    ...{ name, token, sessionAwareness, document: doc },
    // reason: the provider passes on what its socket takes, and its type does not say so.
    ...(typeof at === "string" ? { url: at, ...(HOCUSPOCUS_SOCKET as object) } : { websocketProvider: at }),
    onAuthenticationFailed: ({ reason }) => refusals.push(reason),
    onStateless: ({ payload }) => messages.push(payload),
  })
  const losses = lossesOf((note) => provider.on("close", ({ event }: onCloseParameters) => note(event.code)))
  if (typeof at !== "string") provider.attach()
  return {
    ...{ doc, provider, messages, losses, refusals, awareness: provider.awareness! },
    get synced() {
      return provider.synced
    },
    leave: () => leave(provider, doc),
  }
}

/** Stock Y-Sweet, with this client token, or what gives one. */
export function openYSweet(
  docId: string,
  token: ClientToken | (() => Promise<ClientToken>),
): Client & { readonly provider: YSweetProvider } {
  const doc = new Y.Doc()
  const refusals: string[] = []
  const provider = new YSweetProvider(
    async () => (typeof token === "function" ? token() : token),
    docId,
    doc,
    {
      WebSocketPolyfill: browserSocket(refusals),
      showDebuggerLink: false,
    },
  )
  const losses: number[] = []
  provider.on("connection-close", ({ code }: CloseEvent) => losses.push(code))
  // A socket that it gives up itself, for want of an answer, it takes its listener off first.
  provider.on(EVENT_CONNECTION_STATUS, (status: string) => {
    if (status === STATUS_ERROR) losses.push(1006)
  })
  return {
    ...{ doc, provider, losses, refusals, awareness: provider.awareness },
    get synced() {
      return provider.status === STATUS_CONNECTED
    },
    leave() {
      // It would come back: for the close of its socket it knows no reason of its own.
      const { websocket } = provider as unknown as { websocket: { onclose: unknown } | null }
      if (websocket !== null) websocket.onclose = null
      provider.destroy()
      provider.awareness.destroy()
      doc.destroy()
    },
  }
}

/** Our own connection for several documents. */
export function openSocket(docs: string): Socket {
  return new Socket(docs, { WebSocketPolyfill: WebSocket })
}

/** Our own provider, on a connection of its own or on this one. */
export function openProvider(
  docs: string | Socket,
  id: string,
  { token }: { token?: string | (() => string) } = {},
): Client & { readonly provider: Provider } {
  const doc = new Y.Doc()
  const refusals: string[] = []
  const provider = new Provider(docs, id, doc, {
    token,
    WebSocketPolyfill: browserSocket(refusals),
    disableBc: true,
    maxBackoffTime: 500,
  })
  const losses = lossesOf((note) => provider.on("connection-close", ({ code }) => note(code)))
  return {
    ...{ doc, provider, losses, refusals, awareness: provider.awareness },
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

/** One `ws` socket with a document, that never comes back once it is closed. */
export class RawClient extends DocumentClient implements Client {
  readonly socket: WebSocket

  /** @param url ws://…/docs/id, with its query */
  constructor(url: string, protocols: string[] = []) {
    super()
    this.socket = openWebSocket(url, { protocols })
    this.attach(clientSocketOf(this.socket))
  }
}

/** Every kind of client, by name: how it comes to a document of an open server. */
export const KINDS: Readonly<Record<string, (server: TestServer, id: string) => Client>> = {
  "y-websocket": ({ docs }, id) => openWebsocketProvider(docs, id),
  "y-websocket at /parties/main": ({ docs }, id) =>
    openWebsocketProvider(docs.replace(/docs$/, "parties/main"), id),
  "y-partyserver's YProvider": ({ url }, id) => openYProvider(url, id),
  "our provider": ({ docs }, id) => openProvider(docs, id),
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
