/** Stock Y-Sweet, client and SDK, against the real server, which wants tokens: tests for dialects.test.ts. */
import { DocumentManager } from "@y-sweet/sdk"
import { beforeAll, expect, it } from "vitest"
import * as Y from "yjs"
import {
  cursorsOf,
  isSame,
  openHocuspocus,
  openProvider,
  openWebsocketProvider,
  openYSweet,
  ROOT,
  textOf,
  type,
} from "../kit/clients.ts"
import type { Journey } from "../kit/journey.ts"
import { claimsOf, signToken } from "../kit/tokens.ts"
import { until } from "../kit/until.ts"
import { SECRET } from "./secret.ts"

/** @param locked at a server that wants tokens */
export function testYSweet(locked: Journey): void {
  const { enter } = locked
  let manager: DocumentManager
  beforeAll(async () => {
    manager = await managerOf([{ id: "*", rights: "write" }], true)
  })

  async function managerOf(
    docs: {
      id: string
      rights: "read" | "write"
      roots?: string[]
      historySince?: number
      presence?: boolean
    }[],
    admin: boolean,
    subject = "backend",
  ): Promise<DocumentManager> {
    const token = await signToken(SECRET, { ...claimsOf(subject, docs), ...(admin && { admin }) })
    return new DocumentManager(`${locked.server.url.replace("http", "ys").replace("://", `://${token}@`)}/`)
  }

  /** Somebody whose token the manager gives out. */
  function open(docId: string, request: Parameters<DocumentManager["getClientToken"]>[1] = {}) {
    return openYSweet(docId, () => manager.getOrCreateDocAndToken(docId, request))
  }

  it("[F3] stays connected and is synced however much is sent to it", async () => {
    const [author, reader] = await enter(open("much"), open("much"))
    reader.awareness.setLocalState({ name: "reader" })
    for (let i = 0; i < 4; i++) {
      type(author, "x".repeat(200_000))
      await until(() => !author.provider.hasLocalChanges, "it is saved")
    }
    await until(() => isSame(author, reader), "the reader has it all")
    expect([author.losses, reader.losses]).toEqual([[], []])
    expect(cursorsOf(author)).toEqual([{ name: "reader" }])
  })

  it("[R2] takes nothing of a reader, who stays connected with its local changes", async () => {
    const [author, reader] = await enter(open("read"), open("read", { authorization: "read-only" }))
    type(author, "for all to read")
    await until(() => textOf(reader) === "for all to read", "the reader reads")
    type(reader, " and write?")
    // Longer than a client waits for an answer to its heartbeat, and the next one after it.
    const since = Date.now()
    await until(() => Date.now() - since > 6_000, "two heartbeats have been answered")
    type(author, ", still")
    await until(() => textOf(reader).includes(", still"), "the reader reads on")
    expect([reader.losses, reader.provider.hasLocalChanges, textOf(author)]).toEqual([
      [],
      true,
      "for all to read, still",
    ])
  })

  it("[W1] serves the SDK: documents with content, updates, random and given ids, and a check of the store", async () => {
    expect(await manager.checkStore()).toEqual({ ok: true })
    const doc = new Y.Doc()
    doc.getText(ROOT).insert(0, "initial")
    const { docId } = await manager.createDocWithContent(Y.encodeStateAsUpdate(doc))
    const [client] = await enter(open(docId))
    expect(textOf(client)).toBe("initial")
    doc.getText(ROOT).insert(0, "more than ")
    await manager.updateDoc(docId, Y.encodeStateAsUpdate(doc))
    await until(() => textOf(client) === "more than initial", "it is seen")
    expect(await manager.createDoc("given_id-1")).toEqual({ docId: "given_id-1" })
    expect(await manager.getDocAsUpdate("given_id-1")).toEqual(Uint8Array.of(0, 0))
    const connection = await manager.getDocConnection(docId, { authorization: "read-only" })
    await expect(connection.updateDoc(Y.encodeStateAsUpdate(doc))).rejects.toThrow(
      "ServerError: Server responded with 403",
    )
    for (const id of ["-", "a//b"]) await expect(manager.createDoc(id)).rejects.toThrow("400")
  })

  it("[R3] stays on the socket when its document is deleted, and brings nothing of it back", async () => {
    const [ada, bo] = await enter(open("deleted"), open("deleted"))
    type(ada, "to be deleted")
    await until(() => textOf(bo) === "to be deleted" && !ada.provider.hasLocalChanges, "it is saved")
    const token = await signToken(SECRET, {
      ...claimsOf("admin", [{ id: "*", rights: "read" }]),
      admin: true,
    })
    const headers = { authorization: `Bearer ${token}` }
    const { status } = await fetch(`${locked.server.url}/docs/deleted`, { method: "DELETE", headers })
    type(ada, ", and typed on")
    // Longer than two of its heartbeats wait for an answer.
    const since = Date.now()
    await until(() => Date.now() - since > 11_000, "its heartbeats are answered")
    expect([status, ada.losses, bo.losses]).toEqual([204, [], []])
    expect((await fetch(`${locked.server.url}/docs/deleted`, { headers })).status).toBe(404)
  })

  it("[R1] gives out no more than it has: not without admin, not beyond its documents, not for longer", async () => {
    const writer = await managerOf([{ id: "mine", rights: "write" }], false)
    await expect(writer.getClientToken("mine")).rejects.toThrow("403")
    const reader = await managerOf([{ id: "*", rights: "read" }], true)
    await expect(reader.getClientToken("mine", { authorization: "read-only" })).rejects.toThrow("403")
    const some = await managerOf([{ id: "mine/*", rights: "write" }], true)
    await expect(some.getClientToken("another")).rejects.toThrow("403")
    const { token, url, authorization } = await some.getClientToken("mine/a", {
      userId: "bo",
      validForSeconds: 10 * 24 * 3600,
    })
    const claims = JSON.parse(Buffer.from(token!.split(".")[1]!, "base64url").toString())
    expect(claims).toMatchObject({ sub: "bo", docs: [{ id: "mine/a", rights: "write", presence: true }] })
    expect(claims.exp - claims.iat).toBe(3600)
    expect([url, authorization]).toEqual([locked.server.docs, "full"])
    const narrow = { roots: ["answers"], historySince: 1_700_000_000, presence: false }
    const held = await managerOf([{ id: "mine/*", rights: "write", ...narrow }], true)
    const given = await held.getClientToken("mine/a")
    const [entry] = JSON.parse(Buffer.from(given.token!.split(".")[1]!, "base64url").toString()).docs
    expect(entry).toMatchObject(narrow)
    for (const request of [{ userId: "" }, { userId: "x".repeat(257) }, { validForSeconds: -1 }])
      await expect(some.getClientToken("mine/a", request)).rejects.toThrow("400")
    const nobody = new DocumentManager(locked.server.url.replace("http", "ys"))
    await expect(nobody.createDoc()).rejects.toThrow("NoAuthProvided")
    await expect(nobody.getDocAsUpdate("mine")).rejects.toThrow("NoAuthProvided")
  })

  it("[R2] is let in with a fresh token when its own has ended", async () => {
    const [ada] = await enter(open("ending", { validForSeconds: 2 }))
    await until(() => ada.losses.includes(4401), "its token has ended")
    await until(() => ada.synced, "it is back with another one")
  })

  it("[W2] [D1] syncs with every other client, shows cursors, and has no local changes once all is on disk", async () => {
    const token = await signToken(SECRET, claimsOf("ada", [{ id: "*", rights: "write" }]))
    const clients = await enter(
      open("mixed", { userId: "bo" }),
      open("mixed"),
      openWebsocketProvider(locked.server.docs, "mixed", { params: { token } }),
      openHocuspocus(`${locked.server.url.replace("http", "ws")}/hocuspocus/mixed`, { token }),
      openProvider(locked.server.docs, "mixed", { token }),
    )
    for (const [i, client] of clients.entries()) {
      for (let n = 0; n < 20; n++) type(client, String(i))
      client.awareness.setLocalState({ i })
    }
    await until(() => clients.every((client) => isSame(client, clients[0])), "everyone has the same")
    await until(() => clients.every((client) => cursorsOf(client).length === 4), "everyone sees the others")
    const [bo] = clients
    await until(() => !bo.provider.hasLocalChanges, "Bo's changes are on disk")
    const doc = new Y.Doc()
    Y.applyUpdate(doc, await manager.getDocAsUpdate("mixed"))
    expect(doc.getText(ROOT).toString()).toBe(textOf(bo))
  })
}
