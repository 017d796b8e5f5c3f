/** Random edits by several pages in bad weather. A failure prints its seed. */
import fc from "fast-check"
import { expect, it } from "vitest"
import * as Y from "yjs"
import { Provider } from "../../../src/client/provider.ts"
import { openRelay } from "../../kit/relay.ts"

const PAGES = 4

const often = fc.constantFrom("add", "remove", "pass")
const seldom = fc.constantFrom("drop", "disconnect", "connect", "hold", "flush", "crash")
const event = fc.record({
  kind: fc.oneof({ weight: 2, arbitrary: often }, { weight: 1, arbitrary: seldom }),
  page: fc.nat(PAGES - 1),
  at: fc.nat(1_000),
})

const list = (doc: Y.Doc) => doc.getArray<string>("list")

it("[C1] [C2] [C6] [D2] loses nothing and calls nothing saved that a crash can take", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(event, { minLength: 10, maxLength: 60 }), async (events) => {
      const server = await openRelay()
      // Two pairs of tabs; each pair has a browser of its own, for a channel is named by the address.
      const pages = Array.from({ length: PAGES }, (_, i) => {
        const url = i < 2 ? server.url : server.url.replace("127.0.0.1", "localhost")
        return new Provider(url, "notes", new Y.Doc(), { maxBackoffTime: 5 })
      })
      const made: string[] = []
      const removed = new Set<string>()
      /** What a page was told is saved. */
      const promised = new Set<string>()
      const ofPage = pages.map(() => new Set<string>())
      pages.forEach((page, i) => {
        page.on("saved", () => {
          for (const item of ofPage[i] ?? []) promised.add(item)
        })
      })
      const expectPromises = () => {
        const kept = new Set(list(server.disk("notes")).toArray())
        for (const item of promised) if (!removed.has(item)) expect(kept.has(item)).toBe(true)
      }
      try {
        await Promise.all(pages.map((page) => new Promise((resolve) => page.once("sync", resolve))))
        for (const { kind, page: index, at } of events) {
          const page = pages[index]
          if (page === undefined) throw new RangeError(`No page ${index}`)
          switch (kind) {
            case "add": {
              const item = `${index}-${made.length}`
              made.push(item)
              ofPage[index]?.add(item)
              list(page.doc).insert(at % (list(page.doc).length + 1), [item])
              break
            }
            case "remove": {
              const position = at % Math.max(list(page.doc).length, 1)
              const item = list(page.doc).get(position)
              if (item === undefined) break
              removed.add(item)
              list(page.doc).delete(position)
              break
            }
            case "drop":
              server.drop()
              break
            case "disconnect":
              page.disconnect()
              break
            case "connect":
              page.connect()
              break
            case "hold":
              server.hold()
              break
            case "flush":
              server.flush()
              break
            case "crash":
              await server.crash()
              expectPromises()
              await server.listen()
              break
            case "pass":
              // Frames travel for a while, which is long enough to arrive or not.
              for (let turn = 0; turn < at % 30; turn++) await new Promise((resolve) => setImmediate(resolve))
              break
            default:
              throw new TypeError(`Unknown event ${kind satisfies never}`)
          }
        }
        server.flush()
        for (const page of pages) page.connect()
        await Promise.all(pages.map((page) => page.whenSaved()))
        expectPromises()
        const rest = new Set(made.filter((item) => !removed.has(item)))
        await expect.poll(() => new Set(list(server.disk("notes")).toArray())).toEqual(rest)
        for (const page of pages) {
          await expect.poll(() => list(page.doc).toJSON()).toEqual(list(server.disk("notes")).toJSON())
        }
      } finally {
        for (const page of pages) page.destroy()
        await server.stop()
      }
    }),
    { numRuns: Number(process.env.RUNS ?? 25) },
  )
})
