/** `yurt import`, `export`, `backup` and `restore`, with a server of one's own at the other end. */
import {
  appendFileSync,
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import * as Y from "yjs"
import { compareDocuments } from "../../src/cli/verify.ts"
import { mintToken } from "../../src/token.ts"
import { type Ran, runYurt } from "../kit/command.ts"
import {
  type KeptDocument,
  type RedisDump,
  startLiveblocks,
  startRedis,
  startTiptap,
} from "../kit/old-servers.ts"
import { SelfHosted } from "../kit/self-hosted.ts"
import { until } from "../kit/until.ts"

const SECRET = "k4Zr8wq1Tn6vYb3mXc9sLd2pGf7hJj5u"
const FIXTURES = join(import.meta.dirname, "../fixtures/sources")
const EXPECTED: Record<string, string> = JSON.parse(readFileSync(join(FIXTURES, "expected.json"), "utf8"))

let server: SelfHosted
/** A folder like that of somebody who moves: their old stores, and what is written there. */
let folder: string

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "yurt-transfer-"))
  cpSync(FIXTURES, folder, { recursive: true })
  server = await SelfHosted.start({ AUTH_SECRET: SECRET, LIMIT_FLUSH_MS: "1" })
})
afterAll(async () => {
  await server.stop()
  rmSync(folder, { recursive: true, force: true })
})

function yurt(...line: string[]): Promise<Ran> {
  return runYurt(line, { folder, env: { AUTH_SECRET: SECRET } })
}

async function request(id: string, init: RequestInit = {}, query = "?format=update"): Promise<Response> {
  const token = await mintToken(
    { subject: "tester", docs: [{ id: "*", rights: "write" }], admin: true },
    { secret: SECRET },
  )
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/octet-stream" }
  return fetch(`${server.url}/docs${id === "" ? "" : `/${encodeURI(id)}`}${query}`, { ...init, headers })
}

async function held(id: string): Promise<Uint8Array> {
  return new Uint8Array(await (await request(id)).arrayBuffer())
}

async function jsonOf(id: string): Promise<unknown> {
  return (await request(id, {}, "?format=json")).json()
}

async function append(id: string, text: string): Promise<void> {
  const doc = new Y.Doc()
  Y.applyUpdate(doc, await held(id))
  doc.getText("text").insert(doc.getText("text").length, text)
  const response = await request(id, { method: "PATCH", body: Y.encodeStateAsUpdate(doc) as BodyInit }, "")
  expect(response.status).toBe(200)
}

function fixture(id: string): Uint8Array {
  return Buffer.from(EXPECTED[id]!, "base64")
}

const NAMES = [
  "Müller/Angebot 3",
  Object.keys(EXPECTED).find((id) => id.startsWith("long"))!,
  "notes",
  "team/plan",
]

