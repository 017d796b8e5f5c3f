/** What was acknowledged survives a kill, what a client still holds arrives, and the archive has the rest. */
import { existsSync, rmSync } from "node:fs"
import { join } from "node:path"
import { expect, it } from "vitest"
import type { DocumentStatus } from "../../src/rpc.ts"
import { statusPath } from "../kit/addresses.ts"
import {
  type Client,
  isSame,
  openProvider,
  openWebsocketProvider,
  openYProvider,
  RawClient,
  ROOT,
  textOf,
  type,
} from "../kit/clients.ts"
import { setUpJourney } from "../kit/journey.ts"
import { recordedEdits, replayed } from "../kit/session.ts"
import { until } from "../kit/until.ts"

const journey = setUpJourney()
const { enter } = journey

async function status(id: string): Promise<DocumentStatus> {
  return (await fetch(`${journey.server.url}${statusPath(id)}`)).json() as Promise<DocumentStatus>
}

/** Everyone enters a word a turn into the shared map, and goes on until the returned function is called. */
function keepWriting(clients: readonly Client[]): () => Promise<void> {
  let writes = true
  const done = Promise.all(
    clients.map(async (client, who) => {
      for (let n = 0; writes; n++) {
        client.doc.getMap("words").set(`${who}:${n}`, n)
        if (client instanceof RawClient) client.askSaved()
        await new Promise((resolve) => setImmediate(resolve))
        // Not ahead of the server by more than a few frames, or the kill comes before the first answer.
        if (client instanceof RawClient && client.synced) {
          await until(() => client.asked - client.saved < 20 || !client.synced, "answers come", {
            everyMs: 1,
          })
        } else await new Promise((resolve) => setTimeout(resolve, 2))
      }
    }),
  )
  return async () => {
    writes = false
    await done
  }
}

it("[D1] [D2] has everything it acknowledged after a SIGKILL while people type", async () => {
  const url = `${journey.server.docs}/killed`
  const writers = await enter(new RawClient(url), new RawClient(url), new RawClient(url), new RawClient(url))
  const stop = keepWriting(writers)
  await until(() => writers.every(({ saved }) => saved > 30), "a good deal is acknowledged")
  await journey.server.kill()
  await until(() => writers.every(({ losses }) => losses.length > 0), "all sockets are cut")
  await stop()
  await journey.server.restart()
  // None of the writers comes back: what is there now was on disk.
  const [reader] = await enter(openWebsocketProvider(journey.server.docs, "killed"))
  const words = reader.doc.getMap("words")
  writers.forEach(({ saved }, who) => {
    const lost = Array.from({ length: saved }, (_, n) => `${who}:${n}`).filter((key) => !words.has(key))
    expect(lost).toEqual([])
  })
})

it("[D2] gets from its clients what they typed into a server that was dead", async () => {
  const [ada, bo, cleo] = await enter(
    openWebsocketProvider(journey.server.docs, "held"),
    openYProvider(journey.server.url, "held"),
    openProvider(journey.server.docs, "held"),
  )
  const everyone = [ada, bo, cleo]
  const stop = keepWriting(everyone)
  await until(() => everyone.every(({ doc }) => doc.getMap("words").size > 100), "they read each other")
  await journey.server.kill()
  const typed = () => everyone.map(({ doc }) => doc.getMap("words").size)
  const before = typed()
  await until(() => typed().every((size, i) => size > before[i]!), "everyone typed on in the dark")
  await journey.server.restart()
  await until(() => everyone.every(({ synced }) => synced), "everyone is back")
  await stop()
  await cleo.provider.whenSaved()
  await until(() => isSame(ada, bo) && isSame(ada, cleo), "everyone has the same document")
  const [reader] = await enter(openWebsocketProvider(journey.server.docs, "held"))
  expect(isSame(reader, ada)).toBe(true)
})

it("[D2] [D5] keeps a paste of 5 MB and a document of 10 MB through a SIGKILL", async () => {
  const [paster, author] = await enter(
    openProvider(journey.server.docs, "paste"),
    openProvider(journey.server.docs, "large"),
  )
  type(paster, "p".repeat(5_000_000))
  for (let i = 0; i < 100; i++) author.doc.getText(ROOT).insert(0, String(i % 10).repeat(100_000))
  await Promise.all([paster.provider.whenSaved(), author.provider.whenSaved()])
  const texts = [textOf(paster), textOf(author)]
  await journey.server.kill()
  // They would give it back.
  paster.leave()
  author.leave()
  await journey.server.restart()
  const readers = await enter(
    openWebsocketProvider(journey.server.docs, "paste"),
    openYProvider(journey.server.url, "large"),
  )
  expect(readers.map((reader, i) => textOf(reader) === texts[i])).toEqual([true, true])
  const response = await fetch(`${journey.server.url}/docs/large?format=text`)
  expect((await response.text()) === texts[1]).toBe(true)
})

it("[D2] ends a recorded editing session with its exact text, killed in the middle of it", async () => {
  const edits = recordedEdits(4_000)
  const [author, reader] = await enter(
    openProvider(journey.server.docs, "trace"),
    openWebsocketProvider(journey.server.docs, "trace"),
  )
  const content = author.doc.getText(ROOT)
  let done = 0
  const replay = async (to: number) => {
    for (; done < to; done++) {
      const { at, deleted, inserted } = edits[done]!
      author.doc.transact(() => {
        if (deleted > 0) content.delete(at, deleted)
        if (inserted !== "") content.insert(at, inserted)
      })
      // A turn each, so that each is a frame of its own.
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  await replay(1_500)
  const rest = replay(edits.length)
  await until(() => done > 1_600, "the author types on")
  await journey.server.kill()
  await rest
  await journey.server.restart()
  await author.provider.whenSaved()
  const text = replayed(edits)
  expect(textOf(author)).toBe(text)
  await until(() => textOf(reader) === text, "the reader has the exact text")
  author.leave()
  reader.leave()
  const [newcomer] = await enter(openYProvider(journey.server.url, "trace"))
  expect(textOf(newcomer)).toBe(text)
})

it("[A1] lists the document in the archive when the last one has left, and opens from it alone", async () => {
  const [ada] = await enter(openProvider(journey.server.docs, "archived"))
  type(ada, "in the archive")
  await ada.provider.whenSaved()
  ada.leave()
  const listed = async () => {
    const { documents } = (await (await fetch(`${journey.server.url}/docs?limit=1000`)).json()) as {
      documents: { id: string; revision: number }[]
    }
    return documents.find(({ id }) => id === "archived")
  }
  await until(
    async () => (await status("archived")).archivedRevision !== null,
    "the archive has confirmed it",
  )
  const { revision, archivedRevision } = await status("archived")
  expect(archivedRevision).toBe(revision)
  expect(await listed()).toMatchObject({ revision, bytes: expect.any(Number), updatedAt: expect.any(String) })

  await journey.server.kill()
  const rooms = join(journey.server.storage, "v3/do/yurt-Room")
  expect(existsSync(rooms)).toBe(true)
  rmSync(rooms, { recursive: true })
  await journey.server.restart()
  const [reader] = await enter(openWebsocketProvider(journey.server.docs, "archived"))
  expect(textOf(reader)).toBe("in the archive")
  type(reader, ", and on")
  await until(
    async () => (await status("archived")).revision > revision,
    "the revision goes on above the archived one",
  )
})
