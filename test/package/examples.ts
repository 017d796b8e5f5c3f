/**
 * Examples as their READMEs have them, in a browser: `npm install` of all that they ask for, and `npm run dev` on the ports
 * that they name. Too heavy for `npm test`, and for a machine where something else listens there.
 *
 *     npm run examples -- nextjs tiptap
 */
import { strict as assert } from "node:assert"
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import type { Browser, Page } from "playwright-core"
import { launchBrowser } from "../journey/browser.ts"
import { portIsFree } from "../kit/port.ts"
import { until } from "../kit/until.ts"
import { copyExample, makeProject, makeWorkshop, npm, pack } from "./projects.ts"

/** An example, what is to be done before it runs, and what is done with it then. */
interface Play {
  readonly url: string
  readonly scripts: readonly string[]
  play(browser: Browser): Promise<void>
}

/** Where every example has its rooms. */
const ROOMS = "http://localhost:8787"

/** Nobody has compiled the first page yet. */
const PATIENCE = { timeoutMs: 60_000 }

const PLAYS: Readonly<Record<string, Play>> = {
  nextjs: { url: "http://localhost:3000", scripts: ["build"], play: playNextjs },
  tiptap: { url: "http://localhost:5173", scripts: [], play: playTiptap },
}

async function openPage(browser: Browser, url: string): Promise<Page> {
  const page = await (await browser.newContext()).newPage()
  page.setDefaultTimeout(PATIENCE.timeoutMs)
  await page.goto(url)
  return page
}

const sees = (page: Page, text: string) =>
  until(
    async () => (await page.locator("body").innerText()).includes(text),
    `the page says "${text}"`,
    PATIENCE,
  )

async function playNextjs(browser: Browser): Promise<void> {
  const { url } = PLAYS.nextjs!
  const signIn = async (name: string, password: string) => {
    const page = await openPage(browser, url)
    const enter = async (word: string) => {
      await page.fill("input[name=name]", name)
      await page.fill("input[name=password]", word)
      await page.click("button[type=submit]")
    }
    await enter("guessed")
    await sees(page, "Nobody has this name and password.")
    await enter(password)
    await sees(page, "Sign out")
    return page
  }
  const write = async (page: Page, text: string) => {
    await page.locator(".cm-content").click()
    await page.keyboard.press("Control+End")
    await page.keyboard.type(text)
    await sees(page, "Saved")
  }
  const ada = await signIn("ada", "engine")
  const grace = await signIn("grace", "nanosecond")
  for (const page of [ada, grace]) await page.click("text=plans")
  await ada.waitForSelector(".cm-content")
  await write(ada, "tea, ")
  await sees(grace, "tea,")
  await write(grace, "cake")
  await sees(ada, "tea, cake")
  await sees(ada, "Grace")

  await ada.goto(`${url}/notes/minutes`)
  await ada.waitForSelector(".cm-content")
  await write(ada, "decided")
  await grace.goto(`${url}/notes/minutes`)
  await sees(grace, "decided")
  await sees(grace, "You may read it")
  assert.equal(await grace.locator(".cm-content").getAttribute("contenteditable"), "false")

  const ask = async (page: Page, path: string) => (await page.request.get(`${url}${path}`)).status()
  const tokenOf = (id: string) => `/api/document-token?id=${id}`
  assert.equal(await ask(grace, "/notes/diary"), 404)
  assert.equal(await ask(grace, tokenOf("diary")), 403)
  assert.equal(await ask(grace, tokenOf("constructor")), 403)
  const token = await (await grace.request.get(`${url}${tokenOf("minutes")}`)).text()
  const cookies = await grace.context().cookies()
  const session = cookies.find(({ name }) => name === "session")!.value
  const forged = Buffer.from(JSON.stringify({ id: "ada", until: 9e9 })).toString("base64url")
  for (const cookie of [`session=${forged}.${session.split(".")[1]}`, `session=${forged}.x`, ""])
    assert.equal((await fetch(`${url}${tokenOf("diary")}`, { headers: { cookie } })).status, 401)
  await grace.goto(url)
  await grace.click("text=Sign out")
  await sees(grace, "Sign in")
  assert.equal(await ask(grace, tokenOf("plans")), 401)

  // The rooms hold to it, whoever asks.
  const read = (id: string) =>
    fetch(`${ROOMS}/docs/${id}?format=text`, { headers: { authorization: `Bearer ${token}` } })
  assert.equal((await read("minutes")).status, 200)
  assert.equal((await read("plans")).status, 403)
  assert.equal((await fetch(`${ROOMS}/docs/plans`)).status, 401)
}

async function playTiptap(browser: Browser): Promise<void> {
  const { url } = PLAYS.tiptap!
  const [one, other] = [await openPage(browser, url), await openPage(browser, url)]
  await sees(one, "2 people")
  await one.locator(".tiptap").click()
  await one.keyboard.type("## Plan")
  await one.keyboard.press("Enter")
  await one.keyboard.type("tea")
  await sees(one, "Saved")
  await sees(other, "tea")
  assert.equal(await other.locator(".tiptap h2").innerText(), "Plan")
  assert.equal(await other.locator(".collaboration-carets__label").count(), 1)
  const exported = await fetch(`${ROOMS}/docs/notes?format=markdown`)
  assert.equal((await exported.text()).trim(), "## Plan\n\ntea")
}

/** Install an example, run it, and play with it. */
async function run(name: string, { workshop, tarball }: { workshop: string; tarball: string }) {
  const { url, scripts, play } = PLAYS[name]!
  const ports = [ROOMS, url].map((address) => Number(new URL(address).port))
  for (const port of ports) assert(await portIsFree(port), `something else listens on ${port}`)
  const folder = join(workshop, "examples")
  mkdirSync(folder, { recursive: true })
  const example = makeProject(folder, { name, tarball })
  copyExample(name, example.path)
  await step(`${name}: npm install`, () => npm(example.path, "install", "--no-audit", "--no-fund"))
  for (const script of scripts)
    await step(`${name}: npm run ${script}`, () => npm(example.path, "run", script))
  await step(`${name}: npm run dev, and people`, () =>
    example.withScript(["dev"], async () => {
      for (const address of [`${ROOMS}/ready`, url])
        await until(async () => (await fetch(address)).ok, `${address} answers`, PATIENCE)
      const browser = await launchBrowser()
      try {
        await play(browser)
      } finally {
        await browser.close()
      }
    }),
  )
  for (const port of ports) assert(await portIsFree(port), `the example has left something on ${port}`)
}

async function step(what: string, act: () => Promise<unknown>): Promise<void> {
  const startedAtMs = performance.now()
  await act()
  console.log(`${what}: ${((performance.now() - startedAtMs) / 1000).toFixed(1)} s`)
}

const asked = process.argv.slice(2)
const names = asked.length > 0 ? asked : Object.keys(PLAYS)
const unknown = names.filter((name) => !(name in PLAYS))
if (unknown.length > 0)
  throw new Error(`There is no ${unknown.join(", ")} here, but ${Object.keys(PLAYS).join(", ")}`)
const workshop = makeWorkshop()
try {
  const tarball = await pack(workshop.path)
  for (const name of names) await run(name, { workshop: workshop.path, tarball })
} finally {
  workshop.remove()
}
