/**
 * Rights: what a token's claims are worth for a document. Pure; reads no request, no key and no clock.
 *
 * A document is named here as everywhere behind the door: the plain id in the default party, `/{party}/{id}` in
 * others. An id never begins with a slash, so the two can be told apart.
 */
import { SyncError } from "../errors.ts"

/** Who asks, and what they may do. JSON-safe: it travels to the room in a header and lives in a socket's attachment. */
export interface Grant {
  /** The token's `sub`; null in open mode, where nobody can be told apart. At most 256 characters. */
  readonly subject: string | null
  /** For the document asked about. Where only `admin` was needed and the token names no such document: "read". */
  readonly rights: "read" | "write"
  /** The only roots a writer may change, by name. Absent: all of them. They narrow writing, never reading. */
  readonly roots?: readonly string[]
  /** May publish awareness. A writer may unless the token says no, a reader only if it says yes. */
  readonly presence: boolean
  /** May list, delete and revoke, on the whole server. Gives no right to read or write a document. */
  readonly admin: boolean
  /** From here on the grant is void, ms since 1970; null: never. */
  readonly expiresAtMs: number | null
  /** The token's `jti`, by which it can be revoked. At most 256 characters. */
  readonly tokenId: string | null
  /** What to call them. At most 100 characters. */
  readonly name?: string
  /** Their colour, as the issuer wrote it. At most 100 characters. */
  readonly color?: string
  /** May take back what others did, and prune. Absent: only their own. */
  readonly rollback?: "any"
  /** Nothing of the document from before this time may be seen or taken back, ms since 1970. Absent: all may. */
  readonly historySinceMs?: number
  /** It is a program, and this is its name: it writes with people, under a cursor of its own. At most 100 characters. */
  readonly agent?: string
  /** The subject for whom it acts, as the issuer wrote it. At most 256 characters. */
  readonly onBehalfOf?: string
  /**
   * What the program calls itself; no token says it, nobody checks it. It is kept with what it writes, and decides about
   * nothing. At most 100 characters.
   */
  readonly client?: string
}

/** What a request needs. `id` is the document's name, null when it is about no one document; then only "admin" can be granted. */
export interface Need {
  readonly id: string | null
  readonly rights: "read" | "write" | "admin"
}

/** One entry of a token's `docs`. */
export interface DocsEntry {
  /** A document's name, or the beginning of one with a `*` at the end. */
  readonly id: string
  readonly rights: "read" | "write"
  readonly presence: boolean
  /** Only with "write": the only roots that may be changed. */
  readonly roots?: readonly string[]
  /** Only with "write": may take back what others did. */
  readonly rollback?: "any"
  /** What may be seen of the past begins at this time, ms since 1970. */
  readonly historySinceMs?: number
}

/** What a verified token says. */
export interface Claims {
  readonly subject: string
  readonly tokenId: string | null
  readonly expiresAtMs: number
  readonly admin: boolean
  readonly docs: readonly DocsEntry[]
  readonly name?: string
  readonly color?: string
  /** For every document, beside what an entry says of it. ms since 1970 */
  readonly historySinceMs?: number
  readonly agent?: string
  readonly onBehalfOf?: string
}

/** The grant of open mode: every right, and nobody to tell apart. */
export const OPEN_GRANT: Grant = {
  subject: null,
  rights: "write",
  presence: true,
  admin: true,
  expiresAtMs: null,
  tokenId: null,
}

/**
 * What the claims are worth for what is needed. Of several entries that cover the document the strongest right counts;
 * a writer is held to roots only if every entry that lets them write names some.
 *
 * @throws SyncError "forbidden" when the claims do not reach as far as the need
 */
export function grantFor(claims: Claims, need: Need): Grant {
  const { id } = need
  const entries = id === null ? [] : claims.docs.filter((entry) => covers(entry.id, id))
  const writing = entries.filter((entry) => entry.rights === "write")
  const about = id === null ? "this" : `the document ${id}`
  switch (need.rights) {
    case "admin":
      if (!claims.admin)
        throw new SyncError("forbidden", `The token lacks the right "admin", which ${about} needs.`)
      break
    case "write":
    case "read":
      if (entries.length === 0) throw new SyncError("forbidden", `The token does not cover ${about}.`)
      if (need.rights === "write" && writing.length === 0) {
        throw new SyncError("forbidden", `The token may read ${about}, but not write it.`)
      }
      break
    default:
      throw new SyncError("internal", `Unknown right ${need.rights satisfies never}`)
  }
  const roots = rootsOf(writing)
  const since = sinceOf(claims, entries)
  return {
    subject: claims.subject,
    rights: writing.length > 0 ? "write" : "read",
    ...(roots === null ? {} : { roots }),
    presence: entries.some((entry) => entry.presence),
    admin: claims.admin,
    expiresAtMs: claims.expiresAtMs,
    tokenId: claims.tokenId,
    ...(claims.name === undefined ? {} : { name: claims.name }),
    ...(claims.color === undefined ? {} : { color: claims.color }),
    ...(writing.some(({ rollback }) => rollback === "any") ? { rollback: "any" as const } : {}),
    ...(since === null ? {} : { historySinceMs: since }),
    ...(claims.agent === undefined ? {} : { agent: claims.agent }),
    ...(claims.onBehalfOf === undefined ? {} : { onBehalfOf: claims.onBehalfOf }),
  }
}

/** What of a grant for a document another one of the same subject gives as well. */
export function narrow(grant: Grant, { rights, presence, roots }: Grant): Grant {
  const both =
    roots === undefined ? grant.roots : (grant.roots?.filter((root) => roots.includes(root)) ?? roots)
  return {
    ...grant,
    rights: rights === "read" ? rights : grant.rights,
    presence: grant.presence && presence,
    ...(both !== undefined && { roots: both }),
  }
}

/**
 * Whether a pattern of a token covers a document's name. A `*` at the end stands for any rest, slashes included;
 * anywhere else it is a character like others. A pattern never reaches from one party into another: without a
 * leading slash it covers documents of the default party alone, with one it has to name the party whole.
 */
export function covers(pattern: string, name: string): boolean {
  if (!pattern.endsWith("*")) return pattern === name
  const start = pattern.slice(0, -1)
  if (start.startsWith("/") ? start.indexOf("/", 1) < 0 : name.startsWith("/")) return false
  return name.startsWith(start)
}

/**
 * From when on the past may be seen: the earliest that one of the entries says, and never earlier than the token itself.
 * null: all of it.
 */
function sinceOf({ historySinceMs }: Claims, entries: readonly DocsEntry[]): number | null {
  const said = entries.map((entry) => entry.historySinceMs ?? 0)
  const since = Math.max(historySinceMs ?? 0, said.length === 0 ? 0 : Math.min(...said))
  return since === 0 ? null : since
}

/** The roots that the entries together let somebody change; null: all. */
function rootsOf(writing: readonly DocsEntry[]): string[] | null {
  if (writing.length === 0) return null
  const roots = new Set<string>()
  for (const entry of writing) {
    if (entry.roots === undefined) return null
    for (const root of entry.roots) roots.add(root)
  }
  return [...roots]
}
