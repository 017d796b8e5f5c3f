/** A document's past, asked over HTTP: its versions, earlier states, differences, authors, and the ways back. */
import * as Y from "yjs"
import { parseSyncError, SyncError } from "../errors.ts"

/** Someone, and the way something came from them. The subject is what their token proved; null: nobody's name. */
export interface Who {
  readonly subject: string | null
  readonly name?: string
  readonly via: "socket" | "agent" | "rest" | "server" | "restore" | "import"
  readonly agent?: string
  readonly onBehalfOf?: string
  /** What the agent's program called itself, which nobody has checked. */
  readonly client?: string
}

/** A name for a state of the document. */
export interface Version {
  readonly id: string
  readonly name: string | null
  /** RFC 3339. */
  readonly at: string
  readonly revision: number
  readonly createdBy: Who
  /** Who wrote since the version before. */
  readonly by: readonly Who[]
  readonly trigger: "manual" | "auto" | "restore" | "rollback" | "import"
  readonly meta: unknown
}

/** One run of characters or one value, and what became of it. */
export interface Change {
  readonly op: "equal" | "insert" | "delete" | "format"
  readonly text?: string
  readonly value?: unknown
  /** From the root inward: keys and places. Absent in a root itself. */
  readonly path?: readonly (string | number)[]
  readonly attributes?: Readonly<Record<string, unknown>>
  readonly by?: Who | null
  readonly at?: string | null
}

/** One run of characters or one value, and whom it is by. */
export interface Span {
  readonly text?: string
  readonly value?: unknown
  readonly path?: readonly (string | number)[]
  readonly by: Who | null
  readonly at: string | null
  readonly verified: boolean
  readonly restoredBy?: Who
  readonly restoredAt?: string
}

/** A stretch of work of one person. */
export interface Activity {
  readonly from: string
  readonly to: string
  readonly revisions: readonly [first: number, last: number]
  readonly by: Who
  readonly inserted: number
  readonly deleted: number
}

/** A moment: a revision, an RFC 3339 time, or a version's id. */
export type Moment = number | string

/** What was taken back, or would be. */
export interface RolledBack {
  readonly revision: number
  readonly backup: Version | null
  readonly inserted: number
  readonly deleted: number
  readonly unresolved: readonly {
    readonly root: string
    readonly path: readonly (string | number)[]
    readonly reason: string
  }[]
}

/** Which changes are taken back; without `by` and `via` everybody's, without `from` and `to` all that is kept. */
export interface RollbackOptions {
  readonly by?: string
  readonly via?: string
  readonly from?: Moment
  readonly to?: Moment
  /** Only say what it would do. */
  readonly dryRun?: boolean
}

/** What a listing of activity is about. */
export interface ActivityOptions {
  readonly by?: string
  readonly via?: string
  readonly from?: Moment
  readonly to?: Moment
  /** Work that pauses no longer than this is one stretch, ms. */
  readonly group?: number
  readonly order?: "asc" | "desc"
  readonly cursor?: string
  readonly limit?: number
}

/** Where a document's resources are, and what to send along. */
export interface HttpAddress {
  /** Without a query. */
  readonly url: string
  readonly query: string
  readonly headers: Readonly<Record<string, string>>
}

/** The provider, as its document's past uses it. */
export interface Asker {
  http(): Promise<HttpAddress>
  /** Everything of this page is on the room's disk, as far as it can be. */
  settle(): Promise<void>
}

/**
 * The past of a provider's document. Each call is a request of its own, also while the socket is down.
 *
 * Every one of them rejects with a SyncError: "not-found" what never was, "gone" what is not kept any more, "forbidden" what
 * the token does not allow, "too-large" what cannot be rebuilt, "unavailable" where no answer came.
 *
 * @example
 * await provider.versions.create({ name: "Before the meeting" })
 * const { versions } = await provider.versions.list()
 * await provider.versions.restore(versions[0].id)
 */
export class Versions {
  readonly #asker: Asker

  constructor(asker: Asker) {
    this.#asker = asker
  }

