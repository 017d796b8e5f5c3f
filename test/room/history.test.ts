/** A room with a past (H1–H6): what is recorded, shown, and brought back. */

import { runInDurableObject } from "cloudflare:test"
import { env } from "cloudflare:workers"
import { expect, it } from "vitest"
import * as Y from "yjs"
import type { Grant } from "../../src/access/rights.ts"
import type { PastCalls } from "../../src/rpc.ts"
import { unwrap } from "../../src/rpc.ts"
import { freshId, openRoom, TestRoom, until, WRITER } from "./vocabulary.ts"
import { faults } from "./worker.ts"

const as = (subject: string, more: Partial<Grant> = {}): Grant => ({
  ...WRITER,
  subject,
  name: subject.toUpperCase(),
  admin: false,
  ...more,
})

const ADMIN = as("root", { admin: true })

/** Ask about the past, as the routes do. */
function past<Verb extends keyof PastCalls>(
  room: TestRoom,
  verb: Verb,
  ask: PastCalls[Verb]["ask"],
  grant: Grant = ADMIN,
): Promise<PastCalls[Verb]["answer"]> {
  return unwrap(runInDurableObject(room.stub, (instance) => instance.past(verb, ask, grant)))
}

/** The text at a moment. */
async function textAt(room: TestRoom, at: string | number, grant: Grant = ADMIN): Promise<string> {
  const exported = await unwrap(
    room.stub.export({ format: "text", accept: null, root: null, ifNoneMatch: null, at: String(at) }, grant),
  )
  return String(exported?.body)
}

/** Fold the log into the snapshot, so that its rows go to the past. */
async function compacts(room: TestRoom): Promise<void> {
  await room.alarm()
  expect((await room.status())?.logRows).toBe(0)
}

/** Somebody writes, and it is committed as a revision of its own. @returns the revision */
async function writes(room: TestRoom, who: number, text: string): Promise<number> {
  room.type(who, text)
  await room.saves(who)
  return (await room.status())!.revision
}

const ASK = {
  from: null,
  to: null,
  by: null,
  via: null,
  groupMs: 0,
  newestFirst: false,
  cursor: null,
  limit: 100,
}

/** Ada and Bob in a room, shown by their awareness, so that their client ids are theirs. */
async function openForTwo(): Promise<TestRoom> {
  const room = new TestRoom(freshId(), env.Historic)
  for (const [who, name] of ["ada", "bob"].entries()) {
    await room.join(as(name))
    room.point(who, { name })
  }
  return room
}

it("[H1] tells of each commit when, by whom and by which way, also after a compaction and a restart", async () => {
  const room = await openForTwo()
  const before = Date.now()
  await writes(room, 0, "one ")
  await room.reads(1, "one ")
  await writes(room, 1, "two ")
  await room.edit((doc) => doc.getText("text").insert(8, "three"))
  const check = async () => {
    const { activity } = await past(room, "activity", ASK)
    expect(activity.map(({ by, inserted }) => [by.subject, by.name, by.via, inserted])).toEqual([
      ["ada", "ADA", "socket", 4],
      ["bob", "BOB", "socket", 4],
      [null, undefined, "server", 5],
    ])
    for (const { from, to } of activity) {
      expect(Date.parse(from)).toBeGreaterThanOrEqual(before - 100)
      expect(Date.parse(to)).toBeLessThanOrEqual(Date.now())
    }
  }
  await check()
  await room.leave(0)
  await room.leave(1)
  await room.alarm()
  expect((await room.status())?.logRows).toBe(0)
  await check()
  await room.evict()
  await check()
})

