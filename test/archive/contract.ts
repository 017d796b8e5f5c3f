/**
 * What every archive must do, as tests. An adapter's own test opens it and says what is special about it;
 * write one of your own and call `archiveContract("mine", open)` from a test file.
 */

import { afterAll, beforeAll, describe, expect, it } from "vitest"
import type { Archive, ArchiveEntry, ArchiveWrite } from "../../src/archive/archive.ts"

const MB = 1024 * 1024

/** An archive over a real database, and a hand on that database's switch. */
export interface OpenArchive {
  readonly archive: Archive
  /** Let the database refuse every call, answer none, or work again. */
  fault(kind: "refuses" | "hangs" | "none"): Promise<void>
  close(): Promise<void>
}

/** What a room would hand over at `revision`. */
export function writeOf(
  update: Uint8Array,
  revision: number,
  readable: { json?: Record<string, unknown>; text?: string } = {},
): ArchiveWrite {
  return {
    update,
    revision,
    updatedAtMs: Date.UTC(2026, 9, 23) + (revision % 1000),
    json: () => readable.json ?? {},
    text: () => readable.text ?? "",
  }
}

/** `length` bytes that no two seeds share and no database can compress. */
export function noise(length: number, seed: number): Uint8Array {
  const words = new Uint32Array(Math.ceil(length / 4))
  let x = Math.imul(seed, 0x9e3779b1) | 1
  for (let i = 0; i < words.length; i++) {
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    words[i] = x
  }
  return new Uint8Array(words.buffer, 0, length)
}

/** Equality of large arrays without a diff of millions of lines. */
function sameBytes(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((byte, at) => byte === right[at])
}

/** A signal that does not abort while a test runs. */
export const patient = () => new AbortController().signal

/**
 * Run the contract against an archive.
 *
 * @param open called once; the documents of earlier runs may still be in the database, so long as their ids differ
 */
