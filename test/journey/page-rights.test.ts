/** The pages of a server that asks for a token: rights, documents that are no longer to be had, and who wrote what. */
import { SignJWT } from "jose"
import type { Browser, BrowserContext, Page } from "playwright-core"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { DocumentClient } from "../kit/client.ts"
import { clientSocketOf, openWebSocket } from "../kit/node-socket.ts"
import { startServer, type TestServer } from "../kit/server.ts"
import { claimsOf, signToken } from "../kit/tokens.ts"
import { until } from "../kit/until.ts"
import { launchBrowser } from "./browser.ts"
import { isSaved, openVisitor, PHONE } from "./visitors.ts"

const SECRET = "a secret of the tests that is long enough for HS256"

/** The rooms of all documents in the demos' parties. */
const parties = ["/cart/*", "/counter/*"]

let server: TestServer
let browser: Browser
let ana: BrowserContext
let cem: BrowserContext

beforeAll(async () => {
  server = await startServer([`--var=AUTH_SECRET:${SECRET}`])
  browser = await launchBrowser()
  ana = await openVisitor(browser, { name: "Ana Lima", color: "#0369a1" })
  cem = await openVisitor(browser, { name: "Cem", color: "#0f766e", ...PHONE })
})

afterAll(async () => {
  await browser?.close()
  await server?.stop()
})

/** A token for these entries: a room's name, or the beginning of one with a `*`. */
function tokenFor(rights: "read" | "write", ...ids: string[]): Promise<string> {
  return new SignJWT({ docs: ids.map((id) => ({ id, rights })), admin: rights === "write" })
    .setProtectedHeader({ alg: "HS256" })
    .setSubject("ana")
    .setAudience("yurt")
    .setIssuedAt()
    .setExpirationTime("1h")
    .sign(new TextEncoder().encode(SECRET))
}

/** The last revision of a document; whoever asks has what waits committed. */
async function revisionOf(docId: string, token: string): Promise<number> {
  const headers = { authorization: `Bearer ${token}` }
  const answer = await fetch(`${server.url}/docs/${docId}/-/activity?limit=1`, { headers })
  const { activity } = (await answer.json()) as { activity?: { revisions: [number, number] }[] }
  return activity?.[0]?.revisions[1] ?? 0
}

async function open(who: BrowserContext, name: string, docId: string, token: string): Promise<Page> {
  const page = await who.newPage()
  await page.goto(`${server.url}/${name}.html?doc=${docId}#token=${token}`)
  return page
}

describe("the start page", () => {
  it("says how to make a token in place of refusals", async () => {
    const page = await ana.newPage()
    await page.goto(`${server.url}/`)
    await page.getByText("This server asks for a token").waitFor()
    await page.getByText("npm run token").waitFor()
    expect(await page.locator("iframe").count()).toBe(0)
    await page.close()
  })

  it("gives its token to the pages", async () => {
    const page = await ana.newPage()
    await page.goto(`${server.url}/#token=${await tokenFor("write", "*", ...parties)}`)
    await page.frameLocator('iframe[title="Text, live"]').getByText("Write with me").waitFor()
    expect(await page.locator("#minis a").first().getAttribute("href")).toContain("#token=")
    await page.close()
  })
})

describe("a token that writes in a party", () => {
  it("unlocks the cart and the counter it names", async () => {
    const token = await tokenFor("write", ...parties)
    const cart = await open(ana, "cart", "ana", token)
    await isSaved(cart)
    await cart.click('[aria-label="Add Lantern"]')
    await cart.getByText("1 piece", { exact: true }).waitFor()
    const counter = await open(ana, "counter", "notes", token)
    await isSaved(counter)
    await counter.click("#raise")
    await counter.locator("#number").getByText("1", { exact: true }).waitFor()
    for (const page of [cart, counter]) expect(await page.locator(".badge").isVisible()).toBe(false)
    await Promise.all([cart.close(), counter.close()])
  })
})

