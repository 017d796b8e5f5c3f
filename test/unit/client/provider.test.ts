/**
 * The provider against a real server in this process (`relay.ts`), over real sockets. The rules of the client, C1 to C8,
 * are in src/README.md; C8's tests are in offline.test.ts.
 */
import { describe, expect, it, vi } from "vitest"
import { WebSocket } from "ws"
import { WebsocketProvider } from "y-websocket"
import * as Y from "yjs"
import { Provider } from "../../../src/client/provider.ts"
import * as wire from "../../../src/wire/y-websocket.ts"
import type { Relay } from "../../kit/relay.ts"
import { onDisk, open, opened, record, relay, running, text, token, type, when } from "./vocabulary.ts"

describe("syncing", () => {
  it("[C2] brings two pages to the same text, and a third that comes later", async () => {
    const server = await relay()
    const [a, b] = [await opened(server), await opened(server)]
    type(a, "hello ")
    await a.whenSaved()
    await expect.poll(() => text(b)).toBe("hello ")
    type(b, "there")
    await b.whenSaved()
    const c = await opened(server)
    expect([text(c), c.hasUnsavedChanges, c.readOnly]).toEqual(["hello there", false, false])
    await expect.poll(() => text(a)).toBe("hello there")
  })

  it("[W2] works side by side with a stock y-websocket client", async () => {
    const server = await relay()
    const stock = new WebsocketProvider(server.url, "notes", new Y.Doc(), { disableBc: true })
    running.push(stock)
    const ours = await opened(server)
    type(ours, "from ours")
    ours.awareness.setLocalState({ name: "ours" })
    stock.awareness.setLocalState({ name: "stock" })
    await expect.poll(() => text(stock)).toBe("from ours")
    type(stock, ", from stock")
    await expect.poll(() => text(ours)).toBe("from ours, from stock")
    await expect.poll(() => stock.awareness.getStates().get(ours.doc.clientID)).toEqual({ name: "ours" })
    await expect.poll(() => ours.awareness.getStates().get(stock.doc.clientID)).toEqual({ name: "stock" })
  })

  it("[C2] tells status and sync, also through a loss", async () => {
    const server = await relay()
    const page = open(server, { connect: false })
    const [status, sync, synced] = [record(page, "status"), record(page, "sync"), record(page, "synced")]
    page.connect()
    await when(page, "sync", true)
    server.drop()
    await when(page, "sync", true)
    const states = ["connecting", "connected", "disconnected", "connecting", "connected"]
    expect(status).toEqual(states.map((state) => ({ status: state, transport: "websocket" })))
    expect([sync, synced]).toEqual([
      [true, false, true],
      [true, false, true],
    ])
    expect([page.status, page.synced]).toEqual(["connected", true])
  })

  it("[C2] sends a burst of one turn in few frames", async () => {
    const server = await relay()
    const page = await opened(server)
    for (let i = 0; i < 1_000; i++) type(page, "x")
    await page.whenSaved()
    expect(onDisk(server)).toBe("x".repeat(1_000))
    expect(server.count("update")).toBeLessThan(40)
    expect(server.count("saved")).toBe(1)
  })

  it("addresses a document by its id, encoded, and with the parameters of the moment", async () => {
    const server = await relay()
    let round = 0
    const page = new Provider(`${server.url.replace("ws:", "http:")}//`, "team/ä b?", new Y.Doc(), {
      disableBc: true,
      maxBackoffTime: 20,
      params: async () => ({ round: String(++round), q: "a&b" }),
    })
    running.push(page)
    await when(page, "sync", true)
    server.drop()
    await when(page, "sync", true)
    expect(server.attempts.map(({ path, query }) => [path, query.get("round"), query.get("q")])).toEqual([
      ["/docs/team/ä b?", "1", "a&b"],
      ["/docs/team/ä b?", "2", "a&b"],
    ])
    expect(server.attempts[0]?.protocols).toEqual(["yurt"])
  })

  it("asks again every resyncInterval", async () => {
    const server = await relay()
    const page = await opened(server, { resyncInterval: 10 })
    await expect.poll(() => server.count("step-1")).toBeGreaterThan(3)
    expect(server.count("step-2")).toBe(0)
    expect(page.synced).toBe(true)
  })

  it("[W1] drops a connection that brought a frame it can't read, and syncs on the next", async () => {
    const server = await relay()
    const page = await opened(server)
    const problem = when(page, "connection-error")
    server.send(new Uint8Array([99, 1, 2]))
    expect((await problem)[0]).toMatchObject({ code: "bad-frame" })
    await when(page, "sync", true)
  })

  it("[W1] drops a connection that brought a payload it can't read, of whatever frame", async () => {
    const server = await relay()
    const page = await opened(server)
    const bad = new Uint8Array([255, 255])
    const frames = [
      wire.writeSaved(bad),
      new Uint8Array([104, bad.length, ...bad]),
      wire.writeAwareness(new Uint8Array([1, 5, 1, 3, 123, 123, 123])),
      wire.writeAwareness(new Uint8Array([9])),
      wire.writeUpdate(new Uint8Array([1, 9, 9])),
    ]
    for (const frame of frames) {
      const problem = when(page, "connection-error")
      server.send(frame)
      expect((await problem)[0]).toBeInstanceOf(Error)
      await when(page, "sync", true)
    }
    expect(server.attempts.length).toBe(frames.length + 1)
    type(page, "still here")
    await page.whenSaved()
  })

  it("[W1] does not take an error of a listener's for a bad frame", async () => {
    const server = await relay()
    const page = await opened(server)
    const thrown = new Promise((resolve) => process.once("uncaughtException", resolve))
    page.once("update", () => {
      throw new RangeError("of the application")
    })
    server.edit("notes", (doc) => type({ doc }, "hello"))
    await expect(thrown).resolves.toMatchObject({ message: "of the application" })
    expect([text(page), page.status, server.attempts.length]).toEqual(["hello", "connected", 1])
  })

  it("[D9] answers the same gap once on a connection, and what is made meanwhile all the same", async () => {
    const server = await relay()
    const author = new Y.Doc()
    const updates: Uint8Array[] = []
    author.on("update", (update: Uint8Array) => updates.push(update))
    type({ doc: author }, "A")
    type({ doc: author }, "B")
    const doc = new Y.Doc()
    Y.applyUpdate(doc, updates[1] ?? new Uint8Array())
    doc.getText("t").insert(0, "mine")
    const page = await opened(server, {}, doc)
    await page.whenSaved()
    const answers = server.count("step-2")
    for (let again = 1; again <= 5; again++) {
      server.ask()
      page.send("asked")
      await expect.poll(() => server.count("text")).toBe(again)
    }
    expect([answers, server.count("step-2") - answers <= 1]).toEqual([1, true])
    type(page, " and more")
    await page.whenSaved()
    expect(onDisk(server)).toBe("mine and more")
  })

  it("tells what was not taken, goes on, and echoes a probe", async () => {
    const server = await relay()
    const page = await opened(server)
    const notice = when(page, "notice")
    server.send(wire.writeNotice("too-large", "A presence of 90000 bytes; at most 65536"))
    expect((await notice)[0]).toEqual({
      code: "too-large",
      message: "A presence of 90000 bytes; at most 65536",
    })
    server.send(wire.writeProbe(new Uint8Array([1, 2, 3])))
    await expect.poll(() => server.count("probe")).toBe(1)
    type(page, "on")
    await page.whenSaved()
    expect([page.readOnly, page.refused, server.attempts.length]).toEqual([false, null, 1])
  })

  it("takes ids as people write them, and none that no URL can carry", async () => {
    const server = await relay()
    for (const id of ["Meeting notes", "café", "ada@example.com", "Müller/Angebot 3", "a=b+c", "100%"]) {
      const page = new Provider(server.url, id, new Y.Doc(), { disableBc: true })
      running.push(page)
      await when(page, "sync", true)
      expect(server.attempts.at(-1)?.path).toBe(`/docs/${id}`)
    }
    for (const id of ["a/../b", ".", "a/./b"]) {
      expect(() => new Provider(server.url, id, new Y.Doc())).toThrow(
        expect.objectContaining({ code: "bad-id" }),
      )
    }
  })

  it("carries custom messages both ways", async () => {
    const server = await relay()
    const page = open(server)
    expect(page.send("too early")).toBe(false)
    await when(page, "sync", true)
    const answer = when(page, "message")
    expect(page.send("hello")).toBe(true)
    expect((await answer)[0]).toBe("hello")
  })
})