it("[H1] shows every revision as it was, before and after the log was folded", async () => {
  const room = await openForTwo()
  const states = new Map<number, string>()
  for (let i = 0; i < 6; i++) {
    const revision = await writes(room, i % 2, `${i} `)
    states.set(revision, room.text(i % 2))
    await room.converges()
  }
  const check = async () => {
    for (const [revision, text] of states) expect(await textAt(room, revision)).toBe(text)
  }
  await check()
  await room.leave(0)
  await room.leave(1)
  await room.alarm()
  expect((await room.status())?.logRows).toBe(0)
  await check()
  await room.join(as("ada"))
  const more = await writes(room, 2, "more")
  states.set(more, room.text(2))
  await room.evict()
  await check()
  await expect(textAt(room, more + 1)).rejects.toMatchObject({ code: "not-found" })
  await expect(textAt(room, 0)).rejects.toMatchObject({ code: "not-found" })
  await expect(textAt(room, "yesterday")).rejects.toMatchObject({ code: "bad-request" })
  expect(await textAt(room, new Date().toISOString())).toBe(states.get(more))
  await expect(textAt(room, "2001-01-01T00:00:00Z")).rejects.toMatchObject({ code: "not-found" })
})

it("[H2] names a revision by a version, which copies nothing", async () => {
  const room = await openForTwo()
  await writes(room, 0, "first")
  await compacts(room)
  const rows = async () => (await room.rows<{ n: number }>("SELECT count(*) AS n FROM past_bytes"))[0]!.n
  const before = await rows()
  const made = await past(room, "createVersion", { name: "Draft", meta: { by: "hand" } }, as("ada"))
  expect(made).toMatchObject({
    name: "Draft",
    trigger: "manual",
    createdBy: { subject: "ada", name: "ADA", via: "rest" },
    by: [{ subject: "ada", via: "socket" }],
    meta: { by: "hand" },
  })
  expect(made.id).toMatch(/^v_\w+$/)
  expect(await rows()).toBe(before)
  await room.reads(1, "first")
  await writes(room, 1, " second")
  expect(await textAt(room, made.id)).toBe("first")
  const changed = await past(room, "changeVersion", { id: made.id, name: "Final" }, as("bob"))
  expect(changed).toEqual({ ...made, name: "Final" })
  const second = await past(room, "createVersion", { name: null, meta: undefined }, as("bob"))
  expect(second.by).toMatchObject([{ subject: "bob" }])
  expect((await past(room, "versions", { cursor: null, limit: 1 })).versions).toEqual([second])
  const { cursor } = await past(room, "versions", { cursor: null, limit: 1 })
  expect(await past(room, "versions", { cursor, limit: 1 })).toEqual({ versions: [changed], cursor: null })
  await expect(past(room, "forgetVersion", { id: made.id }, as("bob"))).rejects.toMatchObject({
    code: "forbidden",
  })
  await past(room, "forgetVersion", { id: made.id }, as("ada"))
  await expect(past(room, "version", { id: made.id })).rejects.toMatchObject({ code: "not-found" })
  expect(await textAt(room, made.revision)).toBe("first")
})

it("[H2] [H3] lets a subclass of the room name its versions and bring them back", async () => {
  const room = await openForTwo()
  await writes(room, 0, "first")
  const ask = <Verb extends keyof PastCalls>(verb: Verb, what: PastCalls[Verb]["ask"]) =>
    runInDurableObject(room.stub, (instance) => instance.history(verb, what))
  const made = await ask("createVersion", { name: "By the server", meta: null })
  expect(made).toMatchObject({ createdBy: { subject: null, via: "server" }, by: [{ subject: "ada" }] })
  await writes(room, 0, " and more")
  const { backup } = await ask("restore", { id: made.id, root: null })
  await room.reads(1, "first")
  expect(backup.createdBy).toEqual({ subject: null, via: "server" })
  expect((await ask("versions", { cursor: null, limit: 9 })).versions).toEqual([backup, made])
  expect(await room.happened("versioned")).toBe(2)
})

it("[H2] makes a version by itself when a session ends", async () => {
  const room = await openForTwo()
  await writes(room, 0, "work")
  await room.leave(0)
  expect((await past(room, "versions", { cursor: null, limit: 9 })).versions).toEqual([])
  await room.leave(1)
  await room.alarm()
  const { versions } = await past(room, "versions", { cursor: null, limit: 9 })
  expect(versions).toMatchObject([{ trigger: "auto", name: null, by: [{ subject: "ada" }] }])
  // A page that is reloaded leaves one version behind, not one a visit.
  await room.join(as("ada"))
  await writes(room, 2, " goes on")
  await room.leave(2)
  await room.alarm()
  const after = (await past(room, "versions", { cursor: null, limit: 9 })).versions
  expect(after).toHaveLength(1)
  expect(after[0]!.revision).toBeGreaterThan(versions[0]!.revision)
})

