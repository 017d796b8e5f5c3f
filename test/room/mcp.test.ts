/** The Model Context Protocol: one document, and all that a token covers, by a stock client. */
import { env, exports } from "cloudflare:workers"
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client"
import { describe, expect, it } from "vitest"
import { mcp } from "../../src/agent.ts"
import { routeDocuments } from "../../src/http/routes.ts"
import { claimsOf, signToken } from "../kit/tokens.ts"
import { freshId } from "./vocabulary.ts"

// reason: each test knows what its tool answers
// biome-ignore lint/suspicious/noExplicitAny: see above
type Answered = any

const SECRET = "a secret that nobody can guess, for tests alone"
const VERSIONS = ["2026-07-28", "2025-11-25"]
const TOOLS = ["read", "outline", "search", "edit", "write", "presence", "who", "undo", "history"]

interface Visit {
  readonly path: string
  /** null: open mode. */
  readonly token?: string | null
  readonly version?: string
}

const ask = (path: string, init: RequestInit, token: string | null = null) =>
  routeDocuments(
    new Request(`http://localhost${path}`, init),
    token === null ? env : { ...env, AUTH_SECRET: SECRET },
    { agents: mcp },
  )

/** A client of the SDK that is connected; what a tool answers, or the code of its refusal. */
async function connect({ path, token = null, version = "2026-07-28" }: Visit) {
  const fetch = (url: string | URL, init: RequestInit = {}) => ask(new URL(url).pathname, init, token)
  const transport = new StreamableHTTPClientTransport(new URL(`http://localhost${path}`), {
    fetch: fetch as never,
    ...(token !== null && { requestInit: { headers: { authorization: `Bearer ${token}` } } }),
  })
  const client = new Client({ name: "Quill", version: "3.1" }, {
    versionNegotiation: { mode: version === "2026-07-28" ? "auto" : "legacy" },
  } as never)
  await client.connect(transport)
  const call = async (name: string, given: Record<string, unknown>): Promise<Answered> => {
    const { isError, structuredContent, content } = (await client.callTool({
      name,
      arguments: given,
    })) as Answered
    return isError === true ? errorOf(content[0].text) : structuredContent
  }
  return { client, call }
}

/** A refusal of ours is JSON; the SDK's own, of arguments that the schema does not take, is a sentence. */
function errorOf(text: string): string {
  return text.startsWith("{") ? JSON.parse(text).error : "invalid arguments"
}

async function put(id: string, markdown: string, editor = "tiptap"): Promise<void> {
  const headers = { "content-type": "text/markdown" }
  const url = `http://localhost/docs/${id}?editor=${editor}`
  expect(
    (await exports.default.fetch(new Request(url, { method: "PUT", body: markdown, headers }))).status,
  ).toBe(201)
  await exports.default.fetch(new Request(`http://localhost/docs/${id}/-/flush`, { method: "POST" }))
}

const SAMPLE = "# Plan\n\nBuy the milk.\n\nThe end."