describe("saved", () => {
  it("[C1] [D1] means that the room's disk has it", async () => {
    const server = await relay()
    const page = await opened(server)
    const [unsaved, saved] = [record(page, "unsaved"), record(page, "saved")]
    server.hold()
    type(page, "one ")
    expect(page.hasUnsavedChanges).toBe(true)
    type(page, "two")
    await expect.poll(() => text({ doc: server.doc("notes") })).toBe("one two")
    expect([page.hasUnsavedChanges, onDisk(server), unsaved.length, saved.length]).toEqual([true, "", 1, 0])
    const done = page.whenSaved()
    server.flush()
    await done
    expect([page.hasUnsavedChanges, onDisk(server), unsaved.length, saved.length]).toEqual([
      false,
      "one two",
      1,
      1,
    ])
  })

  it("[C1] asks one question at a time, and the next covers all that came meanwhile", async () => {
    const server = await relay()
    const page = await opened(server)
    server.hold()
    for (let i = 0; i < 20; i++) {
      type(page, "x")
      await expect.poll(() => text({ doc: server.doc("notes") }).length).toBe(i + 1)
    }
    expect(server.count("saved")).toBe(1)
    server.flush()
    await page.whenSaved()
    expect(server.count("saved")).toBe(2)
  })

  it("[C1] does not take what others changed for its own", async () => {
    const server = await relay()
    const page = await opened(server)
    const unsaved = record(page, "unsaved")
    server.edit("notes", (doc) => type({ doc }, "by the server"))
    await expect.poll(() => text(page)).toBe("by the server")
    expect([unsaved, server.count("saved"), server.count("update")]).toEqual([[], 0, 0])
  })

  it("[C1] counts a document that is not empty as unsaved until the room has it", async () => {
    const server = await relay()
    const doc = new Y.Doc()
    type({ doc }, "written before")
    const page = open(server, {}, doc)
    expect(page.hasUnsavedChanges).toBe(true)
    await page.whenSaved()
    expect(onDisk(server)).toBe("written before")
  })

  it("[C1] [D2] does not call saved what the room forgot, and sends it again", async () => {
    const server = await relay()
    const page = await opened(server)
    type(page, "kept ")
    await page.whenSaved()
    server.hold()
    type(page, "forgotten ")
    await expect.poll(() => text({ doc: server.doc("notes") })).toBe("kept forgotten ")
    await server.crash()
    expect(text({ doc: server.doc("notes") })).toBe("kept ")
    await when(page, "status")
    type(page, "offline")
    expect(page.hasUnsavedChanges).toBe(true)
    server.flush()
    const saved = record(page, "saved")
    await server.listen()
    await page.whenSaved()
    expect([onDisk(server), saved.length]).toEqual(["kept forgotten offline", 1])
  })

  it("[C2] brings back what it has only seen, deletions too, when the room forgot it and its author is gone", async () => {
    const server = await relay()
    const [author, witness] = [await opened(server), await opened(server)]
    type(author, "one two three")
    await author.whenSaved()
    await expect.poll(() => text(witness)).toBe("one two three")
    server.hold()
    author.doc.getText("t").delete(3, 4)
    await expect.poll(() => text(witness)).toBe("one three")
    author.destroy()
    await server.crash()
    expect(text({ doc: server.doc("notes") })).toBe("one two three")
    server.flush()
    await server.listen()
    await when(witness, "sync", true)
    await expect.poll(() => onDisk(server)).toBe("one three")
  })

  it("[C2] sends nothing on a reconnect when the room has everything", async () => {
    const server = await relay()
    const page = await opened(server)
    type(page, "some words")
    page.doc.getText("t").delete(2, 3)
    await page.whenSaved()
    const newcomer = await opened(server)
    const before = server.received.length
    server.drop()
    await Promise.all([when(page, "sync", true), when(newcomer, "sync", true)])
    page.send("that was all")
    await expect.poll(() => server.count("text")).toBe(1)
    const sent = server.received.slice(before).map((frame) => frame.type)
    expect(new Set(sent)).toEqual(new Set(["step-1", "awareness", "text"]))
  })

  it("[D3] tells everything again when the room asks, for something has not reached it", async () => {
    const server = await relay()
    const page = await opened(server)
    server.mute()
    type(page, "lost on the way, ")
    await expect.poll(() => server.count("update")).toBe(1)
    server.unmute()
    type(page, "waits for that")
    await expect.poll(() => server.count("update")).toBe(2)
    expect(text({ doc: server.doc("notes") })).toBe("")
    server.ask()
    await expect.poll(() => text({ doc: server.doc("notes") })).toBe("lost on the way, waits for that")
  })

  it("[C7] sends what was changed in the same turn as destroy", async () => {
    const server = await relay()
    const page = await opened(server)
    type(page, "last words")
    page.destroy()
    await expect.poll(() => onDisk(server)).toBe("last words")
  })
})

