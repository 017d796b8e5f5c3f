/** Changes by programs: PATCH in JSON, and PUT. */
import { exports } from "cloudflare:workers"
import { describe, expect, it } from "vitest"
import * as Y from "yjs"
import { unwrap } from "../../src/rpc.ts"
import { freshId, openRoom, type TestRoom, WRITER } from "./vocabulary.ts"

const JSON_PATCH = "application/json-patch+json"
const MERGE_PATCH = "application/merge-patch+json"

interface Answered {
  readonly status: number
  readonly body: { readonly revision?: number; readonly error?: string; readonly message?: string }
}

async function ask(
  path: string,
  {
    method,
    type,
    body,
    headers = {},
  }: { method: string; type: string; body: unknown; headers?: HeadersInit | undefined },
): Promise<Answered> {
  const request = new Request(`http://localhost/docs/${path}`, {
    method,
    body: typeof body === "string" ? body : JSON.stringify(body),
    headers: { ...Object.fromEntries(new Headers(headers)), "content-type": type },
  })
  const response = await exports.default.fetch(request)
  return { status: response.status, body: (await response.json()) as Answered["body"] }
}

const patch = (id: string, body: unknown, headers?: HeadersInit) =>
  ask(id, { method: "PATCH", type: JSON_PATCH, body, headers })
const put = (id: string, body: unknown, type = "application/json", headers?: HeadersInit) =>
  ask(id, { method: "PUT", type, body, headers })

async function json(id: string): Promise<unknown> {
  return (await exports.default.fetch(`http://localhost/docs/${id}?format=json`)).json()
}

const tag = async (id: string) =>
  (await exports.default.fetch(`http://localhost/docs/${id}?format=json`)).headers.get("etag")!

async function openWith(text: string): Promise<TestRoom> {
  const room = await openRoom({ peers: 2 })
  room.type(0, text)
  await room.saves(0)
  return room
}

