/** What a client reads of its token, without verifying it (the server does that), and the renewal before its end. */

/** The longest a timer can be set, ms. @source HTML: timers take a signed 32-bit number */
const MAX_TIMER_MS = 2 ** 31 - 1

/** What a token says of itself; null where it does not say so. */
export interface Claims {
  /** `exp`, ms since 1970. */
  readonly expiresAtMs: number | null
  /** `sub`. */
  readonly subject: string | null
}

/** The claims of a JWT; all null for a token of another kind: then only the server knows, and says so with 4401. */
export function readClaims(token: string): Claims {
  const payload = token.split(".")[1]
  let claims: { exp?: unknown; sub?: unknown } | null = null
  try {
    claims = payload === undefined ? null : JSON.parse(decodeBase64Url(payload))
  } catch {
    // Not a JWT.
  }
  return {
    expiresAtMs: typeof claims?.exp === "number" ? claims.exp * 1000 : null,
    subject: typeof claims?.sub === "string" ? claims.sub : null,
  }
}

/** Older engines of React Native have neither `atob` nor Buffer. */
function decodeBase64Url(text: string): string {
  let escaped = ""
  let bits = 0
  let count = 0
  for (let i = 0; i < text.length; i++) {
    bits = ((bits << 6) | bitsOf(text.charCodeAt(i))) & 0x3fff
    count += 6
    if (count < 8) continue
    count -= 8
    escaped += `%${(((bits >> count) & 0xff) + 0x100).toString(16).slice(1)}`
  }
  return decodeURIComponent(escaped)
}

/** The six bits of a letter: A–Z, a–z, 0–9, `-`, `_`. */
function bitsOf(letter: number): number {
  if (letter > 96) return letter - 71
  if (letter > 64) return letter === 95 ? 63 : letter - 65
  return letter > 47 ? letter + 4 : 62
}

/** Asks for the next token shortly before the last one ends. */
export class TokenRenewal {
  readonly #renew: () => void
  #timer: ReturnType<typeof setTimeout> | undefined

  /** @param renew called once for each `plan` */
  constructor(renew: () => void) {
    this.#renew = renew
  }

  /**
   * The token in use ends then. The next one is asked for when a fifth of the time is left, at most 30 s before the
   * end; never for a token that has ended by this clock, which may be wrong: the room will say so with 4401.
   */
  plan(expiresAtMs: number | null): void {
    this.stop()
    const leftMs = (expiresAtMs ?? 0) - Date.now()
    if (leftMs <= 0) return
    this.#timer = setTimeout(this.#renew, Math.min(leftMs - Math.min(leftMs / 5, 30_000), MAX_TIMER_MS))
  }

  stop(): void {
    clearTimeout(this.#timer)
  }
}
