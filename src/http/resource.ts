/** What a resource is: one file, and one row in the table of `routes.ts`. */
import type { Claims, Grant } from "../access/rights.ts"
import { SyncError } from "../errors.ts"
import type { Limits } from "../limits.ts"
import type { RoomRpc } from "../rpc.ts"
import type { RouteOptions } from "./parties.ts"

/** A request that has got past the door. */
export interface Ask {
  readonly request: Request
  readonly url: URL
  readonly env: object
  readonly options: RouteOptions
  readonly limits: Limits
  /** null where the resource needs no rights. */
  readonly grant: Grant | null
  /** Which of its things the path names, decoded; "" where it names none. */
  readonly item: string
}

/** The same, about a document. */
export interface DocumentAsk extends Ask {
  readonly grant: Grant
  readonly room: RoomRpc
  /** The document's name. */
  readonly name: string
}

/** A request about documents that it names in its body: about those that the token covers. */
export interface DocumentsAsk extends Ask {
  /** What the token says; null in open mode, where there is none. */
  readonly claims: Claims | null
  /**
   * Go on with one document, by its name.
   * @throws SyncError "forbidden" where the token does not reach as far, "bad-id", "not-found" for a party that is none
   */
  enter(document: string, rights: "read" | "write"): DocumentAsk
}

/** A method of a resource that is about no document. */
export interface Method {
  /** null: everybody may. */
  readonly rights: "admin" | null
  answer(ask: Ask): Response | Promise<Response>
}

/** A method of a resource that is about a document. */
export interface DocumentMethod {
  readonly rights: "read" | "write" | "admin"
  /** It opens a socket or a stream of the room, is counted as one, and is ended when its token is revoked. */
  readonly opens?: true | ((request: Request) => boolean)
  answer(ask: DocumentAsk): Promise<Response>
}

/** A method of a resource that is about all documents that a token covers. */
export interface DocumentsMethod {
  answer(ask: DocumentsAsk): Promise<Response>
}

/** A row of the table, as `parsePath` names it. A GET answers HEAD as well. */
export type Resource =
  | { readonly about: "server"; readonly path: string; readonly methods: Readonly<Record<string, Method>> }
  | {
      readonly about: "documents"
      readonly path: string
      readonly methods: Readonly<Record<string, DocumentsMethod>>
    }
  | {
      readonly about: "document"
      readonly path: string
      readonly methods: Readonly<Record<string, DocumentMethod>>
    }

/** An answer in JSON that nobody may keep. */
export function answerJson(value: unknown, status = 200): Response {
  return Response.json(value, { status, headers: { "cache-control": "no-store" } })
}

/** What is answered where there is no such document. */
export function noDocument(name: string): SyncError {
  return new SyncError("not-found", `There is no document ${name}.`)
}
