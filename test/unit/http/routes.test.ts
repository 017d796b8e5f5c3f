import { SignJWT } from "jose"
import { describe, expect, it } from "vitest"
import type { Grant } from "../../../src/access/rights.ts"
import type { RouteOptions } from "../../../src/http/parties.ts"
import { routeDocuments } from "../../../src/http/routes.ts"
import { decodeGrant, encodeGrant, findOwnBinding, GRANT_HEADER } from "../../../src/rpc.ts"

const SECRET = "k4Zr8wq1Tn6vYb3mXc9sLd2pGf7hJj5u"

describe("a request that no room needs to see", () => {
  // Whatever is asked of this one fails with a 500.
  const rooms = { getByName: () => ({}), idFromName: () => ({}) }
  const open = { Room: rooms, Counter: rooms, OPEN_ON_LOCALHOST: "true" }
  const ask = (path: string, init: RequestInit = {}, env: object = open) =>
    routeDocuments(new Request(`http://localhost${path}`, init), env, { parties: ["counter"] })
  const upgrade = { headers: { upgrade: "websocket" } }

  it.each([
    ["GET", "/nothing", 404, "not-found"],
    ["GET", "/docs/a/-/nothing", 404, "not-found"],
    ["GET", "/docs/a/-/status/more", 404, "not-found"],
    ["GET", "/docs/%00", 400, "bad-id"],
    ["GET", "/docs/", 400, "bad-id"],
    ["GET", "/docs/-/status", 400, "bad-id"],
    ["GET", `/docs/${"x".repeat(257)}`, 400, "bad-id"],
    ["GET", `/parties/counter/${"x".repeat(250)}`, 400, "bad-id"],
    ["GET", "/docs?limit=0", 400, "bad-request"],
    ["GET", "/parties/nope/a", 404, "not-found"],
    ["GET", "/hocuspocus/a", 405, "method-not-allowed"],
    ["GET", "/hocuspocus", 405, "method-not-allowed"],
    ["GET", "/parties/Room/a", 404, "not-found"],
    ["PROPFIND", "/docs/a", 405, "method-not-allowed"],
    ["POST", "/docs/a/-/status", 405, "method-not-allowed"],
    ["GET", "/docs/a/-/flush", 405, "method-not-allowed"],
    ["POST", "/docs", 405, "method-not-allowed"],
    ["DELETE", "/health", 405, "method-not-allowed"],
    ["POST", "/admin/revocations", 400, "bad-request"],
    ["DELETE", "/admin/revocations", 400, "bad-request"],
    ["DELETE", "/admin/revocations?subject=a&tokenId=b", 400, "bad-request"],
  ])("%s %s is answered %i %s, as JSON", async (method, path, status, code) => {
    const response = await ask(path, { method })
    expect(response.status).toBe(status)
    expect(response.headers.get("content-type")).toMatch("application/json")
    expect(response.headers.get("x-content-type-options")).toBe("nosniff")
    const body = (await response.json()) as { error: string; message: string }
    expect(Object.keys(body)).toEqual(["error", "message"])
    expect(body.error).toBe(code)
  })

  it.each([
    ["/docs/a", "GET, HEAD, PUT, PATCH, POST, DELETE, OPTIONS"],
    ["/docs/a/-/flush", "POST, OPTIONS"],
    ["/admin/revocations", "GET, HEAD, POST, DELETE, OPTIONS"],
  ])("a method that is not at %s is told which are", async (path, allowed) => {
    expect((await ask(path, { method: "PROPFIND" })).headers.get("allow")).toBe(allowed)
  })

  it("says who makes tokens, where an issuer is an authorization server", async () => {
    const env = { Room: rooms, AUTH_SECRET: "s".repeat(32), AUTH_ISSUER: "https://auth.example.com" }
    const refused = await ask("/docs/a/-/mcp", { method: "POST" }, env)
    const metadata = "http://localhost/.well-known/oauth-protected-resource/docs/a/-/mcp"
    expect(refused.headers.get("www-authenticate")).toBe(`Bearer resource_metadata="${metadata}"`)
    const answered = await ask(new URL(metadata).pathname, {}, env)
    expect([answered.status, await answered.json()]).toEqual([
      200,
      {
        resource: "http://localhost/docs/a/-/mcp",
        authorization_servers: ["https://auth.example.com"],
        bearer_methods_supported: ["header"],
      },
    ])
    expect((await ask("/.well-known/oauth-protected-resource")).status).toBe(404)
    const other = await ask("/docs/a", {}, { ...env, AUTH_ISSUER: "mine" })
    expect(other.headers.get("www-authenticate")).toBe("Bearer")
  })

  it("a socket without an id, or to what is no document, is refused before the upgrade", async () => {
    for (const path of [
      "/docs/",
      "/hocuspocus/",
      "/hocuspocus/a/-/status",
      "/docs/a//b",
      "/docs/a%0Ab",
      "/docs/a/-/status",
      "/health",
    ]) {
      const { status } = await ask(path, upgrade)
      expect(status, path).toBe(400)
    }
  })

  it("a body that is no update is a 415, one that is too long a 413", async () => {
    const patch = (headers: Record<string, string>) =>
      ask("/docs/a", { method: "PATCH", headers, body: "{}" })
    expect((await patch({ "content-type": "application/json" })).status).toBe(415)
    expect(
      (await patch({ "content-type": "application/octet-stream", "content-encoding": "gzip" })).status,
    ).toBe(415)
    const endless = () => new ReadableStream({ pull: (to) => to.enqueue(new Uint8Array(1 << 20)) })
    const long = (env: object) =>
      ask("/docs/a", { method: "PATCH", body: endless(), duplex: "half" } as RequestInit, env)
    expect((await long(open)).status).toBe(413)
    const small = await long({ ...open, LIMIT_BODY_BYTES: "1000" })
    expect(small.status).toBe(413)
    expect(await small.json()).toMatchObject({ message: expect.stringContaining("at most 1000") })
  })

  it.each([
    "/docs/a",
    "/docs/team/a",
    "/docs/%C3%A9",
    "/docs/",
    "/docs/a%00",
    "/docs/%zz",
    "/nothing",
    "/parties/x/a",
  ])("the preflight of %s is granted, so that a page learns what is wrong", async (path) => {
    const headers = {
      origin: "http://localhost:5173",
      "access-control-request-method": "PATCH",
      "access-control-request-headers": "authorization,sentry-trace",
    }
    const response = await ask(path, { method: "OPTIONS", headers })
    expect(response.status).toBe(204)
    expect(response.headers.get("access-control-allow-origin")).toBe("http://localhost:5173")
    expect(response.headers.get("access-control-allow-methods")).toMatch("PATCH")
    expect(response.headers.get("access-control-allow-headers")).toBe("authorization,sentry-trace")
  })

  it("a preflight offers no method that is not there", async () => {
    const headers = { origin: "http://localhost:5173", "access-control-request-method": "PUT" }
    const response = await ask("/docs/a", { method: "OPTIONS", headers })
    expect(response.headers.get("access-control-allow-methods")).toBe("GET, HEAD, PUT, PATCH, POST, DELETE")
  })

  it("an error can be read by a page of another origin", async () => {
    const response = await ask("/docs/a%00", { headers: { origin: "http://localhost:5173" } })
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
    const response = await ask("/docs/a", {}, { Room: rooms, AUTH_SECRET: SECRET })
    expect(response.status).toBe(401)
    expect(response.headers.get("www-authenticate")).toBe("Bearer")
  })

  it("HEAD has the headers of GET and no body", async () => {
    const response = await ask("/health", { method: "HEAD" })
    expect(response.status).toBe(200)
    expect(await response.text()).toBe("")
  })

  it("[W3] a plain GET that offers the subprotocol yurt is answered by HTTP, error or not", async () => {
    const headers = { "sec-websocket-protocol": "yurt" }
    expect((await ask("/docs/a%00", { headers })).status).toBe(400)
    expect((await ask("/health", { headers })).status).toBe(200)
  })

  it("[W3] whatever is wrong with the deployment is an answer, not an exception", async () => {
    expect((await ask("/docs/a", {}, { OPEN_ON_LOCALHOST: "true" })).status).toBe(500)
    const nonsense = await ask("/docs/a", {}, { ...open, LIMIT_BODY_BYTES: "lots" })
    expect(nonsense.status).toBe(500)
    const broken = { ...open, Room: { getByName: () => expect.unreachable(), idFromName: () => ({}) } }
    const response = await ask("/docs/a", {}, broken)
    expect(response.status).toBe(500)
    expect(await response.text()).not.toContain("unreachable")
  })

  it("[R6] without the binding of the registry, revoking names the lines to add", async () => {
    const body = JSON.stringify({ subject: "ada" })
    const response = await ask("/admin/revocations", { method: "POST", body })
    expect(response.status).toBe(503)
    expect(await response.json()).toMatchObject({
      error: "closed",
      message: expect.stringMatching(/class_name = "Registry".*new_sqlite_classes = \["Registry"\]/),
    })
    expect((await ask("/admin/revocations")).status).toBe(503)
    expect((await ask("/admin/revocations?subject=ada", { method: "DELETE" })).status).toBe(503)
  })
})

