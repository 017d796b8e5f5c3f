import { runInDurableObject } from "cloudflare:test"
import { expect, it } from "vitest"
import * as Y from "yjs"
import { openRoom, TestRoom, until, Visitor } from "./vocabulary.ts"

it("brings everyone who is connected to the same state", async () => {
  const room = await openRoom({ peers: 3 })
  room.type(0, "a")
  await room.reads(2, "a")
  room.type(2, "b")
  await room.reads(0, "ab")
  await room.reads(1, "ab")
})

it("brings edits made at the same time to the same state", async () => {
  const room = await openRoom({ peers: 4 })
  for (let i = 0; i < 50; i++) for (const who of [0, 1, 2, 3]) room.type(who, String(who))
  await room.converges()
  expect(room.text(0)).toHaveLength(200)
})

it("[D1] says saved only after the update is committed in the room's own database", async () => {
  const room = await openRoom({ peers: 1 })
  room.type(0, "kept")
  await room.saves(0)
  const rows = await room.rows("SELECT revision FROM log")
  expect(rows.length).toBeGreaterThan(0)
})

it("[D1] answers a saved request at once when there is nothing to write", async () => {
  const room = await openRoom({ peers: 1 })
  await room.saves(0)
  expect(await room.status()).toBeNull()
})

it("[D2] keeps what was acknowledged when the room loses its memory and its sockets", async () => {
  const room = await openRoom({ peers: 1 })
  room.type(0, "acknowledged")
  await room.saves(0)
  await room.evict()
  const again = await openRoom({ id: room.id, peers: 1 })
  expect(again.text(0)).toBe("acknowledged")
})

it("[D2] keeps what a leaving visitor sent last, though nobody asked whether it is saved", async () => {
  const room = await openRoom({ peers: 1 })
  for (const letter of "abc") room.type(0, letter)
  await room.leave(0)
  await room.evict()
  const again = await openRoom({ id: room.id, peers: 1 })
  expect(again.text(0)).toBe("abc")
})

it("[D3] keeps an update whose dependency has not arrived, and applies both when it does", async () => {
  const author = new Y.Doc()
  const updates: Uint8Array[] = []
  author.on("update", (update: Uint8Array) => updates.push(update))
  author.getText("text").insert(0, "first ")
  author.getText("text").insert(6, "second")

  const room = await openRoom({ peers: 1 })
  const [first, second] = updates
  await room.merge(second!)
  await room.evict()
  const again = await openRoom({ id: room.id, peers: 1 })
  expect(again.text(0)).toBe("")
  await again.merge(first!)
  await again.reads(0, "first second")
})

it("[D4] folds the log into a snapshot when the last one leaves, and the document is the same", async () => {
  const room = await openRoom({ peers: 1 })
  for (let i = 0; i < 5; i++) {
    room.type(0, `${i} `)
    await room.saves(0)
  }
  const text = room.text(0)
  await room.leave(0)
  await until(async () => (await room.status())?.logRows === 0, "the log is folded in")
  const again = await openRoom({ id: room.id, peers: 1 })
  expect(again.text(0)).toBe(text)
})

it("[D4] keeps through a compaction what still waits for its dependency", async () => {
  const author = new Y.Doc()
  const updates: Uint8Array[] = []
  author.on("update", (update: Uint8Array) => updates.push(update))
  author.getText("text").insert(0, "first ")
  author.getText("text").insert(6, "second")

  const room = await openRoom({ peers: 1 })
  room.type(0, ".")
  await room.merge(updates[1]!)
  await room.leave(0)
  await until(async () => (await room.status())?.logRows === 0, "the log is folded in")
  await room.evict()
  const again = await openRoom({ id: room.id, peers: 1 })
  await again.merge(updates[0]!)
  await until(() => again.text(0).includes("first second"), "the waiting update is applied")
})

