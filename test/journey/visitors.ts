/** People in front of a browser, for the tests of the pages. */
import type { Browser, BrowserContext, BrowserContextOptions, Page } from "playwright-core"

/** Someone with a browser of their own: a name and a colour they have chosen, and a window. */
export interface VisitorOptions extends BrowserContextOptions {
  readonly name: string
  readonly color: string
}

/** A window of a desk, unless the visitor brings another. */
const DESK = { viewport: { width: 1100, height: 700 }, reducedMotion: "reduce" } as const
/** A phone's window, with fingers. */
export const PHONE = {
  viewport: { width: 390, height: 780 },
  hasTouch: true,
  isMobile: true,
} as const satisfies BrowserContextOptions

/** A browser context of this visitor; whoever opened it closes it. */
export async function openVisitor(browser: Browser, options: VisitorOptions): Promise<BrowserContext> {
  const { name, color, ...context } = options
  const visitor = await browser.newContext({ ...DESK, ...context })
  await visitor.addInitScript(
    (me) => {
      // What a page is before it has an address has no storage.
      if (!location.protocol.startsWith("http")) return
      localStorage.setItem("name", me.name)
      localStorage.setItem("color", me.color)
    },
    { name, color },
  )
  return visitor
}

/** Resolves when the page says that everything is saved. */
export async function isSaved(page: Page): Promise<void> {
  await page.locator('.state[data-state="saved"]').waitFor({ timeout: 30_000 })
}
