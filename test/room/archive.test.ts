import { env } from "cloudflare:workers"
import { afterEach, expect, it } from "vitest"
import * as Y from "yjs"
import { d1Archive } from "../../src/archive/d1.ts"
import { freshId, openRoom, TestRoom, until } from "./vocabulary.ts"
import { faults, old } from "./worker.ts"

const archive = d1Archive(env.DB)
const forever = new AbortController().signal

afterEach(() => {
  faults.failures = 0
  faults.hanging = null
  old.isAway = false
})

/** The text the archive holds, or null. */
async function archivedText(id: string): Promise<string | null> {
  const found = await archive.load(id, forever)
  if (found.kind !== "found") return null
  const doc = new Y.Doc()
  Y.applyUpdate(doc, found.document.update)
  return doc.getText("text").toString()
}

/** Put a document into the archive, as another deployment would have left it. */
async function putIntoArchive(id: string, text: string, revision: number): Promise<void> {
  const doc = new Y.Doc()
  doc.getText("text").insert(0, text)
  const update = Y.encodeStateAsUpdate(doc)
  const found = await archive.load(id, forever)
  const held = found.kind === "found" ? found.document : found.kind === "deleted" ? found.version : null
  const write = {
    ...{ update, revision, writer: "another deployment", sidecar: null, updatedAtMs: Date.now() },
    json: () => ({}),
    text: () => text,
  }
  expect(await archive.store(id, write, held, forever)).toBe("stored")
}

const archives = (room: TestRoom, text: string) =>
  until(async () => (await archivedText(room.id)) === text, `the archive holds ${text}`)

it("flushes to the archive when the last one leaves", async () => {
  const room = await openRoom({ peers: 2 })
  room.type(0, "flushed")
  await room.reads(1, "flushed")
  await room.leave(0)
  await room.leave(1)
  await archives(room, "flushed")
})

it("[A1] arms the alarm in the turn of the first edit, and flushes while people stay", async () => {
  const room = await openRoom({ peers: 1 })
  room.type(0, "while editing")
  await room.saves(0)
  expect(await room.alarmAt()).not.toBeNull()
  await archives(room, "while editing")
  expect(await room.connections()).toBe(1)
})

it("[A2] comes again after an alarm that failed before the room had set the next one", async () => {
  const room = await openRoom({ peers: 1 })
  await room.failAlarm()
  expect(await room.alarmAt()).toBeGreaterThan(Date.now())
})

it("[A2] keeps trying while the archive fails, and says so in status", async () => {
  const room = await openRoom({ peers: 1 })
  faults.failures = 4
  room.type(0, "patient")
  await room.leave(0)
  await until(async () => (await room.status())?.archiveError !== null, "status shows the error")
  await archives(room, "patient")
  await until(async () => (await room.status())?.archiveError === null, "status shows that it is over")
})

it("[A3] does not overwrite a newer revision, and merges it instead", async () => {
  const room = await openRoom({ peers: 1 })
  await putIntoArchive(room.id, "theirs ", 1000)
  room.type(0, "mine ")
  await room.saves(0)
  await room.leave(0)
  await until(async () => {
    const text = await archivedText(room.id)
    return text?.includes("mine ") && text.includes("theirs ")
  }, "the archive holds both")
  const status = await room.status()
  expect(status?.revision).toBeGreaterThan(1000)
})

it("[A4] stays dirty when a write arrives while a flush is under way", async () => {
  let release = () => {}
  const room = await openRoom({ peers: 1 })
  faults.stores.length = 0
  faults.hanging = new Promise((resolve) => {
    release = resolve
  })
  room.type(0, "before ")
  await until(() => faults.stores.includes(room.id), "a flush is under way")
  room.type(0, "during")
  await room.saves(0)
  faults.hanging = null
  release()
  await archives(room, "before during")
  expect(await room.connections()).toBe(1)
})

it("[A5] stays responsive while the archive hangs, and gives up on the call in time", async () => {
  const room = await openRoom({ peers: 2 })
  faults.stores.length = 0
  faults.hanging = new Promise(() => {})
  room.type(0, "a")
  await until(() => faults.stores.includes(room.id), "a flush is under way")
  room.type(1, "b")
  await room.saves(1)
  await room.converges()
  await until(async () => (await room.status())?.archiveError !== null, "status shows the error")
  expect((await room.status())?.archiveError).toMatch(/did not answer within 500 ms/)
})

