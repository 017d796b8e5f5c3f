/**
 * The archive behind a URL of yours, for a database Yurt has no adapter for. Yurt asks; your server stores.
 *
 * | request | your server |
 * |---|---|
 * | `POST {url}/{id}` update and sidecar in a row as `application/octet-stream` | stores it, if it may replace what it holds (below): 2xx, else 409 |
 * | `DELETE {url}/{id}` the sidecar, maybe empty | keeps version and sidecar instead of the document, under the same condition: 2xx, else 409 |
 * | `GET {url}/{id}` | 200 with update and sidecar in a row, 410 with the sidecar of a deletion, 404 never stored |
 * | `GET {url}?limit=&cursor=&from=&before=` | 200 with `{documents: [{id, revision, bytes, updatedAt}], cursor}`; of ids from `from` on and before `before`, where they are given |
 *
 * `{id}` is percent-encoded, a slash as %2F. Anything else that is answered is a failure, and is tried again.
 *
 * The version of what is sent or answered stands in headers:
 * - `x-yurt-writer`: percent-encoded; not there when the writer is null
 * - `x-yurt-revision`
 * - `x-yurt-update-bytes`: where the update ends and the sidecar begins; not there when there is no sidecar
 * - `x-yurt-expected`, of POST and DELETE: `writer@revision` of what the room has read; not there when it has read nothing
 *
 * What is sent may replace what is held when nothing is held; or a document of the same writer with a lower revision
 * (a DELETE: or an equal one); or exactly what is expected. The very same version, held already: 2xx, and nothing
 * changes. `judgeSwap` in swap.ts is this rule as code.
 *
 * Both sides sign. A request has `x-yurt-timestamp`, seconds since 1970 (refuse one that is some minutes off), and
 * `x-yurt-signature`: the HMAC-SHA256 in hex of these lines, joined by "\n", a header that is not there as an empty line:
 *
 *     request, timestamp, method, path and query as they were sent, content-type, x-yurt-writer, x-yurt-revision,
 *     x-yurt-update-bytes, x-yurt-expected, SHA-256 of the body in hex
 *
 * An answer below 500 has an `x-yurt-signature` of its own, over
 *
 *     answer, signature of the request, status, x-yurt-writer, x-yurt-revision, x-yurt-update-bytes,
 *     SHA-256 of the body in hex
 *
 * It is asked for although TLS proves the host: the 404 of a proxy before your server would else say "never stored". A
 * wrong signature is always a failure; a missing one is not with `answers: "any"`.
 *
 * With `format: "json"` POST has the JSON `{id, writer, revision, updatedAt, text, json}`, DELETE no body, and nothing
 * is ever read: a document cannot be had back from there. The receiver should take what comes, whatever it holds; what
 * is older and comes late can be told by the revision. Its answers need no signature.
 */

import { SyncError } from "../errors.ts"
import { discreet } from "./abortable.ts"
import type { Archive, ArchiveLookup, ArchivePage, Version } from "./archive.ts"
import { isLocalHost } from "./local.ts"

/** What `webhookArchive` has to be told. */
export interface WebhookOptions {
  /** Where your server listens: https, or http on this machine. */
  url: string
  /** Shared with your server: at least 16 characters. */
  secret: string
  /** "json": POST the document readable, for a receiver that does not know Yjs. It then cannot be loaded from there. */
  format?: "update" | "json"
  /** "any": take answers that carry no signature. The default with "json". */
  answers?: "signed" | "any"
}

/** What travels in a request beside its method and target. */
interface Payload {
  readonly version?: Version
  readonly expected?: Version | null
  readonly type?: string
  readonly body?: Uint8Array
  /** Where the sidecar begins in the body. */
  readonly updateBytes?: number | null
}

/** An answer whose signature, if it has to have one, was right. */
interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: Uint8Array
}

/**
 * Keep documents behind a URL.
 *
 * @example archive = webhookArchive({ url: "https://example.com/documents", secret: env.WEBHOOK_SECRET })
 * @throws SyncError "internal" when the secret is too short to protect anything, or the URL is not encrypted
 */
