/**
 * Servers that documents are imported from or exported into, as far as a command sees them: Redis, S3, Tiptap's and
 * Liveblocks' REST. What they hold is in test/fixtures/sources, and was written by the real ones; that these here answer
 * alike was tried once against Redis 7, s3rver 3.7, @liveblocks/node 3.24 and the server of `npx liveblocks dev` 1.9.0.
 */
import { once } from "node:events"
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import { type AddressInfo, createServer as createTcpServer, type Socket } from "node:net"
import * as Y from "yjs"

/** A server that runs. */
export interface OldServer {
  readonly url: string
  /** Every request, as `METHOD path?query`. */
  readonly asked: string[]
  close(): Promise<void>
}

/** What Redis holds, items in base64. */
export interface RedisDump {
  readonly streams: Readonly<Record<string, readonly string[]>>
  readonly lists: Readonly<Record<string, readonly string[]>>
}

/** Redis, for AUTH, SELECT, SCAN, XRANGE and LRANGE. A page of SCAN has one key, and the first comes twice. */
export async function startRedis(dump: RedisDump, { password = "" } = {}): Promise<OldServer> {
  const asked: string[] = []
  const bulk = (bytes: Buffer) =>
    Buffer.concat([Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from("\r\n")])
  const array = (items: readonly Buffer[]) => Buffer.concat([Buffer.from(`*${items.length}\r\n`), ...items])
  const text = (value: string) => bulk(Buffer.from(value))
  const base64 = (value: string) => bulk(Buffer.from(value, "base64"))

  function answer([command, ...words]: string[], session: { known: boolean }): Buffer {
    asked.push([command, ...words].join(" "))
    if (command === "AUTH") {
      session.known = words.at(-1) === password
      return Buffer.from(session.known ? "+OK\r\n" : "-WRONGPASS invalid username-password pair\r\n")
    }
    if (!session.known) return Buffer.from("-NOAUTH Authentication required.\r\n")
    switch (command) {
      case "SELECT":
        return Buffer.from("+OK\r\n")
      case "SCAN": {
        const of = words.at(-1) === "stream" ? dump.streams : dump.lists
        const pattern = words[2]!
          .replaceAll("*", "\0")
          .replace(/[.+^${}()|]/g, "\\$&")
          .replaceAll("\0", ".*")
        const keys = Object.keys(of).filter((key) => new RegExp(`^${pattern}$`).test(key))
        const page = [...keys, ...keys.slice(0, 1)]
        const at = Number(words[0])
        const next = at + 1 < page.length ? at + 1 : 0
        return array([text(String(next)), array(page.slice(at, at + 1).map(text))])
      }
      case "XRANGE":
        return array(
          dump.streams[words[0]!]!.map((message, n) =>
            array([text(`${n}-0`), array([text("m"), base64(message)])]),
          ),
        )
      case "LRANGE":
        return array(dump.lists[words[0]!]!.map(base64))
      default:
        return Buffer.from(`-ERR unknown command '${command}'\r\n`)
    }
  }

  const sockets = new Set<Socket>()
  const server = createTcpServer((socket) => {
    sockets.add(socket)
    socket.setNoDelay()
    const session = { known: password === "" }
    let buffered = ""
    socket.on("error", () => {})
    socket.on("data", (chunk) => {
      buffered += chunk.toString("latin1")
      for (let words = readCommand(buffered); words !== null; words = readCommand(buffered)) {
        buffered = buffered.slice(words.end)
        const reply = answer(words.words, session)
        // In two pieces, that cut where they like.
        socket.write(reply.subarray(0, reply.length >> 1))
        setImmediate(() => socket.write(reply.subarray(reply.length >> 1)))
      }
    })
  }).listen(0, "127.0.0.1")
  await once(server, "listening")
  return {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    async close() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, "close")
    },
  }
}

function readCommand(text: string): { words: string[]; end: number } | null {
  let end = text.indexOf("\r\n") + 2
  if (end < 2) return null
  const words: string[] = []
  for (let left = Number(text.slice(1, end)); left > 0; left--) {
    const from = text.indexOf("\r\n", end) + 2
    if (from < 2) return null
    const length = Number(text.slice(end + 1, from))
    if (text.length < from + length + 2) return null
    words.push(Buffer.from(text.slice(from, from + length), "latin1").toString())
    end = from + length + 2
  }
  return { words, end }
}

/** An object of a bucket: what it is, and what it was, oldest first. */
export type StoredObject = Uint8Array | readonly { readonly at: string; readonly bytes: Uint8Array }[]

