import { describe, expect, it } from "vitest"
import {
  nameRoom,
  parseId,
  parsePage,
  parsePath,
  parseRevocation,
  readBody,
  routeDocuments,
} from "../../../src/http/routes.ts"
import { decodeGrant, encodeGrant, findRooms, GRANT_HEADER } from "../../../src/rpc.ts"

describe("an id", () => {
  it.each([
    ["notes", "notes"],
    ["team%2Fa", "team/a"],
    ["a.b_c~d:e-f/g", "a.b_c~d:e-f/g"],
    ["...", "..."],
    ["x".repeat(256), "x".repeat(256)],
  ])("%s is taken", (encoded, id) => expect(parseId(encoded)).toBe(id))

  it.each([
    ["", "nothing"],
    [".", "a dot segment"],
    ["..%2Fadmin", "a parent behind an encoded slash"],
    ["a/%2e%2e/b", "an encoded parent"],
    ["a//b", "an empty segment"],
    ["/a", "a leading slash"],
    ["a/", "a trailing slash"],
    ["a%252Fb", "an id encoded twice"],
    ["a%zz", "a broken percent sign"],
    ["a%00", "a NUL"],
    ["a%5Cb", "a backslash"],
    ["caf%C3%A9", "a letter beyond ASCII"],
    ["*", "the name of the index room"],
    ["a b", "a space"],
    ["x".repeat(257), "257 characters"],
  ])("%s is refused: %s", (encoded) => {
    expect(() => parseId(encoded)).toThrow(expect.objectContaining({ code: "bad-id" }))
  })

  it("that is refused is told the grammar", () => {
    expect(() => parseId("a b")).toThrow(
      'The id "a b" is not one: an id is 1 to 256 of A-Z a-z 0-9 . _ ~ : / -',
    )
  })
})

describe("a path", () => {
  const rest = (path: string) => parsePath(new URL(path, "http://localhost").pathname, false)
  const socket = (path: string) => parsePath(new URL(path, "http://localhost").pathname, true)

  it("of a socket is an id to its end, because stock clients do not encode it", () => {
    expect(socket("/docs/team/a")).toEqual({ kind: "document", party: null, id: "team/a" })
    expect(socket("/docs/team/status")).toEqual({ kind: "document", party: null, id: "team/status" })
    expect(socket("/docs/team%2Fa?x=1")).toEqual({ kind: "document", party: null, id: "team/a" })
    expect(socket("/parties/counter/a/b")).toEqual({ kind: "document", party: "counter", id: "a/b" })
  })

  it("of a request is one encoded segment, and status after it", () => {
    expect(rest("/docs/team%2Fa")).toEqual({ kind: "document", party: null, id: "team/a" })
    expect(rest("/docs/team%2Fa/status")).toEqual({ kind: "status", party: null, id: "team/a" })
    expect(rest("/docs/status")).toEqual({ kind: "document", party: null, id: "status" })
    expect(rest("/docs/status/status")).toEqual({ kind: "status", party: null, id: "status" })
    expect(rest("/parties/main/a/status")).toEqual({ kind: "status", party: "main", id: "a" })
    expect(rest("/docs")).toEqual({ kind: "index" })
    expect(rest("/health")).toEqual({ kind: "health" })
    expect(rest("/admin/revocations")).toEqual({ kind: "revocations" })
  })

  it.each(["/docs/a/b", "/docs/a/b/status", "/parties/main/a/b"])("%s is told to write %%2F", (path) => {
    expect(() => rest(path)).toThrow(/A slash in a document id is written %2F here: a%2Fb/)
  })

  it.each(["/docs/", "/docs/..%2Fhealth", "/docs//a", "/parties/main", "/parties/main/"])(
    "%s names no id",
    (path) => {
      expect(() => rest(path)).toThrow(expect.objectContaining({ code: "bad-id" }))
    },
  )

  it.each(["/", "/doc", "/docsx/a", "/parties", "/health/x", "/admin"])("%s is nothing", (path) => {
    expect(() => rest(path)).toThrow(expect.objectContaining({ code: "not-found" }))
  })

  it("with dot segments has lost them before it gets here", () => {
    expect(rest("/docs/a/%2e%2e/b")).toEqual({ kind: "document", party: null, id: "b" })
  })
})

