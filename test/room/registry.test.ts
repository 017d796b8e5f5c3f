import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test"
import { env } from "cloudflare:workers"
import { SignJWT } from "jose"
import { describe, expect, it } from "vitest"
import { listRevocations, type RegistryRpc, registryName, revoke } from "../../src/access/revocations.ts"
import { routeDocuments } from "../../src/http/routes.ts"
import { findOwnBinding, type Revoked } from "../../src/rpc.ts"
import { writeRenewal } from "../../src/wire/y-websocket.ts"
import { freshId, until } from "./vocabulary.ts"

const SECRET = "a secret of more than thirty-two bytes, for tests only"
const settings = { ...env, AUTH_SECRET: SECRET }
const FAR_MS = Date.now() + 3_600_000

describe("[R6] a revocation closes what is open", () => {
  it("[R6] of a token that a socket was renewed with", async () => {
    const id = freshId()
    await giveKeys(id)
    const socket = await enter(id, await sign("ada", id, { jti: `first-${id}` }))
    await socket.renew(await sign("ada", id, { jti: `second-${id}` }))
    expect(await revokeAs({ tokenId: `second-${id}` })).toEqual({ closed: 1, failed: 0 })
    await until(() => socket.closed() === 4401, "the renewed socket is closed")
  })

  it("[R6] of a subject whose first token has ended", async () => {
    const id = freshId()
    const subject = `ada-${id}`
    await giveKeys(id)
    const endsMs = Date.now() + 1_500
    const socket = await enter(id, await sign(subject, id, { exp: endsMs / 1000 }))
    await socket.renew(await sign(subject, id))
    await until(() => Date.now() > endsMs + 100, "the first token has ended")
    expect(socket.closed()).toBeNull()
    expect(await revokeAs({ subject })).toEqual({ closed: 1, failed: 0 })
    await until(() => socket.closed() === 4401, "the renewed socket is closed")
  })

  it("[R6] of a subject who follows a document by a stream alone", async () => {
    const id = freshId()
    const subject = `ada-${id}`
    const token = await sign(subject, id)
    const headers = { "content-type": "text/plain" }
    expect((await ask(`/docs/${id}`, token, { method: "PUT", body: "a", headers })).status).toBe(201)
    const response = await ask(`/docs/${id}`, token, { headers: { accept: "text/event-stream" } })
    expect(response.status).toBe(200)
    expect(await revokeAs({ subject })).toEqual({ closed: 1, failed: 0 })
    expect(await response.text()).toContain("unauthorized")
  })

  it("[R6] in parties, and in rooms whose neighbour is gone or does not answer", async () => {
    const id = freshId()
    const subject = `ada-${id}`
    const [plain, counter] = [
      await enter(id, await sign(subject, id)),
      await enter(id, await sign(subject, `/counter/${id}`), "/parties/counter"),
    ]
    const registry = await registryOver(subject, { Broken: flakyRooms(Number.POSITIVE_INFINITY) })
    await registry.admit({ binding: "NoMore", name: "a", untilMs: FAR_MS })
    await registry.admit({ binding: "Broken", name: "a", untilMs: FAR_MS })
    expect(await revokeAs({ subject }, 202)).toEqual({ closed: 3, failed: 1 })
    await until(() => plain.closed() === 4401 && counter.closed() === 4401, "both are closed")
    // Otherwise it would go on asking the broken one.
    await registry.restore()
  })

  it("[R6] in a room that fails at first, within 5 s and without being asked twice", async () => {
    const subject = freshId()
    const rooms = flakyRooms(3)
    const registry = await registryOver(subject, { Room: rooms })
    await registry.admit({ binding: "Room", name: "a", untilMs: FAR_MS })
    expect(await registry.revoke({ subject })).toEqual({ closed: 0, failed: 1 })
    await until(() => rooms.dismissed.size === 1, "the room was asked until it answered", {
      timeoutMs: 5_000,
    })
    expect(rooms.asked()).toBe(4)
  })

  it("[R6] in more rooms than one turn may ask", async () => {
    const subject = freshId()
    const rooms = flakyRooms(0)
    const registry = await registryOver(subject, { Room: rooms })
    for (let n = 0; n < 250; n++) await registry.admit({ binding: "Room", name: `doc-${n}`, untilMs: FAR_MS })
    expect(await registry.revoke({ subject })).toEqual({ closed: 100, failed: 150 })
    await until(() => rooms.dismissed.size === 250, "every room was asked", { timeoutMs: 5_000 })
    expect(rooms.asked()).toBe(250)
  })

  it("[R6] again, when it is repeated", async () => {
    const subject = freshId()
    const rooms = flakyRooms(0)
    const registry = await registryOver(subject, { Room: rooms })
    await registry.admit({ binding: "Room", name: "a", untilMs: FAR_MS })
    expect(await registry.revoke({ subject })).toEqual({ closed: 1, failed: 0 })
    expect(await registry.revoke({ subject })).toEqual({ closed: 1, failed: 0 })
    expect(rooms.asked()).toBe(2)
  })
})

