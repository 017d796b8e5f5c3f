/** Stock providers, unchanged, against the real server: they sync, see each other, and stay. */
import { setTimeout as wait } from "node:timers/promises"
import { afterAll, afterEach, beforeAll, expect, it } from "vitest"
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
import { startServer, type TestServer, until } from "../kit/server.ts"

let server: TestServer
const present: Client[] = []

beforeAll(async () => {
  server = await startServer()
})
afterEach(() => {
  for (const client of present.splice(0)) client.leave()
})
afterAll(() => server.stop())

/** Resolves when they are synced; they leave when the test ends. */
async function enter<Clients extends Client[]>(...clients: Clients): Promise<Clients> {
  present.push(...clients)
  await until(() => clients.every(({ synced }) => synced), "everyone is synced")
  return clients
}

async function converge(...clients: Client[]): Promise<void> {
  await until(() => clients.every((client) => isSame(client, clients[0]!)), "everyone has the same document")
}

const stock = {
  "y-websocket": (id: string) => openWebsocketProvider(server.docs, id),
  "y-websocket at /parties/main": (id: string) =>
    openWebsocketProvider(`${server.docs.replace(/docs$/, "parties/main")}`, id),
  "y-partyserver's YProvider": (id: string) => openYProvider(server.url, id),
  "our provider": (id: string) => openProvider(server.docs, id),
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
  const json = await (await fetch(`${server.url}/docs/acme%2Fplans%2F2026?format=json`)).json()
  expect(json).toEqual({ from: { ...Object.keys(stock) } })
})

it("[W2] takes the custom messages of YProvider and stays up", async () => {
  const [ada, bo] = await enter(openYProvider(server.url, "messages"), openYProvider(server.url, "messages"))
  ada.provider.sendMessage(JSON.stringify({ type: "wave" }))
  type(ada, "after the message")
  await until(() => textOf(bo) === "after the message", "Bo reads what came after the message")
  // This room's hook says nothing, so nobody hears anything.
  expect([ada.losses, bo.losses, bo.messages]).toEqual([[], [], []])
})

it("[W2] answers the goodbye of a client that names no code", async () => {
  const [ada, bo] = await enter(
    new RawClient(`${server.docs}/goodbye`),
    new RawClient(`${server.docs}/goodbye`),
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
    openWebsocketProvider(server.docs, "offline"),
    openYProvider(server.url, "offline"),
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

it("[P4] [P5] keeps everyone connected for 46 s alone in a room, and through its hibernation", async () => {
  const alone = await enter(...Object.values(stock).map((open, i) => open(`alone-${i}`)))
  // Without a heartbeat of the clients', so that the room is evicted: 10 s without a message is what it takes here.
  const [idle, peer] = await enter(openYProvider(server.url, "asleep"), openProvider(server.docs, "asleep"))
  idle.awareness.setLocalState({ name: "idle" })
  type(idle, "before ")
  await until(() => cursorsOf(peer)[0]?.name === "idle" && textOf(peer) === "before ", "the peer sees both")
  // The longest time limit of a client: y-websocket gives up after 30 s without a message, and looks every 3 s.
  await wait(46_000)
  type(idle, "after")
  await until(() => textOf(peer) === "before after", "the peer reads on, on the same socket")
  const [newcomer] = await enter(openWebsocketProvider(server.docs, "asleep"))
  expect(textOf(newcomer)).toBe("before after")
  await until(
    () => cursorsOf(newcomer).some(({ name }) => name === "idle"),
    "a newcomer sees the one who was idle",
  )
  peer.leave()
  await until(() => cursorsOf(newcomer).length === 1, "exactly the cursor of the one who left is gone")
  for (const [i, client] of alone.entries()) {
    type(client, `still here ${i}`)
    const [visitor] = await enter(openWebsocketProvider(server.docs, `alone-${i}`))
    await until(() => textOf(visitor) === `still here ${i}`, "a visitor reads what the one alone typed")
    expect([client.synced, client.losses]).toEqual([true, []])
  }
  expect([idle.losses, newcomer.losses]).toEqual([[], []])
})