describe("PATCH in JSON", () => {
  it("[G1] merges with what people type, who see it", async () => {
    const room = await openWith("Hello, world")
    const answered = await patch(room.id, [
      { op: "text", path: "/text", index: 5, insert: " wide" },
      { op: "add", path: "/settings/title", value: "A paper" },
    ])
    expect(answered).toEqual({ status: 200, body: { revision: expect.any(Number) } })
    room.type(1, "!")
    await room.reads(0, "Hello wide, world!")
    await room.converges()
    expect(await json(room.id)).toEqual({ settings: { title: "A paper" }, text: "Hello wide, world!" })
  })

  it("is all or nothing, and says what stood there", async () => {
    const room = await openWith("one")
    const before = (await room.status())!.revision
    const answered = await patch(room.id, [
      { op: "add", path: "/settings/title", value: "lost" },
      { op: "test", path: "/text", value: "two" },
    ])
    expect(answered).toEqual({
      status: 409,
      body: { error: "test-failed", message: 'Operation 1 ("test" "/text"): there is "one", not "two"' },
    })
    expect((await patch(room.id, [{ op: "remove", path: "/nope/a" }])).status).toBe(422)
    expect(await json(room.id)).toEqual({ text: "one" })
    expect((await room.status())!.revision).toBe(before)
  })

  it("a refused test costs the room no document", async () => {
    const room = await openWith("one")
    await json(room.id)
    const hydrations = await room.happened("hydrated")
    for (let i = 0; i < 3; i++) await patch(room.id, [{ op: "test", path: "/text", value: "two" }])
    expect(await room.happened("hydrated")).toBe(hydrations)
  })

  it("merges a merge patch", async () => {
    const id = freshId()
    await put(id, { settings: { title: "A", dark: true } })
    const answered = await ask(id, {
      method: "PATCH",
      type: `${MERGE_PATCH}; charset=utf-8`,
      body: { settings: { dark: null, size: 2 }, notes: "new" },
    })
    expect(answered.status).toBe(200)
    expect(await json(id)).toEqual({ notes: "new", settings: { size: 2, title: "A" } })
  })

  it("judges If-Match in the turn of the commit, by any tag of the revision", async () => {
    const room = await openWith("one")
    const before = await tag(room.id)
    const change = [{ op: "add", path: "/settings/n", value: 1 }]
    expect((await patch(room.id, change, { "if-match": before })).status).toBe(200)
    expect((await patch(room.id, change, { "if-match": before })).status).toBe(412)
    // Two at once: the second finds what the first has made.
    const now = await tag(room.id)
    const [one, other] = await Promise.all(
      [2, 3].map((n) =>
        patch(room.id, [{ op: "replace", path: "/settings/n", value: n }], { "if-match": now }),
      ),
    )
    expect([one!.status, other!.status].sort()).toEqual([200, 412])
  })

  it("[G1] takes the difference to what the caller had read, so that a stale read deletes nobody's words", async () => {
    const room = await openWith("one two three")
    const read = (await room.status())!.revision
    room.type(0, " four")
    await room.saves(0)
    const at = (base: unknown, text: string) => put(`${room.id}?base=${base}&root=text`, JSON.stringify(text))
    expect((await at(read, "one 2 three")).status).toBe(200)
    await room.reads(0, "one 2 three four")
    await patch(`${room.id}?base=${read}`, [{ op: "text", path: "/text", index: 0, insert: "zero " }])
    await room.reads(1, "zero one 2 three four")
    expect((await at((await room.status())!.revision, "all new")).status).toBe(200)
    await room.reads(0, "all new")
    expect((await at("x", "")).status).toBe(400)
    expect((await at(99_999, "")).status).toBe(404)
  })

  it("[D1] is durable when it is answered", async () => {
    const id = freshId()
    await patch(id, [{ op: "add", path: "/list/-", value: 1 }])
    const room = await openRoom({ id })
    await room.evict()
    expect(await json(id)).toEqual({ list: [1] })
  })

  it("[R2] changes no root but those of the token", async () => {
    const room = await openWith("one")
    const change = (operations: unknown) =>
      unwrap(
        room.stub.change(
          {
            ...{
              how: "json-patch",
              format: "json",
              root: null,
              editor: null,
              nested: null,
              base: null,
              blocks: null,
            },
            body: new TextEncoder().encode(JSON.stringify(operations)),
          } as const,
          { ...WRITER, subject: "ada", roots: ["notes"] },
          { ifMatch: null, ifNoneMatch: null },
        ),
      )
    await expect(change([{ op: "replace", path: "/text", value: "mine" }])).rejects.toMatchObject({
      code: "forbidden",
    })
    await expect(change([{ op: "move", from: "/text", path: "/notes" }])).rejects.toMatchObject({
      code: "forbidden",
    })
    await expect(change([{ op: "replace", path: "", value: { notes: "x" } }])).rejects.toMatchObject({
      code: "forbidden",
    })
    await change([{ op: "add", path: "/notes", value: "mine" }])
    expect(await json(room.id)).toEqual({ notes: "mine", text: "one" })
  })

  it("[W3] is held to the limits of an update", async () => {
    const room = await openWith("one")
    const deep = `${'{"a":'.repeat(100)}1${"}".repeat(100)}`
    const bodies: [string, number, string][] = [
      ["no JSON", 400, "bad-request"],
      [`[{"op":"add","path":"/map/__proto__","value":1}]`, 422, "bad-update"],
      [`[{"op":"add","path":"/map/a","value":{"__proto__":1}}]`, 400, "bad-request"],
      [`[{"op":"add","path":"/__proto__","value":"text"}]`, 422, "bad-update"],
      [`[{"op":"add","path":"/map/${"k".repeat(5_000)}","value":1}]`, 422, "bad-update"],
      [`[{"op":"add","path":"${"/a".repeat(1_000)}","value":1}]`, 400, "bad-request"],
      [`${"[".repeat(1_000)}${"]".repeat(1_000)}`, 400, "bad-request"],
      [JSON.stringify(new Array(1_001).fill({ op: "test", path: "", value: {} })), 413, "too-large"],
    ]
    for (const [body, status, error] of bodies)
      expect([body.slice(0, 40), await patch(room.id, body)]).toEqual([
        body.slice(0, 40),
        { status, body: { error, message: expect.any(String) } },
      ])
    expect(
      (await patch(`${room.id}?nested=plain`, `[{"op":"add","path":"/map/a","value":${deep}}]`)).status,
    ).toBe(422)
    expect((await patch(room.id, "x".repeat(5_000_000))).status).toBe(413)
    expect((await ask(room.id, { method: "PATCH", type: "application/xml", body: "<a/>" })).status).toBe(415)
    room.type(1, " more")
    await room.reads(0, "one more")
    expect(await json(room.id)).toEqual({ text: "one more" })
  })
})

