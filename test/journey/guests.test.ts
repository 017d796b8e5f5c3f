/** Strangers on a deployment of the demos that lets them in. */
import { spawn } from "node:child_process"
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

  it("[G2] invites an agent into one document, for an hour, and nobody else's token does", async () => {
    const guest = await (await fetch(`${server.url}/guest`)).text()
    const invite = async (token: string, query = "agent=Scribe&doc=demo-x") => {
      const answer = await fetch(`${server.url}/guest?${query}`, {
        headers: token === "" ? {} : { authorization: `Bearer ${token}` },
      })
      return { status: answer.status, text: await answer.text() }
    }
    const { text } = await invite(guest)
    const { subject, agent, onBehalfOf, docs, expiresAtMs } = await verifyToken(text, { secret: SECRET })
    expect([agent, onBehalfOf, docs.map(({ id, rights }) => [id, rights])]).toEqual([
      ...["Scribe", subject],
      [["demo-x", "write"]],
    ])
    expect(subject).toBe((await verifyToken(guest, { secret: SECRET })).subject)
    expect(expiresAtMs - Date.now()).toBeLessThanOrEqual(3_600_000)
    const narrow = { subject: "kim", docs: [{ id: "demo-x", rights: "write" as const, roots: ["notes"] }] }
    expect([
      (await invite("")).status,
      // An agent that would invite itself again, each hour.
      (await invite(text)).status,
      (await invite(guest, "agent=Scribe&doc=plan")).status,
      (await invite(guest, "agent=Scribe")).status,
      (await invite(await mintToken(narrow, { secret: SECRET }))).status,
    ]).toEqual([401, 403, 403, 403, 403])
  })

  it("plays the agent that a page invites by the command that the page shows", async () => {
    const ana = await openVisitor(browser, { name: "Ana", color: "#0369a1" })
    const page = await ana.newPage()
    await page.goto(`${server.url.replace("127.0.0.1", "demos.localhost")}/text.html?doc=demo-invited`)
    await page.locator(".cm-content").click()
    await page.keyboard.insertText('She said "yes".\n\n@scribe summarise')
    await isSaved(page)
    await page.locator(".people").click()
    await page.getByRole("button", { name: "Invite an agent" }).click()
    await page.locator("#invitation:popover-open").waitFor()
    const [command = "", link = ""] = await page.locator("#invitation code").allTextContents()
    expect(link).toMatch(/\/docs\/demo-invited\/-\/mcp\?token=ey/)
    // Not every resolver knows names below localhost.
    const agent = spawn("sh", ["-c", command.replaceAll("demos.localhost", "127.0.0.1")], {
      ...{ stdio: "ignore", detached: true },
    })
    try {
      await page.locator(".cm-content").getByText("She said “yes”.").first().waitFor()
      await page.locator(".cm-content").getByText("Scribe: In 3 words: She said “yes”.").waitFor()
      await page.locator(".cm-ySelectionInfo").getByText("Scribe").waitFor({ state: "attached" })
    } finally {
      process.kill(-agent.pid!, "SIGKILL")
      await ana.close()
    }
  })

  it("[D1] writes in a document of their own, shares its address, and is swept away when the days are over", async () => {
    // Not one of the names of this machine, to which the pages ask for no token.
    const url = server.url.replace("127.0.0.1", "demos.localhost")
    const ana = await openVisitor(browser, { name: "Ana", color: "#0369a1" })
    const bo = await openVisitor(browser, { name: "Bo", color: "#0f766e" })
    // They come from somewhere. Ana's fonts have flags, which are one glyph for two letters; Bo's have none.
    for (const [who, perLetter] of [
      [ana, 0.5],
      [bo, 1],
    ] as const) {
      await who.route("**/where", (route) => route.fulfill({ json: { country: "DE" } }))
      await who.addInitScript((perLetter) => {
        CanvasRenderingContext2D.prototype.measureText = (text) =>
          ({ width: [...text].length > 1 ? 2 * perLetter : 1 }) as TextMetrics
      }, perLetter)
    }
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
    // A flag that would be two letters cut off is none; the country's name is in the list.
    await page.locator(".faces .face").nth(1).locator(".flag", { hasText: "🇩🇪" }).waitFor()
    await friend.locator(".names .country", { hasText: /^Germany$/ }).waitFor({ state: "attached" })
    expect(await friend.locator(".flag").count()).toBe(0)
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
