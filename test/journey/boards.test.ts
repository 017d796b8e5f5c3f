/** The board of cards, the drawing's shapes and notes, and the list of one's documents: two people on one server. */
import type { Browser, BrowserContext, Page } from "playwright-core"
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import { startProxy, type TcpProxy } from "../kit/proxy.ts"
import { startServer, type TestServer } from "../kit/server.ts"
import { launchBrowser } from "./browser.ts"
import { isSaved, openVisitor, PHONE } from "./visitors.ts"

let server: TestServer
/** Ana's, which can be cut. */
let cable: TcpProxy
let browser: Browser
/** At a desk, and with a phone. */
let ana: BrowserContext
let cem: BrowserContext
const faults: string[] = []

beforeAll(async () => {
  ;[server, browser] = await Promise.all([startServer(), launchBrowser()])
  cable = await startProxy(Number(new URL(server.url).port))
  ana = await openVisitor(browser, { name: "Ana Lima", color: "#0369a1" })
  cem = await openVisitor(browser, { name: "Cem", color: "#0f766e", ...PHONE })
})

afterEach(() => cable.heal())

afterAll(async () => {
  await browser?.close()
  await cable?.close()
  await server?.stop()
})

async function open(who: BrowserContext, path: string): Promise<Page> {
  const page = await who.newPage()
  page.on("pageerror", (error) => faults.push(`${path}: ${error.stack}`))
  await page.goto(`${who === ana ? cable.url : server.url}/${path}`)
  await isSaved(page)
  return page
}

const openBoth = (path: string) => Promise.all([open(ana, path), open(cem, path)])

/** The words of the cards, column by column. */
function cardsOf(page: Page): Promise<string[]> {
  return page
    .locator(".column ul")
    .evaluateAll((lists) =>
      lists.map((list) =>
        [...list.querySelectorAll(".card > p")].map((words) => words.textContent).join(", "),
      ),
    )
}

async function addCard(page: Page, words: string): Promise<void> {
  await page.locator(".column .add").first().click()
  await page.keyboard.type(words)
  await page.keyboard.press("Enter")
}

const card = (page: Page, words: string) => page.getByRole("group", { name: words, exact: true })

describe("cards", () => {
  it("merges two moves of one card and the words written in it meanwhile, and undoes one's own alone", async () => {
    const [first, second] = await openBoth("kanban.html?doc=supper")
    await first.locator("#title").fill("Supper on Friday")
    await addCard(first, "bread")
    await addCard(first, "tea")
    await expect.poll(() => cardsOf(second)).toEqual(["bread, tea", "", ""])
    expect(await first.locator(".column .count").allTextContents()).toEqual(["2", "0", "0"])

    cable.sever()
    await first.locator('.state[data-state="offline"]').waitFor()
    // Of Ana, by the keyboard: to the last column, and what others see is nothing until it is put down.
    await card(first, "bread").focus()
    for (const key of ["Space", "ArrowRight", "ArrowRight", "Space"]) await first.keyboard.press(key)
    expect(await cardsOf(first)).toEqual(["tea", "", "bread"])
    expect(await first.evaluate(() => document.activeElement?.ariaLabel)).toBe("bread")
    // Of Cem, with a finger at the grip: to the middle one. Then he writes in it.
    await dragWithFinger(second, "bread", 1)
    expect(await cardsOf(second)).toEqual(["tea", "bread", ""])
    await card(second, "bread").press("Enter")
    await second.keyboard.type(" and salt")
    await second.getByRole("button", { name: "Done" }).tap()
    cable.heal()
    await first.evaluate(() => dispatchEvent(new Event("online")))
    await expect.poll(() => cardsOf(first).then((lists) => lists.join())).toContain("bread and salt")
    await expect.poll(() => cardsOf(second).then((lists) => lists.join())).toContain("bread and salt")
    const both = await cardsOf(first)
    await expect.poll(() => cardsOf(second)).toEqual(both)
    expect([
      ["tea", "bread and salt", ""],
      ["tea", "", "bread and salt"],
    ]).toContainEqual(both)

    await addCard(second, "salt")
    await expect.poll(async () => (await cardsOf(first))[0]).toBe("tea, salt")
    // Ana moved bread, and before that she wrote tea: neither is Cem's.
    for (let undone = 0; undone < 3; undone++) await first.getByRole("button", { name: "Undo" }).click()
    await expect.poll(async () => (await cardsOf(second))[0]).not.toContain("tea")
    expect((await cardsOf(second)).join()).toContain("salt")
    const before = await cardsOf(second)
    await first.reload()
    await expect.poll(() => cardsOf(first)).toEqual(before)
    await Promise.all([first.close(), second.close()])
  })

  it("puts a card back by Escape, and shows its source on a phone too", async () => {
    const page = await open(cem, "kanban.html?doc=escape")
    await addCard(page, "one")
    await addCard(page, "two")
    await card(page, "two").focus()
    for (const key of ["Space", "ArrowUp", "ArrowRight"]) await page.keyboard.press(key)
    expect(await cardsOf(page)).toEqual(["one", "two", ""])
    await page.keyboard.press("Escape")
    expect(await cardsOf(page)).toEqual(["one, two", "", ""])
    // Opened, and nothing written: it is gone.
    await addCard(page, "")
    expect(await cardsOf(page)).toEqual(["one, two", "", ""])
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390)
    await card(page, "one").tap()
    await page.getByRole("textbox", { name: "The card’s text" }).waitFor()
    await page.locator("#bar .people").tap()
    await page.getByRole("button", { name: "How this page is made" }).tap()
    await page.locator(".source-panel").getByText("Column and position are one value").waitFor()
    await page.close()
  })
})

