/** Stock providers, unchanged, against the real server: they sync, see each other, and stay. */
import { setTimeout as wait } from "node:timers/promises"
import { expect, it } from "vitest"
import {
  type Client,
  cursorsOf,
  isSame,
  openProvider,
  openWebsocketProvider,
  openYProvider,
  RawClient,
  textOf,
  type,
} from "../kit/clients.ts"
import { setUpJourney, synced } from "../kit/journey.ts"
import { until } from "../kit/until.ts"

/** The longest time limit of a client: y-websocket gives up after 30 s without a message, and looks every 3 s. */
const LONGEST_WAIT_MS = 36_000

let idling: ReturnType<typeof idle>

const journey = setUpJourney({
  begin: () => {
    idling = idle()
    idling.catch(() => {}) // told by the test that asks
  },
})
const { enter } = journey

async function converge(...clients: Client[]): Promise<void> {
  await until(() => clients.every((client) => isSame(client, clients[0]!)), "everyone has the same document")
}

const stock = {
  "y-websocket": (id: string) => openWebsocketProvider(journey.server.docs, id),
  "y-websocket at /parties/main": (id: string) =>
    openWebsocketProvider(`${journey.server.docs.replace(/docs$/, "parties/main")}`, id),
  "y-partyserver's YProvider": (id: string) => openYProvider(journey.server.url, id),
  "our provider": (id: string) => openProvider(journey.server.docs, id),
}

for (const [name, open] of Object.entries(stock)) {
  it(`[W2] syncs two ${name} both ways and shows each the other's cursor`, async () => {
    const [ada, bo] = await enter(
      open(`pair/${name.replace(/\W/g, "-")}`),
      open(`pair/${name.replace(/\W/g, "-")}`),
    )
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
    bo.leave()
    await until(() => cursorsOf(ada).length === 0, "Bo's cursor goes with Bo")
  })
}

it("[W2] brings every kind of client into the same room, by a path with a raw slash too", async () => {
  const id = "acme/plans/2026"
  const clients = await enter(...Object.values(stock).map((open) => open(id)))
  clients.forEach((client, i) => {
    client.doc.getMap("from").set(String(i), Object.keys(stock)[i])
    client.awareness.setLocalState({ i })
  })
  await converge(...clients)
  await until(
    () => clients.every((client) => cursorsOf(client).length === 3),
    "everyone sees the three others",
  )
  const json = await (await fetch(`${journey.server.url}/docs/acme%2Fplans%2F2026?format=json`)).json()
  expect(json).toEqual({ from: { ...Object.keys(stock) } })
})

it("[W2] takes the custom messages of YProvider and stays up", async () => {
  const [ada, bo] = await enter(
    openYProvider(journey.server.url, "messages"),
    openYProvider(journey.server.url, "messages"),
  )
  ada.provider.sendMessage(JSON.stringify({ type: "wave" }))
  type(ada, "after the message")
  await until(() => textOf(bo) === "after the message", "Bo reads what came after the message")
  // This room's hook says nothing, so nobody hears anything.
  expect([ada.losses, bo.losses, bo.messages]).toEqual([[], [], []])
})

it("[W2] answers the goodbye of a client that names no code", async () => {
  const [ada, bo] = await enter(
    new RawClient(`${journey.server.docs}/goodbye`),
    new RawClient(`${journey.server.docs}/goodbye`),
  )
  bo.awareness.setLocalState({ name: "Bo" })
  await until(() => cursorsOf(ada).length === 1, "Ada sees Bo")
  bo.socket.close()
  await until(() => bo.losses.length > 0, "Bo's socket is closed")
  // 1006 would mean that the room never said goodbye, and the socket was cut when the room fell asleep.
  expect(bo.losses).toEqual([1000])
  await until(() => cursorsOf(ada).length === 0, "Bo's cursor goes with Bo")
})

it("[W2] brings a document that was made before the first connection, and one made while offline", async () => {
  const [ada, bo] = await enter(
    openWebsocketProvider(journey.server.docs, "offline"),
    openYProvider(journey.server.url, "offline"),
  )
  ada.provider.disconnect()
  bo.provider.disconnect()
  type(ada, "a")
  type(bo, "b")
  expect(isSame(ada, bo)).toBe(false)
  ada.provider.connect()
  await bo.provider.connect()
  await converge(ada, bo)
  expect([...textOf(ada)].sort().join("")).toBe("ab")
})

/**
 * Every kind of client alone in a room of its own, and two in a room that sleeps, until the longest wait of a client is
 * over. It begins before the other tests and goes on beside them: it takes nothing but time.
 */
async function idle() {
  const alone = await synced(...Object.values(stock).map((open, i) => open(`alone-${i}`)))
  // Without a heartbeat of the clients', so that the room is evicted: 10 s without a message is what it takes here.
  const [quiet, peer] = await synced(
    openYProvider(journey.server.url, "asleep"),
    openProvider(journey.server.docs, "asleep"),
  )
  quiet.awareness.setLocalState({ name: "quiet" })
  type(quiet, "before ")
  await until(() => cursorsOf(peer)[0]?.name === "quiet" && textOf(peer) === "before ", "the peer sees both")
  await wait(LONGEST_WAIT_MS)
  return { alone, quiet, peer }
}

it("[P4] [P5] keeps everyone connected for longer than any client waits, alone in a room and asleep", async () => {
  const { alone, quiet, peer } = await idling
  // From here on they leave with the test.
  await enter(...alone, quiet, peer)
  type(quiet, "after")
  await until(() => textOf(peer) === "before after", "the peer reads on, on the same socket")
  const [newcomer] = await enter(openWebsocketProvider(journey.server.docs, "asleep"))
  expect(textOf(newcomer)).toBe("before after")
  await until(
    () => cursorsOf(newcomer).some(({ name }) => name === "quiet"),
    "a newcomer sees the one who was quiet",
  )
  peer.leave()
  await until(() => cursorsOf(newcomer).length === 1, "exactly the cursor of the one who left is gone")
  for (const [i, client] of alone.entries()) {
    type(client, `still here ${i}`)
    const [visitor] = await enter(openWebsocketProvider(journey.server.docs, `alone-${i}`))
    await until(() => textOf(visitor) === `still here ${i}`, "a visitor reads what the one alone typed")
    expect([client.synced, client.losses]).toEqual([true, []])
  }
  expect([quiet.losses, newcomer.losses]).toEqual([[], []])
})
