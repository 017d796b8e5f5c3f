/**
 * Every client that is not y-websocket's, as its package ships it, against the real server. Most of a test is waiting: for
 * the disk, for a token to end, for a client's patience. So they wait beside each other, and the kills come last.
 */
import { DocumentManager } from "@y-sweet/sdk"
import { describe, expect, it } from "vitest"
import {
  openHocuspocus,
  openHocuspocusSocket,
  openProvider,
  openSocket,
  openWebsocketProvider,
  openYSweet,
  textOf,
  type,
} from "../kit/clients.ts"
import { startHttpProxy } from "../kit/http-proxy.ts"
import { setUpJourney } from "../kit/journey.ts"
import { until } from "../kit/until.ts"
import { testBundles } from "./bundles.ts"
import { testHocuspocus } from "./hocuspocus.ts"
import { testMixed } from "./mixed.ts"
import { testNetworks } from "./networks.ts"
import { testRights } from "./rights.ts"
import { SECRET } from "./secret.ts"
import { testYSweet } from "./y-sweet.ts"
import { testYjs14 } from "./yjs14.ts"

const journey = setUpJourney({ beside: true })
const locked = setUpJourney({
  beside: true,
  flags: [
    `--var=AUTH_SECRET:${SECRET}`,
    // So little that a test can outrun it.
    "--var=LIMIT_PROBE_BYTES:65536",
    "--var=LIMIT_UNREAD_BYTES:524288",
    "--var=LIMIT_BUNDLE_DOCUMENTS:8",
  ],
})

describe.concurrent("beside each other", () => {
  testHocuspocus(journey, locked)
  testBundles(journey)
  testYSweet(locked)
  testRights(locked)
  testYjs14(journey, locked)
  testNetworks(journey, locked)
})

testMixed(journey)

it("[D1] [D2] has everything of which it said that it is saved after a SIGKILL, and gets back the rest, in every dialect", async () => {
  const { server, enter } = journey
  const { url, docs } = server
  const ws = url.replace("http", "ws")
  const manager = new DocumentManager(url.replace("http", "ys"))
  const theirs = openHocuspocusSocket(`${ws}/hocuspocus`)
  const ours = openSocket(docs)
  const network = await startHttpProxy(url)
  network.upgrades = 502
  journey.atEnd(() => {
    theirs.destroy()
    void network.close()
  })
  const [author, bundled, sweet, channel, http] = await enter(
    openHocuspocus(`${ws}/hocuspocus/killed`),
    openHocuspocus(theirs, { name: "killed/bundled" }),
    openYSweet("killed-sweet", () => manager.getOrCreateDocAndToken("killed-sweet")),
    openProvider(ours, "killed/channel"),
    openProvider(network.docs, "killed/http"),
  )
  const ids = ["killed/bundled", "killed-sweet", "killed/channel", "killed/http"]
  const others = [bundled, sweet, channel, http]
  let typed = 0
  let saved = 0
  author.provider.on("unsyncedChanges", ({ number }: { number: number }) => {
    // Receipts come in order: all but the newest so many are on disk.
    saved = Math.max(saved, typed - number)
  })
  const isSaved = () =>
    bundled.provider.unsyncedChanges === 0 &&
    !sweet.provider.hasLocalChanges &&
    !channel.provider.hasUnsavedChanges &&
    !http.provider.hasUnsavedChanges
  for (const client of others) type(client, "before")
  await until(isSaved, "the others' is on disk")
  const typing = setInterval(() => {
    author.doc.getMap("words").set(String(typed), typed)
    typed++
  }, 3)
  await until(() => saved > 100, "a good deal is saved")
  await server.kill()
  const promised = saved
  clearInterval(typing)
  author.provider.disconnect()
  for (const client of others) type(client, ", after")
  expect(isSaved()).toBe(false)
  await server.restart()
  const [reader] = await enter(openWebsocketProvider(docs, "killed"))
  const words = reader.doc.getMap("words")
  expect(Array.from({ length: promised }, (_, n) => n).filter((n) => !words.has(String(n)))).toEqual([])
  await author.provider.connect()
  await until(() => words.size === typed, "the rest comes when the author is back")
  await until(() => author.provider.unsyncedChanges === 0 && isSaved(), "and is saved", { timeoutMs: 15_000 })
  const readers = await enter(...ids.map((id) => openWebsocketProvider(docs, id)))
  expect(readers.map(textOf)).toEqual(ids.map(() => "before, after"))
})
