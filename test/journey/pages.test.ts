/**
 * Every page in a real browser: two people in contexts of their own, the real server, real storage. One of them is on a
 * cable that can be cut.
 */
import type { Browser, BrowserContext, Page } from "playwright-core"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { WebsocketProvider } from "y-websocket"
import * as Y from "yjs"
import { startProxy, type TcpProxy } from "../kit/proxy.ts"
import { startServer, type TestServer, until } from "../kit/server.ts"
import { launchBrowser } from "./browser.ts"
import { isSaved, openVisitor } from "./visitors.ts"

let server: TestServer
let cable: TcpProxy
let browser: Browser
let ana: BrowserContext
let bo: BrowserContext
const faults: string[] = []

beforeAll(async () => {
  server = await startServer()
  cable = await startProxy(Number(new URL(server.url).port))
  browser = await launchBrowser()
  ana = await openVisitor(browser, { name: "Ana Lima", color: "#0369a1" })
  bo = await openVisitor(browser, { name: "Bo", color: "#c2410c" })
})

afterAll(async () => {
  await browser?.close()
  await cable?.close()
  await server?.stop()
})

/** What a test does on a page, and what it reads there: how many edits of each kind it shows. */
interface Script {
  readonly edit: (page: Page, who: "ana" | "bo") => Promise<void>
  readonly count: (page: Page) => Promise<number>
  readonly undo?: (page: Page) => Promise<void>
  /** Edits are made over HTTP, so there are none while the server is away. */
  readonly online?: true
  /** Shows the others' cursors with their names. */
  readonly cursors?: true
}

const marks = { ana: "•", bo: "◦" }

async function countMarks(page: Page, selector: string): Promise<number> {
  return (((await page.locator(selector).textContent()) ?? "").match(/[•◦]/g) ?? []).length
}

function writeInto(selector: string): Script {
  return {
    cursors: true,
    edit: async (page, who) => {
      await page.locator(selector).click()
      await page.keyboard.press("Control+End")
      await page.keyboard.insertText(marks[who])
    },
    count: (page) => countMarks(page, selector),
    undo: async (page) => {
      await page.locator(selector).click()
      await page.keyboard.press("Control+z")
    },
  }
}

const scripts: Record<string, Script> = {
  text: writeInto(".cm-content"),
  rich: writeInto(".content"),
  draw: {
    cursors: true,
    edit: async (page, who) => {
      const y = who === "ana" ? 250 : 350
      await page.mouse.move(300, y)
      await page.mouse.down()
      for (let x = 320; x <= 500; x += 20) await page.mouse.move(x, y + (x % 40))
      await page.mouse.up()
    },
    count: async (page) => {
      const label = await page.locator('[aria-label^="The drawing"]').getAttribute("aria-label")
      return Number(/\d+/.exec(label ?? "")?.[0] ?? 0)
    },
    undo: (page) => page.locator('[aria-label^="Undo"]').click(),
  },
  counter: {
    online: true,
    edit: (page) => page.locator("#raise").click(),
    count: async (page) => Number(await page.locator("#number").textContent()),
  },
  cart: {
    edit: (page) => page.locator('[aria-label="Add Lantern"]').click(),
    count: async (page) => Number.parseInt((await page.locator("#pieces").textContent()) || "0", 10),
  },
}

let made = 0

/** Both open the same document; Ana through the cable. */
async function openBoth(name: string): Promise<{ first: Page; second: Page; docId: string }> {
  const docId = `pages-${name}-${++made}`
  const open = async (context: BrowserContext, base: string) => {
    const page = await context.newPage()
    page.on("pageerror", (error) => faults.push(`${name}: ${error.stack}`))
    await page.goto(`${base}/${name}.html?doc=${docId}`)
    return page
  }
  const [first, second] = await Promise.all([open(ana, cable.url), open(bo, server.url)])
  for (const page of [first, second]) await isSaved(page)
  return { first, second, docId }
}

async function shows(page: Page, script: Script, count: number): Promise<void> {
  let shown = -1
  await until(async () => {
    shown = await script.count(page)
    return shown === count
  }, `${page.url()} shows ${count} edits`).catch((cause) => {
    throw new Error(`${page.url()} shows ${shown} edits, not ${count}`, { cause })
  })
}