describe("yurt import", () => {
  it.each([
    ["hocuspocus-sqlite", "hocuspocus.sqlite", NAMES],
    ["y-leveldb", "y-leveldb", NAMES],
    ["y-sweet", "y-sweet", ["notes", "team-plan"]],
  ])(
    "[D3] brings every document of %s, proves it, and names the one that has no id",
    async (kind, where, ids) => {
      const prefix = `${kind}/`
      const first = await yurt("import", kind, where, "--to", server.url, "--prefix", prefix, "--verify")
      for (const id of ids) expect(compareDocuments(fixture(id), await held(prefix + id)), id).toBe("equal")
      expect(first.stderr).toContain(`${ids.length} equal`)
      if (kind === "y-sweet") return expect(first).toMatchObject({ code: 0 })
      expect(first.code).toBe(1)
      expect(first.stderr).toMatch(/incomplete: 1 documents did not come through:\nnot\/\/an id: .*bad-id/)
    },
  )

  it("[D3] goes on where it was stopped, and brings only what has changed at the source", async () => {
    const journal = join(folder, "stopped.jsonl")
    const args = ["y-sweet", "y-sweet", "--to", server.url, "--prefix", "again/", "--journal", journal]
    expect((await yurt("import", ...args)).stderr).toContain("2 brought")
    const [first] = readFileSync(journal, "utf8").trim().split("\n")
    // As after a kill: one line, and half of the next.
    writeFileSync(journal, `${first}\n{"id":"again/te`)
    const { stderr } = await yurt("import", ...args)
    expect(stderr).toContain("1 there already")
    expect(stderr).toContain("1 brought")
    expect((await yurt("import", ...args)).stderr).toContain("2 there already")
  })

  it("[W3] names files that are no documents, and brings the others", async () => {
    const damaged = join(folder, "damaged")
    cpSync(join(folder, "y-sweet"), damaged, { recursive: true })
    const store = join(damaged, "notes/data.ysweet")
    writeFileSync(store, readFileSync(store).subarray(0, 300))
    writeFileSync(join(damaged, "team-plan/data.ysweet"), Buffer.alloc(8, 255))
    // Whole, but with the document's name written otherwise: not to be taken for an empty document.
    const named = readFileSync(join(folder, "y-sweet/team-plan/data.ysweet"))
      .toString("latin1")
      .replace("doc", "dok")
    writeFileSync(join(damaged, "empty/data.ysweet"), Buffer.from(named, "latin1"))
    const { code, stderr } = await yurt("import", "y-sweet", "damaged", "--dry-run")
    expect(code).toBe(1)
    expect(stderr).toMatch(/3 documents did not come through/)
    expect(stderr).toMatch(/empty: .*holds no document/)
    expect(stderr).toMatch(/notes: .*cut off/)
    expect(stderr).not.toMatch(/^ +at /m)
  })

  it("[H2][D3] brings versions with the document: shown as it was, under the time and name it had, and once", async () => {
    const doc = new Y.Doc()
    const text = doc.getText("text")
    const states = ["first", "second", "third, an hour later", "named"].map((words) => {
      text.delete(0, text.length)
      text.insert(0, words)
      return Y.encodeStateAsUpdate(doc)
    })
    text.insert(text.length, ", and now")
    const times = ["10:00", "10:30", "11:30", "11:31"].map((time) => `2026-03-01T${time}:00.000Z`)
    const versions = states.map((bytes, n) => ({ bytes, at: times[n]!, ...(n === 3 && { name: "Final" }) }))
    const kept = { now: Y.encodeStateAsUpdate(doc), versions }
    const old = await startTiptap(new Map([["Müller/Angebot 3", kept]]))
    const args = ["tiptap-cloud", old.url, "--to", server.url, "--prefix", "tiptap/", "--verify"]
    const env = { AUTH_SECRET: SECRET, TIPTAP_TOKEN: "tiptap" }
    const first = await runYurt(["import", ...args], { folder, env })
    expect(first.stderr).toMatch(/1 equal\.\n3 versions were brought\./)
    const id = "tiptap/Müller/Angebot 3"
    const listed = async () =>
      (await (await request(id, {}, "/-/versions")).json()) as {
        versions: { id: string; at: string; name: string | null; trigger: string }[]
      }
    const found = (await listed()).versions.filter(({ trigger }) => trigger === "import").reverse()
    // Of the two of one hour that nobody has named, the newer one.
    expect(found).toMatchObject([
      { at: times[1], name: null },
      { at: times[2], name: null },
      { at: times[3], name: "Final" },
    ])
    const shown = found.map(async (version) =>
      (await request(id, {}, `?format=text&at=${version.id}`)).text(),
    )
    expect(await Promise.all(shown)).toEqual(["second", "third, an hour later", "named"])
    // Again, as after a journal that was lost: nothing is there twice, and what came too late is counted.
    const again = await runYurt(["import", ...args, "--versions", "all", "--journal", "lost.jsonl"], {
      folder,
      env,
    })
    expect(again.stderr).toMatch(/1 equal\.\n1 versions were not: their documents had gone on/)
    expect((await listed()).versions.filter(({ trigger }) => trigger === "import")).toHaveLength(3)
    await old.close()
  })

  it("[D3] brings documents of a server that is asked as its clients ask it", async () => {
    const token = await mintToken(
      { subject: "mover", docs: [{ id: "*", rights: "read" }] },
      { secret: SECRET },
    )
    writeFileSync(join(folder, "ids.txt"), "notes\r\nteam-plan\n")
    const where = `${server.url.replace("http", "ws")}/docs/y-sweet/{id}?token=${token}`
    const args = ["--to", server.url, "--prefix", "asked/", "--ids", "ids.txt", "--verify"]
    expect((await yurt("import", "y-websocket", where, ...args)).stderr).toContain("2 equal")
  })

  it("[D9] does not call a document whole, or empty, that waits for a part", async () => {
    const dump: RedisDump = JSON.parse(readFileSync(join(FIXTURES, "y-redis.json"), "utf8"))
    const redis = await startRedis(dump)
    const args = [redis.url, "--to", server.url, "--prefix", "half/", "--only", "notes"]
    const half = await yurt("import", "y-redis", ...args, "--verify")
    expect(half).toMatchObject({ code: 1 })
    expect(half.stderr).toContain("notes: the server does not have all of it")
    await redis.close()
  })

  it.each([
    [["sqlite", "x"], "usage"],
    [["y-sweet", "y-sweet", "--dry-run", "--versions", "some"], "usage"],
    [["y-durableobjects", "https://example.com/{id}", "--dry-run"], "usage"],
    [["y-websocket", "wss://example.com/{id}", "--dry-run", "--ids", "nowhere"], "bad-config"],
    [["folder", "nowhere", "--to", "http://127.0.0.1:1"], "bad-source"],
    [["hocuspocus-sqlite", "expected.json", "--dry-run"], "bad-source"],
    [["y-leveldb", "y-sweet", "--dry-run"], "bad-source"],
    [["y-sweet", "y-leveldb", "--dry-run"], "bad-source"],
  ])("refuses %j with a code", async (args, code) => {
    const { stderr } = await yurt("import", ...args)
    expect(stderr.split(":")[0]).toBe(code)
    expect(stderr).not.toMatch(/^ +at /m)
  })
})

