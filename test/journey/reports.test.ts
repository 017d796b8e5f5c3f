/** What bug reports of other backends describe, tried with stock clients on the real server. */
import { setTimeout as wait } from "node:timers/promises"
import * as Y14 from "@y/y"
import { expect, it } from "vitest"
import * as Y from "yjs"
import type { DocumentStatus } from "../../src/rpc.ts"
import { documentPath, statusPath } from "../kit/addresses.ts"
import {
  type Client,
  cursorsOf,
  KINDS,
  openProvider,
  openWebsocketProvider,
  openYProvider,
  RawClient,
  ROOT,
  textOf,
  type,
} from "../kit/clients.ts"
import { setUpJourney, synced } from "../kit/journey.ts"
import { startProxy } from "../kit/proxy.ts"
import { claimsOf, signToken } from "../kit/tokens.ts"
import { until } from "../kit/until.ts"

const SECRET = "a secret of more than thirty-two bytes for tests"
/** y-websocket gives up after 30 s without a message, and looks every 3 s. */
const LONGEST_WAIT_MS = 36_000
/** What a room waits for a sign of life in these tests, ms: a twelfth of what it waits by default. */
const SILENT_MS = 3_300
const SILENT_ANSWER_MS = 1_250

let lasting: ReturnType<typeof last>
let staying: ReturnType<typeof stay>

/** The same server for everyone, where nobody needs a token. */
const open = setUpJourney({
  begin: () => {
    staying = stay()
    staying.catch(() => {}) // told by the test that asks
  },
})
/** One with tokens, that is soon impatient with the silent. It begins what takes long, which goes on beside the tests. */
const locked = setUpJourney({
  flags: [
    `--var=AUTH_SECRET:${SECRET}`,
    // 150 people who come at once come from one address here.
    "--var=LIMIT_DIAL_BURST:200",
    `--var=LIMIT_SILENT_MS:${SILENT_MS}`,
    `--var=LIMIT_SILENT_ANSWER_MS:${SILENT_ANSWER_MS}`,
  ],
  begin: () => {
    lasting = last()
    lasting.catch(() => {}) // told by the tests that ask
  },
})

function tokenOf(subject: string, id: string, rights: "read" | "write" = "write"): string {
  return signToken(SECRET, claimsOf(subject, [{ id, rights }]))
}

const textAt = async (id: string) => {
  const response = await fetch(`${open.server.url}${documentPath(id)}?format=text`)
  return response.ok ? response.text() : response.status
}

/** How often a stock provider has dialled since now. */
function countDials({ provider }: { provider: { on: unknown } }): () => number {
  let dials = 0
  const on = provider.on as (event: "status", listener: (event: { status: string }) => void) => void
  on.call(provider, "status", ({ status }) => {
    if (status === "connecting") dials++
  })
  return () => dials
}

/** A key that no room takes. */
function spoil({ doc }: Client): void {
  doc.getMap("map").set("k".repeat(5_000), 1)
}

/** What takes as long as a client's longest wait: readers who only read, and refused clients that may come back. */
async function last() {
  const reader = openWebsocketProvider(locked.server.docs, "published", {
    params: { token: tokenOf("reader", "published", "read") },
  })
  const [stock, party, peer] = await synced(
    openWebsocketProvider(open.server.docs, "refused"),
    openYProvider(open.server.url, "refused"),
    openProvider(open.server.docs, "refused"),
    reader,
  )
  const dials = [countDials(stock), countDials(party)]
  spoil(stock)
  spoil(party)
  await wait(LONGEST_WAIT_MS)
  return { reader, stock, party, peer, dials: dials.map((count) => count()) }
}

