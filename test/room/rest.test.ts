import { env, exports } from "cloudflare:workers"
import { SignJWT } from "jose"
import { describe, expect, it } from "vitest"
import * as Y from "yjs"
import { routeDocuments } from "../../src/http/routes.ts"
import { encodeGrant, GRANT_HEADER } from "../../src/rpc.ts"
import { freshId, openRoom, type TestRoom, until, WRITER } from "./vocabulary.ts"

declare global {
  namespace Cloudflare {
    interface GlobalProps {
      /** What `exports` holds. */
      mainModule: typeof import("./worker.ts")
    }
  }
}

/** Ask the Worker, as anybody on this machine would. */
function ask(path: string, init?: RequestInit): Promise<Response> {
  return exports.default.fetch(new Request(`http://localhost${path}`, init))
}

/** The update of a document in which somebody wrote this text. */
function writing(text: string): Uint8Array {
  const doc = new Y.Doc()
  doc.getText("text").insert(0, text)
  return Y.encodeStateAsUpdate(doc)
}

const patch = (id: string, body: BodyInit) =>
  ask(`/docs/${encodeURIComponent(id)}`, { method: "PATCH", body })

async function openWith(text: string): Promise<TestRoom> {
  const room = await openRoom({ peers: 1, ours: true })
  room.type(0, text)
  await room.saves(0)
  return room
}