describe("a body", () => {
  const post = (body: BodyInit, headers: Record<string, string> = {}) =>
    new Request("http://localhost/docs/a", { method: "PATCH", body, headers, duplex: "half" } as RequestInit)
  const stream = (...sizes: number[]) =>
    new ReadableStream({
      pull(controller) {
        const size = sizes.shift()
        if (size === undefined) controller.close()
        else controller.enqueue(new Uint8Array(size).fill(sizes.length))
      },
    })

  it("is read to its last byte, in order", async () => {
    expect(await readBody(post(stream(3, 2, 1)), 6)).toEqual(new Uint8Array([2, 2, 2, 1, 1, 0]))
    expect(await readBody(new Request("http://localhost", { method: "POST" }))).toEqual(new Uint8Array())
  })

  it("that grows over the limit is refused while it comes, whatever Content-Length said", async () => {
    const endless = () =>
      new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(1000)) })
    await expect(readBody(post(endless()), 5000)).rejects.toMatchObject({ code: "too-large" })
    await expect(readBody(post(endless(), { "content-length": "1" }), 5000)).rejects.toMatchObject({
      code: "too-large",
      message: "The body has 6000 bytes or more; at most 5000 are taken.",
    })
  })

  it("that declares too much is refused unread", async () => {
    const never = new ReadableStream({ pull: () => new Promise(() => {}) })
    await expect(readBody(post(never, { "content-length": "6000" }), 5000)).rejects.toMatchObject({
      code: "too-large",
    })
  })

  it("that breaks off is a bad request", async () => {
    const broken = new ReadableStream({
      start: (controller) => controller.error(new Error("the connection is gone")),
    })
    await expect(readBody(post(broken))).rejects.toMatchObject({ code: "bad-request" })
  })
})

describe("a party", () => {
  const rooms = { getByName: () => expect.unreachable() }
  const env = { Room: rooms, Counter: rooms, ShoppingCart: rooms, MY_ROOMS: rooms, DB: {}, AUTH_SECRET: "x" }

  it.each(["main", "room", "counter", "shopping-cart", "my-rooms"])("%s is a binding", (party) => {
    expect(findRooms(env, party)).toBe(rooms)
  })

  it.each(["Counter", "db", "auth-secret", "nope", "", "__proto__", "to-string"])("%s is none", (party) => {
    expect(() => findRooms(env, party)).toThrow(expect.objectContaining({ code: "not-found" }))
  })
})

describe("a query and a revocation", () => {
  const page = (query: string) => parsePage(new URLSearchParams(query))

  it("have their defaults and bounds", () => {
    expect(page("")).toEqual({ cursor: null, limit: 100 })
    expect(page("cursor=a%2Fb&limit=1000")).toEqual({ cursor: "a/b", limit: 1000 })
    for (const limit of ["0", "1001", "-1", "1.5", "ten", "1e3", ""]) {
      expect(() => page(`limit=${limit}`)).toThrow(expect.objectContaining({ code: "bad-request" }))
    }
  })

  it("name a subject or a token, one of them", () => {
    const parse = (text: string) => parseRevocation(new TextEncoder().encode(text))
    expect(parse('{"subject":"ada","more":1}')).toEqual({ subject: "ada" })
    expect(parse('{"tokenId":"t1"}')).toEqual({ tokenId: "t1" })
    for (const text of [
      "",
      "{}",
      "null",
      "[]",
      '{"subject":""}',
      '{"subject":7}',
      '{"subject":"a","tokenId":null}',
      '{"subject":"a","tokenId":"t1"}',
    ]) {
      expect(() => parse(text)).toThrow(expect.objectContaining({ code: "bad-request" }))
    }
  })
})

it("[R2] a grant travels in a header, names of any script included", () => {
  const grant = {
    subject: "Ψ",
    rights: "read",
    presence: true,
    admin: false,
    expiresAtMs: 5,
    tokenId: null,
    name: "Zoë 🌍",
  } as const
  const request = new Request("http://localhost", { headers: { [GRANT_HEADER]: encodeGrant(grant) } })
  expect(decodeGrant(request)).toEqual(grant)
  expect(() => decodeGrant(new Request("http://localhost"))).toThrow("without x-yurt-grant")
})