it("[H3] restores by difference: live, attributed, with the ids of what stayed, and a version before it", async () => {
  const room = await openForTwo()
  await writes(room, 0, "The quick fox. ")
  await room.reads(1, "The quick fox. ")
  await writes(room, 1, "It jumps.")
  await room.converges()
  const version = await past(room, "createVersion", { name: "Both", meta: undefined }, as("ada"))
  const texts = [0, 1].map((who) => room.visitors[who]!.doc.getText("text"))
  texts[0]!.delete(4, 6)
  texts[0]!.insert(4, "slow ")
  await room.saves(0)
  await room.converges()
  const caret = Y.createRelativePositionFromTypeIndex(texts[1]!, texts[1]!.length - 3)
  const spoiled = room.text(1)
  const { backup, revision } = await past(room, "restore", { id: version.id, root: null }, as("bob"))
  await room.reads(0, "The quick fox. It jumps.")
  await room.reads(1, "The quick fox. It jumps.")
  const place = Y.createAbsolutePositionFromRelativePosition(caret, room.visitors[1]!.doc)
  expect(place?.index).toBe(texts[1]!.length - 3)
  expect(backup).toMatchObject({ trigger: "restore", createdBy: { subject: "bob" } })
  expect(await textAt(room, backup.id)).toBe(spoiled)
  // Words that came back have the author they had.
  const { spans } = await past(room, "blame", { root: "text", at: null })
  expect(
    spans.map(({ text, by, verified, restoredBy }) => [text, by?.subject, verified, restoredBy?.subject]),
  ).toEqual([
    ["The ", "ada", true, undefined],
    ["quick ", "ada", true, "bob"],
    ["fox. ", "ada", true, undefined],
    ["It jumps.", "bob", true, undefined],
  ])
  // In a difference it is the doing of whoever brought them back, and of that time.
  const { roots } = await past(room, "diff", { from: backup.id, to: null, root: "text" })
  const [came] = roots.text!.filter(({ op }) => op === "insert")
  expect([came?.text, came?.by?.subject, came?.by?.via]).toEqual(["quick ", "bob", "restore"])
  expect(Date.parse(came!.at!)).toBeGreaterThanOrEqual(Date.parse(backup.at) - 1)
  // Once more changes nothing, and the backup brings back what was before.
  const again = await past(room, "restore", { id: version.id, root: null }, as("bob"))
  expect(again.revision).toBe(revision)
  await past(room, "restore", { id: backup.id, root: null }, as("bob"))
  await room.reads(0, spoiled)
})

it("[H3] restores maps, nested types and formats as they were", async () => {
  const room = await openRoom({ peers: 1 })
  const { doc } = room.visitors[0]!
  const [map, xml, text] = [doc.getMap("map"), doc.getXmlFragment("xml"), doc.getText("rich")]
  doc.transact(() => {
    map.set("title", "one")
    map.set("same", 1)
    map.set("list", Y.Array.from(["a", "b"]))
    const paragraph = new Y.XmlElement("p")
    paragraph.setAttribute("align", "left")
    paragraph.insert(0, [new Y.XmlText("Hello world")])
    xml.insert(0, [paragraph, new Y.XmlElement("hr")])
    text.insert(0, "bold plain")
    text.format(0, 4, { bold: true })
  })
  await room.saves(0)
  const json = () => JSON.stringify([map.toJSON(), xml.toString(), text.toDelta()])
  const before = json()
  const { id } = await past(room, "createVersion", { name: "Rich", meta: undefined })
  doc.transact(() => {
    map.set("title", "two")
    map.set("new", true)
    ;(map.get("list") as Y.Array<string>).delete(0, 1)
    ;(xml.get(0) as Y.XmlElement).setAttribute("align", "right")
    xml.delete(0, 2)
    xml.insert(0, [new Y.XmlElement("h1")])
    text.format(0, 10, { bold: null, italic: true })
    text.delete(2, 4)
  })
  await room.saves(0)
  expect(json()).not.toBe(before)
  await past(room, "restore", { id, root: "map" })
  await until(() => map.get("title") === "one", "the map is back")
  expect(map.toJSON()).toEqual({ title: "one", same: 1, list: ["a", "b"] })
  expect(xml.toString()).toBe("<h1></h1>")
  await past(room, "restore", { id, root: null })
  await until(() => json() === before, `everything is back: ${json()}`)
})

