/**
 * What the visitor may do with this page's document. The server alone decides and verifies; a page reads its token
 * only to show at once what the room will say in a moment.
 */
import type { Provider } from "../src/client/provider.ts"
import { page, roomName } from "./page.ts"

/** The part of a token's claims that a page shows. */
interface Claims {
  readonly sub?: string
  readonly name?: string
  readonly color?: string
  readonly docs?: readonly { readonly id: string; readonly rights: "read" | "write" }[]
}

/** What the page's token says; undefined where the page has none. */
export const claims = page.token === undefined ? undefined : readClaims(page.token)

/**
 * Be told whether nothing can be changed on this page: at once by what the token says, and whenever that changes,
 * because the room says otherwise, or has closed for good, or is open again.
 */
export function watchRights(provider: Provider, listener: (readOnly: boolean) => void): void {
  let told: boolean | undefined
  const tell = (): void => {
    const readOnly = isReadOnly() || provider.readOnly || provider.closed !== null
    if (readOnly !== told) listener(readOnly)
    told = readOnly
  }
  tell()
  provider.on("read-only", tell)
  provider.on("closed", tell)
  provider.on("status", tell)
}

/** Whether the token only lets one read this document. */
export function isReadOnly(): boolean {
  if (claims?.docs === undefined) return false
  const name = roomName()
  return !claims.docs.some(({ id, rights }) => rights === "write" && covers(id, name))
}

/** Whether an entry of a token is about a room; `*` at its end stands for anything, but never for another party. */
function covers(pattern: string, name: string): boolean {
  if (pattern.startsWith("/") !== name.startsWith("/")) return false
  return pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : name === pattern
}

function readClaims(jwt: string): Claims | undefined {
  try {
    const body = jwt.split(".")[1]!.replaceAll("-", "+").replaceAll("_", "/")
    const bytes = Uint8Array.from(atob(body), (char) => char.charCodeAt(0))
    return JSON.parse(new TextDecoder().decode(bytes)) as Claims
  } catch {
    // Not a JWT: the server will say so, and the page shows its answer.
    return undefined
  }
}