describe("a request that no room needs to see", () => {
  // A stub costs nothing; whatever is asked of this one fails with a 500.
  const rooms = { getByName: () => ({}) }
  const open = { Room: rooms, OPEN_ON_LOCALHOST: "true" }
  const ask = (path: string, init: RequestInit = {}, env: object = open) =>
    routeDocuments(new Request(`http://localhost${path}`, init), env)
  const upgrade = { headers: { upgrade: "websocket" } }

  it.each([
    ["GET", "/nothing", 404, "not-found"],
    ["GET", "/docs/a/b", 400, "bad-id"],
    ["GET", "/docs/%00", 400, "bad-id"],
    ["GET", "/docs?limit=0", 400, "bad-request"],
    ["GET", "/docs/a?format=pdf", 400, "bad-request"],
    ["GET", "/docs/a?format=update&root=x", 400, "bad-request"],
    ["GET", "/parties/nope/a", 404, "not-found"],
    ["PUT", "/docs/a", 405, "method-not-allowed"],
    ["POST", "/docs", 405, "method-not-allowed"],
    ["DELETE", "/health", 405, "method-not-allowed"],
    ["POST", "/admin/revocations", 400, "bad-request"],
  ])("%s %s is answered %i %s, as JSON", async (method, path, status, code) => {
    const response = await ask(path, { method })
    expect(response.status).toBe(status)
    expect(response.headers.get("content-type")).toMatch("application/json")
    expect(response.headers.get("x-content-type-options")).toBe("nosniff")
    const body = (await response.json()) as { error: string; message: string }
    expect(Object.keys(body)).toEqual(["error", "message"])
    expect(body.error).toBe(code)
  })

  it("a method that is not there is told which are", async () => {
    expect((await ask("/docs/a", { method: "PUT" })).headers.get("allow")).toBe(
      "GET, HEAD, PATCH, POST, DELETE, OPTIONS",
    )
  })

  it("a socket without an id is refused before the upgrade", async () => {
    for (const path of ["/docs", "/docs/", "/docs/a//b", "/docs/a%20b"]) {
      expect((await ask(path, upgrade)).status).toBe(400)
    }
  })

  it("an Accept that nothing fits is a 406, a body that is no update a 415, one that is too long a 413", async () => {
    expect((await ask("/docs/a", { headers: { accept: "image/png" } })).status).toBe(406)
    const patch = (headers: Record<string, string>) =>
      ask("/docs/a", { method: "PATCH", headers, body: "{}" })
    expect((await patch({ "content-type": "application/json" })).status).toBe(415)
    expect(
      (await patch({ "content-type": "application/octet-stream", "content-encoding": "gzip" })).status,
    ).toBe(415)
    const body = new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(1 << 20)) })
    expect((await ask("/docs/a", { method: "PATCH", body, duplex: "half" } as RequestInit)).status).toBe(413)
  })

  it("a preflight is answered on every path, with the methods there are", async () => {
    const headers = { origin: "http://localhost:5173", "access-control-request-method": "PATCH" }
    const response = await ask("/docs/a", { method: "OPTIONS", headers })
    expect(response.status).toBe(204)
    expect(response.headers.get("access-control-allow-origin")).toBe("http://localhost:5173")
    expect(response.headers.get("access-control-allow-methods")).toMatch("PATCH")
  })

  it("an error can be read by a page of another origin", async () => {
    const response = await ask("/docs/a/b", { headers: { origin: "http://localhost:5173" } })
    expect(response.headers.get("access-control-allow-origin")).toBe("http://localhost:5173")
    expect(response.headers.get("vary")).toMatch("Origin")
  })

  it("[R1] a server without a key is closed, and says when to come back", async () => {
    const response = await ask("/docs/a", {}, { Room: rooms })
    expect(response.status).toBe(503)
    expect(response.headers.get("retry-after")).toBe("5")
    expect(await response.json()).toMatchObject({ error: "closed" })
    expect((await ask("/health", {}, { Room: rooms })).status).toBe(200)
  })

  it("[R2] a request without a token is asked for one", async () => {
    const response = await ask(
      "/docs/a",
      {},
      { Room: rooms, AUTH_SECRET: "0123456789abcdefghijklmnopqrstuvwxyz" },
    )
    expect(response.status).toBe(401)
    expect(response.headers.get("www-authenticate")).toBe("Bearer")
  })

  it("HEAD has the headers of GET and no body", async () => {
    const response = await ask("/health", { method: "HEAD" })
    expect(response.status).toBe(200)
    expect(await response.text()).toBe("")
  })
})

describe("a room's name", () => {
  it("is the plain id in the default rooms, whatever they are called", () => {
    for (const party of [null, "main", "room"]) expect(nameRoom({ party, id: "team/a" })).toBe("team/a")
    expect(nameRoom({ party: "doc-room", id: "x" }, { binding: "DocRoom" })).toBe("x")
  })

  it("has the party before it in others, so that no archive row and no token is of two documents", () => {
    expect(nameRoom({ party: "counter", id: "x" })).toBe("counter@x")
    expect(() => nameRoom({ party: "counter", id: "x".repeat(250) })).toThrow(
      expect.objectContaining({ code: "bad-id" }),
    )
  })
})
