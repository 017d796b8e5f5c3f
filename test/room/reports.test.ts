/** What bug reports of other backends and reviews of this one describe, where a room shows it best. */
import { env } from "cloudflare:workers"
import { afterEach, expect, it } from "vitest"
import * as Y from "yjs"
import type { Grant } from "../../src/access/rights.ts"
import { d1Archive } from "../../src/archive/d1.ts"
import { freshId, openRoom, TestRoom, until, WRITER } from "./vocabulary.ts"
import { faults } from "./worker.ts"

const asText = { format: "text", accept: null, root: null, ifNoneMatch: null }
const asUpdate = { ...asText, format: "update" }
const archive = d1Archive(env.DB)
const forever = new AbortController().signal
const ADA: Grant = { ...WRITER, subject: "ada", admin: false, expiresAtMs: Date.now() + 3_600_000 }

afterEach(() => {
  faults.failures = 0
})

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16))
}

/** An update that writes this text. */
function written(text: string): Uint8Array {
  const doc = new Y.Doc()
  doc.getText("text").insert(0, text)
  return Y.encodeStateAsUpdate(doc)
}

/** A document with a gap: `held` waits in it for `missing`, beside a text that waits for nothing. */
function documentWithGap(waitingBytes: number): { update: Uint8Array; missing: Uint8Array } {
  const author = new Y.Doc()
  const updates: Uint8Array[] = []
  author.on("update", (update: Uint8Array) => updates.push(update))
  author.getText("late").insert(0, "first ")
  author.getText("late").insert(6, "w".repeat(waitingBytes))
  const doc = new Y.Doc()
  doc.getText("text").insert(0, "hello")
  Y.applyUpdate(doc, updates[1]!)
  return { update: Y.encodeStateAsUpdate(doc), missing: updates[0]! }
}

/** Put bytes into the archive, as somebody else would have left them. */
async function putIntoArchive(id: string, update: Uint8Array, revision: number): Promise<void> {
  const found = await archive.load(id, forever)
  const write = {
    ...{ update, revision, writer: "another deployment", sidecar: null, updatedAtMs: Date.now() },
    json: () => null,
    text: () => null,
  }
  expect(await archive.store(id, write, found.kind === "found" ? found.document : null, forever)).toBe(
    "stored",
  )
}

/** What a stock document makes of the archived bytes, once `missing` has come. */
async function archivedLengths(id: string, missing: Uint8Array): Promise<{ text: number; late: number }> {
  const found = await archive.load(id, forever)
  if (found.kind !== "found") throw new Error(`The archive says ${found.kind}`)
  const doc = new Y.Doc()
  Y.applyUpdate(doc, found.document.update)
  Y.applyUpdate(doc, missing)
  return { text: doc.getText("text").length, late: doc.getText("late").length }
}

const isArchived = (room: TestRoom) =>
  until(async () => {
    const status = (await room.status())!
    return status.archivedRevision === status.revision
  }, "the archive has everything")

for (const bytes of [1_000, 1_500_000]) {
  it(`[A10] never shrinks an archived document of which ${bytes} bytes wait`, async () => {
    const room = await openRoom()
    const { update, missing } = documentWithGap(bytes)
    await putIntoArchive(room.id, update, 5)
    await room.join()
    expect(room.text(0)).toBe("hello")
    room.type(0, "!")
    await room.saves(0)
    await isArchived(room)
    expect(await archivedLengths(room.id, missing)).toEqual({ text: 6, late: 6 + bytes })
    await room.merge(missing)
    const doc = new Y.Doc()
    Y.applyUpdate(doc, (await room.export(asUpdate))!.body as Uint8Array)
    expect(doc.getText("late").length).toBe(6 + bytes)
  })

  it(`[A10] merges a newer archived copy of which ${bytes} bytes wait, and loses nothing of it`, async () => {
    const room = await openRoom({ peers: 1 })
    room.type(0, "!")
    await room.saves(0)
    await isArchived(room)
    const { update, missing } = documentWithGap(bytes)
    await putIntoArchive(room.id, update, 7)
    room.type(0, "!")
    await room.saves(0)
    await until(async () => room.text(0).includes("hello"), "what waits for nothing shows")
    await isArchived(room)
    expect(await archivedLengths(room.id, missing)).toEqual({ text: 7, late: 6 + bytes })
    expect((await room.status())!.archiveError).toBeNull()
  })
}

it("[W1] lets exactly one of six create a document with If-None-Match: *, and again after a DELETE", async () => {
  const room = await openRoom()
  const create = () =>
    Promise.allSettled(
      Array.from({ length: 6 }, () => room.merge(written("template"), WRITER, { ifNoneMatch: "*" })),
    )
  for (let round = 0; round < 2; round++) {
    const outcomes = await create()
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1)
    for (const outcome of outcomes)
      if (outcome.status === "rejected") expect(outcome.reason).toMatchObject({ code: "precondition-failed" })
    expect((await room.export(asText))?.body).toBe("template")
    await room.remove()
  }
})

