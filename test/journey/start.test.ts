/** What `npm start` promises, and the REST table, over real HTTP. */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, readdirSync, rmSync } from "node:fs"
import { request } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, beforeAll, expect, it } from "vitest"
import * as Y from "yjs"
import { openProvider, openWebsocketProvider, textOf, type } from "../kit/clients.ts"
import { freePort } from "../kit/port.ts"
import { killGroup, until } from "../kit/server.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))
const pages = readdirSync(join(root, "demo")).filter((name) => name.endsWith(".html"))

let child: ChildProcess
let output = ""
let url: string
let docs: string
const storage = mkdtempSync(join(tmpdir(), "yurt-start-"))

beforeAll(async () => {
  const port = await freePort()
  url = `http://localhost:${port}`
  docs = `ws://localhost:${port}/docs`
  // No terminal: a question would wait for ever, or be answered with the end of the input.
  child = spawn("npm", ["start", "--", `--port=${port}`, `--persist-to=${storage}`], {
    cwd: root,
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
    shell: process.platform === "win32",
  })
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on("data", (chunk: Buffer) => {
      output += chunk.toString()
    })
  }
  await until(
    async () => {
      if (child.exitCode !== null) throw new Error(`npm start ended with ${child.exitCode}:\n${output}`)
      return (await fetch(`${url}/health`)).ok
    },
    "npm start answers",
    { timeoutMs: 110_000 },
  )
})

afterAll(async () => {
  const gone = once(child, "exit")
  killGroup(child.pid!)
  await gone
  rmSync(storage, { recursive: true, force: true, maxRetries: 5 })
})

/** An update that types a text. */
function updateOf(text: string): Uint8Array<ArrayBuffer> {
  const doc = new Y.Doc()
  doc.getText("text").insert(0, text)
  return new Uint8Array(Y.encodeStateAsUpdate(doc))
}

const patch = (id: string, text: string) => put(id, updateOf(text))
const put = (id: string, body: BodyInit) => fetch(`${url}/docs/${id}`, { method: "PATCH", body })
const get = (path: string, headers: Record<string, string> = {}) => fetch(`${url}${path}`, { headers })

/** A request with a Host of its own, as `fetch` does not allow. */
function ask(path: string, headers: Record<string, string>): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const sent = request(`${url}${path}`, { headers }, async (response) => {
      const chunks = await response.toArray()
      resolve({ status: response.statusCode!, body: Buffer.concat(chunks).toString() })
    })
    sent.on("error", reject)
    sent.end()
  })
}

it("serves the pages and takes wrangler's flags", async () => {
  for (const page of ["/", ...pages.map((name) => `/${name}`)]) {
    const response = await get(page)
    expect([page, response.status, response.headers.get("content-type")]).toEqual([
      ...[page, 200],
      expect.stringMatching(/^text\/html/),
    ])
    // What a page asks for is there too, and from here.
    const html = await response.text()
    for (const [, asset] of html.matchAll(/(?:src|href)="(\/?assets\/[^"]+)"/g)) {
      expect((await get(new URL(asset!, url).pathname)).status).toBe(200)
    }
    expect(html).not.toMatch(/(?:src|href)="(?:https?:)?\/\//)
  }
  expect((await get("/health")).status).toBe(200)
  expect(readdirSync(storage)).not.toEqual([])
})

it("merges an update by PATCH, answers when it is durable, and does nothing the second time", async () => {
  const update = updateOf("by curl")
  const first = await put("patched", update)
  expect([first.status, await first.json()]).toEqual([200, { revision: 1 }])
  expect(await (await put("patched", update)).json()).toEqual({ revision: 1 })
  expect(await (await get("/docs/patched?format=text")).text()).toBe("by curl")
})

it("exports as update, state vector, JSON and text, by name and by Accept", async () => {
  await patch("exported", "four ways")
  const update = new Uint8Array(await (await get("/docs/exported")).arrayBuffer())
  const doc = new Y.Doc()
  Y.applyUpdate(doc, update)
  expect(doc.getText("text").toString()).toBe("four ways")
  const stateVector = await (await get("/docs/exported?format=state-vector")).arrayBuffer()
  expect(new Uint8Array(stateVector)).toEqual(Y.encodeStateVector(doc))
  for (const [ask, type, body] of [
    [get("/docs/exported?format=json"), "application/json", '{"text":"four ways"}'],
    [get("/docs/exported", { accept: "application/json" }), "application/json", '{"text":"four ways"}'],
    [get("/docs/exported?format=json&root=text"), "application/json", '"four ways"'],
    [
      get("/docs/exported", { accept: "text/plain;q=0.9, image/png" }),
      "text/plain;charset=utf-8",
      "four ways",
    ],
  ] as const) {
    const response = await ask
    expect([response.status, response.headers.get("content-type"), await response.text()]).toEqual([
      200,
      type,
      body,
    ])
  }
  expect((await get("/docs/exported?format=word")).status).toBe(400)
  expect((await get("/docs/exported", { accept: "image/png" })).status).toBe(406)
})

