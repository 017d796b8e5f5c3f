/** Who carries an update is not who originated it (R5). */
import { env } from "cloudflare:workers"
import { expect, it } from "vitest"
import * as Y from "yjs"
import type { Grant } from "../../src/access/rights.ts"
import { d1Archive } from "../../src/archive/d1.ts"
import { openRoom, type TestRoom, until, WRITER } from "./vocabulary.ts"

const as = (subject: string): Grant => ({ ...WRITER, subject, admin: false })

/** Two people who show themselves, as every stock client does. */
async function openForTwo(): Promise<TestRoom> {
  const room = await openRoom()
  for (const [who, name] of ["ada", "bob"].entries()) {
    await room.join(as(name))
    room.point(who, { name })
    room.type(who, `${name}1 `)
    await room.saves(who)
  }
  await room.converges()
  return room
}

/** One visitor hands another all it has, past the room: what a WebRTC neighbour, another tab or a lost commit comes to. */
function carry(room: TestRoom, from: number, to: number): void {
  const [source, target] = [room.visitors[from]!.doc, room.visitors[to]!.doc]
  Y.applyUpdate(target, Y.encodeStateAsUpdate(source, Y.encodeStateVector(target)), "past the room")
}

/** What a newcomer reads. */
async function newcomerReads(room: TestRoom): Promise<string> {
  return room.text(await room.join(as("guest")))
}

it("[R5] takes what somebody carries for an author who is away, and refuses nobody when the author is back", async () => {
  const room = await openForTwo()
  await room.leave(0)
  room.type(0, "ada2 ")
  carry(room, 0, 1)
  room.type(1, "bob2 ")
  await room.saves(1)
  expect(await newcomerReads(room)).toBe("ada1 bob1 ada2 bob2 ")
  await room.rejoin(0, as("ada"))
  room.point(0, { name: "ada" })
  room.type(0, "ada3 ")
  await room.saves(0)
  await room.converges()
  expect(room.text(1)).toBe("ada1 bob1 ada2 bob2 ada3 ")
  expect(room.visitors.flatMap(({ refusals, losses }) => [...refusals, ...losses])).toEqual([1000])
  // The author has brought the same, so nothing is carried any more.
  await room.saves(0)
  expect(await room.rows("SELECT * FROM carried")).toEqual([])
})

it("[R5] lets a page whose author logs in go on under the same client id", async () => {
  const room = await openRoom()
  await room.join(as("guest-1"))
  room.point(0, { name: "guest" })
  room.type(0, "as a guest, ")
  await room.saves(0)
  await room.leave(0)
  await room.rejoin(0, as("ada"))
  room.point(0, { name: "ada" })
  room.type(0, "and as Ada")
  await room.saves(0)
  expect(await newcomerReads(room)).toBe("as a guest, and as Ada")
  expect(room.visitors[0]!.refusals).toEqual([])
})

it("[R5] makes nobody an owner by an import", async () => {
  const room = await openRoom()
  await room.join(as("ada"))
  const visitor = room.visitors[0]!
  room.visitors[0]!.detach()
  room.type(0, "written elsewhere, ")
  await room.merge(Y.encodeStateAsUpdate(visitor.doc), as("importer"))
  await room.rejoin(0, as("ada"))
  room.point(0, { name: "ada" })
  room.type(0, "and here")
  await room.saves(0)
  expect(await newcomerReads(room)).toBe("written elsewhere, and here")
})

it("[R5] changes nothing when somebody forges under an id whose owner is connected", async () => {
  const room = await openForTwo()
  const forger = new Y.Doc()
  Y.applyUpdate(forger, Y.encodeStateAsUpdate(room.visitors[0]!.doc))
  forger.clientID = room.client(0)
  const before = Y.encodeStateVector(forger)
  forger.getText("text").insert(0, "EVIL ")
  const forged = Y.encodeStateAsUpdate(forger, before)
  room.visitors[1]!.sendUpdate(forged)
  await until(async () => (await room.status())!.waiting === 1, "what was forged waits for the owner")
  room.type(0, "ada2 ")
  await room.saves(0)
  expect(await newcomerReads(room)).toBe("ada1 bob1 ada2 ")
  expect(room.client(0)).toBe(forger.clientID)
  await until(
    async () => (await room.status())!.waiting === 0,
    "the owner has written there, so it is dropped",
  )
})

it("[R5] carries the letters of a connected author that come by another first, and waits for the author's own", async () => {
  const room = await openForTwo()
  // Ada's own frame is on its way: Bob's neighbour was faster, and Bob has gone on from there.
  const ada = room.visitors[0]!.doc
  const copy = new Y.Doc()
  Y.applyUpdate(copy, Y.encodeStateAsUpdate(ada))
  copy.clientID = ada.clientID
  const before = Y.encodeStateVector(copy)
  copy.getText("text").insert(copy.getText("text").length, "ada2 ")
  const letter = Y.encodeStateAsUpdate(copy, before)
  Y.applyUpdate(room.visitors[1]!.doc, letter, "past the room")
  room.type(1, "bob2 ")
  await until(async () => (await room.status())!.waiting > 0, "Bob's waits for Ada's")
  room.visitors[0]!.sendUpdate(letter)
  await until(async () => (await room.status())!.waiting === 0, "nothing waits any more")
  await room.saves(1)
  expect(await newcomerReads(room)).toBe("ada1 bob1 ada2 bob2 ")
})

