/** The readers of other servers' layouts, on what the real servers have left: see test/fixtures/sources. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import { type AddressInfo, createServer as createTcpServer } from "node:net"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import * as decoding from "lib0/decoding"
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import { WebSocketServer } from "ws"
import * as Y from "yjs"
import { writeHocuspocusS3 } from "../../../src/cli/layouts/hocuspocus-s3.ts"
import { writeYSweet } from "../../../src/cli/layouts/y-sweet.ts"
import { signS3 } from "../../../src/cli/s3.ts"
import { openAddress } from "../../../src/cli/sources/address.ts"
import { openHocuspocusS3 } from "../../../src/cli/sources/hocuspocus-s3.ts"
import { openLiveblocks } from "../../../src/cli/sources/liveblocks.ts"
import type { OpenSource, SourceOptions } from "../../../src/cli/sources/source.ts"
import { openTiptapCloud } from "../../../src/cli/sources/tiptap-cloud.ts"
import { openYRedis } from "../../../src/cli/sources/y-redis.ts"
import { openYSweet } from "../../../src/cli/sources/y-sweet.ts"
import { openYhub } from "../../../src/cli/sources/yhub.ts"
import { compareDocuments } from "../../../src/cli/verify.ts"
import {
  type KeptDocument,
  type OldServer,
  type RedisDump,
  startBucket,
  startLiveblocks,
  startRedis,
  startTiptap,
} from "../../kit/old-servers.ts"
import { startPostgres, type TestPostgres } from "../../kit/postgres.ts"

const FIXTURES = join(import.meta.dirname, "../../fixtures/sources")
const read = <Shape>(name: string): Shape => JSON.parse(readFileSync(join(FIXTURES, name), "utf8"))
const EXPECTED = read<Record<string, string>>("expected.json")
const LONG = Object.keys(EXPECTED).find((id) => id.startsWith("long"))!
const MUELLER = "Müller/Angebot 3"

type Row = Record<string, string | number | boolean | null>
const Y_REDIS = read<
  RedisDump & {
    yredis_docs_v1: Row[]
    yredis_docs_v2: Row[]
    buckets: Record<string, Record<string, string>>
  }
>("y-redis.json")
const YHUB = read<
  RedisDump & { yhub_ydoc_v1: Row[]; yhub_ydoc_tombstones_v1: Row[]; bucket: Record<string, string> }
>("yhub.json")

const bytesOf = (base64: string) => new Uint8Array(Buffer.from(base64, "base64"))
const fixture = (id: string) => bytesOf(EXPECTED[id]!)

/** Everything that a source has, by id; what cannot be read is the reason. */
async function readAll(open: OpenSource, where: string, options: Partial<SourceOptions> = {}) {
  const source = await open(where, { also: [], settings: {}, ids: null, ...options })
  const found: Record<string, Uint8Array | string> = {}
  try {
    for await (const { id, read } of source.documents())
      found[id] = await read().catch((thrown: Error) => thrown.message)
  } finally {
    await source.close()
  }
  return found
}

/** How what was found compares to what was written. */
function judge(found: Record<string, Uint8Array | string>, names: (id: string) => string = (id) => id) {
  return Object.fromEntries(
    Object.entries(found).map(([id, update]) => [
      id,
      typeof update === "string" ? update : compareDocuments(fixture(names(id)), update),
    ]),
  )
}

const closing: OldServer[] = []
afterEach(async () => {
  for (const server of closing.splice(0)) await server.close()
})
async function opened<Opened extends OldServer>(server: Promise<Opened>): Promise<Opened> {
  closing.push(await server)
  return server
}

/** A document and two of its earlier states, of which one had a name. */
function keptDocument(id: string): KeptDocument {
  const doc = new Y.Doc()
  doc.getText("text").insert(0, "first ")
  const first = Y.encodeStateAsUpdate(doc)
  doc.getText("text").insert(6, "second")
  const second = Y.encodeStateAsUpdate(doc)
  Y.applyUpdate(doc, fixture(id))
  return {
    now: Y.encodeStateAsUpdate(doc),
    versions: [
      { at: "2026-03-01T10:00:00.000Z", bytes: first },
      { at: "2026-03-02T10:00:00.000Z", name: "Before the meeting", bytes: second },
    ],
  }
}