/** S3, for one key pair: lists two entries a page, encodes keys where it is asked to, and keeps versions. */
export function startBucket(
  objects: Map<string, StoredObject>,
  { encodes = true, name = "bucket" } = {},
): Promise<OldServer & { readonly env: Record<string, string> }> {
  const pageLength = 2
  const versionsOf = (stored: StoredObject) =>
    stored instanceof Uint8Array ? [{ at: "2026-01-01T00:00:00.000Z", bytes: stored }] : stored
  const written = (key: string) =>
    encodes
      ? encodeURIComponent(key).replaceAll("%20", "+")
      : key.replaceAll("&", "&amp;").replaceAll("<", "&lt;")

  function list(query: URLSearchParams): string {
    const after = Buffer.from(query.get("continuation-token") ?? "", "base64").toString()
    const keys = [...objects.keys()]
      .filter((key) => key.startsWith(query.get("prefix")!) && key > after)
      .sort()
    const page = keys.slice(0, pageLength)
    const more = keys.length > page.length
    return `<ListBucketResult>${encodes ? "<EncodingType>url</EncodingType>" : ""}<IsTruncated>${more}</IsTruncated>${page
      .map((key) => `<Contents><Key>${written(key)}</Key></Contents>`)
      .join(
        "",
      )}${more ? `<NextContinuationToken>${Buffer.from(page.at(-1)!).toString("base64")}</NextContinuationToken>` : ""}</ListBucketResult>`
  }

  function listVersions(query: URLSearchParams): string {
    const lines = [...objects]
      .filter(([key]) => key.startsWith(query.get("prefix")!))
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .flatMap(([key, stored]) => {
        const versions = versionsOf(stored)
        return versions
          .map(({ at }, n) => ({ key, id: `v${n}`, at, isLatest: n === versions.length - 1 }))
          .reverse()
      })
    const marker = lines.findIndex(
      ({ key, id }) => key === query.get("key-marker") && id === query.get("version-id-marker"),
    )
    const page = lines.slice(marker + 1, marker + 1 + pageLength)
    const more = marker + 1 + page.length < lines.length
    const last = page.at(-1)
    return `<ListVersionsResult>${encodes ? "<EncodingType>url</EncodingType>" : ""}<IsTruncated>${more}</IsTruncated>${
      more
        ? `<NextKeyMarker>${written(last!.key)}</NextKeyMarker><NextVersionIdMarker>${last!.id}</NextVersionIdMarker>`
        : ""
    }${page
      .map(
        ({ key, id, at, isLatest }) =>
          `<Version><Key>${written(key)}</Key><VersionId>${id}</VersionId><IsLatest>${isLatest}</IsLatest><LastModified>${at}</LastModified></Version>`,
      )
      .join("")}</ListVersionsResult>`
  }

  return serve((request, response, url, body) => {
    if (
      !/^AWS4-HMAC-SHA256 Credential=KEY\/\d{8}\/eu-central-1\/s3\//.test(request.headers.authorization ?? "")
    )
      return response.writeHead(403).end("<Error><Code>AccessDenied</Code></Error>")
    const [, bucket, ...rest] = url.pathname.split("/").map(decodeURIComponent)
    if (bucket !== name) return response.writeHead(404).end("<Error><Code>NoSuchBucket</Code></Error>")
    const key = rest.join("/")
    if (request.method === "PUT") {
      objects.set(key, body)
      return response.end()
    }
    if (key === "")
      return response.end(
        url.searchParams.has("versions") ? listVersions(url.searchParams) : list(url.searchParams),
      )
    const stored = objects.get(key)
    if (stored === undefined) return response.writeHead(404).end("<Error><Code>NoSuchKey</Code></Error>")
    const id = url.searchParams.get("versionId")
    const versions = versionsOf(stored)
    return response.end(versions[id === null ? versions.length - 1 : Number(id.slice(1))]!.bytes)
  }).then((server) => ({
    ...server,
    env: {
      AWS_ACCESS_KEY_ID: "KEY",
      AWS_SECRET_ACCESS_KEY: "secret",
      AWS_REGION: "eu-central-1",
      AWS_ENDPOINT_URL_S3: server.url,
    },
  }))
}

/** A document of a product that keeps versions. */
export interface KeptDocument {
  readonly now: Uint8Array
  readonly versions: readonly { readonly at: string; readonly name?: string; readonly bytes: Uint8Array }[]
}

/** Documents by their names; who writes adds to them. */
type Kept = Map<string, KeptDocument>