describe("rights", () => {
  it("[R2] stops sending after a refusal, says so, and never calls it saved", async () => {
    const server = await relay()
    server.forbidWriting()
    const page = await opened(server)
    const saved = record(page, "saved")
    const refused = when(page, "refused")
    type(page, "not allowed")
    const waiting = page.whenSaved()
    await expect(waiting).rejects.toMatchObject({ code: "forbidden" })
    expect((await refused)[0].reason).toContain("may read")
    type(page, ", nor this")
    page.send("after that")
    await expect.poll(() => server.count("text")).toBe(1)
    expect([server.count("update"), page.readOnly, page.hasUnsavedChanges, saved]).toEqual([
      1,
      true,
      true,
      [],
    ])
    await expect(page.whenSaved()).rejects.toMatchObject({ code: "forbidden" })
  })

  it("[R2] tries once on the next connection, which may have other rights", async () => {
    const server = await relay()
    server.forbidWriting()
    const page = await opened(server)
    type(page, "patience")
    await when(page, "refused")
    server.allowWriting()
    server.drop()
    await when(page, "saved")
    expect([onDisk(server), page.readOnly, page.refused]).toEqual(["patience", false, null])
  })

  it("[R2] tells everything once more when the room asks after a refusal, and not again", async () => {
    const server = await relay()
    const page = await opened(server)
    server.forbidWriting()
    type(page, "too much pending")
    await when(page, "refused")
    server.ask()
    await when(page, "refused")
    server.ask()
    page.send("done")
    await expect.poll(() => server.count("text")).toBe(1)
    expect([server.count("update"), server.count("step-2")]).toEqual([1, 1])
  })

  it("[R2] knows that it may only read when the room does not ask for changes", async () => {
    const server = await relay()
    server.edit("notes", (doc) => type({ doc }, "read me"))
    server.stopAsking()
    const page = open(server)
    const readOnly = record(page, "read-only")
    await when(page, "sync", true)
    expect([page.readOnly, readOnly, text(page)]).toEqual([true, [true], "read me"])
    server.drop()
    await when(page, "sync", true)
    expect([server.count("step-2"), server.count("update")]).toEqual([0, 0])
  })
})

