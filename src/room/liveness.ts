/**
 * Liveness: which peers have fallen silent. A half-open connection (a laptop that was shut) sends no close, so a silent
 * peer is asked for a sign of life, and closed where none comes. Silence alone proves nothing: an idle YProvider sends
 * nothing.
 *
 * The functions are pure: both times are kept with the peer.
 */
import type { Limits } from "../limits.ts"

/** When a peer was last heard of, and last asked. */
export interface Sign {
  /** Its last message or the platform's last answer to its heartbeat, whichever is later, ms since 1970. */
  readonly heardAtMs: number
  /** When it was last asked for a sign of life, ms since 1970; null: never. */
  readonly askedAtMs: number | null
}

/** What to do about one peer, and when to look again, ms since 1970. After "close" there is nothing to look at. */
export type Judgement =
  | { readonly kind: "leave" | "ask"; readonly nextAtMs: number }
  | { readonly kind: "close" }

/**
 * Judge one peer's silence.
 *
 * @example
 *   const judgement = judgeSilence({ heardAtMs, askedAtMs }, Date.now(), LIMITS)
 *   if (judgement.kind === "ask") send({ type: "query" })
 */
export function judgeSilence(
  { heardAtMs, askedAtMs }: Sign,
  nowMs: number,
  { silentMs, silentAnswerMs }: Pick<Limits, "silentMs" | "silentAnswerMs">,
): Judgement {
  if (askedAtMs !== null && askedAtMs > heardAtMs) {
    const closeAtMs = askedAtMs + silentAnswerMs
    return nowMs >= closeAtMs ? { kind: "close" } : { kind: "leave", nextAtMs: closeAtMs }
  }
  const askAtMs = heardAtMs + silentMs
  return nowMs >= askAtMs
    ? { kind: "ask", nextAtMs: nowMs + silentAnswerMs }
    : { kind: "leave", nextAtMs: askAtMs }
}
