/**
 * Stock editors on their stock bindings, in a real browser: two people each, who open a new document at the same moment, type
 * at the same time, undo, and read what was written in the exports. The pages are in editors/, as the bindings' READMEs have
 * them; what the exports are to say of the document that each writes is in editors/expected/.
 */
import { join } from "node:path"
import { slateNodesToInsertDelta } from "@slate-yjs/core"
import { build } from "esbuild"
import type { Browser, BrowserContext, Page } from "playwright-core"
import { afterAll, beforeAll, it } from "vitest"
import * as Y from "yjs"
import { startServer, type TestServer, until } from "../kit/server.ts"
import { launchBrowser } from "./browser.ts"
import { openVisitor } from "./visitors.ts"

const ROOT = join(import.meta.dirname, "../..")

/** Where its text stands, what a new document begins with, and whether the page is a demo and writes no sample. */
interface Editor {
  readonly selector: string
  readonly begin: Begin
  readonly demo?: string
}

/** A body, and the query and the type that say what it is. */
interface Begin {
  readonly query?: string
  readonly type: string
  readonly body: string | Uint8Array<ArrayBuffer>
}

const markdownFor = (editor: string): Begin => ({
  ...{ query: `?editor=${editor}`, type: "text/markdown", body: "Start" },
})
const textAt = (root: string): Begin => ({ query: `?root=${root}`, type: "text/plain", body: "Start" })

function slateUpdate(): Uint8Array<ArrayBuffer> {
  const doc = new Y.Doc()
  const nodes = [{ type: "paragraph", children: [{ text: "Start" }] }]
  doc.get("content", Y.XmlText).applyDelta(slateNodesToInsertDelta(nodes))
  return new Uint8Array(Y.encodeStateAsUpdate(doc))
}

const EDITORS: Readonly<Record<string, Editor>> = {
  codemirror: { selector: ".cm-content", begin: textAt("text"), demo: "text" },
  lexical: { selector: ".content", begin: markdownFor("lexical"), demo: "rich" },
  prosemirror: { selector: ".ProseMirror", begin: markdownFor("prosemirror") },
  tiptap: { selector: ".ProseMirror", begin: markdownFor("tiptap") },
  blocknote: { selector: ".ProseMirror", begin: markdownFor("blocknote") },
  "tiptap, our page": { selector: ".content", begin: markdownFor("tiptap"), demo: "tiptap" },
  "blocknote, our page": { selector: ".content", begin: markdownFor("blocknote"), demo: "blocknote" },
  quill: { selector: ".ql-editor", begin: textAt("quill") },
  monaco: { selector: ".view-lines", begin: textAt("monaco") },
  slate: {
    selector: "[contenteditable]",
    begin: { type: "application/octet-stream", body: slateUpdate() },
  },
}

const NAMES = Object.keys(EDITORS)

let server: TestServer
let browser: Browser
let ana: BrowserContext
let bo: BrowserContext

beforeAll(async () => {
  let files: Map<string, Buffer>
  ;[server, browser, files] = await Promise.all([startServer(), launchBrowser(), bundlePages()])
  const enter = (name: string, color: string) => visit({ name, color }, files)
  ana = await enter("Ana", "#0369a1")
  bo = await enter("Bo", "#c2410c")
})

afterAll(async () => {
  await browser?.close()
  await server?.stop()
})

/** The pages' scripts by their paths. */
async function bundlePages(): Promise<Map<string, Buffer>> {
  const own = NAMES.filter((name) => EDITORS[name]!.demo === undefined)
  const { outputFiles } = await build({
    absWorkingDir: ROOT,
    entryPoints: own.map((name) => `test/journey/editors/${name}.${name === "slate" ? "tsx" : "ts"}`),
    ...{ bundle: true, splitting: true, format: "esm", target: "es2023", outdir: "/editors", write: false },
    loader: { ".ttf": "dataurl" },
    define: { "process.env.NODE_ENV": '"production"' },
    jsx: "automatic",
    // y-monaco names a file by its path, which monaco-editor 0.57 exports by another.
    alias: { "monaco-editor/esm/vs/editor/editor.api.js": "monaco-editor/editor/editor.api.js" },
  })
  return new Map(outputFiles.map(({ path, contents }) => [path, Buffer.from(contents)]))
}