describe("a request that a room answers", () => {
  it("[W1] asks for an export as the request stands, and answers what comes", async () => {
    const server = serveRooms({
      export: async () => ({
        value: { etag: '"r1.svg"', mediaType: "image/svg+xml", body: "<svg/>", revision: 1 },
      }),
    })
    const headers = { accept: "image/svg+xml", "if-none-match": '"r0"' }
    const response = await server.ask("/docs/M%C3%BCller/Plan?format=svg&root=strokes", { headers })
    expect(server.calls).toEqual([
      [
        "Müller/Plan",
        "export",
        { format: "svg", accept: "image/svg+xml", root: "strokes", ifNoneMatch: '"r0"', at: null },
        expect.objectContaining({ rights: "write" }),
      ],
    ])
    expect(response.status).toBe(200)
    expect(Object.fromEntries(response.headers)).toMatchObject({
      etag: '"r1.svg"',
      "content-type": "image/svg+xml",
      "content-length": "6",
      "content-security-policy": expect.stringContaining("default-src 'none'"),
    })
    expect(await response.text()).toBe("<svg/>")
  })

  it("[W1] answers 304 where the asker has it, 404 where there is nothing", async () => {
    const same = serveRooms({
      export: async () => ({ value: { etag: '"r1"', mediaType: "x/y", body: null } }),
    })
    expect((await same.ask("/docs/a")).status).toBe(304)
    expect((await serveRooms({ export: async () => ({ value: null }) }).ask("/docs/a")).status).toBe(404)
  })

  it("[D9] answers 202 where a part of an update waits, and 200 where nothing does", async () => {
    const patch = { method: "PATCH", body: new Uint8Array([0, 0]) }
    const waits = serveRooms({ merge: async () => ({ value: { revision: 3, waiting: true } }) })
    const response = await waits.ask("/docs/a", patch)
    expect(response.status).toBe(202)
    expect(await response.json()).toEqual({ revision: 3, waiting: true })
    const done = serveRooms({ merge: async () => ({ value: { revision: 3 } }) })
    expect((await done.ask("/docs/a", patch)).status).toBe(200)
  })

  it("[W1] hands the preconditions of a PATCH to the room, and answers 412 where one fails", async () => {
    const server = serveRooms({
      merge: async () => ({ refused: { error: "precondition-failed", message: "It exists." } }),
    })
    const headers = { "if-match": '"r5.update"', "if-none-match": "*" }
    const response = await server.ask("/docs/a", { method: "PATCH", body: new Uint8Array([0, 0]), headers })
    expect(response.status).toBe(412)
    expect(server.calls[0]?.slice(0, 2)).toEqual(["a", "merge"])
    expect(server.calls[0]?.at(-1)).toEqual({ ifMatch: '"r5.update"', ifNoneMatch: "*" })
  })

  it("[A1] flushes for an admin", async () => {
    const server = serveRooms({ flush: async () => ({ value: { revision: 4, archivedRevision: 4 } }) })
    const response = await server.ask("/parties/counter/team/a/-/flush", { method: "POST" })
    expect(await response.json()).toEqual({ revision: 4, archivedRevision: 4 })
    expect(server.calls[0]?.slice(0, 2)).toEqual(["/counter/team/a", "flush"])
  })

  it("[R2] reaches a document whose slashes a proxy has decoded", async () => {
    const server = serveRooms({ status: async () => ({ value: { revision: 1 } }) })
    for (const path of ["/docs/team/a/-/status", "/docs/team%2Fa/-/status", "/docs/team%2fa/-/status"]) {
      expect((await server.ask(path)).status).toBe(200)
    }
    expect(server.calls).toEqual(Array(3).fill(["team/a", "status"]))
  })

  it("[R3] answers an upgrade that the room refuses with its reason, and when to come back", async () => {
    const refusal = { error: "room-full", message: "The room has 1000 sockets; at most 1000" }
    const server = serveRooms({ fetch: async () => Response.json(refusal, { status: 503 }) })
    const headers = { upgrade: "websocket", "sec-websocket-protocol": "yurt" }
    const response = await server.ask("/docs/a", { headers })
    expect([response.status, response.headers.get("retry-after")]).toEqual([503, "5"])
    expect(await response.json()).toEqual(refusal)
  })

  it("[R2] answers what a room throws while it moves as something to try again", async () => {
    const server = serveRooms({
      status: () => Promise.reject(Object.assign(new Error("moved"), { retryable: true })),
    })
    const response = await server.ask("/docs/a/-/status")
    expect([response.status, response.headers.get("retry-after")]).toEqual([503, "5"])
  })
})

