/**
 * A dialect: one provider's wire format, seen from the room. The room reads what a peer said and writes what it has
 * to say as frames; which bytes those are is the dialect's affair alone. Pure functions, no socket, no document.
 *
 * A dialect that puts several documents on one socket marks each frame it reads with the document's name, and is made
 * for one document where it writes, so that a room encodes once per dialect and never once per peer (F2).
 */
import type { SyncMessage } from "./sync.ts"

/** What a peer may say. Byte fields are views into the message they were read from. */
export type Said = {
  /** Left out where it is about the dialect's own document; else the name that it goes by, see `about`. */
  readonly document?: string
} & (
  | Both
  | {
      /** A token: to come in with, or a fresh one for this connection. "": there is none. */
      readonly type: "token"
      readonly token: string
    }
  | {
      /** A heartbeat that the platform did not answer by itself. Answer with `pong`. */
      readonly type: "ping"
    }
  | {
      /** The answer to a `ping` of the room. */
      readonly type: "pong"
    }
  | {
      /** It goes, and its socket stays. */
      readonly type: "leave"
    }
)

/** What a room says. */
export type Told =
  | Both
  | {
      /** It has shown its token, and is in. */
      readonly type: "admitted"
      readonly rights: "read" | "write"
    }
  | {
      /** It is not let in. It may show another token. */
      readonly type: "denied"
      readonly reason: string
    }
  | {
      /** It is over for good: from now on nothing that it sends is looked at, and its socket stays. */
      readonly type: "end"
      readonly reason: string
    }
  | {
      /** One of the updates that it counts is durable, or was refused. */
      readonly type: "receipt"
      readonly kept: boolean
    }
  | {
      /** The peer may not do this on this connection. Stock clients log the reason. */
      readonly type: "refusal"
      readonly reason: string
    }
  | {
      /** One thing was not taken; the connection goes on. `code`: see errors.ts. */
      readonly type: "notice"
      readonly code: string
      readonly message: string
    }
  | {
      /** The fresh token was taken and is good until then, ms since 1970. */
      readonly type: "renewed"
      readonly expiresAtMs: number
      readonly rights: "read" | "write"
    }
  | {
      /** Give a sign of life. */
      readonly type: "ping"
    }
  | { readonly type: "pong" }

/** One typed message of the wire, in either direction. */
export type Frame = Said | Told

type Both =
  | SyncMessage
  | {
      /** Awareness entries; grammar in awareness.ts. */
      readonly type: "awareness"
      readonly entries: Uint8Array
    }
  | {
      /** Send me every awareness state you know. */
      readonly type: "query"
    }
  | {
      /** Peer: echo this once all I sent before it is durable. Room: the echo. */
      readonly type: "saved"
      readonly payload: Uint8Array
    }
  | {
      /** Room: echo this, so that I know how far you have read. Peer: the echo. */
      readonly type: "probe"
      readonly nonce: Uint8Array
    }
  | {
      /** An application's own message. */
      readonly type: "custom"
      readonly message: string
    }

/** One provider's wire format, for the room's side of a socket. */
export interface Dialect {
  /** By this name `dialects.ts` finds it again; what two dialects of one name write is the same. */
  readonly name: string
  /**
   * Its clients count what they have sent, and want a `receipt` for each update, and one for the step 2 that answers
   * their own step 1.
   */
  readonly counts: boolean
  /**
   * How its clients show that they have read up to a point. "echo": they echo a nonce. "rumour": they contradict who says
   * that they are gone, and pass on what they hear of others. "answer": they contradict too, but say so only when asked.
   */
  readonly proof: "echo" | "rumour" | "answer"
  /**
   * Read one message.
   * @returns null for a text that is not of this dialect: an application's keep-alive, to be ignored
   * @throws SyncError "bad-frame" on bytes of an unknown type, a truncated field, or bytes left over
   */
  read(message: Uint8Array | string): Said | null
  /** @returns null where this dialect has no word for it; then nothing is sent */
  write(frame: Told): Uint8Array | string | null
  /** The same dialect, about another document of the socket. */
  about(document: string): Dialect
  /** The texts the platform answers without waking the room; null where this dialect's clients send none. */
  readonly heartbeat: { readonly ping: string; readonly pong: string } | null
}