it("[H4] tells differences with their authors, deletions by whoever sent them", async () => {
  const room = await openForTwo()
  const from = await writes(room, 0, "Ada wrote this. ")
  await room.reads(1, "Ada wrote this. ")
  const text = room.visitors[1]!.doc.getText("text")
  text.delete(4, 5)
  text.insert(4, "WROTE")
  const to = await (async () => {
    await room.saves(1)
    return (await room.status())!.revision
  })()
  const check = async () => {
    const { roots } = await past(room, "diff", { from: String(from), to: String(to), root: null })
    expect(roots.text!.map(({ op, text, by }) => [op, text, by?.subject])).toEqual([
      ["equal", "Ada ", undefined],
      ["delete", "wrote", "bob"],
      ["insert", "WROTE", "bob"],
      ["equal", " this. ", undefined],
    ])
  }
  await check()
  await room.leave(0)
  await room.leave(1)
  await room.alarm()
  expect((await room.status())?.logRows).toBe(0)
  await check()
})

it("[H4] calls nobody's words theirs that somebody else carried", async () => {
  const room = await openForTwo()
  await writes(room, 0, "mine ")
  await room.reads(1, "mine ")
  await room.leave(0)
  room.type(0, "carried")
  const { doc } = room.visitors[0]!
  Y.applyUpdate(room.visitors[1]!.doc, Y.encodeStateAsUpdate(doc), "past the room")
  await room.saves(1)
  const { spans } = await past(room, "blame", { root: "text", at: null })
  expect(spans.map(({ text, by, verified }) => [text, by?.subject, verified])).toEqual([
    ["mine ", "ada", true],
    ["carried", "bob", false],
  ])
})

it("[H3] takes back what one person did, and leaves what others did", async () => {
  const room = await openForTwo()
  await writes(room, 0, "Ada's words. ")
  await room.reads(1, "Ada's words. ")
  const text = room.visitors[1]!.doc.getText("text")
  text.insert(0, "SPAM ")
  text.delete(text.length - 7, 5)
  await room.saves(1)
  await room.converges()
  await writes(room, 0, "More of Ada's.")
  await room.converges()
  const ask = { by: "bob", via: null, from: null, to: null, dryRun: false }
  await expect(past(room, "rollback", ask, as("ada"))).rejects.toMatchObject({ code: "forbidden" })
  const dry = await past(room, "rollback", { ...ask, dryRun: true })
  expect(dry).toMatchObject({ backup: null, inserted: 5, deleted: 5, unresolved: [] })
  const done = await past(room, "rollback", ask)
  expect(done).toMatchObject({ inserted: 5, deleted: 5, unresolved: [], backup: { trigger: "rollback" } })
  await room.reads(0, "Ada's words. More of Ada's.")
  // Twice changes nothing, and one's own work may always be taken back.
  expect(await past(room, "rollback", ask)).toMatchObject({
    revision: done.revision,
    inserted: 0,
    deleted: 0,
  })
  await past(room, "rollback", { ...ask, by: "ada" }, as("ada"))
  await room.reads(1, "")
})