export function webhookArchive({
  url,
  secret,
  format = "update",
  answers = format === "json" ? "any" : "signed",
}: WebhookOptions): Archive {
  if (secret.length < 16) {
    throw new SyncError("internal", `The webhook's secret has ${secret.length} characters: it needs 16`)
  }
  const { protocol, hostname } = new URL(url)
  if (protocol !== "https:" && !(protocol === "http:" && isLocalHost(hostname))) {
    throw new SyncError("internal", `The webhook's URL begins with ${protocol}//${hostname}: it needs https`)
  }
  const base = url.replace(/\/+$/, "")
  const urlOf = (id: string) => `${base}/${encodeURIComponent(id)}`

  async function request(
    { method, target }: { method: "GET" | "POST" | "DELETE"; target: string },
    payload: Payload,
    signal: AbortSignal,
  ): Promise<Answer> {
    const { version, expected = null, type, body = new Uint8Array(), updateBytes = null } = payload
    const timestamp = String(Math.floor(Date.now() / 1000))
    const headers = new Headers({ "x-yurt-timestamp": timestamp })
    if (type !== undefined) headers.set("content-type", type)
    if (version?.writer != null) headers.set("x-yurt-writer", encodeURIComponent(version.writer))
    if (version !== undefined) headers.set("x-yurt-revision", String(version.revision))
    if (updateBytes !== null) headers.set("x-yurt-update-bytes", String(updateBytes))
    if (expected !== null) {
      headers.set("x-yurt-expected", `${encodeURIComponent(expected.writer ?? "")}@${expected.revision}`)
    }
    const { pathname, search } = new URL(target)
    const signature = await signWebhook(secret, [
      "request",
      timestamp,
      method,
      pathname + search,
      headers.get("content-type"),
      ...versionLines(headers),
      headers.get("x-yurt-expected"),
      await sha256(body),
    ])
    headers.set("x-yurt-signature", signature)
    const response = await fetch(target, {
      method,
      headers,
      body: method === "GET" ? null : (body as BodyInit),
      // A redirect would carry the document to somebody else.
      redirect: "manual",
      signal,
    })
    const answer = {
      status: response.status,
      headers: response.headers,
      body: new Uint8Array(await response.arrayBuffer()),
    }
    if (answer.status < 500) await checkAnswer(answer, { method, signature })
    return answer
  }

  async function checkAnswer(
    { status, headers, body }: Answer,
    { method, signature }: { method: string; signature: string },
  ): Promise<void> {
    const given = headers.get("x-yurt-signature")
    if (given === null && answers === "any") return
    const lines = ["answer", signature, String(status), ...versionLines(headers), await sha256(body)]
    // Compared as HMACs of both, which tells nobody how much of a guess was right.
    const right = await signWebhook(secret, [await signWebhook(secret, lines)])
    if (given !== null && (await signWebhook(secret, [given])) === right) return
    const what = given === null ? "without a signature" : "with a wrong signature"
    throw new SyncError("archive-unavailable", `The archive webhook answered ${status} to ${method} ${what}`)
  }

  async function write(
    { method, id }: { method: "POST" | "DELETE"; id: string },
    payload: Payload,
    signal: AbortSignal,
  ): Promise<"stored" | "conflict"> {
    const { status } = await request({ method, target: urlOf(id) }, payload, signal)
    if (status === 409) return "conflict"
    if (status < 200 || status > 299) throw refused(status, method)
    return "stored"
  }

  return discreet({
    name: "webhook",
    ...(format === "json" && { keeps: "readable" }),

    async load(id, signal): Promise<ArchiveLookup> {
      if (format === "json") {
        throw new SyncError(
          "archive-unavailable",
          "The archive webhook keeps documents as JSON, and gives none back",
        )
      }
      const { status, headers, body } = await request({ method: "GET", target: urlOf(id) }, {}, signal)
      if (status === 404) return { kind: "absent" }
      if (status !== 200 && status !== 410) throw refused(status, "GET")
      const version = versionIn(status, headers)
      const split = numberIn(status, headers, "x-yurt-update-bytes")
      const sidecar = split === null ? null : body.slice(split)
      if (status === 410) return { kind: "deleted", version, sidecar }
      return {
        kind: "found",
        document: { update: body.subarray(0, split ?? body.length), sidecar, ...version },
      }
    },

    async store(id, document, expected, signal) {
      const { writer, revision, update, sidecar } = document
      const target = { method: "POST", id } as const
      const version = { writer, revision }
      if (format === "update") {
        const payload = { version, expected, type: "application/octet-stream", ...bodyOf(update, sidecar) }
        return write(target, payload, signal)
      }
      const updatedAt = new Date(document.updatedAtMs).toISOString()
      const readable = { id, ...version, updatedAt, text: document.text(), json: document.json() }
      const body = new TextEncoder().encode(JSON.stringify(readable))
      return write(target, { version, expected, type: "application/json", body }, signal)
    },

    async remove(id, { writer, revision, sidecar }, expected, signal) {
      const version = { writer, revision }
      const payload = format === "json" ? {} : bodyOf(new Uint8Array(), sidecar)
      return write({ method: "DELETE", id }, { version, expected, ...payload }, signal)
    },

    async list({ cursor, limit, within }, signal): Promise<ArchivePage> {
      if (format === "json") {
        throw new SyncError(
          "archive-unavailable",
          "The archive webhook keeps documents as JSON, and lists none",
        )
      }
      const { from = "", before = null } = within ?? {}
      const query = new URLSearchParams({
        limit: String(limit),
        ...(cursor !== null && { cursor }),
        ...(from !== "" && { from }),
        ...(before !== null && { before }),
      })
      const { status, body } = await request({ method: "GET", target: `${base}?${query}` }, {}, signal)
      if (status !== 200) throw refused(status, "GET of the list")
      const page: Partial<ArchivePage> | null = JSON.parse(new TextDecoder().decode(body))
      if (!Array.isArray(page?.documents)) {
        throw new SyncError(
          "archive-unavailable",
          "The archive webhook answered 200 to GET of the list, without documents",
        )
      }
      return { documents: page.documents, cursor: page.cursor ?? null }
    },
  })
}

