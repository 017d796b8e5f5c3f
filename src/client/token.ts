/** When a token ends. Read without verifying: the server does that, the client only wants to be in time. */

/** The longest a timer can be set, ms. @source HTML: timers take a signed 32-bit number */
const MAX_TIMER_MS = 2 ** 31 - 1

/** `exp` of a JWT, ms since 1970; null for a token that says nothing about it. */
export function readExpiry(token: string): number | null {
  const payload = token.split(".")[1]
  if (payload === undefined) return null
  try {
    const { exp } = JSON.parse(atob(payload.replaceAll("-", "+").replaceAll("_", "/")))
    return typeof exp === "number" ? exp * 1000 : null
  } catch {
    // Not a JWT: then nobody but the server knows, and its 4401 asks for a new one.
    return null
  }
}

/**
 * How long to wait before asking for the next token, ms: until a fifth of what is left is left, at most 30 s. Null
 * when it has ended by this clock, which then may be wrong: the room will say so with 4401.
 */
export function renewalDelay(expiresAtMs: number): number | null {
  const leftMs = expiresAtMs - Date.now()
  return leftMs <= 0 ? null : Math.min(leftMs - Math.min(leftMs / 5, 30_000), MAX_TIMER_MS)
}
