/**
 * A small agent: it follows a document and works in it while people write, by rule and without a model.
 *
 *     node scribe.ts http://localhost:8787/docs/notes [token]
 *
 * - It mends two blanks in a row and straight quotes, in whatever block they stand.
 * - A block that begins with "Contents:" lists the headings, and goes on doing so.
 * - A block that says "@scribe summarise" is answered below it, word by word, where people see it being typed.
 *
 * All it needs of the server is the tools at `/-/tools`, and the document's stream to know when to look again. The demos serve it
 * as `/scribe.js`, so that nobody needs this repository to play it.
 */

/** A block as the tool `read` gives it. */
interface Block {
  readonly handle: string
  readonly markdown: string
}

/** Uses a tool of the document. */
export type Use = (tool: string, given: object) => Promise<Record<string, unknown>>

/** The tools of a document. @param url as people open it, without a slash at the end */
export function toolsOf(url: string, token?: string): Use {
  return async (tool, given) => {
    const response = await fetch(`${url}/-/tools/${tool}`, {
      method: "POST",
      body: JSON.stringify(given),
      headers: {
        "content-type": "application/json",
        "user-agent": "Scribe/1",
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      },
    })
    if (!response.ok) throw new Error(`${tool}: ${response.status} ${await response.text()}`)
    return response.json() as Promise<Record<string, unknown>>
  }
}

/** A block's text as it should be; what is code stays as it is. */
export function mend(markdown: string): string {
  if (/^\s*```/.test(markdown)) return markdown
  return markdown
    .split(/(`[^`]*`)/)
    .map((part, i) => (i % 2 === 1 ? part : mendText(part)))
    .join("")
}

function mendText(text: string): string {
  return text
    .replaceAll(/(\S) {2,}(?=\S)/g, "$1 ")
    .replaceAll(/(^|[\s(])"(?=\S)/g, "$1“")
    .replaceAll('"', "”")
    .replaceAll(/(\w)'(\w)/g, "$1’$2")
}

/** What a "Contents:" block should say. */
export function contentsOf(blocks: readonly Block[]): string {
  const headings = blocks.flatMap(({ markdown }) => /^#{1,6} +(.+)$/.exec(markdown)?.[1] ?? [])
  return `Contents: ${headings.join(" · ")}`
}

/** A summary by rule: how long it is, and how each part begins. */
export function summaryOf(blocks: readonly Block[]): string {
  const texts = blocks.filter(
    ({ markdown }) => !/^#|^Contents:|@scribe/.test(markdown) && markdown.trim() !== "",
  )
  const words = texts.reduce((sum, { markdown }) => sum + markdown.split(/\s+/).length, 0)
  const first = texts.map(({ markdown }) => /^.*?[.!?](?=\s|$)/s.exec(markdown)?.[0] ?? markdown).slice(0, 3)
  return `In ${words} words: ${first.join(" ")}`
}

/**
 * Look at the document once, and do what is to be done.
 * @returns how many things were done, and the block where the last one was
 */
export async function work(
  use: Use,
  { letterMs = 40 }: { letterMs?: number } = {},
): Promise<{ done: number; handle: string | undefined }> {
  const { blocks } = (await use("read", {})) as { blocks: Block[] }
  const operations: { op: string; handle: string; with: string }[] = []
  for (const { handle, markdown } of blocks) {
    const right = markdown.startsWith("Contents:") ? contentsOf(blocks) : mend(markdown)
    if (right !== markdown && !markdown.includes("@scribe"))
      operations.push({ op: "replace", handle, with: right })
  }
  if (operations.length > 0) await use("edit", { operations })
  const asked = blocks.find(({ markdown }) => /@scribe +summari[sz]e/.test(markdown))
  if (asked === undefined)
    return { done: operations.length, handle: (operations.at(-1) ?? blocks.at(-1))?.handle }
  // The question is answered in its place, so that it is not answered twice.
  const { results } = await use("edit", {
    operations: [{ op: "replace", handle: asked.handle, with: "Scribe:" }],
  })
  const [{ handle = asked.handle } = {}] = results as { handle?: string }[]
  let stream: unknown
  for (const word of mend(summaryOf(blocks)).split(" ")) {
    const where = stream === undefined ? { handle } : { stream }
    stream = (await use("write", { text: ` ${word}`, ...where })).stream
    await new Promise((resolve) => setTimeout(resolve, letterMs * word.length))
  }
  return { done: operations.length + 1, handle }
}

/** How long people see that it is here, and how often it says so again. */
const SHOWN_S = 40
const SAID_AGAIN_MS = 25_000
/** People are let to finish their word. */
const REST_MS = 1_500

/** Work whenever something has changed, until it is stopped or may not any more. */
async function follow(url: string, token?: string): Promise<void> {
  const use = toolsOf(url, token)
  let handle: string | undefined
  const show = (ttlS: number) =>
    use("presence", { status: "reading", ttlS, ...(handle !== undefined && { handle }) }).catch(() => {})
  const look = async (): Promise<void> => {
    ;({ handle } = await work(use))
    await show(SHOWN_S)
  }
  setInterval(() => void show(SHOWN_S), SAID_AGAIN_MS)
  process.once("SIGINT", async () => {
    await show(0)
    process.exit()
  })
  let isTold = false
  for (;;) {
    try {
      const headers = {
        accept: "text/event-stream",
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      }
      const response = await fetch(`${url}?text=replace`, { headers })
      if (response.status === 401 || response.status === 403) {
        console.error(await response.text())
        process.exit(1)
      }
      if (response.status === 404) {
        if (!isTold) console.error("Nobody has written there yet. Scribe begins when somebody does.")
        isTold = true
        await response.body?.cancel()
        await new Promise((resolve) => setTimeout(resolve, REST_MS))
        continue
      }
      if (!response.ok || response.body === null) throw new Error(`the stream: ${response.status}`)
      let isDue = false
      for await (const chunk of response.body) {
        if (isDue || !/event: (state|change)/.test(new TextDecoder().decode(chunk))) continue
        isDue = true
        setTimeout(() => {
          isDue = false
          look().catch((error: unknown) => console.error(String(error)))
        }, REST_MS)
      }
    } catch (error) {
      console.error(String(error))
      await new Promise((resolve) => setTimeout(resolve, 3_000))
    }
  }
}

// "-": it comes from standard input, as the demos have it.
const [, started] = process.argv
if (started === "-" || started?.endsWith("scribe.ts")) {
  const [url, token] = process.argv.slice(2)
  if (url === undefined) console.error("node scribe.ts http://localhost:8787/docs/notes [token]")
  else {
    console.error(`Scribe is at ${url}, until you press Ctrl+C.`)
    await follow(url.replace(/\/$/, ""), token)
  }
}
