/** Damage spreads nowhere (D7), and a failed commit cannot be overlooked (D10). */
import { env } from "cloudflare:workers"
import { afterEach, expect, it } from "vitest"
import * as Y from "yjs"
import { d1Archive } from "../../src/archive/d1.ts"
import { unwrap } from "../../src/rpc.ts"
import { openRoom, type TestRoom, until, WRITER } from "./vocabulary.ts"
import { faults } from "./worker.ts"

const asText = { format: "text", accept: null, root: null, ifNoneMatch: null }
const LONG = "nine letters ".repeat(700)

afterEach(() => {
  faults.failures = 0
})

/** What the archive holds, as text. */
async function archivedText(id: string): Promise<string | null> {
  const found = await d1Archive(env.DB).load(id, new AbortController().signal)
  if (found.kind !== "found") return null
  const doc = new Y.Doc()
  Y.applyUpdate(doc, found.document.update)
  return doc.getText("text").toString()
}

/** An update that writes this under a root of its own. */
function noteOf(text: string): Uint8Array {
  const doc = new Y.Doc()
  doc.getText("note").insert(0, text)
  return Y.encodeStateAsUpdate(doc)
}

/** A room whose long text is archived and lies in the snapshot, which is damaged; nobody has noticed. */
async function openDamaged(): Promise<TestRoom> {
  const room = await openRoom({ peers: 1 })
  room.type(0, LONG)
  await room.leave(0)
  await until(async () => (await archivedText(room.id)) === LONG, "it is archived")
  await until(async () => (await room.rows("SELECT 1 FROM snapshot")).length > 0, "it is folded")
  await room.evict()
  await room.damage("UPDATE snapshot SET bytes = zeroblob(length(bytes))")
  return room
}

it("[D7] does not archive what is left where a flush is what finds the damage, and recovers from the archive", async () => {
  const room = await openDamaged()
  const response = await room.knock()
  const socket = response.webSocket!
  socket.accept()
  // One keystroke needs no document, so nothing looks at the snapshot before the flush.
  await room.merge(noteOf("x"))
  await room.alarm()
  socket.close()
  await until(async () => (await room.status())?.damaged === false, "it has recovered")
  expect((await room.export({ ...asText, root: "text" }))?.body).toBe(LONG)
  await until(
    async () => (await room.status())!.archivedRevision === (await room.status())!.revision,
    "flushed",
  )
  expect(await archivedText(room.id)).toBe(LONG)
})

it("[D7] starts from the archive where nothing is left, and waits for it where it is away", async () => {
  const room = await openDamaged()
  await faults.while(() => expect(room.export(asText)).rejects.toMatchObject({ code: "archive-unavailable" }))
  await room.evict()
  await room.join()
  expect(room.text(1)).toBe(LONG)
  expect(await room.status()).toMatchObject({ damaged: false, quarantined: 1 })
})

it("[D7] keeps an update whose judging is what finds the damage", async () => {
  const room = await openDamaged()
  const doc = new Y.Doc()
  const found = await d1Archive(env.DB).load(room.id, new AbortController().signal)
  if (found.kind !== "found") throw new Error("it was archived")
  Y.applyUpdate(doc, found.document.update)
  const before = Y.encodeStateVector(doc)
  doc.getText("text").insert(3, "One more word. ")
  await room.merge(Y.encodeStateAsUpdate(doc, before))
  await until(async () => (await room.status())?.damaged === false, "it has recovered")
  expect((await room.export(asText))?.body).toContain("One more word. ")
})

for (const [finder, find] of [
  ["an export", (room: TestRoom) => room.export(asText)],
  ["a newcomer", (room: TestRoom) => room.join()],
] as const) {
  it(`[D7] recovers where ${finder} is what finds the damage`, async () => {
    const room = await openDamaged()
    await find(room)
    await until(async () => (await room.status())?.damaged === false, "it has recovered")
    expect((await room.export(asText))?.body).toBe(LONG)
  })
}

it("[D7] remembers over a restart that it has not recovered, and until then archives nothing", async () => {
  const room = await openDamaged()
  // Something is left: else the room would start from the archive anyway.
  await room.merge(noteOf("left"))
  faults.failures = 1_000
  await expect(room.export(asText)).rejects.toMatchObject({ code: "archive-unavailable" })
  await room.evict()
  expect((await room.status())?.damaged).toBe(true)
  await expect(room.export(asText)).rejects.toMatchObject({ code: "archive-unavailable" })
  faults.failures = 0
  expect(await archivedText(room.id)).toBe(LONG)
  await until(async () => (await room.status())?.damaged === false, "it has recovered")
  expect((await room.export({ ...asText, root: "text" }))?.body).toBe(LONG)
})