it("syncs what a Yjs 14 client writes, and exports its text", async () => {
  const doc = new Y14.Doc()
  const root = doc.get("document")
  for (const line of ["first line", "second line"]) {
    const paragraph = new Y14.Type("paragraph")
    root.insert(root.length, [paragraph])
    paragraph.insert(0, line)
  }
  const [raw, reader] = await open.enter(
    new RawClient(`${open.server.docs}/yjs-14`),
    openWebsocketProvider(open.server.docs, "yjs-14"),
  )
  raw.sendUpdate(Y14.encodeStateAsUpdate(doc))
  await until(() => reader.doc.getXmlFragment("document").length === 2, "a page of Yjs 13 has both lines")
  expect(await textAt("yjs-14")).toBe("first line\nsecond line")
  // What comes back is what a page of Yjs 14 has.
  const back = new Y14.Doc()
  const response = await fetch(`${open.server.url}/docs/yjs-14?format=update`)
  Y14.applyUpdate(back, new Uint8Array(await response.arrayBuffer()))
  expect(JSON.stringify(back.get("document").toJSON())).toBe(JSON.stringify(root.toJSON()))
})

it("[W1] leaves stock clients alone whatever text an application sends", async () => {
  const [party, stock, peer] = await open.enter(
    openYProvider(open.server.url, "texts"),
    openWebsocketProvider(open.server.docs, "texts"),
    openProvider(open.server.docs, "texts"),
  )
  for (const text of ['{"type":"ping"}', "", "keep-alive", "ping", "__YPS:"]) {
    party.provider.ws!.send(text)
    stock.provider.ws!.send(text)
  }
  type(party, "a")
  type(stock, "b")
  await until(() => textOf(peer).length === 2, "edits go on")
  expect([party.losses, stock.losses]).toEqual([[], []])
})

it("[C2] brings 30 MB that only our own client has into an empty room", async () => {
  const ada = openProvider(open.server.docs, "thirty")
  ada.provider.disconnect()
  for (let i = 0; i < 30; i++) ada.doc.getText(ROOT).insert(0, String.fromCharCode(97 + i).repeat(1_000_000))
  ada.provider.connect()
  await open.enter(ada)
  await ada.provider.whenSaved()
  expect(((await textAt("thirty")) as string).length).toBe(30_000_000)
  expect(ada.losses).toEqual([])
})

it("[D8] restores a backup by DELETE and PATCH, whatever tabs are open or suspended", async () => {
  const id = "restored"
  const url = `${open.server.url}${documentPath(id)}`
  const [party, stock, ours, asleep] = await open.enter(
    openYProvider(open.server.url, id),
    openWebsocketProvider(open.server.docs, id),
    openProvider(open.server.docs, id),
    openWebsocketProvider(open.server.docs, id),
  )
  type(stock, "as it was")
  const everyone = [party, stock, ours, asleep]
  await until(() => everyone.every((client) => textOf(client) === "as it was"), "everyone reads it")
  const backup = await (await fetch(`${url}?format=update`)).arrayBuffer()
  for (const client of everyone) type(client, ", spoilt")
  await until(() => everyone.every((client) => textOf(client).length === 9 + 4 * 8), "everyone has it all")
  asleep.provider.disconnect()
  expect((await fetch(url, { method: "DELETE" })).status).toBe(204)
  const headers = { "content-type": "application/octet-stream" }
  expect((await fetch(url, { method: "PATCH", headers, body: backup })).status).toBe(200)
  asleep.provider.connect()
  // YProvider comes back after whatever closes it, here a network that fails.
  party.provider.ws!.close()
  await until(() => asleep.refusals.length > 0 && party.refusals.length > 1, "those who come back are told")
  for (const client of [party, stock, asleep]) type(client, " and on")
  expect(await textAt(id)).toBe("as it was")
  const [fresh] = await open.enter(openYProvider(open.server.url, id))
  expect(textOf(fresh)).toBe("as it was")
  type(fresh, ", and edited")
  await until(async () => (await textAt(id)) === "as it was, and edited", "a fresh page edits")
  expect(ours.losses.at(-1)).toBe(4404)
})

