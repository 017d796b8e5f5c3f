/** What waits for something that has not come is never called saved, and costs its sender, not the room (D9). */
import * as encoding from "lib0/encoding"
import { expect, it } from "vitest"
import * as Y from "yjs"
import { openRoom, type TestRoom, until, WRITER } from "./vocabulary.ts"

const asText = { format: "text", accept: null, root: null, ifNoneMatch: null }

function hex(text: string): Uint8Array {
  return Uint8Array.from(text.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16))
}

/** Updates of someone who types letter after letter. */
function typed(text: string): Uint8Array[] {
  const doc = new Y.Doc()
  const updates: Uint8Array[] = []
  doc.on("update", (update: Uint8Array) => updates.push(update))
  for (const [at, letter] of [...text].entries()) doc.getText("text").insert(at, letter)
  return updates
}

/** A room, and a visitor whose document has a gap: it holds the second of two letters. */
async function openWithGap(): Promise<{ room: TestRoom; missing: Uint8Array }> {
  const room = await openRoom({ peers: 1 })
  const [missing, late] = typed("AB")
  Y.applyUpdate(room.visitors[0]!.doc, late!, "torn storage")
  return { room, missing: missing! }
}

it("[D9] takes a client's own edits although its document has a gap, and asks for the same gap once", async () => {
  const { room, missing } = await openWithGap()
  room.type(0, "mine")
  await until(async () => (await room.export(asText))?.body === "mine", "its own edits are in")
  const step1 = () => room.visitors[0]!.frames.filter(([type, step]) => type === 0 && step === 0).length
  const asked = step1()
  for (const letter of "more") room.type(0, letter)
  room.visitors[0]!.sendUpdate(Y.encodeStateAsUpdate(room.visitors[0]!.doc))
  await until(async () => (await room.export(asText))?.body === "minemore", "what it types on is in")
  expect(step1() - asked).toBeLessThanOrEqual(1)
  // Something of it waits, so nothing it sent is called saved.
  room.visitors[0]!.askSaved()
  await room.join()
  room.type(1, "!")
  await room.saves(1)
  expect(room.visitors[0]!.saved).toBe(0)
  expect((await room.status())!.waiting).toBe(1)
  await room.merge(missing)
  await until(
    () => room.visitors[0]!.saved === room.visitors[0]!.asked,
    "nothing waits any more, so it is saved",
  )
})

it("[D9] answers a PATCH of what waits with `waiting`, shows nothing of it, and drops it with DELETE", async () => {
  const room = await openRoom()
  const [first, second] = typed("AB")
  expect(await room.merge(second!)).toMatchObject({ waiting: true })
  expect(await room.export(asText)).toBeNull()
  expect(await room.remove()).toBe(true)
  expect(await room.merge(first!)).toEqual({ revision: expect.any(Number) })
  expect((await room.export(asText))?.body).toBe("A")
})

it("[D9] takes of a mixed body what can be taken", async () => {
  const room = await openRoom()
  const [, late] = typed("AB")
  const whole = typed("x")[0]!
  expect(await room.merge(Y.mergeUpdates([late!, whole]))).toMatchObject({ waiting: true })
  expect((await room.export(asText))?.body).toBe("x")
})

for (const [text, one, other] of [
  ["abc", "01020100040101740161840200016300", "01010200840100016200"],
  ["1234", "010303000401017401310a01840301013300", "0103030184030001320a01840302013400"],
] as const) {
  it(`[D9] takes two updates that each need a part of the other, in either order ("${text}")`, async () => {
    for (const order of [
      [one, other],
      [other, one],
    ]) {
      const room = await openRoom()
      for (const update of order) await room.merge(hex(update))
      const doc = new Y.Doc()
      Y.applyUpdate(doc, (await room.export({ ...asText, format: "update" }))!.body as Uint8Array)
      expect(doc.getText("t").toString()).toBe(text)
      expect((await room.status())!.waiting).toBe(0)
    }
  })
}

it("[D9] keeps what waits over a restart, and lets it in when it can", async () => {
  const room = await openRoom({ peers: 1 })
  const [first, second] = typed("AB")
  room.visitors[0]!.sendUpdate(second!)
  await until(async () => (await room.status())?.waiting === 1, "it waits")
  await room.evict()
  await room.merge(first!)
  expect((await room.export(asText))?.body).toBe("AB")
})

it("[D9] archives what waits with the rest, and a room that starts from there lets it wait on", async () => {
  const room = await openRoom({ peers: 1 })
  const [first, second] = typed("AB")
  room.type(0, "shown ")
  room.visitors[0]!.sendUpdate(second!)
  await until(async () => (await room.status())?.waiting === 1, "it waits")
  await room.leave(0)
  await until(
    async () => (await room.status())!.archivedRevision === (await room.status())!.revision,
    "archived",
  )
  await room.wipe()
  await room.join()
  expect((await room.status())!.waiting).toBe(1)
  await room.merge(first!)
  expect(await room.export(asText)).toMatchObject({ body: expect.stringContaining("AB") })
})

