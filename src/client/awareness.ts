/**
 * The client's side of presence: a y-protocols Awareness whose clock is the room's.
 *
 * Stock Awareness renews its state every 15 s and forgets whoever has not for 30 s. Here the room says who leaves,
 * so neither is needed, and an idle page lets its room sleep. Stock clients in the same room do forget an idle
 * one of us after 30 s: so each renewal of theirs is answered with one of ours, while the page is visible. The
 * room is awake for theirs anyway, and when the last stock client has left, nobody renews any more.
 */
import { Awareness, encodeAwarenessUpdate, removeAwarenessStates } from "y-protocols/awareness"
import type * as Y from "yjs"

/**
 * Awareness as editor bindings ask for it: y-protocols' own, with states typed so that a binding's own shape of a
 * state fits without a cast (Lexical's `UserState`).
 */
export type ProviderAwareness = Awareness & {
  // biome-ignore lint/suspicious/noExplicitAny: reason: the shape of a state is the editor binding's affair
  getLocalState(): any
  // biome-ignore lint/suspicious/noExplicitAny: reason: as above
  getStates(): Map<number, any>
}

/** What Awareness emits: client ids. */
export interface AwarenessChange {
  readonly added: number[]
  readonly updated: number[]
  readonly removed: number[]
}

/**
 * Stock clients renew every 15 to 18 s and forget after 30: answering at most this often, ms, answers each round
 * of theirs once, however many they are.
 */
const RENEWAL_MS = 12_000

/** A new awareness, or the given one, without the timer that renews and forgets. */
export function tameAwareness(doc: Y.Doc, given?: Awareness): ProviderAwareness {
  const awareness = given ?? new Awareness(doc)
  clearInterval(awareness._checkInterval)
  return awareness
}

/** One's own entry, as awareness frames carry it. */
export function encodeOwnEntry(awareness: Awareness): Uint8Array {
  return encodeAwarenessUpdate(awareness, [awareness.clientID])
}

/** "I am gone", for those who hear it; the own state stays. */
export function encodeFarewell(awareness: Awareness): Uint8Array {
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

/** Whether it is time to answer a renewal, the last own entry having been sent then. */
export function isRenewalDue(saidAtMs: number): boolean {
  return globalThis.document?.visibilityState !== "hidden" && Date.now() - saidAtMs >= RENEWAL_MS
}
