/** An archive in front of an old backend, which is a real HTTP server that serves what real packages have written. */
import { once } from "node:events"
import { readFileSync } from "node:fs"
import { createServer, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import * as encoding from "lib0/encoding"
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest"
import * as Y from "yjs"
import type { Archive, ArchiveLookup } from "../../src/archive/archive.ts"
import { chooseArchive } from "../../src/archive/choose.ts"
import { ARCHIVE_CONTRACT, markOf, noise, patient, writeOf } from "../../src/archive/contract.ts"
import { lazyArchive, legacyUrl } from "../../src/archive/lazy.ts"
import { webhookArchive } from "../../src/archive/webhook.ts"
import { LIMITS } from "../../src/limits.ts"
import * as b from "../hostile/bytes.ts"
import { TABLE } from "../hostile/table.ts"
import { startReceiver, WEBHOOK_SECRET } from "../kit/webhook-receiver.ts"

const EXPECTED: Record<string, string> = JSON.parse(
  readFileSync(join(import.meta.dirname, "../fixtures/sources/expected.json"), "utf8"),
)

type Answer = Uint8Array | number | "hangs" | "endless" | { readonly redirect: string }

/** An old backend: what it answers, by id, and who has asked. */
async function startOldBackend(documents: Record<string, Answer>) {
  const asked: string[] = []
  const authorizations: (string | undefined)[] = []
  const answers = new Map(Object.entries(documents))
  const answer = (response: ServerResponse, found: Answer): void => {
    if (found === "hangs") return
    if (found === "endless") {
      const pour = () => {
        while (response.write(Buffer.alloc(65_536)));
      }
      response.on("drain", pour)
      return pour()
    }
    if (typeof found === "number") response.writeHead(found).end("<h1>no document</h1>")
    else if (found instanceof Uint8Array) response.end(found)
    else response.writeHead(302, { location: found.redirect }).end()
  }
  const server = createServer(({ url, headers }, response) => {
    const id = decodeURIComponent(/^\/export\/([^/]+)$/.exec(url!)![1]!)
    asked.push(id)
    authorizations.push(headers.authorization)
    answer(response, answers.get(id) ?? 404)
  }).listen(0, "127.0.0.1")
  await once(server, "listening")
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    url: `${base}/export/{id}`,
    asked,
    authorizations,
    answers,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, "close")
    },
  }
}

/** What the hostile table has a server refuse, but for what is much only beside a document that is there. */
const HOSTILE = Object.values(TABLE)
  .flat()
  .filter(({ update, gets, what }) => update && gets === "closed 4422" && what !== "65,537 new clients")

/** A few bytes in Yjs' second encoding that mean more than anybody has memory for: structs of one kind without end. */
function bombOf(info: number, { name }: { name: string }): Uint8Array {
  const endless = (first: number[], last: number) =>
    encoding.encode((encoder) => {
      for (const one of [...first, last]) encoding.writeVarInt(encoder, one)
      encoding.writeVarUint(encoder, 2 ** 40)
    })
  const [keys, clients, types, lengths] = [endless([], 1), endless([], -77), endless([], -3), endless([], -1)]
  const strings = b.bytes(name, endless([0, name.length], -0))
  const columns = [keys, clients, b.raw(), b.raw(), b.raw(info), strings, b.raw(1), types, lengths]
  return b.bytes(0, ...columns.map(b.sized), 1, 2 ** 40, 0, 0)
}

const real = (id: string) => Buffer.from(EXPECTED[id]!, "base64")