/** Someone with a browser of their own, for whom the server has these pages too. */
async function visit(
  who: { name: string; color: string },
  files: ReadonlyMap<string, Buffer>,
): Promise<BrowserContext> {
  // A page that did not come over the network is no local one to Chromium, and asks before it calls one.
  const context = await openVisitor(browser, { ...who, permissions: ["local-network-access"] })
  await context.route("**/editors/**", (route) => {
    const { pathname } = new URL(route.request().url())
    const body = files.get(pathname)
    const contentType = pathname.endsWith(".css") ? "text/css" : "text/javascript"
    if (body !== undefined) return route.fulfill({ body, contentType })
    if (pathname.includes(".")) return route.fulfill({ status: 404 })
    return route.fulfill({
      contentType: "text/html",
      body: `<!doctype html><meta charset="utf-8"><title>${pathname}</title>
        <link rel="stylesheet" href="${pathname}.css"><div id="editor" style="height: 400px"></div>
        <script type="module" src="${pathname}.js"></script>`,
    })
  })
  return context
}

/** What editors draw for the carets of others, and in place of nothing. */
const CARETS = "[class*=cursor], [class*=caret], [class*=Caret], [class*=Cursor], .placeholder"

/** What an editor shows, without the carets of others and what holds them in their places. */
function shown(page: Page, selector: string): Promise<string> {
  return page.locator(selector).evaluate((element, carets) => {
    const copy = element.cloneNode(true) as HTMLElement
    for (const caret of copy.querySelectorAll(carets)) caret.remove()
    return copy.innerText.replaceAll(/[\u200b\u2060\ufeff\n]/g, "").replaceAll("\u00a0", " ")
  }, CARETS)
}

async function show(pages: readonly Page[], selector: string, text: string): Promise<void> {
  let seen: string[] = []
  await until(
    async () => {
      seen = await Promise.all(pages.map((page) => shown(page, selector)))
      return seen.every((one) => one === text)
    },
    `all show ${JSON.stringify(text)}`,
    { timeoutMs: 5_000 },
  ).catch((cause) => {
    throw new Error(`${JSON.stringify(seen)} is shown, not ${JSON.stringify(text)}`, { cause })
  })
}

/** Go to the end. An editor that just draws somebody's caret may put the selection back to where it knew it. */
async function goToEnd(page: Page, selector: string): Promise<void> {
  await until(async () => {
    await page.keyboard.press("Control+End")
    return page.locator(selector).evaluate(async (element, carets) => {
      // An editor hears of a caret that a key has moved by an event, which may come after the next frame.
      for (let i = 0; i < 2; i++) await new Promise(requestAnimationFrame)
      await new Promise((resolve) => setTimeout(resolve))
      const selection = getSelection()
      // Monaco's is elsewhere, and its own.
      if (selection === null || !element.contains(selection.focusNode)) return true
      const after = selection.getRangeAt(0).cloneRange()
      after.setEnd(element, element.childNodes.length)
      const rest = after.cloneContents()
      for (const caret of rest.querySelectorAll(carets)) caret.remove()
      return !/[a-z]/i.test(rest.textContent ?? "")
    }, CARETS)
  }, "the caret is at the end")
}

/** Undo until only this is left. Yjs makes one step of what is typed within half a second, which may be less than a word. */
async function undo(page: Page, selector: string, left: string): Promise<void> {
  for (let i = 0; i < 8 && (await shown(page, selector)) !== left; i++) await page.keyboard.press("Control+z")
}

const read = async (id: string, query: string): Promise<string> =>
  (await fetch(`${server.url}/docs/${id}?${query}`)).text()

