/**
 * A receiver for the webhook archive, as somebody might write it: an HTTP server over a Map that believes only
 * what is signed. It checks with Node's crypto, so that both sides of the signature are not one function.
 */

import { createHmac, timingSafeEqual } from "node:crypto"
import { once } from "node:events"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { buffer } from "node:stream/consumers"

export const WEBHOOK_SECRET = "a secret of the receiver"

interface Held {
  revision: number
  bytes: Buffer | null
  updatedAt: string
}

/** Start one on a free port. `received` is every request, in order; `fault` its switch. */
export async function startReceiver({ secret = WEBHOOK_SECRET } = {}) {
  const held = new Map<string, Held>()
  const received: { method: string; headers: IncomingMessage["headers"]; body: Buffer }[] = []
  const hanging = new Set<ServerResponse>()
  let fault = "none"

  function signed(request: IncomingMessage, body: Buffer): boolean {
    const {
      "x-yurt-timestamp": timestamp,
      "x-yurt-signature": signature,
      "idempotency-key": key,
    } = request.headers
    if (Math.abs(Date.now() / 1000 - Number(timestamp)) > 300) return false
    const expected = createHmac("sha256", secret)
      .update(`${timestamp}.${request.method}.${key}.`)
      .update(body)
      .digest()
    const given = Buffer.from(String(signature), "hex")
    return given.length === expected.length && timingSafeEqual(given, expected)
  }

  function answer(request: IncomingMessage, body: Buffer, response: ServerResponse): ServerResponse {
    if (!signed(request, body)) return response.writeHead(401).end()
    const url = new URL(request.url!, "http://receiver")
    const id = decodeURIComponent(url.pathname.slice("/hook/".length))
    const row = held.get(id)
    const revision = Number(request.headers["x-yurt-revision"])
    const updatedAt = new Date().toISOString()
    switch (request.method) {
      case "POST":
        if (row && (row.revision > revision || (row.revision === revision && row.bytes === null))) {
          return response.writeHead(409).end()
        }
        if (row?.revision !== revision) held.set(id, { revision, bytes: body, updatedAt })
        return response.writeHead(204).end()
      case "DELETE":
        if (row && row.revision > revision) return response.writeHead(409).end()
        held.set(id, { revision, bytes: null, updatedAt })
        return response.writeHead(204).end()
      case "GET": {
        if (url.pathname === "/hook") return list(url, response)
        if (row === undefined) return response.writeHead(404).end()
        return response
          .writeHead(row.bytes ? 200 : 410, { "x-yurt-revision": row.revision })
          .end(row.bytes ?? "")
      }
      default:
        return response.writeHead(405).end()
    }
  }

  function list(url: URL, response: ServerResponse): ServerResponse {
    const after = url.searchParams.get("cursor") ?? ""
    const limit = Number(url.searchParams.get("limit"))
    const ids = [...held].flatMap(([id, { bytes }]) => (bytes !== null && id > after ? [id] : [])).sort()
    const documents = ids.slice(0, limit).map((id) => {
      const { revision, bytes, updatedAt } = held.get(id)!
      return { id, revision, bytes: bytes!.length, updatedAt }
    })
    const cursor = ids.length > limit ? documents.at(-1)!.id : null
    return response.setHeader("content-type", "application/json").end(JSON.stringify({ documents, cursor }))
  }

  const server = createServer(async (request, response) => {
    const body = await buffer(request).catch(() => null)
    if (body === null) return
    received.push({ method: request.method!, headers: request.headers, body })
    if (fault === "refuses") response.writeHead(500).end()
    else if (fault === "hangs") hanging.add(response)
    else answer(request, body, response)
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
