/** Many documents on one socket: stock Hocuspocus' and our own client, against the real server. */
import type { HocuspocusProviderWebsocket } from "@hocuspocus/provider"
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import { LIMITS } from "../../src/limits.ts"
import {
  type Client,
  cursorsOf,
  openHocuspocus,
  openHocuspocusSocket,
  openWebsocketProvider,
  textOf,
  type,
} from "../kit/clients.ts"
import { setUpJourney, synced } from "../kit/journey.ts"
import { startServer, type TestServer } from "../kit/server.ts"
import { claimsOf, signToken } from "../kit/tokens.ts"
import { until } from "../kit/until.ts"

const journey = setUpJourney()
const { enter } = journey

describe("HocuspocusProviderWebsocket", () => {
  const sockets: HocuspocusProviderWebsocket[] = []
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy()
  })

  /** A page with one socket. */
  function page(server: TestServer = journey.server) {
    const socket = openHocuspocusSocket(`${server.url.replace("http", "ws")}/hocuspocus`)
    sockets.push(socket)
    return {
      socket,
      open: (name: string, options: Parameters<typeof openHocuspocus>[1] = {}) =>
        openHocuspocus(socket, { name, ...options }),
    }
  }

  it("[W2] carries several documents, each saved on disk and seen by other clients", async () => {
    const { socket, open } = page()
    const ids = ["bundle/a", "bundle/b", "x".repeat(102)]
    const clients = await enter(...ids.map((id) => open(id)))
    const { webSocket } = socket
    const others = await enter(...ids.map((id) => openWebsocketProvider(journey.server.docs, id)))
    for (const [i, client] of clients.entries()) {
      type(client, `text ${i}`)
      client.awareness.setLocalState({ i })
    }
    await until(() => clients.every(({ provider }) => provider.unsyncedChanges === 0), "all is on disk")
    await until(() => others.every((other, i) => textOf(other) === `text ${i}`), "the others read it")
    expect(others.map((other) => cursorsOf(other))).toEqual(ids.map((_, i) => [{ i }]))
    for (const [i, other] of others.entries()) type(other, ` of ${i}`)
    await until(() => clients.every((client, i) => textOf(client) === `text ${i} of ${i}`), "and answer")
    expect(socket.webSocket).toBe(webSocket)
  })

  it("[W2] carries one document twice, by sessions, and takes exactly the one that leaves", async () => {
    const { open } = page()
    const [one, other] = await enter(
      open("sessions", { sessionAwareness: true }),
      open("sessions", { sessionAwareness: true }),
    )
    one.awareness.setLocalState({ name: "one" })
    other.awareness.setLocalState({ name: "other" })
    type(one, "from one")
    await until(() => textOf(other) === "from one" && cursorsOf(other).length === 1, "the other sees it")
    one.leave()
    await until(() => cursorsOf(other).length === 0, "its cursor goes")
    type(other, ", on it goes")
    await until(() => other.provider.unsyncedChanges === 0, "the other is still heard")
  })

  it("[B1] refuses one more document than a socket may have, and goes on with the others", async () => {
    const { open } = page()
    const clients = await synced(
      ...Array.from({ length: LIMITS.bundleDocuments }, (_, i) => open(`crowded/${i}`)),
    )
    const late = open("crowded/late")
    await until(() => late.refusals.length > 0, "it is told")
    expect(late.refusals[0]).toBe(`At most ${LIMITS.bundleDocuments} documents may be open on a socket`)
    type(clients[0]!, "still here")
    await until(() => clients[0]!.provider.unsyncedChanges === 0, "the others go on")
    clients[1]!.leave()
    await late.provider.sendToken()
    late.provider.startSync()
    await synced(late)
    for (const client of [late, ...clients]) client.leave()
  })

  it("[D1] is synced again with all its documents after a SIGKILL", async () => {
    const { open } = page()
    const clients = await enter(open("killed/a"), open("killed/b"))
    for (const client of clients) type(client, "before ")
    await journey.server.kill()
    for (const client of clients) type(client, "after")
    await journey.server.restart()
    await until(() => clients.every(({ provider }) => provider.unsyncedChanges === 0), "all is on disk", {
      timeoutMs: 15_000,
    })
    const readers = await enter(
      ...["killed/a", "killed/b"].map((id) => openWebsocketProvider(journey.server.docs, id)),
    )
    expect(readers.map(textOf)).toEqual(["before after", "before after"])
  })

  describe("with tokens", () => {
    const secret = "a secret of more than thirty-two bytes, for bundles"
    let server: TestServer
    beforeAll(async () => {
      server = await startServer([`--var=AUTH_SECRET:${secret}`])
    })
    afterAll(() => server.stop())
    const tokenOf = (id: string, rights: "read" | "write", lifetimeS = 3600) =>
      signToken(secret, {
        ...claimsOf("ada", [{ id, rights }]),
        exp: Math.floor(Date.now() / 1000) + lifetimeS,
      })

    it("[R1] [R2] judges each document by its own token, and a refused one closes nobody else's", async () => {
      const { open } = page(server)
      const refused: Client[] = [
        open("tokens/none"),
        open("tokens/noise", { token: "no.such.token" }),
        open("tokens/other", { token: await tokenOf("another", "write") }),
        open("-", { token: await tokenOf("*", "write") }),
        open("/elsewhere/x", { token: await tokenOf("/elsewhere/*", "write") }),
      ]
      const [writer, reader] = await enter(
        open("tokens/written", { token: await tokenOf("tokens/written", "write") }),
        open("tokens/read", { token: await tokenOf("tokens/*", "read") }),
      )
      await until(() => refused.every(({ refusals }) => refusals.length > 0), "each is told why")
      expect(refused.map(({ synced }) => synced)).toEqual(refused.map(() => false))
      type(writer, "written")
      await until(() => writer.provider.unsyncedChanges === 0, "the writer's is on disk")
      expect([writer.provider.authorizedScope, reader.provider.authorizedScope]).toEqual([
        "read-write",
        "readonly",
      ])
      expect([writer.losses, reader.losses]).toEqual([[], []])
      for (const client of refused) client.leave()
    })

    it("[R2] brings a document back with a fresh token, while the others notice nothing", async () => {
      const { socket, open } = page(server)
      const lifetimes = [2, 3600]
      let asked = 0
      const [ada, bo] = await enter(
        open("renewed", {
          token: () => {
            asked++
            return tokenOf("renewed", "write", lifetimes.shift() ?? 3600)
          },
        }),
        open("steady", { token: await tokenOf("steady", "write") }),
      )
      const { webSocket } = socket
      type(ada, "one ")
      await until(() => asked === 2, "its token has expired, and it is asked for another")
      type(ada, "two")
      await until(() => ada.provider.unsyncedChanges === 0, "all is on disk")
      const [reader] = await enter(
        openWebsocketProvider(server.docs, "renewed", {
          params: { token: await tokenOf("renewed", "read") },
        }),
      )
      expect(textOf(reader)).toBe("one two")
      type(bo, "steady")
      await until(() => bo.provider.unsyncedChanges === 0, "the other goes on")
      expect(socket.webSocket).toBe(webSocket)
    })
  })
})