describe("stores in a bucket", () => {
  it("[A8] are signed for as AWS documents it", () => {
    const keys = {
      id: "AKIAIOSFODNN7EXAMPLE",
      secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
      session: null,
    }
    const about = { keys, region: "us-east-1", at: new Date("2013-05-24T00:00:00Z") }
    const request = {
      method: "GET",
      path: "/",
      host: "examplebucket.s3.amazonaws.com",
      body: new Uint8Array(),
    }
    const signatureOf = (query: Record<string, string>) =>
      /Signature=(\w+)/.exec(signS3({ ...request, query }, about).authorization!)![1]
    // @source AWS: Signature Calculations for the Authorization Header, its examples
    expect(signatureOf({ "max-keys": "2", prefix: "J" })).toBe(
      "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
    )
    expect(signatureOf({ lifecycle: "" })).toBe(
      "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
    )
  })

  it.each([
    ["that encodes keys", "s3://bucket", "hocuspocus-documents/", true],
    ["that does not", "s3://bucket", "hocuspocus-documents/", false],
    ["under a prefix of one's own", "s3://bucket/notes of ours", "notes of ours/", true],
  ])("[D3] give every document of Hocuspocus, from a service %s", async (_, where, prefix, encodes) => {
    const ids = ["notes", "team/plan", MUELLER, LONG, "a+b & <c>'s (1)"]
    const objects = new Map(ids.map((id) => [`${prefix}${id}.bin`, fixture(EXPECTED[id] ? id : "notes")]))
    objects.set(`${prefix}readme.txt`, new Uint8Array([1]))
    const bucket = await opened(startBucket(objects, { encodes }))
    const found = judge(await readAll(openHocuspocusS3, where, { settings: bucket.env }), (id) =>
      EXPECTED[id] ? id : "notes",
    )
    expect(found).toEqual(Object.fromEntries(ids.map((id) => [id, "equal"])))
  })

  it("[H2] give what an object was before, oldest first, and nothing of a key that begins alike", async () => {
    const { now, versions } = keptDocument("notes")
    const last = { at: "2026-03-03T10:00:00.000Z", bytes: now }
    const bucket = await opened(
      startBucket(
        new Map([
          ["hocuspocus-documents/notes.bin", [...versions, last]],
          ["hocuspocus-documents/notes.bin.bin", [...versions, last]],
        ]),
      ),
    )
    const source = await openHocuspocusS3("s3://bucket", { also: [], settings: bucket.env, ids: null })
    for await (const document of source.documents()) {
      const kept = await document.versions!()
      expect(kept.map(({ at }) => at)).toEqual(versions.map(({ at }) => at))
      for (const [n, version] of kept.entries()) expect(await version.read()).toEqual(versions[n]!.bytes)
      expect(await document.read()).toEqual(now)
    }
  })

  it("[D3] give every document of Y-Sweet", async () => {
    const objects = new Map(
      ["notes", "team-plan", "empty"].map((id) => [
        `sweet/${id}/data.ysweet`,
        new Uint8Array(readFileSync(join(FIXTURES, `y-sweet/${id}/data.ysweet`))),
      ]),
    )
    const bucket = await opened(startBucket(objects))
    expect(judge(await readAll(openYSweet, "s3://bucket/sweet", { settings: bucket.env }))).toEqual({
      notes: "equal",
      "team-plan": "equal",
      empty: "equal",
    })
  })

  it.each([
    ["Hocuspocus", writeHocuspocusS3, openHocuspocusS3, "s3://bucket"],
    ["Y-Sweet", writeYSweet, openYSweet, "s3://bucket/sweet/"],
  ])("[D3] take what %s is to start from, and give it back", async (_, write, open, where) => {
    const bucket = await opened(startBucket(new Map()))
    const layout = await write(where, bucket.env)
    for (const id of ["notes", "team-plan"]) {
      expect(await layout.has(id)).toBe(false)
      await layout.write(id, fixture("empty"))
      await layout.write(id, fixture(id))
      expect(await layout.has(id)).toBe(true)
    }
    // A longer name that begins alike is another document's.
    expect(await layout.has("note")).toBe(false)
    await layout.close()
    expect(judge(await readAll(open, where, { settings: bucket.env }))).toEqual({
      notes: "equal",
      "team-plan": "equal",
    })
  })

  it.each([
    ["s3://bucket", {}, "bad-config"],
    ["s3://bucket", { AWS_ACCESS_KEY_ID: "ANOTHER" }, "refused"],
    ["s3://nowhere", null, "refused"],
    ["s3://bucket/empty/", null, "bad-source"],
  ])("say what is wrong with %s and %j", async (where, keys, code) => {
    const bucket = await opened(startBucket(new Map([["hocuspocus-documents/a.bin", fixture("notes")]])))
    const settings =
      keys === null ? bucket.env : "AWS_ACCESS_KEY_ID" in keys ? { ...bucket.env, ...keys } : keys
    await expect(readAll(openHocuspocusS3, where, { settings })).rejects.toMatchObject({ code })
  })
})