describe("coming back", () => {
  it("[C3] stops at a final close, says why, and connects again when told to", async () => {
    const server = await relay()
    const page = await opened(server)
    server.hold()
    type(page, "x")
    const waiting = page.whenSaved()
    const closed = when(page, "closed")
    server.close(4404, "The document was deleted")
    await expect(waiting).rejects.toMatchObject({ code: "deleted" })
    expect((await closed)[0]).toEqual({ code: 4404, reason: "The document was deleted" })
    expect([page.status, page.closed?.code, server.attempts.length]).toEqual(["disconnected", 4404, 1])
    page.connect()
    await when(page, "sync", true)
    expect([page.closed, server.attempts.length]).toEqual([null, 2])
  })

  it("[C3] retries a close that is not final", async () => {
    const server = await relay()
    const page = await opened(server)
    for (const code of [1000, 1011, 1012, 1013, 4000, 4500]) {
      const close = when(page, "connection-close")
      server.close(code, "again")
      expect((await close)[0].code).toBe(code)
      await when(page, "sync", true)
    }
  })

  it.each([429, 503])("[C3] retries an upgrade that is refused with %d", async (status) => {
    const server = await relay()
    server.refuse(status)
    const page = open(server)
    const seen = record(page, "status")
    await expect.poll(() => server.attempts.length).toBeGreaterThan(3)
    expect(new Set(seen.map((event) => (event as { status: string }).status))).toEqual(
      new Set(["connecting", "disconnected"]),
    )
    server.admit()
    await when(page, "sync", true)
  })

  it("[C3] waits between attempts, each time up to twice as long, never the same time", async () => {
    const server = await relay()
    server.refuse(503)
    const waits: number[] = []
    const timeout = globalThis.setTimeout
    vi.spyOn(globalThis, "setTimeout").mockImplementation(((run: () => void, ms = 0) => {
      if (ms > 0 && ms % 1 !== 0) waits.push(ms)
      return timeout(run, ms % 1 === 0 ? ms : 0)
    }) as typeof setTimeout)
    open(server, { maxBackoffTime: 1_000 })
    await expect.poll(() => waits.length).toBeGreaterThan(8)
    vi.restoreAllMocks()
    const ceilings = [200, 400, 800, 1_000, 1_000, 1_000, 1_000, 1_000]
    ceilings.forEach((ceiling, i) => {
      expect(waits[i]).toBeLessThanOrEqual(ceiling)
      expect(waits[i]).toBeGreaterThanOrEqual(ceiling / 2)
    })
    expect(new Set(waits).size).toBe(waits.length)
  })

  it("[C3] waits longer each time a room closes with 1013 at once", async () => {
    const server = await relay()
    const page = await opened(server, { maxBackoffTime: 200 })
    const beganMs = performance.now()
    for (let times = 0; times < 4; times++) {
      server.close(1013, "Too many frames")
      await when(page, "sync", true)
    }
    // 200 ms each after the first, less at most half for the jitter.
    expect(performance.now() - beganMs).toBeGreaterThan(390)
    expect(server.attempts.length).toBe(5)
  })

  it("[C3] gives up a socket on which nothing comes any more", async () => {
    const server = await relay()
    const page = await opened(server, { heartbeatInterval: 30 })
    await expect.poll(() => server.count("text")).toBeGreaterThan(2)
    expect(server.attempts.length).toBe(1)
    server.mute()
    await when(page, "status", undefined)
    server.unmute()
    await when(page, "sync", true)
    expect(server.attempts.length).toBeGreaterThan(1)
  })

  it("[C7] cancels a pending connect, and takes any order of connect and disconnect", async () => {
    const server = await relay()
    const page = open(server, { connect: false })
    page.disconnect()
    page.connect()
    page.connect()
    page.disconnect()
    page.disconnect()
    expect(page.status).toBe("disconnected")
    page.connect()
    await when(page, "sync", true)
    page.disconnect()
    expect([page.status, page.synced]).toEqual(["disconnected", false])
    await expect.poll(() => server.connections()).toBe(0)
    expect(server.attempts.length).toBe(1)
  })

  it("[C7] takes connect and disconnect inside its own events", async () => {
    const server = await relay()
    const page = open(server)
    page.once("sync", () => page.disconnect())
    await when(page, "status", undefined)
    await expect.poll(() => page.status).toBe("disconnected")
    page.connect()
    await when(page, "sync", true)
    page.once("closed", () => page.connect())
    server.close(4403, "no")
    await when(page, "sync", true)
    expect(page.closed).toBe(null)
  })

  it("[C7] lets go of everything on destroy, or when the document is destroyed", async () => {
    const server = await relay()
    const [a, b] = [await opened(server), await opened(server)]
    server.hold()
    type(a, "x")
    const waiting = a.whenSaved()
    a.destroy()
    a.destroy()
    await expect(waiting).rejects.toMatchObject({ code: "closed" })
    a.connect()
    b.doc.destroy()
    expect([a.status, b.status]).toEqual(["disconnected", "disconnected"])
    await expect.poll(() => server.connections()).toBe(0)
    expect(server.attempts.length).toBe(2)
  })

  it("works with the WebSocket class of ws", async () => {
    const server = await relay()
    const page = await opened(server, { WebSocketPolyfill: WebSocket })
    type(page, "through ws")
    await page.whenSaved()
    expect(onDisk(server)).toBe("through ws")
  })
})