describe("[R2] a token at a party", () => {
  const ask = async (pattern: string, path: string, init: RequestInit = {}) => {
    const server = serveRooms({ status: async () => ({ value: {} }) }, { AUTH_SECRET: SECRET })
    const headers = { authorization: `Bearer ${await sign({ docs: [{ id: pattern, rights: "write" }] })}` }
    return (await server.ask(path, { headers, ...init })).status
  }

  it.each([
    ["*", "/docs/a/-/status", 200],
    ["*", "/parties/counter/a/-/status", 403],
    ["c*", "/parties/counter/a/-/status", 403],
    ["counter/*", "/parties/counter/a/-/status", 403],
    ["/counter/*", "/parties/counter/a/-/status", 200],
    ["/counter/*", "/docs/counter/a/-/status", 403],
    ["/billing/*", "/parties/billing/a/-/status", 404],
    ["*", "/parties/billing/a/-/status", 404],
  ])("[R2] for %s is answered at %s: %i", async (pattern, path, status) => {
    expect(await ask(pattern, path)).toBe(status)
  })
})

describe("[R1] a socket for Hocuspocus, whose token comes on it", () => {
  /** What the room was asked by an upgrade; null where it was not. */
  async function knock(path: string, headers: Record<string, string> = {}, env: object = {}) {
    let asked: Headers | null = null
    const answer = { error: "room-full", message: "asked" }
    const fetch = async (request: Request) => {
      asked = request.headers
      return Response.json(answer, { status: 503 })
    }
    const server = serveRooms({ fetch }, { AUTH_SECRET: SECRET, ...env })
    const response = await server.ask(path, { headers: { upgrade: "websocket", ...headers } })
    return { status: response.status, asked: asked as Headers | null, calls: server.calls }
  }
  const docs = [{ id: "a", rights: "write" }]

  it("[R1] knocks at its own path without one, and with no right", async () => {
    const { asked, calls } = await knock("/hocuspocus/team%2Fa", { "x-yurt-grant": "forged" })
    expect(calls.map(([name, method]) => [name, method])).toEqual([["team/a", "fetch"]])
    expect(decodeGrant(new Request("http://localhost", { headers: asked! }))).toBeNull()
    expect(asked!.get("x-yurt-dialect")).toBe("hocuspocus")
  })

  it("[R1] is held to the one in its address, where there is one", async () => {
    const token = await sign({ docs })
    const { asked } = await knock(`/hocuspocus/a?token=${token}`)
    expect(decodeGrant(new Request("http://localhost", { headers: asked! }))).toMatchObject({
      rights: "write",
    })
    expect([...asked!.values()].join()).not.toContain(token)
    expect(await knock(`/hocuspocus/b?token=${token}`)).toMatchObject({ status: 403, asked: null })
    expect(await knock("/hocuspocus/a?token=no.such.token")).toMatchObject({ status: 401, asked: null })
  })

  it("[R1] knocks nowhere else, not from a page that may not ask, and not without a key", async () => {
    expect(await knock("/docs/a", { "x-yurt-dialect": "hocuspocus" })).toMatchObject({
      ...{ status: 401, asked: null },
    })
    const foreign = { origin: "https://evil.example" }
    const env = { ALLOWED_ORIGINS: "https://app.example" }
    for (const path of ["/hocuspocus/a", "/hocuspocus", "/docs"])
      expect(await knock(path, foreign, env)).toMatchObject({ status: 403, asked: null })
    for (const path of ["/hocuspocus", "/docs"])
      expect(await knock(path, {}, { AUTH_SECRET: "" })).toMatchObject({ status: 503, asked: null })
    expect(await knock("/hocuspocus/a", {}, { AUTH_SECRET: "" })).toMatchObject({ status: 503, asked: null })
  })

  it("[B3] knocks so often from one address, and from others all the same", async () => {
    const counts = new Map<string, number>()
    const UPGRADES = {
      limit: async ({ key }: { key: string }) => {
        counts.set(key, (counts.get(key) ?? 0) + 1)
        return { success: counts.get(key)! <= 2 }
      },
    }
    const from = async (address: string, id: string) =>
      (await knock(`/hocuspocus/${id}`, { "cf-connecting-ip": address }, { UPGRADES })).status
    expect([
      await from("192.0.2.1", "a"),
      await from("192.0.2.1", "b"),
      await from("192.0.2.1", "c"),
    ]).toEqual([503, 503, 429])
    expect(await from("192.0.2.2", "a")).toBe(503)
  })
})

