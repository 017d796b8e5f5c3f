/** Someone connected, as the parts of a room see them: a socket today, and whatever else can hear and be heard. */
import type { Grant } from "../access/rights.ts"
import type { Dialect, Told } from "../wire/dialect.ts"

/**
 * How a peer stands with the room.
 *
 * `in`       heard and told
 * `unheard`  refused for good: told, but what it sends is not looked at any more. Stock clients come back at once
 *            from a close, with all they have, so their socket stays open instead
 * `out`      its document was deleted: neither heard nor told, for the same reason
 * `closing`  its socket was closed, and its close event is on the way
 */
export type Standing = "in" | "unheard" | "out" | "closing"

/** Someone connected to the document. */
export interface Peer {
  /** Made by the room: no client can choose another's. */
  readonly id: string
  /** Who it is and what it may do. */
  readonly grant: Grant
  readonly dialect: Dialect
  readonly standing: Standing
  /** Say something in its dialect; nothing, where the dialect has no word for it. */
  say(frame: Told): void
}
