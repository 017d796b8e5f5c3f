/** What the Worker asks of a room: Durable Object RPC, and the one header that travels with a forwarded request. */
import { fromBase64UrlEncoded, toBase64UrlEncoded } from "lib0/buffer"
import type { Grant } from "./access/access.ts"
import type { ArchivePage } from "./archive/archive.ts"
import { SyncError } from "./errors.ts"
import type { Format } from "./export/formats.ts"

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
  /** Flushes that have failed since the last one that went well. */
  readonly archiveAttempts: number
  /** Snapshot and log, bytes. */
  readonly bytes: number
  readonly logRows: number
  /** Rows of the log set aside because they could not be read [D6]. */
  readonly quarantined: number
}

/**
 * What a room answers. A refusal is a value: what is thrown through RPC, workerd logs as uncaught, with its stack,
 * and a bad request is no fault of the server.
 */
export type Answer<Value> = { readonly value: Value } | { readonly refused: ReturnType<SyncError["toJSON"]> }

/** Do something and answer with what came of it; a fault of the server is thrown on. */
export async function answer<Value>(act: () => Promise<Value>): Promise<Answer<Value>> {
  try {
    return { value: await act() }
  } catch (thrown) {
    if (!(thrown instanceof SyncError)) throw thrown
    return { refused: thrown.toJSON() }
  }
}

/** @throws the SyncError that the room answered with */
export async function unwrap<Value>(answering: Promise<Answer<Value>>): Promise<Value> {
  const answered = await answering
  if ("value" in answered) return answered.value
  throw new SyncError(answered.refused.error, answered.refused.message)
}

/** A room as the Worker sees it. */
export interface RoomRpc {
  /** null: there is no such document, and asking has not made one. */
  export(want: {
    format: Format
    root: string | null
    ifNoneMatch: string | null
  }): Promise<Answer<Exported | null>>
  /** Merges a Yjs V1 update; resolves when it is durable. */
  merge(update: Uint8Array, grant: Grant): Promise<Answer<{ revision: number }>>
  /** Deletes the document everywhere. false: there was none. */
  remove(grant: Grant): Promise<Answer<boolean>>
  /** null: there is no such document. */
  status(): Promise<Answer<DocumentStatus | null>>
  /** The archive's index; asked of INDEX_ROOM. */
  list(page: { cursor: string | null; limit: number }): Promise<Answer<ArchivePage>>
  /** Closes the sockets of a subject or a token with 4401. */
  dismiss(what: Revoked): Promise<void>
  /** May they come in? Notes the document they open, so that a revocation finds them. Asked of a `registryName`. */
  admit(visit: Visit | null): Promise<boolean>
  /** Never again. Resolves to the documents they may have open. Asked of a `registryName`. */
  revoke(): Promise<Visit[]>
  /** Upgrades and POST, with GRANT_HEADER set. */
  fetch(request: Request): Promise<Response>
}

/** A subject, or a token by its id. */
export type Revoked = { readonly subject: string } | { readonly tokenId: string }

/** A document someone has opened: which rooms, which of them, and until when the token lets them, ms since 1970. */
export interface Visit {
  readonly party: string | null
  readonly id: string
  readonly untilMs: number
}

/**
 * The room that keeps the revocation of one subject or one token. One each, so that no single object is asked at
 * every door; its name is outside the grammar of ids.
 */
export async function registryName(who: Revoked): Promise<string> {
  const text = "subject" in who ? `subject ${who.subject}` : `token ${who.tokenId}`
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text))
  return INDEX_ROOM + toBase64UrlEncoded(new Uint8Array(digest))
}

/** A Durable Object binding whose objects are rooms. */
export interface RoomNamespace {
  getByName(name: string): RoomRpc
}

/** An answer of RPC holds at most 32 MiB; a string may count twice. A larger body is streamed, which has no limit. */
const ANSWER_BYTES = 8 * 1024 * 1024

/** A body of any size in a shape that reaches the Worker. @source Workers RPC limits: 32 MiB serialized */
export function portableBody(body: Uint8Array | string): Uint8Array | ReadableStream | string {
  if (body.length <= ANSWER_BYTES) return body
  return new Response(body as BodyInit).body ?? body
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

// ---- bindings

/**
 * The rooms of a party. "main" (and `/docs`) is the default binding; any other is a Durable Object binding by the
 * kebab-case of its name: `ShoppingCart` is `/parties/shopping-cart/…`.
 *
 * @throws SyncError "not-found"; TypeError when the default binding is missing, which is a fault of the deployment
 */
export function findRooms(
  env: object,
  party: string | null,
  options: { binding?: string } = {},
): RoomNamespace {
  const binding = options.binding ?? "Room"
  const isMain = party === null || isDefaultParty(party, options)
  for (const [name, value] of Object.entries(env)) {
    if ((isMain ? name === binding : kebabCase(name) === party) && isRoomNamespace(value)) return value
  }
  if (isMain) throw new TypeError(`the environment has no Durable Object binding ${binding}`)
  throw new SyncError("not-found", `There is no party ${party}.`)
}

/** "main", and the default binding's own name. */
export function isDefaultParty(party: string, { binding = "Room" }: { binding?: string } = {}): boolean {
  return party === "main" || party === kebabCase(binding)
}

function kebabCase(name: string): string {
  return name
    .replace(/(?<=[a-z0-9])(?=[A-Z])/g, "-")
    .replaceAll("_", "-")
    .toLowerCase()
}

function isRoomNamespace(value: unknown): value is RoomNamespace {
  return typeof (Object(value) as Partial<RoomNamespace>).getByName === "function"
}
