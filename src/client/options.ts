/** The options of a provider, and the interface of an offline copy. */
import type { Awareness } from "y-protocols/awareness"
import type * as Y from "yjs"
import type { WebSocketClass } from "./connection.ts"

/** Query parameters of the socket's URL. */
export type Params = Record<string, string>

/** The part of a copy that is not on the room's disk yet. */
export interface Unsaved {
  readonly isUnsaved: boolean
  /** Client id → clock of the first unsaved struct that was made here under it. */
  readonly from: ReadonlyMap<number, number>
}

/** A copy of one document in this browser, which keeps every change of it. `yurt/offline` has one. */
export interface OfflineCopy {
  /** The last value given to `record` before this copy was opened; null: none. */
  readonly unsaved: Unsaved | null
  /** Keeps this beside the document, in the order of the document's own changes. */
  record(unsaved: Unsaved): Promise<void>
  /** Deletes the stored copy, and stops following the document. */
  clear(): Promise<void>
  /** Stops following the document; the stored copy stays. */
  close(): Promise<void>
}

/**
 * Opens the copy of this name and loads it into the document.
 * @returns when it is loaded; null where this browser can keep none
 */
export type OpenOfflineCopy = (name: string, doc: Y.Doc) => Promise<OfflineCopy | null>

/** The options of a `Provider`; all may be left out. */
export interface ProviderOptions {
  /** Connect at once. Default true. */
  connect?: boolean | undefined
  /** An Awareness of yours; default a new one. Its timer is stopped, because the room says who leaves. */
  awareness?: Awareness | undefined
  /** Query parameters, or a function that is asked for them at each attempt. */
  params?: Params | (() => Params | Promise<Params>) | undefined
  /**
   * A JWT, or a function that is asked for one at each attempt and shortly before the last one expires. With a
   * function, a room that closes with 4401 gets one more attempt, with a fresh token.
   */
  token?: string | (() => string | Promise<string>) | undefined
  /**
   * Who uses this page. Tabs of different people do not talk to each other, and an offline copy belongs to one person.
   * Default: the token's `sub`. Name the person where `token()` needs the network, so that the copy opens without it.
   */
  user?: string | undefined
  /** Another WebSocket class than the global one, for example that of `ws`. */
  WebSocketPolyfill?: WebSocketClass | undefined
  /** Go over HTTP where the network lets no WebSocket through; see docs/networks.md. Default true. */
  fallback?: boolean | undefined
  /** Do not talk to other tabs of this browser. Default false. */
  disableBc?: boolean | undefined
  /** The longest wait between two attempts, ms. Default 5,000. */
  maxBackoffTime?: number | undefined
  /** Ask the room for what is missing here this often, ms. Default never: it sends what happens as it happens. */
  resyncInterval?: number | undefined
  /** Ping the room this often, ms; the ping does not wake it. Default 20,000. */
  heartbeatInterval?: number | undefined
  /**
   * Keeps a copy of the document in this browser: `indexedDb` of `yurt/offline`. It is opened at the first `connect()`,
   * before the socket, and deleted when the room closes with 4404. It belongs to one person, see `user`.
   */
  offline?: OpenOfflineCopy | undefined
  /** Ask before the page is left with unsaved changes. Default false. */
  guardUnload?: boolean | undefined
}
