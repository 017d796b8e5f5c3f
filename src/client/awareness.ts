/**
 * The client's side of presence: a y-protocols Awareness whose clock is the room's.
 *
 * Stock Awareness renews its state every 15 s and forgets whoever has not for 30 s. Here the room says who leaves,
 * so neither is needed, and an idle page lets its room sleep. Stock clients in the same room do forget an idle one
 * of us after 30 s: so a renewal of theirs is answered with one of ours, while the page is visible. The room is
 * awake for theirs anyway, and when the last stock client has left, nobody renews any more.
 */
import { Awareness, encodeAwarenessUpdate, removeAwarenessStates } from "y-protocols/awareness"
import type * as Y from "yjs"
import { isPageHidden } from "./page.ts"

/**
 * Awareness as editor bindings ask for it: y-protocols' own, with states typed so that a binding's own shape of a
 * state fits without a cast (Lexical's `UserState`).
 */
export interface ProviderAwareness extends Awareness {
  // biome-ignore lint/suspicious/noExplicitAny: reason: the shape of a state is the editor binding's affair
  getLocalState(): any
  // biome-ignore lint/suspicious/noExplicitAny: reason: as above
  getStates(): Map<number, any>
}

/** What Awareness emits: client ids. */
interface Change {
  readonly added: number[]
  readonly updated: number[]
  readonly removed: number[]
}

/**
 * Stock clients renew every 15 to 18 s and forget after 30: answering at most this often, ms, answers each round of
 * theirs once, however many they are.
 */
const RENEWAL_MS = 12_000

/** A new awareness, or the given one, without the timer that renews and forgets. */
export function openAwareness(doc: Y.Doc, given?: Awareness): ProviderAwareness {
  const awareness = given ?? new Awareness(doc)
  clearInterval(awareness._checkInterval)
  return awareness
}

/** One's own entry, as awareness frames carry it; null where there is no state. */
export function encodeOwnEntry(awareness: Awareness): Uint8Array | null {
  return awareness.getLocalState() === null ? null : encodeAwarenessUpdate(awareness, [awareness.clientID])
}

/** "I am gone", for those who hear it; the own state stays. */
export function encodeLeaving(awareness: Awareness): Uint8Array {
  return encodeAwarenessUpdate(awareness, [awareness.clientID], new Map())
}

/**
 * Forget everybody else. Their clocks too: after a reconnect the room sends the same entries again, and those who
 * were idle meanwhile have no newer clock.
 */
export function forgetOthers(awareness: Awareness, origin: unknown): void {
  const others = [...awareness.meta.keys()].filter((client) => client !== awareness.clientID)
  removeAwarenessStates(awareness, others, origin)
  for (const client of others) awareness.meta.delete(client)
}

/** Move an awareness to another document: its own state gets that document's client id. */
export function moveAwareness(awareness: Awareness, doc: Y.Doc): void {
  const state = awareness.getLocalState()
  awareness.setLocalState(null)
  awareness.doc = doc
  awareness.clientID = doc.clientID
  awareness.setLocalState(state)
}

/**
 * Decides when this client's awareness entry is sent: once for each change of it, and where others would forget it.
 */
export class PresenceSender {
  readonly #awareness: Awareness
  readonly #room: unknown
  readonly #onDue: () => void
  /** Clients whose state really changed in the event at hand. */
  #changed: readonly number[] = []
  #due: "no" | "if changed" | "always" = "no"
  /** The last state sent on this connection, as JSON, and when. */
  #sent = "null"
  #sentAtMs = 0

  /** @param options.room the origin of what the room sends · @param options.onDue `next()` may have something soon */
  constructor(awareness: Awareness, { room, onDue }: { room: unknown; onDue: () => void }) {
    this.#awareness = awareness
    this.#room = room
    this.#onDue = onDue
    awareness.on("change", this.#onChange)
    awareness.on("update", this.#onUpdate)
  }

  /** Send it again, on a new connection: with a clock that others can't take for a late echo of the old one. */
  restart(): void {
    this.#sent = "null"
    const state = this.#awareness.getLocalState()
    if (state !== null) this.#awareness.setLocalState(state)
  }

  /** Send it again, changed or not. */
  repeat(): void {
    this.#due = "always"
    this.#onDue()
  }

  /** The entry to send now, or null. */
  next(): Uint8Array | null {
    const due = this.#due
    this.#due = "no"
    if (due === "no") return null
    const state = JSON.stringify(this.#awareness.getLocalState())
    if (state === (due === "always" ? "null" : this.#sent)) return null
    this.#sent = state
    this.#sentAtMs = Date.now()
    return encodeAwarenessUpdate(this.#awareness, [this.#awareness.clientID])
  }

  stop(): void {
    this.#awareness.off("change", this.#onChange)
    this.#awareness.off("update", this.#onUpdate)
  }

  readonly #onChange = ({ updated }: Change): void => {
    this.#changed = updated
  }

  /** Comes after `change`, and also where a clock moved and the state did not. */
  readonly #onUpdate = ({ added, updated, removed }: Change, origin: unknown): void => {
    const own = this.#awareness.clientID
    const isRenewal =
      updated.some((client) => client !== own && !this.#changed.includes(client)) ||
      // Awareness takes no entry of clock 0, so a stock client that never set a state is first seen when it renews.
      added.some((client) => Object.keys(this.#awareness.getStates().get(client) ?? {}).length === 0)
    this.#changed = []
    if ([...added, ...updated, ...removed].includes(own)) {
      // Somebody else sent an entry of ours, so our clock went past theirs: send ours, though nothing in it is new.
      if (origin !== "local") this.#due = "always"
      else if (this.#due === "no") this.#due = "if changed"
      this.#onDue()
    } else if (isRenewal && origin === this.#room) this.#answerRenewal()
  }

  #answerRenewal(): void {
    const state = this.#awareness.getLocalState()
    if (state === null || isPageHidden() || Date.now() - this.#sentAtMs < RENEWAL_MS) return
    // More of their renewals may be in this turn.
    this.#sentAtMs = Date.now()
    this.#awareness.setLocalState(state)
    this.repeat()
  }
}
