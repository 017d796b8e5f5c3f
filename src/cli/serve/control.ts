/** The control door of a running server: a Unix socket in a folder that only its owner can open. */
import { request } from "node:http"

/**
 * Ask the Worker's `Control` for something.
 * @param path "/drain" or "/refill"
 * @param timeoutMs null: as long as it takes
 * @returns the numbers that it answers with. Rejects where it does not answer in time, or has ended
 */
export function askControl(
  socketPath: string,
  path: string,
  timeoutMs: number | null,
): Promise<Record<string, number>> {
  const signal = timeoutMs === null ? {} : { signal: AbortSignal.timeout(Math.max(1, timeoutMs)) }
  return new Promise((done, fail) => {
    const asking = request({ socketPath, path, method: "POST", ...signal }, async (response) => {
      try {
        let body = ""
        for await (const chunk of response) body += chunk
        done(JSON.parse(body))
      } catch (thrown) {
        fail(thrown)
      }
    })
    asking.on("error", fail)
    asking.end()
  })
}
