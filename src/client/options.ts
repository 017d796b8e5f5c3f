/** What a provider can be told. */
import type { Awareness } from "y-protocols/awareness"
import type { WebSocketClass } from "./connection.ts"

/** Query parameters of the socket's URL. */
export type Params = Record<string, string>

export interface ProviderOptions {
  /** Connect at once. Default true. */
  connect?: boolean | undefined
  /** Presence of your own making; default a new one. Its timer is stopped: the room says who leaves. */
  awareness?: Awareness | undefined
  /** Query parameters, or a function that is asked for them at each attempt. */
  params?: Params | (() => Params | Promise<Params>) | undefined
  /**
   * A JWT, or a function that is asked for one at each attempt and shortly before the last one expires. With a
   * function, a room that closes with 4401 gets one more attempt, with a fresh token.
   */
  token?: string | (() => string | Promise<string>) | undefined
  /** Another WebSocket class than the global one, for example that of `ws`. */
  WebSocketPolyfill?: WebSocketClass | undefined
  /** Do not talk to other tabs of this browser. Default false. */
  disableBc?: boolean | undefined
  /** No wait between two attempts is longer, ms. Default 5,000. */
  maxBackoffTime?: number | undefined
  /** Ask the room for what is missing here this often, ms. Default never: it sends what happens as it happens. */
  resyncInterval?: number | undefined
  /** Ping the room this often, ms; the ping does not wake it. Default 20,000. */
  heartbeatInterval?: number | undefined
  /**
   * Keep the document in this browser's IndexedDB (needs the package y-indexeddb, loaded only then): true, or the
   * database's name. It is opened at the first `connect()`, before the socket.
   */
  offline?: boolean | string | undefined
  /** Ask before the page is left with unsaved changes. Default false. */
  guardUnload?: boolean | undefined
}
