/** What a new document begins with: the hook `seed` of a subclass. */
import { env, exports } from "cloudflare:workers"
import { beforeEach, describe, expect, it } from "vitest"
import * as Y from "yjs"
import { SyncError } from "../../src/errors.ts"
import type { Seed } from "../../src/room/seed.ts"
import { encodeGrant, GRANT_HEADER, unwrap } from "../../src/rpc.ts"
import { freshId, TestRoom, until, WRITER } from "./vocabulary.ts"
import { faults, type Room, seeding } from "./worker.ts"

// reason: a subclass has all that the verbs ask of a room
const rooms = env.Seeded as DurableObjectNamespace<Room>

beforeEach(() => {
  seeding.asked = []
  seeding.give = () => ({ text: "seeded" })
  faults.failures = 0
  faults.hanging = null
})

/** The name of a new document of this party. */
const newName = () => `/seeded/${freshId()}`

const newRoom = () => new TestRoom(newName(), rooms)

const ask = (name: string, init: RequestInit = {}, query = "") =>
  exports.default.fetch(new Request(`http://localhost/parties${name}${query}`, init))

const exported = async (id: string, format: string) => (await ask(id, {}, `?format=${format}`)).text()

const patch = (id: string, body: unknown, headers: Record<string, string> = {}) =>
  ask(id, {
    ...{ method: "PATCH", body: JSON.stringify(body) },
    headers: { "content-type": "application/json-patch+json", ...headers },
  })

/** An update of a new client. */
function updateOf(text: string): Uint8Array<ArrayBuffer> {
  const doc = new Y.Doc()
  doc.getText("text").insert(0, text)
  return new Uint8Array(Y.encodeStateAsUpdate(doc))
}

describe("a new document", () => {
  it("[D11] begins once, however many enter it and change it at the same moment", async () => {
    const room = newRoom()
    await Promise.all([
      ...Array.from({ length: 10 }, () => room.join()),
      unwrap(room.stub.tool("read", {}, { ...WRITER, subject: "kim", agent: "Scribe" }, null)),
      patch(room.id, [{ op: "add", path: "/settings/n", value: 1 }]),
      room.edit((doc) => doc.getMap("settings").set("m", 2)),
    ])
    expect(seeding.asked).toEqual([room.id])
    for (const who of room.visitors.keys()) await room.reads(who, "seeded")
    await room.join()
    await room.evict()
    await room.join()
    expect(seeding.asked).toEqual([room.id])
    expect(JSON.parse(await exported(room.id, "json"))).toEqual({
      settings: { m: 2, n: 1 },
      text: "seeded",
    })
  })

  const update = updateOf("an update")
  const kinds: [string, Seed, format: string, expected: string][] = [
    ["an update", update, "text", "an update"],
    ["what a function writes", (doc) => doc.getText("text").insert(0, "written"), "text", "written"],
    ["all roots in JSON", { json: { list: [1], text: "a" } }, "json", '{"list":[1],"text":"a"}'],
    ["one root in JSON", { json: [{ insert: "b\n" }], root: "quill" }, "json", '{"quill":"b\\n"}'],
    ["Markdown for Tiptap", { markdown: "# A\n\n- b", editor: "tiptap" }, "markdown", "# A\n\n- b\n"],
    ["Markdown for BlockNote", { markdown: "# A\n\n- b", editor: "blocknote" }, "markdown", "# A\n\n- b\n"],
    ["Markdown for Lexical", { markdown: "# A\n\n- b", editor: "lexical" }, "markdown", "# A\n\n- b\n"],
    ["Markdown for a text, as it is", { markdown: "# A", root: "monaco" }, "json", '{"monaco":"# A"}'],
    ["HTML", { html: "<h2>A</h2>" }, "markdown", "## A\n"],
    ["lines", { text: "a\nb", editor: "prosemirror" }, "text", "a\nb"],
  ]
  it.each(kinds)("[D11] begins with %s", async (_, seed, format, expected) => {
    seeding.give = async () => seed
    const room = newRoom()
    await room.join()
    expect(await exported(room.id, format)).toBe(expected)
  })

  it("begins empty where the hook says so, and asks it no more while somebody is there", async () => {
    seeding.give = () => null
    const room = newRoom()
    await room.join()
    await room.join()
    expect([seeding.asked.length, await room.status()]).toEqual([1, null])
    room.type(0, "typed")
    await room.reads(1, "typed")
  })

  it("[D11] lets nobody in and holds nothing while the hook fails, and asks it again", async () => {
    const room = newRoom()
    const failures: [give: () => Seed | Promise<Seed>, code: string, message: string][] = [
      [() => Promise.reject(new Error("secret of the database")), "unavailable", "asking for it failed"],
      [() => new Promise(() => {}), "unavailable", "nothing came within 200 ms"],
      [() => new Uint8Array([1, 2, 3]), "unavailable", "2 structs in 1 bytes at byte 1"],
      [
        () => Uint8Array.fromHex("01014d00010101740000"),
        "unavailable",
        "zero-length deleted content at byte 4",
      ],
      [() => ({ markdown: "x".repeat(600_000) }), "unavailable", "at most 524288"],
      // reason: what a subclass in JavaScript may give
      [() => ({ text: "a", editor: "word" as "text" }), "unavailable", 'There is no editor "word"'],
      [() => ({ json: "a string is not all roots" }), "unavailable", "cannot begin"],
      [() => Promise.reject(new SyncError("forbidden", "Not in this project")), "forbidden", "Not in this"],
    ]
    // What was typed on top of something that is not in it.
    const whole = new Y.Doc()
    whole.getText("text").insert(0, "one")
    const before = Y.encodeStateVector(whole)
    whole.getText("text").insert(3, "two")
    failures.push([() => Y.encodeStateAsUpdate(whole, before), "unavailable", "builds on something"])
    for (const [give, error, message] of failures) {
      seeding.give = give
      const answers = await Promise.all([room.knock(), patch(room.id, []), room.knock()])
      for (const answer of answers) {
        expect([answer.status, await answer.json()]).toEqual([
          error === "forbidden" ? 403 : 503,
          { error, message: expect.stringContaining(message) },
        ])
      }
    }
    expect(seeding.asked).toHaveLength(failures.length)
    expect([await room.status(), await room.connections()]).toEqual([null, 0])
    seeding.give = () => ({ text: "mended" })
    await room.join()
    await room.reads(0, "mended")
  })

  it("is not made by who asks for it, and not by who has not said yet who they are", async () => {
    const room = newRoom()
    expect((await ask(room.id)).status).toBe(404)
    expect(await room.status()).toBe(null)
    expect((await ask(room.id, { method: "DELETE" })).status).toBe(404)
    for (const tool of ["read", "search", "outline", "who", "history"]) {
      const body = JSON.stringify({ query: "a", what: "versions" })
      await ask(`${room.id}/-/tools/${tool}`, { method: "POST", body })
    }
    expect(await room.status()).toBe(null)
    const stranger = await room.stub.fetch(`http://localhost/docs/${room.id}`, {
      headers: { Upgrade: "websocket", [GRANT_HEADER]: encodeGrant(null) },
    })
    expect(stranger.status).toBe(101)
    stranger.webSocket!.accept()
    stranger.webSocket!.close()
    expect(seeding.asked).toEqual([])
  })

  it("is what somebody brings, by PUT, by bytes, and by If-None-Match", async () => {
    const put = { method: "PUT", body: "mine", headers: { "content-type": "text/plain" } }
    const bytes = { method: "PATCH", body: updateOf("mine") }
    for (const init of [put, { ...put, headers: { ...put.headers, "if-none-match": "*" } }, bytes]) {
      const room = newRoom()
      expect((await ask(room.id, init)).ok).toBe(true)
      await room.join()
      await room.reads(0, "mine")
    }
    const id = newName()
    const change = [{ op: "add", path: "/text", value: "mine" }]
    expect((await patch(id, change, { "if-none-match": "*" })).ok).toBe(true)
    expect((await patch(id, change, { "if-none-match": "*" })).status).toBe(412)
    expect([await exported(id, "text"), seeding.asked]).toEqual(["mine", []])
  })

  it("[D11] is what somebody brought while the hook was asked", async () => {
    let late: Seed | null = null
    seeding.give = async () => {
      await until(() => late !== null, "the hook may answer")
      return late
    }
    const room = newRoom()
    const joined = room.join()
    await until(() => seeding.asked.length === 1, "the hook is asked")
    await ask(room.id, { method: "PATCH", body: updateOf("brought") })
    late = { text: "late" }
    await joined
    await room.reads(0, "brought")
  })
})

