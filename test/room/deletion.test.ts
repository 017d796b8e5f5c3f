/** A deleted letter never returns, whoever brings it (D8). */
import { env } from "cloudflare:workers"
import { expect, it } from "vitest"
import * as Y from "yjs"
import { d1Archive } from "../../src/archive/d1.ts"
import { openRoom, TestRoom, until, WRITER } from "./vocabulary.ts"
import { faults } from "./worker.ts"

const nothing = { format: "text", accept: null, root: null, ifNoneMatch: null }

async function exportedText(room: TestRoom): Promise<unknown> {
  return (await room.export(nothing))?.body ?? null
}

/** A room with a text that was deleted while its one visitor was away. */
async function openDeleted(): Promise<TestRoom> {
  const room = await openRoom({ peers: 1 })
  room.type(0, "personal data of Ada")
  await room.saves(0)
  await room.leave(0)
  expect(await room.remove()).toBe(true)
  return room
}

it("[D8] refuses our own client that comes back with the deleted document, with 4404", async () => {
  const room = await openDeleted()
  await room.rejoin(0, WRITER, { ours: true })
  room.visitors[0]!.askSaved()
  expect((await room.closing(0)).code).toBe(4404)
  expect(room.visitors[0]!.saved).toBeLessThan(room.visitors[0]!.asked)
  expect(await exportedText(room)).toBeNull()
})

it("[D8] keeps a stock client out that comes back with it, on an open socket and over a restart", async () => {
  const room = await openDeleted()
  await room.evict()
  await room.rejoin(0)
  const stock = room.visitors[0]!
  await until(() => stock.refusals.length > 0, "it is told")
  room.type(0, ", and more")
  const fresh = await room.join()
  room.type(fresh, "a new document")
  await room.saves(fresh)
  expect(await exportedText(room)).toBe("a new document")
  expect(stock.closed).toBeNull()
  // What it has is another document, so nothing of the new one is mixed into it.
  expect(room.text(0)).toBe("personal data of Ada, and more")
})

it("[D8] does not let what only refers to the deleted document in", async () => {
  const room = await openDeleted()
  const old = room.visitors[0]!.doc
  const copy = new Y.Doc()
  Y.applyUpdate(copy, Y.encodeStateAsUpdate(old))
  const before = Y.encodeStateVector(copy)
  copy.getText("text").insert(4, " under a new client id ")
  const room2 = await room.join()
  room.visitors[room2]!.sendUpdate(Y.encodeStateAsUpdate(copy, before))
  await until(() => room.visitors[room2]!.refusals.length > 0, "it is told")
  expect(await room.status()).toBeNull()
})

it("[D8] takes the old bytes by PATCH, which restores them on purpose, and then the old clients as well", async () => {
  const room = await openDeleted()
  await room.merge(Y.encodeStateAsUpdate(room.visitors[0]!.doc))
  expect(await exportedText(room)).toBe("personal data of Ada")
  await room.rejoin(0)
  room.type(0, "!")
  await room.saves(0)
  expect(await exportedText(room)).toBe("personal data of Ada!")
})

it("[D8] remembers in the archive what was deleted, for a room that lost its storage", async () => {
  const room = await openDeleted()
  await room.wipe()
  await room.rejoin(0, WRITER, { ours: true })
  expect((await room.closing(0)).code).toBe(4404)
  expect(await exportedText(room)).toBeNull()
})

it("[D8] sees a deletion through that the archive could not take, and answers 503 until then", async () => {
  const room = await openRoom({ peers: 1 })
  room.type(0, "soon gone")
  await until(async () => (await room.status())?.archivedRevision !== null, "it is archived")
  await faults.while(() => expect(room.remove()).rejects.toMatchObject({ code: "archive-unavailable" }))
  expect(await exportedText(room)).toBeNull()
  const archive = d1Archive(env.DB)
  await until(async () => {
    const { kind } = await archive.load(room.id, new AbortController().signal)
    return kind === "deleted"
  }, "the archive knows of the deletion")
})

it("[D8] deletes what another room of the document still has, and keeps its bytes aside", async () => {
  const room = await openRoom({ peers: 1 })
  room.type(0, "in two rooms")
  await room.saves(0)
  await until(async () => (await room.status())?.archivedRevision !== null, "it is archived")
  // Another deployment deletes it in the archive that both share.
  const archive = d1Archive(env.DB)
  const signal = new AbortController().signal
  const found = await archive.load(room.id, signal)
  if (found.kind !== "found") throw new Error("it was archived")
  const dead = Y.encodeStateVectorFromUpdate(found.document.update)
  const { writeSidecar } = await import("../../src/room/sidecar.ts")
  const mark = {
    ...{ writer: "another deployment", revision: 9 },
    sidecar: writeSidecar({ dead, owners: [], carried: [] }),
  }
  expect(await archive.remove(room.id, mark, found.document, signal)).toBe("stored")
  room.type(0, ", and written on")
  await until(async () => (await room.status()) === null, "it is deleted here as well")
  expect((await room.rows("SELECT reason FROM quarantine")).length).toBeGreaterThan(0)
  expect((await archive.load(room.id, signal)).kind).toBe("deleted")
})