it("[R5] takes what waited for an author once she has gone", async () => {
  const room = await openForTwo()
  const copy = new Y.Doc()
  Y.applyUpdate(copy, Y.encodeStateAsUpdate(room.visitors[0]!.doc))
  copy.clientID = room.client(0)
  copy.getText("text").insert(copy.getText("text").length, "ada2 ")
  Y.applyUpdate(room.visitors[1]!.doc, Y.encodeStateAsUpdate(copy), "past the room")
  await until(async () => (await room.status())!.waiting > 0, "it waits for Ada")
  await room.leave(0)
  await until(async () => (await room.status())!.waiting === 0, "nobody else can bring it")
  expect(await newcomerReads(room)).toBe("ada1 bob1 ada2 ")
})

for (const ours of [true, false]) {
  it(`[R5] tells an author under whose id somebody has forged while she was away (${ours ? "ours" : "stock"})`, async () => {
    const room = await openForTwo()
    await room.leave(0)
    const forger = new Y.Doc()
    Y.applyUpdate(forger, Y.encodeStateAsUpdate(room.visitors[1]!.doc))
    forger.clientID = room.client(0)
    forger.getText("text").insert(0, "EVIL ")
    room.visitors[1]!.sendUpdate(Y.encodeStateAsUpdate(forger))
    await room.saves(1)
    room.type(0, "ada's own work ")
    await room.rejoin(0, as("ada"), { ours })
    const ada = room.visitors[0]!
    await until(() => (ours ? ada.notices.length : ada.refusals.length) > 0, "Ada is told")
    if (ours) expect(ada.notices[0]!.code).toBe("conflict")
    ada.askSaved()
    await room.saves(1)
    expect([ada.saved, ada.closed]).toEqual([expect.any(Number), null])
    expect(ada.saved).toBeLessThan(ada.asked)
    expect(await room.happened("conflict")).toBeGreaterThan(0)
  })
}

it("[R5] keeps owners through a start from the archive", async () => {
  const room = await openForTwo()
  await room.leave(0)
  await room.leave(1)
  await until(async () => (await room.status())?.archivedRevision !== null, "it is archived")
  await room.wipe()
  const forger = new Y.Doc()
  Y.applyUpdate(forger, Y.encodeStateAsUpdate(room.visitors[0]!.doc))
  forger.clientID = room.client(0)
  forger.getText("text").insert(0, "EVIL ")
  await room.merge(Y.encodeStateAsUpdate(forger), as("eve"))
  expect(await room.rows("SELECT client, owner FROM carried")).toEqual([
    { client: room.client(0), owner: "ada" },
  ])
})

it("[R5] takes what waited for an author who says goodbye before her socket closes, as a page that unloads does", async () => {
  const room = await openForTwo()
  const copy = new Y.Doc()
  Y.applyUpdate(copy, Y.encodeStateAsUpdate(room.visitors[0]!.doc))
  copy.clientID = room.client(0)
  copy.getText("text").insert(copy.getText("text").length, "ada2 ")
  Y.applyUpdate(room.visitors[1]!.doc, Y.encodeStateAsUpdate(copy), "past the room")
  await until(async () => (await room.status())!.waiting > 0, "it waits for Ada")
  room.point(0, null)
  await room.leave(0)
  await until(async () => (await room.status())!.waiting === 0, "nobody else can bring it")
  expect(await newcomerReads(room)).toBe("ada1 bob1 ada2 ")
})

it("[R5] takes what waited for an author who was gone when the room restarted", async () => {
  const room = await openForTwo()
  const copy = new Y.Doc()
  Y.applyUpdate(copy, Y.encodeStateAsUpdate(room.visitors[0]!.doc))
  copy.clientID = room.client(0)
  copy.getText("text").insert(copy.getText("text").length, "ada2 ")
  Y.applyUpdate(room.visitors[1]!.doc, Y.encodeStateAsUpdate(copy), "past the room")
  await until(async () => (await room.status())!.waiting > 0, "it waits for Ada")
  await room.evict()
  expect(await newcomerReads(room)).toBe("ada1 bob1 ada2 ")
})

it("[R5] archives nothing that waits for its author, where it would be taken for hers", async () => {
  const room = await openForTwo()
  const forger = new Y.Doc()
  Y.applyUpdate(forger, Y.encodeStateAsUpdate(room.visitors[0]!.doc))
  forger.clientID = room.client(0)
  forger.getText("text").insert(0, "EVIL ")
  room.visitors[1]!.sendUpdate(Y.encodeStateAsUpdate(forger))
  await until(async () => (await room.status())!.waiting === 1, "what was forged waits for the owner")
  room.type(1, "bob2 ")
  const archived = new Y.Doc()
  await until(async () => {
    const found = await d1Archive(env.DB).load(room.id, new AbortController().signal)
    if (found.kind === "found") Y.applyUpdate(archived, found.document.update)
    return archived.getText("text").toString().includes("bob2")
  }, "it is archived")
  expect(archived.getText("text").toString()).toBe("ada1 bob1 bob2 ")
})
