/** What the Worker asks of a room: Durable Object RPC, and the one header that travels with a forwarded request. */
import { fromBase64UrlEncoded, toBase64UrlEncoded } from "lib0/buffer"
import type { Grant } from "./access/rights.ts"
import type { ArchivePage, IndexPage, IndexRange } from "./archive/archive.ts"
import { SyncError } from "./errors.ts"
import type { Block } from "./export/blocks.ts"
import type { Activity } from "./history/activity.ts"
import type { Span } from "./history/blame.ts"
import type { Change } from "./history/diff.ts"
import type { Unresolved } from "./history/rollback.ts"
import type { Version } from "./history/versions.ts"
import { type NamedObjects, placed } from "./placement.ts"

/**
 * The room that answers what is about the archive as a whole, so that the archive is configured in one place: the
 * Room. No document has this name, because no id has a segment `-`.
 */
export const INDEX_ROOM = "-"

/** On a forwarded request: who asks, as `encodeGrant` writes it. The Worker sets it; a client's own is dropped. */
export const GRANT_HEADER = "x-yurt-grant"

/** On a forwarded upgrade: the dialect that its path names. The Worker sets it. Without it the first message tells. */
export const DIALECT_HEADER = "x-yurt-dialect"

/** On a forwarded upgrade: the room keeps the client's end too, and whoever knows the socket's name collects what it brings. */
export const MAILBOX_HEADER = "x-yurt-mailbox"

/** What an export asks for, as written in the request; the room knows which formats exist. */
export interface ExportRequest {
  /** `?format=`; null where `Accept` decides. */
  readonly format: string | null
  readonly accept: string | null
  /** `?root=`, for the formats that show one root. */
  readonly root: string | null
  readonly ifNoneMatch: string | null
  /** `?at=`, an earlier moment; absent or null: now. */
  readonly at?: string | null
}

/** The preconditions of a change, as written in the request. */
export interface Conditions {
  readonly ifMatch: string | null
  readonly ifNoneMatch: string | null
  /** The update is a copy of another document. */
  readonly isCopy?: boolean
}

/** A change of a document by somebody who has no Y.Doc: a body, and how it is meant. */
export interface ChangeRequest {
  /** "put": the document, or one root of it, becomes what the body says. */
  readonly how: "json-patch" | "merge-patch" | "put"
  /** Of a "put". */
  readonly format: "json" | "text" | "markdown" | "html"
  readonly body: Uint8Array
  /** The blocks of Markdown or HTML: reading them takes longer than anything that a room does, so the Worker has done it. */
  readonly blocks: readonly Block[] | null
  /** `?root=`; null: the whole document, or the root that the editor looks for. */
  readonly root: string | null
  /** `?editor=`; null: what the root holds says it. */
  readonly editor: string | null
  /** `?nested=`: "shared" or "plain"; null: as the neighbours are. */
  readonly nested: string | null
  /** `?base=`, the revision that the caller had read; null: the newest. */
  readonly base: string | null
  /** An agent's tool asks for it: the change is known as an agent's (G2). */
  readonly isAgent?: boolean
}

export type { IndexRange }

/** What a tool is given, and what it answers: JSON. */
export interface ToolArguments {
  readonly [name: string]: unknown
}

/** A change that is durable. */
export interface Changed {
  readonly revision: number
  /** There was no document before. */
  readonly created: boolean
}

/** The exported document. `body` is null when If-None-Match matched: answer 304. */
export interface Exported {
  /** Strong, quotes included. */
  readonly etag: string
  /** As a Content-Type. */
  readonly mediaType: string
  readonly body: Uint8Array | ReadableStream | string | null
  readonly revision: number
}

/** The state of a document and its room: what `GET /docs/{id}/-/status` answers. */
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
  /** Estimated memory of the hydrated document, bytes. */
  readonly weight: number
  /** Client ids that have written here. */
  readonly clients: number
  readonly logRows: number
  /** Updates that wait for something that has not arrived [D9]. */
  readonly waiting: number
  /** Stored values set aside because they could not be read [D6]. */
  readonly quarantined: number
  /** Content in quarantine has not been recovered yet; until it is, nothing is archived or compacted [D7]. */
  readonly damaged: boolean
  /** A Y.Doc is in memory; most of a room's life needs none. */
  readonly hydrated: boolean
  /** Event → how often since the room woke [O1]. */
  readonly events: Readonly<Record<string, number>>
  /** What is kept of the past [H6]. */
  readonly past: PastStatus
}

/** What a room keeps of its past. */
export interface PastStatus {
  /** Bytes kept beside the present, how many of them stand in the archive, and bytes of the updates that they stand for. */
  readonly bytes: number
  readonly movedBytes: number
  readonly updateBytes: number
  /** The oldest state that can be shown: its revision, and when it was committed, RFC 3339 (null: not known). */
  readonly fromRevision: number
  readonly from: string | null
  readonly versions: number
  /** Stored values that cannot be read any more; the present is not touched by them [D7]. */
  readonly damaged: number
}

