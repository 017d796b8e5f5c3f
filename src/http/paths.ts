/**
 * Addresses: the one grammar, for sockets and requests alike.
 *
 *     /docs/{id}                   a document of the default party
 *     /parties/{party}/{id}        the same, in other rooms
 *     /hocuspocus/{id}             a document of the default party, for sockets of Hocuspocus, whose token comes later
 *     /hocuspocus                  the same for documents of any party, which the frames name
 *     /doc/{id}/auth, /d/{id}/…    of the default party, for Y-Sweet's clients
 *     …/-/{resource}               what belongs to a document
 *
 * The id is the whole rest of the path, its slashes raw or `%2F`. No segment of an id is `-`, so no id can be taken for a
 * resource, and a proxy that decodes `%2F` breaks nothing.
 */
import { SyncError } from "../errors.ts"

/** Where it is said who makes tokens, of the server or of the path that follows. @source RFC 9728, 3.1 */
export const METADATA_PATH = "/.well-known/oauth-protected-resource"

/** What a path names: the row of the table of resources, and the document where it is about one. */
export interface Target {
  /** As the table writes it: `/docs/{id}/-/status` for every party. */
  readonly path: string
  /** As the path has it; null for `/docs`, and where it is about no document. */
  readonly party: string | null
  /** Still encoded; null where it is about no document. */
  readonly id: string | null
  /** Which of a document's things: the id of a version, still encoded. Absent where there is but one. */
  readonly item?: string
}

/**
 * What a path names. `new URL` has already resolved `.` and `..` segments, written plainly or as `%2e`, so what
 * is left of them can only hide behind a `%2F`; the grammar of ids refuses it after the decode.
 */
export function parsePath(pathname: string): Target {
  if (pathname.startsWith(`${METADATA_PATH}/`)) return { path: METADATA_PATH, party: null, id: null }
  const hocuspocus = /^\/hocuspocus\/(.*)$/s.exec(pathname)
  if (hocuspocus !== null) return { path: "/hocuspocus/{id}", party: null, id: hocuspocus[1]! }
  const sweet = /^\/(doc|d)\/(.+)\/(auth|as-update|update)$/s.exec(pathname)
  if (sweet !== null) return { path: `/${sweet[1]}/{id}/${sweet[3]}`, party: null, id: sweet[2]! }
  const match = /^\/(?:docs|parties\/([^/]+))\/(.*)$/s.exec(pathname)
  if (match === null) {
    const [, item] = /^\/admin\/subjects\/(.+)$/s.exec(pathname) ?? []
    if (item !== undefined) return { path: "/admin/subjects/{sub}", party: null, id: null, item }
    return { path: pathname, party: null, id: null }
  }
  const [, party = null, rest = ""] = match
  const at = rest.indexOf("/-/")
  if (at < 0) return { path: "/docs/{id}", party, id: rest }
  const id = rest.slice(0, at)
  const resource = rest.slice(at + 3)
  const version = /^versions\/([^/]+)(\/restore)?$/.exec(resource)
  if (version === null) return { path: `/docs/{id}/-/${resource}`, party, id }
  return { path: `/docs/{id}/-/versions/{v}${version[2] ?? ""}`, party, id, item: version[1]! }
}

/**
 * A document id out of a path: decoded once, in Unicode's normal form C. Another form becomes this one instead of
 * being refused: a Mac writes `é` as two characters where a keyboard writes one, and people mean the same name.
 *
 * @param idBytes the most that it may have, bytes of UTF-8
 * @throws SyncError "bad-id" that says what an id is
 */
export function parseId(encoded: string, idBytes: number): string {
  const grammar =
    `an id is 1 to ${idBytes} bytes of UTF-8 after one percent-decode, without control characters and \\, ` +
    "without a space or a slash at either end, without a * at the end, and no segment of it is empty, ., .. or -"
  let id: string
  try {
    id = decodeURIComponent(encoded).normalize("NFC")
  } catch (cause) {
    throw new SyncError("bad-id", `The id ${encoded.slice(0, 300)} can't be percent-decoded; ${grammar}.`, {
      cause,
    })
  }
  const isId =
    id !== "" &&
    new TextEncoder().encode(id).length <= idBytes &&
    !/[\p{Cc}\u2028\u2029\\]|^\s|\s$|\*$/u.test(id) &&
    !id.split("/").some((segment) => /^(\.{0,2}|-)$/.test(segment))
  if (isId) return id
  const shown = id.length > 300 ? `of ${id.length} characters` : JSON.stringify(id)
  throw new SyncError("bad-id", `The id ${shown} is not one: ${grammar}.`)
}