  /** The versions, newest first, a page at a time. */
  list(page: { cursor?: string; limit?: number } = {}): Promise<{
    versions: Version[]
    cursor: string | null
  }> {
    return this.#ask("versions", { query: page })
  }

  /** Make a version of what is here now; what this page has written is saved first. */
  async create(notes: { name?: string; meta?: unknown } = {}): Promise<Version> {
    await this.#asker.settle()
    return this.#ask("versions", { method: "POST", body: notes })
  }

  /** One version. */
  get(id: string): Promise<Version> {
    return this.#ask(versionPath(id))
  }

  /** Give a version another name (null: none), or other notes. */
  change(id: string, notes: { name?: string | null; meta?: unknown }): Promise<Version> {
    return this.#ask(versionPath(id), { method: "PATCH", body: notes })
  }

  /** Forget a version; the state stays at its revision. */
  async forget(id: string): Promise<void> {
    await this.#fetch(versionPath(id), { method: "DELETE" })
  }

  /** Bring the document, or one root of it, to what it was; for everybody, and with a version of what it is now. */
  async restore(
    moment: Moment,
    { root }: { root?: string } = {},
  ): Promise<{
    revision: number
    backup: Version
  }> {
    await this.#asker.settle()
    return this.#ask(`${versionPath(String(moment))}/restore`, { method: "POST", body: { root } })
  }

  /** The document as it was, in a document of its own. */
  async open(at: Moment): Promise<Y.Doc> {
    const answer = await this.#fetch(null, { query: { at, format: "update" } })
    const doc = new Y.Doc()
    Y.applyUpdate(doc, new Uint8Array(await answer.arrayBuffer()))
    return doc
  }

  /** What became of everything between two moments, and by whom; without `to`, up to now. */
  diff(ask: { from: Moment; to?: Moment; root?: string }): Promise<{
    from: number
    to: number
    roots: Record<string, Change[]>
  }> {
    return this.#ask("diff", { query: ask })
  }

  /** Whom all that stands in a root is by, now or at a moment. */
  blame(ask: { root: string; at?: Moment }): Promise<{ root: string; spans: Span[] }> {
    return this.#ask("blame", { query: ask })
  }

  /** Who worked when, newest first. */
  activity(ask: ActivityOptions = {}): Promise<{ activity: Activity[]; cursor: string | null }> {
    return this.#ask("activity", { query: { ...ask } })
  }

  /** Take back what somebody did; what others did stays. */
  async rollback({ from, to, ...ask }: RollbackOptions): Promise<RolledBack> {
    await this.#asker.settle()
    const moments = { from: from === undefined ? from : String(from), to: to === undefined ? to : String(to) }
    return this.#ask("rollback", { method: "POST", body: { ...ask, ...moments } })
  }

  async #ask<Answer>(path: string, request?: Request): Promise<Answer> {
    return (await this.#fetch(path, request)).json()
  }

  async #fetch(path: string | null, { method = "GET", query = {}, body }: Request = {}): Promise<Response> {
    const { url, query: always, headers } = await this.#asker.http()
    const search = new URLSearchParams(always)
    for (const [name, value] of Object.entries(query))
      if (value !== undefined) search.set(name, String(value))
    const address = `${url}${path === null ? "" : `/-/${path}`}${search.size === 0 ? "" : `?${search}`}`
    let answer: Response
    try {
      answer = await fetch(address, {
        method,
        headers: body === undefined ? headers : { ...headers, "content-type": "application/json" },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      })
    } catch (error) {
      throw new SyncError("unavailable", "No answer from the server.", { cause: error })
    }
    if (answer.ok) return answer
    throw (
      parseSyncError(await answer.text()) ??
      new SyncError("unavailable", `The server answered ${answer.status}.`)
    )
  }
}

interface Request {
  readonly method?: string
  readonly query?: Readonly<Record<string, string | number | undefined>>
  readonly body?: object
}

function versionPath(id: string): string {
  return `versions/${encodeURIComponent(id)}`
}