describe("[B3] a pace", () => {
  /** A platform's counter that lets so many through for each key. */
  function counter(limit: number) {
    const counts = new Map<string, number>()
    return {
      keys: () => [...counts.keys()],
      limit: async ({ key }: { key: string }) => {
        counts.set(key, (counts.get(key) ?? 0) + 1)
        return { success: counts.get(key)! <= limit }
      },
    }
  }
  const docs = [{ id: "*", rights: "write" }]

  it("[B3] over REST: one token can't ask without end, and is told when to come back", async () => {
    const REQUESTS = counter(2)
    const server = serveRooms({ status: async () => ({ value: {} }) }, { AUTH_SECRET: SECRET, REQUESTS })
    const from = async (address: string) => {
      const headers = { authorization: `Bearer ${await sign({ docs })}`, "cf-connecting-ip": address }
      return server.ask("/docs/a/-/status", { headers })
    }
    expect([(await from("192.0.2.1")).status, (await from("192.0.2.1")).status]).toEqual([200, 200])
    const refusal = await from("192.0.2.1")
    expect([refusal.status, refusal.headers.get("retry-after")]).toEqual([429, "10"])
    expect(await refusal.json()).toMatchObject({
      error: "rate-limited",
      message: expect.stringMatching(/try again/),
    })
    expect(server.calls.length).toBe(2)
    // Another visitor with the same public token is not locked out.
    expect((await from("192.0.2.2")).status).toBe(200)
  })

  it("[B3] of upgrades: a rush with a public token to one document leaves the others open", async () => {
    const UPGRADES = counter(1)
    const server = serveRooms({ fetch: async () => new Response("here") }, { AUTH_SECRET: SECRET, UPGRADES })
    const enter = async (id: string) => {
      const headers = { authorization: `Bearer ${await sign({ docs })}`, upgrade: "websocket" }
      return server.ask(`/docs/${id}`, { headers })
    }
    expect((await enter("a")).status).toBe(200)
    const refusal = await enter("a")
    expect(refusal.status).toBe(429)
    expect(await refusal.json()).toMatchObject({
      error: "rate-limited",
      message: expect.stringMatching(/try again/),
    })
    expect((await enter("b")).status).toBe(200)
    expect(UPGRADES.keys()).toEqual(["ada a", "ada b"])
  })

  it("[B3] a refused upgrade is tried again, by our provider as well: it is no close for good", async () => {
    const server = serveRooms({}, { AUTH_SECRET: SECRET, UPGRADES: counter(0) })
    const token = await sign({ docs })
    const headers = { upgrade: "websocket", "sec-websocket-protocol": `yurt, ${token}` }
    expect((await server.ask("/docs/a", { headers })).status).toBe(429)
  })
})

