/** The list of a server without a database: what rooms tell it, in whatever order that arrives. */
import { env } from "cloudflare:workers"
import { expect, it } from "vitest"
import { catalogueArchive } from "../../src/host/catalogue.ts"
import { freshId } from "./vocabulary.ts"

const NEVER = new AbortController().signal

/** A catalogue of its own, and what one room tells it. */
function freshCatalogue() {
  const stub = env.Catalogue.getByName(freshId())
  const archive = catalogueArchive(() => stub)
  const tell = (revision: number, updatedAtMs: number, bytes = revision) => {
    const update = new Uint8Array(bytes)
    const rest = { writer: "w", sidecar: null, json: () => null, text: () => null }
    return archive.store("notes", { revision, updatedAtMs, update, ...rest }, null, NEVER)
  }
  const remove = (revision: number) =>
    archive.remove("notes", { writer: "w", revision, sidecar: null }, null, NEVER)
  const listed = async () => {
    const { documents } = await archive.list({ cursor: null, limit: 10 }, NEVER)
    return documents.map(({ revision, bytes }) => [revision, bytes])
  }
  return { tell, remove, listed }
}

it("[A3] keeps what was told last where an earlier call arrives after it, as from a room whose node was missed", async () => {
  const { tell, listed } = freshCatalogue()
  await tell(5, 1_000)
  await tell(9, 3_000)
  await tell(7, 2_000)
  expect(await listed()).toEqual([[9, 9]])
  // The same again, after a restart with another clock.
  await tell(9, 2_500, 10)
  expect(await listed()).toEqual([[9, 10]])
  // A room that was lost counts anew.
  await tell(2, 4_000)
  expect(await listed()).toEqual([[2, 2]])
})

it("[D8] lists no deleted document again where an earlier call arrives after the deletion, and one that began anew", async () => {
  const { tell, remove, listed } = freshCatalogue()
  const now = Date.now()
  await tell(5, now - 2_000)
  await remove(8)
  expect(await listed()).toEqual([])
  await tell(7, now - 1_000)
  expect(await listed()).toEqual([])
  await tell(9, now - 500)
  expect(await listed()).toEqual([[9, 9]])
  await remove(11)
  // A room that was lost with its storage counts anew.
  await tell(1, now + 60_000)
  expect(await listed()).toEqual([[1, 1]])
})