/** A document of two clients, of which a backup was taken, and that went on in one page which holds all of it. */
async function openRestored(): Promise<{ room: TestRoom; backup: Uint8Array }> {
  const room = await openRoom({ peers: 2 })
  room.type(0, "as it was")
  await room.reads(1, "as it was")
  const backup = Y.encodeStateAsUpdate(room.visitors[0]!.doc)
  room.type(1, ", spoilt")
  await room.reads(0, "as it was, spoilt")
  room.type(0, " twice")
  await room.saves(0)
  await room.reads(1, "as it was, spoilt twice")
  await room.remove()
  await room.merge(backup)
  return { room, backup }
}

it("[D8] stays as a backup restored it, whichever tab comes back with later edits, and over a restart", async () => {
  const { room } = await openRestored()
  // One was open all the time, one comes back on a new socket as YProvider does, one after a restart.
  room.type(0, " and on")
  await room.rejoin(1)
  await until(() => room.visitors[1]!.refusals.length > 0, "the one who came back is told")
  expect(await exportedText(room)).toBe("as it was")
  await room.evict()
  await room.rejoin(0, WRITER, { ours: true })
  expect((await room.closing(0)).code).toBe(4404)
  const fresh = await room.join()
  expect(room.text(fresh)).toBe("as it was")
  room.type(fresh, ", and edited")
  await room.saves(fresh)
  expect(await exportedText(room)).toBe("as it was, and edited")
})

it("[D8] lets a page that was suspended at the restored state come back, and stays restored in a room that lost its storage", async () => {
  const room = await openRoom({ peers: 2 })
  room.type(0, "as it was")
  await room.reads(1, "as it was")
  await room.leave(1)
  const backup = Y.encodeStateAsUpdate(room.visitors[0]!.doc)
  room.type(0, ", spoilt")
  await room.saves(0)
  await room.remove()
  await room.merge(backup)
  await until(
    async () => (await room.status())!.archivedRevision === (await room.status())!.revision,
    "it is archived",
  )
  await room.wipe()
  await room.rejoin(1)
  room.type(1, "!")
  await room.saves(1)
  await room.rejoin(0)
  await until(() => room.visitors[0]!.refusals.length > 0, "the one with later edits is told")
  expect(await exportedText(room)).toBe("as it was!")
})

it("[D8] gives back to a restored document after damage what a page of it holds", async () => {
  const { room } = await openRestored()
  const fresh = await room.join()
  await room.saves(fresh)
  await room.hibernate()
  await room.damage("UPDATE log SET bytes = zeroblob(length(bytes))")
  await room.damage("UPDATE snapshot SET bytes = zeroblob(length(bytes))")
  const doc = room.visitors[fresh]!.doc
  await room.export(nothing)
  room.visitors[fresh]!.sendUpdate(Y.encodeStateAsUpdate(doc))
  await until(async () => (await exportedText(room)) === "as it was", "it is there again")
})

it("[D8] gives up what another room has deleted and begun anew, and mixes nothing of it into the new document", async () => {
  const one = await openRoom({ peers: 1 })
  one.type(0, "deleted soon")
  await until(async () => (await one.status())?.archivedRevision !== null, "it is archived")
  const other = new TestRoom(one.id, env.Retiring)
  await other.join()
  expect(other.text(0)).toBe("deleted soon")
  await one.remove()
  const fresh = await one.join()
  one.type(fresh, "new")
  await until(async () => (await one.status())?.archivedRevision !== null, "the new one is archived")
  // The other room has heard of nothing, and somebody writes on there.
  other.type(0, ", or not")
  await until(async () => (await exportedText(other)) === "new", "the other room has the new document")
  expect((await other.rows("SELECT reason FROM quarantine")).length).toBeGreaterThan(0)
  one.type(fresh, " and more")
  await until(async () => {
    const { revision, archivedRevision } = (await one.status())!
    return archivedRevision === revision
  }, "it is archived")
  expect(await exportedText(one)).toBe("new and more")
})

it("[D8] merges what another room brought back on purpose after a deletion that both know of", async () => {
  const one = await openRoom({ peers: 1 })
  one.type(0, "old")
  await one.saves(0)
  const bytes = Y.encodeStateAsUpdate(one.visitors[0]!.doc)
  await one.leave(0)
  await one.remove()
  const fresh = await one.join()
  const other = new TestRoom(one.id, env.Retiring)
  await other.join()
  await other.merge(bytes)
  await until(async () => (await other.status())?.archivedRevision !== null, "it is archived")
  one.type(fresh, "new")
  await until(async () => {
    const { revision, archivedRevision } = (await one.status())!
    return archivedRevision === revision
  }, "it is archived as well")
  expect(await exportedText(one)).toContain("old")
  expect(await exportedText(one)).toContain("new")
})