describe("tokens", () => {
  it("[C4] asks for one at each attempt, and offers it as a subprotocol", async () => {
    const server = await relay()
    let asked = 0
    const page = await opened(server, { token: async () => `token-${++asked}` })
    server.drop()
    await when(page, "sync", true)
    expect(server.attempts.map(({ protocols }) => protocols)).toEqual([
      ["yurt", "token-1"],
      ["yurt", "token-2"],
    ])
  })

  it("[C4] tries again when it can't have one", async () => {
    const server = await relay()
    let asked = 0
    const page = open(server, {
      token: () => {
        if (++asked < 3) throw new TypeError("The login is down")
        return "good"
      },
    })
    expect((await when(page, "connection-error"))[0]).toMatchObject({ message: "The login is down" })
    await when(page, "sync", true)
    expect(server.attempts.length).toBe(1)
  })

  it("[C4] replaces it in-band before it ends", async () => {
    const server = await relay()
    const names = ["first", "second", "third"]
    let asked = 0
    const page = await opened(server, {
      token: () => token(names[asked++] ?? "later", Date.now() + (asked < 3 ? 150 : 60_000)),
    })
    await expect.poll(() => server.count("renewal")).toBe(2)
    const tokens = server.received.flatMap((frame) => (frame.type === "renewal" ? [frame.payload] : []))
    const subjects = tokens.map(
      (payload) =>
        JSON.parse(Buffer.from(new TextDecoder().decode(payload).split(".")[1] ?? "", "base64url").toString())
          .sub,
    )
    expect([subjects, server.attempts.length, page.status]).toEqual([["second", "third"], 1, "connected"])
  })

  it("[C4] gets one more attempt with a fresh one after 4401, and another after it was let in", async () => {
    const server = await relay()
    let good = "token-2"
    server.check((offered) => offered === good)
    let asked = 0
    const page = await opened(server, { token: () => `token-${++asked}` })
    expect(server.attempts.length).toBe(2)
    good = "token-3"
    server.close(4401, "The token has expired")
    await when(page, "sync", true)
    good = "none"
    server.close(4401, "The token has expired")
    const [closed] = await when(page, "closed")
    expect([closed.code, server.attempts.length]).toEqual([4401, 4])
    await expect(Promise.resolve(page.status)).resolves.toBe("disconnected")
  })

  it("[C4] ends with 4401 when there is no other", async () => {
    const server = await relay()
    server.check(() => false)
    const page = open(server, { token: "fixed" })
    expect((await when(page, "closed"))[0]).toMatchObject({ code: 4401 })
    expect(server.attempts.length).toBe(1)
  })
})

