/**
 * What a newcomer meets on the pages in the first minutes: undo, the header on a desk and on a phone, the keyboard,
 * and ids. What two people do to each other is in pages.test.ts, what tokens allow in page-rights.test.ts. Longer than
 * other files, because a file of its own for each page would start a server and a browser each.
 */
import { readFile } from "node:fs/promises"
import type { Browser, BrowserContext, Page } from "playwright-core"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { WebsocketProvider } from "y-websocket"
import * as Y from "yjs"
import { startHttpProxy } from "../kit/http-proxy.ts"
import { startProxy, type TcpProxy } from "../kit/proxy.ts"
import { startServer, type TestServer, until } from "../kit/server.ts"
import { launchBrowser } from "./browser.ts"
import { isSaved, openVisitor, PHONE } from "./visitors.ts"

let server: TestServer
let cable: TcpProxy
let browser: Browser
/** At a desk, at another desk, and with a phone. */
let ana: BrowserContext
let bo: BrowserContext
let cem: BrowserContext

beforeAll(async () => {
  server = await startServer()
  cable = await startProxy(Number(new URL(server.url).port))
  browser = await launchBrowser()
  ana = await openVisitor(browser, { name: "Ana Lima", color: "#0369a1" })
  bo = await openVisitor(browser, { name: "Bo", color: "#c2410c" })
  cem = await openVisitor(browser, { name: "Cem", color: "#0f766e", ...PHONE })
})

afterAll(async () => {
  await browser?.close()
  await cable?.close()
  await server?.stop()
})

let made = 0
const newId = () => `details-${++made}`

/** The page of a document, once it is saved. */
async function open(who: BrowserContext, name: string, docId: string, base = server.url): Promise<Page> {
  const page = await who.newPage()
  await page.goto(`${base}/${name}.html?doc=${docId}`)
  await isSaved(page)
  return page
}

async function shows(page: Page, selector: string, text: string): Promise<void> {
  let shown = ""
  await until(
    async () => {
      shown = (await page.locator(selector).innerText()).replaceAll("\n\n", "\n")
      return shown === text
    },
    `${selector} shows ${JSON.stringify(text)}`,
  ).catch((cause) => {
    throw new Error(`${selector} shows ${JSON.stringify(shown)}, not ${JSON.stringify(text)}`, { cause })
  })
}

