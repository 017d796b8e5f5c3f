/**
 * A bucket of one's own, for clusters: as much of S3 as workerd asks for, in memory. What a cluster stands on is kept
 * strictly: conditional writes (If-None-Match, If-Match), listings in order and in pages. Whose key it is is read, not
 * proven: the signature is not checked.
 */
import { createHash } from "node:crypto"
import { once } from "node:events"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo, Socket } from "node:net"
import { buffer } from "node:stream/consumers"

/** The only key that is let in, and what it is called. */
export const BUCKET_KEY = { AWS_ACCESS_KEY_ID: "yurt", AWS_SECRET_ACCESS_KEY: "a secret of the bucket" }

/** Keys of a listing's page. S3 has 1,000; fewer here, so that there is more than one. */
const PAGE = 100

export interface TestBucket {
  readonly port: number
  /** What a server is told of it. */
  readonly env: Readonly<Record<string, string>>
  readonly objects: ReadonlyMap<string, Buffer>
  /** Requests so far, by method. */
  readonly asked: ReadonlyMap<string, number>
  /** "away": 503. "hung": no answer. "careless": conditions are not looked at. "late": its clock is a minute behind. */
  fault: "none" | "away" | "hung" | "careless" | "late"
  close(): Promise<void>
}

/** Start a bucket `yurt`. */
export async function startBucket(): Promise<TestBucket> {
  const objects = new Map<string, Buffer>()
  const asked = new Map<string, number>()
  const sockets = new Set<Socket>()
  const hanging = new Set<ServerResponse>()
  let fault: TestBucket["fault"] = "none"
  const server = createServer((request, response) => {
    void answer(request, response).catch(() => response.destroy())
  })
  server.on("connection", (socket) => {
    sockets.add(socket)
    socket.on("close", () => sockets.delete(socket))
  })

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await buffer(request)
    const method = request.method!
    const refuse = (status: number, code: string) =>
      response
        .writeHead(status, { "content-type": "application/xml" })
        .end(`<Error><Code>${code}</Code></Error>`)
    asked.set(method, (asked.get(method) ?? 0) + 1)
    if (bucket.fault === "hung") return void hanging.add(response)
    if (bucket.fault === "late") response.setHeader("date", new Date(Date.now() - 60_000).toUTCString())
    if (bucket.fault === "away") return void refuse(503, "SlowDown")
    if (!request.headers.authorization?.includes(`Credential=${BUCKET_KEY.AWS_ACCESS_KEY_ID}/`))
      return void refuse(403, "InvalidAccessKeyId")
    const url = new URL(request.url!, "http://bucket")
    const [, name, ...path] = decodeURIComponent(url.pathname).split("/")
    const key = path.join("/")
    if (name !== "yurt") return void refuse(404, "NoSuchBucket")
    if (method === "GET" && key === "") return void response.end(list(url.searchParams))
    const held = objects.get(key)
    const { "if-match": match, "if-none-match": noneMatch, range } = request.headers
    const isMet =
      (noneMatch !== "*" || held === undefined) && (match === undefined || (held && match === tagOf(held)))
    if (method !== "GET" && !isMet && bucket.fault !== "careless")
      return void refuse(412, "PreconditionFailed")
    if (method === "PUT") {
      objects.set(key, body)
      return void response.setHeader("etag", tagOf(body)).end()
    }
    if (method === "DELETE") {
      objects.delete(key)
      return void response.writeHead(204).end()
    }
    if (method !== "GET" && method !== "HEAD") return void refuse(405, "MethodNotAllowed")
    if (held === undefined) return void refuse(404, "NoSuchKey")
    response.setHeader("etag", tagOf(held))
    const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(range ?? "") ?? []
    if (from === undefined) return void response.end(held)
    const part = held.subarray(Number(from), to === "" ? undefined : Number(to) + 1)
    response.setHeader("content-range", `bytes ${from}-${Number(from) + part.length - 1}/${held.length}`)
    response.writeHead(206).end(part)
  }

  /** ListObjectsV2, without delimiters. */
  function list(query: URLSearchParams): string {
    const prefix = query.get("prefix") ?? ""
    const after = query.get("continuation-token") ?? query.get("start-after") ?? ""
    const size = Math.min(PAGE, Number(query.get("max-keys") ?? PAGE))
    const keys = [...objects.keys()].filter((key) => key.startsWith(prefix) && key > after).sort()
    const page = keys.slice(0, size)
    const isTruncated = keys.length > size
    const contents = page.map((key) => {
      const { length } = objects.get(key)!
      return `<Contents><Key>${key}</Key><ETag>${tagOf(objects.get(key)!)}</ETag><Size>${length}</Size></Contents>`
    })
    const next = isTruncated ? `<NextContinuationToken>${page.at(-1)}</NextContinuationToken>` : ""
    return `<ListBucketResult><IsTruncated>${isTruncated}</IsTruncated>${contents.join("")}${next}</ListBucketResult>`
  }

  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as AddressInfo
  const bucket: TestBucket = {
    ...{ port, objects, asked },
    get fault() {
      return fault
    },
    set fault(next) {
      fault = next
      // The network is back, and knows nothing of what it carried before.
      for (const response of hanging) response.destroy()
      hanging.clear()
    },
    env: { ...BUCKET_KEY, AWS_ENDPOINT_URL: `http://127.0.0.1:${port}`, AWS_REGION: "auto" },
    async close() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, "close")
    },
  }
  return bucket
}

function tagOf(bytes: Buffer): string {
  return `"${createHash("md5").update(bytes).digest("hex")}"`
}