it("starts from the archive when nothing is stored, and goes on from its revision", async () => {
  const room = await openRoom()
  await putIntoArchive(room.id, "from the archive", 41)
  await room.join()
  expect(room.text(0)).toBe("from the archive")
  expect((await room.status())?.revision).toBe(41)
  room.type(0, "!")
  await room.leave(0)
  await archives(room, "from the archive!")
})

it("refuses the upgrade with 503 while the archive cannot answer, and never starts empty", async () => {
  const room = await openRoom()
  await putIntoArchive(room.id, "exists", 1)
  const refused = await faults.while(() => room.knock())
  expect(refused.status).toBe(503)
  expect(await refused.json()).toMatchObject({ error: "archive-unavailable" })
  await room.join()
  expect(room.text(0)).toBe("exists")
})

/** Put a document into the backend that there was before. */
function putIntoOld(id: string, text: string): void {
  const doc = new Y.Doc()
  doc.getText("text").insert(0, text)
  old.documents.set(id, Y.encodeStateAsUpdate(doc))
}

const timesAsked = (id: string) => old.asked.filter((one) => one === id).length

it("opens with what the old backend has, which it asks once, before anybody is answered", async () => {
  const room = await openRoom()
  putIntoOld(room.id, "written there")
  await room.join()
  await room.join()
  expect([room.text(0), room.text(1)]).toEqual(["written there", "written there"])
  expect(await archivedText(room.id)).toBe("written there")
  room.type(0, ", and here")
  await archives(room, "written there, and here")
  // Another deployment, and the old backend still has what it had.
  await room.wipe()
  await room.join()
  expect(room.text(2)).toBe("written there, and here")
  expect(timesAsked(room.id)).toBe(1)
})

it("[W3] lets nobody into what the old backend has of a document while that is no safe update, and loses nothing", async () => {
  const room = await openRoom()
  // A delete of no length, which stops a stock Yjs document.
  old.documents.set(room.id, Uint8Array.fromHex("01014d00010101740000"))
  const refused = await room.knock()
  expect(refused.status).toBe(503)
  expect(await refused.text()).toMatch(/archive-unavailable.*no safe Yjs update: zero-length delete/)
  expect(await archivedText(room.id)).toBeNull()
  putIntoOld(room.id, "mended")
  await room.join()
  await room.join()
  room.type(0, " there")
  await room.reads(1, "mended there")
  await archives(room, "mended there")
})

it("[A9] refuses with 503 while the old backend is away, and never starts empty", async () => {
  const room = await openRoom()
  putIntoOld(room.id, "exists")
  old.isAway = true
  const refused = await room.knock()
  expect(refused.status).toBe(503)
  expect(await refused.json()).toMatchObject({
    error: "archive-unavailable",
    message: "The old backend could not be asked",
  })
  old.isAway = false
  await room.join()
  expect(room.text(0)).toBe("exists")
})

it("[A7] does not bring back from the old backend what was deleted here", async () => {
  const room = await openRoom()
  putIntoOld(room.id, "soon gone")
  await room.join()
  expect(await room.remove()).toBe(true)
  await room.wipe()
  await room.join()
  expect(room.text(1)).toBe("")
  expect(timesAsked(room.id)).toBe(1)
})

it("deletes everywhere, and a flush that reaches the archive later does not revive it", async () => {
  const room = await openRoom({ peers: 2, ours: true })
  room.type(0, "soon gone")
  await archives(room, "soon gone")
  await until(async () => (await room.status())?.archivedRevision === 1, "the room knows")
  let release = () => {}
  faults.stores.length = 0
  faults.hanging = new Promise((resolve) => {
    release = resolve
  })
  const { outcomes } = faults
  outcomes.length = 0
  room.type(0, ", and late")
  await until(() => faults.stores.includes(room.id), "a flush is under way")
  faults.hanging = null
  expect(await room.remove()).toBe(true)
  expect((await room.closing(0)).code).toBe(4404)
  expect((await room.closing(1)).code).toBe(4404)
  expect(await archivedText(room.id)).toBeNull()
  release()
  const late = () => outcomes.filter(({ id }) => id === room.id)
  await until(() => late().length > 0, "the archive has answered the late flush")
  expect(late().map(({ outcome }) => outcome)).toEqual(["conflict"])
  expect(await archivedText(room.id)).toBeNull()
  expect(await room.export({ format: "update", accept: null, root: null, ifNoneMatch: null })).toBeNull()
})