describe("GET", () => {
  it("gives the document in every format", async () => {
    const { id } = await openWith("# Hello <all>")
    const expected: [query: string, type: string, body: string][] = [
      ["?format=json", "application/json", '{"text":"# Hello <all>"}'],
      ["?format=json&root=text", "application/json", '"# Hello <all>"'],
      ["?format=text", "text/plain;charset=utf-8", "# Hello <all>"],
      ["?format=markdown", "text/markdown;charset=utf-8", "# Hello <all>"],
    ]
    for (const [query, type, body] of expected) {
      const response = await ask(`/docs/${id}${query}`)
      expect(response.headers.get("content-type")).toBe(type)
      expect(await response.text()).toBe(body)
    }
    const html = await ask(`/docs/${id}`, { headers: { accept: "text/html,*/*;q=0.8" } })
    expect(await html.text()).toContain("# Hello &lt;all&gt;")
    expect(html.headers.get("content-security-policy")).toMatch("default-src 'none'")
    expect(html.headers.get("vary")).toMatch("Accept")
    const update = await ask(`/docs/${id}`)
    expect(update.headers.get("content-type")).toBe("application/octet-stream")
    const doc = new Y.Doc()
    Y.applyUpdate(doc, new Uint8Array(await update.arrayBuffer()))
    expect(doc.getText("text").toString()).toBe("# Hello <all>")
    const vector = await ask(`/docs/${id}?format=state-vector`)
    expect(new Uint8Array(await vector.arrayBuffer())).toEqual(Y.encodeStateVector(doc))
  })

  it("shows what editors see, before it is archived", async () => {
    const room = await openRoom({ peers: 2 })
    room.type(0, "now")
    await room.reads(1, "now")
    expect(await (await ask(`/docs/${room.id}?format=text`)).text()).toBe("now")
  })

  it("answers 304 until the document changes, for each format apart", async () => {
    const room = await openWith("one")
    const first = await ask(`/docs/${room.id}?format=text`)
    const etag = first.headers.get("etag")!
    expect(etag).toMatch(/^"[^"]+"$/)
    const again = (format: string, ifNoneMatch: string) =>
      ask(`/docs/${room.id}?format=${format}`, { headers: { "if-none-match": ifNoneMatch } })
    for (const header of [etag, `W/${etag}`, `"other", ${etag}`, "*"]) {
      const response = await again("text", header)
      expect([response.status, await response.text(), response.headers.get("etag")]).toEqual([304, "", etag])
    }
    expect((await again("json", etag)).status).toBe(200)
    room.type(0, " two")
    await room.saves(0)
    const changed = await again("text", etag)
    expect([changed.status, await changed.text()]).toEqual([200, "one two"])
  })

  it("has another ETag for a document deleted and made again", async () => {
    const id = freshId()
    await patch(id, writing("first"))
    const before = (await ask(`/docs/${id}`)).headers.get("etag")!
    await ask(`/docs/${id}`, { method: "DELETE" })
    await patch(id, writing("second"))
    const after = await ask(`/docs/${id}`, { headers: { "if-none-match": before } })
    expect(after.status).toBe(200)
    expect(after.headers.get("etag")).not.toBe(before)
  })

  it("answers 404 where no document is, and makes none by asking", async () => {
    const id = freshId()
    for (const path of [`/docs/${id}`, `/docs/${id}?format=json`, `/docs/${id}/-/status`]) {
      const response = await ask(path)
      expect([response.status, await response.json()]).toMatchObject([404, { error: "not-found" }])
    }
    expect((await ask(`/docs/${id}`, { method: "DELETE" })).status).toBe(404)
    expect((await ask(`/docs/${id}`)).status).toBe(404)
  })

  it("says which roots there are, and which formats", async () => {
    const { id } = await openWith("x")
    const missing = await ask(`/docs/${id}?format=json&root=nope`)
    expect([missing.status, await missing.json()]).toEqual([
      404,
      { error: "not-found", message: 'No root "nope" in this document; it has "text".' },
    ])
    const drawing = await ask(`/docs/${id}?format=svg`)
    expect([drawing.status, (await drawing.json()) as object]).toEqual([
      400,
      expect.objectContaining({ message: expect.stringContaining("known: update, state-vector, json") }),
    ])
  })

  it("gives a document larger than an answer of RPC can be", async () => {
    const id = freshId()
    for (let i = 0; i < 2; i++) expect((await patch(id, writing("x".repeat(17_000_000)))).status).toBe(200)
    const update = await ask(`/docs/${id}`)
    expect([update.status, (await update.arrayBuffer()).byteLength]).toEqual([
      200,
      expect.closeTo(34_000_000, -3),
    ])
    const text = await ask(`/docs/${id}?format=text`)
    expect([text.status, (await text.arrayBuffer()).byteLength]).toEqual([200, 34_000_000])
    expect((await ask(`/docs/${id}`, { method: "HEAD" })).status).toBe(200)
  })

  it("HEAD has the same headers and no body", async () => {
    const { id } = await openWith("x")
    const get = await ask(`/docs/${id}?format=json`)
    const head = await ask(`/docs/${id}?format=json`, { method: "HEAD" })
    for (const name of ["etag", "content-type", "cache-control"]) {
      expect(head.headers.get(name), name).toBe(get.headers.get(name))
    }
    expect([head.status, await head.text()]).toEqual([200, ""])
  })
})

describe("PATCH", () => {
  it("makes a document, merges, and is idempotent; editors see it", async () => {
    const id = freshId()
    const update = writing("from REST")
    const first = await patch(id, update)
    expect([first.status, await first.json()]).toEqual([200, { revision: expect.any(Number) }])
    await patch(id, update)
    const room = await openRoom({ peers: 1, id })
    await room.reads(0, "from REST")
    const state = new Y.Doc()
    Y.applyUpdate(state, Y.encodeStateAsUpdate(room.visitors[0]!.doc))
    state.getText("text").insert(0, "more ")
    await patch(id, Y.encodeStateAsUpdate(state))
    await room.reads(0, "more from REST")
  })

  it("[D1] answers only when it is durable", async () => {
    const id = freshId()
    await patch(id, writing("kept"))
    const room = await openRoom({ id })
    await room.evict()
    expect(await (await ask(`/docs/${id}?format=text`)).text()).toBe("kept")
  })

  it("[W3] refuses what is no safe update, and leaves the document as it is", async () => {
    const room = await openWith("honest")
    const bodies = [
      new Uint8Array(),
      new TextEncoder().encode("not an update"),
      new Uint8Array([1, 1, 77, 0, 1, 1, 1, 116, 0, 0]),
      writing("x").slice(0, -3),
    ]
    for (const body of bodies) {
      const response = await patch(room.id, body)
      expect([response.status, await response.json()]).toMatchObject([422, { error: "bad-update" }])
    }
    expect(await (await ask(`/docs/${room.id}?format=text`)).text()).toBe("honest")
  })

  it("refuses a body that is too large, with or without Content-Length", async () => {
    const id = freshId()
    const chunk = new Uint8Array(1 << 20)
    let left = 27
    const stream = new ReadableStream({
      pull(controller) {
        if (left-- > 0) controller.enqueue(chunk)
        else controller.close()
      },
    })
    expect((await patch(id, stream)).status).toBe(413)
    expect((await patch(id, new Uint8Array(27 << 20))).status).toBe(413)
    expect((await ask(`/docs/${id}`)).status).toBe(404)
  })
})