describe("stores in Redis and Postgres", () => {
  let database: TestPostgres
  let folder: string
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "yurt-sources-"))
    database = await startPostgres()
    await database.query(`CREATE TABLE yredis_docs_v1 (room text, doc text, r int, update bytea, sv bytea)`)
    await database.query(
      `CREATE TABLE yredis_docs_v2 (room text, doc text, branch text, gc boolean, r int, update bytea, sv bytea)`,
    )
    await database.query(
      `CREATE TABLE yhub_ydoc_v1 (org text, docid text, branch text, t text, created int8, gcdoc bytea, nongcdoc bytea)`,
    )
    await database.query(
      `CREATE TABLE yhub_ydoc_tombstones_v1 (org text, docid text, branch text, deleted_at int8, hard boolean)`,
    )
    const tables = {
      yredis_docs_v1: Y_REDIS.yredis_docs_v1,
      yredis_docs_v2: Y_REDIS.yredis_docs_v2,
      yhub_ydoc_v1: YHUB.yhub_ydoc_v1,
      yhub_ydoc_tombstones_v1: YHUB.yhub_ydoc_tombstones_v1,
    }
    const binary = ["update", "sv", "gcdoc", "nongcdoc"]
    const kept = /^(room|doc|branch|gc|r|update|sv|org|docid|t|created|gcdoc|nongcdoc|deleted_at|hard)$/
    for (const [table, rows] of Object.entries(tables))
      for (const row of rows) {
        const columns = Object.keys(row).filter((name) => kept.test(name))
        const values = columns.map((name, n) =>
          binary.includes(name) ? `decode($${n + 1}, 'base64')` : `$${n + 1}`,
        )
        await database.query(
          `INSERT INTO ${table} (${columns.join(", ")}) VALUES (${values.join(", ")})`,
          columns.map((name) => (row[name] === null ? null : String(row[name]))),
        )
      }
    for (const [name, objects] of Object.entries({ ...Y_REDIS.buckets, yhub: YHUB.bucket }))
      for (const [path, base64] of Object.entries(objects)) {
        mkdirSync(join(folder, name, dirname(path)), { recursive: true })
        writeFileSync(join(folder, name, path), bytesOf(base64))
      }
  }, 60_000)
  afterAll(async () => {
    await database?.close()
    rmSync(folder, { recursive: true, force: true })
  })

  it("[D3] give every document of y-redis, put together from all places", async () => {
    const redis = await opened(startRedis(Y_REDIS))
    const also = [database.url, join(folder, "new"), join(folder, "old")]
    expect(judge(await readAll(openYRedis, redis.url, { also }))).toEqual({
      notes: "equal",
      "team/plan": "equal",
      [MUELLER]: "equal",
      [LONG]: "equal",
      "team-plan": "equal",
    })
  })

  it("[D9] never pass half of a document for all of it: what is only in the stream waits for the rest", async () => {
    const redis = await opened(startRedis(Y_REDIS))
    const found = await readAll(openYRedis, `${redis.url}/2?prefix=y`)
    const half = new Y.Doc()
    Y.applyUpdate(half, found.notes as Uint8Array)
    expect(half.store.pendingStructs).not.toBeNull()
    expect(redis.asked).toContain("SELECT 2")
  })

  it("[R4] open Redis by its password, and say so without it", async () => {
    const redis = await opened(startRedis(Y_REDIS, { password: "p/ss" }))
    const open = redis.url.replace("//", "//default:p%2Fss@")
    expect(judge(await readAll(openYRedis, open))["team-plan"]).toBe("equal")
    for (const url of [redis.url, redis.url.replace("//", "//:wrong@")])
      await expect(readAll(openYRedis, url)).rejects.toMatchObject({
        code: "refused",
        message: expect.not.stringContaining("wrong@"),
      })
  })

  it("[D3][H2] give every document of YHub but what was deleted, and what it was at each row", async () => {
    const redis = await opened(startRedis(YHUB))
    const options = { also: [join(folder, "yhub"), redis.url], settings: {}, ids: null }
    const names = (id: string) => id.slice("acme/".length)
    expect(judge(await readAll(openYhub, database.url, options), names)).toEqual({
      "acme/notes": "equal",
      "acme/team/plan": "equal",
    })
    const source = await openYhub(database.url, options)
    const [notes] = await Array.fromAsync(source.documents())
    const [before, ...rest] = await notes!.versions!()
    expect(before!.at).toBe("2023-11-14T22:13:20.000Z")
    expect(rest).toEqual([])
    const doc = new Y.Doc()
    Y.applyUpdate(doc, await before!.read())
    expect(doc.getText("text").toString()).toBe("This")
    await source.close()
  })

  it("[D3] name what lies in a bucket that was not named, and bring the others", async () => {
    const found = await readAll(openYhub, database.url)
    expect(found["acme/notes"]).toMatch(/it lies in a bucket .*: name it/)
    expect(judge({ "acme/team/plan": found["acme/team/plan"]! }, () => "team/plan")).toEqual({
      "acme/team/plan": "equal",
    })
  })

  it.each([
    [openYRedis, "ftp://example.com", "usage"],
    [openYRedis, "redis://127.0.0.1:1", "unreachable"],
    [openYhub, "redis://127.0.0.1:1", "usage"],
    [openYhub, "postgres://a:secret@127.0.0.1:1/b", "unreachable"],
  ])("say what is wrong with an address, %#", async (open, where, code) => {
    await expect(readAll(open, where)).rejects.toMatchObject({
      code,
      message: expect.not.stringContaining("secret"),
    })
  })

  it("[W3] say that what answers is no Redis, and do not wait for it", async () => {
    const server = createTcpServer((socket) => void socket.end("HTTP/1.1 400 Bad Request\r\n\r\n")).listen(0)
    const url = `redis://127.0.0.1:${(server.address() as AddressInfo).port}`
    await expect(readAll(openYRedis, url)).rejects.toMatchObject({ code: "refused" })
    server.close()
  })
})

