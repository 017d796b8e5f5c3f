/** The copy of a document in this browser, and whose it is. */
import { describe, expect, it } from "vitest"
import * as Y from "yjs"
import { Copies, onDisk, open, opened, record, relay, text, token, type, when } from "./vocabulary.ts"

const later = () => Date.now() + 60_000

describe("[C8] an offline copy", () => {
  it("tells after a reload what was saved before it, and what was not", async () => {
    const server = await relay()
    const copies = new Copies()
    const page = await opened(server, { offline: copies.open })
    type(page, "saved ")
    await page.whenSaved()
    page.destroy()
    server.refuse(503)
    const clean = open(server, { offline: copies.open })
    await expect.poll(() => text(clean)).toBe("saved ")
    await when(clean, "connection-close")
    expect(clean.hasUnsavedChanges).toBe(false)
    type(clean, "not yet")
    await expect.poll(() => copies.text(clean.name)).toBe("saved not yet")
    clean.destroy()
    const back = open(server, { offline: copies.open })
    await when(back, "unsaved")
    server.admit()
    await back.whenSaved()
    expect(onDisk(server)).toBe("saved not yet")
  })

  it("[R5] sends what was not saved, and compares it with what stands in the room under its id", async () => {
    const server = await relay()
    const copies = new Copies()
    const page = await opened(server, { offline: copies.open })
    const { clientID } = page.doc
    page.disconnect()
    type(page, "mine")
    await expect.poll(() => copies.text(page.name)).toBe("mine")
    page.destroy()
    server.forge("notes", clientID, (doc) => type({ doc }, "EVIL"))
    const back = open(server, { offline: copies.open })
    back.on("reload", () => {})
    await when(back, "conflict")
    await back.whenSaved()
    expect([onDisk(server).includes("mine"), onDisk(server).includes("EVIL")]).toEqual([true, true])
    await expect.poll(() => copies.text(back.name)).toBe(onDisk(server))
  })

  it("[D8] goes with the document: 4404 deletes it, and nothing of it is saved", async () => {
    const server = await relay()
    const copies = new Copies()
    const page = await opened(server, { offline: copies.open })
    server.hold()
    type(page, "deleted")
    const waiting = page.whenSaved()
    server.close(4404, "The document was deleted")
    await expect(waiting).rejects.toMatchObject({ code: "deleted" })
    await expect.poll(() => copies.kept.size).toBe(0)
    await expect(page.whenSaved()).rejects.toMatchObject({ code: "deleted" })
    type(page, "more")
    expect([copies.kept.size, page.readOnly]).toEqual([0, true])
  })

  it("[R1] belongs to one person: another account reads nothing of it, and her unsent words go out when she is back", async () => {
    const server = await relay()
    const copies = new Copies()
    server.check((offered) => offered !== undefined && !offered.includes("expired"))
    const ada = await opened(server, { offline: copies.open, token: () => token("ada", later()) })
    ada.disconnect()
    type(ada, "of ada's")
    await expect.poll(() => copies.text(`ada ${ada.name}`)).toBe("of ada's")
    ada.destroy()
    const bob = await opened(server, { offline: copies.open, token: async () => token("bob", later()) })
    expect([text(bob), onDisk(server), bob.hasUnsavedChanges]).toEqual(["", "", false])
    server.close(4403, "Not for you")
    await when(bob, "closed")
    bob.destroy()
    expect(copies.text(`ada ${ada.name}`)).toBe("of ada's")
    const back = await opened(server, { offline: copies.open, token: token("ada", later()) })
    await back.whenSaved()
    expect(onDisk(server)).toBe("of ada's")
  })

  it("[R1] opens without a token where the page names its person", async () => {
    const server = await relay()
    const copies = new Copies()
    copies.kept.set(`ada ${server.url}/notes`, { updates: [], unsaved: null })
    const written = new Y.Doc()
    type({ doc: written }, "kept")
    copies.kept.get(`ada ${server.url}/notes`)?.updates.push(Y.encodeStateAsUpdate(written))
    const page = open(server, {
      user: "ada",
      offline: copies.open,
      token: async () => {
        throw new TypeError("The login is down")
      },
    })
    await expect.poll(() => text(page)).toBe("kept")
    expect(server.attempts).toEqual([])
  })

  it("[C7] is not opened for a page that has gone while its token was asked for", async () => {
    const server = await relay()
    const copies = new Copies()
    const answer = Promise.withResolvers<string>()
    const asked = Promise.withResolvers<void>()
    const page = open(server, {
      offline: copies.open,
      token: () => {
        asked.resolve()
        return answer.promise
      },
    })
    await asked.promise
    page.destroy()
    answer.resolve(token("ada", later()))
    const next = await opened(server, { token: token("ada", later()) })
    await next.whenSaved()
    expect([copies.kept.size, server.attempts.length]).toEqual([0, 1])
  })

  it("is done without where it cannot be opened", async () => {
    const server = await relay()
    const page = open(server, {
      offline: async () => {
        throw new TypeError("No room on this disk")
      },
    })
    const problems = record(page, "connection-error")
    await when(page, "sync", true)
    expect(problems).toMatchObject([{ message: "No room on this disk" }])
  })
})

it("[C6] [R1] tabs of two people of one browser share nothing", async () => {
  const server = await relay()
  server.refuse(503)
  const ada = open(server, { disableBc: false, token: token("ada", later()) })
  const bob = open(server, { disableBc: false, token: token("bob", later()) })
  const also = open(server, { disableBc: false, user: "ada" })
  type(ada, "for ada's tabs")
  await expect.poll(() => text(also)).toBe("for ada's tabs")
  expect(text(bob)).toBe("")
})