describe("rich text", () => {
  it("brings back by redo what undo took from an otherwise empty text", async () => {
    const page = await open(ana, "rich", newId())
    await page.click(".content")
    await page.keyboard.type("hello world")
    for (let round = 0; round < 2; round++) {
      await page.keyboard.press("Control+z")
      await shows(page, ".content", "\n")
      await page.keyboard.press("Control+Shift+z")
      await shows(page, ".content", "hello world")
    }
    await page.close()
  })

  it("[C3] is written through a network that swallows upgrades, and on a socket as soon as one opens", async () => {
    const network = await startHttpProxy(server.url)
    network.upgrades = "nothing"
    const base = network.docs.replace(/^ws(.*)\/docs$/, "http$1")
    const docId = newId()
    const [page, other] = await Promise.all([open(cem, "rich", docId, base), open(bo, "rich", docId)])
    await page.click(".content")
    await page.keyboard.type("over HTTP")
    await shows(other, ".content", "over HTTP")
    await isSaved(page)
    expect([network.opened, (network.requests.PATCH ?? 0) > 0]).toEqual([0, true])
    network.upgrades = null
    network.cut()
    await until(() => network.opened > 1, "a socket was tried, and another one is used")
    await isSaved(page)
    await page.keyboard.type(", and on a socket")
    await shows(other, ".content", "over HTTP, and on a socket")
    await Promise.all([page.close(), other.close()])
    await network.close()
  })

  it("leaves others' words standing when their paragraph's author undoes it", async () => {
    const docId = newId()
    const [first, second] = await Promise.all([open(ana, "rich", docId), open(bo, "rich", docId)])
    await second.click(".content")
    await second.keyboard.type("top")
    await shows(first, ".content", "top")
    await first.click(".content")
    await first.keyboard.press("Control+End")
    await first.keyboard.press("Enter")
    await first.keyboard.type("ours")
    await shows(second, ".content", "top\nours")
    await second.keyboard.press("Control+End")
    await second.keyboard.press("ArrowLeft")
    await second.keyboard.type("BO")
    await shows(first, ".content", "top\nourBOs")
    await first.keyboard.press("Control+z")
    await Promise.all([first, second].map((page) => shows(page, ".content", "top\nBO")))
    await first.keyboard.press("Control+Shift+z")
    await Promise.all([first, second].map((page) => shows(page, ".content", "top\nourBOs")))
    await Promise.all([first.close(), second.close()])
  })

  it("goes on undoing after Lexical has merged words of its own accord", async () => {
    const docId = newId()
    const [first, second] = await Promise.all([open(ana, "rich", docId), open(bo, "rich", docId)])
    await first.click(".content")
    await first.keyboard.type("ours")
    await shows(second, ".content", "ours")
    await second.click(".content")
    await second.keyboard.press("Control+End")
    await second.keyboard.press("ArrowLeft")
    await second.keyboard.type("BO")
    await shows(first, ".content", "ourBOs")
    // What follows is a step of its own only if it comes half a second later: Yjs measures nothing but time.
    await first.waitForTimeout(600)
    await first.keyboard.press("Control+a")
    await first.keyboard.press("Control+b")
    await second.locator(".content strong").waitFor()
    await second.keyboard.type("IS")
    await shows(first, ".content", "ourBOISs")
    await first.keyboard.press("Control+z")
    await first.locator(".content span").first().waitFor()
    await first.keyboard.press("Control+z")
    await until(
      async () => !(await first.locator(".content").innerText()).startsWith("our"),
      "Ana's are gone",
    )
    expect(await first.locator(".content").innerText()).toContain("BOIS")
    await Promise.all([first.close(), second.close()])
  })

  it("opens the link panel by Ctrl K, and links the selected words", async () => {
    const page = await open(ana, "rich", newId())
    await page.click(".content")
    await page.keyboard.type("map")
    await page.keyboard.press("Control+a")
    await page.keyboard.press("Control+k")
    await page.locator("#address").fill("https://example.org/")
    await page.keyboard.press("Enter")
    await page.locator('.content a[href="https://example.org/"]').waitFor()
    await page.close()
  })
})

describe("text", () => {
  it.each(["text", "rich"])("takes what is typed at once on a new page (%s)", async (name) => {
    const page = await ana.newPage()
    await page.goto(`${server.url}/${name}.html`)
    await isSaved(page)
    await page.getByText("Write something, together.").waitFor()
    await page.keyboard.type("straight away")
    await page.locator("main").getByText("straight away").waitFor()
    await page.close()
  })

  it("renames the flag of a caret that stands still", async () => {
    const docId = newId()
    const [first, second] = await Promise.all([open(ana, "text", docId), open(bo, "text", docId)])
    await second.click(".cm-content")
    await second.keyboard.type("here")
    await first.locator(".cm-ySelectionInfo", { hasText: "Bo" }).waitFor({ state: "attached" })
    await second.evaluate(() => document.getElementById("people")?.showPopover())
    await second.locator("#my-name").evaluate((field: HTMLInputElement) => {
      field.value = "Boris"
      field.dispatchEvent(new Event("input"))
    })
    await first.locator(".cm-ySelectionInfo", { hasText: "Boris" }).waitFor({ state: "attached" })
    await second.evaluate(() => localStorage.setItem("name", "Bo"))
    await Promise.all([first.close(), second.close()])
  })

  it("writes Arabic from the right, and finds in a panel that looks like the page", async () => {
    const page = await open(ana, "text", newId())
    await page.click(".cm-content")
    await page.keyboard.insertText("left\nمرحبا")
    const directions = await page
      .locator(".cm-line")
      .evaluateAll((lines) => lines.map((line) => getComputedStyle(line).direction))
    expect(directions).toEqual(["ltr", "rtl"])
    await page.keyboard.press("Control+f")
    const looks = await page
      .locator(".cm-search .cm-button")
      .first()
      .evaluate((button) => getComputedStyle(button).backgroundImage)
    expect(looks).toBe("none")
    await page.close()
  })
})