describe("[R6] a list of revocations", () => {
  it("[R6] has every one in force, page by page, and each can be taken back", async () => {
    const id = freshId()
    const token = await sign(`ada-${id}`, id)
    const revoked: Revoked[] = [{ subject: `ada-${id}` }, { tokenId: `t-${id}` }, { subject: `ben-${id}` }]
    for (const who of revoked) await revoke(env, who)
    expect((await ask(`/docs/${id}/-/status`, token)).status).toBe(401)
    expect((await listed(id)).map(({ revokedAtMs: _, ...who }) => who)).toEqual(
      expect.arrayContaining(revoked),
    )
    expect((await listed(id)).length).toBe(3)

    const admin = await signAdmin()
    const takeBack = () => ask(`/admin/revocations?subject=ada-${id}`, admin, { method: "DELETE" })
    expect((await takeBack()).status).toBe(204)
    expect((await takeBack()).status).toBe(404)
    expect((await ask(`/docs/${id}/-/status`, token)).status).toBe(404)
    expect((await listed(id)).length).toBe(2)
  })

  it("[R2] is for admins", async () => {
    const reader = await sign("ada", "a")
    expect((await ask("/admin/revocations", reader)).status).toBe(403)
    expect((await ask("/admin/revocations?subject=ada", reader, { method: "DELETE" })).status).toBe(403)
    const response = await ask("/admin/revocations?limit=1", await signAdmin())
    expect(response.status).toBe(200)
    expect(Object.keys(await response.json<object>())).toEqual(["revocations", "cursor"])
  })
})

describe("[B1] a registry", () => {
  it("[B1] that was only asked stores nothing", async () => {
    const registry = env.Registry.getByName(freshId())
    expect(await registry.admit(null)).toBe("admitted")
    expect(await stored(registry)).toEqual([])
  })

  it("[B1] forgets visits that have ended, and with the last one itself", async () => {
    const registry = env.Registry.getByName(freshId())
    await registry.admit({ binding: "Room", name: "a", untilMs: Date.now() + 50 })
    await registry.admit({ binding: "Room", name: "b", untilMs: Date.now() + 50 })
    expect((await stored(registry)).length).toBe(2)
    const endMs = Date.now() + 60
    await until(() => Date.now() > endMs, "both have ended")
    expect(await runDurableObjectAlarm(registry)).toBe(true)
    expect(await stored(registry)).toEqual([])
    // And it sleeps.
    expect(await runDurableObjectAlarm(registry)).toBe(false)
  })

  it("[B1] keeps a visit as long as its latest token, and a revocation for good", async () => {
    const registry = env.Registry.getByName(freshId())
    await registry.admit({ binding: "Room", name: "a", untilMs: Date.now() + 50 })
    await registry.admit({ binding: "Room", name: "a", untilMs: FAR_MS })
    await registry.admit({ binding: "Room", name: "a", untilMs: Date.now() + 20 })
    const endMs = Date.now() + 60
    await until(() => Date.now() > endMs, "the first has ended")
    await runDurableObjectAlarm(registry)
    expect(await stored(registry)).toEqual(["visit Room a"])
    await registry.revoke({ subject: freshId() })
    await runDurableObjectAlarm(registry)
    expect(await registry.admit(null)).toBe("revoked")
  })

  it("[B1] refuses one more visit than it can keep count of, until others have ended", async () => {
    const registry = env.Registry.getByName(freshId())
    const endMs = Date.now() + 2_000
    const visit = (n: number) => ({ binding: "Room", name: `doc-${n}`, untilMs: endMs })
    // From within, because a call each would take longer than the visits last.
    await runInDurableObject(registry, async (instance) => {
      for (let n = 0; n < 300; n++) await instance.admit(visit(n))
    })
    expect(await registry.admit(visit(300))).toBe("full")
    expect(await registry.admit(visit(7))).toBe("admitted")
    expect(await registry.admit(null)).toBe("admitted")
    await until(() => Date.now() > endMs, "they have ended")
    expect(await registry.admit({ binding: "Room", name: "late", untilMs: FAR_MS })).toBe("admitted")
  })
})

it("[R6] a room finds its own binding among all", async () => {
  for (const binding of ["Room", "Counter", "Retiring"] as const) {
    const name = freshId()
    const found = await runInDurableObject(env[binding].getByName(name), (_, state) =>
      findOwnBinding(env, { id: state.id, name }),
    )
    expect(found).toBe(binding)
  }
})

it("[W3] a refused socket is told why, in any script, and never by an exception", async () => {
  for (const id of [`${"日本語".repeat(20)}%5C`, "🌍".repeat(100), "a%00"]) {
    const headers = { upgrade: "websocket", "sec-websocket-protocol": "yurt" }
    const response = await ask(`/docs/${id}`, null, { headers })
    expect(response.status).toBe(101)
    const socket = response.webSocket!
    const closing = new Promise<CloseEvent>((resolve) => socket.addEventListener("close", resolve))
    socket.accept()
    const { code, reason } = await closing
    expect(code).toBe(4400)
    expect(reason).toMatch(/^The id /)
    expect(new TextEncoder().encode(reason).length).toBeLessThanOrEqual(123)
  }
})

