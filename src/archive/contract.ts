/**
 * What every archive must do, as tests for any runner. Write an adapter, and in its test:
 *
 *     import { ARCHIVE_CONTRACT } from "yurt/archive/contract"
 *     for (const { title, timeoutMs, run } of ARCHIVE_CONTRACT) {
 *       test(title, { timeout: timeoutMs }, () => run({ archive, fault }))
 *     }
 *
 * The file is long because each sentence of the contract in archive.ts is a test.
 */

import assert from "node:assert/strict"
import { Buffer } from "node:buffer"
import type {
  Archive,
  ArchiveEntry,
  ArchiveMark,
  ArchivePage,
  ArchiveWrite,
  IndexRange,
  Version,
} from "./archive.ts"

const MB = 1024 * 1024

/** An archive over a real database, and a hand on that database's switch. */
export interface ArchiveUnderTest {
  readonly archive: Archive
  /** Let the database refuse every call, answer none, or work again. */
  fault(kind: "refuses" | "hangs" | "none"): Promise<void>
}

/** One test of the contract. It passes when `run` resolves. */
export interface ContractTest {
  readonly title: string
  readonly timeoutMs: number
  /** Documents of earlier runs may still be in the database: the ids of each differ. */
  run(subject: ArchiveUnderTest): Promise<void>
}

/**
 * What a room would hand over.
 *
 * @param options.writer the storage that writes, by default always the same
 */
export function writeOf(
  update: Uint8Array,
  revision: number,
  options: {
    writer?: string | null
    sidecar?: Uint8Array | null
    json?: Record<string, unknown> | null
    text?: string | null
  } = {},
): ArchiveWrite {
  const { writer = "room-a", sidecar = null, json = {}, text = "" } = options
  const updatedAtMs = Date.UTC(2026, 9, 23) + (revision % 1000)
  return { update, revision, writer, sidecar, updatedAtMs, json: () => json, text: () => text }
}

