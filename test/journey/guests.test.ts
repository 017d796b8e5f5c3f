/** Strangers on a deployment of the demos that lets them in. */
import type { Browser } from "playwright-core"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import * as Y from "yjs"
import { mintToken, verifyToken } from "../../src/token.ts"
import { startServer, type TestServer } from "../kit/server.ts"
import { until } from "../kit/until.ts"
import { launchBrowser } from "./browser.ts"
import { isSaved, openVisitor } from "./visitors.ts"

const SECRET = "k4Zr8wq1Tn6vYb3mXc9sLd2pGf7hJj5u"

let server: TestServer
let browser: Browser

beforeAll(async () => {
  const vars = { AUTH_SECRET: SECRET, PUBLIC_DEMOS: "true", PUBLIC_DEMO_DAYS: "0", LIMIT_FLUSH_MS: "100" }
  server = await startServer(Object.entries(vars).map(([name, value]) => `--var=${name}:${value}`))
  browser = await launchBrowser()
})
afterAll(async () => {
  await browser?.close()
  await server?.stop()
})

describe("a stranger", () => {
  it("[R1] gets a token for what is open to guests, and for nothing else", async () => {
    const token = await (await fetch(`${server.url}/guest`)).text()
    expect((await verifyToken(token, { secret: SECRET })).subject).toMatch(/^demo-guest-/)
    const ask = async (path: string, method = "GET") =>
      (await fetch(`${server.url}${path}`, { method, headers: { authorization: `Bearer ${token}` } })).status
    expect(await ask("/docs/demo-x")).toBe(404)
    expect(await ask("/parties/counter/hello-counter", "POST")).toBe(200)
    for (const path of ["/docs/plan", "/docs/x/demo-y", "/parties/counter/plan", "/docs"])
      expect(await ask(path), path).toBe(403)
    expect(await ask("/docs/demo-x", "DELETE")).toBe(403)
  })

  it("[D1] writes in a document of their own, shares its address, and is swept away when the days are over", async () => {
    // Not one of the names of this machine, to which the pages ask for no token.
    const url = server.url.replace("127.0.0.1", "demos.localhost")
    const ana = await openVisitor(browser, { name: "Ana", color: "#0369a1" })
    const bo = await openVisitor(browser, { name: "Bo", color: "#0f766e" })
    const page = await ana.newPage()
    await page.goto(url)
    await page.frameLocator('iframe[title="Text, live"]').getByText("Write with me").waitFor()
    await page.goto(`${url}/text.html`)
    await page.locator(".cm-content").click()
    await page.keyboard.type("hello from a stranger")
    await isSaved(page)
    const id = new URL(page.url()).searchParams.get("doc")!
    expect(id).toMatch(/^demo-/)
    expect(page.url()).not.toContain("token")
    const friend = await bo.newPage()
    await friend.goto(page.url())
    await friend.getByText("hello from a stranger").waitFor()
    await ana.close()
    await bo.close()

    const token = await mintToken(
      { subject: "operator", admin: true, docs: [{ id: "*", rights: "write" }] },
      { secret: SECRET },
    )
    const headers = { authorization: `Bearer ${token}` }
    const list = async () => {
      const { documents } = (await (await fetch(`${server.url}/docs`, { headers })).json()) as {
        documents: { id: string }[]
      }
      return documents.map((document) => document.id)
    }
    const doc = new Y.Doc()
    doc.getText("text").insert(0, "an operator's own")
    const update = Y.encodeStateAsUpdate(doc) as BodyInit
    expect((await fetch(`${server.url}/docs/kept`, { method: "PATCH", headers, body: update })).status).toBe(
      200,
    )
    await until(async () => {
      const ids = await list()
      return [id, "hello-text", "/counter/hello-counter", "kept"].every((one) => ids.includes(one))
    }, "all are listed")
    expect((await fetch(`${server.url}/cdn-cgi/handler/scheduled`)).status).toBe(200)
    await until(async () => (await list()).join() === "kept", "only what is not a guest's is left")
  })
})
