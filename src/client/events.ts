/** The events of a provider. */
import type * as Y from "yjs"
import { SyncError } from "../errors.ts"
import type { SocketClose, Transport } from "./connection.ts"
import type { Provider } from "./provider.ts"

/** `connecting` from the start of an attempt until it opens or fails; `disconnected` also while one is waited for. */
export type Status = "connecting" | "connected" | "disconnected"

/** How the room ended a connection for good. */
export interface Closed {
  /** 4400–4499, see src/errors.ts. */
  readonly code: number
  readonly reason: string
}

/** The error of `whenSaved` after the room has closed for good. */
export function toError(name: string, { code, reason }: Closed): SyncError {
  const kind = code === 4401 ? "unauthorized" : code === 4404 ? "deleted" : "forbidden"
  return new SyncError(kind, `${name} closed for good: ${code} ${reason}`)
}

/** A conflict with the room: under our client ids it holds something else than we made. */
export interface Conflict {
  /**
   * The document as it was. It is no longer followed: changes of it are not sent. Destroying it still destroys the
   * provider.
   */
  readonly before: Y.Doc
  /** The room's version, with the unsaved changes of this page made again under other client ids. Now `provider.doc`. */
  readonly doc: Y.Doc
  /** The client ids given up → those that replace them. */
  readonly renamed: ReadonlyMap<number, number>
}

/** Event name → listener. */
export interface ProviderEvents {
  /** `transport`: what the connection goes over, or is about to. */
  status: (event: { status: Status; transport: Transport }) => void
  /** True after the room's step 2, on every connection; false when it is lost. */
  sync: (synced: boolean) => void
  /** The same under y-websocket's older name. */
  synced: (synced: boolean) => void
  /** Everything made here is on the room's disk. */
  saved: () => void
  /** The first change that is not. */
  unsaved: () => void
  /** The room refused a change: this connection only reads from now on, and no change is sent on it. */
  refused: (event: { reason: string }) => void
  /** The room did not take one thing, for example a presence that is too large; the connection goes on. Codes: src/errors.ts. */
  notice: (event: { code: string; message: string }) => void
  /** `readOnly` has changed. */
  "read-only": (readOnly: boolean) => void
  /** A custom message from the room, see `send`. */
  message: (message: string) => void
  /** An update that came from the room. */
  update: (update: Uint8Array) => void
  /** The room holds other content under this page's client id, so the unsaved changes were made again; see `reload`. */
  conflict: (event: Conflict) => void
  /**
   * After a conflict: `provider.doc` is this document now, and editors have to be bound to it (Lexical does so by
   * itself). Where nobody listens, the provider ends with 4409 as soon as all is saved, for the page to be reloaded.
   */
  reload: (doc: Y.Doc) => void
  /** The room ended the connection with a code that is final. `connect()` tries again all the same. */
  closed: (event: Closed, provider: Provider) => void
  /** Each close, also of an attempt that failed. */
  "connection-close": (event: SocketClose, provider: Provider) => void
  /** What went wrong: the socket's own event, or the error of a frame that can't be read or a token that can't be had. */
  "connection-error": (event: Event | Error, provider: Provider) => void
}