describe("presence", () => {
  const seen = (page: { awareness: Provider["awareness"] }, other: { doc: Y.Doc }) =>
    page.awareness.getStates().get(other.doc.clientID)

  it("[P3] [P4] forgets others on a loss, and sees those who were idle again, as they see it", async () => {
    const server = await relay()
    const [a, b] = [await opened(server), await opened(server)]
    a.awareness.setLocalState({ name: "A" })
    b.awareness.setLocalState({ name: "B" })
    await expect.poll(() => [seen(a, b), seen(b, a)]).toEqual([{ name: "B" }, { name: "A" }])
    a.disconnect()
    expect([...a.awareness.getStates().keys()]).toEqual([a.doc.clientID])
    await expect.poll(() => seen(b, a)).toBe(undefined)
    a.connect()
    await expect.poll(() => [seen(a, b), seen(b, a)]).toEqual([{ name: "B" }, { name: "A" }])
  })

  it("[C5] says a burst of changes once, and what has not changed not at all", async () => {
    const server = await relay()
    const page = await opened(server)
    const before = server.count("awareness")
    for (let i = 0; i < 50; i++) page.awareness.setLocalStateField("x", i)
    page.send("burst over")
    await expect.poll(() => server.count("text")).toBe(1)
    page.awareness.setLocalState({ x: 49 })
    page.awareness.setLocalState({ x: 49 })
    page.send("and again")
    await expect.poll(() => server.count("text")).toBe(2)
    expect(server.count("awareness") - before).toBe(1)
  })

  it("[P1] contradicts whoever says that it is gone, and speaks for itself alone when asked", async () => {
    const server = await relay()
    const [a, b] = [await opened(server), await opened(server)]
    a.awareness.setLocalState({ name: "A" })
    await expect.poll(() => seen(b, a)).toEqual({ name: "A" })
    const before = server.count("awareness")
    server.send(wire.writeQuery())
    await expect.poll(() => server.count("awareness")).toBe(before + 2)
    const clock = a.awareness.meta.get(a.doc.clientID)?.clock ?? 0
    const gone = new TextEncoder().encode("null")
    const id = varUint(a.doc.clientID)
    server.send(wire.writeAwareness(new Uint8Array([1, ...id, ...varUint(clock + 1), gone.length, ...gone])))
    await expect.poll(() => b.awareness.meta.get(a.doc.clientID)?.clock).toBeGreaterThan(clock + 1)
    expect(seen(b, a)).toEqual({ name: "A" })
  })

  it("[C5] sends pings alone while idle, and does not forget who is idle too", async () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "Date"] })
    const server = await relay()
    open(server, { connect: false })
    expect(vi.getTimerCount()).toBe(0)
    const [a, b] = [await opened(server), await opened(server)]
    await vi.waitUntil(() => seen(a, b) !== undefined && seen(b, a) !== undefined)
    const before = server.received.length
    for (let beat = 1; beat <= 3; beat++) {
      vi.advanceTimersByTime(20_000)
      await vi.waitUntil(() => server.count("text") === 2 * beat)
    }
    expect(server.received.slice(before)).toEqual(Array(6).fill({ type: "text", text: wire.PING }))
    expect([seen(a, b), seen(b, a)]).toEqual([{}, {}])
  })

  it("[C5] answers the renewals of a stock client that would forget it, once a round, and nobody else's", async () => {
    vi.useFakeTimers({ toFake: ["Date"] })
    const server = await relay()
    const stock = new WebsocketProvider(server.url, "notes", new Y.Doc(), { disableBc: true })
    running.push(stock)
    const [ours, other] = [await opened(server), await opened(server)]
    await vi.waitUntil(() => seen(stock, ours) && seen(stock, other))
    // Its first state is of clock 0, which Awareness does not take: it is first seen when it renews.
    expect(seen(ours, stock)).toBe(undefined)
    const clocks = () => [ours, other].map(({ doc }) => stock.awareness.meta.get(doc.clientID)?.clock ?? 0)
    // What its timer does, which lib0 keeps from being hurried.
    const renew = () => stock.awareness.setLocalState(stock.awareness.getLocalState())
    for (let round = 0; round < 3; round++) {
      const before = clocks()
      vi.setSystemTime(Date.now() + 15_000)
      renew()
      await expect.poll(clocks).toEqual(before.map((clock) => clock + 1))
      renew()
      renew()
    }
    stock.destroy()
    await vi.waitUntil(() => seen(ours, stock) === undefined && seen(other, stock) === undefined)
    const before = server.count("awareness")
    vi.setSystemTime(Date.now() + 60_000)
    ours.send("the last word")
    await vi.waitUntil(() => server.count("text") === 1)
    expect(server.count("awareness")).toBe(before)
  })
})

