/** Other content under our client ids: H9b of the security review, R5 of the design. */
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import * as Y from "yjs"
import { findConflicts } from "../../../src/client/conflict.ts"
import type { Conflict } from "../../../src/client/provider.ts"
import { remake } from "../../../src/client/remake.ts"
import * as wire from "../../../src/wire/y-websocket.ts"
import { onDisk, open, opened, record, relay, text, type, when } from "./vocabulary.ts"

describe("[R5] what stands under our client id in the room and is not ours", () => {
  it("is found on the next connection, and our words are made again under another id before they are saved", async () => {
    const server = await relay()
    const page = await opened(server)
    type(page, "mine ")
    await page.whenSaved()
    page.disconnect()
    const { clientID } = page.doc
    server.forge("notes", clientID, (doc) => type({ doc }, "EVIL"))
    type(page, "work")
    const [conflict, reload] = [record(page, "conflict"), record(page, "reload")]
    page.connect()
    await page.whenSaved()
    expect(onDisk(server)).toContain("work")
    expect(onDisk(server)).toContain("EVIL")
    expect(onDisk(server).match(/mine /g)).toHaveLength(1)
    const [{ before, doc, renamed }] = conflict as [Conflict]
    expect([reload, doc, page.doc.clientID === clientID]).toEqual([[page.doc], page.doc, false])
    expect([[...renamed.keys()], doc.store.clients.has([...renamed.values()][0] ?? 0)]).toEqual([
      [clientID],
      true,
    ])
    expect([text(page), text({ doc: before })]).toEqual([onDisk(server), "mine work"])
    expect(page.awareness.clientID).toBe(page.doc.clientID)
  })

  it("does not hinder the page afterwards: it edits, and comes back without a second conflict", async () => {
    const server = await relay()
    const page = await opened(server)
    page.on("reload", () => {})
    page.disconnect()
    server.forge("notes", page.doc.clientID, (doc) => type({ doc }, "EVIL"))
    type(page, "one ")
    page.connect()
    await page.whenSaved()
    const conflicts = record(page, "conflict")
    type(page, "two ")
    server.drop()
    type(page, "three")
    await page.whenSaved()
    expect([conflicts, onDisk(server), text(page)]).toEqual([[], text(page), onDisk(server)])
    for (const word of ["one ", "two ", "three"]) expect(onDisk(server).split(word)).toHaveLength(2)
  })

  it("ends a page that does not listen for it, once its words are durable", async () => {
    const server = await relay()
    const page = await opened(server)
    page.disconnect()
    server.forge("notes", page.doc.clientID, (doc) => type({ doc }, "EVIL"))
    type(page, "mine")
    const closed = when(page, "closed")
    page.connect()
    expect((await closed)[0].code).toBe(4409)
    expect(onDisk(server)).toContain("mine")
    expect([page.readOnly, page.status, page.hasUnsavedChanges]).toEqual([true, "disconnected", false])
  })

  it("is looked for when the room says so, and a false alarm changes nothing", async () => {
    const server = await relay()
    const page = await opened(server)
    type(page, "hello")
    await page.whenSaved()
    const conflicts = record(page, "conflict")
    const before = server.count("step-1")
    server.send(wire.writeNotice("conflict", "Client id 5 has other content"))
    await expect.poll(() => server.count("step-1")).toBe(before + 1)
    type(page, " again")
    await page.whenSaved()
    expect([conflicts, onDisk(server), page.synced, page.readOnly]).toEqual([[], "hello again", true, false])
  })

  it("reaches the person's other tabs, which take the room's version and give nothing twice", async () => {
    const server = await relay()
    const isTab = (name: string) => (attempt: { query: URLSearchParams }) => attempt.query.get("tab") === name
    const [a, b] = ["a", "b"].map((tab) => open(server, { disableBc: false, params: { tab } }))
    if (a === undefined || b === undefined) throw new TypeError("Two tabs")
    await Promise.all([when(a, "sync", true), when(b, "sync", true)])
    a.on("reload", () => {})
    b.on("reload", () => {})
    server.refuse(503, isTab("a"))
    server.drop(isTab("a"))
    await expect.poll(() => a.synced).toBe(false)
    server.mute(isTab("b"))
    type(a, "mine")
    await expect.poll(() => text(b)).toBe("mine")
    server.forge("notes", a.doc.clientID, (doc) => type({ doc }, "EVIL"))
    server.unmute()
    server.drop(isTab("b"))
    server.admit()
    await Promise.all([a.whenSaved(), b.whenSaved()])
    await expect.poll(() => [text(a), text(b)]).toEqual([onDisk(server), onDisk(server)])
    expect(onDisk(server)).toContain("mine")
    expect(onDisk(server)).toContain("EVIL")
  })

  it("is no conflict where the same items are split, merged or deleted", async () => {
    const server = await relay()
    const page = await opened(server)
    server.hold()
    type(page, "one two three 😀 four")
    await expect.poll(() => text({ doc: server.doc("notes") })).toBe(text(page))
    server.edit("notes", (doc) => doc.getText("t").delete(4, 4))
    server.edit("notes", (doc) => doc.getText("t").insert(2, "…"))
    await expect.poll(() => text(page)).toBe("on…e three 😀 four")
    page.doc.getText("t").delete(0, 1)
    const conflicts = record(page, "conflict")
    server.drop()
    await when(page, "sync", true)
    server.flush()
    await page.whenSaved()
    expect([conflicts, onDisk(server)]).toEqual([[], "n…e three 😀 four"])
  })
})

