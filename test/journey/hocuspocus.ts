/** Stock Hocuspocus, unchanged, against the real server, and in one room with every other client: tests for dialects.test.ts. */
import { describe, expect, it } from "vitest"
import type { DocumentStatus } from "../../src/rpc.ts"
import { statusPath } from "../kit/addresses.ts"
import {
  type Client,
  cursorsOf,
  isSame,
  openHocuspocus,
  openHocuspocusSocket,
  openProvider,
  openWebsocketProvider,
  openYProvider,
  textOf,
  type,
} from "../kit/clients.ts"
import type { Journey } from "../kit/journey.ts"
import { claimsOf, signToken } from "../kit/tokens.ts"
import { until } from "../kit/until.ts"
import { SECRET } from "./secret.ts"

async function converge(...clients: Client[]): Promise<void> {
  await until(() => clients.every((client) => isSame(client, clients[0]!)), "everyone has the same document")
}

/** @param journey at an open server  @param locked at one that wants tokens */
export function testHocuspocus(journey: Journey, locked: Journey): void {
  const { enter } = journey

  /** The path for Hocuspocus. */
  function hocuspocus(id: string): string {
    return `${journey.server.url.replace("http", "ws")}/hocuspocus/${encodeURIComponent(id)}`
  }

  /** The document's own address. */
  function own(id: string): string {
    return `${journey.server.docs}/${encodeURIComponent(id)}`
  }

  for (const [where, address] of Object.entries({ "its own path": hocuspocus, "the document's URL": own })) {
    it(`[W2] syncs two at ${where} both ways and shows each the other's cursor`, async () => {
      const url = address(`pair at ${where}`)
      const [ada, bo] = await enter(openHocuspocus(url), openHocuspocus(url))
      type(ada, "Hello ")
      await until(() => textOf(bo) === "Hello ", "Bo reads what Ada typed")
      type(bo, "Ada")
      await until(() => textOf(ada) === "Hello Ada", "Ada reads what Bo typed")
      ada.awareness.setLocalState({ name: "Ada" })
      bo.awareness.setLocalState({ name: "Bo" })
      await until(
        () => cursorsOf(bo)[0]?.name === "Ada" && cursorsOf(ada)[0]?.name === "Bo",
        "they see each other",
      )
      expect(ada.provider.authorizedScope).toBe("read-write")
      await until(
        () => ada.provider.unsyncedChanges === 0 && bo.provider.unsyncedChanges === 0,
        "all is saved",
      )
      bo.leave()
      await until(() => cursorsOf(ada).length === 0, "Bo's cursor goes with Bo")
    })
  }

  it("[W2] is never taken for another dialect, whatever the length of the document's name", async () => {
    // As the first byte of a frame, each of these lengths is a type of y-websocket's.
    const ids = [1, 2, 3, 4, 9, 10, 102, 104, 105, 106].map((length) => "x".repeat(length))
    const clients = await enter(...ids.map((id) => openHocuspocus(own(id))))
    for (const [i, client] of clients.entries()) type(client, String(i))
    await until(() => clients.every(({ provider }) => !provider.hasUnsyncedChanges), "all is saved")
    const readers = await enter(...ids.map((id) => openWebsocketProvider(journey.server.docs, id)))
    expect(readers.map(textOf)).toEqual(ids.map((_, i) => String(i)))
    expect(clients.flatMap(({ losses }) => losses)).toEqual([])
  })

  it("[W2] is in one room with every other client: all see all edits and cursors", async () => {
    const id = "acme/plans"
    const clients = await enter(
      openHocuspocus(hocuspocus(id)),
      openHocuspocus(own(id)),
      openHocuspocus(hocuspocus(id), { sessionAwareness: true }),
      openWebsocketProvider(journey.server.docs, id),
      openYProvider(journey.server.url, id),
      openProvider(journey.server.docs, id),
    )
    for (const [i, client] of clients.entries()) {
      for (let n = 0; n < 20; n++) type(client, String(i))
      client.awareness.setLocalState({ i })
    }
    await converge(...clients)
    expect(textOf(clients[0])).toHaveLength(120)
    await until(
      () => clients.every((client) => cursorsOf(client).length === 5),
      "everyone sees the five others",
    )
    const [one, other, session] = clients
    await until(
      () => [one, other, session].every(({ provider }) => provider.unsyncedChanges === 0),
      "all of the three is saved",
    )
  })

  it("[D2] counts what was typed offline, and begins its count anew when it syncs by force", async () => {
    const [ada] = await enter(openHocuspocus(hocuspocus("offline")))
    await until(() => ada.provider.unsyncedChanges === 0, "there is nothing to save")
    ada.provider.disconnect()
    await until(() => !ada.synced, "Ada is away")
    type(ada, "typed offline")
    type(ada, ", twice")
    expect(ada.provider.hasUnsyncedChanges).toBe(true)
    await ada.provider.connect()
    await until(() => ada.provider.unsyncedChanges === 0, "all is saved")
    ada.provider.forceSync()
    expect(ada.provider.unsyncedChanges).toBe(1)
    await until(() => ada.provider.unsyncedChanges === 0, "all is still saved")
    const json = await (await fetch(`${journey.server.url}/docs/offline?format=text`)).text()
    expect(json).toContain("typed offline, twice")
  })

  it("[W2] comes back on the same socket after it has left the document", async () => {
    const [ada, bo] = await enter(openHocuspocus(hocuspocus("again")), openHocuspocus(hocuspocus("again")))
    bo.awareness.setLocalState({ name: "Bo" })
    await until(() => cursorsOf(ada).length === 1, "Ada sees Bo")
    const socket = bo.provider.configuration.websocketProvider
    const { webSocket } = socket
    bo.provider.detach()
    await until(() => cursorsOf(ada).length === 0, "Bo's cursor goes")
    type(ada, "meanwhile")
    bo.provider.attach()
    // As any client that comes back: others have seen its clock go.
    bo.awareness.setLocalState({ name: "Bo" })
    await until(() => textOf(bo) === "meanwhile" && cursorsOf(ada).length === 1, "Bo is back")
    expect(socket.webSocket).toBe(webSocket)
  })

  it("[W2] is told that an address is another document's, and disturbs nobody", async () => {
    const lost = openHocuspocus(hocuspocus("this"), { name: "that" })
    const [ada] = await enter(openHocuspocus(hocuspocus("this")))
    await until(() => lost.refusals.length > 0, "the lost one is told")
    expect(lost.refusals[0]).toBe("This address is another document's")
    expect([lost.synced, lost.losses, ada.losses]).toEqual([false, [], []])
    lost.leave()
  })

  describe("with tokens", () => {
    const at = (id: string) => `${locked.server.url.replace("http", "ws")}/hocuspocus/${id}`
    const tokenOf = (subject: string, rights: "read" | "write", id = "*") =>
      signToken(SECRET, claimsOf(subject, [{ id, rights }]))

    it("[R1] lets nobody in without a token that opens this document, and tells them so", async () => {
      const refused = [
        openHocuspocus(at("closed")),
        openHocuspocus(at("closed"), { token: "no.such.token" }),
        openHocuspocus(at("closed"), { token: tokenOf("ada", "write", "another") }),
      ]
      await until(() => refused.every(({ refusals }) => refusals.length > 0), "each is told why")
      expect(refused.map(({ synced }) => synced)).toEqual([false, false, false])
      const status = await fetch(`${locked.server.url}${statusPath("closed")}`, {
        headers: { authorization: `Bearer ${tokenOf("ada", "write")}` },
      })
      expect(status.status).toBe(404)
      for (const client of refused) client.leave()
    })

    it("[R1] takes a better token on the same socket", async () => {
      let token = "no.such.token"
      const ada = openHocuspocus(at("second"), { token: () => token })
      await until(() => ada.refusals.length > 0, "Ada is refused")
      token = tokenOf("ada", "write")
      await ada.provider.sendToken()
      ada.provider.startSync()
      await enter(ada)
      expect(ada.losses).toEqual([])
    })

    it("[R2] takes nothing of a reader, who is told by its scope and by what stays unsynced", async () => {
      const [ada, bo] = await enter(
        openHocuspocus(at("shared"), { token: tokenOf("ada", "write") }),
        openHocuspocus(at("shared"), { token: tokenOf("bo", "read") }),
      )
      type(ada, "for all to read")
      ada.doc.getText("text").delete(0, 4)
      await until(() => textOf(bo) === "all to read", "Bo reads")
      expect([ada.provider.authorizedScope, bo.provider.authorizedScope]).toEqual(["read-write", "readonly"])
      // With the document's deletions in what it brings.
      bo.provider.forceSync()
      await until(() => bo.provider.unsyncedChanges === 0, "Bo has nothing that is not saved")
      type(bo, " and write?")
      type(ada, ", and so on")
      await until(() => textOf(bo).includes("and so on"), "Bo reads on")
      expect(bo.provider.hasUnsyncedChanges).toBe(true)
      expect(textOf(ada)).toBe("all to read, and so on")
      expect(bo.losses).toEqual([])
    })

    it("[R1] takes a token in the address as well, at the document's own too", async () => {
      const token = tokenOf("ada", "write")
      const clients = await enter(
        openHocuspocus(`${at("address")}?token=${token}`),
        openHocuspocus(`${locked.server.docs}/address?token=${token}`),
        openWebsocketProvider(locked.server.docs, "address", { params: { token } }),
      )
      type(clients[0], "by the address")
      await converge(...clients)
    })

    it("[R2] is let in again with a fresh token when its own has expired", async () => {
      const lifetimes = [2, 3600]
      const ada = openHocuspocus(at("renewed"), {
        token: () =>
          signToken(SECRET, {
            ...claimsOf("ada", [{ id: "*", rights: "write" }]),
            exp: Math.floor(Date.now() / 1000) + (lifetimes.shift() ?? 3600),
          }),
      })
      await enter(ada)
      await until(() => ada.losses.includes(4401), "its token has expired")
      await until(() => ada.synced, "Ada is back")
      type(ada, "with a fresh token")
      await until(() => ada.provider.unsyncedChanges === 0, "it is saved")
    })

    it("[F3] proves that it reads, by its presence and by a ping, however much is sent to it", async () => {
      const url = `${at("a lot")}?token=${tokenOf("ada", "write")}`
      const open = () => openHocuspocus(url, { name: "a lot" })
      const [author, reader, hidden] = await enter(open(), open(), open())
      author.awareness.setLocalState({ name: "author" })
      // As a page that shows itself does: what an Awareness begins with, clock 0, others ignore until it is renewed.
      reader.awareness.setLocalState({ name: "reader" })
      hidden.awareness.setLocalState(null)
      await until(() => cursorsOf(hidden).length === 2, "the hidden one sees the two others")
      for (let i = 0; i < 4; i++) {
        type(author, "x".repeat(200_000))
        await until(() => author.provider.unsyncedChanges === 0, "it is saved")
      }
      await converge(author, reader, hidden)
      expect([author.losses, reader.losses, hidden.losses]).toEqual([[], [], []])
      expect(cursorsOf(reader)).toEqual([{ name: "author" }])
    })

    describe("on one socket", () => {
      /** A page with one socket. */
      function page() {
        const socket = openHocuspocusSocket(`${locked.server.url.replace("http", "ws")}/hocuspocus`)
        locked.atEnd(() => socket.destroy())
        const open = (name: string, token: string | (() => string) = "") =>
          openHocuspocus(socket, { name, token })
        return { socket, open }
      }

      it("[R1] [R2] judges each document by its own token, and a refused one closes nobody else's", async () => {
        const { open } = page()
        const refused: Client[] = [
          open("socket/none"),
          open("socket/noise", "no.such.token"),
          open("socket/other", tokenOf("ada", "write", "another")),
          open("-", tokenOf("ada", "write")),
          open("/elsewhere/x", tokenOf("ada", "write", "/elsewhere/*")),
        ]
        const [writer, reader] = await enter(
          open("socket/written", tokenOf("ada", "write", "socket/written")),
          open("socket/read", tokenOf("ada", "read", "socket/*")),
        )
        await until(() => refused.every(({ refusals }) => refusals.length > 0), "each is told why")
        expect(refused.map(({ synced }) => synced)).toEqual(refused.map(() => false))
        type(writer, "written")
        await until(() => writer.provider.unsyncedChanges === 0, "the writer's is on disk")
        const scopes = [writer, reader].map(({ provider }) => provider.authorizedScope)
        expect(scopes).toEqual(["read-write", "readonly"])
        expect([writer.losses, reader.losses]).toEqual([[], []])
        for (const client of refused) client.leave()
      })

      it("[B1] refuses one more document than a socket may have, and goes on with the others", async () => {
        const { open } = page()
        const token = tokenOf("ada", "write")
        const clients = await enter(...[0, 1, 2, 3, 4, 5, 6, 7].map((i) => open(`crowded/${i}`, token)))
        const late = open("crowded/late", token)
        await until(() => late.refusals.length > 0, "it is told")
        expect(late.refusals[0]).toBe("At most 8 documents may be open on a socket")
        type(clients[0]!, "still here")
        await until(() => clients[0]!.provider.unsyncedChanges === 0, "the others go on")
        clients[1]!.leave()
        await late.provider.sendToken()
        late.provider.startSync()
        await enter(late)
      })

      it("[R2] brings a document back with a fresh token, while the others notice nothing", async () => {
        const { socket, open } = page()
        const lifetimes = [2, 3600]
        let asked = 0
        const [ada, bo] = await enter(
          open("socket/renewed", () => {
            asked++
            return signToken(SECRET, {
              ...claimsOf("ada", [{ id: "*", rights: "write" }]),
              exp: Math.floor(Date.now() / 1000) + (lifetimes.shift() ?? 3600),
            })
          }),
          open("socket/steady", tokenOf("bo", "write")),
        )
        const { webSocket } = socket
        type(ada, "one ")
        await until(() => asked === 2, "its token has expired, and it is asked for another")
        type(ada, "two")
        await until(() => ada.provider.unsyncedChanges === 0, "all is on disk")
        const params = { token: tokenOf("ada", "read") }
        const [reader] = await enter(openWebsocketProvider(locked.server.docs, "socket/renewed", { params }))
        expect(textOf(reader)).toBe("one two")
        type(bo, "steady")
        await until(() => bo.provider.unsyncedChanges === 0, "the other goes on")
        expect(socket.webSocket).toBe(webSocket)
      })
    })
  })

  it("[A1] is counted among the connections of the document", async () => {
    const [ada] = await enter(openHocuspocus(hocuspocus("counted")))
    type(ada, "one")
    await until(() => ada.provider.unsyncedChanges === 0, "it is saved")
    const status = (await (
      await fetch(`${journey.server.url}${statusPath("counted")}`)
    ).json()) as DocumentStatus
    expect(status.connections).toBe(1)
  })
}
