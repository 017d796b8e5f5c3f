/**
 * The desk of a room: what an operator sees of it and does to it. Types alone: a room has none unless its class names the
 * one of "yurt/admin", so that nobody else carries its weight.
 */
import type { Grant } from "../access/rights.ts"
import type { Limits } from "../limits.ts"
import type { Said, Told } from "../wire/dialect.ts"
import type { RoomEvent } from "./events.ts"
import type { Parts } from "./parts.ts"
import type { Peer } from "./peer.ts"

/** What somebody did with a document, for the audit. What is written over a socket is in the log. */
export type Deed =
  | "opened"
  | "exported"
  | "wrote"
  | "used a tool"
  | "saw the past"
  | "restored"
  | "deleted"
  | "operated"

/** A room as its desk first sees it. */
export interface DeskHost {
  readonly name: string
  readonly ctx: DurableObjectState
  readonly env: object
  readonly limits: Limits
}

/** Makes the desk of a room. */
export interface DeskKit {
  seat(host: DeskHost): Desk
}

/** Sees what happens in a room, reports it, and acts for an operator. */
export interface Desk {
  /** The room has woken. */
  sit(parts: Parts): void
  /** A peer's frame was read. */
  heard(peer: Peer, said: Said, bytes: number): void
  /** A frame goes to one peer. */
  said(peer: Peer, frame: Told, bytes: number): void
  /** A frame went to many. */
  told(frame: Told, sent: { readonly sends: number; readonly bytes: number }): void
  /** The room was called, or its alarm came. */
  asked(what: "requests" | "alarms"): void
  note(event: RoomEvent): void
  /** Somebody did something. @param grant null: the server itself did */
  did(deed: Deed, grant: Grant | null): void
  /** When a report is due, ms since 1970; null: there is nothing to tell. */
  readonly dueAtMs: number | null
  /** Tell who keeps watch over all rooms what has happened. @throws what they throw; then it is kept */
  report(): Promise<void>
  /** @throws SyncError */
  operate(verb: string, ask: object, grant: Grant): Promise<object>
  /** Answer with a stream of the frames that pass. @throws SyncError */
  watch(grant: Grant): Response
  /** End the streams of those whom this means. */
  dismiss(isMeant: (grant: Grant) => boolean): void
}
