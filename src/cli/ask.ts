/** Requests to somebody else's server, as importers send them: bounded, and tried again where that may help. */
import { CommandError } from "./terminal.ts"

/** One request, ms. A document of 50 MB over a slow line takes a while. */
const REQUEST_MS = 120_000
/** Tries of one request, and the first pause between them, ms; each next one is twice as long. */
const TRIES = 6
const PAUSE_MS = 250

/** What was answered. */
export interface Answered {
  readonly status: number
  readonly headers: Headers
  readonly body: Uint8Array
}

/** A request; `headers` are made anew for each try, since a signature holds a time. */
export interface Asked {
  readonly url: string
  readonly method?: string
  readonly headers: () => Readonly<Record<string, string>>
  readonly body?: Uint8Array
  /** Statuses that are answers and no refusals, beside 2xx. */
  readonly taken?: readonly number[]
}

/**
 * Ask, and once more where the server is busy or away for a moment.
 *
 * @throws CommandError "unreachable" where nothing answers, "refused" with what it said; neither holds a header
 */
export async function ask({ url, method = "GET", headers, body, taken = [] }: Asked): Promise<Answered> {
  const { host, pathname } = new URL(url)
  for (let attempt = 1; ; attempt++) {
    let waitMs = PAUSE_MS * 2 ** (attempt - 1)
    try {
      const response = await fetch(url, {
        method,
        headers: headers(),
        ...(body !== undefined && { body: body as BodyInit }),
        signal: AbortSignal.timeout(REQUEST_MS),
      })
      const bytes = new Uint8Array(await response.arrayBuffer())
      const { status } = response
      if (response.ok || taken.includes(status)) return { status, headers: response.headers, body: bytes }
      const mayHelp = status === 429 || status >= 500
      if (!mayHelp || attempt === TRIES) {
        const said = new TextDecoder().decode(bytes.subarray(0, 200)).replace(/\s+/g, " ")
        throw new CommandError("refused", `${host}${pathname}: ${status} ${said}`)
      }
      waitMs = Math.max(waitMs, Number(response.headers.get("retry-after") ?? 0) * 1000)
    } catch (thrown) {
      if (thrown instanceof CommandError) throw thrown
      const cause = thrown instanceof Error && thrown.cause instanceof Error ? thrown.cause : thrown
      if (attempt === TRIES)
        throw new CommandError("unreachable", `${host} does not answer: ${(cause as Error).message}.`)
    }
    await new Promise((resolve) => setTimeout(resolve, waitMs))
  }
}

/** @throws CommandError "bad-source" where it is none */
export function parseAnswer(url: string, body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(body))
  } catch {
    const { host, pathname } = new URL(url)
    throw new CommandError("bad-source", `${host}${pathname} answered what is no JSON.`)
  }
}