/** What is asked about a document's past, and what is answered: verb → both. Moments are as in history/moments.ts. */
export interface PastCalls {
  versions: {
    ask: { readonly cursor: string | null; readonly limit: number }
    answer: { versions: Version[]; cursor: string | null }
  }
  createVersion: {
    /** `at`: when it was made elsewhere, RFC 3339, of a version that is imported. An admin's alone */
    ask: { readonly name: string | null; readonly meta: unknown; readonly at?: string | null }
    answer: Version
  }
  version: { ask: { readonly id: string }; answer: Version }
  changeVersion: {
    ask: { readonly id: string; readonly name?: string | null | undefined; readonly meta?: unknown }
    answer: Version
  }
  forgetVersion: { ask: { readonly id: string }; answer: null }
  restore: {
    ask: { readonly id: string; readonly root: string | null }
    answer: { revision: number; backup: Version }
  }
  diff: {
    ask: { readonly from: string; readonly to: string | null; readonly root: string | null }
    answer: { from: number; to: number; roots: Record<string, Change[]> }
  }
  blame: {
    ask: { readonly root: string; readonly at: string | null }
    answer: { root: string; spans: Span[] }
  }
  activity: {
    ask: {
      readonly from: string | null
      readonly to: string | null
      readonly by: string | null
      readonly via: string | null
      readonly groupMs: number
      readonly newestFirst: boolean
      readonly cursor: string | null
      readonly limit: number
    }
    answer: { activity: Activity[]; cursor: string | null }
  }
  rollback: {
    ask: {
      readonly by: string | null
      readonly via: string | null
      /** Only what this agent did, null: what no named agent did; absent: whichever did it. */
      readonly agent?: string | null
      readonly from: string | null
      readonly to: string | null
      readonly dryRun: boolean
    }
    answer: {
      revision: number
      backup: Version | null
      inserted: number
      deleted: number
      unresolved: readonly Unresolved[]
    }
  }
  prune: { ask: { readonly before: string }; answer: { fromRevision: number; bytes: number } }
}

/**
 * What a room answers. A refusal is a value, because workerd logs whatever is thrown through RPC as uncaught, with its
 * stack, and a bad request is no fault of the server.
 */
export type Answer<Value> = { readonly value: Value } | { readonly refused: ReturnType<SyncError["toJSON"]> }

/** Run `act` and answer with its value or its SyncError; any other error is a fault of the server and is thrown on. */
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
  /** null: there is no such document, and asking has not made one. Refuses with "bad-request" or "not-acceptable". */
  export(want: ExportRequest, grant?: Grant): Promise<Answer<Exported | null>>
  /**
   * Merges a Yjs V1 update; resolves when it is durable. `waiting`: a part of it is kept, and shows only once something
   * has arrived that it builds on. Refuses with "precondition-failed" where a condition does not hold.
   */
  merge(
    update: Uint8Array,
    grant: Grant,
    conditions: Conditions,
  ): Promise<Answer<{ revision: number; waiting?: true }>>
  /**
   * Changes the document by what a program wrote, merged with what people write; resolves when it is durable. Refuses with
   * "precondition-failed", "patch-failed" or "test-failed", and then nothing was changed.
   */
  change(request: ChangeRequest, grant: Grant, conditions: Conditions): Promise<Answer<Changed>>
  /**
   * Uses a tool of an agent (see agent/tools.ts); resolves when what it changed is durable.
   * @param key the call's idempotency key, null: it has none, or among the arguments
   */
  tool(name: string, given: ToolArguments, grant: Grant, key: string | null): Promise<Answer<ToolArguments>>
  /**
   * What of its events waits for the receiver that EVENTS_URL names.
   * @param from tell everything from this revision on once more; null: nothing
   */
  events(from: number | null): Promise<Answer<{ told: number | null; waiting: number; dropped: number }>>
  /** Deletes the document everywhere. false: there was none. */
  remove(grant: Grant): Promise<Answer<boolean>>
  /** null: there is no such document. */
  status(): Promise<Answer<DocumentStatus | null>>
  /** The archive's index; asked of INDEX_ROOM. */
  list(page: IndexPage): Promise<Answer<ArchivePage>>
  /** Writes to the archive now what it lacks. Refuses with "not-found" where there is no such document. */
  flush(grant: Grant): Promise<Answer<{ revision: number; archivedRevision: number | null }>>
  /**
   * Answers about the past, or changes the document by it. Refuses with "not-found" where there is no such document,
   * version or moment, "gone" for what is not kept, "forbidden", "too-large".
   */
  past<Verb extends keyof PastCalls>(
    verb: Verb,
    ask: PastCalls[Verb]["ask"],
    grant: Grant,
  ): Promise<Answer<PastCalls[Verb]["answer"]>>
  /** What an operator sees or does, by the verbs of "yurt/admin". Refuses with "not-found" where the room has no desk. */
  operate(verb: string, ask: object, grant: Grant): Promise<Answer<object>>
  /**
   * What a peer without a socket of its own says (see wire/tunnel.ts). Refuses with "unavailable" where the session has
   * ended, "forbidden" where it is somebody else's.
   * @param session the name of its socket
   */
  hear(session: string, body: Uint8Array, grant: Grant): Promise<Answer<null>>
  /** What has come for such a peer, as channel messages: at once, or with the next, or none after `waitMs`. Refuses as `hear`. */
  collect(session: string, waitMs: number, grant: Grant): Promise<Answer<Uint8Array[]>>
  /**
   * Closes the sockets of a subject or a token with 4401, and refuses one that passed the door before the revocation and
   * opens its socket after it.
   */
  dismiss(who: Revoked): Promise<void>
  /**
   * The server goes: commit what was taken, and close every socket with 1012, so that its client comes back.
   * @returns how many peers had to go
   */
  drain(): Promise<number>
  /** Write to the disk and ask the archive; asked of INDEX_ROOM. Throws what the platform throws where the disk fails. */
  ready(): Promise<Answer<Readiness>>
  /** Upgrades, streams (GET, see `acceptsEvents`) and POST, with GRANT_HEADER set. */
  fetch(request: Request): Promise<Response>
}