describe("products behind a REST", () => {
  const documents = () => new Map(["notes", "team/plan", MUELLER].map((id) => [id, keptDocument(id)]))

  it.each([
    ["Tiptap", startTiptap, openTiptapCloud, { TIPTAP_TOKEN: "tiptap" }],
    ["Liveblocks", startLiveblocks, openLiveblocks, { LIVEBLOCKS_SECRET_KEY: "sk_old" }],
  ])(
    "[D3][H2] give every document of %s, and its versions in their order",
    async (name, start, open, settings) => {
      const kept = documents()
      const server = await opened(start(kept))
      const source = await open(server.url, { also: [], settings, ids: null })
      const ids: string[] = []
      for await (const document of source.documents()) {
        ids.push(document.id)
        const { now, versions } = kept.get(document.id)!
        expect(compareDocuments(now, await document.read())).toBe("equal")
        const found = await document.versions!()
        expect(found.map(({ at }) => at)).toEqual(versions.map(({ at }) => at))
        if (name === "Tiptap") expect(found.map(({ name }) => name)).toEqual([null, "Before the meeting"])
        for (const [n, version] of found.entries())
          expect(compareDocuments(versions[n]!.bytes, await version.read())).toBe("equal")
      }
      expect(ids).toEqual([...kept.keys()])
    },
  )

  it("[A8] list more documents than a page has, each once", async () => {
    const { now } = keptDocument("notes")
    const many = new Map(Array.from({ length: 230 }, (_, n) => [`doc-${n}`, { now, versions: [] }]))
    const server = await opened(startTiptap(many))
    const source = await openTiptapCloud(server.url, {
      also: [],
      settings: { TIPTAP_SECRET: "Bearer tiptap" },
      ids: null,
    })
    const ids = (await Array.fromAsync(source.documents())).map(({ id }) => id)
    expect(ids).toEqual([...many.keys()])
  })

  it.each([
    [openTiptapCloud, {}, "bad-config"],
    [openTiptapCloud, { TIPTAP_TOKEN: "guessed" }, "refused"],
    [openLiveblocks, {}, "bad-config"],
    [openLiveblocks, { LIVEBLOCKS_SECRET_KEY: "sk_guessed" }, "refused"],
  ])("[R4] say that a key is missing or wrong, and never which, %#", async (open, settings, code) => {
    const server = await opened((open === openTiptapCloud ? startTiptap : startLiveblocks)(documents()))
    await expect(readAll(open, server.url, { settings })).rejects.toMatchObject({
      code,
      message: expect.not.stringContaining("guessed"),
    })
  })
})

