/** Someone connected, as the parts of a room see them: today a socket. */
import type { Grant } from "../access/rights.ts"
import type { Dialect, Told } from "../wire/dialect.ts"

/**
 * How a peer stands with the room.
 *
 * `in`       the room takes what it sends, and relays to it
 * `unheard`  refused for good: the room relays to it, and ignores what it sends. Stock clients reconnect at once after
 *            a close, with all they have, so their socket stays open instead
 * `out`      its document was deleted: the room ignores it and relays nothing; its socket stays open for the same reason
 * `closing`  its socket was closed, and its close event is on the way
 *
 * Before all of these somebody may be `knocking`, and is no peer yet: see knockers.ts.
 */
export type Standing = "in" | "unheard" | "out" | "closing"

/** Someone connected to the document, as hooks like `onCustomMessage` are given them. */
export interface Peer {
  /** Made by the room: no client can choose another's. */
  readonly id: string
  /** Who it is and what it may do. */
  readonly grant: Grant
  readonly dialect: Dialect
  readonly standing: Standing
  /** Send a frame in the peer's dialect. Sends nothing where the dialect cannot express it. */
  say(frame: Told): void
}

/** Someone who speaks for a client id in the room's presence: a peer, or the seat of an agent. */
export type Speaker = Pick<Peer, "id" | "grant">
