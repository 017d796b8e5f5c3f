import { runInDurableObject } from "cloudflare:test"
import { env } from "cloudflare:workers"
import * as prng from "lib0/prng"
import { expect, it } from "vitest"
import * as Y from "yjs"
import { LIMITS } from "../../src/limits.ts"
import { UpdateLog } from "../../src/room/log.ts"
import { Replica } from "../../src/room/replica.ts"
import { TYPE_DEPTH } from "../../src/update/vet.ts"
import { below } from "../kit/random.ts"
import { contentOf, honestHistory, shuffle } from "../kit/updates.ts"
import { freshId } from "./vocabulary.ts"

for (const seed of [1, 2, 3, 4, 5, 6]) {
  it(`[W3] takes honest updates in any order, some twice, over wakes and compactions (seed ${seed})`, async () => {
    const random = prng.create(seed)
    const { updates } = honestHistory(random, { clients: 3, steps: 250 })
    const whole = new Y.Doc()
    for (const update of updates) Y.applyUpdate(whole, update)
    const arriving = shuffle(random, [...updates, ...updates.filter(() => below(random, 4) === 0)])
    await runInDurableObject(env.Room.getByName(freshId()), (_, state) => {
      const open = () =>
        new Replica(new UpdateLog(state.storage, LIMITS), {
          limits: LIMITS,
          onDamage: () => expect.unreachable(),
        })
      let replica = open()
      const relayed = new Y.Doc()
      for (const update of arriving) {
        const received = replica.receive(update, { whole: below(random, 5) === 0 })
        if (received.kind === "taken") {
          for (const news of [received.update, ...received.released]) Y.applyUpdate(relayed, news)
        }
        if (below(random, 10) === 0) replica.commit()
        if (below(random, 20) === 0) replica.document()
        if (below(random, 40) === 0) replica.compact()
        if (below(random, 40) === 0) {
          replica.commit()
          replica = open()
        }
        // What the room believes without a document is what a document of the same updates says.
        const tracked = Y.decodeStateVector(replica.stateVector())
        expect(tracked).toEqual(Y.decodeStateVector(Y.encodeStateVector(relayed)))
      }
      for (const doc of [replica.document(), relayed]) {
        expect(Y.equalSnapshots(Y.snapshot(doc), Y.snapshot(whole))).toBe(true)
        expect(contentOf(doc)).toEqual(contentOf(whole))
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
  for (let i = 0; i < 3 * TYPE_DEPTH; i++) author.getArray("paragraphs").push([new Y.Text(`${i}`)])
  const flat = updates.length
  for (let i = 0; i < TYPE_DEPTH; i++) innermost().set("child", new Y.Map())
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
    expect(replica.document().getArray("paragraphs").length).toBe(3 * TYPE_DEPTH)
  })
})