/**
 * What `x-yurt-signature` holds: for your server to compare in constant time, and to sign its answers with.
 *
 * @param lines as the header of this file lists them; null is an empty line
 * @returns 64 hex digits
 */
export async function signWebhook(secret: string, lines: readonly (string | null)[]): Promise<string> {
  const utf8 = new TextEncoder()
  const hmac = { name: "HMAC", hash: "SHA-256" }
  const key = await crypto.subtle.importKey("raw", utf8.encode(secret), hmac, false, ["sign"])
  return hexOf(await crypto.subtle.sign("HMAC", key, utf8.encode(lines.map((line) => line ?? "").join("\n"))))
}

async function sha256(bytes: Uint8Array): Promise<string> {
  return hexOf(await crypto.subtle.digest("SHA-256", bytes as BufferSource))
}

function hexOf(digest: ArrayBuffer): string {
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("")
}

/** The headers that say a version, in the order in which they are signed. */
function versionLines(headers: Headers): (string | null)[] {
  return ["x-yurt-writer", "x-yurt-revision", "x-yurt-update-bytes"].map((name) => headers.get(name))
}

function versionIn(status: number, headers: Headers): Version {
  const revision = numberIn(status, headers, "x-yurt-revision")
  if (revision === null) {
    throw new SyncError(
      "archive-unavailable",
      `The archive webhook answered ${status} without x-yurt-revision`,
    )
  }
  const writer = headers.get("x-yurt-writer")
  return { writer: writer === null ? null : decodeURIComponent(writer), revision }
}

function numberIn(status: number, headers: Headers, name: string): number | null {
  const value = headers.get(name)
  if (value === null) return null
  if (!/^\d+$/.test(value)) {
    throw new SyncError(
      "archive-unavailable",
      `The archive webhook answered ${status} with a ${name} that is no number`,
    )
  }
  return Number(value)
}

/** Update and sidecar in a row. */
function bodyOf(update: Uint8Array, sidecar: Uint8Array | null): Payload {
  if (sidecar === null) return { body: update }
  const body = new Uint8Array(update.length + sidecar.length)
  body.set(update)
  body.set(sidecar, update.length)
  return { body, updateBytes: update.length }
}

function refused(status: number, method: string): SyncError {
  return new SyncError("archive-unavailable", `The archive webhook answered ${status} to ${method}`)
}