describe("counter", () => {
  it.each([
    ["desk", () => ana],
    ["phone", () => cem],
  ])("keeps eight figures inside their column (%s)", async (_size, who) => {
    const docId = newId()
    const page = await open(who(), "counter", docId)
    const doc = new Y.Doc()
    const provider = new WebsocketProvider(server.docs.replace("/docs", "/parties/counter"), docId, doc, {
      disableBc: true,
    })
    try {
      doc.getMap("counter").set("n", 12_345_678)
      await shows(page, "#number", "12,345,678")
      const over = await page.locator("#number").evaluate((number) => {
        const range = document.createRange()
        range.selectNodeContents(number)
        const column = number.parentElement!.getBoundingClientRect()
        const figures = range.getBoundingClientRect()
        return Math.max(column.left - figures.left, figures.right - column.right)
      })
      expect(over).toBeLessThanOrEqual(0)
    } finally {
      provider.destroy()
      doc.destroy()
    }
    await page.close()
  })

  it("forgets that the server could not be reached once it can", async () => {
    const page = await open(ana, "counter", newId(), cable.url)
    cable.sever()
    await page.click("#raise")
    await page.locator("#problem").waitFor()
    cable.heal()
    await page.evaluate(() => dispatchEvent(new Event("online")))
    await page.locator("#problem").waitFor({ state: "hidden" })
    await page.close()
  })
})

describe("cart", () => {
  it("keeps the keyboard's place while pieces come and go", async () => {
    const page = await open(ana, "cart", newId())
    const focused = () => page.evaluate(() => document.activeElement?.ariaLabel ?? document.activeElement?.id)
    for (const name of ["Kettle", "Lantern"]) await page.click(`[aria-label="Add ${name}"]`)
    await page.locator('[aria-label="One Kettle more"]').focus()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Enter")
    await shows(page, "#pieces", "4 pieces")
    expect(await focused()).toBe("One Kettle more")
    await page.locator('[aria-label="One Lantern less"]').focus()
    await page.keyboard.press("Enter")
    await shows(page, "#pieces", "3 pieces")
    expect(await focused()).toBe("One Kettle less")
    for (let left = 3; left > 0; left--) await page.keyboard.press("Enter")
    await shows(page, "#pieces", "0 pieces")
    expect(await focused()).toBe("basket-title")
    await page.close()
  })

  it("has a header before it knows whose cart it is, and one for people whose name it can't spell", async () => {
    const page = await bo.newPage()
    await page.goto(`${server.url}/cart.html`)
    await page.locator("#bar .home").waitFor()
    await page.fill("#owner", "Zoë Çelik 👋")
    await page.keyboard.press("Enter")
    await page.locator("#shop").waitFor()
    expect(new URL(page.url()).searchParams.get("doc")).toBe("zoe-celik")
    await page.close()
  })
})