describe("an archive before an old backend", () => {
  let receiver: Awaited<ReturnType<typeof startReceiver>>
  let old: Awaited<ReturnType<typeof startOldBackend>>
  let inner: Archive
  let archive: Archive

  beforeEach(async () => {
    receiver = await startReceiver()
    old = await startOldBackend({
      notes: real("notes"),
      "Müller/Angebot 3": real("Müller/Angebot 3"),
      empty: Y.encodeStateAsUpdate(new Y.Doc()),
      nothing: 204,
      broken: 500,
      "signed-out": 401,
      page: Buffer.from("<!doctype html><p>Welcome to our portal!</p>"),
      cut: real("notes").subarray(0, 60),
      silent: "hangs",
      flood: "endless",
    })
    inner = webhookArchive({ url: receiver.url, secret: WEBHOOK_SECRET })
    archive = lazyArchive(inner, legacyUrl({ url: old.url, limits: { documentBytes: 1_000_000 } }), {
      ...LIMITS,
      legacyTimeoutMs: 200,
    })
  })
  afterEach(() => Promise.all([receiver.close(), old.close()]))

  const updateIn = (found: ArchiveLookup) => (found.kind === "found" ? found.document.update : found.kind)

  it("[A6] takes a document over as it is, once, and keeps it before it says so", async () => {
    for (const id of ["notes", "Müller/Angebot 3"]) {
      expect(updateIn(await archive.load(id, patient()))).toEqual(new Uint8Array(real(id)))
      expect(updateIn(await inner.load(id, patient()))).toEqual(new Uint8Array(real(id)))
      await archive.load(id, patient())
    }
    expect(old.asked).toEqual(["notes", "Müller/Angebot 3"])
    expect((await archive.list({ cursor: null, limit: 10 }, patient())).documents).toHaveLength(2)
  })

  it("[A10] gives two rooms that ask at once the same document", async () => {
    // The old backend changes in between: only one of its answers may count.
    const later = new Y.Doc()
    Y.applyUpdate(later, real("notes"))
    later.getText("text").insert(0, "later: ")
    const other = lazyArchive(inner, async () => Y.encodeStateAsUpdate(later))
    const [one, two] = await Promise.all([archive.load("notes", patient()), other.load("notes", patient())])
    expect(one).toEqual(two)
    expect(await inner.load("notes", patient())).toEqual(one)
  })

  it("[A10] lets a room store over what it took over, and over nothing else", async () => {
    const found = await archive.load("notes", patient())
    const seen = found.kind === "found" ? found.document : null
    expect(await archive.store("notes", writeOf(noise(9, 1), 2), null, patient())).toBe("conflict")
    expect(await archive.store("notes", writeOf(noise(9, 1), 2), seen, patient())).toBe("stored")
    expect(updateIn(await archive.load("notes", patient()))).toEqual(noise(9, 1))
  })

  it("[A7] never brings back what was deleted here", async () => {
    await archive.remove("notes", markOf(3), null, patient())
    expect((await archive.load("notes", patient())).kind).toBe("deleted")
    expect(old.asked).toEqual([])
  })

  it.each(["unknown", "nothing", "empty"])("is absent where the old backend has none: %s", async (id) => {
    expect(await archive.load(id, patient())).toEqual({ kind: "absent" })
    expect(await inner.load(id, patient())).toEqual({ kind: "absent" })
  })

  it.each([
    ["broken", "answered 500"],
    ["signed-out", "answered 401"],
    ["page", "answered what is no safe Yjs update: "],
    ["cut", "answered what is no safe Yjs update: "],
    ["silent", "did not answer within 200 ms"],
    ["flood", "answered more than 1000000 bytes"],
  ])("[A9] rejects, and never starts empty, where the answer is no document: %s", async (id, says) => {
    await expect(archive.load(id, patient())).rejects.toMatchObject({
      code: "archive-unavailable",
      message: expect.stringContaining(`The old backend ${says}`),
    })
    expect(await inner.load(id, patient())).toEqual({ kind: "absent" })
    // It is well again, and nothing of before is in the way.
    old.answers.set(id, real("notes"))
    expect(updateIn(await archive.load(id, patient()))).toEqual(new Uint8Array(real("notes")))
  })

  it.each(HOSTILE)("[W3] keeps nothing of $what, and says why", async ({ update }) => {
    old.answers.set("hostile", update!(77))
    await expect(archive.load("hostile", patient())).rejects.toMatchObject({
      code: "archive-unavailable",
      message: expect.stringMatching(/^The old backend answered what is no safe Yjs update: ./),
    })
    expect(await inner.load("hostile", patient())).toEqual({ kind: "absent" })
    // What it has is still there, and comes once it is mended.
    old.answers.set("hostile", real("notes"))
    expect(updateIn(await archive.load("hostile", patient()))).toEqual(new Uint8Array(real("notes")))
  })

  it("[B2] takes a document of many visitors, and none that would not fit a room's memory", async () => {
    const clients = Array.from({ length: 70_000 }, (_, i): [number, number, Uint8Array] => [
      ...([2_000_000_000 - i, 0, b.gc(1)] as const),
    ])
    old.answers.set("many", b.update(clients))
    expect((await archive.load("many", patient())).kind).toBe("found")
    const structs = Array.from({ length: 700_000 }, () => b.gc(1))
    old.answers.set("heavy", b.update([[77, 0, ...structs]]))
    const large = lazyArchive(inner, legacyUrl({ url: old.url }))
    await expect(large.load("heavy", patient())).rejects.toThrow(/takes about \d+ bytes of memory; at most/)
    expect(await inner.load("heavy", patient())).toEqual({ kind: "absent" })
  })

  it.each([
    ["what was deleted", bombOf(0, { name: "" })],
    ["one long name", bombOf(7, { name: "n".repeat(4_000) })],
  ])("[B1] reads the second encoding no further than there is room: %s over and over", async (_, bomb) => {
    expect(bomb.length).toBeLessThan(5_000)
    old.answers.set("bomb", bomb)
    const ask = legacyUrl({ url: old.url, encoding: "v2", limits: { documentBytes: 1_000_000 } })
    const before = process.memoryUsage().heapUsed
    await expect(lazyArchive(inner, ask).load("bomb", patient())).rejects.toThrow(
      "answered more than 1000000 bytes",
    )
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(200_000_000)
  })

  it("[A9] rejects where nothing listens, and where it is led elsewhere", async () => {
    old.answers.set("moved", { redirect: old.url.replace("{id}", "notes") })
    await expect(archive.load("moved", patient())).rejects.toThrow("The old backend answered 302")
    await old.close()
    await expect(archive.load("notes", patient())).rejects.toThrow("The old backend could not be asked")
    old = await startOldBackend({})
  })

  it("[A5] ends with the room's signal while the old backend is silent", async () => {
    const stop = new AbortController()
    const waiting = expect(archive.load("silent", stop.signal)).rejects.toThrow("enough")
    stop.abort(new Error("enough"))
    await waiting
  })

  it("asks with what a variable says, and reads the second encoding", async () => {
    const doc = new Y.Doc()
    doc.getText("text").insert(0, "written by y-redis")
    old.answers.set("second", Y.encodeStateAsUpdateV2(doc))
    const chosen = chooseArchive({
      WEBHOOK_URL: receiver.url,
      WEBHOOK_SECRET,
      LEGACY_URL: old.url,
      LEGACY_AUTHORIZATION: "Bearer of the old backend",
      LEGACY_ENCODING: "v2",
    })!
    const held = new Y.Doc()
    Y.applyUpdate(held, updateIn(await chosen.load("second", patient())) as Uint8Array)
    expect(held.getText("text").toString()).toBe("written by y-redis")
    expect(old.authorizations).toEqual(["Bearer of the old backend"])
  })

  it.each([
    [{ LEGACY_URL: "https://old.example.com/" }, "has no {id}"],
    [{ LEGACY_URL: "http://old.example.com/{id}" }, "it needs https"],
    [{ LEGACY_URL: "https://old.example.com/{id}", ARCHIVE: "none" }, "there is no archive to keep"],
    [{ LEGACY_URL: "https://old.example.com/{id}", WEBHOOK_FORMAT: "json" }, "gives no document back"],
  ])("says what is wrong with %j", (vars, message) => {
    const env = { WEBHOOK_URL: receiver.url, WEBHOOK_SECRET, ...vars }
    expect(() => chooseArchive(env)).toThrow(message)
  })
})

describe("the contract of archives, kept by the two together", () => {
  let receiver: Awaited<ReturnType<typeof startReceiver>>
  beforeAll(async () => {
    receiver = await startReceiver()
  })
  afterAll(() => receiver.close())

  // Sizes are the inner archive's, and tested there.
  for (const { title, timeoutMs, run } of ARCHIVE_CONTRACT.filter(
    ({ title }) => !/MB|large|250|whole/.test(title),
  )) {
    it(title, { timeout: timeoutMs }, () => {
      const inner = webhookArchive({ url: receiver.url, secret: WEBHOOK_SECRET })
      return run({
        archive: lazyArchive(inner, async () => null),
        fault: async (kind) => receiver.fault(kind),
      })
    })
  }
})