describe.each(VERSIONS)("a client of the SDK, %s", (version) => {
  it("uses every tool of one document, and is known by what it calls itself", async () => {
    const id = freshId()
    await put(id, SAMPLE)
    const { client, call } = await connect({ path: `/docs/${id}/-/mcp`, version })
    const { tools } = await client.listTools()
    expect(tools.map(({ name }) => name)).toEqual(TOOLS)
    const { blocks } = await call("read", {})
    expect(blocks.map(({ markdown }: { markdown: string }) => markdown)).toContain("Buy the milk.")
    expect((await call("outline", {})).headings).toHaveLength(1)
    expect((await call("search", { query: "milk" })).matches).toHaveLength(1)
    const { results } = await call("edit", { operations: [{ op: "replace", quote: "milk", with: "tea" }] })
    expect(results[0].status).toBe("applied")
    expect((await call("write", { text: " More." })).stream).toEqual(expect.any(String))
    expect(await call("presence", { status: "x" })).toMatchObject({ shown: true })
    expect((await call("who", {})).people.length).toBeGreaterThan(0)
    const { spans } = await call("history", { what: "blame", root: "default" })
    const who = spans.map(({ by }: Answered) => by).find(({ via }: Answered) => via === "agent")
    // Who of 2025 calls a tool says its name at the beginning alone, to another request.
    expect(who.client ?? null).toBe(version === "2026-07-28" ? "Quill 3.1" : null)
    expect(await call("search", { query: "" })).toBe("bad-request")
    expect(await call("undo", {})).toMatchObject({ revision: expect.any(Number), unresolved: [] })
    const text = await (await exports.default.fetch(`http://localhost/docs/${id}?format=text`)).text()
    expect(text).not.toMatch(/tea|More/)
    await client.close()
  })

  it("uses every tool over all documents of a token", async () => {
    const base = freshId()
    const token = signToken(SECRET, {
      ...claimsOf("kim", [{ id: `${base}/*`, rights: "write" }]),
      agent: { name: "Scribe" },
      onBehalfOf: "kim",
    })
    const { client, call } = await connect({ path: "/mcp", token, version })
    const { tools } = await client.listTools()
    expect(tools.map(({ name }) => name)).toEqual(["list", "create", ...TOOLS])
    const document = `${base}/a`
    expect(await call("create", { document, markdown: SAMPLE, editor: "tiptap" })).toMatchObject({ document })
    expect(await call("create", { document, markdown: "Again" })).toBe("precondition-failed")
    expect((await call("read", { document })).blocks).toHaveLength(3)
    expect((await call("outline", { document })).headings).toHaveLength(1)
    expect((await call("search", { document, query: "milk" })).matches).toHaveLength(1)
    const { revision } = await call("edit", {
      document,
      operations: [{ op: "replace", quote: "milk", with: "tea" }],
    })
    await call("write", { document, text: " More." })
    expect(await call("presence", { document, status: "x" })).toMatchObject({ shown: true })
    expect((await call("who", { document })).people).toMatchObject([{ name: "🤖 Scribe", onBehalfOf: "kim" }])
    const { spans } = await call("history", { document, what: "blame", root: "default" })
    // Also what it made the document of is its own.
    for (const { by } of spans) expect(by).toMatchObject({ subject: "kim", via: "agent", agent: "Scribe" })
    await call("undo", { document, since: revision - 1 })
    expect((await call("read", { document })).blocks[1].markdown).toBe("Buy the milk.")
    await exports.default.fetch(new Request(`http://localhost/docs/${document}/-/flush`, { method: "POST" }))
    expect((await call("list", {})).documents).toMatchObject([{ document, rights: "write" }])
    expect((await call("search", { query: "MILK" })).documents).toMatchObject([
      { document, matches: [{ text: "milk" }] },
    ])
    expect(await call("read", {})).toBe("invalid arguments")
    await client.close()
  })
})