describe("the header", () => {
  it.each(["text", "rich", "draw", "counter", "cart"])("names the page in its only h1 (%s)", async (name) => {
    const docId = newId()
    const page = await open(ana, name, docId)
    const names = await page.locator("#bar h1").allInnerTexts()
    expect(names).toHaveLength(1)
    expect(names[0]).toContain(docId)
    await page.close()
  })

  it("gives a visitor whose made-up name is taken another one, and another colour", async () => {
    const docId = newId()
    const twins: Page[] = []
    for (let twin = 0; twin < 2; twin++) {
      const page = await (await browser.newContext()).newPage()
      await page.addInitScript(() => {
        sessionStorage.setItem("name", sessionStorage.getItem("name") ?? "Bold Heron")
        sessionStorage.setItem("color", sessionStorage.getItem("color") ?? "#0369a1")
      })
      await page.goto(`${server.url}/text.html?doc=${docId}`)
      await isSaved(page)
      twins.push(page)
    }
    const [first, second] = twins as [Page, Page]
    await until(async () => (await first.locator(".faces .face").count()) === 2, "both are here")
    const faces = first.locator(".faces .face")
    await until(
      async () => (await faces.nth(1).getAttribute("title")) !== "Bold Heron",
      "the second has another name",
    )
    expect(await faces.nth(0).getAttribute("title")).toBe("Bold Heron")
    expect(await faces.nth(1).getAttribute("style")).not.toBe(await faces.nth(0).getAttribute("style"))
    await Promise.all([first.context().close(), second.context().close()])
  })

  it("counts everybody on a phone too", async () => {
    const docId = newId()
    const pages = await Promise.all([cem, ana, bo].map((who) => open(who, "text", docId)))
    const phone = pages[0]!
    await shows(phone, ".face.more", "+1")
    expect(await phone.locator(".faces .face:not(.more):visible").count()).toBe(2)
    // And names those who stand in one place one beside or above the other, inside of the page.
    for (const page of pages.slice(1)) await page.click(".cm-content")
    const names = phone.locator(".cm-ySelectionInfo")
    await until(async () => (await names.count()) === 2, "both carets are there")
    const [one, other] = [(await names.nth(0).boundingBox())!, (await names.nth(1).boundingBox())!]
    expect(one.x + one.width <= other.x || one.y >= other.y + other.height).toBe(true)
    expect(other.x + other.width).toBeLessThanOrEqual(PHONE.viewport.width)
    await Promise.all(pages.map((page) => page.close()))
  })

  it("shows no country on a server of this machine, where nobody has come from anywhere", async () => {
    const asked: string[] = []
    const page = await ana.newPage()
    page.on("request", (request) => asked.push(new URL(request.url()).pathname))
    await page.goto(`${server.url}/text.html?doc=${newId()}`)
    await isSaved(page)
    expect(asked).not.toContain("/where")
    expect(await page.locator(".flag, .country").count()).toBe(0)
    await page.close()
  })

  it("says that the link is copied, on a phone too", async () => {
    await cem.grantPermissions(["clipboard-read", "clipboard-write"], { origin: server.url })
    const page = await open(cem, "text", newId())
    // A phone's browser has a menu for links; this one may not, and then the clipboard has to do.
    await page.evaluate(() =>
      Object.defineProperty(navigator, "share", { value: undefined, configurable: true }),
    )
    await page.tap(".share")
    await page.locator(".share").getByText("Copied").waitFor()
    await page.close()
  })

  it("passes the link to the phone's own menu where there is one", async () => {
    const page = await open(cem, "text", newId())
    await page.evaluate(() => {
      Object.defineProperty(navigator, "share", {
        value: async ({ url }: ShareData) => document.body.append(`shared ${url}`),
      })
    })
    await page.tap(".share")
    await page.getByText(`shared ${page.url()}`).waitFor()
    await page.close()
  })

  it("shows the link to be copied by hand where a page may not", async () => {
    const page = await open(ana, "text", newId())
    await page.evaluate(() => Object.defineProperty(navigator, "clipboard", { value: undefined }))
    await page.click(".share")
    await page.locator("#link").waitFor()
    expect(await page.locator("#link").inputValue()).toBe(page.url())
    await page.close()
  })

  it("says Saving once while somebody types steadily", async () => {
    const page = await open(ana, "text", newId(), cable.url)
    await page.evaluate(() => {
      const line = document.querySelector<HTMLElement>(".state")!
      const seen: (string | undefined)[] = []
      new MutationObserver(() => seen.push(line.dataset.state)).observe(line, {
        attributeFilter: ["data-state"],
      })
      Object.assign(globalThis, { seen })
    })
    // Each letter is saved before the next one, and late enough to show: without calm the line would flip with each.
    cable.delayMs = () => 250
    await page.click(".cm-content")
    await page.keyboard.type("steadily", { delay: 650 })
    cable.delayMs = null
    await isSaved(page)
    expect(await page.evaluate(() => Reflect.get(globalThis, "seen"))).toEqual(["saving", "saved"])
    await page.close()
  })
})

describe("without a network", () => {
  it("does not ask the server why at each attempt", async () => {
    const page = await open(ana, "text", newId(), cable.url)
    let asked = 0
    let attempts = 0
    page.on("request", (request) => {
      if (request.url().includes("/docs/")) asked++
    })
    page.on("websocket", () => attempts++)
    cable.sever()
    await until(() => attempts >= 4, "there were four attempts")
    cable.heal()
    expect(asked).toBeLessThanOrEqual(1)
    await page.close()
  })
})

describe("the console", () => {
  it("stays empty on a return visit, when the service worker answers", async () => {
    const page = await open(ana, "text", newId())
    await page.evaluate(() => navigator.serviceWorker.ready.then(() => {}))
    const said: string[] = []
    page.on("console", (message) => said.push(message.text()))
    for (let visit = 0; visit < 3; visit++) {
      await page.goto(`${server.url}/`)
      await page.frameLocator('iframe[title="Text, live"]').getByText("Write with me").waitFor()
      await page.frameLocator('iframe[title="Cart, live"]').locator("#shop").waitFor()
    }
    expect(said).toEqual([])
    await page.close()
  })
})