it("[H3] leaves what others built on what is taken back, and says so", async () => {
  const room = await openForTwo()
  const [ada, bob] = [0, 1].map((who) => room.visitors[who]!.doc) as [Y.Doc, Y.Doc]
  ada.getMap("map").set("color", "red")
  await room.saves(0)
  await room.converges()
  bob.transact(() => {
    bob.getMap("map").set("color", "blue")
    bob.getMap("map").set("size", 1)
    const paragraph = new Y.XmlElement("p")
    paragraph.insert(0, [new Y.XmlText("bob ")])
    bob.getXmlFragment("xml").insert(0, [paragraph])
  })
  await room.saves(1)
  await room.converges()
  const words = (ada.getXmlFragment("xml").get(0) as Y.XmlElement).get(0) as Y.XmlText
  words.insert(4, "ada")
  ada.getMap("map").set("size", 2)
  await room.saves(0)
  await room.converges()
  const ask = { by: "bob", via: null, from: null, to: null, dryRun: false }
  const { unresolved } = await past(room, "rollback", ask)
  expect(unresolved).toEqual([
    { root: "map", path: ["size"], reason: "a newer value of somebody else stands there" },
    { root: "xml", path: [0], reason: "others have written in it" },
    { root: "xml", path: [0, 0], reason: "others have written in it" },
  ])
  await until(() => ada.getMap("map").get("color") === "red", "Bob's colour is gone")
  expect(ada.getMap("map").toJSON()).toEqual({ color: "red", size: 2 })
  expect(ada.getXmlFragment("xml").toString()).toBe("<p>ada</p>")
})

it("[H5] shows and takes back nothing from before one's access", async () => {
  const room = await openForTwo()
  const secret = await writes(room, 0, "secret ")
  await past(room, "createVersion", { name: "Secret", meta: undefined }, as("ada"))
  const seen = await writes(room, 0, "known ")
  await room.reads(1, "secret known ")
  await until(() => Date.now() % 5 === 0, "a moment has passed")
  const guest = as("bob", { historySinceMs: Date.now() })
  await until(() => Date.now() > guest.historySinceMs!, "the time of the access is over")
  const mine = await writes(room, 1, "new")
  await expect(textAt(room, secret, guest)).rejects.toMatchObject({ code: "forbidden" })
  expect(await textAt(room, seen, guest)).toBe("secret known ")
  expect(await textAt(room, mine, guest)).toBe("secret known new")
  expect((await past(room, "versions", { cursor: null, limit: 9 }, guest)).versions).toEqual([])
  const { activity } = await past(room, "activity", ASK, guest)
  expect(activity.map(({ by }) => by.subject)).toEqual(["bob"])
  const { spans } = await past(room, "blame", { root: "text", at: null }, guest)
  expect(spans.map(({ text, by }) => [text, by?.subject])).toEqual([
    ["secret known ", undefined],
    ["new", "bob"],
  ])
  await expect(
    past(room, "diff", { from: String(secret), to: null, root: null }, guest),
  ).rejects.toMatchObject({ code: "forbidden" })
  await past(
    room,
    "rollback",
    { by: "ada", via: null, from: null, to: null, dryRun: false },
    { ...guest, rollback: "any" },
  )
  expect(await textAt(room, new Date().toISOString())).toBe("secret known new")
})

it("[H6] prunes the past, and leaves the present and what came after", async () => {
  const room = await openForTwo()
  const first = await writes(room, 0, "one ")
  const second = await writes(room, 0, "two ")
  const third = await writes(room, 0, "three")
  await past(room, "createVersion", { name: "Third", meta: undefined }, as("ada"))
  await expect(past(room, "prune", { before: String(second) }, as("ada"))).rejects.toMatchObject({
    code: "forbidden",
  })
  expect(await past(room, "prune", { before: String(second) })).toMatchObject({ fromRevision: second })
  await expect(textAt(room, first)).rejects.toMatchObject({ code: "gone" })
  expect(await textAt(room, second)).toBe("one two ")
  expect(await textAt(room, third)).toBe("one two three")
  expect((await past(room, "versions", { cursor: null, limit: 9 })).versions).toHaveLength(1)
  const { spans } = await past(room, "blame", { root: "text", at: null })
  expect(spans.map(({ text, by }) => [text, by?.subject])).toEqual([
    ["one two ", undefined],
    ["three", "ada"],
  ])
})