describe("a reader", () => {
  it("finds everything that changes something disabled, and the rest not", async () => {
    const token = await tokenFor("read", "*", ...parties)
    const cart = await open(ana, "cart", "ana", token)
    await cart.locator(".badge").waitFor()
    expect(await cart.locator('[aria-label="Add Lantern"]').isDisabled()).toBe(true)
    expect(await cart.locator("#curl button").isDisabled()).toBe(false)
    const counter = await open(ana, "counter", "notes", token)
    await counter.locator(".badge").waitFor()
    expect(await counter.locator("#raise").isDisabled()).toBe(true)
    await Promise.all([cart.close(), counter.close()])
  })

  it("sees a header that fits a phone", async () => {
    const token = await tokenFor("read", "*")
    const page = await open(cem, "draw", "a-document-with-a-long-name", token)
    await page.locator(".badge").waitFor()
    const boxes = await page
      .locator("#bar, #bar h1, .badge, .state, .people, .share")
      .evaluateAll((parts) => parts.map((part) => part.getBoundingClientRect().toJSON() as DOMRect))
    const [bar, ...parts] = boxes
    for (const [index, part] of parts.entries()) {
      expect(part.top).toBeGreaterThanOrEqual(bar!.top)
      expect(part.bottom).toBeLessThanOrEqual(bar!.bottom)
      expect(part.right).toBeLessThanOrEqual(parts[index + 1]?.left ?? bar!.right)
    }
    await page.close()
  })
})

describe("a page that the room has closed", () => {
  it("is locked when its document is deleted, and offers a new one", async () => {
    const token = await tokenFor("write", "*")
    const page = await open(ana, "text", "doomed", token)
    await isSaved(page)
    await page.click(".cm-content")
    await page.keyboard.type("soon gone")
    await isSaved(page)
    const headers = { authorization: `Bearer ${token}` }
    const deleted = await fetch(`${server.url}/docs/doomed`, { method: "DELETE", headers })
    expect(deleted.ok).toBe(true)
    await page.getByText("This document was deleted").waitFor()
    expect(await page.locator(".cm-content").getAttribute("contenteditable")).toBe("false")
    await page.click("text=Start a new one")
    await isSaved(page)
    expect(new URL(page.url()).searchParams.get("doc")).not.toBe("doomed")
    // The copy that this browser has kept brings nothing back.
    const again = await ana.newPage()
    await again.goto(`${server.url}/text.html?doc=doomed#token=${token}`)
    await again.locator('.state[data-state="saved"], .banner:not([hidden])').first().waitFor()
    expect(await again.locator(".cm-content").innerText()).not.toContain("soon gone")
    expect((await fetch(`${server.url}/docs/doomed`, { headers })).status).toBe(404)
    await again.close()
    await page.close()
  })

  it.each([
    ["text", ".cm-content"],
    ["rich", ".content"],
  ])("is locked when it is refused, and offers to reload (%s)", async (name, content) => {
    const page = await open(ana, name, "others", await tokenFor("write", "mine"))
    await page.locator('.state[data-state="stopped"]').waitFor()
    expect(await page.locator(content).getAttribute("contenteditable")).toBe("false")
    await page.locator(".banner button", { hasText: "Reload" }).waitFor()
    await page.close()
  })

  it("opens again when a link with another token is put into its address", async () => {
    const page = await open(ana, "text", "mine", await tokenFor("write", "other"))
    await page.locator('.state[data-state="stopped"]').waitFor()
    const token = await tokenFor("write", "mine")
    await page.evaluate((token) => {
      location.hash = `token=${token}`
    }, token)
    await isSaved(page)
    await page.close()
  })
})

/** What an editor shows, without the names at the others' carets. */
function written(page: Page): Promise<string> {
  return page.locator(".cm-line").evaluateAll((lines) =>
    lines
      .map((line) => {
        const copy = line.cloneNode(true) as Element
        for (const caret of copy.querySelectorAll(".cm-ySelectionCaret")) caret.remove()
        return copy.textContent
      })
      .join("\n"),
  )
}