/** Whether rooms can work. */
export interface Readiness {
  /** null: there is none. While it is unavailable, rooms go on with what they hold, and others are refused. */
  readonly archive: "ok" | "unavailable" | null
}

/** A subject, or a token by its id. */
export type Revoked = { readonly subject: string } | { readonly tokenId: string }

/** A Durable Object binding whose objects are rooms. Their ids are the platform's; no other binding has the same. */
export type RoomNamespace = NamedObjects<RoomRpc>

/** The largest body that is answered in one piece, bytes. RPC takes 32 MiB, and a string may count twice; a stream has no limit. */
const ANSWER_BYTES = 8 * 1024 * 1024

/** A body in a form that reaches the Worker whatever its size. @source Workers RPC limits: 32 MiB serialized */
export function portableBody(body: Uint8Array | string): Uint8Array | ReadableStream | string {
  if (body.length <= ANSWER_BYTES) return body
  return new Response(body as BodyInit).body ?? body
}

/** Whether a request asks for a stream of events: an EventSource accepts nothing else. */
export function acceptsEvents(request: Request): boolean {
  return /(^|,)\s*text\/event-stream\s*(;|,|$)/i.test(request.headers.get("accept") ?? "")
}

/**
 * A grant as a header's value: base64url of its JSON, because names are not ASCII.
 * @param grant null for an upgrade whose token comes on the socket: the room lets it knock
 */
export function encodeGrant(grant: Grant | null): string {
  return toBase64UrlEncoded(new TextEncoder().encode(JSON.stringify(grant)))
}

/** The grant the Worker has put on a request; null: it knocks. @throws when there is none: the request did not come through the Worker */
export function decodeGrant(request: Request): Grant | null {
  const value = request.headers.get(GRANT_HEADER)
  if (value === null) throw new TypeError(`a request without ${GRANT_HEADER} has reached a room`)
  return JSON.parse(new TextDecoder().decode(fromBase64UrlEncoded(value))) as Grant | null
}

// ---- bindings

/** The rooms of a Durable Object binding, where the environment wants them, by the binding's name; null where it has none. */
export function findRooms(env: object, binding: string): RoomNamespace | null {
  const value: unknown = Object.hasOwn(env, binding) ? Reflect.get(env, binding) : null
  return isRoomNamespace(value) ? placed(value, env) : null
}

/**
 * The binding by which a room is reached. Of all bindings, only the room's own turns its name into its id, so the room can
 * find it without being told.
 *
 * @param room `ctx.id` and `name` of the room
 * @throws TypeError where no binding does, which is a fault of the deployment
 */
export function findOwnBinding(env: object, room: { readonly id: object; readonly name: string }): string {
  for (const binding of Object.keys(env)) {
    const id = findRooms(env, binding)?.idFromName(room.name)
    if (id !== undefined && String(id) === String(room.id)) return binding
  }
  throw new TypeError("the environment has no binding of this room's own class")
}

function isRoomNamespace(value: unknown): value is RoomNamespace {
  const { getByName, idFromName } = Object(value) as Partial<RoomNamespace>
  if (typeof getByName !== "function" || typeof idFromName !== "function") return false
  // A service binding claims to have every method, and would call it in another Worker.
  return typeof Reflect.get(Object(value), "noSuchMethod") !== "function"
}
