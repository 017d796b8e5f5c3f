/** What the Worker asks of a room: Durable Object RPC, and the one header that travels with a forwarded request. */
import { fromBase64UrlEncoded, toBase64UrlEncoded } from "lib0/buffer"
import type { ArchivePage } from "../archive/archive.ts"
import type { Grant } from "./access.ts"
import type { Format } from "./formats.ts"

/**
 * The room that no document has, because its name is outside the grammar of ids. It answers what is about the
 * archive as a whole, so that the archive is configured in one place: the Room.
 */
export const INDEX_ROOM = "*"

/** On a forwarded request: who asks, as `encodeGrant` writes it. The Worker sets it; a client's own is dropped. */
export const GRANT_HEADER = "x-yurt-grant"

/** An export, or with a null body the word that the asker has it already. */
export interface Exported {
  /** Strong, quotes included. */
  readonly etag: string
  readonly body: Uint8Array | ReadableStream | string | null
  readonly revision: number
}

export interface DocumentStatus {
  readonly connections: number
  readonly revision: number
  /** null: the archive has never held it. */
  readonly archivedRevision: number | null
  /** The last flush's error, null when it went well. */
  readonly archiveError: string | null
  /** Snapshot and log, bytes. */
  readonly bytes: number
  readonly logRows: number
  /** Rows of the log set aside because they could not be read [D6]. */
  readonly quarantined: number
}

/** A room as the Worker sees it. What it throws arrives as a plain Error: `asSyncError` reads it back. */
export interface RoomRpc {
  /** null: there is no such document, and asking has not made one. */
  export(want: { format: Format; root: string | null; ifNoneMatch: string | null }): Promise<Exported | null>
  /** Merges a Yjs V1 update; resolves when it is durable. */
  merge(update: Uint8Array, grant: Grant): Promise<{ revision: number }>
  /** Deletes the document everywhere. false: there was none. */
  remove(grant: Grant): Promise<boolean>
  /** null: there is no such document. */
  status(): Promise<DocumentStatus | null>
  /** The archive's index; asked of INDEX_ROOM. */
  list(page: { cursor: string | null; limit: number }): Promise<ArchivePage>
  /** Refuses a subject or a token from now on; asked of INDEX_ROOM. */
  revoke(grant: Grant, what: { subject?: string; tokenId?: string }): Promise<void>
  /** Upgrades and POST, with GRANT_HEADER set. */
  fetch(request: Request): Promise<Response>
}

/** A Durable Object binding whose objects are rooms. */
export interface RoomNamespace {
  getByName(name: string): RoomRpc
}

/** A grant as a header's value: base64url of its JSON, because names are not ASCII. */
export function encodeGrant(grant: Grant): string {
  return toBase64UrlEncoded(new TextEncoder().encode(JSON.stringify(grant)))
}

/** The grant the Worker has put on a request. @throws when there is none: the request did not come through the Worker */
export function decodeGrant(request: Request): Grant {
  const value = request.headers.get(GRANT_HEADER)
  if (value === null) throw new TypeError(`a request without ${GRANT_HEADER} has reached a room`)
  return JSON.parse(new TextDecoder().decode(fromBase64UrlEncoded(value))) as Grant
}