describe("over all documents", () => {
  it("[R2] lists, searches and opens what the token covers, and nothing else", async () => {
    const base = freshId()
    for (const name of ["a", "b", "c", "d"]) await put(`${base}-${name}`, `The word of ${name}`)
    const docs = [
      { id: `${base}-a`, rights: "read" as const },
      { id: `${base}-c*`, rights: "write" as const },
      { id: `${base}-absent`, rights: "write" as const },
    ]
    const token = signToken(SECRET, claimsOf("kim", docs))
    const { call } = await connect({ path: "/mcp", token })
    const { documents, cursor } = await call("list", {})
    expect([documents, cursor]).toMatchObject([
      [
        { document: `${base}-a`, rights: "read" },
        { document: `${base}-c`, rights: "write" },
      ],
      null,
    ])
    expect((await call("list", { prefix: `${base}-c` })).documents).toHaveLength(1)
    // A cursor of another list opens no door.
    for (const cursor of [`0:${base}-a`, "0:", "1:zzz", "99:x"]) {
      const listed: { document: string }[] = (await call("list", { cursor })).documents
      expect(listed.every(({ document }) => document === `${base}-a` || document === `${base}-c`)).toBe(true)
    }
    for (const cursor of ["x", "-1:", "0:a\u0000", "0:a\nb"])
      expect(await call("list", { cursor })).toBe("bad-request")
    expect(await call("list", { prefix: "a\u0000" })).toBe("bad-request")
    expect((await call("list", { prefix: "\ud800" })).documents).toEqual([])
    const found = await call("search", { query: "word" })
    expect(found.documents.map(({ document }: Answered) => document)).toEqual([`${base}-a`, `${base}-c`])
    for (const document of [`${base}-b`, "/main/x", "nope"])
      expect(await call("read", { document })).toBe("forbidden")
    const operations = [{ op: "insert_after", text: "x" }]
    expect(await call("edit", { document: `${base}-a`, operations })).toBe("forbidden")
    expect(await call("create", { document: `${base}-b2`, markdown: "x" })).toBe("forbidden")
    for (const document of ["", "a/../b", "a\u0000", "-", "\ud800"])
      expect(["bad-id", "forbidden"]).toContain(await call("read", { document }))
    expect(await call("create", { document: `${base}-c1`, markdown: " " })).toBe("bad-request")
  })

  it("[C1] lists and searches on past what is in the archive and has no address here", async () => {
    const base = freshId()
    await put(`${base}/z`, "The word")
    await exports.default.fetch(new Request(`http://localhost/docs/${base}/z/-/flush`, { method: "POST" }))
    const columns = "writer, revision, bytes, sidecar_bytes, body, updated_at, deleted_at"
    const strange = [`${base}/a//b`, `${base}/e\u0301`, `${base}/q*`, `/nowhere/${base}`]
    for (const id of strange)
      await env.DB.prepare(
        `INSERT INTO yurt_documents (id, ${columns}) SELECT ?, ${columns} FROM yurt_documents WHERE id = ?`,
      )
        .bind(id, `${base}/z`)
        .run()
    const docs = ["/nowhere/*", `${base}/*`].map((id) => ({ id, rights: "read" as const }))
    const { call } = await connect({ path: "/mcp", token: signToken(SECRET, claimsOf("kim", docs)) })
    expect((await call("list", {})).documents).toMatchObject([{ document: `${base}/z` }])
    expect(await call("search", { query: "word" })).toMatchObject({
      ...{ searched: 1, cursor: null },
      documents: [{ document: `${base}/z`, matches: [{ text: "word" }] }],
    })
  })

  it("[R2] shows a reader no tool that writes, and a writer of one root changes nothing else", async () => {
    const id = freshId()
    await put(id, SAMPLE)
    const reader = signToken(SECRET, claimsOf("kim", [{ id, rights: "read" }]))
    const { client, call } = await connect({ path: "/mcp", token: reader })
    const names = (await client.listTools()).tools.map(({ name }) => name)
    expect(names).toEqual(["list", "read", "outline", "search", "who", "history"])
    const { versions } = await call("history", { document: id, what: "versions" })
    expect(await call("history", { document: id, what: "restore", id: versions[0]?.id ?? "v" })).toBe(
      "forbidden",
    )
    const narrow = signToken(SECRET, claimsOf("kim", [{ id, rights: "write", roots: ["notes"] } as never]))
    for (const path of ["/mcp", `/docs/${id}/-/mcp`]) {
      const { call } = await connect({ path, token: narrow })
      const document = path === "/mcp" ? { document: id } : {}
      const edit = (more: object, operation: object) =>
        call("edit", { ...document, ...more, operations: [operation] })
      expect(await edit({}, { op: "insert_after", text: "x" })).toBe("forbidden")
      expect(await edit({ root: "notes" }, { op: "insert_after", text: "x", root: "default" })).toBe(
        "forbidden",
      )
      const patch = [{ op: "remove", path: "/default" }]
      expect(await edit({ root: "notes" }, { op: "json_patch", patch })).toBe("forbidden")
      expect(await call("write", { ...document, text: "x" })).toBe("forbidden")
      expect((await edit({ root: "notes" }, { op: "insert_after", text: "x" })).results[0].status).toBe(
        "applied",
      )
    }
    expect((await call("read", { document: id })).blocks).toHaveLength(3)
  })

  it("[R1] [R4] [B3] asks for a token, tells who makes them, and takes one call in a request", async () => {
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list" })
    const headers = { "content-type": "application/json", accept: "application/json, text/event-stream" }
    const settings = { ...env, AUTH_SECRET: SECRET, AUTH_ISSUER: "https://id.example" }
    const init = { method: "POST", body, headers }
    const refused = await routeDocuments(new Request("https://yurt.example/mcp", init), settings, {
      agents: mcp,
    })
    expect([refused.status, refused.headers.get("www-authenticate")]).toEqual([
      401,
      'Bearer resource_metadata="https://yurt.example/.well-known/oauth-protected-resource/mcp"',
    ])
    expect((await ask("/mcp", { method: "GET" })).status).toBe(405)
    // A page whose name has become this machine's address, at an open server.
    const evil = { ...init, headers: { ...headers, host: "evil.example", origin: "http://evil.example" } }
    for (const path of ["/mcp", "/docs/x/-/mcp"])
      for (const host of ["evil.example", "localhost"])
        expect(
          (await routeDocuments(new Request(`http://${host}${path}`, evil), env, { agents: mcp })).status,
        ).toBe(403)
    expect((await routeDocuments(new Request("http://localhost/mcp", init), env)).status).toBe(404)
    expect((await ask("/mcp", { ...init, body: ` [${body},${body}]` })).status).toBe(400)
    expect((await ask("/mcp", { ...init, body: "{" })).status).toBe(400)
    expect((await ask("/mcp", { ...init, body: "x".repeat(5 * 1024 * 1024) })).status).toBe(413)
  })

  it("keeps nobody listening: nothing is pushed, so a stream would never end", async () => {
    const meta = {
      "io.modelcontextprotocol/protocolVersion": "2026-07-28",
      "io.modelcontextprotocol/clientCapabilities": {},
    }
    const params = { _meta: meta, notifications: { toolsListChanged: true } }
    const response = await ask("/mcp", {
      method: "POST",
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "subscriptions/listen", params }),
      headers: {
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": "subscriptions/listen",
      },
    })
    expect(await response.json()).toMatchObject({ error: { message: expect.stringContaining("limit") } })
  })
})