/** Take a card at its grip, and let it go over another column. */
async function dragWithFinger(page: Page, words: string, column: number): Promise<void> {
  const touch = await page.context().newCDPSession(page)
  const from = (await card(page, words).locator(".grip").boundingBox())!
  const to = (await page.locator(".column").nth(column).boundingBox())!
  const [x, y] = [from.x + from.width / 2, from.y + from.height / 2]
  const send = (type: "touchStart" | "touchMove" | "touchEnd", points: { x: number; y: number }[]) =>
    touch.send("Input.dispatchTouchEvent", { type, touchPoints: points })
  await send("touchStart", [{ x, y }])
  // What of the column is on the screen.
  const end = { x: Math.min(to.x + 30, 385), y: to.y + 60 }
  for (let step = 1; step <= 4; step++)
    await send("touchMove", [{ x: x + ((end.x - x) * step) / 4, y: y + ((end.y - y) * step) / 4 }])
  await send("touchEnd", [])
  await touch.detach()
}

describe("the drawing", () => {
  const things = (page: Page) =>
    page.locator(".thing").evaluateAll((all) => all.map((thing) => thing.ariaLabel).sort())
  const drag = async (page: Page, from: [number, number], to: [number, number]) => {
    await page.mouse.move(...from)
    await page.mouse.down()
    await page.mouse.move(...to, { steps: 4 })
    await page.mouse.up()
  }

  it("has shapes, notes and strokes that two people put, write in, move and undo", async () => {
    const [first, second] = await openBoth("draw.html?doc=plan")
    await first.keyboard.press("b")
    await drag(first, [300, 200], [500, 300])
    await expect.poll(() => things(second)).toEqual(["Box"])
    await first.keyboard.press("n")
    await first.mouse.click(600, 220)
    await first.keyboard.type("bread")
    await expect.poll(() => things(second)).toEqual(["Box", "Note: bread"])
    // Cem writes in the note while Ana is in it too.
    await second.getByRole("button", { name: "Select and move" }).tap()
    await second.locator(".thing.note").focus()
    await second.keyboard.press("Enter")
    await second.keyboard.press("End")
    await second.keyboard.type(" and salt")
    await first.keyboard.type("!")
    await expect.poll(() => things(second)).toEqual(["Box", expect.stringMatching(/^Note: bread.*salt/)])
    await first.keyboard.press("Escape")

    await first.keyboard.press("p")
    await drag(first, [320, 400], [420, 400])
    await first.keyboard.press("v")
    // All, by a frame around them; then they move as one.
    await drag(first, [250, 150], [900, 500])
    const before = await places(first)
    await drag(first, [400, 400], [440, 450])
    await expect.poll(() => places(second)).toEqual(before.map(({ x, y }) => ({ x: x + 40, y: y + 50 })))
    const svg = await (await fetch(`${server.url}/docs/plan?format=svg`)).text()
    expect(svg).toContain("<rect ")
    expect(svg).toMatch(/bread.*salt/)

    // Back, step by step: the move, the stroke, Ana's words, her note but for Cem's words, the box.
    for (let undone = 0; undone < 6; undone++) await first.keyboard.press("Control+z")
    await expect.poll(() => things(second)).toEqual(["Note:  and salt"])
    await first.reload()
    await expect.poll(() => things(first)).toEqual(["Note:  and salt"])
    await Promise.all([first.close(), second.close()])
  })

  it("is drawn, moved and erased by keys alone", async () => {
    const page = await open(ana, "draw.html?doc=keys")
    await page.locator("#board").focus()
    for (const key of ["o", "Enter"]) await page.keyboard.press(key)
    await expect.poll(() => things(page)).toEqual(["Ellipse"])
    const [before] = await places(page)
    for (const key of ["ArrowRight", "Shift+ArrowDown"]) await page.keyboard.press(key)
    expect(await places(page)).toEqual([{ x: before!.x + 10, y: before!.y + 1 }])
    await page.keyboard.press("Enter")
    await page.keyboard.type("p, e and n are letters here")
    await page.keyboard.press("Escape")
    expect(await things(page)).toEqual(["Ellipse: p, e and n are letters here"])
    await page.keyboard.press("Delete")
    expect(await things(page)).toEqual([])
    await page.close()
  })

  const places = (page: Page) =>
    page.locator(".thing").evaluateAll((all) =>
      (all as HTMLElement[]).map(({ style }) => ({
        x: Number.parseInt(style.left, 10),
        y: Number.parseInt(style.top, 10),
      })),
    )
})

