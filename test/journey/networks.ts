/** Our provider on networks that let no WebSocket through, against the real server: tests for dialects.test.ts. */
import { expect, it } from "vitest"
import {
  cursorsOf,
  isSame,
  openProvider,
  openSocket,
  openWebsocketProvider,
  textOf,
  type,
} from "../kit/clients.ts"
import { type HttpProxy, startHttpProxy } from "../kit/http-proxy.ts"
import type { Journey } from "../kit/journey.ts"
import { claimsOf, signToken } from "../kit/tokens.ts"
import { until } from "../kit/until.ts"
import { SECRET } from "./secret.ts"

/** A network: what it does, and what our provider goes over on it. */
const NETWORKS: readonly [string, Partial<HttpProxy>, "stream" | "poll"][] = [
  ["swallows upgrades", { upgrades: "nothing" }, "stream"],
  ["answers upgrades with 400, and cuts what is silent", { upgrades: 400, idleMs: 2_500 }, "poll"],
  [
    "answers upgrades with 200, and holds answers back until they end",
    { upgrades: 200, holds: "all" },
    "poll",
  ],
  ["answers upgrades with 502, and holds back 64 KB", { upgrades: 502, holds: 65_536 }, "poll"],
]

/** @param journey at an open server; `locked` at one that wants tokens */
export function testNetworks(journey: Journey, locked: Journey): void {
  async function startNetwork(journey: Journey, traits: Partial<HttpProxy>): Promise<HttpProxy> {
    const proxy = await startHttpProxy(journey.server.url)
    journey.atEnd(() => void proxy.close())
    return Object.assign(proxy, traits)
  }

  for (const [name, traits, transport] of NETWORKS) {
    it(`[C3] brings two together with one outside where a network ${name}, and goes back to a socket`, async () => {
      const proxy = await startNetwork(journey, traits)
      const id = `networks/${transport}/${name.length}`
      const [ada, bo, outside] = await journey.enter(
        openProvider(proxy.docs, id),
        openProvider(proxy.docs, id),
        openWebsocketProvider(journey.server.docs, id),
      )
      const within = [ada, bo]
      await until(
        () => within.every(({ provider }) => provider.transport === transport),
        `they go by ${transport}`,
      )
      const everyone = [ada, bo, outside]
      for (const [i, client] of everyone.entries()) {
        client.doc.getMap("from").set(String(i), true)
        client.awareness.setLocalState({ i })
      }
      await until(() => everyone.every((one) => isSame(one, outside)), "everyone has the same document")
      await until(() => everyone.every((one) => cursorsOf(one).length === 2), "everyone sees the others")
      await Promise.all(within.map(({ provider }) => provider.whenSaved()))
      expect(proxy.opened).toBe(0)

      Object.assign(proxy, { upgrades: null, holds: null, idleMs: null })
      await until(() => {
        proxy.cut()
        return within.every(({ provider }) => provider.transport === "websocket")
      }, "sockets open again")
      type(ada, "over a socket")
      await until(() => textOf(bo) === "over a socket" && textOf(outside) === textOf(bo), "it is read")
      await ada.provider.whenSaved()
      expect(proxy.opened).toBeGreaterThan(1)
    })
  }

  it("[C3] carries the documents of a Socket each for itself, and goes back to the one socket", async () => {
    const proxy = await startNetwork(journey, { upgrades: 502 })
    const socket = openSocket(proxy.docs)
    const ids = ["networks/a", "networks/b"]
    const pages = await journey.enter(...ids.map((id) => openProvider(socket, id)))
    expect(pages.map(({ provider }) => provider.transport)).toEqual(["stream", "stream"])
    for (const [i, page] of pages.entries()) type(page, `text ${i}`)
    await Promise.all(pages.map(({ provider }) => provider.whenSaved()))
    proxy.upgrades = null
    proxy.cut()
    await until(() => pages.every(({ provider }) => provider.transport === "websocket"), "they are back")
    await until(() => pages.every(({ synced }) => synced), "and synced")
    expect([socket.size, pages.map(textOf)]).toEqual([2, ["text 0", "text 1"]])
  })

  const tokenOf = (rights: "read" | "write", exp?: number) =>
    signToken(SECRET, {
      ...claimsOf("ada", [{ id: "networks/*", rights }]),
      ...(exp !== undefined && { exp }),
    })
  const inSeconds = (seconds: number) => Math.floor(Date.now() / 1000) + seconds

  it("[R2] takes nothing of a reader over HTTP, who is told and reads on", async () => {
    const proxy = await startNetwork(locked, { upgrades: 502 })
    const [writer, reader] = await locked.enter(
      openProvider(proxy.docs, "networks/read", { token: tokenOf("write") }),
      openProvider(proxy.docs, "networks/read", { token: tokenOf("read") }),
    )
    expect([writer, reader].map(({ provider }) => provider.transport)).toEqual(["stream", "stream"])
    type(writer, "for all")
    await until(() => textOf(reader) === "for all", "the reader reads")
    await until(() => reader.provider.readOnly, "the reader knows")
    type(reader, " and mine")
    await until(() => reader.provider.refused !== null, "the reader is told")
    type(writer, " to read")
    await until(() => textOf(reader).includes(" to read"), "the reader reads on")
    expect(textOf(writer)).toBe("for all to read")
  })

  it("[C4] [R2] goes on over HTTP with fresh tokens, and ends with one that is not renewed", async () => {
    const proxy = await startNetwork(locked, { upgrades: 502 })
    let minted = 0
    const fresh = () => tokenOf("write", inSeconds(4 * ++minted))
    const [ada, eve] = await locked.enter(
      openProvider(proxy.docs, "networks/token", { token: fresh }),
      openProvider(proxy.docs, "networks/token", { token: tokenOf("write", inSeconds(4)) }),
    )
    const lost = ada.losses.length
    await until(() => eve.provider.closed !== null, "Eve's token has ended")
    expect(eve.provider.closed).toMatchObject({ code: 4401 })
    type(ada, "still here")
    await ada.provider.whenSaved()
    expect([ada.losses.length - lost, ada.provider.transport]).toEqual([0, "stream"])
    expect(minted).toBeGreaterThan(2)
  })
}