describe("[R6] a revocation", () => {
  it("[R6] is asked about by subject and token id, with the room a socket opens, and by nobody else", async () => {
    const admitted: unknown[] = []
    const Registry = {
      getByName: () => ({ admit: async (visit: unknown) => admitted.push(visit) && "admitted" }),
    }
    const room = { fetch: async () => new Response("here"), status: async () => ({ value: {} }) }
    const server = serveRooms(room, { AUTH_SECRET: SECRET, Registry })
    const token = await sign({ docs: [{ id: "/counter/*", rights: "read" }] }, "t1")
    const headers = { authorization: `Bearer ${token}` }
    await server.ask("/parties/counter/a", { headers: { ...headers, upgrade: "websocket" } })
    const visit = { binding: "Counter", name: "/counter/a", untilMs: expect.any(Number) }
    expect(admitted.splice(0)).toEqual([visit, visit])
    await server.ask("/parties/counter/a/-/status", { headers })
    expect(admitted).toEqual([null, null])
  })

  it.each([
    ["revoked", 401],
    ["full", 429],
  ])("[R6] of a registry that says %s the answer is %i", async (admission, status) => {
    const Registry = { getByName: () => ({ admit: async () => admission }) }
    const server = serveRooms({}, { AUTH_SECRET: SECRET, Registry })
    const headers = { authorization: `Bearer ${await sign({ docs: [{ id: "a", rights: "read" }] })}` }
    expect((await server.ask("/docs/a/-/status", { headers })).status).toBe(status)
  })
})

