import { runInDurableObject } from "cloudflare:test"
import { env } from "cloudflare:workers"
import { expect, it } from "vitest"
import * as Y from "yjs"
import { LIMITS } from "../../src/limits.ts"
import { UpdateLog } from "../../src/room/log.ts"
import { Replica } from "../../src/room/replica.ts"
import { freshId } from "./vocabulary.ts"

/** A reproducible stream of numbers below `n`. @source mulberry32 */
function randomFrom(seed: number): (n: number) => number {
  let state = seed
  return (n) => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % n
  }
}

/** Several authors write on all shared types, and hear each other now and then. Every update, in the order made. */
function honestHistory(
  random: (n: number) => number,
  length: number,
): { updates: Uint8Array[]; whole: Y.Doc } {
  const updates: Uint8Array[] = []
  const whole = new Y.Doc()
  const authors = Array.from({ length: 3 }, () => new Y.Doc())
  for (const author of authors) {
    author.on("update", (update: Uint8Array, origin: unknown) => {
      if (origin !== "heard") updates.push(update)
    })
  }
  for (let i = 0; i < length; i++) {
    const author = authors[random(3)]!
    const text = author.getText("text")
    const list = author.getArray("list")
    const map = author.getMap("map")
    switch (random(8)) {
      case 0:
      case 1:
        text.insert(random(text.length + 1), "word ")
        break
      case 2:
        if (text.length > 4) text.delete(random(text.length - 3), 3)
        break
      case 3:
        if (text.length > 4) text.format(random(text.length - 3), 3, { bold: random(2) === 0 || null })
        break
      case 4:
        list.insert(random(list.length + 1), [i, { deep: [i] }])
        break
      case 5:
        map.set(`key ${random(4)}`, new Y.Text(`nested ${i}`))
        break
      case 6:
        if (list.length > 2) list.delete(0, 1)
        break
      default: {
        const other = authors[random(3)]!
        Y.applyUpdate(author, Y.encodeStateAsUpdate(other, Y.encodeStateVector(author)), "heard")
      }
    }
  }
  for (const update of updates) Y.applyUpdate(whole, update)
  return { updates, whole }
}

function shuffle<Item>(items: Item[], random: (n: number) => number): Item[] {
  for (let i = items.length - 1; i > 0; i--) {
    const j = random(i + 1)
    ;[items[i], items[j]] = [items[j]!, items[i]!]
  }
  return items
}

for (const seed of [1, 2, 3, 4, 5, 6]) {
  it(`[W3] takes honest updates in any order, some twice, over wakes and compactions (seed ${seed})`, async () => {
    const random = randomFrom(seed)
    const { updates, whole } = honestHistory(random, 250)
    const arriving = shuffle([...updates, ...updates.filter(() => random(4) === 0)], random)
    await runInDurableObject(env.Room.getByName(freshId()), (_, state) => {
      const open = () =>
        new Replica(new UpdateLog(state.storage, LIMITS), {
          limits: LIMITS,
          onDamage: () => expect.unreachable(),
        })
      let replica = open()
      const relayed = new Y.Doc()
      for (const update of arriving) {
        const received = replica.receive(update, { whole: random(5) === 0 })
        if (received.kind === "taken") {
          for (const news of [received.update, ...received.released]) Y.applyUpdate(relayed, news)
        }
        if (random(10) === 0) replica.commit()
        if (random(20) === 0) replica.document()
        if (random(40) === 0) replica.compact()
        if (random(40) === 0) {
          replica.commit()
          replica = open()
        }
        // What the room believes without a document is what a document of the same updates says.
        const tracked = Y.decodeStateVector(replica.stateVector())
        expect(tracked).toEqual(Y.decodeStateVector(Y.encodeStateVector(relayed)))
      }
      for (const doc of [replica.document(), relayed]) {
        expect(Y.equalSnapshots(Y.snapshot(doc), Y.snapshot(whole))).toBe(true)
        expect(doc.getText("text").toDelta()).toEqual(whole.getText("text").toDelta())
        expect(doc.getArray("list").toJSON()).toEqual(whole.getArray("list").toJSON())
        expect(doc.getMap("map").toJSON()).toEqual(whole.getMap("map").toJSON())
      }
      const newcomer = new Y.Doc()
      for (const update of replica.whole()) Y.applyUpdate(newcomer, update)
      expect(Y.equalSnapshots(Y.snapshot(newcomer), Y.snapshot(whole))).toBe(true)
    })
  })
}

