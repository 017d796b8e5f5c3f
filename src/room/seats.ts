/**
 * The carets of agents: who writes over HTTP is shown to people as somebody with a name and a place, for a while.
 *
 * An agent has no socket, so a seat speaks for it in the room's presence. Its clock is the time, so that it goes on over a
 * restart, where nobody has kept the seat.
 */
import * as Y from "yjs"
import type { Grant } from "../access/rights.ts"
import type { SharedType } from "../export/shared-types.ts"
import { writeEntries } from "../wire/awareness.ts"
import type { Speaker } from "./peer.ts"
import type { Presence } from "./presence.ts"

/** What people are shown of an agent. */
export interface Shown {
  /** Where it writes; null: nowhere. */
  readonly caret: { readonly holder: SharedType; readonly place: number } | null
  /** What it says it does. */
  readonly status: string | null
  /** How long, ms; 0 takes it away. */
  readonly forMs: number
}

interface Seat extends Speaker {
  readonly client: number
  timer: ReturnType<typeof setTimeout> | null
}

/** A robot before the name says what the agent is in every editor. */
const MARK = "🤖"
const COLOR = "#7c3aed"

/** The seats of a room's agents. */
export class Seats {
  readonly #presence: Presence<Speaker>
  readonly #relay: (clients: readonly number[]) => void
  readonly #seats = new Map<number, Seat>()
  /** The clocks that were shown last, also of agents who have gone: who comes back in the same second has a higher one. */
  readonly #clocks = new Map<number, number>()

  constructor(presence: Presence<Speaker>, relay: (clients: readonly number[]) => void) {
    this.#presence = presence
    this.#relay = relay
  }

  /** Whose seat speaks for a client; null: it is somebody with a socket. */
  grantOf(client: number): Grant | null {
    return this.#seats.get(client)?.grant ?? null
  }

  /** Show an agent under its client id, or take it away. */
  show(grant: Grant, client: number, { caret, status, forMs }: Shown): void {
    if (!grant.presence) return
    const before = this.#seats.get(client)
    if (before?.timer != null) clearTimeout(before.timer)
    if (forMs <= 0) return this.#leave(client)
    const seat: Seat = before ?? { id: crypto.randomUUID(), grant, client, timer: null }
    this.#seats.set(client, seat)
    const clock = Math.max((this.#clocks.get(client) ?? 0) + 1, Math.floor(Date.now() / 1000) - EPOCH_S)
    this.#clocks.set(client, clock)
    const state = JSON.stringify(stateOf(grant, caret, status))
    const { changed } = this.#presence.note(seat, writeEntries([{ client, clock, state }]))
    seat.timer = setTimeout(() => this.#leave(client), forMs)
    this.#relay(changed)
  }

  /** Take away the agents whom this concerns. */
  dismiss(isMeant: (grant: Grant) => boolean): void {
    for (const { client, grant } of [...this.#seats.values()]) if (isMeant(grant)) this.#leave(client)
  }

  #leave(client: number): void {
    const seat = this.#seats.get(client)
    if (seat === undefined) return
    if (seat.timer !== null) clearTimeout(seat.timer)
    this.#seats.delete(client)
    this.#relay(this.#presence.leave(seat))
  }
}

/** Clocks of awareness are 32-bit numbers: seconds since 2025. */
const EPOCH_S = 1_735_689_600

/** In the words of y-prosemirror, y-codemirror and y-quill (`user`, `cursor`), and of Lexical (`anchorPos`, `focusing`). */
function stateOf(
  { agent, name, color, onBehalfOf, subject, client }: Grant,
  caret: Shown["caret"],
  status: string | null,
): object {
  // In open mode nobody has a name of a token's, and is called what they call themselves, people too.
  const own = client?.replace(/[ /]v?\d.*$/s, "")
  const called = `${MARK} ${agent ?? name ?? subject ?? (own || "Agent")}`
  const user = {
    name: called,
    color: color ?? COLOR,
    ...(onBehalfOf !== undefined && { onBehalfOf }),
    agent: true,
  }
  if (caret === null) return { user, name: called, color: user.color, cursor: null, focusing: false, status }
  const type = caret.holder as Y.AbstractType<unknown>
  // All of its fields, as an editor's own stands in its state: Lexical reads it as it comes, and breaks where one is not there.
  const at = { ...Y.createRelativePositionFromTypeIndex(type, caret.place) }
  const cursor = { anchor: at, head: at }
  return {
    user,
    name: called,
    color: user.color,
    cursor,
    anchorPos: at,
    focusPos: at,
    focusing: true,
    status,
  }
}
