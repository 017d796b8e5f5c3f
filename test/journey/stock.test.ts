/** Stock providers, unchanged, against the real server: they sync and see each other. That they stay is in reports.test.ts. */
import { expect, it } from "vitest"
import {
  type Client,
  cursorsOf,
  isSame,
  KINDS,
  openWebsocketProvider,
  openYProvider,
  RawClient,
  textOf,
  type,
} from "../kit/clients.ts"
import { setUpJourney } from "../kit/journey.ts"
import { until } from "../kit/until.ts"

const journey = setUpJourney()
const { enter } = journey

async function converge(...clients: Client[]): Promise<void> {
  await until(() => clients.every((client) => isSame(client, clients[0]!)), "everyone has the same document")
}

for (const [name, open] of Object.entries(KINDS)) {
  it(`[W2] syncs two ${name} both ways and shows each the other's cursor`, async () => {
    const [ada, bo] = await enter(
      open(journey.server, `pair/${name.replace(/\W/g, "-")}`),
      open(journey.server, `pair/${name.replace(/\W/g, "-")}`),
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
  const clients = await enter(...Object.values(KINDS).map((open) => open(journey.server, id)))
  clients.forEach((client, i) => {
    client.doc.getMap("from").set(String(i), Object.keys(KINDS)[i])
    client.awareness.setLocalState({ i })
  })
  await converge(...clients)
  await until(
    () => clients.every((client) => cursorsOf(client).length === 3),
    "everyone sees the three others",
  )
  const json = await (await fetch(`${journey.server.url}/docs/acme%2Fplans%2F2026?format=json`)).json()
  expect(json).toEqual({ from: { ...Object.keys(KINDS) } })
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
