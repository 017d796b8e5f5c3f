import { once } from "node:events"
import { readFileSync } from "node:fs"
import { type AddressInfo, createServer, type Socket } from "node:net"
import postgres from "postgres"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import * as Y from "yjs"
import type { Archive, ArchivedDocument } from "../../src/archive/archive.ts"
import { markOf, noise, patient, writeOf } from "../../src/archive/contract.ts"
import { postgresArchive } from "../../src/archive/postgres.ts"
import { POSTGRES_SCHEMA } from "../../src/archive/postgres-schema.ts"
import { startPostgres, type TestPostgres } from "../kit/postgres.ts"
import { archiveContract, type OpenArchive } from "./contract.ts"
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
  async function open(id: string): Promise<ArchivedDocument & { doc: Y.Doc }> {
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
    await archive.store("search", writeOf(noise(9, 1), 3, { json, text: "The yurt stands" }), null, patient())
    await archive.store("search/other", writeOf(noise(9, 1), 3, { text: "a tent" }), null, patient())
    const rows = await server.query(
      `select id, revision::int, bytes::int, json -> 'list' -> 0 ->> 'done' as done from yurt_documents
       where search @@ websearch_to_tsquery('simple', 'yurt')`,
    )
    expect(rows).toEqual([{ id: "search", revision: 3, bytes: 9, done: "true" }])
  })

  it("takes text that Postgres cannot hold, with U+FFFD in its place", async () => {
    const text = "a\0b \ud800 c \ud83d\ude00 \\u0000"
    await archive.store("nul", writeOf(noise(9, 1), 1, { json: { "k\0": text }, text }), null, patient())
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
    await archive.store("long", writeOf(noise(1000, 1), 1, { json: { text }, text }), null, patient())
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
    await direct.store("deep", writeOf(noise(50, 1), 1, { json: { deep }, text: "t" }), null, patient())
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
      await archive.store("told", writeOf(noise(9, revision), revision), null, patient())
    }
    await archive.remove("told", markOf(4), null, patient())
    await archive.remove("told", markOf(6), null, patient())
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
    it("opens when it holds bytes and no writer", async () => {
      const doc = new Y.Doc()
      doc.getText("text").insert(0, "from afar")
      const hex = Buffer.from(Y.encodeStateAsUpdate(doc)).toString("hex")
      await server.query(
        `insert into yurt_documents (id, update) values ('hand/bytes', decode('${hex}', 'hex'))`,
      )
      const opened = await open("hand/bytes")
      expect([opened.doc.getText("text").toString(), opened.writer]).toEqual(["from afar", null])
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
      const { doc, writer } = await open("hand/json")
      expect(writer).toBe(null)
      expect(doc.getText("title").toString()).toBe(roots.title)
      expect(doc.getArray("items").toJSON()).toEqual(roots.items)
      expect(doc.getMap("meta").toJSON()).toEqual(roots.meta)
    })

    it("opens with nothing in it as an empty document, and takes a room's first revision", async () => {
      await server.query("insert into yurt_documents (id) values ('hand/empty')")
      const { doc, ...version } = await open("hand/empty")
      expect(Y.encodeStateVector(doc)).toEqual(Y.encodeStateVector(new Y.Doc()))
      const listed = await archive.list({ cursor: "hand/e", limit: 1 }, patient())
      expect(listed.documents).toMatchObject([{ id: "hand/empty", revision: 0, bytes: 0 }])
      expect(await archive.store("hand/empty", writeOf(noise(7, 1), 1), null, patient())).toBe("conflict")
      expect(await archive.store("hand/empty", writeOf(noise(7, 1), 1), version, patient())).toBe("stored")
      expect(await archive.load("hand/empty", patient())).toMatchObject({ document: { revision: 1 } })
    })

    it("[A10] is not overwritten by a room that has not read it", async () => {
      expect(await archive.load("hand/late", patient())).toEqual({ kind: "absent" })
      await server.query("insert into yurt_documents (id, text) values ('hand/late', 'a moment later')")
      expect(await archive.store("hand/late", writeOf(noise(7, 1), 1), null, patient())).toBe("conflict")
      expect((await open("hand/late")).doc.getText("text").toString()).toBe("a moment later")
    })

    it("[A10] is not overwritten when it changes between a room's look and its store", async () => {
      await server.query("insert into yurt_documents (id, text) values ('hand/twice', 'Once')")
      const first = await open("hand/twice")
      await server.query("update yurt_documents set text = 'Twice' where id = 'hand/twice'")
      const write = writeOf(noise(7, 1), 1)
      expect(await archive.store("hand/twice", write, first, patient())).toBe("conflict")
      const second = await open("hand/twice")
      expect(second.doc.getText("text").toString()).toBe("Twice")
      expect(await archive.store("hand/twice", write, second, patient())).toBe("stored")
    })

    it("[A10] has no writer either when a room wrote it before, whatever was changed", async () => {
      const sidecar = noise(20, 3)
      await archive.store("hand/over", writeOf(noise(7, 1), 1, { sidecar }), null, patient())
      const doc = new Y.Doc()
      doc.getText("text").insert(0, "restored")
      const hex = Buffer.from(Y.encodeStateAsUpdate(doc)).toString("hex")
      await server.query(`update yurt_documents set update = decode('${hex}', 'hex') where id = 'hand/over'`)
      expect(await archive.store("hand/over", writeOf(noise(7, 2), 2), null, patient())).toBe("conflict")
      const found = await open("hand/over")
      expect(found).toMatchObject({ writer: null, sidecar })
      expect(found.doc.getText("text").toString()).toBe("restored")
      expect(await archive.store("hand/over", writeOf(noise(7, 2), 2), found, patient())).toBe("stored")
      await server.query(
        "update yurt_documents set update = null, json = null, text = 'anew' where id = 'hand/over'",
      )
      expect((await open("hand/over")).doc.getText("text").toString()).toBe("anew")
    })

    it("[A9] is refused, not emptied, when its JSON is no set of roots", async () => {
      await server.query(`insert into yurt_documents (id, json) values ('hand/odd', '{"count": 3}')`)
      await expect(archive.load("hand/odd", patient())).rejects.toThrow(
        'has no bytes, and its "json" is no object whose members are objects, arrays and texts',
      )
    })
  })

  it("keeps null where a document is too large to show", async () => {
    await archive.store("large", writeOf(noise(9, 1), 1, { json: null, text: null }), null, patient())
    const [row] = await server.query("select json, text, bytes::int from yurt_documents where id = 'large'")
    expect(row).toEqual({ json: null, text: null, bytes: 9 })
  })

  describe("TLS", () => {
    /** The first bytes that a client of this URL sends: 8 of them ask for TLS, a longer message is in the clear. */
    async function firstBytes(urlOf: (port: number) => string): Promise<Buffer> {
      const listener = createServer().listen(0)
      await once(listener, "listening")
      const { port } = listener.address() as AddressInfo
      const loading = postgresArchive(urlOf(port)).load("any", patient())
      const [socket] = (await once(listener, "connection")) as [Socket]
      const [bytes] = (await once(socket, "data")) as [Buffer]
      socket.destroy()
      listener.close()
      await expect(loading).rejects.toThrow("The archive postgres failed")
      return bytes
    }
    const asksForTls = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f])

    // 0.0.0.0 leads here, and does not look as if it did.
    it.each(["", "?application_name=a", "?sslmode=require", "?ssl=require", "?sslmode=verify-full"])(
      "is asked for by a URL to another machine: %s",
      async (query) => {
        const bytes = await firstBytes((port) => `postgres://u:p@0.0.0.0:${port}/db${query}`)
        expect(bytes.equals(asksForTls)).toBe(true)
      },
    )

    it.each([
      ["a URL that says sslmode=disable", "0.0.0.0", "?sslmode=disable"],
      ["localhost", "localhost", ""],
      ["127.0.0.1", "127.0.0.1", ""],
    ])("is not asked for by %s", async (_, host, query) => {
      const bytes = await firstBytes((port) => `postgres://u:p@${host}:${port}/db${query}`)
      expect(bytes.toString()).toContain("yurt")
    })

    it("is the platform's affair where Hyperdrive is bound", async () => {
      const listener = createServer().listen(0)
      await once(listener, "listening")
      const { port } = listener.address() as AddressInfo
      const binding = { connectionString: `postgres://u:p@0.0.0.0:${port}/db` }
      const loading = postgresArchive(binding).load("any", patient())
      const [socket] = (await once(listener, "connection")) as [Socket]
      const [bytes] = (await once(socket, "data")) as [Buffer]
      socket.destroy()
      listener.close()
      await expect(loading).rejects.toThrow("The archive postgres failed")
      expect(bytes.toString()).toContain("yurt")
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
      await expect(archive.store("any", writeOf(noise(1, 1), 1), null, patient())).rejects.toThrow(
        "src/archive/postgres.sql",
      )
    })

    it("makes it when told to, also when many rooms do so at once", async () => {
      const rooms = Array.from({ length: 8 }, () => postgresArchive(server.url, { migrate: true }))
      await Promise.all(
        rooms.map((room, at) => room.store(`room/${at}`, writeOf(noise(at, 1), 1), null, patient())),
      )
      const { documents } = await rooms[0]!.list({ cursor: null, limit: 100 }, patient())
      expect(documents.map(({ id }) => id)).toEqual(rooms.map((_, at) => `room/${at}`))
    })
  })

  describe("with the table of an older server", () => {
    beforeAll(async () => {
      await server.query("drop table yurt_documents")
      await server.query(
        `create table yurt_documents (
          id text collate "C" primary key, update bytea, revision bigint,
          bytes bigint generated always as (octet_length(update)) stored, json jsonb, text text,
          search tsvector generated always as (yurt_search(text)) stored,
          updated_at timestamptz not null default now(), deleted_at timestamptz
        )`,
      )
      await server.query("insert into yurt_documents (id, update, revision) values ('old', '\\x0000', 7)")
    })
    afterAll(async () => {
      await server.query(migration)
    })

    it("[A9] says which file to run, and nothing of what the driver said", async () => {
      const failure = await postgresArchive(server.url)
        .load("old", patient())
        .catch((error: unknown) => error)
      expect(failure).toMatchObject({ code: "archive-unavailable", cause: { code: "42703" } })
      expect((failure as Error).message).toContain("src/archive/postgres.sql")
      expect((failure as Error).message).not.toMatch(/relation|does not exist/)
    })

    it("[A6] completes it when told to: its documents are there, and have no writer", async () => {
      const migrating = postgresArchive(server.url, { migrate: true })
      const found = await migrating.load("old", patient())
      if (found.kind !== "found") throw new Error(`old is ${found.kind}`)
      expect(found.document).toMatchObject({ writer: null, sidecar: null, update: new Uint8Array([0, 0]) })
      const write = writeOf(noise(7, 1), 8)
      expect(await migrating.store("old", write, null, patient())).toBe("conflict")
      expect(await migrating.store("old", write, found.document, patient())).toBe("stored")
    })
  })

  describe("in trouble", () => {
    const old = noise(1_000_000, 1)
    const next = noise(15_000_000, 2)

    /** Store the next revision of a document, and go on when the server is in the midst of it. */
    async function midFlush(id: string, signal = patient()): Promise<{ storing: Promise<unknown> }> {
      await archive.store(id, writeOf(old, 1), null, patient())
      let settled = false
      const storing = archive.store(id, writeOf(next, 2), null, signal).then(
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
        await expect(archive.load("frozen", patient())).rejects.toThrow("The archive postgres failed")
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
      await archive.store("killed", writeOf(next, 2), null, patient())
      expect(await archive.load("killed", patient())).toMatchObject({ document: { revision: 2 } })
    })

    it("[A5] ends a statement that waits for a lock, on the server too", async () => {
      const impatient = postgresArchive(server.url, { statementTimeoutMs: 300 })
      const holder = postgres(server.url, { max: 1 })
      const lock = await holder.reserve()
      await lock`begin`
      await lock`lock table yurt_documents in access exclusive mode`
      await expect(impatient.store("locked", writeOf(noise(5, 1), 1), null, patient())).rejects.toMatchObject(
        {
          message: "The archive postgres failed",
          cause: { code: "57014" },
        },
      )
      await lock`rollback`
      lock.release()
      await holder.end()
      await impatient.store("locked", writeOf(noise(5, 1), 1), null, patient())
    })
  })
})
