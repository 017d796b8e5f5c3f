import { runInDurableObject } from "cloudflare:test"
import { env } from "cloudflare:workers"
import { SignJWT } from "jose"
import { expect, it } from "vitest"
import { routeDocuments } from "../../src/http/routes.ts"
import { freshId, openRoom, until, WRITER } from "./vocabulary.ts"

const secret = "a secret of more than thirty-two bytes, for tests only"
const settings = { ...env, AUTH_SECRET: secret }

/** A token for one document. */
function sign(sub: string, claims: Record<string, unknown>, jti?: string): Promise<string> {
  const jwt = new SignJWT(claims).setProtectedHeader({ alg: "HS256" }).setSubject(sub).setAudience("yurt")
  if (jti !== undefined) jwt.setJti(jti)
  return jwt.setExpirationTime("1h").sign(new TextEncoder().encode(secret))
}

function ask(path: string, token: string | null, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers)
  if (token !== null) headers.set("authorization", `Bearer ${token}`)
  return routeDocuments(new Request(`https://yurt.example${path}`, { ...init, headers }), settings)
}

/** Open a socket; resolves to it and to how it was closed, once it is. */
async function enter(id: string, token: string) {
  const response = await ask(`/docs/${id}`, token, { headers: { Upgrade: "websocket" } })
  const socket = response.webSocket
  if (!socket) return { status: response.status, closed: () => null }
  let closed: number | null = null
  socket.addEventListener("close", ({ code }) => {
    closed = code
  })
  socket.accept()
  return { status: response.status, closed: () => closed }
}

it("[R1] is closed without a key, and says which line to add", async () => {
  const response = await routeDocuments(new Request("https://yurt.example/docs/notes"), env)
  expect(response.status).toBe(503)
  expect(await response.text()).toContain("AUTH_SECRET")
})

it("[R2] lets a token do what it says, and nothing else", async () => {
  const id = freshId()
  const reader = await sign("ada", { docs: [{ id, rights: "read" }] })
  const writer = await sign("ada", { docs: [{ id, rights: "write" }] })
  const empty = new Uint8Array([0, 0])
  expect((await ask(`/docs/${id}`, null)).status).toBe(401)
  expect((await ask(`/docs/${id}`, reader, { method: "PATCH", body: empty })).status).toBe(403)
  expect((await ask(`/docs/${id}`, writer, { method: "PATCH", body: empty })).status).toBe(200)
  expect((await ask("/docs/another", writer)).status).toBe(403)
  expect((await ask("/docs", writer)).status).toBe(403)
  expect((await ask(`/docs/${id}`, writer, { method: "DELETE" })).status).toBe(403)
})

it("[R2] revokes a subject: what is open is closed, and the door stays shut", async () => {
  const id = freshId()
  const subject = `eve-${id}`
  const eve = await sign(subject, { docs: [{ id, rights: "write" }] })
  const ada = await sign("ada", { docs: [{ id, rights: "write" }] })
  const admin = await sign("root", { admin: true })
  const [open, bystander] = [await enter(id, eve), await enter(id, ada)]
  expect(open.status).toBe(101)
  const revocation = { method: "POST", body: JSON.stringify({ subject }) }
  expect((await ask("/admin/revocations", ada, revocation)).status).toBe(403)
  expect((await ask("/admin/revocations", admin, revocation)).status).toBe(200)
  await until(() => open.closed() === 4401, "Eve's socket is closed")
  expect(bystander.closed()).toBeNull()
  expect((await enter(id, eve)).status).toBe(401)
  expect((await ask(`/docs/${id}`, eve)).status).toBe(401)
  expect((await enter(id, ada)).status).toBe(101)
})

it("[R2] revokes one token of a subject and leaves the others", async () => {
  const id = freshId()
  const docs = [{ id, rights: "write" }]
  const lost = await sign("bob", { docs }, `lost-${id}`)
  const kept = await sign("bob", { docs }, `kept-${id}`)
  const admin = await sign("root", { admin: true })
  const [lostSocket, keptSocket] = [await enter(id, lost), await enter(id, kept)]
  const body = JSON.stringify({ tokenId: `lost-${id}` })
  expect((await ask("/admin/revocations", admin, { method: "POST", body })).status).toBe(200)
  await until(() => lostSocket.closed() === 4401, "the lost token's socket is closed")
  expect(keptSocket.closed()).toBeNull()
  expect((await ask(`/docs/${id}`, lost)).status).toBe(401)
})

it("[R4] keeps no token in a socket's attachment", async () => {
  const id = freshId()
  const token = await sign("ada", { docs: [{ id, rights: "write" }] })
  const response = await ask(`/docs/${id}?token=${token}`, null, { headers: { Upgrade: "websocket" } })
  response.webSocket!.accept()
  const { runInDurableObject } = await import("cloudflare:test")
  const attached = await runInDurableObject(env.Room.getByName(id), (_, state) =>
    JSON.stringify(state.getWebSockets().map((socket) => socket.deserializeAttachment())),
  )
  expect(attached).toContain("ada")
  expect(attached).not.toContain(token.split(".")[1])
})

it("[R6] keeps whom it has closed out of the room after a sleep as well, whether they answer the close or not", async () => {
  const room = await openRoom()
  await room.join({ ...WRITER, subject: "ada" })
  const standing = await runInDurableObject(room.stub, async (instance, state) => {
    const [socket] = state.getWebSockets()
    await instance.dismiss({ subject: "ada" })
    return socket!.deserializeAttachment().standing
  })
  expect(standing).toBe("closing")
})
