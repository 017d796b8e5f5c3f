/** An agent and a person in one paragraph: nothing of either is refused, lost or torn, kills in between. */
import { createServer } from "node:http"
import { afterAll, expect, it } from "vitest"
import * as Y from "yjs"
import { contentsOf, mend, toolsOf, work } from "../../examples/agent/scribe.ts"
import { type Client, openWebsocketProvider } from "../kit/clients.ts"
import { setUpJourney } from "../kit/journey.ts"
import { freePort } from "../kit/port.ts"
import { below, seededRandom } from "../kit/random.ts"
import { until } from "../kit/until.ts"

/** What EVENTS_URL was told. */
const told: { type: string; data: { document: string } }[] = []
const port = await freePort()
const receiver = createServer(async (request, response) => {
  told.push(JSON.parse(Buffer.concat(await request.toArray()).toString()))
  response.writeHead(204).end()
}).listen(port, "127.0.0.1")
afterAll(() => new Promise((resolve) => receiver.close(resolve)))

const EVENTS_SECRET = `whsec_${Buffer.from("a key of more than twenty-four bytes").toString("base64")}`
const journey = setUpJourney({
  flags: [`--var=EVENTS_URL:http://127.0.0.1:${port}/`, `--var=EVENTS_SECRET:${EVENTS_SECRET}`],
})

const EDITS = 200
/** Before this edit the server is killed. */
const KILLED_AT = 100

/** The one paragraph's text. */
function paragraphOf({ doc }: Client): Y.XmlText {
  const element = doc.getXmlFragment("default").get(0) as Y.XmlElement
  return element.get(0) as Y.XmlText
}

/** Use a tool; where the server is away, again under the same key, as a program does. */
async function use(id: string, tool: string, given: object, key: string): Promise<Record<string, unknown>> {
  for (let tries = 0; ; tries++) {
    const answered = await fetch(`${journey.server.url}/docs/${id}/-/tools/${tool}`, {
      ...{ method: "POST", body: JSON.stringify(given) },
      headers: { "content-type": "application/json", "idempotency-key": key },
    }).catch(() => null)
    if (answered?.status === 200) return answered.json() as Promise<Record<string, unknown>>
    if (answered !== null && answered.status < 500)
      throw new Error(`${answered.status} ${await answered.text()}`)
    if (tries > 200) throw new Error(`${tool} was not answered`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

it("[G1] [G2] [G3] 200 edits of an agent beside a stock client's typing, and its undo takes back its own alone", async () => {
  const random = seededRandom("an agent and a person")
  const id = "together"
  await fetch(`${journey.server.url}/docs/${id}?editor=tiptap`, {
    ...{ method: "PUT", body: "begin A0 end" },
    headers: { "content-type": "text/markdown" },
  })
  const [person] = await journey.enter(openWebsocketProvider(journey.server.docs, id))
  await until(() => person.doc.getXmlFragment("default").length === 1, "the paragraph has come")
  const { revision } = (await use(id, "read", {}, "")) as { revision: number }

  // The person types words of their own, letter by letter, between words.
  const words: string[] = []
  let isTyping = true
  const typing = (async () => {
    for (let n = 0; isTyping; n++) {
      const text = paragraphOf(person)
      const shown = text.toString()
      const blanks = [...shown.matchAll(/ /g)].map(({ index }) => index)
      let at = Y.createRelativePositionFromTypeIndex(text, blanks[below(random, blanks.length)]!, -1)
      const word = ` p${n}q`
      words.push(word.trim())
      for (const letter of word) {
        const { index } = Y.createAbsolutePositionFromRelativePosition(at, person.doc)!
        text.insert(index, letter)
        at = Y.createRelativePositionFromTypeIndex(text, index + 1, -1)
        await new Promise((resolve) => setTimeout(resolve, 1))
      }
    }
  })()

  const statuses = new Map<string, number>()
  for (let n = 1; n <= EDITS; n++) {
    if (n === KILLED_AT) {
      await journey.server.kill()
      await journey.server.restart()
    }
    // It writes after one of its own words, and now and then takes one of them away.
    const own = `A${below(random, n)}`
    const given = { operations: [{ op: "replace", quote: "A0", with: `A0 A${n}` }] }
    const { results } = (await use(id, "edit", given, `edit-${n}`)) as { results: { status: string }[] }
    const { status } = results[0]!
    statuses.set(status, (statuses.get(status) ?? 0) + 1)
    if (n % 7 === 0 && own !== "A0")
      await use(id, "edit", { operations: [{ op: "replace", quote: ` ${own} `, with: " " }] }, `away-${n}`)
  }
  isTyping = false
  await typing
  const made = Number(statuses.get("applied") ?? 0)
  expect([...statuses]).toEqual([["applied", EDITS]])
  expect(made).toBe(EDITS)

  // Every word of the person's is on the server, and whole. The blank behind it may have been the one that the agent took
  // away with a word of its own, so two words may stand without one between them.
  const shown = async () => (await fetch(`${journey.server.url}/docs/${id}?format=text`)).text()
  const typed = (text: string) => text.match(/p\d+q/g) ?? []
  const agents = (text: string) => text.match(/A\d+/g) ?? []
  await until(async () => (await shown()) === paragraphOf(person).toString(), "both have the same text")
  const before = await shown()
  expect(typed(before).sort()).toEqual([...words].sort())
  expect(agents(before)).toContain(`A${EDITS}`)

  await use(id, "undo", { since: revision }, "undo")
  await until(async () => (await shown()) === paragraphOf(person).toString(), "both have the same text again")
  // The person's letters are left, all of them in their order. A blank that the agent had taken away comes back to its own
  // place, which is inside a word where the person's next letter came behind it (Yjs types on behind what was deleted).
  const letters = (text: string) => text.replaceAll(/\s/g, "")
  expect(letters(await shown())).toBe(letters(before.replaceAll(/A[1-9]\d*/g, "")))

  // What happened was told, over the kill too.
  const types = () => new Set(told.filter(({ data }) => data.document === id).map(({ type }) => type))
  await until(() => types().has("document.changed"), "the receiver was told")
  expect([...types()].sort()).toEqual(
    expect.arrayContaining(["document.changed", "document.created", "presence.joined"]),
  )
})

it("the agent of the examples mends, lists and answers, and then rests", async () => {
  expect(mend('He said "hello"  there, `a  "b"`, don\'t')).toBe('He said “hello” there, `a  "b"`, don’t')
  const id = "scribe"
  const body =
    '# One\n\nContents: none\n\nHe said "hi"  there. And more.\n\n## Two\n\nPlease @scribe summarise'
  await fetch(`${journey.server.url}/docs/${id}?editor=tiptap`, {
    ...{ method: "PUT", body, headers: { "content-type": "text/markdown" } },
  })
  const use = toolsOf(`${journey.server.url}/docs/${id}`)
  expect((await work(use, { letterMs: 0 })).done).toBe(3)
  const text = await (await fetch(`${journey.server.url}/docs/${id}?format=text`)).text()
  expect(text.split("\n")).toEqual([
    "One",
    "Contents: One · Two",
    "He said “hi” there. And more.",
    "Two",
    expect.stringMatching(/^Scribe: In \d+ words: He said “hi” there\.$/),
  ])
  expect(contentsOf([{ handle: "a", markdown: "# One" }])).toBe("Contents: One")
  expect((await work(use)).done).toBe(0)
})
