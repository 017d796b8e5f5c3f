import { once } from "node:events"
import { readFileSync } from "node:fs"
import postgres from "postgres"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import * as Y from "yjs"
import type { Archive } from "../../src/archive/archive.ts"
import { postgresArchive } from "../../src/archive/postgres.ts"
import { POSTGRES_SCHEMA } from "../../src/archive/postgres-schema.ts"
import { startPostgres, type TestPostgres } from "../kit/postgres.ts"
import { archiveContract, noise, type OpenArchive, patient, writeOf } from "./contract.ts"
import { openDesk } from "./desk.ts"

const migration = readFileSync(new URL("../../src/archive/postgres.sql", import.meta.url), "utf8")

let server: TestPostgres
beforeAll(async () => {
  server = await startPostgres()
  await server.query(migration)
}, 60_000)
afterAll(() => server.close())

archiveContract("postgres", async () => {
  const desk = await openDesk({ name: "postgres", vars: { POSTGRES_URL: server.url } })
  return {
    ...desk,
    async fault(kind) {
      if (kind === "refuses") await server.stop()
      if (kind === "hangs") server.freeze()
      if (kind === "none") {
        server.thaw()
        await server.start()
      }
    },
  }
})

describe("Postgres", () => {
  let desk: OpenArchive
  let archive: Archive
  beforeAll(async () => {
    desk = await openDesk({ name: "postgres", vars: { POSTGRES_URL: server.url } })
    archive = desk.archive
  }, 60_000)
  afterAll(() => desk.close())

  /** What a room would open. */
  async function open(id: string): Promise<{ doc: Y.Doc; update: Uint8Array; revision: number }> {
    const found = await archive.load(id, patient())
    if (found.kind !== "found") throw new Error(`${id} is ${found.kind}`)
    const doc = new Y.Doc()
    Y.applyUpdate(doc, found.document.update)
    return { doc, ...found.document }
  }

  it("has a migration that says the same as the one a Worker carries, and may be run again", async () => {
    const statements = (sql: string) =>
      sql
        .replace(/ *--.*$/gm, "")
        .replace(/\n+/g, "\n")
        .trim()
    expect(statements(POSTGRES_SCHEMA)).toBe(statements(migration))
    await server.query(migration)
  })

  it("keeps the document beside its bytes, for SQL to search", async () => {
    const json = { text: "The yurt stands", list: [{ done: true }] }
    await archive.store("search", writeOf(noise(9, 1), 3, { json, text: "The yurt stands" }), patient())
    await archive.store("search/other", writeOf(noise(9, 1), 3, { text: "a tent" }), patient())
    const rows = await server.query(
      `select id, revision::int, bytes::int, json -> 'list' -> 0 ->> 'done' as done from yurt_documents
       where search @@ websearch_to_tsquery('simple', 'yurt')`,
    )
    expect(rows).toEqual([{ id: "search", revision: 3, bytes: 9, done: "true" }])
  })

  it("takes text that Postgres cannot hold, with U+FFFD in its place", async () => {
    const text = "a\0b \ud800 c \ud83d\ude00 \\u0000"
    await archive.store("nul", writeOf(noise(9, 1), 1, { json: { "k\0": text }, text }), patient())
    const [row] = await server.query("select json, text from yurt_documents where id = 'nul'")
    const held = "a\uFFFDb \uFFFD c \ud83d\ude00 \\u0000"
    expect(row).toEqual({ json: { "k\uFFFD": held }, text: held })
  })

  it("stores a document of 25 MB of text whole, and indexes what a tsvector can hold", {
    timeout: 60_000,
  }, async () => {
    // PGlite takes its time over text.
    const count = server.kind === "postgres" ? 2_500_000 : 250_000
    const words = Array.from({ length: count }, (_, at) => `w${at.toString(36).padStart(8, "0")}`)
    const text = words.join(" ")
    await archive.store("long", writeOf(noise(1000, 1), 1, { json: { text }, text }), patient())
    const [row] = await server.query(
      `select length(text) as text, length(json ->> 'text') as json,
        search @@ to_tsquery('simple', 'w00000001') as early, search @@ to_tsquery('simple', '${words.at(-1)}') as late
       from yurt_documents where id = 'long'`,
    )
    expect(row).toEqual({ text: text.length, json: text.length, early: true, late: false })
  })

  it("keeps the bytes of a document whose JSON is too deep for Postgres", async () => {
    let deep: unknown = "bottom"
    for (let depth = 0; depth < 4000; depth++) deep = [deep]
    // In Node, since JSON.parse in the test's own worker must not be what limits the depth.
    const direct = postgresArchive(server.url)
    const shallowStack = "alter database postgres set max_stack_depth = '100kB'"
    if (server.kind === "postgres") await server.query(shallowStack)
    await direct.store("deep", writeOf(noise(50, 1), 1, { json: { deep }, text: "t" }), patient())
    await server.query("alter database postgres reset max_stack_depth")
    const found = await archive.load("deep", patient())
    expect(found).toMatchObject({ kind: "found", document: { revision: 1 } })
    const [row] = await server.query("select json, bytes::int from yurt_documents where id = 'deep'")
    if (server.kind === "postgres") expect(row).toEqual({ json: null, bytes: 50 })
  })

  it("notifies of each revision that won, and of a deletion", async () => {
    const heard: unknown[] = []
    const said = new EventTarget()
    const listener = postgres(server.url, { max: 1, onnotice: () => {} })
    const deleted = once(said, "deleted")
    await listener.listen("yurt_documents", (payload) => {
      heard.push(JSON.parse(payload))
      if (payload.includes("deleted")) said.dispatchEvent(new Event("deleted"))
    })
    for (const revision of [2, 1, 2, 5]) {
      await archive.store("told", writeOf(noise(9, revision), revision), patient())
    }
    await archive.remove("told", 4, patient())
    await archive.remove("told", 6, patient())
    // PGlite's socket server does not pass notifications on: there, it is enough that the statement runs.
    if (server.kind === "postgres") {
      await deleted
      expect(heard).toEqual([
        { id: "told", revision: 2 },
        { id: "told", revision: 5 },
        { id: "told", revision: 6, deleted: true },
      ])
    }
    await listener.end()
  })

  describe("a row written by hand", () => {
    it("opens when it holds bytes and no revision, at revision 0", async () => {
      const doc = new Y.Doc()
      doc.getText("text").insert(0, "from afar")
      const hex = Buffer.from(Y.encodeStateAsUpdate(doc)).toString("hex")
      await server.query(
        `insert into yurt_documents (id, update) values ('hand/bytes', decode('${hex}', 'hex'))`,
      )
      const opened = await open("hand/bytes")
      expect([opened.doc.getText("text").toString(), opened.revision]).toEqual(["from afar", 0])
    })

    it('opens plain text as the Y.Text "text", the same however often', async () => {
      await server.query("insert into yurt_documents (id, text) values ('hand/text', 'Once upon a time')")
      const first = await open("hand/text")
      const second = await open("hand/text")
      expect(second.update).toEqual(first.update)
      Y.applyUpdate(first.doc, second.update)
      expect(first.doc.getText("text").toString()).toBe("Once upon a time")
      await server.query("update yurt_documents set text = 'Twice' where id = 'hand/text'")
      const other = await open("hand/text")
      // Another text is another client's: it joins the first and does not tear it.
      Y.applyUpdate(first.doc, other.update)
      expect([...first.doc.getText("text").toString()].sort()).toEqual([..."Once upon a timeTwice"].sort())
    })

    it("opens JSON as maps, lists and texts", async () => {
      const roots = {
        title: "Tent",
        items: [{ name: "pole", sizes: [1, 2.5] }, null],
        meta: { open: true, by: "A" },
      }
      await server.query("insert into yurt_documents (id, json) values ('hand/json', $1::text::jsonb)", [
        JSON.stringify(roots),
      ])
      const { doc, revision } = await open("hand/json")
      expect(revision).toBe(0)
      expect(doc.getText("title").toString()).toBe(roots.title)
      expect(doc.getArray("items").toJSON()).toEqual(roots.items)
      expect(doc.getMap("meta").toJSON()).toEqual(roots.meta)
    })

    it("opens with nothing in it as an empty document, and takes a room's first revision", async () => {
      await server.query("insert into yurt_documents (id) values ('hand/empty')")
      const { doc } = await open("hand/empty")
      expect(Y.encodeStateVector(doc)).toEqual(Y.encodeStateVector(new Y.Doc()))
      const listed = await archive.list({ cursor: "hand/e", limit: 1 }, patient())
      expect(listed.documents).toMatchObject([{ id: "hand/empty", revision: 0, bytes: 0 }])
      await archive.store("hand/empty", writeOf(noise(7, 1), 1), patient())
      expect(await archive.load("hand/empty", patient())).toMatchObject({ document: { revision: 1 } })
    })

    it("[A9] is refused, not emptied, when its JSON is no set of roots", async () => {
      await server.query(`insert into yurt_documents (id, json) values ('hand/odd', '{"count": 3}')`)
      await expect(archive.load("hand/odd", patient())).rejects.toThrow('The root "count" is 3')
    })
  })

  describe("without its table", () => {
    beforeAll(async () => {
      await server.query("drop table yurt_documents")
    })
    afterAll(async () => {
      await server.query(migration)
    })

    it("[A9] says which file to run", async () => {
      await expect(archive.load("any", patient())).rejects.toThrow("src/archive/postgres.sql")
      await expect(archive.store("any", writeOf(noise(1, 1), 1), patient())).rejects.toThrow(
        "src/archive/postgres.sql",
      )
    })

    it("makes it when told to, also when many rooms do so at once", async () => {
      const rooms = Array.from({ length: 8 }, () => postgresArchive(server.url, { migrate: true }))
      await Promise.all(
        rooms.map((room, at) => room.store(`room/${at}`, writeOf(noise(at, 1), 1), patient())),
      )
      const { documents } = await rooms[0]!.list({ cursor: null, limit: 100 }, patient())
      expect(documents.map(({ id }) => id)).toEqual(rooms.map((_, at) => `room/${at}`))
    })
  })

  describe("in trouble", () => {
    const old = noise(1_000_000, 1)
    const next = noise(15_000_000, 2)

    /** Store the next revision of a document, and go on when the server is in the midst of it. */
    async function midFlush(id: string, signal = patient()): Promise<{ storing: Promise<unknown> }> {
      await archive.store(id, writeOf(old, 1), patient())
      let settled = false
      const storing = archive.store(id, writeOf(next, 2), signal).then(
        () => "stored",
        (error: Error) => error.message,
      )
      void storing.then(() => {
        settled = true
      })
      // PGlite has one backend, and nobody else can look meanwhile: there, any moment.
      const midst = "select 1 from pg_stat_activity where query like 'insert into yurt_parts%'"
      while (server.kind === "postgres" && !settled && (await server.query(midst)).length === 0);
      return { storing }
    }

    async function expectWhole(id: string): Promise<void> {
      const found = await archive.load(id, patient())
      if (found.kind !== "found") throw new Error(`${id} is ${found.kind}`)
      const expected = found.document.revision === 1 ? old : next
      expect(Buffer.compare(found.document.update, expected)).toBe(0)
    }

    it("[A5] gives up by itself when the server is frozen before it greets", {
      timeout: 60_000,
    }, async () => {
      server.freeze()
      try {
        await expect(archive.load("frozen", patient())).rejects.toThrow("CONNECT_TIMEOUT")
      } finally {
        server.thaw()
      }
      expect(await archive.load("frozen", patient())).toEqual({ kind: "absent" })
    })

    it("[A5] ends with the signal when the server freezes in mid-flush", { timeout: 60_000 }, async () => {
      const stop = new AbortController()
      const { storing } = await midFlush("frozen/flush", stop.signal)
      server.freeze()
      try {
        stop.abort(new Error("out of patience"))
        expect(await storing).toBe("out of patience")
      } finally {
        server.thaw()
      }
      await expectWhole("frozen/flush")
    })

    it("[A3] holds one revision whole when the server is killed in mid-flush", {
      timeout: 60_000,
    }, async () => {
      const { storing } = await midFlush("killed")
      await server.kill()
      expect(await storing).not.toBe("stored")
      await server.start()
      await expectWhole("killed")
      await archive.store("killed", writeOf(next, 2), patient())
      expect(await archive.load("killed", patient())).toMatchObject({ document: { revision: 2 } })
    })

    it("[A5] ends a statement that waits for a lock, on the server too", async () => {
      const impatient = postgresArchive(server.url, { statementTimeoutMs: 300, callTimeoutMs: 5_000 })
      const holder = postgres(server.url, { max: 1 })
      const lock = await holder.reserve()
      await lock`begin`
      await lock`lock table yurt_documents in access exclusive mode`
      await expect(impatient.store("locked", writeOf(noise(5, 1), 1), patient())).rejects.toThrow("timeout")
      await lock`rollback`
      lock.release()
      await holder.end()
      await impatient.store("locked", writeOf(noise(5, 1), 1), patient())
    })
  })
})
