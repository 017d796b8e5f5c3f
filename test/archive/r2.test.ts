import { afterAll, beforeAll, describe, expect, it } from "vitest"
import * as Y from "yjs"
import { checkSegments, noise, patient, writeOf } from "../../src/archive/contract.ts"
import { archiveContract } from "./contract.ts"
import { type ArchiveDesk, openDesk } from "./desk.ts"

archiveContract("r2", () => openDesk({ name: "r2", bindings: ["r2"] }))

describe("R2", () => {
  let desk: ArchiveDesk
  beforeAll(async () => {
    desk = await openDesk({ name: "r2", bindings: ["r2"] })
  }, 60_000)
  afterAll(() => desk?.close())

  /** The update of a document that says this. */
  function saying(words: string): Uint8Array {
    const doc = new Y.Doc()
    doc.getText("text").insert(0, words)
    return Y.encodeStateAsUpdate(doc)
  }

  function read(update: Uint8Array): string {
    const doc = new Y.Doc()
    Y.applyUpdate(doc, update)
    return doc.getText("text").toString()
  }

  it("[H6] takes parts of pasts, which are no documents", { timeout: 30_000 }, async () => {
    await desk.archive.store("before", writeOf(saying("x"), 1), null, patient())
    await checkSegments(desk)
    // Names that begin like those of parts are ids like others.
    for (const id of ["-", "-.", "-0", "!"])
      await desk.archive.store(id, writeOf(saying(id), 1), null, patient())
    await desk.archive.segments!.put("before", "w/1", noise(5, 1), patient())
    const { documents } = await desk.archive.list({ cursor: null, limit: 9 }, patient())
    expect(documents.map(({ id }) => id)).toEqual(["!", "-", "-.", "-0", "before"])
    await Promise.all(["!", "-", "-.", "-0", "before"].map((id) => desk.drop(id)))
  })

  it("[A6] holds an object that Yjs reads, whatever follows the update in it", async () => {
    const update = saying("plain to see")
    await desk.archive.store("doc", writeOf(update, 1, { sidecar: noise(500, 1) }), null, patient())
    const body = await desk.get("doc")
    expect(body.length).toBeGreaterThan(update.length + 500)
    expect(read(body)).toBe("plain to see")
    expect((await desk.archive.list({ cursor: null, limit: 9 }, patient())).documents).toMatchObject([
      { id: "doc", bytes: update.length },
    ])
  })

  it("[A10] takes an object put by hand for nobody's, and notices that another was put since", async () => {
    await desk.put("by-hand", saying("once"))
    const first = await desk.archive.load("by-hand", patient())
    if (first.kind !== "found") throw new Error(`by-hand is ${first.kind}`)
    expect([first.document.writer, read(first.document.update)]).toEqual([null, "once"])
    const before = Date.now()
    while (Date.now() === before);
    await desk.put("by-hand", saying("twice"))
    const write = writeOf(noise(10, 1), 1)
    expect(await desk.archive.store("by-hand", write, null, patient())).toBe("conflict")
    expect(await desk.archive.store("by-hand", write, first.document, patient())).toBe("conflict")
    const second = await desk.archive.load("by-hand", patient())
    if (second.kind !== "found") throw new Error(`by-hand is ${second.kind}`)
    expect(read(second.document.update)).toBe("twice")
    expect(await desk.archive.store("by-hand", write, second.document, patient())).toBe("stored")
  })

  it("[A10] tells two states apart whose updates are equal", async () => {
    const update = saying("the same")
    await desk.archive.store("equal", writeOf(update, 1), null, patient())
    const first = await desk.get("equal")
    await desk.archive.store("equal", writeOf(update, 2), null, patient())
    // R2 makes the etag, which a put compares, from the body.
    expect(Buffer.compare(first, await desk.get("equal"))).not.toBe(0)
  })
})