it("[D6] [D7] loses nothing and opens again whichever small note of a room is damaged", async () => {
  const notesOf = (room: TestRoom) =>
    room.rows("SELECT key, value FROM meta") as Promise<{ key: string; value: unknown }[]>
  const openNoted = async () => {
    const room = await openRoom({ peers: 1 })
    room.type(0, LONG)
    await room.edit((doc) => void doc.getMap("map").set("by", "the server"))
    await room.leave(0)
    await until(async () => (await archivedText(room.id)) === LONG, "it is archived")
    await until(async () => (await room.rows("SELECT 1 FROM snapshot")).length > 0, "it is folded")
    await room.evict()
    return room
  }
  const READ = ["archive", "revision", "schema", "server_client", "snapshot_bytes", "writer"]
  const setAside = new Set<string>()
  const model = await notesOf(await openNoted())
  await Promise.all(
    model.map(async ({ key, value }) => {
      const room = await openNoted()
      const flipped = typeof value === "string" ? value.replace(/[",-]/, "x") : value === 0 ? 1 : 0
      await room.damage("UPDATE meta SET value = ? WHERE key = ?", flipped, key)
      await room.evict()
      const visitor = await room.join()
      expect(room.text(visitor), key).toBe(LONG)
      room.type(visitor, "!")
      await room.saves(visitor)
      await room.leave(visitor)
      await until(async () => (await archivedText(room.id)) === `${LONG}!`, `${key}: the edit is archived`)
      expect((await room.status())!.damaged, key).toBe(false)
      for (const { source } of await room.rows<{ source: string }>("SELECT source FROM quarantine"))
        setAside.add(source)
    }),
  )
  // Some are written anew before they are read.
  expect([...setAside].sort()).toEqual(expect.arrayContaining(READ.map((key) => `note ${key}`)))
})

/** Let the database refuse every commit, or take them again. */
const refuseCommits = (room: TestRoom) =>
  room.damage("CREATE TRIGGER refuse BEFORE INSERT ON log BEGIN SELECT RAISE(ABORT, 'no space'); END")
const takeCommits = (room: TestRoom) => room.damage("DROP TRIGGER refuse")

it("[D10] shows nobody a server-side edit that was not committed, and makes it once when it is tried again", async () => {
  const room = await openRoom({ peers: 1 })
  const raise = () =>
    room.edit((doc) => {
      const map = doc.getMap<number>("counter")
      return map.set("n", (map.get("n") ?? 0) + 1)
    })
  expect(await raise()).toBe(1)
  await refuseCommits(room)
  await expect(raise()).rejects.toMatchObject({ code: "unavailable" })
  const counter = () => room.visitors[0]!.doc.getMap("counter").get("n")
  expect(counter()).toBe(1)
  await takeCommits(room)
  expect(await raise()).toBe(2)
  await until(() => counter() === 2, "the visitor sees it once")
  const newcomer = await room.join()
  expect(room.visitors[newcomer]!.doc.getMap("counter").get("n")).toBe(2)
  await room.converges()
})

it("[D10] names no state in an export that is not committed, archives none, and answers nobody", async () => {
  const room = await openRoom({ peers: 2 })
  room.type(0, "kept")
  await room.saves(0)
  await until(async () => (await room.status())?.archivedRevision !== null, "it is archived")
  await refuseCommits(room)
  room.type(0, " and not yet kept")
  room.visitors[0]!.askSaved()
  await room.reads(1, "kept and not yet kept")
  await expect(room.export(asText)).rejects.toMatchObject({ code: "unavailable" })
  await room.alarm()
  expect(await archivedText(room.id)).toBe("kept")
  expect(room.visitors[0]!.saved).toBeLessThan(room.visitors[0]!.asked)
  await takeCommits(room)
  await until(() => room.visitors[0]!.saved === room.visitors[0]!.asked, "it is tried again by itself")
  expect((await room.export(asText))?.body).toBe("kept and not yet kept")
})

it("[D7] asks the archive for what it lost also where the room restarts between finding out and recovering", async () => {
  const room = await openRoom({ peers: 1 })
  for (const word of ["one ", "two ", "three "]) {
    room.type(0, word)
    await room.saves(0)
  }
  await until(async () => (await archivedText(room.id)) === "one two three ", "it is archived")
  await room.evict()
  expect((await room.rows("SELECT revision FROM log")).length).toBeGreaterThan(1)
  await room.damage("UPDATE log SET bytes = zeroblob(length(bytes)) WHERE id = 1")
  faults.failures = 1_000
  await expect(room.export(asText)).rejects.toMatchObject({ code: "archive-unavailable" })
  await room.evict()
  faults.failures = 0
  await room.alarm()
  await until(async () => (await room.status())?.damaged === false, "it has recovered")
  expect((await room.export(asText))?.body).toBe("one two three ")
  expect(await archivedText(room.id)).toBe("one two three ")
})

it("[D7] asks a client for what it lost also where the room restarts before the client is there", async () => {
  const room = await openRoom({ peers: 1 })
  for (const word of ["one ", "two ", "three "]) {
    room.type(0, word)
    await room.saves(0)
  }
  await until(async () => (await archivedText(room.id)) === "one two three ", "it is archived")
  await room.evict()
  await room.damage("UPDATE log SET bytes = zeroblob(length(bytes)) WHERE id = 1")
  // The archive has lost it as well.
  await env.DB.exec("DELETE FROM yurt_documents")
  await room.export(asText)
  await until(async () => (await room.status())?.damaged !== true, "it has recovered what there is")
  await room.evict()
  await room.rejoin(0)
  await until(async () => (await room.export(asText))?.body === "one two three ", "the client gives it back")
})

for (const [where, damage] of [
  ["the newest row", "UPDATE log SET clocks = x'01ff' WHERE id = (SELECT max(id) FROM log)"],
  ["the snapshot", "UPDATE value SET bytes = x'0101' WHERE name = 'snapshot_clocks'"],
] as const) {
  it(`[D6] reads the clocks from the document where those of ${where} are damaged, and loses nothing`, async () => {
    const room = await openRoom({ peers: 1 })
    room.type(0, LONG)
    await room.leave(0)
    await until(async () => (await room.rows("SELECT 1 FROM snapshot")).length > 0, "it is folded")
    await room.merge(noteOf("after the snapshot"))
    await room.evict()
    await room.damage(damage)
    await room.join()
    await room.join()
    // With clocks that are too high these would be taken for known, and dropped.
    room.type(1, "on")
    await room.saves(1)
    await room.reads(2, `${LONG}on`)
    await room.evict()
    expect((await room.export({ ...asText, root: "text" }))?.body).toBe(`${LONG}on`)
    expect((await room.export({ ...asText, root: "note" }))?.body).toBe("after the snapshot")
    expect(await room.status()).toMatchObject({ quarantined: 0, damaged: false })
  })
}

it("[D6] attributes nothing to anybody where the origins of a row are damaged", async () => {
  const room = await openRoom()
  await room.join({ ...WRITER, subject: "ada" })
  room.type(0, "mine")
  await room.saves(0)
  await room.evict()
  await room.damage("UPDATE log SET who = unhex(replace(hex(who), hex('ada'), hex('bob')))")
  const blamed = await unwrap(room.stub.past("blame", { root: "text", at: null }, WRITER))
  expect(blamed).toMatchObject({ spans: [{ text: "mine", by: null }] })
})

it("[D6] sets a damaged update that waits aside, and gets it from whoever has it", async () => {
  const room = await openRoom({ peers: 1 })
  const author = new Y.Doc()
  const updates: Uint8Array[] = []
  author.on("update", (update: Uint8Array) => updates.push(update))
  for (const letter of "AB") author.getText("text").insert(0, letter)
  room.visitors[0]!.sendUpdate(updates[1]!)
  await until(async () => (await room.status())?.waiting === 1, "it waits")
  await room.evict()
  await room.damage("UPDATE value SET bytes = zeroblob(length(bytes)) WHERE name LIKE 'waiting %'")
  await room.merge(updates[0]!)
  expect((await room.export(asText))?.body).toBe("A")
  expect(await room.status()).toMatchObject({ waiting: 0, quarantined: 1 })
  Y.applyUpdate(room.visitors[0]!.doc, Y.encodeStateAsUpdate(author))
  await room.rejoin(0)
  await until(async () => (await room.export(asText))?.body === "BA", "what it has is in")
  await until(async () => (await room.status())?.damaged === false, "it has recovered")
})

it("[D8] sets damaged clocks of what was deleted aside, and knows them again from the archive", async () => {
  const room = await openRoom({ peers: 1 })
  room.type(0, "personal data")
  await room.saves(0)
  await room.leave(0)
  await until(async () => (await archivedText(room.id)) === "personal data", "it is archived")
  expect(await room.remove()).toBe(true)
  await room.evict()
  await room.damage("UPDATE value SET bytes = zeroblob(length(bytes)) WHERE name = 'dead_clocks'")
  await room.rejoin(0)
  await until(async () => (await room.status()) === null, "nothing came back")
  expect(await room.export(asText)).toBeNull()
})