it("deletes an archived copy that does not load, which opens for nobody", async () => {
  const room = await openRoom()
  const write = { revision: 7, writer: null, sidecar: null, updatedAtMs: Date.now() }
  const nothing = { json: () => null, text: () => null }
  const broken = { ...write, ...nothing, update: Uint8Array.of(9, 9, 9, 9) }
  expect(await archive.store(room.id, broken, null, forever)).toBe("stored")
  await expect(room.status()).rejects.toMatchObject({ code: "bad-update" })
  expect(await room.remove()).toBe(true)
  expect(await archive.load(room.id, forever)).toMatchObject({ kind: "deleted" })
  expect(await room.status()).toBeNull()
  await room.join()
  room.type(0, "anew")
  await archives(room, "anew")
})

it("[A7] rests after a deletion while people were connected", async () => {
  const room = await openRoom({ peers: 2, ours: true })
  room.type(0, "soon gone")
  await room.saves(0)
  await room.remove()
  for (const who of [0, 1]) expect((await room.closing(who)).code).toBe(4404)
  await until(async () => (await room.connections()) === 0, "the room has noticed")
  expect(await room.alarmAt()).toBeNull()
})

it("[A7] rests after a deletion while a flush hangs", async () => {
  const room = await openRoom({ peers: 1 })
  faults.stores.length = 0
  faults.hanging = new Promise(() => {})
  room.type(0, "soon gone")
  await until(() => faults.stores.includes(room.id), "a flush is under way")
  faults.hanging = null
  await room.remove()
  await until(async () => (await room.alarmAt()) === null, "nothing is due any more")
  expect(await archivedText(room.id)).toBeNull()
})

it("lets a document of the same id begin anew after a deletion", async () => {
  const room = await openRoom({ peers: 1 })
  room.type(0, "old")
  await room.saves(0)
  await room.remove()
  await room.evict()
  const again = await openRoom({ id: room.id, peers: 1 })
  expect(again.text(0)).toBe("")
  again.type(0, "new")
  await again.leave(0)
  await archives(again, "new")
})

it("does not create a document by asking for it", async () => {
  const room = await openRoom()
  expect(await room.export({ format: "update", accept: null, root: null, ifNoneMatch: null })).toBeNull()
  expect(await room.status()).toBeNull()
  const tables = await room.rows("SELECT name FROM sqlite_master WHERE name NOT LIKE '\\_cf%' ESCAPE '\\'")
  expect(tables).toEqual([])
})

it("drops its own storage when it has idled long enough, and loses nothing", async () => {
  const room = new TestRoom(freshId(), env.Retiring)
  await room.join()
  room.type(0, "only the archive has it")
  await room.saves(0)
  await room.leave(0)
  await archives(room, "only the archive has it")
  const tables = "SELECT name FROM sqlite_master WHERE name = 'log'"
  await until(async () => (await room.rows(tables)).length === 0, "the room has dropped its storage")
  await room.join()
  expect(room.text(1)).toBe("only the archive has it")
  room.type(1, ", again")
  await room.leave(1)
  await archives(room, "only the archive has it, again")
})

it("[A10] drops its own storage only while the archive still holds what it confirmed", async () => {
  const room = new TestRoom(freshId(), env.Retiring)
  await room.join()
  room.type(0, "only the room has it")
  await room.saves(0)
  await archives(room, "only the room has it")
  await env.DB.prepare("DELETE FROM yurt_documents WHERE id = ?").bind(room.id).run()
  await room.leave(0)
  const tables = "SELECT name FROM sqlite_master WHERE name = 'log'"
  await until(async () => (await room.rows(tables)).length === 0, "the room has dropped its storage")
  await archives(room, "only the room has it")
})