it("[D8] keeps a deleted document deleted with every kind of client open", async () => {
  const id = "deleted"
  const url = `${open.server.url}${documentPath(id)}`
  const [party, stock, ours] = await open.enter(
    openYProvider(open.server.url, id),
    openWebsocketProvider(open.server.docs, id),
    openProvider(open.server.docs, id),
  )
  type(ours, "personal data")
  await until(() => [party, stock].every((client) => textOf(client) === "personal data"), "all have it")
  const dials = [countDials(party), countDials(stock)]
  expect((await fetch(url, { method: "DELETE" })).status).toBe(204)
  type(stock, ", and on")
  const saved = ours.provider.whenSaved()
  type(ours, ", and on")
  await expect(saved).resolves.toBeUndefined()
  await expect(ours.provider.whenSaved()).rejects.toMatchObject({ code: "deleted" })
  party.provider.ws!.close()
  await until(() => party.refusals.length > 1, "the one who came back is told")
  const [fresh] = await open.enter(openWebsocketProvider(open.server.docs, id))
  expect([textOf(fresh), await textAt(id)]).toEqual(["", 404])
  expect(dials.map((count) => count())).toEqual([1, 0])
})

it("[R3] lets 150 readers of one public token in at once", async () => {
  const token = tokenOf("public", "page", "read")
  const [author] = await locked.enter(
    openProvider(locked.server.docs, "page", { token: tokenOf("ada", "page") }),
  )
  type(author, "for everyone")
  const readers = Array.from(
    { length: 150 },
    () => new RawClient(`${locked.server.docs}/page?token=${token}`),
  )
  await locked.enter(...readers)
  await until(() => readers.every((reader) => textOf(reader) === "for everyone"), "everyone reads it")
  expect(readers.flatMap(({ losses }) => losses)).toEqual([])
})

it("[P3] sees people off whose connection is open by half, and back when it heals", async () => {
  const id = "half-open"
  const proxy = await startProxy(Number(new URL(locked.server.url).port))
  const params = (subject: string) => ({ params: { token: tokenOf(subject, id) } })
  try {
    const docs = `${proxy.url.replace("http", "ws")}/docs`
    const held = await locked.enter(
      openProvider(docs, id, { token: tokenOf("ada", id) }),
      openWebsocketProvider(docs, id, params("bo")),
      openYProvider(proxy.url, id, params("cleo")),
    )
    const [idle, newest] = await locked.enter(
      // An idle YProvider sends nothing at all, and must not be taken for gone.
      openYProvider(locked.server.url, id, params("dan")),
      openProvider(locked.server.docs, id, { token: tokenOf("eve", id) }),
    )
    for (const [i, { awareness }] of [...held, idle].entries()) awareness.setLocalState({ i })
    await until(() => cursorsOf(newest).length === 4, "everyone is seen")
    proxy.hold()
    await until(() => cursorsOf(newest).length === 1, "those who are gone are gone", {
      // The silence, the answer that does not come, and one look in between.
      timeoutMs: 2 * (SILENT_MS + SILENT_ANSWER_MS),
    })
    expect([cursorsOf(newest), idle.losses]).toEqual([[{ i: 3 }], []])
    proxy.heal()
    // y-websocket comes back with the clock that it left with, and shows again with its next renewal.
    await until(() => held[1].synced && cursorsOf(newest).length >= 3, "they are back", { timeoutMs: 5_000 })
  } finally {
    await proxy.close()
  }
})

it("[R5] carries between two documents piped into each other, and loses and refuses nothing", async () => {
  const id = "piped"
  const [ada, bo] = await locked.enter(
    openWebsocketProvider(locked.server.docs, id, { params: { token: tokenOf("ada", id) } }),
    openWebsocketProvider(locked.server.docs, id, { params: { token: tokenOf("bo", id) } }),
  )
  for (const [from, to] of [
    [ada, bo],
    [bo, ada],
  ] as const)
    from.doc.on("update", (update: Uint8Array, origin: unknown) => {
      if (origin !== "rtc") Y.applyUpdate(to.doc, update, "rtc")
    })
  for (let i = 0; i < 20; i++) {
    type(ada, "a")
    type(bo, "b")
    await wait(5)
  }
  const [reader] = await locked.enter(
    openProvider(locked.server.docs, id, { token: tokenOf("cleo", id, "read") }),
  )
  await until(() => textOf(reader).length === 40, "all 40 letters are in the room")
  expect([ada.losses, bo.losses, ada.refusals, bo.refusals]).toEqual([[], [], [], []])
})

