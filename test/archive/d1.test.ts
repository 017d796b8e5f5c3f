import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { markOf, noise, patient, writeOf } from "../../src/archive/contract.ts"
import { archiveContract } from "./contract.ts"
import { type ArchiveDesk, openDesk } from "./desk.ts"

archiveContract("d1", () => openDesk({ name: "d1", bindings: ["d1"] }))

describe("D1", () => {
  let desk: ArchiveDesk
  beforeAll(async () => {
    desk = await openDesk({ name: "d1", bindings: ["d1"] })
  }, 60_000)
  afterAll(() => desk?.close())

  const bodiesOf = (id: string) =>
    desk.sql<{ body: number; bytes: number }>(
      `select body, sum(length(base64)) / 4 * 3 as bytes from yurt_chunks where id = '${id}' group by body`,
    )

  describe("with the tables of an older server", () => {
    // A statement holds at most 100 kB.
    const update = noise(60_000, 1)
    const half = update.length / 2
    beforeAll(async () => {
      await desk.sql(
        `create table yurt_documents (id text primary key, revision integer not null, bytes integer not null,
         updated_at text not null, deleted_at text)`,
      )
      await desk.sql(
        `create table yurt_chunks (id text not null, revision integer not null, seq integer not null,
         base64 text not null, primary key (id, revision, seq))`,
      )
      const at = "2026-10-23T00:00:00.000Z"
      await desk.sql(`insert into yurt_documents values ('old', 7, ${update.length}, '${at}', null)`)
      await desk.sql(`insert into yurt_documents values ('gone', 3, 0, '${at}', '${at}')`)
      for (const seq of [0, 1]) {
        const chunk = Buffer.from(update.subarray(seq * half, (seq + 1) * half)).toString("base64")
        await desk.sql(`insert into yurt_chunks values ('old', 7, ${seq}, '${chunk}')`)
      }
    })

    it("[A6] gives back what it holds, as nobody's, also when many rooms come at once", async () => {
      const found = await Promise.all(Array.from({ length: 5 }, () => desk.archive.load("old", patient())))
      for (const lookup of found) {
        if (lookup.kind !== "found") throw new Error(`old is ${lookup.kind}`)
        expect(lookup.document).toMatchObject({ writer: null, revision: 7, sidecar: null })
        expect(Buffer.compare(lookup.document.update, update)).toBe(0)
      }
      expect(await desk.archive.load("gone", patient())).toEqual({
        kind: "deleted",
        version: { writer: null, revision: 3 },
        sidecar: null,
      })
      expect((await desk.archive.list({ cursor: null, limit: 9 }, patient())).documents).toMatchObject([
        { id: "old", revision: 7, bytes: update.length },
      ])
    })

    it("[A10] replaces it when it is expected, and keeps no chunk of it", async () => {
      const next = writeOf(noise(100, 2), 8, { sidecar: noise(9, 9) })
      expect(await desk.archive.store("old", next, null, patient())).toBe("conflict")
      expect(await desk.archive.store("old", next, { writer: null, revision: 7 }, patient())).toBe("stored")
      expect(await bodiesOf("old")).toHaveLength(1)
      const anew = writeOf(noise(100, 2), 1)
      expect(await desk.archive.store("gone", anew, { writer: null, revision: 3 }, patient())).toBe("stored")
    })
  })

  it("[A3] keeps the chunks of one body only, whoever lost a race", { timeout: 60_000 }, async () => {
    const writes = ["b", "c", "d"].map((writer, at) => writeOf(noise(9_000_000 + at, at), 2, { writer }))
    await Promise.all(writes.map((write) => desk.archive.store("raced", write, null, patient())))
    expect(await bodiesOf("raced")).toHaveLength(1)
    await desk.archive.store("raced", writeOf(noise(10, 1), 3, { writer: "e" }), null, patient())
    expect(await bodiesOf("raced")).toHaveLength(1)
    const found = await desk.archive.load("raced", patient())
    if (found.kind !== "found") throw new Error(`raced is ${found.kind}`)
    await desk.archive.remove("raced", markOf(3), found.document, patient())
    expect(await bodiesOf("raced")).toEqual([])
  })

  it("[A3] sweeps what a write left behind that ended half-way, but not one that may be under way", async () => {
    await desk.archive.store("swept", writeOf(noise(10, 1), 1), null, patient())
    const now = Date.now()
    await desk.sql(`insert into yurt_chunks values ('swept', -1, 0, 'AAAA', ${now - 2 * 60 * 60_000})`)
    await desk.sql(`insert into yurt_chunks values ('swept', -2, 0, 'AAAA', ${now})`)
    expect(await desk.archive.load("swept", patient())).toMatchObject({ document: { revision: 1 } })
    await desk.archive.store("swept", writeOf(noise(10, 1), 2), null, patient())
    const bodies = (await bodiesOf("swept")).map(({ body }) => body)
    expect(bodies).toHaveLength(2)
    expect(bodies).toContain(-2)
  })

  it("[A9] rejects when chunks of a document are missing", async () => {
    await desk.archive.store("torn", writeOf(noise(3_000_000, 1), 1), null, patient())
    await desk.sql("delete from yurt_chunks where id = 'torn' and seq = 1")
    await expect(desk.archive.load("torn", patient())).rejects.toThrow("The archive d1 failed")
  })

  it("makes its tables again when somebody has dropped them", async () => {
    await desk.sql("drop table yurt_documents")
    await desk.sql("drop table yurt_chunks")
    await expect(desk.archive.load("any", patient())).rejects.toThrow("The archive d1 failed")
    expect(await desk.archive.store("any", writeOf(noise(10, 1), 1), null, patient())).toBe("stored")
  })
})
