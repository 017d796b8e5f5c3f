/** What a page is told that the room takes nothing from. */
import { describe, expect, it } from "vitest"
import * as Y from "yjs"
import type { Relay } from "../../kit/relay.ts"
import { Copies, open, opened, record, relay, text, type, when } from "./vocabulary.ts"

/** A relay with a text, that asks nobody for changes. */
async function published(): Promise<Relay> {
  const server = await relay()
  server.edit("notes", (doc) => type({ doc }, "read me"))
  server.stopAsking()
  return server
}

describe("[C1] a reader whose document has nothing that the room lacks is saved", () => {
  it("beside another tab", async () => {
    const server = await published()
    await opened(server, { disableBc: false })
    const second = open(server, { disableBc: false })
    const saved = when(second, "saved")
    expect([text(second), second.hasUnsavedChanges]).toEqual(["read me", true])
    await second.whenSaved()
    await saved
    expect([second.hasUnsavedChanges, second.readOnly]).toEqual([false, true])
  })

  it("with an offline copy, at each visit", async () => {
    const server = await published()
    const copies = new Copies()
    for (let visit = 0; visit < 3; visit++) {
      const page = await opened(server, { offline: copies.open })
      await page.whenSaved()
      expect([page.hasUnsavedChanges, text(page)]).toEqual([false, "read me"])
      page.destroy()
    }
  })

  it("with a copy nobody has written a record for, and with a document rendered by a server", async () => {
    const server = await published()
    const copies = new Copies()
    copies.kept.set(`${server.url}/notes`, {
      updates: [Y.encodeStateAsUpdate(server.doc("notes"))],
      unsaved: null,
    })
    const page = await opened(server, { offline: copies.open })
    const doc = new Y.Doc()
    Y.applyUpdate(doc, Y.encodeStateAsUpdate(server.doc("notes")))
    const rendered = open(server, {}, doc)
    await Promise.all([page.whenSaved(), rendered.whenSaved()])
    expect([page.hasUnsavedChanges, rendered.hasUnsavedChanges]).toEqual([false, false])
  })
})

describe("[C1] what a reader typed or deleted is never saved", () => {
  const edits: [string, (doc: Y.Doc) => void][] = [
    ["typed", (doc) => type({ doc }, "mine")],
    ["deleted", (doc) => doc.getText("t").delete(0, 4)],
  ]
  for (const [what, change] of edits) {
    it(`${what} before connecting`, async () => {
      const server = await published()
      const doc = new Y.Doc()
      Y.applyUpdate(doc, Y.encodeStateAsUpdate(server.doc("notes")))
      const page = open(server, { connect: false }, doc)
      change(doc)
      const saved = record(page, "saved")
      page.connect()
      await expect(page.whenSaved()).rejects.toMatchObject({ code: "forbidden" })
      expect([page.hasUnsavedChanges, saved]).toEqual([true, []])
    })

    it(`${what} afterwards`, async () => {
      const server = await published()
      const page = await opened(server)
      change(page.doc)
      const saved = record(page, "saved")
      await expect(page.whenSaved()).rejects.toMatchObject({ code: "forbidden" })
      expect([page.hasUnsavedChanges, saved]).toEqual([true, []])
    })
  }
})

it("[C1] what a store of the page's own brings to a reader is compared once, and not saved where the room lacks it", async () => {
  const server = await published()
  const page = await opened(server)
  const stored = new Y.Doc()
  for (let part = 0; part < 5; part++) {
    type({ doc: stored }, "kept elsewhere")
    Y.applyUpdate(page.doc, Y.encodeStateAsUpdate(stored), "a store")
  }
  await expect(page.whenSaved()).rejects.toMatchObject({ code: "forbidden" })
  expect(server.count("step-1")).toBe(2)
})

it("[C3] a page that was ended for good is read-only, says so, and is not when it connects again", async () => {
  const server = await relay()
  const page = await opened(server)
  const readOnly = record(page, "read-only")
  server.close(4403, "The token was revoked")
  await when(page, "closed")
  expect([page.readOnly, page.closed?.code, readOnly]).toEqual([true, 4403, [true]])
  page.connect()
  await when(page, "sync", true)
  expect([page.readOnly, page.closed, readOnly]).toEqual([false, null, [true, false]])
})