describe("with an archive", () => {
  const archives = (room: TestRoom) =>
    until(async () => ((await room.status())?.archivedRevision ?? 0) > 0, "the archive has it")

  it("[A9] is asked for only once the archive has said that it has nothing", async () => {
    const room = newRoom()
    const knocked = await faults.while(() => room.knock())
    expect(await knocked.json()).toMatchObject({ error: "archive-unavailable" })
    expect(seeding.asked).toEqual([])
    await room.join()
    room.type(0, ", and written on")
    await room.saves(0)
    await room.leave(0)
    await until(async () => {
      const { archivedRevision, revision } = (await room.status())!
      return archivedRevision === revision
    }, "the archive has all")
    await room.wipe()
    await room.join()
    await room.reads(1, "seeded, and written on")
    expect(seeding.asked).toEqual([room.id])
  })

  const markdown = "# Once\n\n- only"
  it.each<[string, Seed]>([
    ...(["tiptap", "blocknote", "lexical", "text"] as const).map((editor): [string, Seed] => [
      `of ${editor}`,
      { markdown, editor },
    ]),
    ["of a function", (doc) => doc.getMap("map").set("k", new Y.Text("only"))],
  ])(
    "[A10] a room that lost all begins with the same update, which merges with what visitors %s still have",
    async (_, seed) => {
      seeding.give = () => seed
      const room = newRoom()
      await room.join()
      const before = await exported(room.id, "json")
      await room.wipe()
      await env.DB.prepare("DELETE FROM yurt_documents WHERE id = ?").bind(room.id).run()
      await room.join()
      await room.rejoin(0)
      await room.converges()
      expect([seeding.asked.length, await exported(room.id, "json")]).toEqual([2, before])
    },
  )

  it("[D8] does not begin a document again that was deleted, also where only the archive knows", async () => {
    const room = newRoom()
    await room.join()
    await archives(room)
    expect(await room.remove()).toBe(true)
    await room.join()
    expect([room.text(1), await room.status()]).toEqual(["", null])
    await room.wipe()
    await room.join()
    expect([room.text(2), await room.status(), seeding.asked.length]).toEqual(["", null, 1])
    // Who creates it anew brings its content.
    await ask(room.id, { method: "PUT", body: "anew", headers: { "content-type": "text/plain" } })
    await room.reads(2, "anew")
  })
})