it("refuses what would wait beyond the limit, and takes the whole when it comes", async () => {
  const author = new Y.Doc()
  const updates: Uint8Array[] = []
  author.on("update", (update: Uint8Array) => updates.push(update))
  for (let i = 0; i < 20; i++) author.getText("text").insert(0, "x".repeat(1000))
  await runInDurableObject(env.Room.getByName(freshId()), (_, state) => {
    const limits = { ...LIMITS, pendingBytes: 5000 }
    const replica = new Replica(new UpdateLog(state.storage, limits), { limits, onDamage: () => {} })
    for (const update of updates.slice(1, 5)) expect(replica.receive(update).kind).toBe("waiting")
    expect(() => replica.receive(updates[6]!)).toThrow(expect.objectContaining({ code: "pending-full" }))
    expect(replica.receive(Y.encodeStateAsUpdate(author), { whole: true }).kind).toBe("taken")
    expect(replica.document().getText("text").length).toBe(20_000)
  })
})

it("[W3] cuts off a forged repetition of what is known, so that a merge cannot prefer it", async () => {
  const author = new Y.Doc()
  author.getText("text").insert(0, "abcd")
  const forger = new Y.Doc()
  forger.clientID = author.clientID
  forger.getText("text").insert(0, "abcZ")
  const other = new Y.Doc()
  other.getText("fresh").insert(0, "new")
  const forged = Y.mergeUpdates([Y.encodeStateAsUpdate(forger), Y.encodeStateAsUpdate(other)])
  await runInDurableObject(env.Room.getByName(freshId()), (_, state) => {
    const replica = new Replica(new UpdateLog(state.storage, LIMITS), { limits: LIMITS, onDamage: () => {} })
    replica.receive(Y.encodeStateAsUpdate(author))
    replica.receive(forged)
    const newcomer = new Y.Doc()
    for (const update of replica.whole()) Y.applyUpdate(newcomer, update)
    expect(newcomer.getText("text").toString()).toBe("abcd")
    expect(newcomer.getText("fresh").toString()).toBe("new")
  })
})

it("[W3] needs a document for the first shared type, then for one in hundreds, and refuses the one too deep", async () => {
  const author = new Y.Doc()
  const updates: Uint8Array[] = []
  author.on("update", (update: Uint8Array) => updates.push(update))
  const innermost = () => {
    let map = author.getMap<Y.Map<unknown>>("map")
    for (let child = map.get("child"); child !== undefined; child = map.get("child"))
      map = child as Y.Map<Y.Map<unknown>>
    return map
  }
  for (let i = 0; i < 3 * LIMITS.typeDepth; i++) author.getArray("paragraphs").push([new Y.Text(`${i}`)])
  const flat = updates.length
  for (let i = 0; i < LIMITS.typeDepth; i++) innermost().set("child", new Y.Map())
  const deep = updates.length
  innermost().set("child", new Y.Map())
  await runInDurableObject(env.Room.getByName(freshId()), (_, state) => {
    const replica = new Replica(new UpdateLog(state.storage, LIMITS), { limits: LIMITS, onDamage: () => {} })
    let hydrations = 0
    const take = (from: number, to: number) => {
      for (const update of updates.slice(from, to)) {
        expect(replica.receive(update).kind).toBe("taken")
        replica.commit()
        if (replica.hydrated) hydrations++
        replica.dehydrate()
      }
    }
    take(0, flat)
    expect(hydrations).toBe(3)
    take(flat, deep)
    expect(() => replica.receive(updates[deep]!)).toThrow(/nested more than/)
    expect(replica.document().getArray("paragraphs").length).toBe(3 * LIMITS.typeDepth)
  })
})