/** Type at the end, until it is saved. */
async function type(page: Page, text: string): Promise<void> {
  await page.locator(".cm-content").click()
  await page.keyboard.press("Control+End")
  await page.keyboard.insertText(text)
  await page.evaluate(() => new Promise((resolve) => setTimeout(resolve)))
  await isSaved(page)
}

it("[H1] [H3] [H4] shows who wrote what, and brings it back for everybody", async () => {
  const faults: string[] = []
  const write = async (who: BrowserContext, name: string): Promise<Page> => {
    const docs = [{ id: "*", rights: "write" as const, rollback: "any" }]
    const token = signToken(SECRET, { ...claimsOf(name.toLowerCase(), docs), name })
    const page = await open(who, "text", "then", token)
    page.on("pageerror", (error) => faults.push(String(error)))
    await isSaved(page)
    return page
  }
  const one = await write(ana, "Ana")
  await type(one, "Bread and salt. ")
  const bo = await write(cem, "Bo")
  await bo.getByText("Bread and salt.").waitFor()
  await type(bo, "No salt!")
  await one.getByText("No salt!").waitFor()

  await one.getByRole("button", { name: "History" }).click()
  const then = one.getByRole("region", { name: "The text as it was" })
  await then.locator("ins", { hasText: "No salt!" }).waitFor()
  expect(await then.locator("ins").getAttribute("title")).toContain("Bo")
  expect(await then.textContent()).toBe("Bread and salt. No salt!")
  await one.getByLabel("Colour by author").check()
  await then.locator("span", { hasText: "Bread and salt." }).waitFor()
  expect(await then.locator("span").first().getAttribute("title")).toContain("Ana")
  await one.getByLabel("Colour by author").uncheck()

  await one.getByRole("button", { name: "Undo Bo’s part" }).click()
  await expect.poll(() => written(bo)).toBe("Bread and salt. ")
  await one.locator('.stops [data-stop="2"]').waitFor()
  await one.locator('.stops [data-stop="1"] button').click()
  await then.locator("ins", { hasText: "No salt!" }).waitFor()
  await one.getByRole("button", { name: "Bring this back" }).click()
  await expect.poll(() => written(bo)).toBe("Bread and salt. No salt!")
  await one.getByRole("button", { name: "Back to writing" }).click()
  await expect.poll(() => one.locator(".cm-content").isVisible()).toBe(true)

  await bo.getByRole("button", { name: "History" }).click()
  await bo.getByRole("slider", { name: "Moment" }).waitFor()
  const box = await bo.getByRole("complementary", { name: "History" }).boundingBox()
  expect(box!.x).toBe(0)
  expect(box!.width).toBe(390)
  expect(await bo.evaluate(() => document.documentElement.scrollWidth)).toBe(390)
  expect(faults).toEqual([])
  await Promise.all([one.close(), bo.close()])
})

it.each(["rich", "tiptap", "blocknote"])(
  "[H3] [H4] shows what came and went in the blocks of %s, and takes it back",
  async (name) => {
    const docs = [{ id: "*", rights: "write" as const, rollback: "any" }]
    const write = async (who: BrowserContext, by: string): Promise<Page> => {
      const token = signToken(SECRET, { ...claimsOf(by.toLowerCase(), docs), name: by })
      return open(who, name, `blocks-${name}`, token)
    }
    const one = await write(ana, "Ana")
    await one.locator(".content").click()
    await one.keyboard.type("# A plan\n1. Bread.\nSalt.")
    await isSaved(one)
    const bo = await write(cem, "Bo")
    await bo.getByText("Bread.").waitFor()
    await bo.getByText("Salt.").waitFor()
    await Promise.all([isSaved(one), isSaved(bo)])
    // So that what follows is in a revision of its own.
    await revisionOf(`blocks-${name}`, signToken(SECRET, claimsOf("ana", docs)))
    await bo.getByText("Bread.").click()
    await bo.keyboard.press("End")
    await bo.keyboard.type(" No salt!")
    await one.getByText("No salt!").waitFor()

    await one.getByRole("button", { name: "History" }).click()
    const then = one.getByRole("region", { name: "The text as it was" })
    await then.locator("p", { hasText: "Bread." }).locator("ins", { hasText: "No salt!" }).waitFor()
    expect(await then.locator("h1").textContent()).toBe("A plan")
    const items = await then
      .locator("p")
      .evaluateAll((all) => all.map((item) => `${item.dataset.sign} ${item.textContent}`))
    expect(items.slice(0, 2)).toEqual(["1. Bread. No salt!", "2. Salt."])
    const [page, side] = await Promise.all([then.boundingBox(), one.locator("#history").boundingBox()])
    expect(side!.x).toBe(page!.x + page!.width)
    await one.getByRole("button", { name: "Undo Bo’s part" }).click()
    await expect.poll(() => bo.locator(".content").innerText()).not.toContain("No salt!")
    expect(await bo.locator(".content").innerText()).toContain("Bread.")
    await Promise.all([one.close(), bo.close()])
  },
)

