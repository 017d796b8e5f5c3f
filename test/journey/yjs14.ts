/** Yjs 14 over its own provider, @y/websocket 4, beside pages of Yjs 13: tests for dialects.test.ts. */
import { WebsocketProvider } from "@y/websocket"
import * as Y14 from "@y/y"
import { expect, it } from "vitest"
import { WebSocket } from "ws"
import { cursorsOf, openHocuspocus, openWebsocketProvider, textOf, type } from "../kit/clients.ts"
import type { Journey } from "../kit/journey.ts"
import { claimsOf, signToken } from "../kit/tokens.ts"
import { until } from "../kit/until.ts"
import { SECRET } from "./secret.ts"

/** @param journey at an open server  @param locked at one that wants tokens */
export function testYjs14(journey: Journey, locked: Journey): void {
  const tokenOf = (rights: "read" | "write") => signToken(SECRET, claimsOf("ada", [{ id: "*", rights }]))

  /** Somebody with Yjs 14. */
  function open(at: Journey, id: string, params: Record<string, string> = {}) {
    const doc = new Y14.Doc()
    const losses: (number | undefined)[] = []
    const provider = new WebsocketProvider(at.server.docs, id, doc, {
      params,
      // reason: `ws` behaves like the browser's class, which the provider asks for.
      WebSocketPolyfill: WebSocket as unknown as typeof globalThis.WebSocket,
      disableBc: true,
      maxBackoffTime: 500,
    })
    provider.on("connection-close", (event: CloseEvent | null) => losses.push(event?.code))
    at.atEnd(() => {
      provider.destroy()
      doc.destroy()
    })
    return { doc, provider, losses, awareness: provider.awareness, text: doc.get("text") }
  }

  const cursors = ({ awareness, doc }: ReturnType<typeof open>) =>
    [...awareness.getStates()].filter(([client]) => client !== doc.clientID).map(([, state]) => state)

  it('[W2] Yjs 14 is in one room with Yjs 13: edits, cursors, the root "", exports, and what was typed offline', async () => {
    const young = open(journey, "young")
    const other = open(journey, "young")
    await until(() => young.provider.synced && other.provider.synced, "they are synced")
    const [old, hocuspocus] = await journey.enter(
      openWebsocketProvider(journey.server.docs, "young"),
      openHocuspocus(`${journey.server.url.replace("http", "ws")}/hocuspocus/young`),
    )
    young.text.insert(0, "young, ")
    await until(() => textOf(old) === "young, ", "the old one reads it")
    type(old, "old")
    await until(() => other.text.toString() === "young, old", "the young ones read it")
    young.awareness.setLocalState({ name: "young" })
    other.awareness.setLocalState({ name: "other" })
    for (const client of [old, hocuspocus]) client.awareness.setLocalState({ name: "old" })
    await until(() => [old, hocuspocus].every((client) => cursorsOf(client).length === 3), "the old see all")
    await until(() => [young, other].every((client) => cursors(client).length === 3), "the young see all")
    const heading = new Y14.Type("heading")
    young.doc.get("").insert(0, [heading])
    heading.insert(0, "Title")
    await until(() => old.doc.getXmlFragment("").length === 1, "the old one has the nameless root")
    young.provider.disconnect()
    young.text.insert(0, "very ")
    young.provider.connect()
    await until(() => textOf(hocuspocus) === "very young, old", "what was typed offline comes")
    await until(() => hocuspocus.provider.unsyncedChanges === 0, "all is on disk")
    const text = async (root: string) =>
      (await fetch(`${journey.server.url}/docs/young?format=text&root=${root}`)).text()
    expect([await text("text"), await text("")].map((each) => each.trim())).toEqual([
      "very young, old",
      "Title",
    ])
    expect([young.losses.length, other.losses, old.losses]).toEqual([1, [], []])
    expect(young.doc.clientID).toBeGreaterThan(2 ** 32)
  })

  it("[R2] takes nothing of a reader with Yjs 14, by its token", async () => {
    const writer = open(locked, "young", { token: tokenOf("write") })
    const reader = open(locked, "young", { token: tokenOf("read") })
    await until(() => writer.provider.synced && reader.provider.synced, "they are synced")
    writer.text.insert(0, "for all")
    await until(() => reader.text.toString() === "for all", "the reader reads")
    reader.text.insert(0, "mine ")
    writer.text.insert(7, " to read")
    await until(() => reader.text.toString() === "mine for all to read", "the reader reads on")
    expect([writer.text.toString(), reader.losses]).toEqual(["for all to read", []])
  })
}
