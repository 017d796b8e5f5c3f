/** What `npm start` promises: pages, flags, a closed door, and documents over real HTTP. */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, readdirSync, rmSync } from "node:fs"
import { request } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, beforeAll, expect, it } from "vitest"
import * as Y from "yjs"
import { documentPath, statusPath } from "../kit/addresses.ts"
import { openProvider, textOf } from "../kit/clients.ts"
import { freePort } from "../kit/port.ts"
import { killGroup } from "../kit/server.ts"
import { until } from "../kit/until.ts"

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

it("serves the documentation at /docs-site, which is no document", async () => {
  for (const path of ["/docs-site", "/docs-site/"]) {
    const response = await get(path)
    expect([response.status, new URL(response.url).pathname]).toEqual([200, "/docs-site/index.html"])
  }
  for (const [path, type] of [
    ["rest.html", "text/html"],
    ["yurt-server.html", "text/html"],
    ["docs.css", "text/css"],
    ["docs.js", "javascript"],
    ["two-browsers.png", "image/png"],
  ] as const) {
    const response = await get(`/docs-site/${path}`)
    expect([path, response.status, response.headers.get("content-type")]).toEqual([
      ...[path, 200],
      expect.stringContaining(type),
    ])
  }
})

// What each resource promises is tested in test/room/rest.test.ts; this is about the server that `npm start` runs.
it("has the operator's page, which asks for no token on this machine", async () => {
  const page = await fetch(`${url}/admin`)
  expect(page.headers.get("content-type")).toContain("text/html")
  expect(page.headers.get("content-security-policy")).toContain("default-src 'none'")
  const listed = await fetch(`${url}/admin/documents?only=reported`)
  expect(await listed.json()).toMatchObject({ source: "reports" })
  expect((await fetch(`${url}/metrics`)).headers.get("content-type")).toContain("openmetrics")
})

it("makes a document by PATCH, shows it, says how it is, lists it and deletes it", async () => {
  const response = await fetch(`${url}${documentPath("patched")}`, {
    method: "PATCH",
    body: updateOf("by curl"),
  })
  expect([response.status, await response.json()]).toEqual([200, { revision: 1 }])
  expect(await (await get(`${documentPath("patched")}?format=text`)).text()).toBe("by curl")
  const client = openProvider(docs, "patched")
  try {
    await until(() => textOf(client) === "by curl", "a client reads it")
    expect(await (await get(statusPath("patched"))).json()).toMatchObject({ connections: 1, revision: 1 })
  } finally {
    client.leave()
  }
  const listed = async () => {
    const { documents } = (await (await get("/docs?limit=1000")).json()) as { documents: { id: string }[] }
    return documents.map(({ id }) => id)
  }
  await until(async () => (await listed()).includes("patched"), "it is in the archive")
  expect((await fetch(`${url}${documentPath("patched")}`, { method: "DELETE" })).status).toBe(204)
  expect((await get(documentPath("patched"))).status).toBe(404)
  expect(await listed()).not.toContain("patched")
})

it("exports a drawing as SVG, a format that the demos' room adds", async () => {
  const doc = new Y.Doc()
  doc.getArray("strokes").push([new Y.Map<unknown>(Object.entries({ color: "#112233", width: 20 }))])
  const stroke = doc.getArray<Y.Map<unknown>>("strokes").get(0)
  stroke.set("points", Y.Array.from([0, 0, 500, 1000, 1000, 500]))
  const body = new Uint8Array(Y.encodeStateAsUpdate(doc))
  await fetch(`${url}${documentPath("drawn")}`, { method: "PATCH", body })
  const picture = await get(`${documentPath("drawn")}?format=svg`)
  expect([picture.status, picture.headers.get("content-type")]).toEqual([200, "image/svg+xml"])
  expect(await picture.text()).toContain('fill="#112233"')
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