it("[D5] stores nothing larger than a row may be, for a paste of 5 MB and a document of 10 MB", async () => {
  const sizes = `SELECT max(length(bytes)) AS largest, sum(length(bytes)) AS total
    FROM (SELECT bytes FROM log UNION ALL SELECT bytes FROM snapshot)`
  const room = await openRoom({ peers: 1 })
  for (const letter of "xy") {
    room.type(0, letter.repeat(5_000_000))
    await room.saves(0)
    const [stored] = await room.rows<{ largest: number; total: number }>(sizes)
    expect(stored!.largest).toBeLessThanOrEqual(1024 * 1024)
    expect(stored!.total).toBeGreaterThan(5_000_000)
  }
  await room.leave(0)
  await until(async () => (await room.status())?.logRows === 0, "the log is folded in")
  const [snapshot] = await room.rows<{ largest: number; total: number }>(sizes)
  expect(snapshot!.largest).toBeLessThanOrEqual(1024 * 1024)
  expect(snapshot!.total).toBeGreaterThan(10_000_000)
  await room.evict()
  const again = await openRoom({ id: room.id, peers: 1 })
  expect(again.text(0) === "x".repeat(5_000_000) + "y".repeat(5_000_000)).toBe(true)
})

it("[D6] quarantines a log row that fails its checksum, reports it, and loads the rest", async () => {
  const room = await openRoom({ peers: 2 })
  room.type(0, "from one ")
  await room.saves(0)
  room.type(1, "from two")
  await room.saves(1)
  const [row] = await room.rows<{ id: number }>("SELECT min(id) AS id FROM log")
  await room.damage("UPDATE log SET bytes = CAST(x'ffffff' AS BLOB) WHERE id = ?", row!.id + 1)
  await room.evict()
  const again = await openRoom({ id: room.id, peers: 1 })
  expect(again.text(0)).toContain("from one")
  expect((await again.status())?.quarantined).toBe(1)
})

it("[D6] gets a quarantined edit back from whoever still holds it", async () => {
  const room = await openRoom({ peers: 1 })
  room.type(0, "held by its author")
  await room.saves(0)
  await room.damage("UPDATE log SET crc = crc + 1")
  await room.evict()
  const again = new TestRoom(room.id)
  const guest = await again.join()
  expect(again.text(guest)).toBe("")
  // The author comes back, as its provider would, with the document it has.
  const response = await again.knock()
  const author = new Visitor(response.webSocket!)
  Y.applyUpdate(author.doc, Y.encodeStateAsUpdate(room.visitors[0]!.doc))
  await again.reads(guest, "held by its author")
})

it("[D6] loads the archived document when the snapshot is damaged", async () => {
  const room = await openRoom({ peers: 1 })
  room.type(0, "archived")
  await room.leave(0)
  await until(async () => (await room.status())?.archivedRevision === 1, "the archive has it")
  await room.damage("UPDATE snapshot SET crc = crc + 1")
  await room.evict()
  const again = await openRoom({ id: room.id, peers: 1 })
  await again.reads(0, "archived")
})

it("hydrates no document for updates, newcomers and a wake", async () => {
  const room = await openRoom({ peers: 2 })
  room.type(0, "a")
  await room.reads(1, "a")
  await room.hibernate()
  room.type(0, "b")
  await room.reads(1, "ab")
  await room.join()
  await room.reads(2, "ab")
  expect(await room.hydrated()).toBe(false)
})

it("applies a server-side edit for everyone, durably, all or nothing", async () => {
  const room = await openRoom({ peers: 2 })
  await room.edit((doc) => doc.getText("text").insert(0, "from the server"))
  await room.reads(0, "from the server")
  await expect(
    room.edit((doc) => {
      doc.getText("text").insert(0, "half of it, ")
      throw new Error("changed my mind")
    }),
  ).rejects.toThrow("changed my mind")
  room.type(0, ".")
  await room.reads(1, "from the server.")
  await room.evict()
  const again = await openRoom({ id: room.id, peers: 1 })
  expect(again.text(0)).toBe("from the server.")
})

it("keeps one client id for all server-side edits, also after a wake", async () => {
  const room = await openRoom()
  for (let i = 0; i < 3; i++) {
    await room.edit((doc) => doc.getMap("map").set("n", i))
    await room.evict()
  }
  const vector = await room.export({ format: "state-vector", accept: null, root: null, ifNoneMatch: null })
  expect(Y.decodeStateVector(vector!.body as Uint8Array).size).toBe(1)
})

it("[A1] arms the alarm and acknowledges whatever a subclass does with an event", async () => {
  const room = await openRoom({ peers: 1 })
  await runInDurableObject(room.stub, (instance) => {
    instance.onEvent = () => {
      throw new Error("A subclass failed")
    }
  })
  room.type(0, "kept")
  await room.saves(0)
  expect(await room.alarmAt()).not.toBeNull()
})
