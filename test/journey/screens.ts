/**
 * Pictures of every demo page, to be looked at: `node test/journey/screens.ts http://localhost:8787 FOLDER [page …]`.
 * Two people work on each page; the second one's window is what is pictured, at desk and phone size, light and dark.
 * A fault in a page's console ends the run. `two-browsers` as the page makes the README's picture, demo/two-browsers.png.
 */
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { Browser, Page } from "playwright-core"
import { launchBrowser } from "./browser.ts"
import { isSaved } from "./visitors.ts"

const [base = "http://localhost:8787", folder = "output/screens", ...wanted] = process.argv.slice(2)

const SIZES = {
  desk: { viewport: { width: 1280, height: 800 } },
  /** One of the two in the README's picture. */
  half: { viewport: { width: 637, height: 519 }, deviceScaleFactor: 1.5 },
  phone: { viewport: { width: 390, height: 780 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true },
} as const

interface Scene {
  readonly path: string
  /** Text or selector that the second window shows when the first one's work has arrived. */
  readonly arrives: string
  readonly act: (page: Page) => Promise<void>
  /** The whole page, not what fits the window. */
  readonly whole?: boolean
}

const scenes: Record<string, Scene> = {
  start: { path: "?", arrives: "h1", act: async () => {}, whole: true },
  text: {
    path: "text.html",
    arrives: "text=A document is a URL",
    act: async (page) => {
      await page.click(".cm-content")
      await page.keyboard.insertText(
        "# Notes for Thursday\n\nA document is a URL, and behind the URL is a **room**. Everyone who opens it writes in the *same* text.\n\n## To do\n\n- ask [Ana](https://example.org) about the map\n- `npm start` on the big screen\n- order bread\n\n> Nobody waits for the disk, but “saved” does.\n\nAnd then",
      )
    },
  },
  rich: {
    path: "rich.html",
    arrives: "text=Bring a chair",
    act: async (page) => {
      await page.click(".content")
      await page.keyboard.type("# Supper on Friday\nWe eat at **eight**, and _nobody_ cooks alone. \n")
      await page.keyboard.type("- dumplings\nsalty tea\napples\n\n## Also\nBring a chair")
    },
  },
  draw: {
    path: "draw.html",
    arrives: '[aria-label="The drawing: 4 strokes"]',
    act: async (page) => {
      const { width, height } = page.viewportSize() ?? { width: 0, height: 0 }
      const line = async (
        color: string,
        at: (t: number) => readonly [x: number, y: number],
      ): Promise<void> => {
        await page.check(`[aria-label="${color}"]`)
        for (let step = 0; step <= 40; step++) {
          const [x, y] = at(step / 40)
          await page.mouse.move(width / 2 + x, height / 2 + y)
          if (step === 0) await page.mouse.down()
        }
        await page.mouse.up()
      }
      await line("Blue", (t) => [-120 + 240 * t, -40 + 40 * Math.sin(t * 12)])
      await line("Red", (t) => [110 * Math.cos(t * 6.3), 40 + 90 * Math.sin(t * 6.3)])
      await line("Ink", (t) => [-90 + 180 * t, 60 + 30 * Math.sin(t * 3)])
      await line("Green", (t) => [-140 + 60 * t, 150 - 30 * Math.cos(t * 9)])
    },
  },
  board: {
    path: "draw.html",
    arrives: '[aria-label="The drawing: 0 strokes, 4 things"]',
    act: async (page) => {
      const { width, height } = page.viewportSize() ?? { width: 0, height: 0 }
      const put = async (
        tool: string,
        color: string,
        x: number,
        y: number,
        words?: string,
      ): Promise<void> => {
        await page.keyboard.press("Escape")
        await page.check(`[aria-label="${color}"]`)
        await page.click(`[aria-label="${tool}"]`)
        await page.mouse.click(width / 2 + x, height / 2 + y)
        if (words !== undefined) await page.keyboard.type(words)
        await page.keyboard.press("Escape")
      }
      await put("Box", "Blue", -180, -120)
      await put("Arrow", "Ink", -10, -70)
      await put("Note", "Amber", -180, 20, "Bring a chair. مرحبا")
      await put("Text", "Red", 40, 60, "Supper on Friday")
    },
  },
  cards: {
    path: "kanban.html",
    arrives: "text=Find eight chairs",
    act: async (page) => {
      await page.fill("#title", "Supper on Friday")
      for (const [column, words] of [
        [0, "Ask Ana about the map"],
        [0, "Order bread, salt and a great deal of tea"],
        [2, "Pick a date: Friday"],
        [1, "Find eight chairs"],
      ] as const) {
        await page.click(`.column:nth-of-type(${column + 1}) .add`)
        await page.keyboard.type(words)
        await page.keyboard.press("Enter")
      }
    },
  },
  documents: { path: "documents.html", arrives: "h1", act: async () => {} },
  counter: {
    path: "counter.html",
    arrives: "output:text-is('3')",
    act: async (page) => {
      for (let n = 1; n <= 3; n++) {
        await page.click("#raise")
        await page.waitForSelector(`output:text-is('${n}')`)
      }
    },
    whole: true,
  },
  cart: {
    path: "cart.html",
    arrives: "text=€15.30",
    act: async (page) => {
      for (const name of ["Flatbread", "Mountain honey", "Lantern"])
        await page.click(`[aria-label="Add ${name}"]`)
      await page.click(`[aria-label="One Flatbread more"]`)
      await page.click(`[aria-label="One Lantern less"]`)
    },
    whole: true,
  },
}

/** The README's picture: the same text in two windows, one light and one dark. */
async function pictureTwoBrowsers(browser: Browser): Promise<void> {
  const open = async (dark: boolean, name: string, color: string): Promise<Page> => {
    const page = await person(browser, { size: "half", dark, name, color })
    await page.goto(new URL("text.html?doc=notes-for-thursday", `${base}/`).href)
    await isSaved(page)
    await page.click(".cm-content")
    return page
  }
  const light = await open(false, "Ana Lima", "#0369a1")
  const dark = await open(true, "Bo", "#c2410c")
  await light.keyboard.press("Control+a")
  await light.keyboard.insertText(
    "# Notes for Thursday\n\nA document is a URL, and behind it is a **room**.\n\n- ask Ana about the map\n- order bread\n\nAnd then",
  )
  await dark.getByText("And then").waitFor()
  await dark.getByText("- ask Ana about the map").click()
  await dark.keyboard.press("End")
  await dark.keyboard.type(" of the valley")
  await light.getByText("of the valley").waitFor()
  // "Saved" stays for a moment after the last letter, and comes back a second after it was saved.
  await dark.waitForTimeout(2000)
  for (const page of [light, dark]) {
    await isSaved(page)
    await page.locator(".cm-ySelectionInfo").waitFor()
  }
  const windows = [await light.screenshot(), await dark.screenshot()].map(
    (png) => `<img src="data:image/png;base64,${png.toString("base64")}" />`,
  )
  const wall = await browser.newPage({ viewport: { width: 1020, height: 435 }, deviceScaleFactor: 2 })
  await wall.setContent(`<style>
    body { display: grid; grid-template-columns: 478px 478px; place-content: center; gap: 18px; height: 100vh; margin: 0; background: #e8e4de }
    img { width: 478px; border-radius: 8px; box-shadow: 0 6px 20px rgb(60 40 20 / 18%) }
  </style>${windows.join("")}`)
  writeFileSync(join(folder, "two-browsers.png"), await wall.screenshot())
  await Promise.all([light.context(), dark.context(), wall.context()].map((context) => context.close()))
}

async function person(
  browser: Browser,
  options: { size: keyof typeof SIZES; dark: boolean; name: string; color: string },
) {
  const context = await browser.newContext({
    ...SIZES[options.size],
    colorScheme: options.dark ? "dark" : "light",
    reducedMotion: "reduce",
  })
  await context.addInitScript(({ name, color }) => {
    localStorage.setItem("name", name)
    localStorage.setItem("color", color)
  }, options)
  const page = await context.newPage()
  page.on("pageerror", (error) => fault(`${page.url()}: ${error.stack}`))
  page.on("console", (message) => {
    if (message.type() === "error") fault(`${page.url()}: ${message.text()}`)
  })
  return page
}

function isDocument(scene: string): boolean {
  return scene !== "start" && scene !== "documents"
}

function fault(what: string): void {
  process.exitCode = 1
  console.error(what)
}

/** Documents of this run alone: the server may still have those of the last one. */
const run = Date.now().toString(36)
mkdirSync(folder, { recursive: true })
const browser = await launchBrowser()
try {
  if (wanted.includes("two-browsers")) await pictureTwoBrowsers(browser)
  for (const [name, scene] of Object.entries(scenes)) {
    if (wanted.length > 0 && !wanted.includes(name)) continue
    for (const size of ["desk", "phone"] as const) {
      for (const dark of [false, true]) {
        const shot = `${name}-${size}${dark ? "-dark" : ""}`
        const address = new URL(scene.path, `${base}/`)
        if (isDocument(name)) address.searchParams.set("doc", `${shot}-${run}`)
        const first = await person(browser, { size: "desk", dark, name: "Ana Lima", color: "#0369a1" })
        const second = await person(browser, { size, dark, name: "Bo", color: "#c2410c" })
        await Promise.all([first.goto(address.href), second.goto(address.href)])
        if (isDocument(name)) await Promise.all([isSaved(first), isSaved(second)])
        await scene.act(first)
        await second.waitForSelector(scene.arrives)
        // Presence and carets follow the text by a frame or two.
        await second.waitForTimeout(isDocument(name) ? 600 : 2500)
        await second.screenshot({ path: join(folder, `${shot}.png`), fullPage: scene.whole === true })
        console.log(shot)
        await Promise.all([first.context().close(), second.context().close()])
      }
    }
  }
} finally {
  await browser.close()
}