/** What a room would leave in place of a document. */
export function markOf(
  revision: number,
  { writer = "room-a", sidecar = null }: { writer?: string; sidecar?: Uint8Array | null } = {},
): ArchiveMark {
  return { writer, revision, sidecar }
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

/** A signal that does not abort while a test runs. */
export const patient = (): AbortSignal => new AbortController().signal

/** Equality of large arrays without a diff of millions of lines. */
function sameBytes(left: Uint8Array | null, right: Uint8Array | null): boolean {
  if (left === null || right === null) return left === right
  return Buffer.compare(left, right) === 0
}

/** A test's hand on the archive: ids of its own, and what has to be found under them. */
class Script {
  readonly archive: Archive
  readonly fault: ArchiveUnderTest["fault"]
  readonly #run = crypto.randomUUID().slice(0, 8)

  constructor({ archive, fault }: ArchiveUnderTest) {
    this.archive = archive
    this.fault = fault
  }

  idOf(title: string): string {
    return `${this.#run}/${title}`
  }

  store(id: string, document: ArchiveWrite, expected: Version | null = null): Promise<string> {
    return this.archive.store(id, document, expected, patient())
  }

  remove(id: string, mark: ArchiveMark, expected: Version | null = null): Promise<string> {
    return this.archive.remove(id, mark, expected, patient())
  }

  /** Expect exactly this document. */
  async holds(id: string, write: ArchiveWrite): Promise<void> {
    const found = await this.archive.load(id, patient())
    if (found.kind !== "found") assert.fail(`${id} is ${found.kind}, not found`)
    const { update, sidecar, writer, revision } = found.document
    assert.deepEqual({ writer, revision }, { writer: write.writer, revision: write.revision })
    assert.equal(update.length, write.update.length)
    assert.ok(sameBytes(update, write.update), `${id} has other bytes`)
    assert.equal(sidecar?.length, write.sidecar?.length)
    assert.ok(sameBytes(sidecar, write.sidecar), `${id} has another sidecar`)
  }

  /** Expect exactly this mark. */
  async isDeleted(id: string, { writer, revision, sidecar }: ArchiveMark): Promise<void> {
    const found = await this.archive.load(id, patient())
    if (found.kind !== "deleted") assert.fail(`${id} is ${found.kind}, not deleted`)
    assert.deepEqual(found.version, { writer, revision })
    assert.ok(sameBytes(found.sidecar, sidecar), `${id} has another sidecar`)
  }

  /** The whole index, or a range of it, page by page. */
  async index(limit: number, within?: IndexRange): Promise<{ entries: ArchiveEntry[]; pages: number }> {
    const entries: ArchiveEntry[] = []
    let cursor: string | null = null
    for (let pages = 1; ; pages++) {
      const page = await this.archive.list({ cursor, limit, within }, patient())
      assert.ok(page.documents.length <= limit)
      entries.push(...page.documents)
      cursor = page.cursor
      if (cursor === null) return { entries, pages }
    }
  }
}

const tests: ContractTest[] = []

function test(title: string, run: (script: Script) => Promise<void>): void {
  tests.push({ title, timeoutMs: 60_000, run: (subject) => run(new Script(subject)) })
}

test("says absent for a document it never stored", async (script) => {
  assert.deepEqual(await script.archive.load(script.idOf("never"), patient()), { kind: "absent" })
})

for (const [name, length] of [
  ["nothing", 0],
  ["one byte", 1],
  ["a byte under 1 MB", MB - 1],
  ["1 MB", MB],
  ["a byte over 1 MB", MB + 1],
  ["a byte over 9 MB", 9 * MB + 1],
  ["50 MB", 50 * MB],
] as const) {
  test(`[A6] gives back exactly the bytes and the version: ${name}`, async (script) => {
    const write = writeOf(noise(length, length + 1), 41)
    assert.equal(await script.store(script.idOf("exact"), write), "stored")
    await script.holds(script.idOf("exact"), write)
  })
}

for (const [name, updateLength, sidecarLength] of [
  ["an empty one", 10, 0],
  ["a small one", 10, 300],
  ["one beside an empty update", 0, 300],
  ["one that shares the update's last MB", 2 * MB - 100, 300],
  ["one of 3 MB beside 9 MB", 9 * MB, 3 * MB],
] as const) {
  test(`[A6] gives back the sidecar byte for byte: ${name}`, async (script) => {
    const sidecar = noise(sidecarLength, 77)
    const write = writeOf(noise(updateLength, 3), 5, { sidecar })
    await script.store(script.idOf("sidecar"), write)
    await script.holds(script.idOf("sidecar"), write)
    const plain = writeOf(noise(20, 4), 6)
    assert.equal(await script.store(script.idOf("sidecar"), plain), "stored")
    await script.holds(script.idOf("sidecar"), plain)
  })
}

test("[A10] stores where nothing is held, whatever is expected", async (script) => {
  const write = writeOf(noise(10, 1), 9)
  assert.equal(await script.store(script.idOf("emptied"), write, { writer: "room-z", revision: 8 }), "stored")
  await script.holds(script.idOf("emptied"), write)
})

test("[A3] replaces a lower revision of the same writer, a longer one by a shorter one too", async (script) => {
  const id = script.idOf("grow")
  for (const [revision, length] of [
    [1, 10],
    [2, 2 * MB + 7],
    [9, 3],
    [Number.MAX_SAFE_INTEGER, MB],
  ] as const) {
    const write = writeOf(noise(length, revision), revision)
    assert.equal(await script.store(id, write), "stored")
    await script.holds(id, write)
  }
})

test("[A3] leaves what it holds for the same revision again, and for a lower one", async (script) => {
  const id = script.idOf("older")
  const newest = writeOf(noise(2 * MB, 7), 7)
  await script.store(id, newest)
  for (const [revision, outcome] of [
    [7, "stored"],
    [6, "conflict"],
    [0, "conflict"],
  ] as const) {
    assert.equal(await script.store(id, writeOf(noise(3 * MB, revision + 100), revision)), outcome)
    await script.holds(id, newest)
  }
})

test("[A10] changes nothing for another writer, however high its revision", async (script) => {
  const id = script.idOf("foreign")
  const held = writeOf(noise(2 * MB, 1), 5, { sidecar: noise(40, 9) })
  await script.store(id, held)
  for (const [write, expected] of [
    [writeOf(noise(10, 2), 900, { writer: "room-b" }), null],
    [writeOf(noise(9 * MB, 2), 900, { writer: "room-b" }), { writer: "room-a", revision: 4 }],
    [writeOf(noise(10, 2), 5, { writer: "room-b" }), { writer: null, revision: 5 }],
    [writeOf(noise(10, 2), 900, { writer: null }), null],
  ] as const) {
    assert.equal(await script.store(id, write, expected), "conflict")
    await script.holds(id, held)
  }
})

test("[A10] gives way to another writer that expects exactly what it holds", async (script) => {
  const id = script.idOf("handover")
  await script.store(id, writeOf(noise(10, 1), 5))
  const theirs = writeOf(noise(9 * MB, 2), 6, { writer: "room-b", sidecar: noise(9, 9) })
  assert.equal(await script.store(id, theirs, { writer: "room-a", revision: 5 }), "stored")
  await script.holds(id, theirs)
  assert.equal(await script.store(id, writeOf(noise(10, 3), 7)), "conflict")
  const back = writeOf(noise(10, 4), 3)
  assert.equal(await script.store(id, back, { writer: "room-b", revision: 6 }), "stored")
  await script.holds(id, back)
})

test("[A10] keeps what has no writer until it is expected: no two such are the same writer", async (script) => {
  const id = script.idOf("by-hand")
  const first = writeOf(noise(10, 1), 0, { writer: null })
  await script.store(id, first)
  const found = await script.archive.load(id, patient())
  if (found.kind !== "found") assert.fail(`${id} is ${found.kind}`)
  assert.equal(found.document.writer, null)
  for (const write of [
    writeOf(noise(10, 2), 1, { writer: null }),
    writeOf(noise(10, 2), 0, { writer: null }),
    writeOf(noise(10, 2), 1),
  ]) {
    assert.equal(await script.store(id, write), "conflict")
  }
  const merged = writeOf(noise(30, 3), 1)
  assert.equal(await script.store(id, merged, found.document), "stored")
  await script.holds(id, merged)
})

test("[A3] ends with the highest revision, whole, when one writer stores many at once", async (script) => {
  const id = script.idOf("at-once")
  const writes = [3, 8, 1, 6, 2, 7, 5, 4].map((revision) =>
    writeOf(noise(300_000 * ((revision * 5) % 9) + revision, revision), revision),
  )
  await Promise.all(writes.map((write) => script.store(id, write)))
  await script.holds(id, writes[1]!)
})

for (const [name, length, rounds] of [
  ["small", 100, 12],
  ["large", 9 * MB, 1],
] as const) {
  test(`[A10] lets exactly one of several writers win that expect the same: ${name}`, async (script) => {
    async function race(id: string, before: ArchiveWrite | null): Promise<void> {
      if (before !== null) await script.store(id, before)
      const writes = ["room-b", "room-c", "room-d"].map((writer, at) =>
        writeOf(noise(length + at, at + 5), 2, { writer }),
      )
      const outcomes = await Promise.all(writes.map((write) => script.store(id, write, before)))
      assert.deepEqual([...outcomes].sort(), ["conflict", "conflict", "stored"])
      await script.holds(id, writes[outcomes.indexOf("stored")]!)
    }
    for (const before of [null, writeOf(noise(10, 1), 1)]) {
      const ids = Array.from({ length: rounds }, (_, at) => script.idOf(`race/${before?.revision}/${at}`))
      await Promise.all(ids.map((id) => race(id, before)))
    }
  })
}

test("[A3] reads one revision whole while newer ones are stored", async (script) => {
  const id = script.idOf("read-while-written")
  const writes = Array.from({ length: 4 }, (_, at) => writeOf(noise(9 * MB + at, at + 1), at + 1))
  await script.store(id, writes[0]!)
  const writing = (async () => {
    for (const write of writes.slice(1)) await script.store(id, write)
  })()
  for (let read = 0; read < 4; read++) {
    const found = await script.archive.load(id, patient())
    if (found.kind !== "found") assert.fail(`${id} is ${found.kind}, not found`)
    assert.ok(sameBytes(found.document.update, writes[found.document.revision - 1]!.update))
  }
  await writing
})

test("[A7] says at which version a document was deleted, also one it never held", async (script) => {
  const id = script.idOf("deleted")
  await script.store(id, writeOf(noise(2 * MB, 4), 4, { sidecar: noise(5, 5) }))
  assert.equal(await script.remove(id, markOf(5)), "stored")
  await script.isDeleted(id, markOf(5))
  assert.equal(await script.remove(script.idOf("deleted/never"), markOf(3)), "stored")
  await script.isDeleted(script.idOf("deleted/never"), markOf(3))
})

test("[D8] keeps the sidecar of a deletion, byte for byte", async (script) => {
  for (const length of [0, 300, 3 * MB]) {
    const id = script.idOf(`deleted/sidecar/${length}`)
    await script.store(id, writeOf(noise(10, 4), 4, { sidecar: noise(40, 1) }))
    const mark = markOf(5, { sidecar: noise(length, 8) })
    assert.equal(await script.remove(id, mark), "stored")
    await script.isDeleted(id, mark)
  }
})

test("[A7] deletes a lower or an equal revision of the same writer, and no higher one", async (script) => {
  const id = script.idOf("deleted/late")
  const held = writeOf(noise(100, 6), 6)
  await script.store(id, held)
  assert.equal(await script.remove(id, markOf(5)), "conflict")
  await script.holds(id, held)
  assert.equal(await script.remove(id, markOf(6)), "stored")
  assert.equal(await script.remove(id, markOf(6)), "stored")
  assert.equal(await script.remove(id, markOf(4)), "conflict")
  await script.isDeleted(id, markOf(6))
})

test("[A10] deletes another writer's document only when it is expected", async (script) => {
  const id = script.idOf("deleted/foreign")
  const held = writeOf(noise(100, 6), 6)
  await script.store(id, held)
  const mark = markOf(9, { writer: "room-b" })
  assert.equal(await script.remove(id, mark), "conflict")
  assert.equal(await script.remove(id, mark, { writer: "room-a", revision: 5 }), "conflict")
  await script.holds(id, held)
  assert.equal(await script.remove(id, mark, held), "stored")
  await script.isDeleted(id, mark)
})

test("[A7] revives nothing by a store that arrives late, whatever its revision", async (script) => {
  const id = script.idOf("revived")
  await script.store(id, writeOf(noise(10, 1), 1))
  const mark = markOf(8, { sidecar: noise(20, 2) })
  await script.remove(id, mark)
  for (const write of [
    writeOf(noise(10, 7), 7),
    writeOf(noise(10, 8), 8),
    writeOf(noise(10, 9), 9),
    writeOf(noise(10, 9), 9, { writer: "room-b" }),
  ]) {
    assert.equal(await script.store(id, write, { writer: "room-a", revision: 1 }), "conflict")
    await script.isDeleted(id, mark)
  }
  assert.equal(await script.remove(id, markOf(9)), "conflict")
  await script.isDeleted(id, mark)
})

test("[A7] lets a new document begin over a mark that is expected", async (script) => {
  const id = script.idOf("anew")
  await script.remove(id, markOf(8))
  const anew = writeOf(noise(20, 9), 9, { writer: "room-b", sidecar: noise(4, 4) })
  assert.equal(await script.store(id, anew, { writer: "room-a", revision: 8 }), "stored")
  await script.holds(id, anew)
})

test("[A7] ends deleted or conflicting, never half, when a store and a deletion race", async (script) => {
  for (let round = 0; round < 5; round++) {
    const id = script.idOf(`deleted/race/${round}`)
    await script.store(id, writeOf(noise(10, 1), 1))
    const mark = markOf(3, { sidecar: noise(5, round) })
    const [stored, removed] = await Promise.all([
      script.store(id, writeOf(noise(2 * MB, 2), 2)),
      script.remove(id, mark),
    ])
    assert.equal(removed, "stored")
    assert.ok(stored === "stored" || stored === "conflict")
    await script.isDeleted(id, mark)
  }
})

test("[A8] lists 250 documents in id order, page by page, without the deleted", async (script) => {
  const ids = Array.from({ length: 250 }, (_, at) =>
    script.idOf(`list/${["a", "B", "_", "~", "-"][at % 5]}${at}`),
  )
  const expected = new Map(ids.map((id, at) => [id, { revision: at + 1, bytes: at }]))
  for (let at = 0; at < ids.length; at += 10) {
    const some = ids.slice(at, at + 10)
    await Promise.all(
      some.map((id, offset) => {
        const sidecar = offset === 0 ? noise(50, 1) : null
        return script.store(id, writeOf(noise(at + offset, 1), at + offset + 1, { sidecar }))
      }),
    )
  }
  for (const id of ids.filter((_, at) => at % 50 === 3)) {
    await script.remove(id, markOf(1000))
    expected.delete(id)
  }
  const { entries, pages } = await script.index(100)
  assert.equal(pages, Math.ceil(entries.length / 100))
  assert.deepEqual(
    entries.map(({ id }) => id),
    entries.map(({ id }) => id).sort(),
  )
  const mine = entries.filter(({ id }) => id.startsWith(script.idOf("list/")))
  assert.deepEqual(
    mine.map(({ id, revision, bytes }) => [id, { revision, bytes }]),
    [...expected].sort(([left], [right]) => (left < right ? -1 : 1)),
  )
  for (const { updatedAt } of mine) assert.equal(new Date(updatedAt).toISOString(), updatedAt)
  const exact = await script.index(entries.length)
  assert.deepEqual([exact.pages, exact.entries.length], [1, entries.length])
})

test("[A8] keeps ids apart that differ by a slash, a case, a sign or a letter", async (script) => {
  const names = ["a", "A", "a/b", "a/b/c", "a//b", "a:b", "a.b", "a-b", "a_b", "a~b", "a b", "a+b", "a%20b"]
  names.push(
    "a=b",
    "0",
    "a..b",
    "user@example.com",
    "Müller/Angebot 3",
    "é",
    "e\u0301",
    "日本",
    "😀",
    "x?y#z&c=1",
  )
  const ids = names.map((name) => script.idOf(name))
  // The documents of other parties begin with a slash.
  ids.push(`/${script.idOf("party/a")}`, script.idOf("é".repeat(100)), script.idOf("x".repeat(500)))
  for (const [at, id] of ids.entries()) await script.store(id, writeOf(noise(at + 1, at), at + 1))
  for (const [at, id] of ids.entries()) await script.holds(id, writeOf(noise(at + 1, at), at + 1))
  const listed = (await script.index(1000)).entries.map(({ id }) => id)
  for (const id of ids) assert.ok(listed.includes(id), `${id} is not listed`)
})

test("[A8] lists a range of ids alone, page by page", async (script) => {
  const base = script.idOf("range/")
  const names = ["a", "a-1", "a.z", "a/", "a/b", "a/b/c", "a/é", "a/\u{ffff}", "a/😀", "a0", "b", "c"]
  for (const [at, name] of names.entries()) await script.store(base + name, writeOf(noise(5, at), at + 1))
  await script.remove(`${base}a/b`, markOf(100))
  const listed = async (from: string, before: string | null, limit = 2) => {
    const range = { from: base + from, before: before === null ? null : base + before }
    const { entries } = await script.index(limit, range)
    return entries.map(({ id }) => id.slice(base.length))
  }
  assert.deepEqual(await listed("a/", "a0"), ["a/", "a/b/c", "a/é", "a/\u{ffff}", "a/😀"])
  assert.deepEqual(await listed("a", "a\u0001"), ["a"])
  assert.deepEqual(await listed("a/b", "a/b\u0001"), [])
  assert.deepEqual(await listed("a0", "c"), ["a0", "b"])
  assert.deepEqual((await listed("b", null, 1000)).slice(0, 2), ["b", "c"])
  // A page of another list says nothing of what is before this one.
  const page = { cursor: `${base}a`, limit: 1, within: { from: `${base}b`, before: null } }
  assert.equal((await script.archive.list(page, patient())).documents[0]?.id, `${base}b`)
})

test("[A6] stores a document that is too large to show", async (script) => {
  const write = writeOf(noise(100, 1), 1, { json: null, text: null })
  assert.equal(await script.store(script.idOf("unreadable"), write), "stored")
  await script.holds(script.idOf("unreadable"), write)
})

test("[A9] rejects when the database refuses, and never says absent", async (script) => {
  const id = script.idOf("refused")
  const write = writeOf(noise(10, 1), 1)
  await script.store(id, write)
  await script.fault("refuses")
  try {
    for (const call of [
      () => script.archive.load(id, patient()),
      () => script.archive.load(script.idOf("refused/never"), patient()),
      () => script.store(id, writeOf(noise(10, 2), 2)),
      () => script.remove(id, markOf(2)),
      () => script.archive.list({ cursor: null, limit: 10 }, patient()),
    ]) {
      // Of what the driver says (addresses, users, SQL) nothing is shown to clients.
      await assert.rejects(call, (error: Error & { code?: unknown }) => {
        assert.equal(error.code, "archive-unavailable")
        assert.ok(error.message.startsWith(`The archive ${script.archive.name} `), error.message)
        assert.doesNotMatch(error.message, /the test refuses|ECONN|SQL|:\/\/|\d+\.\d+\.\d+\.\d+/)
        return true
      })
    }
  } finally {
    await script.fault("none")
  }
  await script.holds(id, write)
})

test("[A5] ends with the signal when the database hangs", async (script) => {
  const id = script.idOf("hung")
  await script.store(id, writeOf(noise(10, 1), 1))
  await script.fault("hangs")
  try {
    for (const call of [
      (signal: AbortSignal) => script.archive.load(id, signal),
      (signal: AbortSignal) => script.archive.store(id, writeOf(noise(10, 2), 2), null, signal),
      (signal: AbortSignal) => script.archive.remove(id, markOf(2), null, signal),
      (signal: AbortSignal) => script.archive.list({ cursor: null, limit: 10 }, signal),
    ]) {
      const stop = new AbortController()
      const ended = assert.rejects(call(stop.signal), /out of patience/)
      stop.abort(new Error("out of patience"))
      await ended
    }
    const stopped = AbortSignal.abort(new Error("out of patience"))
    await assert.rejects(script.archive.load(id, stopped), /out of patience/)
  } finally {
    await script.fault("none")
  }
  const after = await script.archive.load(id, patient())
  // What was under way when the signal came may have arrived: both ends of the race are right.
  assert.ok(after.kind === "found" || after.kind === "deleted")
})

/** Of an archive that takes parts of pasts, the contract of `segments`. It passes when it resolves. */
export async function checkSegments({ archive, fault }: ArchiveUnderTest): Promise<void> {
  const { segments } = archive
  assert.ok(segments, `${archive.name} has no segments`)
  const run = `segments ${crypto.randomUUID()}`
  const [id, below, other] = [`${run}/a`, `${run}/a/b`, `${run}/ab`]
  const names = ["w/1.", "w/10.", "w/1.x", "v/ü"]
  const bytesOf = (n: number) => noise(n === 0 ? MB : n, n + 1)
  for (const [n, name] of names.entries()) await segments.put(id, name, bytesOf(n), patient())
  for (const beside of [below, other]) await segments.put(beside, "w/1.", noise(9, 9), patient())
  for (const [n, name] of names.entries())
    assert.ok(sameBytes(await segments.get(id, name, patient()), bytesOf(n)), name)
  assert.equal(await segments.get(id, "w/", patient()), null)
  assert.deepEqual((await segments.list(id, "", patient())).sort(), [...names].sort())
  assert.deepEqual((await segments.list(id, "w/1", patient())).sort(), ["w/1.", "w/1.x", "w/10."])
  await segments.put(id, "v/ü", noise(3, 7), patient())
  assert.ok(sameBytes(await segments.get(id, "v/ü", patient()), noise(3, 7)))
  // They are no documents.
  assert.equal((await archive.load(id, patient())).kind, "absent")
  const ids: string[] = []
  for (let cursor: string | null = null; ; ) {
    const page: ArchivePage = await archive.list({ cursor, limit: 1_000 }, patient())
    ids.push(...page.documents.map((entry) => entry.id))
    cursor = page.cursor
    if (cursor === null) break
  }
  assert.ok(ids.every((one) => !one.includes(run)))
  await fault("refuses")
  try {
    for (const call of [
      () => segments.put(id, "w/1.", noise(3, 7), patient()),
      () => segments.get(id, "w/1.", patient()),
      () => segments.list(id, "", patient()),
    ])
      await assert.rejects(call, { code: "archive-unavailable" })
  } finally {
    await fault("none")
  }
  await segments.remove(id, "w/1.", patient())
  assert.deepEqual((await segments.list(id, "", patient())).sort(), ["v/ü", "w/10."])
  await segments.remove(id, "", patient())
  await segments.remove(id, "", patient())
  assert.deepEqual(await segments.list(id, "", patient()), [])
  for (const beside of [below, other]) assert.ok(await segments.get(beside, "w/1.", patient()))
}

/** Every sentence of the contract in archive.ts, as a test. */
export const ARCHIVE_CONTRACT: readonly ContractTest[] = tests