export function archiveContract(name: string, open: () => Promise<OpenArchive>): void {
  describe(`the ${name} archive`, () => {
    let opened: OpenArchive
    let archive: Archive
    const run = Math.random().toString(36).slice(2, 8)
    const idOf = (title: string) => `${run}/${title}`

    beforeAll(async () => {
      opened = await open()
      archive = opened.archive
    }, 60_000)
    afterAll(() => opened?.close())

    /** Expect exactly these bytes at exactly this revision. */
    async function expectFound(id: string, update: Uint8Array, revision: number): Promise<void> {
      const found = await archive.load(id, patient())
      if (found.kind !== "found") throw new Error(`${id} is ${found.kind}, not found`)
      expect([found.document.revision, found.document.update.length]).toEqual([revision, update.length])
      expect(sameBytes(found.document.update, update)).toBe(true)
    }

    /** The whole index, page by page. */
    async function index(limit: number): Promise<{ entries: ArchiveEntry[]; pages: number }> {
      const entries: ArchiveEntry[] = []
      let cursor: string | null = null
      for (let pages = 1; ; pages++) {
        const page = await archive.list({ cursor, limit }, patient())
        expect(page.documents.length).toBeLessThanOrEqual(limit)
        entries.push(...page.documents)
        cursor = page.cursor
        if (cursor === null) return { entries, pages }
      }
    }

    it("says absent for a document it never stored", async () => {
      expect(await archive.load(idOf("never"), patient())).toEqual({ kind: "absent" })
    })

    it.each([
      ["nothing", 0],
      ["one byte", 1],
      ["a byte under 1 MB", MB - 1],
      ["1 MB", MB],
      ["a byte over 1 MB", MB + 1],
      ["a byte over 9 MB", 9 * MB + 1],
      ["25 MB", 25 * MB],
    ])(
      "[A6] gives back exactly the bytes and the revision: %s",
      { timeout: 60_000 },
      async (title, length) => {
        const id = idOf(`exact/${title.replaceAll(" ", "-")}`)
        const update = noise(length, length + 1)
        await archive.store(id, writeOf(update, 41), patient())
        await expectFound(id, update, 41)
      },
    )

    it("[A3] replaces an older revision, a longer one by a shorter one too", async () => {
      const id = idOf("grow")
      for (const [revision, length] of [
        [1, 10],
        [2, 2 * MB + 7],
        [9, 3],
        [Number.MAX_SAFE_INTEGER, MB],
      ] as const) {
        const update = noise(length, revision)
        expect(await archive.store(id, writeOf(update, revision), patient())).toBe("stored")
        await expectFound(id, update, revision)
      }
    })

    it("[A3] does nothing for an older or an equal revision, and says which it was", async () => {
      const id = idOf("older")
      const newest = noise(2 * MB, 7)
      await archive.store(id, writeOf(newest, 7), patient())
      for (const revision of [7, 6, 0]) {
        const outcome = await archive.store(id, writeOf(noise(3 * MB, revision + 100), revision), patient())
        expect(outcome).toBe(revision === 7 ? "stored" : "newer")
        await expectFound(id, newest, 7)
      }
    })

    it("[A3] ends with the newest, whole, when many store at once", { timeout: 60_000 }, async () => {
      const id = idOf("at-once")
      const revisions = [3, 8, 1, 6, 2, 7, 5, 4]
      const sizeOf = (revision: number) => 300_000 * ((revision * 5) % 9) + revision
      await Promise.all(
        revisions.map((revision) =>
          archive.store(id, writeOf(noise(sizeOf(revision), revision), revision), patient()),
        ),
      )
      await expectFound(id, noise(sizeOf(8), 8), 8)
    })

    it("[A3] reads one revision whole while newer ones are stored", { timeout: 60_000 }, async () => {
      const id = idOf("read-while-written")
      const updates = Array.from({ length: 4 }, (_, at) => noise(9 * MB + at, at + 1))
      await archive.store(id, writeOf(updates[0]!, 1), patient())
      const writing = (async () => {
        for (let at = 1; at < updates.length; at++) {
          await archive.store(id, writeOf(updates[at]!, at + 1), patient())
        }
      })()
      for (let read = 0; read < 4; read++) {
        const found = await archive.load(id, patient())
        if (found.kind !== "found") throw new Error(`${id} is ${found.kind}, not found`)
        expect(sameBytes(found.document.update, updates[found.document.revision - 1]!)).toBe(true)
      }
      await writing
    })

    it("[A7] says at which revision a document was deleted, also one it never held", async () => {
      const id = idOf("deleted")
      await archive.store(id, writeOf(noise(2 * MB, 4), 4), patient())
      await archive.remove(id, 5, patient())
      expect(await archive.load(id, patient())).toEqual({ kind: "deleted", revision: 5 })
      await archive.remove(idOf("deleted/never"), 3, patient())
      expect(await archive.load(idOf("deleted/never"), patient())).toEqual({ kind: "deleted", revision: 3 })
    })

    it("[A7] deletes at the revision it holds, and a late older deletion takes nothing away", async () => {
      const id = idOf("deleted/late")
      const update = noise(100, 6)
      await archive.store(id, writeOf(update, 6), patient())
      await archive.remove(id, 5, patient())
      await expectFound(id, update, 6)
      await archive.remove(id, 6, patient())
      await archive.remove(id, 4, patient())
      expect(await archive.load(id, patient())).toEqual({ kind: "deleted", revision: 6 })
    })

    it("[A7] keeps a deleted document deleted when an older store arrives late, and takes a newer one", async () => {
      const id = idOf("revived")
      await archive.store(id, writeOf(noise(10, 1), 1), patient())
      await archive.remove(id, 8, patient())
      for (const revision of [7, 8]) {
        expect(await archive.store(id, writeOf(noise(10, revision), revision), patient())).toBe("newer")
        expect(await archive.load(id, patient())).toEqual({ kind: "deleted", revision: 8 })
      }
      expect(await archive.store(id, writeOf(noise(20, 9), 9), patient())).toBe("stored")
      await expectFound(id, noise(20, 9), 9)
    })

    it("[A8] lists 250 documents in id order, page by page, without the deleted", {
      timeout: 60_000,
    }, async () => {
      const ids = Array.from({ length: 250 }, (_, at) =>
        idOf(`list/${["a", "B", "_", "~", "-"][at % 5]}${at}`),
      )
      const expected = new Map(ids.map((id, at) => [id, { revision: at + 1, bytes: at }]))
      for (let at = 0; at < ids.length; at += 10) {
        await Promise.all(
          ids
            .slice(at, at + 10)
            .map((id, offset) =>
              archive.store(id, writeOf(noise(at + offset, 1), at + offset + 1), patient()),
            ),
        )
      }
      for (const id of ids.filter((_, at) => at % 50 === 3)) {
        await archive.remove(id, 1000, patient())
        expected.delete(id)
      }
      const { entries, pages } = await index(100)
      expect(pages).toBe(Math.ceil(entries.length / 100))
      expect(entries.map(({ id }) => id)).toEqual(entries.map(({ id }) => id).sort())
      const mine = entries.filter(({ id }) => id.startsWith(idOf("list/")))
      expect(mine.map(({ id, revision, bytes }) => [id, { revision, bytes }])).toEqual(
        [...expected].sort(([left], [right]) => (left < right ? -1 : 1)),
      )
      for (const { updatedAt } of mine) expect(new Date(updatedAt).toISOString()).toBe(updatedAt)
      const exact = await index(entries.length)
      expect([exact.pages, exact.entries.length]).toEqual([1, entries.length])
    })

    it("[A8] keeps ids apart that differ by a slash, a case or a sign", async () => {
      const ids = [
        "a",
        "A",
        "a/b",
        "a/b/c",
        "a:b",
        "a.b",
        "a-b",
        "a_b",
        "a~b",
        "0",
        "a..b",
        "x".repeat(200),
      ].map(idOf)
      for (const [at, id] of ids.entries())
        await archive.store(id, writeOf(noise(at + 1, at), at + 1), patient())
      for (const [at, id] of ids.entries()) await expectFound(id, noise(at + 1, at), at + 1)
    })

    it("[A9] rejects when the database refuses, and never says absent", { timeout: 60_000 }, async () => {
      const id = idOf("refused")
      await archive.store(id, writeOf(noise(10, 1), 1), patient())
      await opened.fault("refuses")
      try {
        await expect(archive.load(id, patient())).rejects.toThrow()
        await expect(archive.load(idOf("refused/never"), patient())).rejects.toThrow()
        await expect(archive.store(id, writeOf(noise(10, 2), 2), patient())).rejects.toThrow()
        await expect(archive.remove(id, 2, patient())).rejects.toThrow()
        await expect(archive.list({ cursor: null, limit: 10 }, patient())).rejects.toThrow()
      } finally {
        await opened.fault("none")
      }
      await expectFound(id, noise(10, 1), 1)
    })

    it("[A5] ends with the signal when the database hangs", { timeout: 60_000 }, async () => {
      const id = idOf("hung")
      await archive.store(id, writeOf(noise(10, 1), 1), patient())
      await opened.fault("hangs")
      try {
        for (const call of [
          (signal: AbortSignal) => archive.load(id, signal),
          (signal: AbortSignal) => archive.store(id, writeOf(noise(10, 2), 2), signal),
          (signal: AbortSignal) => archive.remove(id, 2, signal),
          (signal: AbortSignal) => archive.list({ cursor: null, limit: 10 }, signal),
        ]) {
          const stop = new AbortController()
          const ended = expect(call(stop.signal)).rejects.toThrow("out of patience")
          stop.abort(new Error("out of patience"))
          await ended
        }
        await expect(archive.load(id, AbortSignal.abort(new Error("out of patience")))).rejects.toThrow(
          "out of patience",
        )
      } finally {
        await opened.fault("none")
      }
      const after = await archive.load(id, patient())
      // What was under way when the signal came may have arrived: both ends of the race are right.
      expect(["found", "deleted"]).toContain(after.kind)
    })
  })
}