describe.each(["tiptap", "blocknote"])("a new document in %s", (name) => {
  it("has one first paragraph and an empty console when two open it at the same time", async () => {
    const docId = newId()
    const said: string[] = []
    const enter = async (who: BrowserContext): Promise<Page> => {
      const page = await who.newPage()
      page.on("console", (message) => said.push(message.text()))
      await page.goto(`${server.url}/${name}.html?doc=${docId}`)
      await isSaved(page)
      return page
    }
    const [first, second] = await Promise.all([enter(ana), enter(bo)])
    await first.click(".content")
    await first.keyboard.type("here")
    await second.locator(".content").getByText("here").waitFor()
    expect(await second.locator(".content p").count()).toBe(1)
    await first.getByRole("button", { name: "Who is here" }).click()
    await first.getByRole("button", { name: "Invite an agent" }).waitFor()
    expect(said).toEqual([])
    await Promise.all([first.close(), second.close()])
  })
})

describe("drawing", () => {
  it("leaves the colours free when the export menu is open on a phone", async () => {
    const page = await open(cem, "draw", newId())
    await page.tap('[aria-label="Export"]')
    const menu = await page.locator("#exports").boundingBox()
    const tools = await page.locator("#tools").boundingBox()
    expect(menu!.y + menu!.height).toBeLessThanOrEqual(tools!.y)
    await page.keyboard.press("Escape")
    for (const name of ["Move the board", "Zoom 100 %, show everything"])
      expect(await page.locator(`[aria-label="${name}"]`).isVisible()).toBe(true)
    await page.close()
  })

  it("draws no ring round the board after a touch, and does after a Tab", async () => {
    const page = await open(cem, "draw", newId())
    const ring = () => page.locator("#board").evaluate((board) => getComputedStyle(board).outlineStyle)
    await page.tap("#board")
    expect(await ring()).toBe("none")
    await page.keyboard.press("Shift+Tab")
    await page.keyboard.press("Tab")
    expect(await ring()).toBe("solid")
    await page.close()
  })

  it("does not move the board under a pen that was quicker than the server", async () => {
    cable.delayMs = () => 400
    const page = await ana.newPage()
    await page.goto(`${cable.url}/draw.html?doc=${newId()}`)
    await page.locator("#board canvas").first().waitFor({ state: "attached" })
    const view = () => page.locator("#board").evaluate((board) => board.style.getPropertyValue("--dots-at"))
    await page.mouse.move(200, 200)
    await page.mouse.down()
    await page.mouse.move(260, 240, { steps: 3 })
    const before = await view()
    expect(await page.locator(".state").getAttribute("data-state")).toBe("connecting")
    cable.delayMs = null
    await page.locator('.state:not([data-state="connecting"])').waitFor()
    await page.mouse.move(300, 200, { steps: 3 })
    await page.mouse.up()
    expect(await view()).toBe(before)
    await isSaved(page)
    await page.close()
  })

  it("saves a picture of what is drawn", async () => {
    const page = await open(ana, "draw", newId())
    await page.mouse.move(300, 300)
    await page.mouse.down()
    await page.mouse.move(500, 300, { steps: 5 })
    await page.mouse.up()
    await page.click('[aria-label="Export"]')
    const [download] = await Promise.all([page.waitForEvent("download"), page.click("text=Save as PNG")])
    const png = await readFile(await download.path())
    // A PNG tells its size in its first chunk.
    expect(png.readUInt32BE(16)).toBeGreaterThan(400)
    expect(png.readUInt32BE(20)).toBeGreaterThan(40)
    await page.close()
  })
})

describe("ids", () => {
  it("opens a new document for an id that no address can hold", async () => {
    const page = await open(ana, "text", "..")
    expect(new URL(page.url()).searchParams.get("doc")).toMatch(/^[a-z]+-[a-z]+-\w{5}$/)
    await page.close()
  })

  it("opens a page whose ending somebody left out", async () => {
    const page = await ana.newPage()
    await page.goto(`${server.url}/counter?doc=${newId()}`)
    await isSaved(page)
    expect(new URL(page.url()).pathname).toBe("/counter.html")
    await page.close()
  })

  it("takes ids as people write them, over the socket and over HTTP", async () => {
    const page = await open(ana, "counter", encodeURIComponent(`Müller/Angebot 3 @${newId()}`))
    await page.click("#raise")
    await shows(page, "#number", "1")
    await page.close()
  })
})