/** Random documents in which one client's later changes were lost and others stand in their place. */
const edit = fc.record({
  kind: fc.constantFrom("text", "delete", "array", "map", "nested"),
  at: fc.nat(1_000),
})

function play(doc: Y.Doc, edits: readonly { kind: string; at: number }[], mark: string): void {
  const [words, list, map] = [doc.getText("t"), doc.getArray<unknown>("a"), doc.getMap("m")]
  for (const { kind, at } of edits) {
    switch (kind) {
      case "text":
        words.insert(at % (words.length + 1), `${mark}${at}`)
        break
      case "delete":
        if (words.length > 0) words.delete(at % words.length, 1)
        break
      case "array":
        list.insert(at % (list.length + 1), [mark, at])
        break
      case "map":
        map.set(`key${at % 3}`, `${mark}${at}`)
        break
      default: {
        const inner = new Y.Array<unknown>()
        list.insert(at % (list.length + 1), [inner])
        inner.push([mark, at])
      }
    }
  }
}

it("[R5] makes again all of ours and nothing else, whatever it was", () => {
  const edits = fc.array(edit, { maxLength: 12 })
  fc.assert(
    fc.property(edits, edits, edits, (shared, ours, theirs) => {
      const [page, room] = [new Y.Doc(), new Y.Doc()]
      play(page, shared, "s")
      Y.applyUpdate(room, Y.encodeStateAsUpdate(page))
      const saved = Y.getState(page.store, page.clientID)
      room.clientID = page.clientID
      play(room, theirs, "t")
      play(page, ours, "o")
      const whole = Y.encodeStateAsUpdate(room)
      const conflicts = findConflicts(page, whole)
      if (conflicts.size === 0) {
        // Then one is a beginning of the other, deletions aside.
        Y.applyUpdate(page, whole)
        Y.applyUpdate(room, Y.encodeStateAsUpdate(page))
        for (const doc of [page, room]) play(doc, [], "")
        expect(page.toJSON()).toEqual(room.toJSON())
        return
      }
      expect(conflicts.get(page.clientID)).toBeGreaterThanOrEqual(saved)
      const own = new Map([[page.clientID, saved]])
      const { doc, update } = remake(page, whole, { conflicts, own })
      Y.applyUpdate(room, update)
      for (const each of [doc, room]) play(each, [], "")
      expect(doc.toJSON()).toEqual(room.toJSON())
      expect([doc.store.pendingStructs, room.store.pendingStructs]).toEqual([null, null])
      // What of ours can be seen in the page can be seen in the room; map keys have one winner.
      const mine = (each: Y.Doc) => (JSON.stringify(each.getArray("a")).match(/"o",\d+/g) ?? []).sort()
      expect(mine(room)).toEqual(mine(page))
    }),
    { numRuns: 300 },
  )
})