it("answers 304 while the state is the same, and 200 after an edit", async () => {
  await patch("tagged", "one")
  const first = await get("/docs/tagged?format=text")
  const etag = first.headers.get("etag")!
  expect(etag).toMatch(/^"[^"]+"$/)
  const again = await get("/docs/tagged?format=text", { "if-none-match": etag })
  expect([again.status, again.headers.get("etag"), await again.text()]).toEqual([304, etag, ""])
  await patch("tagged", "two")
  expect((await get("/docs/tagged?format=text", { "if-none-match": etag })).status).toBe(200)
})

it("says 404 of a document that does not exist, and does not make it by being asked", async () => {
  for (const path of ["/docs/nobody", "/docs/nobody/-/status", "/docs/nobody?format=json", "/docs/nobody"]) {
    const response = await get(path)
    expect([path, response.status, await response.json()]).toEqual([
      ...[path, 404],
      { error: "not-found", message: expect.any(String) },
    ])
  }
  expect((await fetch(`${url}/docs/nobody`, { method: "DELETE" })).status).toBe(404)
})

it("tells the status of a document and who is connected", async () => {
  const client = openProvider(docs, "status")
  try {
    type(client, "x")
    await client.provider.whenSaved()
    expect(await (await get("/docs/status/-/status")).json()).toMatchObject({
      connections: 1,
      revision: 1,
      archivedRevision: null,
      archiveError: null,
      bytes: expect.any(Number),
      logRows: 1,
    })
  } finally {
    client.leave()
  }
})

it("deletes a document everywhere, and closes its sockets with 4404", async () => {
  await patch("deleted", "gone soon")
  const client = openWebsocketProvider(docs, "deleted")
  try {
    await until(() => textOf(client) === "gone soon", "the document is open")
    const closed = new Promise((resolve) => client.provider.on("closed", ({ code }) => resolve(code)))
    expect((await fetch(`${url}/docs/deleted`, { method: "DELETE" })).status).toBe(204)
    expect(await closed).toBe(4404)
  } finally {
    client.leave()
  }
  expect((await get("/docs/deleted")).status).toBe(404)
  const { documents } = (await (await get("/docs?limit=1000")).json()) as { documents: { id: string }[] }
  expect(documents.map(({ id }) => id)).not.toContain("deleted")
})

it("lists what the archive holds, page by page", async () => {
  // A document reaches the archive when the last one has left.
  const ids = ["list/a", "list/b", "list/c"]
  for (const id of ids) {
    const client = openProvider(docs, id)
    type(client, id)
    await client.provider.whenSaved()
    client.leave()
  }
  type Page = {
    documents: { id: string; revision: number; bytes: number; updatedAt: string }[]
    cursor: string | null
  }
  const page = async (query: string) => (await (await get(`/docs?${query}`)).json()) as Page
  await until(async () => {
    const { documents } = await page("limit=1000")
    return ids.every((id) => documents.some((document) => document.id === id))
  }, "all three are in the archive")
  const seen: string[] = []
  for (let cursor: string | null = ""; cursor !== null; ) {
    const { documents, cursor: next }: Page = await page(`limit=2&cursor=${encodeURIComponent(cursor)}`)
    expect(documents.length).toBeLessThanOrEqual(2)
    for (const { id, revision, bytes, updatedAt } of documents) {
      seen.push(id)
      expect([revision > 0, bytes > 0, Number.isNaN(Date.parse(updatedAt))]).toEqual([true, true, false])
    }
    cursor = next
  }
  expect(seen.filter((id) => id.startsWith("list/"))).toEqual(ids)
  expect(seen).toEqual([...new Set(seen)].sort())
})

it("answers a preflight from a page of this machine, and refuses a foreign one", async () => {
  const preflight = (origin: string) =>
    fetch(`${url}/docs/cors`, {
      method: "OPTIONS",
      headers: { origin, "access-control-request-method": "PATCH" },
    })
  const own = await preflight("http://localhost:5173")
  expect(own.status).toBe(204)
  expect(own.headers.get("access-control-allow-origin")).toBe("http://localhost:5173")
  expect(own.headers.get("access-control-allow-methods")).toContain("PATCH")
  expect((await preflight("https://example.com")).headers.get("access-control-allow-origin")).toBeNull()
  const foreign = await get("/docs/cors", { origin: "https://example.com" })
  expect([foreign.status, await foreign.json()]).toMatchObject([403, { error: "origin-refused" }])
})

it("[R1] is closed to a request whose host is not localhost, and names the line to add", async () => {
  for (const host of ["example.com", "localhost.example.com", "192.0.2.7", "127.0.0.1.nip.io"]) {
    const { status, body } = await ask("/docs/closed", { host })
    expect([host, status, JSON.parse(body)]).toEqual([
      ...[host, 503],
      { error: "closed", message: expect.stringContaining("AUTH_SECRET") },
    ])
  }
  expect((await ask("/docs/closed", { "x-forwarded-host": "example.com" })).status).toBe(503)
  expect((await ask("/docs/closed", {})).status).toBe(404)
})

it("has printed no stack and asked nothing", () => {
  expect(output).not.toMatch(/^\s+at .+:\d+:\d+/m)
  expect(output).not.toMatch(/\?\s*(›|\(y\/n\)|\[y\/n\])/i)
  expect(output).not.toMatch(/uncaught|unhandled/i)
})