it("[R2] a grant travels in a header, names of any script included", () => {
  const grant: Grant = {
    subject: "Ψ",
    rights: "write",
    roots: ["комментарии"],
    presence: true,
    admin: false,
    expiresAtMs: 5,
    tokenId: null,
    name: "Zoë 🌍",
  }
  const request = new Request("http://localhost", { headers: { [GRANT_HEADER]: encodeGrant(grant) } })
  expect(decodeGrant(request)).toEqual(grant)
  expect(() => decodeGrant(new Request("http://localhost"))).toThrow("without x-yurt-grant")
})

it("[R6] a room finds the binding it is reached by", () => {
  const namespace = (unique: string) => ({
    getByName: () => ({}),
    idFromName: (name: string) => ({ toString: () => `${unique} ${name}` }),
  })
  // What a service binding looks like: every property is a method that calls it.
  const SERVICE = new Proxy({}, { get: () => () => expect.unreachable() })
  const env = { DB: {}, SERVICE, AUTH_SECRET: "x", Room: namespace("1"), Counter: namespace("2") }
  expect(findOwnBinding(env, { id: env.Counter.idFromName("a"), name: "a" })).toBe("Counter")
  expect(() => findOwnBinding(env, { id: namespace("3").idFromName("a"), name: "a" })).toThrow(TypeError)
})

/** A server whose rooms are of one kind, with every call to them kept: the room's name, the method, its arguments. */
function serveRooms(
  room: Record<string, (...args: never[]) => unknown>,
  env: object = { OPEN_ON_LOCALHOST: "true" },
) {
  const calls: unknown[][] = []
  const getByName = (name: string) =>
    Object.fromEntries(
      Object.entries(room).map(([method, act]) => [
        method,
        (...args: never[]) => {
          calls.push([name, method, ...args])
          return act(...args)
        },
      ]),
    )
  const rooms = { getByName, idFromName: () => ({}) }
  const options: RouteOptions = { parties: ["counter"] }
  return {
    calls,
    ask: (path: string, init: RequestInit = {}) =>
      routeDocuments(
        new Request(`http://localhost${path}`, init),
        { Room: rooms, Counter: rooms, Billing: rooms, ...env },
        options,
      ),
  }
}

function sign(claims: Record<string, unknown>, tokenId?: string): Promise<string> {
  const jwt = new SignJWT(claims).setProtectedHeader({ alg: "HS256" }).setSubject("ada").setAudience("yurt")
  if (tokenId !== undefined) jwt.setJti(tokenId)
  return jwt.setExpirationTime("1h").sign(new TextEncoder().encode(SECRET))
}