describe("DELETE", () => {
  it("closes sockets with 4404 and leaves nothing", async () => {
    const room = await openWith("soon gone")
    const response = await ask(`/docs/${room.id}`, { method: "DELETE" })
    expect([response.status, await response.text()]).toEqual([204, ""])
    expect((await room.closing(0)).code).toBe(4404)
    expect((await ask(`/docs/${room.id}`)).status).toBe(404)
    expect((await ask(`/docs/${room.id}/-/status`)).status).toBe(404)
  })
})

describe("the other resources", () => {
  it("status says what the room knows", async () => {
    const room = await openWith("x")
    const response = await ask(`/docs/${room.id}/-/status`)
    expect(await response.json()).toMatchObject({
      connections: 1,
      revision: expect.any(Number),
      bytes: expect.any(Number),
      logRows: expect.any(Number),
      archiveError: null,
      quarantined: 0,
    })
  })

  it("an id with a slash is one document for a socket, a request and its status", async () => {
    const id = `team/${freshId()}`
    const response = await ask(`/docs/${id}`, { headers: { upgrade: "websocket" } })
    expect(response.status).toBe(101)
    response.webSocket!.accept()
    await patch(id, writing("slash"))
    expect(await (await ask(`/docs/${encodeURIComponent(id)}?format=text`)).text()).toBe("slash")
    expect((await ask(`/docs/${encodeURIComponent(id)}/-/status`)).status).toBe(200)
    response.webSocket!.close()
  })

  it("a socket's subprotocol is echoed when it is yurt, and no other", async () => {
    const upgrade = async (protocols: Record<string, string>) => {
      const headers = { upgrade: "websocket", ...protocols }
      const response = await ask(`/docs/${freshId()}`, { headers })
      response.webSocket!.accept()
      response.webSocket!.close()
      return response.headers.get("sec-websocket-protocol")
    }
    expect(await upgrade({ "sec-websocket-protocol": "yurt, a.b.c" })).toBe("yurt")
    expect(await upgrade({})).toBeNull()
  })

  it("a party is another class of rooms, and POST is its hook", async () => {
    const id = freshId()
    const raise = () => ask(`/parties/counter/${id}`, { method: "POST" })
    expect(await (await raise()).json()).toEqual({ n: 1 })
    expect(await (await raise()).json()).toEqual({ n: 2 })
    expect(await (await ask(`/parties/counter/${id}?format=json`)).json()).toEqual({ counter: { n: 2 } })
    expect((await ask(`/docs/${id}`)).status).toBe(404)
  })

  it("the index lists what the archive holds, page by page", async () => {
    const prefix = freshId()
    const ids = ["a", "b", "c"].map((name) => `${prefix}:${name}`)
    for (const id of ids) await patch(id, writing(id))
    const listed = async () => {
      const found: string[] = []
      let cursor: string | null = null
      do {
        const query: string = cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`
        const response = await ask(`/docs?limit=2${query}`)
        const page = (await response.json()) as { documents: { id: string }[]; cursor: string | null }
        expect(page.documents.length).toBeLessThanOrEqual(2)
        found.push(...page.documents.map(({ id }) => id))
        cursor = page.cursor
      } while (cursor !== null)
      return found.filter((id) => id.startsWith(prefix))
    }
    await until(async () => (await listed()).length === 3, "the index has all three")
    expect(await listed()).toEqual(ids)
    await ask(`/docs/${encodeURIComponent(ids[1]!)}`, { method: "DELETE" })
    expect(await listed()).toEqual([ids[0], ids[2]])
  })

  it("a client can't pass itself off as the Worker", async () => {
    const [room, other] = [await openWith("mine"), await openWith("another's")]
    const secret = "a secret of more than thirty-two bytes, for tests only"
    const docs = [{ id: room.id, rights: "read" }]
    const token = await new SignJWT({ docs })
      .setProtectedHeader({ alg: "HS256" })
      .setSubject("reader")
      .setAudience("yurt")
      .setExpirationTime("1h")
      .sign(new TextEncoder().encode(secret))
    // What the Worker tells a room; and by which name partyserver would know the other one.
    const forged = { [GRANT_HEADER]: encodeGrant(WRITER), "x-partykit-room": other.id }
    const asReader = (method: string, bearer: string | null = token) => {
      const headers = { ...forged, ...(bearer !== null && { authorization: `Bearer ${bearer}` }) }
      const request = new Request(`http://localhost/docs/${room.id}?format=text`, {
        ...{ method, headers },
        ...(method === "PATCH" && { body: writing("forged") }),
      })
      return routeDocuments(request, { ...env, AUTH_SECRET: secret })
    }
    const read = await asReader("GET")
    expect([read.status, await read.text()]).toEqual([200, "mine"])
    expect((await asReader("PATCH")).status).toBe(403)
    expect((await asReader("DELETE")).status).toBe(403)
    expect((await asReader("GET", null)).status).toBe(401)
    expect(await (await ask(`/docs/${room.id}?format=text`)).text()).toBe("mine")
  })
})