it("[D7] tells of a damaged value of the past, and goes on without it; the present is untouched", async () => {
  const room = await openForTwo()
  const first = await writes(room, 0, "one ")
  await compacts(room)
  const second = await writes(room, 0, "two ")
  await compacts(room)
  await room.damage(
    "UPDATE past_bytes SET bytes = CAST(x'00' || substr(bytes, 2) AS BLOB) WHERE id = (SELECT min(id) FROM past_bytes)",
  )
  await expect(textAt(room, first)).rejects.toMatchObject({ code: "gone" })
  const status = await room.status()
  expect(status?.past.damaged).toBe(1)
  expect(status).toMatchObject({ damaged: false, quarantined: 0 })
  expect(await room.happened("past-damaged")).toBe(1)
  expect(room.text(0)).toBe("one two ")
  expect(await textAt(room, second)).toBe("one two ")
  const third = await writes(room, 0, "three ")
  await compacts(room)
  const fourth = await writes(room, 0, "four")
  await compacts(room)
  expect(await textAt(room, third)).toBe("one two three ")
  expect(await textAt(room, fourth)).toBe("one two three four")
})

it("[D8] forgets the past with the document", async () => {
  const room = await openForTwo()
  const revision = await writes(room, 0, "gone for good")
  await past(room, "createVersion", { name: "Kept?", meta: undefined }, as("ada"))
  await compacts(room)
  await room.remove()
  for (const table of ["past", "past_bytes", "version", "person", "copied"])
    expect(await room.rows(`SELECT * FROM ${table}`)).toEqual([])
  const anew = await room.join(as("eve"))
  room.type(anew, "anew")
  await room.saves(anew)
  await expect(textAt(room, revision)).rejects.toMatchObject({ code: "gone" })
  expect(await textAt(room, (await room.status())!.revision)).toBe("anew")
})

it("[H1] keeps time from going back, whatever the clock does", async () => {
  const room = await openForTwo()
  await writes(room, 0, "now ")
  const grant = as("ada")
  await runInDurableObject(room.stub, async (instance) => {
    const real = Date.now
    Date.now = () => real() - 3_600_000
    try {
      await instance.edit((doc) => doc.getText("text").insert(0, "an hour ago "))
    } finally {
      Date.now = real
    }
  })
  const { activity } = await past(room, "activity", ASK, grant)
  const times = activity.map(({ from }) => Date.parse(from))
  expect(times).toEqual([...times].sort((a, b) => a - b))
})

for (const [binding, where] of [
  ["Keeping", "here"],
  ["Moving", "in the archive"],
] as const) {
  it(`[H6] keeps the past of a room that drops its own copy ${where}, and goes on with it`, async () => {
    const room = new TestRoom(freshId(), env[binding])
    await room.join(as("ada"))
    const first = await writes(room, 0, "one ")
    const second = await writes(room, 0, "two ")
    const { id } = await past(room, "createVersion", { name: "Two", meta: undefined }, as("ada"))
    await room.leave(0)
    const drops = () =>
      until(async () => {
        const [row] = await room.rows<{ n: number }>(
          "SELECT (SELECT count(*) FROM log) + (SELECT count(*) FROM snapshot) AS n",
        )
        return row!.n === 0
      }, "the room has dropped its copy")
    await drops()
    await room.evict()
    await room.join(as("bob"))
    expect(room.text(1)).toBe("one two ")
    const third = await writes(room, 1, "three")
    const check = async () => {
      expect(await textAt(room, first)).toBe("one ")
      expect(await textAt(room, id)).toBe("one two ")
      expect(await textAt(room, third)).toBe("one two three")
      const { roots } = await past(room, "diff", { from: String(second), to: null, root: null })
      expect(roots.text!.map(({ op, text, by }) => [op, text, by?.subject])).toEqual([
        ["equal", "one two ", undefined],
        ["insert", "three", "bob"],
      ])
    }
    await check()
    await room.leave(1)
    await drops()
    await check()
    // One whole state is kept, not one for each time that it was opened.
    expect(await room.rows("SELECT id FROM past WHERE kind = 'frame'")).toHaveLength(1)
    const isHere = binding === "Keeping"
    const { bytes, movedBytes } = (await room.status())!.past
    expect(movedBytes).toBe(isHere ? 0 : bytes)
    expect(faults.segments.size > 0).toBe(!isHere)
    await room.remove()
    expect(faults.segments.size).toBe(0)
    expect(await room.status()).toBeNull()
  })
}