it("[C1] calls a stock client's gap neither saved nor settled, and takes its own edits at once", async () => {
  const author = new Y.Doc()
  const updates: Uint8Array[] = []
  author.on("update", (update: Uint8Array) => updates.push(update))
  for (const letter of "AB") author.getText("torn").insert(0, letter)
  const status = async (id: string) =>
    (await fetch(`${open.server.url}${statusPath(id)}`)).json() as Promise<DocumentStatus>
  for (const [id, connect] of [
    ["gap-stock", () => openWebsocketProvider(open.server.docs, "gap-stock")],
    ["gap-party", () => openYProvider(open.server.url, "gap-party")],
    ["gap-ours", () => openProvider(open.server.docs, "gap-ours")],
  ] as const) {
    const client: Client = connect()
    Y.applyUpdate(client.doc, updates[1]!)
    type(client, "mine")
    const [torn] = await open.enter(client)
    await until(async () => (await textAt(id)) === "mine", "its own edits are in")
    expect((await status(id)).waiting).toBe(1)
    type(torn, ", and more")
    await until(async () => (await textAt(id)) === "mine, and more", "what it types on is in")
    expect(torn.losses).toEqual([])
  }
})

it("[P5] keeps a stock reader without presence connected", async () => {
  const { reader } = await lasting
  await locked.enter(reader)
  expect([reader.synced, reader.losses]).toEqual([true, []])
})

it("[R3] is not dialled in a loop by stock clients that it has refused, and tells them on", async () => {
  const { stock, party, peer, dials } = await lasting
  await open.enter(peer)
  expect(dials).toEqual([0, 0])
  for (const { refusals } of [stock, party]) expect(refusals.length).toBeGreaterThan(0)
  type(peer, "they read on")
  await until(() => [stock, party].every((client) => textOf(client) === "they read on"), "they read on")
  await open.enter(stock, party)
})

/**
 * Every kind of client alone in a room of its own, and two in a room that sleeps, until the longest wait of a client is
 * over. It begins with the server and goes on beside the tests.
 */
async function stay() {
  const alone = await synced(...Object.values(KINDS).map((come, i) => come(open.server, `alone-${i}`)))
  // Without a heartbeat of the clients', so that the room is evicted: 10 s without a message is what it takes here.
  const [quiet, peer] = await synced(
    openYProvider(open.server.url, "asleep"),
    openProvider(open.server.docs, "asleep"),
  )
  quiet.awareness.setLocalState({ name: "quiet" })
  type(quiet, "before ")
  await until(() => cursorsOf(peer)[0]?.name === "quiet" && textOf(peer) === "before ", "the peer sees both")
  await wait(LONGEST_WAIT_MS)
  return { alone, quiet, peer }
}

it("[P4] [P5] keeps everyone connected for longer than any client waits, alone in a room and asleep", async () => {
  const { alone, quiet, peer } = await staying
  // From here on they leave with the test.
  await open.enter(...alone, quiet, peer)
  type(quiet, "after")
  await until(() => textOf(peer) === "before after", "the peer reads on, on the same socket")
  const [newcomer] = await open.enter(openWebsocketProvider(open.server.docs, "asleep"))
  expect(textOf(newcomer)).toBe("before after")
  await until(
    () => cursorsOf(newcomer).some(({ name }) => name === "quiet"),
    "a newcomer sees the one who was quiet",
  )
  peer.leave()
  await until(() => cursorsOf(newcomer).length === 1, "exactly the cursor of the one who left is gone")
  for (const [i, client] of alone.entries()) {
    type(client, `still here ${i}`)
    const [visitor] = await open.enter(openWebsocketProvider(open.server.docs, `alone-${i}`))
    await until(() => textOf(visitor) === `still here ${i}`, "a visitor reads what the one alone typed")
    expect([client.synced, client.losses]).toEqual([true, []])
  }
  expect([quiet.losses, newcomer.losses]).toEqual([[], []])
})