describe("PUT", () => {
  it("creates once, and replaces by difference", async () => {
    const id = freshId()
    const create = () => put(id, { text: "one two three" }, "application/json", { "if-none-match": "*" })
    expect([(await create()).status, (await create()).status]).toEqual([201, 412])
    const room = await openRoom({ peers: 1, id })
    await room.reads(0, "one two three")
    const marker = Y.createRelativePositionFromTypeIndex(room.visitors[0]!.doc.getText("text"), 8)
    expect((await put(id, { text: "zero one two three", list: [1] })).status).toBe(200)
    await room.reads(0, "zero one two three")
    const { doc } = room.visitors[0]!
    expect(Y.createAbsolutePositionFromRelativePosition(marker, doc)!.index).toBe(13)
    expect((await put(id, { list: [1] })).status).toBe(200)
    await room.reads(0, "")
  })

  it("begins a document from text, Markdown or HTML, for an editor", async () => {
    const cases: [query: string, type: string, body: string, expected: unknown][] = [
      ["", "text/plain", "a\nb", { text: "a\nb" }],
      ["", "text/markdown", "# A *b*", { text: "# A *b*" }],
      ["?root=notes", "text/markdown", "# A", { notes: "# A" }],
      ["?editor=tiptap", "text/markdown", "# A", { default: { type: "doc", content: [heading("A")] } }],
      ["", "text/html", "<h1>A</h1>", { default: { type: "doc", content: [heading("A")] } }],
      [
        "?editor=prosemirror&root=p",
        "text/html",
        "<h1>A</h1>",
        { p: { type: "doc", content: [heading("A")] } },
      ],
      [
        "?editor=lexical",
        "text/markdown",
        "# A",
        { root: { type: "root", children: [expect.objectContaining({ type: "heading", tag: "h1" })] } },
      ],
    ]
    for (const [query, type, body, expected] of cases) {
      const id = freshId()
      expect((await put(`${id}${query}`, body, type)).status).toBe(201)
      expect(await json(id)).toEqual(expected)
    }
  })

  it("writes for the editor that is there", async () => {
    const id = freshId()
    await put(`${id}?editor=lexical`, "# A", "text/markdown")
    expect((await put(id, "# A\n\nmore", "text/markdown")).status).toBe(200)
    expect(await (await exports.default.fetch(`http://localhost/docs/${id}?format=markdown`)).text()).toBe(
      "# A\n\nmore\n",
    )
  })

  it("refuses what it cannot read", async () => {
    const id = freshId()
    const cases: [query: string, type: string, body: string, status: number][] = [
      ["", "application/json", "[1]", 422],
      ["", "application/json", "{", 400],
      ["?root=a", "application/json", "1", 422],
      ["?editor=word", "text/markdown", "# A", 400],
      ["?nested=no", "application/json", "{}", 400],
      ["", "application/octet-stream", "x", 415],
      ["", "text/html", "x".repeat(600_000), 413],
      ["", "text/markdown", ">".repeat(1_000), 400],
    ]
    for (const [query, type, body, status] of cases)
      expect([query, body.slice(0, 20), (await put(`${id}${query}`, body, type)).status]).toEqual([
        query,
        body.slice(0, 20),
        status,
      ])
    expect((await exports.default.fetch(`http://localhost/docs/${id}`)).status).toBe(404)
  })
})

function heading(text: string): object {
  return { type: "heading", attrs: { level: 1 }, content: [{ type: "text", text }] }
}