it("[B1] bounds what one sender may let wait, and leaves the others their share", async () => {
  const room = await openRoom({ peers: 2 })
  for (let i = 0; i < 12; i++) {
    const doc = new Y.Doc()
    doc.getText("text").insert(0, "x")
    const before = Y.encodeStateVector(doc)
    doc.getText("text").insert(1, "y".repeat(100_000))
    room.visitors[0]!.sendUpdate(Y.encodeStateAsUpdate(doc, before))
  }
  await until(() => room.visitors[0]!.refusals.length > 0, "the first one is told that it is too much")
  room.visitors[1]!.sendUpdate(typed("AB")[1]!)
  room.type(1, "fine")
  await until(async () => (await room.export(asText))?.body === "fine", "the second one works on")
  expect(room.visitors[1]!.refusals).toEqual([])
})

it("[D9] calls nothing saved that a client brings again over a new connection while it waits", async () => {
  const { room, missing } = await openWithGap()
  const [ada] = room.visitors
  ada!.sendUpdate(Y.encodeStateAsUpdate(ada!.doc))
  await until(async () => (await room.status())?.waiting === 1, "it waits")
  await room.leave(0)
  await room.rejoin(0)
  room.type(0, "mine")
  ada!.askSaved()
  await room.join()
  room.type(1, "!")
  await room.saves(1)
  expect(ada!.saved).toBe(0)
  await room.hibernate()
  room.type(1, "!")
  await room.saves(1)
  expect(ada!.saved).toBe(0)
  await room.merge(missing)
  await until(() => ada!.saved === ada!.asked, "what was asked before the room slept is answered")
})

it("[D9] shows everyone what it takes of an update whose rest has no room to wait", async () => {
  const room = await openRoom({ peers: 2 })
  const doc = new Y.Doc()
  doc.getText("gap").insert(0, "x")
  const before = Y.encodeStateVector(doc)
  doc.getText("gap").insert(1, "y".repeat(1_100_000))
  room.visitors[0]!.sendUpdate(
    Y.mergeUpdates([Y.encodeStateAsUpdate(doc, before), Y.encodeStateAsUpdate(typedDoc("shown"))]),
  )
  await room.reads(1, "shown")
  await until(() => room.visitors[0]!.refusals.length > 0, "its sender is told of the rest")
})

it("[R5] [D9] holds what waited to the roots that its sender may change, and calls nothing saved of what it drops", async () => {
  const room = await openRoom()
  await room.join({ ...WRITER, subject: "ada", roots: ["notes"] })
  const doc = new Y.Doc()
  const updates: Uint8Array[] = []
  doc.on("update", (update: Uint8Array) => updates.push(update))
  doc.getText("notes").insert(0, "allowed")
  doc.getText("secret").insert(0, "forbidden")
  room.visitors[0]!.sendUpdate(updates[1]!)
  await until(async () => (await room.status())?.waiting === 1, "it waits")
  room.visitors[0]!.sendUpdate(updates[0]!)
  await until(async () => (await room.status())?.waiting === 0, "it was looked at")
  expect((await room.export({ ...asText, format: "json" }))?.body).toBe('{"notes":"allowed"}')
  await until(() => room.visitors[0]!.refusals.length === 1, "it is told")
  room.visitors[0]!.askSaved()
  await room.join()
  room.type(1, "!")
  await room.saves(1)
  expect(room.visitors[0]!.saved).toBe(0)
})

function typedDoc(text: string): Y.Doc {
  const doc = new Y.Doc()
  doc.getText("text").insert(0, text)
  return doc
}

it("[B1] puts a large update off that was judged a moment ago, and takes it in the end", async () => {
  const room = await openRoom({ peers: 1 })
  // One writes after two others, first a little after the one and then much after the other.
  const [first, second, third] = [new Y.Doc(), new Y.Doc(), new Y.Doc()]
  first.getText("text").insert(0, "1")
  second.getText("other").insert(0, "2")
  for (const doc of [first, second]) Y.applyUpdate(third, Y.encodeStateAsUpdate(doc))
  const before = Y.encodeStateVector(third)
  third.getText("text").insert(1, "3")
  third.getText("other").insert(1, "x".repeat(300_000))
  await room.merge(Y.encodeStateAsUpdate(third, before))
  await room.merge(Y.encodeStateAsUpdate(first))
  await room.merge(Y.encodeStateAsUpdate(second))
  expect((await room.status())!.waiting).toBe(1)
  await until(async () => (await room.status())!.waiting === 0, "it is looked at again by itself")
  await until(() => room.visitors[0]!.doc.getText("other").length === 300_001, "it is shown")
})

it("[B1] refuses to let content of thousands of clients wait in one update", async () => {
  const room = await openRoom()
  const update = encoding.encode((encoder) => {
    encoding.writeVarUint(encoder, 5_000)
    for (let client = 5_000; client > 0; client--) {
      // One GC struct of one clock, at a clock that never comes.
      for (const number of [1, client, 9]) encoding.writeVarUint(encoder, number)
      for (const number of [0, 1]) encoding.writeVarUint(encoder, number)
    }
    encoding.writeVarUint(encoder, 0)
  })
  await expect(room.merge(update)).rejects.toMatchObject({ code: "pending-full" })
})