it("[O1] finds nothing wrong with a server of one's own, its operator's page included", async () => {
  const { code, stdout } = await yurt("doctor", server.url)
  expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.not.stringContaining("wrong") })
  for (const says of ["The operator's page is at /admin.", "A Lookout keeps watch", "Rooms have a desk"])
    expect(stdout).toContain(says)
})

describe("yurt export, backup and restore", () => {
  // A document is listed a moment after it is written.
  beforeAll(() =>
    until(async () => {
      const { documents } = (await (await request("", {}, "")).json()) as { documents: { id: string }[] }
      const has = (prefix: string) => documents.filter(({ id }) => id.startsWith(prefix)).length
      return has("hocuspocus-sqlite/") === 4 && has("again/") === 2
    }, "what was imported is listed"),
  )

  const ID = "hocuspocus-sqlite/Müller/Angebot 3"

  it("[D3] fetches every document into a folder that is imported again, and only what has changed the next time", async () => {
    const first = await yurt("export", "--from", server.url, "--to", "out", "--only", "hocuspocus-sqlite/")
    expect(first).toMatchObject({ code: 0 })
    expect(first.stderr).toContain("4 fetched")
    const file = join(folder, "out/hocuspocus-sqlite/M%C3%BCller/Angebot%203.ydoc")
    expect(compareDocuments(fixture("Müller/Angebot 3"), readFileSync(file))).toBe("equal")
    await append(ID, "more")
    await request(ID, { method: "POST" }, "/-/flush")
    const second = await yurt("export", "--from", server.url, "--to", "out", "--only", "hocuspocus-sqlite/")
    expect(second.stderr).toMatch(/3 unchanged, 1 fetched|1 fetched, 3 unchanged/)
    // Without the list of files the names alone say which document is which.
    rmSync(join(folder, "out/yurt-documents.jsonl"))
    const back = await yurt("import", "folder", "out", "--to", server.url, "--prefix", "back/", "--verify")
    expect(back).toMatchObject({ code: 0 })
    expect(back.stderr).toContain("4 equal")
  })

  it("[D8] brings a document back as it was, and keeps what was written since where it is only merged", async () => {
    expect(await yurt("backup", "--from", server.url, "--to", "saved")).toMatchObject({ code: 0 })
    const before = await jsonOf(ID)
    await append(ID, " vandalised")
    const merged = await yurt("restore", "--from", "saved", "--to", server.url, "--only", ID, "--verify")
    expect(merged.stderr).toContain("1 contained, with more that was written here")
    expect(await jsonOf(ID)).not.toEqual(before)
    const args = ["--from", "saved", "--to", server.url, "--only", ID, "--replace", "--verify"]
    expect((await yurt("restore", ...args)).stderr).toContain("1 equal")
    expect(await jsonOf(ID)).toEqual(before)
  })

  it("[A8] drops from a backup what was deleted", async () => {
    expect((await request("again/notes", { method: "DELETE" }, "")).status).toBe(204)
    const { stderr } = await yurt("backup", "--from", server.url, "--to", "saved")
    expect(stderr).toContain("1 were deleted on the server")
    expect(readdirSync(join(folder, "saved/again"))).toEqual(["team-plan.ydoc"])
  })

  it.each([
    ["hocuspocus-sqlite", "back.sqlite"],
    ["hocuspocus-s3", "back-s3"],
    ["y-leveldb", "back-leveldb"],
    ["y-sweet", "back-sweet"],
  ])("[D3] writes the store that %s starts from, and again only what has changed", async (layout, to) => {
    const args = ["--from", server.url, "--to", to, "--layout", layout, "--prefix", "hocuspocus-sqlite/"]
    const first = await yurt("export", ...args, "--verify")
    const again = await yurt("export", ...args)
    const back = await yurt(
      "import",
      layout,
      to,
      "--to",
      server.url,
      "--prefix",
      `${layout}-back/`,
      "--verify",
    )
    if (layout === "y-sweet") {
      expect(first).toMatchObject({ code: 1 })
      expect(first.stderr).toMatch(/2 written\..*2 documents did not come.*Müller.*knows no such id/s)
      expect(back.stderr).toContain("2 equal")
      return
    }
    expect(first.stderr).toMatch(/4 written\.\n.*4 equal\./s)
    expect(again.stderr).toContain("4 unchanged")
    expect(back.stderr).toContain("4 equal")
    await append("hocuspocus-sqlite/notes", ` ${layout}`)
    await request("hocuspocus-sqlite/notes", { method: "POST" }, "/-/flush")
    expect((await yurt("export", ...args)).stderr).toMatch(/3 unchanged, 1 written|1 written, 3 unchanged/)
    rmSync(join(folder, to), { recursive: true })
    expect((await yurt("export", ...args)).stderr).toContain("4 written")
  })

  it.each([
    ["tiptap-cloud", startTiptap, { TIPTAP_TOKEN: "tiptap" }],
    ["liveblocks", startLiveblocks, { LIVEBLOCKS_SECRET_KEY: "sk_old" }],
  ])(
    "[D3] writes into %s by its REST, merges with what was written there, and says what is not there",
    async (layout, start, keys) => {
      const there = new Map<string, KeptDocument>()
      const service = await start(there)
      const args = ["--from", server.url, "--to", service.url, "--layout", layout, "--verify"]
      const run = () =>
        runYurt(["export", ...args, "--prefix", "hocuspocus-sqlite/"], {
          folder,
          env: { AUTH_SECRET: SECRET, ...keys },
        })
      expect((await run()).stderr).toMatch(/4 written\.\n.*4 equal\./s)
      const before = there.get("notes")!
      const doc = new Y.Doc()
      Y.applyUpdate(doc, before.now)
      doc.getText("there").insert(0, "typed there")
      there.set("notes", { now: Y.encodeStateAsUpdate(doc), versions: [] })
      await append("hocuspocus-sqlite/notes", ` ${layout}`)
      await request("hocuspocus-sqlite/notes", { method: "POST" }, "/-/flush")
      const again = await run()
      expect(again.stderr).toMatch(/(3 unchanged, 1 written|1 written, 3 unchanged)\./)
      expect(again.stderr).toMatch(/3 equal/)
      expect(again.stderr).toMatch(/1 contained, with more that was written there/)
      // The service was set back, which no journal here can know.
      there.set("notes", before)
      const setBack = await run()
      expect(setBack).toMatchObject({ code: 1 })
      expect(setBack.stderr).toMatch(/4 unchanged.*notes: not all of it is there/s)
      there.clear()
      expect((await run()).stderr).toMatch(/4 written\.\n.*4 equal\./s)
      const refused = await yurt("export", ...args)
      expect(refused.stderr).toMatch(/^bad-config: (TIPTAP_TOKEN|LIVEBLOCKS_SECRET_KEY)/m)
      await service.close()
    },
  )

  it("makes documents of JSON, once", async () => {
    const roots = { title: "Plan", tasks: [{ name: "a", done: false }, ["x"]], meta: { by: { name: "Ada" } } }
    appendFileSync(join(folder, "out/from-json.json"), JSON.stringify(roots))
    const args = ["import", "folder", "out", "--to", server.url, "--only", "from-json"]
    expect((await yurt(...args, "--journal", "one.jsonl")).stderr).toContain("1 brought")
    expect(await jsonOf("from-json")).toEqual(roots)
    expect((await yurt(...args, "--journal", "two.jsonl")).stderr).toContain("1 there already, and left")
    expect(await jsonOf("from-json")).toEqual(roots)
  })

  it("says who is not there, and what is not allowed", async () => {
    const away = await yurt("export", "--from", "http://127.0.0.1:1", "--to", "x", "--token", "a.b.c")
    expect(away.stderr).toMatch(/^unreachable: http:\/\/127\.0\.0\.1:1 does not answer/m)
    const token = await mintToken(
      { subject: "reader", docs: [{ id: "*", rights: "read" }] },
      { secret: SECRET },
    )
    const refused = await yurt("export", "--from", server.url, "--to", "x", "--token", token)
    expect(refused.stderr).toMatch(/^refused: \/docs\?limit=1000: 403 forbidden/m)
    for (const extra of [
      ["--layout", "floppy"],
      ["--layout", "y-sweet", "--format", "json"],
    ])
      expect((await yurt("export", "--from", server.url, "--to", "x", ...extra)).stderr).toMatch(
        /^usage: --layout/,
      )
  })
})