it("[W3] a room that refuses an upgrade for good tells our provider by a close, others by HTTP", async () => {
  const query = `?_pk=${"x".repeat(200)}`
  const token = await sign("ada", "a")
  expect((await ask(`/docs/a${query}`, token, { headers: { upgrade: "websocket" } })).status).toBe(400)
  const headers = { upgrade: "websocket", "sec-websocket-protocol": "yurt" }
  const response = await ask(`/docs/a${query}`, token, { headers })
  expect(response.status).toBe(101)
  const socket = response.webSocket!
  const closing = new Promise<CloseEvent>((resolve) => socket.addEventListener("close", resolve))
  socket.accept()
  expect(await closing).toMatchObject({ code: 4400, reason: "_pk has 200 characters; at most 128" })
})

// ---- the verbs

/** Rooms that fail the first calls, and remember who was dismissed from where. */
function flakyRooms(failures: number) {
  let asked = 0
  const dismissed = new Set<string>()
  return {
    asked: () => asked,
    dismissed,
    idFromName: () => ({}),
    getByName: (name: string) => ({
      dismiss: async () => {
        asked++
        if (asked <= failures) throw new Error("the room is overloaded")
        dismissed.add(name)
      },
    }),
  }
}

/** The registry of a subject, with other rooms than the real ones. */
async function registryOver(subject: string, bindings: Record<string, object>): Promise<RegistryRpc> {
  const registry = env.Registry.getByName(await registryName({ subject }))
  await runInDurableObject(registry, (instance) => {
    Reflect.set(instance, "env", { ...env, ...bindings })
  })
  return registry
}

/** A room verifies a fresh token by itself, with the settings of its own environment; the tests' has no key. */
function giveKeys(id: string): Promise<void> {
  return runInDurableObject(env.Room.getByName(id), (instance) => {
    Reflect.set(instance, "env", settings)
  })
}

async function stored(registry: DurableObjectStub): Promise<string[]> {
  return runInDurableObject(registry, (_, state) => [...state.storage.kv.list()].map(([key]) => key))
}

/** The revocations that are about this test. */
async function listed(id: string) {
  const found = []
  let cursor: string | null = null
  do {
    const page: Awaited<ReturnType<typeof listRevocations>> = await listRevocations(env, { cursor, limit: 2 })
    found.push(...page.revocations)
    cursor = page.cursor
  } while (cursor !== null)
  return found.filter((one) => JSON.stringify(one).includes(id))
}

async function revokeAs(who: Revoked, status = 200): Promise<unknown> {
  const init = { method: "POST", body: JSON.stringify(who) }
  const response = await ask("/admin/revocations", await signAdmin(), init)
  expect(response.status).toBe(status)
  return response.json()
}

async function enter(id: string, token: string, at = "/docs") {
  const headers = { upgrade: "websocket" }
  const response = await ask(`${at}/${id}`, token, { headers })
  expect(response.status).toBe(101)
  const socket = response.webSocket!
  socket.binaryType = "arraybuffer"
  let closed: number | null = null
  let renewals = 0
  socket.addEventListener("close", ({ code }) => {
    closed = code
  })
  socket.addEventListener("message", ({ data }) => {
    if (data instanceof ArrayBuffer && new Uint8Array(data)[0] === RENEWAL) renewals++
  })
  socket.accept()
  return {
    closed: () => closed,
    renew: async (fresh: string) => {
      const before = renewals
      socket.send(writeRenewal(fresh))
      await until(() => renewals > before, "the renewal is answered")
    },
  }
}

/** The first byte of a renewal and of its answer. */
const RENEWAL = writeRenewal("")[0]

function ask(path: string, token: string | null, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers)
  if (token !== null) headers.set("authorization", `Bearer ${token}`)
  const request = new Request(`https://yurt.example${path}`, { ...init, headers })
  return routeDocuments(request, settings, { parties: ["counter"] })
}

/** A token for one document. */
function sign(sub: string, id: string, { jti, exp }: { jti?: string; exp?: number } = {}): Promise<string> {
  const jwt = new SignJWT({ docs: [{ id, rights: "write" }], exp: exp ?? Math.floor(FAR_MS / 1000) })
    .setProtectedHeader({ alg: "HS256" })
    .setSubject(sub)
    .setAudience("yurt")
  if (jti !== undefined) jwt.setJti(jti)
  return jwt.sign(new TextEncoder().encode(SECRET))
}

function signAdmin(): Promise<string> {
  return new SignJWT({ admin: true })
    .setProtectedHeader({ alg: "HS256" })
    .setSubject("root")
    .setAudience("yurt")
    .setExpirationTime("1h")
    .sign(new TextEncoder().encode(SECRET))
}
