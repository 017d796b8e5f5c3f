/** Damage to what is stored, met by a question about the past: it spreads nowhere, and nothing false is shown (D7). */
import { runInDurableObject } from "cloudflare:test"
import { env } from "cloudflare:workers"
import { expect, it } from "vitest"
import * as Y from "yjs"
import { d1Archive } from "../../src/archive/d1.ts"
import { type PastCalls, unwrap } from "../../src/rpc.ts"
import { openRoom, type TestRoom, until, WRITER } from "./vocabulary.ts"

const ASKED = { format: "text", accept: null, root: null, ifNoneMatch: null }
const GONE = expect.objectContaining({ code: "gone" })

const present = async (room: TestRoom) => (await room.export(ASKED))?.body
const textAt = async (room: TestRoom, revision: number) =>
  (await unwrap(room.stub.export({ ...ASKED, at: String(revision) }, WRITER)))?.body

function past<Verb extends keyof PastCalls>(
  room: TestRoom,
  verb: Verb,
  ask: PastCalls[Verb]["ask"],
): Promise<PastCalls[Verb]["answer"]> {
  return unwrap(runInDurableObject(room.stub, (instance) => instance.past(verb, ask, WRITER)))
}

async function archivedText(id: string): Promise<string | null> {
  const found = await d1Archive(env.DB).load(id, new AbortController().signal)
  if (found.kind !== "found") return null
  const doc = new Y.Doc()
  Y.applyUpdate(doc, found.document.update)
  return doc.getText("text").toString()
}

/** A room with three commits in its log, all archived, which nobody has in memory. */
async function openArchived(): Promise<TestRoom> {
  const room = await openRoom({ peers: 1 })
  for (const word of ["one ", "two ", "three "]) {
    room.type(0, word)
    await room.saves(0)
  }
  await until(async () => (await archivedText(room.id)) === "one two three ", "it is archived")
  await room.evict()
  expect((await room.rows("SELECT revision FROM log")).length).toBe(3)
  return room
}

it("[D7] a damaged row of the log that the past meets first is recovered like any other", async () => {
  const room = await openArchived()
  await room.damage("UPDATE log SET bytes = zeroblob(length(bytes)) WHERE revision = 1")
  await expect(textAt(room, 2)).rejects.toEqual(GONE)
  expect(await present(room)).toBe("one two three ")
  expect(await room.status()).toMatchObject({ damaged: false })
})

it("[D7] a damaged snapshot that the past meets first is recovered like any other", async () => {
  const room = await openRoom({ peers: 1 })
  room.type(0, "long enough to be worth a snapshot ".repeat(300))
  await room.leave(0)
  await until(async () => (await room.rows("SELECT 1 FROM snapshot")).length > 0, "it is folded")
  const text = await present(room)
  await until(async () => (await archivedText(room.id)) === text, "it is archived")
  const { revision } = (await room.status())!
  // Somebody goes on, so that the state is one of the past.
  const doc = new Y.Doc()
  doc.getText("other").insert(0, "more")
  await room.merge(Y.encodeStateAsUpdate(doc))
  await room.evict()
  await room.damage("UPDATE snapshot SET bytes = zeroblob(length(bytes))")
  await textAt(room, revision).catch((thrown) => expect(thrown).toEqual(GONE))
  expect((await room.export({ ...ASKED, root: "text" }))?.body).toBe(text)
})

it("[D7] a state that lacks a lost commit is told as gone, before and after the recovery", async () => {
  const room = await openArchived()
  await room.damage("UPDATE log SET bytes = zeroblob(length(bytes)) WHERE revision = 1")
  expect(await present(room)).toBe("one two three ")
  await expect(textAt(room, 1)).rejects.toEqual(GONE)
  await expect(textAt(room, 2)).rejects.toEqual(GONE)
  const { revision } = (await room.status())!
  expect(await textAt(room, revision)).toBe("one two three ")
})

it("[D7] a row that was damaged while the document was in memory is handed over as a gap, never as a commit", async () => {
  const room = await openRoom({ peers: 1 })
  for (const word of ["one ", "two ", "three "]) {
    room.type(0, word)
    await room.saves(0)
  }
  // The document is in memory, so nothing reads the rows again before they are handed over.
  expect(await present(room)).toBe("one two three ")
  const [{ bytes }] = (await room.rows<{ bytes: ArrayBuffer }>(
    "SELECT bytes FROM log WHERE revision = 2",
  )) as [{ bytes: ArrayBuffer }]
  // A letter of the text: the bytes are still an update.
  const flipped = new Uint8Array(bytes)
  flipped[flipped.lastIndexOf("w".charCodeAt(0))]! ^= 1
  await room.damage("UPDATE log SET bytes = ? WHERE revision = 2", flipped.buffer as ArrayBuffer)
  await room.leave(0)
  await until(async () => (await room.status())?.logRows === 0, "it is folded")
  expect(await present(room)).toBe("one two three ")
  await expect(textAt(room, 2)).rejects.toEqual(GONE)
  await room.join()
  room.type(1, "four")
  await room.saves(1)
  const { revision } = (await room.status())!
  await room.leave(1)
  await until(async () => (await room.status())?.logRows === 0, "it is folded again")
  expect(await textAt(room, revision)).toBe("one two three four")
  // What is about commits and not about a state goes on without it: versions, authors, bringing back.
  const version = await past(room, "createVersion", { name: "After", meta: undefined })
  expect(version.revision).toBe(revision)
  expect(await room.happened("chore-failed")).toBe(0)
  const { spans } = await past(room, "blame", { root: "text", at: null })
  expect(spans.map(({ text }) => text).join("")).toBe("one two three four")
  await room.edit((doc) => doc.getText("text").delete(0, 4))
  await past(room, "restore", { id: version.id, root: null })
  expect(await present(room)).toBe("one two three four")
})

it("[H1] a large paste goes over row by row, with its checksums, and can be read again", async () => {
  const room = await openRoom({ peers: 1 })
  const folds = async (count: number) => {
    await room.saves(0)
    await until(async () => {
      await room.alarm()
      return (await room.rows("SELECT 1 FROM past WHERE packed = 0 AND kind = 'segment'")).length === count
    }, "it is folded")
  }
  const paste = "a paste of three megabytes ".repeat(120_000)
  room.type(0, paste)
  await folds(1)
  const { revision } = (await room.status())!
  // Another takes the snapshot further.
  const text = room.visitors[0]!.doc.getText("text")
  text.delete(0, text.length)
  room.type(0, "x".repeat(2_000_000))
  await folds(2)
  const read = async () => {
    const exported = await unwrap(room.stub.export({ ...ASKED, at: String(revision) }, WRITER))
    return new Response(exported!.body as BodyInit).text()
  }
  expect((await read()).length).toBe(paste.length)
  await room.damage(
    "UPDATE past_bytes SET bytes = zeroblob(length(bytes)) WHERE id = (SELECT min(id) FROM past WHERE packed = 0 AND kind = 'segment') AND part = 2",
  )
  await expect(read()).rejects.toEqual(GONE)
  expect(await present(room)).toHaveLength(2_000_000)
})
