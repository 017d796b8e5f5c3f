/**
 * Which database the documents of a data folder have landed in. A room tells its database what changed, and would never
 * tell a new one what did not: where the database is another than before, every document is written to it again.
 */
import { createHash } from "node:crypto"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { Settings } from "../settings.ts"

/** Where documents land, as one word; what is secret in the settings is not in it. */
export function nameArchive({ ARCHIVE = "", POSTGRES_URL, WEBHOOK_URL }: Settings): string {
  const places = [ARCHIVE, placeOf(POSTGRES_URL), placeOf(WEBHOOK_URL)]
  return createHash("sha256").update(JSON.stringify(places)).digest("hex")
}

/** Whether all documents have to be written again. Of a folder that is new, none are there. */
export function isAnother(folder: string, name: string): boolean {
  try {
    return readFileSync(pathIn(folder), "utf8").trim() !== name
  } catch {
    // Never written: the folder is new, or its last server was cut off before it had written everything.
    return true
  }
}

/** Write down that everything has landed there. */
export function noteFilled(folder: string, name: string): void {
  writeFileSync(pathIn(folder), `${name}\n`)
}

function pathIn(folder: string): string {
  return join(folder, "server/archive")
}

/** An address without the password, which may change and still be the same database. */
function placeOf(url: string | undefined): string {
  if (url === undefined || !URL.canParse(url)) return url ?? ""
  const { host, pathname } = new URL(url)
  return host + pathname
}