it("[H4] shows what two wrote in the same second", async () => {
  const docs = [{ id: "*", rights: "write" as const }]
  const tokenOf = (name: string) => signToken(SECRET, { ...claimsOf(name.toLowerCase(), docs), name })
  const [one, other] = ["Ana", "Bo"].map((name) => {
    const client = new DocumentClient()
    client.attach(clientSocketOf(openWebSocket(`${server.docs}/second?token=${tokenOf(name)}`)))
    return client
  }) as [DocumentClient, DocumentClient]
  const text = ({ doc }: DocumentClient) => doc.getText("text")
  await until(() => one.synced && other.synced, "both are in")
  text(one).insert(0, "Bread.")
  await until(() => text(other).length > 0, "the other has it")
  // What comes now waits for the commit after the first.
  text(other).insert(6, " No salt!")
  text(one).insert(0, "Fresh. ")
  await until(() => [one, other].every((client) => text(client).length === 22), "both have all")
  const page = await open(ana, "text", "second", tokenOf("Ana"))
  await page.getByText("No salt!").waitFor()
  await page.getByRole("button", { name: "History" }).click()
  const then = page.getByRole("region", { name: "The text as it was" })
  // It stands at the end, which is a stop of both.
  for (const words of ["Fresh.", "No salt!"]) await then.locator("ins", { hasText: words }).waitFor()
  for (const client of [one, other]) client.detach()
  await page.close()
})

it("[H1] plays how a drawing was made, from its first stroke on", async () => {
  const docs = [{ id: "*", rights: "write" as const }]
  const token = signToken(SECRET, { ...claimsOf("dan", docs), name: "Dan" })
  const page = await open(cem, "draw", "made", token)
  const { x, y } = (await page.locator("#board").boundingBox())!
  for (const row of [0, 1, 2]) {
    const before = await revisionOf("made", token)
    await page.mouse.move(x + 60, y + 80 + 60 * row)
    await page.mouse.down()
    await page.mouse.move(x + 260, y + 90 + 60 * row, { steps: 5 })
    await page.mouse.up()
    await expect.poll(() => revisionOf("made", token)).toBeGreaterThan(before)
    await page.waitForTimeout(300)
  }
  await page.getByRole("button", { name: "Making" }).click()
  const film = page.getByRole("region", { name: "How it was drawn" })
  const slider = film.getByRole("slider", { name: "Picture" })
  // It plays by itself, from its beginning to its end.
  await expect.poll(async () => Number(await slider.getAttribute("max"))).toBeGreaterThanOrEqual(2)
  await expect.poll(async () => (await slider.inputValue()) === (await slider.getAttribute("max"))).toBe(true)
  expect(await film.locator("output").textContent()).toContain("Dan")
  await slider.fill("0")
  await expect.poll(() => slider.inputValue()).toBe("0")
  await film.getByRole("button", { name: "Back to drawing" }).click()
  await expect.poll(() => film.isVisible()).toBe(false)
  expect(await page.locator("#board").getAttribute("aria-label")).toBe("The drawing: 3 strokes")
  await page.close()
})
