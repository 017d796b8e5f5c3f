/** A stranger's token, where the deployment has one for strangers: kept in this browser, so that they stay the same guest. */

const KEPT = "guest-token"
/** A token that ends within this time is not worth opening a page with, ms. */
const LEAST_MS = 3_600_000

/** The token; undefined where this deployment has none for strangers, or cannot be asked. */
export async function guestToken(): Promise<string | undefined> {
  const kept = localStorage.getItem(KEPT)
  if (kept !== null && endOf(kept) - Date.now() > LEAST_MS) return kept
  try {
    const answer = await fetch("/guest")
    if (!answer.ok) return undefined
    const token = await answer.text()
    localStorage.setItem(KEPT, token)
    return token
  } catch {
    // Offline: what this browser has kept of the document is shown under the guest it was.
    return kept ?? undefined
  }
}

/** When a token ends, ms since 1970; 0 where it cannot be read. */
function endOf(jwt: string): number {
  try {
    const body = jwt.split(".")[1]!.replaceAll("-", "+").replaceAll("_", "/")
    return (JSON.parse(atob(body)) as { exp: number }).exp * 1000
  } catch {
    // Not one of ours: a fresh one takes its place.
    return 0
  }
}