describe("other tabs of the browser", () => {
  const isTab = (name: string) => (attempt: { query: URLSearchParams }) => attempt.query.get("tab") === name
  const tab = (server: Relay, name: string, doc?: Y.Doc) =>
    open(server, { disableBc: false, params: { tab: name } }, doc)

  it("[C6] hear each change at once, and leave it to the one that made it to send it", async () => {
    const server = await relay()
    const [a, b] = [tab(server, "a"), tab(server, "b")]
    await Promise.all([when(a, "sync", true), when(b, "sync", true)])
    const unsaved = record(b, "unsaved")
    type(a, "hello")
    await a.whenSaved()
    expect([text(b), onDisk(server), server.count("update"), unsaved]).toEqual(["hello", "hello", 1, []])
  })

  it("[C6] send on what a tab without a connection makes, and what it made before they came", async () => {
    const server = await relay()
    server.refuse(503, isTab("offline"))
    const offline = tab(server, "offline")
    type(offline, "made before, ")
    const online = tab(server, "online")
    await when(online, "sync", true)
    expect(text(online)).toBe("made before, ")
    await online.whenSaved()
    server.hold()
    type(offline, "made after")
    await when(online, "unsaved")
    expect(text(online)).toBe("made before, made after")
    server.flush()
    await online.whenSaved()
    expect([onDisk(server), offline.hasUnsavedChanges]).toEqual(["made before, made after", true])
  })

  it("[C6] take over what a tab had not saved when it lost its connection", async () => {
    const server = await relay()
    const [a, b] = [tab(server, "a"), tab(server, "b")]
    await Promise.all([when(a, "sync", true), when(b, "sync", true)])
    server.mute(isTab("a"))
    type(a, "sent into the void")
    await expect.poll(() => server.count("update")).toBe(1)
    expect([text(b), b.hasUnsavedChanges, onDisk(server)]).toEqual(["sent into the void", false, ""])
    a.destroy()
    expect(b.hasUnsavedChanges).toBe(true)
    await b.whenSaved()
    expect(onDisk(server)).toBe("sent into the void")
  })

  it("[C6] [R2] are spared what the room does not take from a reader, and a reader takes nothing over", async () => {
    const server = await relay()
    const writer = tab(server, "writer")
    await when(writer, "sync", true)
    server.stopAsking()
    server.forbidWriting(isTab("reader"))
    const reader = tab(server, "reader")
    await when(reader, "sync", true)
    type(reader, "only here")
    await when(reader, "refused")
    type(writer, "for all")
    await writer.whenSaved()
    server.mute(isTab("writer"))
    type(writer, " and more")
    await expect.poll(() => server.count("update")).toBe(3)
    writer.destroy()
    reader.send("still here")
    await expect.poll(() => server.count("text")).toBe(1)
    expect([server.count("update"), text(writer)]).toEqual([3, "for all and more"])
  })

  it("[C6] see each other's cursor, and lose it with the tab", async () => {
    const server = await relay()
    server.refuse(503)
    const [a, b] = [tab(server, "a"), tab(server, "b")]
    a.awareness.setLocalState({ name: "A" })
    const states = () => b.awareness.getStates().get(a.doc.clientID)
    await expect.poll(states).toEqual({ name: "A" })
    a.destroy()
    expect(states()).toBe(undefined)
  })

  it("[C6] of a real browser's channel are heard too", async () => {
    const server = await relay()
    server.refuse(503)
    const page = tab(server, "page")
    const channel = new BroadcastChannel(page.name)
    running.push({ destroy: () => channel.close() })
    const other = new Y.Doc()
    type({ doc: other }, "from another tab")
    channel.postMessage(wire.writeUpdate(Y.encodeStateAsUpdate(other)))
    await expect.poll(() => text(page)).toBe("from another tab")
    const heard = new Promise((resolve) => {
      channel.onmessage = ({ data }) => resolve(wire.readFrame(new Uint8Array(data)).type)
    })
    type(page, "!")
    expect(await heard).toBe("step-2")
  })
})

function varUint(number: number): number[] {
  return number < 128 ? [number] : [(number % 128) | 128, ...varUint(Math.floor(number / 128))]
}