it("[D8] tells of a deletion once what was moved out has gone as well", async () => {
  const room = new TestRoom(freshId(), env.Moving)
  await room.join(as("ada"))
  await writes(room, 0, "one ")
  await room.leave(0)
  await until(() => faults.segments.size > 0, "its past is moved out")
  const clear = faults.segments.delete
  faults.segments.delete = () => {
    throw new Error("the bucket is away")
  }
  await expect(room.remove()).rejects.toMatchObject({ code: "archive-unavailable" })
  faults.segments.delete = clear
  await until(() => faults.segments.size === 0, "it was tried again")
})

it("[D8] removes what any room has moved out, also where the next document has begun before that could be", async () => {
  const room = new TestRoom(freshId(), env.Moving)
  await room.join(as("ada"))
  await writes(room, 0, "one ")
  await room.leave(0)
  await until(() => faults.segments.size > 0, "its past is moved out")
  const another = "another-room/segment.1.1.0.0.0.1.1.1.0.0."
  faults.segments.set(another, new Uint8Array([1]))
  const clear = faults.segments.delete
  faults.segments.delete = () => {
    throw new Error("the bucket is away")
  }
  await expect(room.remove()).rejects.toMatchObject({ code: "archive-unavailable" })
  const next = await room.join(as("ada"))
  await writes(room, next, "two ")
  faults.segments.delete = clear
  await until(async () => {
    const { archivedRevision, revision } = (await room.status())!
    return archivedRevision === revision
  }, "the next one is archived")
  expect(faults.segments.has(another)).toBe(false)
  await room.remove()
})

it("[D4] hands over the log and folds it in one transaction, or does neither", async () => {
  const room = await openForTwo()
  const first = await writes(room, 0, "one ")
  await compacts(room)
  // The room's own alarm may come at any moment.
  await room.damage("CREATE TRIGGER full BEFORE INSERT ON snapshot BEGIN SELECT RAISE(ABORT, 'full'); END")
  const second = await writes(room, 0, "two ")
  await until(async () => {
    await room.alarm()
    return (await room.happened("chore-failed")) > 0
  }, "a compaction has failed")
  expect((await room.status())?.logRows).toBe(1)
  const check = async () => {
    expect(await textAt(room, first)).toBe("one ")
    expect(await textAt(room, second)).toBe("one two ")
  }
  await check()
  await room.evict()
  await check()
  await room.damage("DROP TRIGGER full")
  await compacts(room)
  await check()
  expect(await room.rows("SELECT first, last FROM past WHERE kind = 'segment' ORDER BY id")).toEqual([
    { first, last: first },
    { first: second, last: second },
  ])
})

it("[H2][H5] takes an imported version with the time it was made elsewhere, from an admin alone", async () => {
  const room = await openRoom({ peers: 1 })
  await writes(room, 0, "as it was")
  const ask = { name: null, meta: { from: "elsewhere" }, at: "2024-05-01T12:00:00+02:00" }
  await expect(past(room, "createVersion", ask, as("ada"))).rejects.toMatchObject({ code: "forbidden" })
  for (const at of ["2124-05-01T10:00:00Z", "17", "yesterday"])
    await expect(past(room, "createVersion", { ...ask, at })).rejects.toMatchObject({ code: "bad-request" })
  const version = await past(room, "createVersion", ask)
  expect(version).toMatchObject({
    at: "2024-05-01T10:00:00.000Z",
    trigger: "import",
    createdBy: { subject: "root", via: "import" },
  })
  await writes(room, 0, ", and is")
  expect(await textAt(room, version.id)).toBe("as it was")
  const guest = as("guest", { historySinceMs: Date.parse("2024-06-01T00:00:00Z") })
  expect((await past(room, "versions", { cursor: null, limit: 9 }, guest)).versions).toEqual([])
})
