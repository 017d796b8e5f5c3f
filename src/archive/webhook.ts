/**
 * The archive behind a URL of yours, for a database Yurt has no adapter for. Yurt asks; your server stores.
 *
 * | request | your server |
 * |---|---|
 * | `POST {url}/{id}` the update as `application/octet-stream`, or with `format: "json"` the JSON `{id, revision, updatedAt, text, json}` | stores it; 2xx: it holds this revision now (or did before); 409: it holds a newer one, or a deletion at this one |
 * | `GET {url}/{id}` | 200 with the update and `x-yurt-revision`; 404 never stored; 410 with `x-yurt-revision`: deleted at it |
 * | `DELETE {url}/{id}` | forgets the document and remembers the revision, unless it holds a newer one; 2xx, or 409 |
 * | `GET {url}?cursor=&limit=` | 200 with `{documents: [{id, revision, bytes, updatedAt}], cursor}` |
 *
 * `{id}` is percent-encoded, a slash as %2F. Anything else that is answered is a failure, and is tried again.
 *
 * Every request carries
 * - `x-yurt-timestamp`: seconds since 1970; refuse one that is more than some minutes off
 * - `x-yurt-signature`: hex HMAC-SHA256 of timestamp + "." + method + "." + key + "." + body, where key is the next
 * - `idempotency-key`: id@revision for POST and DELETE; for GET the id, or nothing for the list
 *
 * and POST and DELETE `x-yurt-revision`. The method and the key are signed so that no request can be replayed as
 * another: a GET and a DELETE have no body.
 */

import { SyncError } from "../errors.ts"
import { LIMITS } from "../limits.ts"
import { limited } from "./abortable.ts"
import type { Archive, ArchiveLookup, ArchivePage } from "./archive.ts"

export interface WebhookOptions {
  /** Where your server listens, without a slash at the end. */
  url: string
  /** Shared with your server: at least 16 characters. */
  secret: string
  /** "json": POST the document readable, for a receiver that does not know Yjs. It then cannot be loaded from there. */
  format?: "update" | "json"
  /** One call, ms. */
  timeoutMs?: number
}

/**
 * Keep documents behind a URL.
 *
 * @throws SyncError "internal" when the secret is too short to protect anything
 */
export function webhookArchive({
  url,
  secret,
  format = "update",
  timeoutMs = LIMITS.archiveTimeoutMs,
}: WebhookOptions): Archive {
  if (secret.length < 16) {
    throw new SyncError("internal", `The webhook's secret has ${secret.length} characters: it needs 16`)
  }
  const base = url.replace(/\/+$/, "")
  const urlOf = (id: string) => `${base}/${encodeURIComponent(id)}`

  async function request(
    method: "GET" | "POST" | "DELETE",
    target: string,
    {
      key,
      body,
      headers,
      signal,
    }: { key: string; body?: Uint8Array; headers?: Record<string, string>; signal: AbortSignal },
  ): Promise<Response> {
    const timestamp = String(Math.floor(Date.now() / 1000))
    const signature = await signWebhook(secret, { timestamp, method, key, body: body ?? new Uint8Array() })
    return fetch(target, {
      method,
      headers: {
        ...headers,
        "x-yurt-timestamp": timestamp,
        "x-yurt-signature": signature,
        "idempotency-key": key,
      },
      body: (body ?? null) as BodyInit | null,
      // A redirect would carry the signature to somebody else.
      redirect: "manual",
      signal,
    })
  }

  async function write(
    method: "POST" | "DELETE",
    id: string,
    {
      revision,
      body,
      type,
      signal,
    }: { revision: number; body?: Uint8Array; type?: string; signal: AbortSignal },
  ): Promise<"stored" | "newer"> {
    const response = await request(method, urlOf(id), {
      key: `${id}@${revision}`,
      headers: { "x-yurt-revision": String(revision), ...(type && { "content-type": type }) },
      ...(body && { body }),
      signal,
    })
    await response.body?.cancel()
    if (!response.ok && response.status !== 409) throw refused(response, method, id)
    return response.ok ? "stored" : "newer"
  }

  const archive: Archive = {
    name: "webhook",

    async load(id, signal): Promise<ArchiveLookup> {
      const response = await request("GET", urlOf(id), { key: id, signal })
      if (response.status === 200) {
        const revision = revisionOf(response, id)
        return { kind: "found", document: { update: new Uint8Array(await response.arrayBuffer()), revision } }
      }
      await response.body?.cancel()
      if (response.status === 404) return { kind: "absent" }
      if (response.status === 410) return { kind: "deleted", revision: revisionOf(response, id) }
      throw refused(response, "GET", id)
    },

    async store(id, document, signal) {
      const { revision } = document
      if (format === "update") {
        const body = document.update
        return write("POST", id, { revision, body, type: "application/octet-stream", signal })
      }
      const updatedAt = new Date(document.updatedAtMs).toISOString()
      const json = JSON.stringify({ id, revision, updatedAt, text: document.text(), json: document.json() })
      return write("POST", id, {
        revision,
        body: new TextEncoder().encode(json),
        type: "application/json",
        signal,
      })
    },

    async remove(id, revision, signal) {
      await write("DELETE", id, { revision, signal })
    },

    async list({ cursor, limit }, signal): Promise<ArchivePage> {
      const query = new URLSearchParams({ limit: String(limit), ...(cursor !== null && { cursor }) })
      const response = await request("GET", `${base}?${query}`, { key: "", signal })
      if (response.status !== 200) {
        await response.body?.cancel()
        throw refused(response, "GET", "the list")
      }
      const page: Partial<ArchivePage> | null = await response.json()
      if (!Array.isArray(page?.documents)) {
        throw new SyncError(
          "archive-unavailable",
          "The webhook answered 200 to GET of the list, without documents",
        )
      }
      return { documents: page.documents, cursor: page.cursor ?? null }
    },
  }
  return limited(archive, timeoutMs)
}

/**
 * What `x-yurt-signature` holds: for your server to compare, in constant time.
 *
 * @param request.key the `idempotency-key` header
 * @returns 64 hex digits
 */
export async function signWebhook(
  secret: string,
  { timestamp, method, key, body }: { timestamp: string; method: string; key: string; body: Uint8Array },
): Promise<string> {
  const utf8 = new TextEncoder()
  const head = utf8.encode(`${timestamp}.${method}.${key}.`)
  const signed = new Uint8Array(head.length + body.length)
  signed.set(head)
  signed.set(body, head.length)
  const hmac = { name: "HMAC", hash: "SHA-256" }
  const hmacKey = await crypto.subtle.importKey("raw", utf8.encode(secret), hmac, false, ["sign"])
  const mac = new Uint8Array(await crypto.subtle.sign("HMAC", hmacKey, signed))
  return Array.from(mac, (byte) => byte.toString(16).padStart(2, "0")).join("")
}

function revisionOf(response: Response, id: string): number {
  const header = response.headers.get("x-yurt-revision")
  if (header === null || !/^\d+$/.test(header)) {
    throw new SyncError(
      "archive-unavailable",
      `The webhook answered ${response.status} for ${id} with x-yurt-revision ${header}`,
    )
  }
  return Number(header)
}

function refused(response: Response, method: string, what: string): SyncError {
  return new SyncError(
    "archive-unavailable",
    `The webhook answered ${response.status} to ${method} of ${what}`,
  )
}
