/**
 * Which database documents land in. A room tells its database what changed, and would never tell a new one what did not:
 * where the database is another than before, every document is written to it again. The catalogue remembers which it was.
 */
import { createHash } from "node:crypto"
import type { Settings } from "../settings.ts"

/** Where documents land, as one word; what is secret in the settings is not in it. */
export function nameArchive({ ARCHIVE = "", POSTGRES_URL, WEBHOOK_URL }: Settings): string {
  const places = [ARCHIVE, placeOf(POSTGRES_URL), placeOf(WEBHOOK_URL)]
  return createHash("sha256").update(JSON.stringify(places)).digest("hex")
}

/** An address without the password, which may change and still be the same database. */
function placeOf(url: string | undefined): string {
  if (url === undefined || !URL.canParse(url)) return url ?? ""
  const { host, pathname } = new URL(url)
  return host + pathname
}