it("[W1] changes a document only if it is what If-Match names, and makes none where there is none", async () => {
  const room = await openRoom()
  const add = (text: string, ifMatch: string) => room.merge(written(text), WRITER, { ifMatch })
  await expect(add("x", "*")).rejects.toMatchObject({ code: "precondition-failed" })
  expect(await room.status()).toBeNull()
  await room.merge(written("a"))
  const { etag } = (await room.export(asText))!
  await add("b", etag)
  await expect(add("c", etag)).rejects.toMatchObject({ code: "precondition-failed" })
  expect((await room.export(asText))?.body).toHaveLength(2)
})

for (const [size, ours] of [
  [6_000, false],
  [6_000, true],
  [64_000, false],
  [64_000, true],
] as const) {
  it(`[P4] shows a presence of ${size} bytes, and still after the room has slept (${ours ? "ours" : "stock"})`, async () => {
    const room = await openRoom({ peers: 2, ours })
    const at = (x: number) => ({ cursor: { x }, selected: "s".repeat(size) })
    room.point(0, at(1))
    await room.sees(1, [at(1)])
    room.point(0, at(2))
    await room.sees(1, [at(2)])
    await room.attaches()
    await room.hibernate()
    const newcomer = await room.join(WRITER, { ours })
    await room.sees(newcomer, [at(2)])
    await room.leave(0)
    await room.sees(newcomer, [])
  })
}

for (const ours of [false, true]) {
  it(`[P2] tells someone with a presence of 1 MB, and lets them edit on (${ours ? "ours" : "stock"})`, async () => {
    const room = await openRoom({ peers: 2, ours })
    const [ada] = room.visitors
    room.point(0, { selected: "s".repeat(1_000_000) })
    await until(() => ada!.notices.length + ada!.refusals.length > 0, "she is told")
    expect(ada!.notices.length).toBe(ours ? 1 : 0)
    room.type(0, "edits go on")
    await room.saves(0)
    await room.reads(1, "edits go on")
    room.point(0, { small: true })
    await room.sees(1, [{ small: true }])
    expect(ada!.closed).toBeNull()
  })
}

it("[W3] takes what Yjs 13.0 wrote, whose clients ascend, over REST and from the archive", async () => {
  const old = bytesOf(
    "02010000080105617272617901770a75736572316974656d3101010088000001770a75736572326974656d3100",
  )
  const inArray = async (room: TestRoom) => (await room.export({ ...asText, format: "json" }))?.body
  const merged = await openRoom()
  await merged.merge(old)
  const adopted = await openRoom()
  await putIntoArchive(adopted.id, old, 3)
  for (const room of [merged, adopted])
    expect(JSON.parse((await inArray(room)) as string)).toEqual({ array: ["user1item1", "user2item1"] })
})

it("[R5] does not go on under the server's own client id where somebody else has continued it", async () => {
  const room = await openRoom({ peers: 1 })
  const append = (text: string) =>
    room.edit((doc) => doc.getText("text").insert(doc.getText("text").length, text))
  await append("by the server")
  await room.reads(0, "by the server")
  const server = [...Y.decodeStateVector(Y.encodeStateVector(room.visitors[0]!.doc)).keys()][0]!
  const forger = new Y.Doc()
  Y.applyUpdate(forger, Y.encodeStateAsUpdate(room.visitors[0]!.doc))
  forger.clientID = server
  forger.getText("text").insert(13, ", it says")
  await room.merge(Y.encodeStateAsUpdate(forger), ADA)
  const end = Y.getState(forger.store, server)
  await append("!")
  await room.reads(0, "by the server, it says!")
  expect(Y.getState(room.visitors[0]!.doc.store, server)).toBe(end)
  await room.hibernate()
  await append("?")
  await room.reads(0, "by the server, it says!?")
  const clients = Y.decodeStateVector(Y.encodeStateVector(room.visitors[0]!.doc))
  expect([clients.size, clients.get(server)]).toEqual([2, end])
})

it("[B2] lets go of the document although people stay and only their cursors move", async () => {
  const room = await openRoom({ peers: 2 })
  room.type(0, "a")
  await room.saves(0)
  await room.export(asText)
  expect(await room.hydrated()).toBe(true)
  await until(async () => {
    room.point(1, { at: Date.now() })
    return !(await room.hydrated())
  }, "it is let go")
})

it("[B2] takes deletions in a document that is full, and edits again after them", async () => {
  const room = new TestRoom(freshId(), env.Small)
  await room.join()
  room.type(0, "x".repeat(60_000))
  await room.saves(0)
  room.type(0, "y".repeat(60_000))
  await until(() => room.visitors[0]!.refusals.length > 0, "it is told that the document is full")
  const length = async () => ((await room.export(asText))!.body as string).length
  expect(await length()).toBe(60_000)
  const fresh = await room.join()
  const text = room.visitors[fresh]!.doc.getText("text")
  text.delete(0, 50_000)
  await room.saves(fresh)
  expect(await length()).toBe(10_000)
  text.insert(0, "z".repeat(20_000))
  await room.saves(fresh)
  expect(await length()).toBe(30_000)
})
