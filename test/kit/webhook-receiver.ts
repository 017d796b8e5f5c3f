/**
 * A receiver for the webhook archive, as somebody might write it: an HTTP server over a Map that believes only
 * what is signed. It checks with Node's crypto, so that both sides of the signature are not one function.
 */

import { createHash, createHmac, timingSafeEqual } from "node:crypto"
import { once } from "node:events"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { buffer } from "node:stream/consumers"
import { compareIds } from "../../src/archive/within.ts"

export const WEBHOOK_SECRET = "a secret of the receiver"

interface Held {
  /** As the header says it, percent-encoded; undefined: nobody's. */
  writer: string | undefined
  revision: number
  /** Where the sidecar begins in the bytes, if there is one. */
  split: number | null
  bytes: Buffer
  deleted: boolean
  updatedAt: string
}

interface Reply {
  status: number
  held?: Held
  body?: Buffer | string
}

/**
 * Start one on a free port. `received` is every request, in order; `fault` its switch.
 *
 * @param options.signs whether its answers carry a signature, or a wrong one
 */
export async function startReceiver({
  secret = WEBHOOK_SECRET,
  signs = "rightly",
}: {
  secret?: string
  signs?: "rightly" | "wrongly" | "never"
} = {}) {
  const held = new Map<string, Held>()
  const received: { method: string; url: string; headers: IncomingMessage["headers"]; body: Buffer }[] = []
  const hanging = new Set<ServerResponse>()
  let fault = "none"

  const sha256 = (bytes: Buffer | string) => createHash("sha256").update(bytes).digest("hex")
  const hmac = (lines: (string | number | string[] | null | undefined)[]) =>
    createHmac("sha256", secret)
      .update(lines.map((line) => line ?? "").join("\n"))
      .digest("hex")

  function isSigned({ method, url, headers }: IncomingMessage, body: Buffer): boolean {
    const timestamp = headers["x-yurt-timestamp"]
    if (Math.abs(Date.now() / 1000 - Number(timestamp)) > 300) return false
    const lines = [
      "request",
      timestamp,
      method,
      url,
      headers["content-type"],
      headers["x-yurt-writer"],
      headers["x-yurt-revision"],
      headers["x-yurt-update-bytes"],
      headers["x-yurt-expected"],
      sha256(body),
    ]
    const expected = Buffer.from(hmac(lines))
    const given = Buffer.from(String(headers["x-yurt-signature"]))
    return given.length === expected.length && timingSafeEqual(given, expected)
  }

  function answer(request: IncomingMessage, body: Buffer): Reply {
    if (!isSigned(request, body)) return { status: 401 }
    const url = new URL(request.url!, "http://receiver")
    const id = decodeURIComponent(url.pathname.slice("/hook/".length))
    const row = held.get(id)
    switch (request.method) {
      case "POST":
      case "DELETE":
        return { status: write(id, request, body) }
      case "GET":
        if (url.pathname === "/hook") return { status: 200, body: list(url) }
        if (row === undefined) return { status: 404 }
        return { status: row.deleted ? 410 : 200, held: row, body: row.bytes }
      default:
        return { status: 405 }
    }
  }

  /** Keep what was sent if it may replace what is held. @returns the status of the answer */
  function write(id: string, { method, headers }: IncomingMessage, body: Buffer): number {
    const deleted = method === "DELETE"
    const writer = headers["x-yurt-writer"]?.toString()
    const revision = Number(headers["x-yurt-revision"])
    const split = headers["x-yurt-update-bytes"]
    const row = held.get(id)
    if (row !== undefined) {
      const sameWriter = writer !== undefined && row.writer === writer
      if (sameWriter && row.revision === revision && row.deleted === deleted) return 204
      const isExpected = headers["x-yurt-expected"] === `${row.writer ?? ""}@${row.revision}`
      const isLater = row.revision < revision || (deleted && row.revision === revision)
      if (!isExpected && !(sameWriter && isLater && !row.deleted)) return 409
    }
    const updatedAt = new Date().toISOString()
    held.set(id, { writer, revision, split: split ? Number(split) : null, bytes: body, deleted, updatedAt })
    return 204
  }

  function list(url: URL): string {
    const after = url.searchParams.get("cursor") ?? ""
    const limit = Number(url.searchParams.get("limit"))
    const { searchParams } = url
    const [from, before] = [searchParams.get("from") ?? "", searchParams.get("before")]
    const isWithin = (id: string) =>
      compareIds(id, after) > 0 &&
      compareIds(id, from) >= 0 &&
      (before === null || compareIds(id, before) < 0)
    const ids = [...held].flatMap(([id, { deleted }]) => (!deleted && isWithin(id) ? [id] : []))
    ids.sort(compareIds)
    const documents = ids.slice(0, limit).map((id) => {
      const { revision, bytes, split, updatedAt } = held.get(id)!
      return { id, revision, bytes: split ?? bytes.length, updatedAt }
    })
    return JSON.stringify({ documents, cursor: ids.length > limit ? documents.at(-1)!.id : null })
  }

  function reply(
    response: ServerResponse,
    request: IncomingMessage,
    { status, held, body = "" }: Reply,
  ): void {
    const writer = held?.writer
    const revision = held?.revision
    const split = held?.split ?? undefined
    if (writer !== undefined) response.setHeader("x-yurt-writer", writer)
    if (revision !== undefined) response.setHeader("x-yurt-revision", revision)
    if (split !== undefined) response.setHeader("x-yurt-update-bytes", split)
    if (signs !== "never") {
      const lines = [
        "answer",
        request.headers["x-yurt-signature"],
        status,
        writer,
        revision,
        split,
        sha256(body),
      ]
      response.setHeader("x-yurt-signature", hmac(signs === "rightly" ? lines : ["guess"]))
    }
    response.writeHead(status).end(body)
  }

  const server = createServer(async (request, response) => {
    const body = await buffer(request).catch(() => null)
    if (body === null) return
    received.push({ method: request.method!, url: request.url!, headers: request.headers, body })
    if (fault === "refuses") response.writeHead(500).end()
    else if (fault === "hangs") hanging.add(response)
    else reply(response, request, answer(request, body))
  }).listen(0, "127.0.0.1")
  await once(server, "listening")

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    received,
    fault(kind: string) {
      fault = kind
      for (const response of hanging) response.destroy()
      hanging.clear()
    },
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, "close")
    },
  }
}