describe("one's documents", () => {
  it("are listed by what they say first, which follows, and the server's others by their ids", async () => {
    const body = JSON.stringify({ text: "# not opened here yet" })
    const headers = { "content-type": "application/json" }
    expect((await fetch(`${server.url}/docs/unknown`, { method: "PUT", headers, body })).ok).toBe(true)
    const flushed = await fetch(`${server.url}/docs/supper/-/flush`, { method: "POST" })
    expect(flushed.ok).toBe(true)
    await fetch(`${server.url}/docs/unknown/-/flush`, { method: "POST" })

    const text = await open(ana, "text.html?doc=letters")
    await text.locator(".cm-content").click()
    await text.keyboard.type("# A plan for Thursday")
    const list = await ana.newPage()
    await list.goto(`${cable.url}/documents.html`)
    const named = (name: string) => list.locator("#here").getByRole("link", { name, exact: true })
    await named("A plan for Thursday").waitFor()
    await named("Supper on Friday").waitFor()
    await text.keyboard.type(" and Friday")
    await named("A plan for Thursday and Friday").waitFor()
    expect(await text.locator("#bar h1").innerText()).toContain("A plan for Thursday and Friday")
    await list.locator("#there").getByRole("link", { name: "unknown", exact: true }).waitFor()
    await list.getByRole("searchbox").fill("supper")
    expect(await list.locator("#here a").allInnerTexts()).toEqual(["Supper on Friday"])
    await list.getByRole("searchbox").fill("")
    // Cem's browser does not know what it is, so the page looks.
    const others = await cem.newPage()
    await others.goto(`${server.url}/documents.html`)
    await others.locator("#here").getByRole("link", { name: "Supper on Friday" }).waitFor()
    await others.getByRole("button", { name: "Take Supper on Friday off this list" }).tap()
    await others.locator("#there").getByRole("link", { name: "supper", exact: true }).tap()
    await others.locator("#columns").waitFor()
    expect(new URL(others.url()).pathname).toBe("/kanban.html")
    await Promise.all([text.close(), list.close(), others.close()])
  })

  it("are on the start page, all of which fits the screen of a phone", async () => {
    const page = await cem.newPage()
    await page.setViewportSize({ width: 390, height: 844 })
    await page.goto(`${server.url}/`)
    await page.getByRole("link", { name: /^Your/ }).first().waitFor()
    const [across, down] = await page.evaluate(() => {
      const { scrollWidth, scrollHeight } = document.documentElement
      return [scrollWidth, scrollHeight]
    })
    expect(across).toBe(390)
    expect(down).toBeLessThanOrEqual(844)
    await page.close()
  })
})

it("raises no error on any page", () => {
  expect(faults).toEqual([])
})