describe("the past", () => {
  const body = (value: unknown): RequestInit => ({ method: "POST", body: JSON.stringify(value) })
  const json = async (path: string, init?: RequestInit) =>
    (await ask(path, init)).json<Record<string, unknown>>()

  it("[H2] [H3] is listed, shown, compared, brought back and copied", async () => {
    const id = freshId()
    const at = `/docs/${id}/-`
    expect((await ask(`${at}/versions`)).status).toBe(404)
    await patch(id, writing("first"))
    const made = await ask(`${at}/versions`, body({ name: "First", meta: { n: 1 } }))
    expect(made.status).toBe(201)
    const version = await made.json<{ id: string; revision: number }>()
    await patch(id, writing("second "))
    const now = await (await ask(`/docs/${id}?format=text`)).text()
    expect((await json(`${at}/versions`)).versions).toEqual([version])
    expect(await json(`${at}/versions/${version.id}`)).toEqual(version)
    const renamed = { method: "PATCH", body: JSON.stringify({ name: "1st" }) }
    expect(await json(`${at}/versions/${version.id}`, renamed)).toMatchObject({ name: "1st", meta: { n: 1 } })

    for (const moment of [version.id, String(version.revision)]) {
      const shown = await ask(`/docs/${id}?format=text&at=${moment}`)
      expect(await shown.text()).toBe("first")
      const etag = shown.headers.get("etag")!
      expect(etag).toBe(`"p${version.revision}.text"`)
      const again = await ask(`/docs/${id}?format=text&at=${moment}`, { headers: { "if-none-match": etag } })
      expect(again.status).toBe(304)
    }
    const old = new Y.Doc()
    Y.applyUpdate(old, new Uint8Array(await (await ask(`/docs/${id}?at=${version.id}`)).arrayBuffer()))
    expect(old.getText("text").toString()).toBe("first")

    const diff = await ask(`${at}/diff?from=${version.id}&format=html`)
    expect(await diff.text()).toMatch(/<ins[^>]*>second <\/ins>/)
    expect(diff.headers.get("content-security-policy")).toMatch("default-src 'none'")
    expect(await (await ask(`${at}/diff?from=${version.id}&format=markdown`)).text()).toContain(
      "<ins>second </ins>",
    )
    expect(await json(`${at}/blame?root=text`)).toMatchObject({ root: "text" })
    expect((await json(`${at}/activity?order=asc&limit=1`)).activity).toHaveLength(1)

    expect(await json(`${at}/copy`, body({ to: `${id}-2`, at: version.id }))).toMatchObject({ id: `${id}-2` })
    expect(await (await ask(`/docs/${id}-2?format=text`)).text()).toBe("first")
    expect((await json(`/docs/${id}-2/-/activity`)).activity).toMatchObject([{ by: { via: "import" } }])
    expect((await ask(`${at}/copy`, body({ to: `${id}-2` }))).status).toBe(409)

    const restored = await json(`${at}/versions/${version.id}/restore`, body({}))
    expect(restored).toMatchObject({ backup: { trigger: "restore" } })
    expect(await (await ask(`/docs/${id}?format=text`)).text()).toBe("first")
    expect(await json(`${at}/rollback`, body({ via: "restore", dryRun: true }))).toMatchObject({
      inserted: 7,
    })
    await json(`${at}/rollback`, body({ via: "restore" }))
    expect(await (await ask(`/docs/${id}?format=text`)).text()).toBe(now)
    expect(await json(`${at}/prune`, body({ before: String(version.revision) }))).toMatchObject({
      fromRevision: version.revision,
    })
    expect((await ask(`${at}/versions/${version.id}`, { method: "DELETE" })).status).toBe(204)
    expect((await ask(`${at}/versions/${version.id}`)).status).toBe(404)
  })

  it("[W1] is not moved by requests that make no sense", async () => {
    const id = freshId()
    await patch(id, writing("here"))
    const at = `/docs/${id}/-`
    const refused: [path: string, init: RequestInit | undefined, status: number][] = [
      ["?at=yesterday", undefined, 400],
      ["?at=99999999999999999999", undefined, 400],
      ["?at=7", undefined, 404],
      ["?at=2001-01-01T00:00:00Z", undefined, 404],
      ["?at=2001-13-45T99:00:00Z", undefined, 400],
      ["?at=v_none", undefined, 404],
      ["/-/versions?cursor=x", undefined, 400],
      ["/-/versions?limit=0", undefined, 400],
      ["/-/versions/v_none", undefined, 404],
      ["/-/versions/%E0%A4", undefined, 400],
      ["/-/versions/v_none/restore", body({}), 404],
      ["/-/versions", body([]), 400],
      ["/-/versions", body({ name: 7 }), 400],
      ["/-/versions", body({ name: "" }), 400],
      ["/-/versions", body({ name: "n".repeat(201) }), 400],
      ["/-/versions", body({ meta: "m".repeat(5_000) }), 400],
      ["/-/versions", body({ meta: "m".repeat(100_000) }), 413],
      ["/-/versions", { method: "POST", body: "{" }, 400],
      ["/-/diff", undefined, 400],
      ["/-/diff?from=1&format=pdf", undefined, 400],
      ["/-/diff?from=2", undefined, 404],
      ["/-/blame", undefined, 400],
      ["/-/blame?root=none", undefined, 404],
      ["/-/activity?order=up", undefined, 400],
      ["/-/activity?group=-1", undefined, 400],
      ["/-/activity?cursor=x", undefined, 400],
      ["/-/rollback", body({ dryRun: "yes" }), 400],
      ["/-/rollback", body({ by: {} }), 400],
      ["/-/prune", body({}), 400],
      ["/-/copy", body({}), 400],
      ["/-/copy", body({ to: "../x" }), 400],
    ]
    for (const [path, init, status] of refused) {
      const response = await ask(`/docs/${id}${path}`, init)
      expect([path, response.status, await response.json()]).toEqual([
        path,
        status,
        expect.objectContaining({ message: expect.any(String) }),
      ])
    }
    expect(await (await ask(`/docs/${id}?format=text`)).text()).toBe("here")
    expect((await ask(`${at}/versions`)).status).toBe(200)
  })
})