describe("servers without a list", () => {
  it("[D3] give documents by a route of one's own, and name those they do not have", async () => {
    const server = createServer(({ url, headers }, response) => {
      if (headers.authorization !== "Bearer mine") return response.writeHead(401).end()
      const id = decodeURIComponent(url!.slice("/export/".length))
      return EXPECTED[id] === undefined ? response.writeHead(404).end() : response.end(fixture(id))
    }).listen(0)
    const where = `http://127.0.0.1:${(server.address() as AddressInfo).port}/export/{id}`
    const settings = { SOURCE_AUTHORIZATION: "Bearer mine" }
    const found = await readAll(openAddress, where, { settings, ids: ["notes", "team/plan", "gone"] })
    expect(judge(found)).toEqual({
      notes: "equal",
      "team/plan": "equal",
      gone: "the server has no such document",
    })
    server.close()
    await expect(readAll(openAddress, where)).rejects.toMatchObject({ code: "usage" })
  })

  it("[D3] give documents to who asks as a client does, and say why where they do not", async () => {
    const server = new WebSocketServer({ port: 0 })
    server.on("connection", (socket, { url }) => {
      const id = decodeURIComponent(url!.slice(1))
      if (id === "shut") return socket.close(4401, "No token")
      return socket.on("message", (data: Buffer) => {
        const decoder = decoding.createDecoder(new Uint8Array(data))
        expect([decoding.readVarUint(decoder), decoding.readVarUint(decoder)]).toEqual([0, 0])
        const update = fixture(id)
        const length =
          update.length > 127 ? [(update.length & 127) | 128, update.length >> 7] : [update.length]
        // Before its answer it asks back, and says who is here.
        socket.send(Buffer.from([0, 0, 1, 0]))
        socket.send(Buffer.from([1, 1, 0]))
        socket.send(Buffer.from([0, 1, ...length, ...update]))
      })
    })
    const where = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/{id}`
    const found = await readAll(openAddress, where, { ids: ["notes", "team/plan", "shut"] })
    expect(judge(found)).toEqual({
      notes: "equal",
      "team/plan": "equal",
      shut: "the server closed the socket: 4401 No token",
    })
    server.close()
  })
})

it("[W3] reads a folder of Hocuspocus' objects that was copied, and nothing beside it", async () => {
  const folder = mkdtempSync(join(tmpdir(), "yurt-copied-"))
  mkdirSync(join(folder, "team"))
  writeFileSync(join(folder, "team/plan.bin"), fixture("team/plan"))
  cpSync(join(FIXTURES, "make.mjs"), join(folder, "make.mjs"))
  expect(judge(await readAll(openHocuspocusS3, folder))).toEqual({ "team/plan": "equal" })
  rmSync(folder, { recursive: true, force: true })
})