/** Make a document if there is none. */
async function begin(id: string, { query = "", type, body }: Begin): Promise<number> {
  const method = type === "application/octet-stream" ? "PATCH" : "PUT"
  const headers = { "content-type": type, "if-none-match": "*" }
  return (await fetch(`${server.url}/docs/${id}${query}`, { method, headers, body })).status
}

/** BlockNote has attributes of nothing, which a PUT leaves out. */
const withoutNull = (json: string): unknown => JSON.parse(json, (_, value) => value ?? undefined)

it.concurrent.for(NAMES)("two people write together in %s", async (name, { expect }) => {
  const { selector, begin: what, demo } = EDITORS[name]!
  const id = `editors-${name.replaceAll(/\W+/g, "-")}`
  const address = demo === undefined ? `/editors/${name}` : `/${demo}.html`
  const ready = demo === undefined ? "body[data-synced]" : '.state[data-state="saved"]'
  const statuses: number[] = []
  const faults: string[] = []
  const enter = async (who: BrowserContext): Promise<Page> => {
    const page = await who.newPage()
    page.on("pageerror", (error) => faults.push(error.stack ?? error.message))
    statuses.push(await begin(id, what))
    await page.goto(`${server.url}${address}?doc=${id}`)
    await page.locator(ready).waitFor()
    return page
  }
  const [one, other] = await Promise.all([enter(ana), enter(bo)])
  const both = [one, other]
  // What the document begins with is there once.
  expect(statuses.sort((a, b) => a - b)).toEqual([name === "slate" ? 200 : 201, 412])
  await show(both, selector, "Start")

  await Promise.all(both.map((page) => page.locator(selector).click()))
  await Promise.all([one.keyboard.press("Control+Home"), goToEnd(other, selector)])
  await Promise.all([one.keyboard.type("ana "), other.keyboard.type(" bo")])
  await show(both, selector, "ana Start bo")
  expect(await read(id, "format=text")).toMatch(/^ana Start\n? bo\n*$/)

  // First who stands behind the other's words: an undo that went by places would take what is there now.
  await undo(other, selector, "ana Start")
  await show(both, selector, "ana Start")
  await undo(one, selector, "Start")
  // Words in a block stay where they are when who has made the block takes it back.
  await goToEnd(one, selector)
  await one.keyboard.press("Enter")
  await one.keyboard.type("ours")
  await show(both, selector, "Startours")
  await goToEnd(other, selector)
  await other.keyboard.type("BO")
  await show(both, selector, "StartoursBO")
  await undo(one, selector, "StartBO")
  await show(both, selector, "StartBO")
  await undo(other, selector, "Start")
  await show(both, selector, "Start")
  // And what nobody of them has written stays.
  for (const page of both) for (let i = 0; i < 2; i++) await page.keyboard.press("Control+z")
  await show(both, selector, "Start")

  if (demo === undefined) {
    await one.evaluate(() => fill())
    await until(async () => (await read(id, "format=text")).includes("end"), "the sample is there")
    const [, html = ""] = /<body[^>]*>\n(.*)<\/body>/s.exec(await read(id, "format=html")) ?? []
    const [markdown, text] = await Promise.all([read(id, "format=markdown"), read(id, "format=text")])
    const seen = `#### Markdown\n${markdown}\n#### text\n${text}\n\n#### HTML\n${html}`
    await expect(seen).toMatchFileSnapshot(`editors/expected/${name}.txt`)
    // The JSON says all: a document made of it reads the same.
    const json = await read(id, "format=json")
    expect(await begin(`${id}-copy`, { type: "application/json", body: json })).toBe(201)
    expect(withoutNull(await read(`${id}-copy`, "format=json"))).toEqual(withoutNull(json))
    expect(await read(`${id}-copy`, "format=markdown")).toBe(markdown)
  }
  await Promise.all(both.map((page) => page.close()))
  expect(faults).toEqual([])
})
