/** Many documents on one socket: stock Hocuspocus' and our own client, against the real server: tests for dialects.test.ts. */
import { describe, expect, it } from "vitest"
import * as Y from "yjs"
import { followSubdocuments } from "../../src/client/socket.ts"
import { LIMITS } from "../../src/limits.ts"
import {
  cursorsOf,
  openHocuspocus,
  openHocuspocusSocket,
  openProvider,
  openSocket,
  openWebsocketProvider,
  textOf,
  type,
} from "../kit/clients.ts"
import type { Journey } from "../kit/journey.ts"
import { until } from "../kit/until.ts"

/** @param journey at an open server */
export function testBundles(journey: Journey): void {
  const { enter } = journey

  describe("HocuspocusProviderWebsocket", () => {
    /** A page with one socket. */
    function page() {
      const socket = openHocuspocusSocket(`${journey.server.url.replace("http", "ws")}/hocuspocus`)
      journey.atEnd(() => socket.destroy())
      return {
        socket,
        open: (name: string, options: Parameters<typeof openHocuspocus>[1] = {}) =>
          openHocuspocus(socket, { name, ...options }),
      }
    }

    it("[W2] carries several documents, each saved on disk and seen by other clients", async () => {
      const { socket, open } = page()
      const ids = ["bundle/a", "bundle/b", `bundle/${"x".repeat(95)}`]
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
  })

  describe("our Socket", () => {
    it("[W2] carries a hundred documents on one connection, each saved, seen and left for itself", async () => {
      const socket = openSocket(journey.server.docs)
      const ids = Array.from({ length: 100 }, (_, i) => `hundred/${i} é`)
      const clients = await enter(...ids.map((id) => openProvider(socket, id)))
      expect(socket.size).toBe(100)
      for (const [i, client] of clients.entries()) {
        type(client, `text ${i}`)
        client.awareness.setLocalState({ i })
      }
      await Promise.all(clients.map(({ provider }) => provider.whenSaved()))
      const [first, last] = await enter(
        openWebsocketProvider(journey.server.docs, encodeURI(ids[0]!)),
        openWebsocketProvider(journey.server.docs, encodeURI(ids[99]!)),
      )
      expect([first, last].map(textOf)).toEqual(["text 0", "text 99"])
      await until(() => cursorsOf(first).length + cursorsOf(last).length === 2, "their cursors are seen")
      clients[0]!.leave()
      await until(() => cursorsOf(first).length === 0, "the first one's cursor goes with it")
      type(last, " and on")
      await until(() => textOf(clients[99]!) === "text 99 and on", "the others go on")
      expect(clients.flatMap(({ losses }) => losses)).toEqual([])
      for (const client of clients) client.leave()
      expect(socket.size).toBe(0)
    })

    it("[W1] ends the document of an id that is none, and of one whose frames cannot be read, alone", async () => {
      const socket = openSocket(journey.server.docs)
      const [well, ill] = await enter(openProvider(socket, "socket/well"), openProvider(socket, "socket/ill"))
      const nameless = openProvider(socket, "socket//none")
      await until(() => nameless.provider.closed !== null, "the nameless one is closed")
      expect(nameless.provider.closed?.code).toBe(4400)
      // More than a room takes of a message.
      ill.provider.send("x".repeat(LIMITS.messageLength + 1))
      await until(() => ill.provider.closed !== null, "the ill one is closed")
      expect(ill.provider.closed?.code).toBe(4413)
      type(well, "well")
      await well.provider.whenSaved()
      expect(well.losses).toEqual([])
      nameless.leave()
    })

    it("[W2] loads subdocuments below their document, and theirs", async () => {
      const sockets = [openSocket(journey.server.docs), openSocket(journey.server.docs)]
      const [ada, bo] = await enter(openProvider(sockets[0]!, "book"), openProvider(sockets[1]!, "book"))
      const [adas, bos] = [
        followSubdocuments(sockets[0]!, "book", ada.doc),
        followSubdocuments(sockets[1]!, "book", bo.doc),
      ]
      const page = new Y.Doc()
      ada.doc.getMap("pages").set("first", page)
      page.getText("text").insert(0, "the first page")
      const note = new Y.Doc()
      page.getMap("notes").set("a", note)
      note.getText("text").insert(0, "a note on it")
      await until(() => bo.doc.getMap("pages").has("first"), "Bo has the page, unloaded")
      const bosPage = bo.doc.getMap("pages").get("first") as Y.Doc
      expect(bos.providers.size).toBe(0)
      bosPage.load()
      await until(() => bosPage.getText("text").toString() === "the first page", "Bo reads it")
      const bosNote = bosPage.getMap("notes").get("a") as Y.Doc
      bosNote.load()
      await until(() => bosNote.getText("text").toString() === "a note on it", "and the note")
      await adas.providers.get(page.guid)!.whenSaved()
      const text = await fetch(`${journey.server.url}/docs/book/${page.guid}?format=text`)
      expect(await text.text()).toContain("the first page")
      ada.doc.getMap("pages").delete("first")
      await until(() => bos.providers.size === 0, "it is closed where it is deleted")
      adas.destroy()
      bos.destroy()
    })
  })
}