/** What a service does with an update that is sent to it; false where it is none. */
function merge(documents: Kept, name: string, update: Uint8Array): boolean {
  const { now = null, versions = [] } = documents.get(name) ?? {}
  const doc = new Y.Doc()
  try {
    for (const one of [now, update]) if (one !== null && one.length > 0) Y.applyUpdate(doc, one)
  } catch {
    return false
  }
  documents.set(name, { now: Y.encodeStateAsUpdate(doc), versions })
  return true
}

/** Tiptap's document server, for the token `Bearer tiptap`. The first request is too many. */
export function startTiptap(documents: Kept): Promise<OldServer> {
  let requests = 0
  return serve((request, response, url, body) => {
    if (requests++ === 0) return response.writeHead(429, { "retry-after": "0" }).end()
    if (request.headers.authorization !== "Bearer tiptap") return response.writeHead(401).end("Unauthorized")
    const [, , , name, versions] = url.pathname.split("/").map(decodeURIComponent)
    const query = url.searchParams
    if (name === undefined) {
      const skip = Number(query.get("skip"))
      const page = [...documents.keys()].slice(skip, skip + Number(query.get("take")))
      return response.end(JSON.stringify(page.map((name) => ({ name, created_at: "2026-01-01" }))))
    }
    const document = documents.get(name)
    if (request.method === "POST" && document !== undefined) return response.writeHead(409).end()
    if (document === undefined && request.method !== "POST") return response.writeHead(404).end()
    if (request.method !== "GET") return response.writeHead(merge(documents, name, body) ? 204 : 422).end()
    if (versions === "versions") {
      const lines = document!.versions.map(({ at, name = null }, version) => ({
        version,
        date: Date.parse(at),
        name,
        meta: { __tiptap: { trigger: "api" } },
      }))
      return response.end(JSON.stringify(lines.reverse()))
    }
    const version = query.get("version")
    return response.end(version === null ? document!.now : document!.versions[Number(version)]!.bytes)
  })
}

/** Liveblocks' REST, for the key `sk_old`; its pages hold one entry. */
export function startLiveblocks(rooms: Kept): Promise<OldServer> {
  return serve((request, response, url, body) => {
    const { method, headers } = request
    if (headers.authorization !== "Bearer sk_old") return response.writeHead(401).end("{}")
    const [, , , id, what, version] = url.pathname.split("/").map(decodeURIComponent)
    const pageOf = <Entry extends { id: string }>(entries: Entry[], cursor: string | null) => {
      const at = cursor === null ? 0 : entries.findIndex((entry) => entry.id === cursor) + 1
      const nextCursor = at + 1 < entries.length ? entries[at]!.id : null
      return response.end(JSON.stringify({ data: entries.slice(at, at + 1), nextCursor }))
    }
    if (id === undefined && method === "POST") {
      const made = JSON.parse(body.toString()) as { id: string; defaultAccesses: string[] }
      if (!Array.isArray(made.defaultAccesses) || headers["content-type"] !== "application/json")
        return response.writeHead(422).end("{}")
      if (rooms.has(made.id)) return response.writeHead(409).end('{"error":"ROOM_ALREADY_EXISTS"}')
      merge(rooms, made.id, new Uint8Array())
      return response.end(JSON.stringify({ type: "room", ...made }))
    }
    if (id === undefined)
      return pageOf(
        [...rooms.keys()].map((id) => ({ type: "room", id })),
        url.searchParams.get("startingAfter"),
      )
    const room = rooms.get(id)
    if (room === undefined) return response.writeHead(404).end("{}")
    if (what === undefined) return response.end(JSON.stringify({ type: "room", id }))
    if (what === "ydoc" && method === "PUT") {
      if (headers["content-type"] !== "application/octet-stream") return response.writeHead(400).end("{}")
      return response.writeHead(merge(rooms, id, body) ? 200 : 422).end("{}")
    }
    if (what === "ydoc-binary") return response.end(room.now)
    if (version !== undefined) return response.end(room.versions[Number(version.slice("vh_".length))]!.bytes)
    const entries = room.versions.map(({ at }, n) => ({
      id: `vh_${n}`,
      createdAt: at,
      authors: [{ id: "ada" }],
    }))
    return pageOf(entries.reverse(), url.searchParams.get("cursor"))
  })
}

async function serve(
  answer: (request: IncomingMessage, response: ServerResponse, url: URL, body: Buffer) => unknown,
): Promise<OldServer> {
  const asked: string[] = []
  const server: Server = createServer(async (request, response) => {
    asked.push(`${request.method} ${request.url}`)
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    answer(request, response, new URL(request.url!, "http://old"), Buffer.concat(chunks))
  }).listen(0, "127.0.0.1")
  await once(server, "listening")
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, "close")
    },
  }
}