describe.each(Object.entries(scripts))("%s", (name, script) => {
  it("shows each the other's change and cursor", async () => {
    const { first, second } = await openBoth(name)
    await script.edit(first, "ana")
    await shows(second, script, 1)
    await script.edit(second, "bo")
    await shows(first, script, 2)
    if (script.cursors) {
      await first.getByText("Bo", { exact: true }).first().waitFor({ state: "attached" })
      await second.getByText("Ana Lima", { exact: true }).first().waitFor({ state: "attached" })
    }
    await Promise.all([isSaved(first), isSaved(second)])
    await Promise.all([first.close(), second.close()])
  })

  it("brings both together again after one was offline and both edited", async () => {
    const { first, second } = await openBoth(name)
    await script.edit(second, "bo")
    await shows(first, script, 1)
    cable.sever()
    await first.locator('.state[data-state="offline"]').waitFor()
    if (!script.online) await script.edit(first, "ana")
    await script.edit(second, "bo")
    cable.heal()
    await first.evaluate(() => dispatchEvent(new Event("online")))
    const edits = script.online ? 2 : 3
    await Promise.all([shows(first, script, edits), shows(second, script, edits)])
    await Promise.all([isSaved(first), isSaved(second)])
    await Promise.all([first.close(), second.close()])
  })

  if (script.undo !== undefined) {
    const { undo } = script
    it("takes back only one's own by undo", async () => {
      const { first, second } = await openBoth(name)
      await script.edit(second, "bo")
      await shows(first, script, 1)
      await script.edit(first, "ana")
      await shows(second, script, 2)
      await undo(first)
      await Promise.all([shows(first, script, 1), shows(second, script, 1)])
      if (name !== "draw") expect(await first.locator("main").textContent()).toContain(marks.bo)
      await Promise.all([first.close(), second.close()])
    })
  }
})

it("[D2] loses nothing that was typed when the server is killed and comes back, and saved has not lied", async () => {
  const open = await Promise.all(
    Object.entries(scripts).map(async ([name, script]) => ({ script, ...(await openBoth(name)) })),
  )
  for (const { first, second, script } of open) {
    await first.bringToFront()
    await script.edit(first, "ana")
    await shows(second, script, 1)
    await isSaved(first)
  }
  await server.kill()
  for (const { first, second, script } of open) {
    if (script.online) continue
    await first.bringToFront()
    await script.edit(first, "ana")
    await second.bringToFront()
    await script.edit(second, "bo")
    expect(await first.locator(".state").getAttribute("data-state")).not.toBe("saved")
  }
  await server.restart()
  for (const { first, second, script } of open) {
    for (const page of [first, second]) await page.evaluate(() => dispatchEvent(new Event("online")))
    const edits = script.online ? 1 : 3
    await Promise.all([shows(first, script, edits), shows(second, script, edits)])
    await Promise.all([isSaved(first), isSaved(second)])
  }
  // What the pages called saved is what the server has, read by a client that knows nothing.
  const { docId, script, first } = open[0]!
  const exported = await (await fetch(`${server.url}/docs/${docId}?format=text`)).text()
  expect((exported.match(/[•◦]/g) ?? []).length).toBe(await script.count(first))
  await Promise.all(open.flatMap(({ first, second }) => [first.close(), second.close()]))
})

it("writes with a stock y-websocket client on the other side", async () => {
  const { first, second, docId } = await openBoth("text")
  await second.close()
  const doc = new Y.Doc()
  const provider = new WebsocketProvider(server.docs, docId, doc, { disableBc: true })
  try {
    doc.getText("text").insert(0, marks.bo)
    await shows(first, scripts.text!, 1)
    await scripts.text!.edit(first, "ana")
    await until(() => doc.getText("text").toString().includes(marks.ana), "the stock client has it")
  } finally {
    provider.destroy()
    doc.destroy()
  }
  await first.close()
})

it("shows all as live miniatures on the start page, and works offline after the first load", async () => {
  const page = await bo.newPage()
  await page.goto(`${server.url}/`)
  const demos = page.locator("#minis article")
  expect(await demos.locator("iframe").count()).toBe(await demos.count())
  await demos.locator("iframe").nth(5).waitFor()
  // A server that lets nobody in but this machine does not speak of phones.
  expect(await page.locator("#elsewhere").isVisible()).toBe(false)
  await page.evaluate(() => navigator.serviceWorker.ready.then(() => {}))
  await page.goto(`${server.url}/text.html?doc=first-load`)
  await isSaved(page)
  await bo.setOffline(true)
  try {
    await page.reload()
    await scripts.text!.edit(page, "bo")
    await shows(page, scripts.text!, 1)
  } finally {
    await bo.setOffline(false)
  }
  await page.close()
})

it("raises no error on any page", () => {
  expect(faults).toEqual([])
})
