/** The document of a room by itself, over the room's real storage. */
import { runInDurableObject } from "cloudflare:test"
import { env } from "cloudflare:workers"
import { expect, it } from "vitest"
import * as Y from "yjs"
import { LIMITS, type Limits } from "../../src/limits.ts"
import { Authors } from "../../src/room/authors.ts"
import type { RoomEvent } from "../../src/room/events.ts"
import { Log } from "../../src/room/log.ts"
import { type Delivery, type Received, Replica } from "../../src/room/replica.ts"
import { MIGRATIONS } from "../../src/room/schema.ts"
import { below, seededRandom } from "../kit/random.ts"
import { checkSame, honestHistory, shuffle } from "../kit/updates.ts"
import { freshId } from "./vocabulary.ts"

/** A replica, and what it told of. */
function openReplica(
  storage: DurableObjectStorage,
  limits: Limits = LIMITS,
): { replica: Replica; events: RoomEvent[] } {
  const log = new Log(storage, limits)
  const events: RoomEvent[] = []
  const claims = new Authors(log, () => null)
  return { replica: new Replica(log, { limits, claims, emit: (event) => events.push(event) }), events }
}

/** How somebody nameless brings an update by a socket. */
const delivery = (how: Partial<Delivery> = {}): Delivery => ({
  bearer: { subject: null, peer: "someone" },
  origin: { at: Date.now(), subject: null, via: "socket" },
  ...how,
})

/** Everything that is to be relayed. */
const relayedOf = ({ taken, released }: Received): Uint8Array[] =>
  taken === null ? [...released] : [taken, ...released]

for (const seed of [1, 2, 3, 4, 5, 6]) {
  it(`[W3] takes honest updates in any order, some twice, over wakes and compactions (seed ${seed})`, async () => {
    const random = seededRandom("replica", seed)
    const { updates, derived } = honestHistory(random, { steps: 250 })
    const whole = new Y.Doc()
    for (const update of updates) Y.applyUpdate(whole, update)
    const arriving = shuffle(random, [
      ...updates,
      ...updates.filter(() => below(random, 4) === 0),
      ...derived,
    ])
    await runInDurableObject(env.Room.getByName(freshId()), (_, { storage }) => {
      let { replica, events } = openReplica(storage)
      const relayed = new Y.Doc()
      for (const update of arriving) {
        const received = replica.receive(update, delivery({ whole: below(random, 5) === 0 }))
        for (const news of relayedOf(received)) Y.applyUpdate(relayed, news)
        if (below(random, 10) === 0) replica.commit()
        if (below(random, 20) === 0) replica.document()
        if (below(random, 40) === 0) {
          replica.commit()
          replica.compact()
        }
        if (below(random, 40) === 0) {
          replica.commit()
          ;({ replica, events } = openReplica(storage))
        }
        // What the room believes without a document is what a document of the same updates says.
        const tracked = Y.decodeStateVector(replica.stateVector())
        expect(tracked).toEqual(Y.decodeStateVector(Y.encodeStateVector(relayed)))
      }
      expect(events.filter(({ type }) => type !== "hydrated" && type !== "compacted")).toEqual([])
      expect(replica.waiting.size).toBe(0)
      for (const doc of [replica.document(), relayed]) checkSame(doc, whole, false)
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
    const { replica } = openReplica(state.storage, limits)
    for (const update of updates.slice(1, 5)) expect(replica.receive(update, delivery()).waits).toBe("new")
    expect(replica.receive(updates[6]!, delivery()).overflow).toMatchObject({ code: "pending-full" })
    expect(replica.receive(Y.encodeStateAsUpdate(author), delivery({ whole: true })).waits).toBe(null)
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
    const { replica } = openReplica(state.storage)
    replica.receive(Y.encodeStateAsUpdate(author), delivery())
    replica.receive(forged, delivery())
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
    const { replica } = openReplica(state.storage)
    let hydrations = 0
    const take = (from: number, to: number) => {
      for (const update of updates.slice(from, to)) {
        expect(replica.receive(update, delivery()).taken).not.toBe(null)
        replica.commit()
        if (replica.hydrated) hydrations++
        replica.dehydrate()
      }
    }
    take(0, flat)
    expect(hydrations).toBe(3)
    take(flat, deep)
    expect(() => replica.receive(updates[deep]!, delivery())).toThrow(/nested more than/)
    expect(replica.document().getArray("paragraphs").length).toBe(3 * LIMITS.typeDepth)
  })
})

it.each([
  [
    "goes on in a room that a newer server has left for it",
    { schema: 99, opensFrom: MIGRATIONS.length },
    true,
  ],
  ["refuses a room of a newer server, and leaves it as it is", { schema: 99, opensFrom: 99 }, false],
  [
    "refuses a room of a newer server that does not say for whom it is",
    { schema: 99, opensFrom: null },
    false,
  ],
])("[D2] an older server %s", async (_, { schema, opensFrom }, opens) => {
  const [written, newer] = ["A", "B"].map((letter) => {
    const doc = new Y.Doc()
    doc.getText(letter).insert(0, letter)
    return Y.encodeStateAsUpdate(doc)
  })
  await runInDurableObject(env.Room.getByName(freshId()), (_, { storage }) => {
    const before = openReplica(storage).replica
    before.receive(written!, delivery())
    before.commit()
    const opened = storage.sql
      .exec("SELECT key, value FROM meta WHERE key IN ('schema', 'opens_from')")
      .toArray()
    storage.sql.exec("UPDATE meta SET value = ?, crc = NULL WHERE key = 'schema'", schema)
    storage.sql.exec("UPDATE meta SET value = ?, crc = NULL WHERE key = 'opens_from'", opensFrom)
    if (opens) {
      const { replica } = openReplica(storage)
      replica.receive(newer!, delivery())
      replica.commit()
      expect(storage.sql.exec("SELECT value FROM meta WHERE key = 'schema'").one()).toEqual({ value: schema })
    } else
      expect(() => openReplica(storage)).toThrow(`schema ${schema}; this server knows ${MIGRATIONS.length}`)
    for (const { key, value } of opened)
      storage.sql.exec("UPDATE meta SET value = ?, crc = NULL WHERE key = ?", value!, key!)
    const { replica } = openReplica(storage)
    expect(replica.document().getText("A").toString()).toBe("A")
    expect(replica.document().getText("B").toString()).toBe(opens ? "B" : "")
  })
})

it.each<["deleted" | "dropped", (log: Log) => void]>([
  ["deleted", (log) => log.erase(new Uint8Array([0]))],
  ["dropped", (log) => log.shed()],
])("[D2] an older server goes on in a room whose document a newer one has %s", async (_, end) => {
  await runInDurableObject(env.Room.getByName(freshId()), (_, { storage }) => {
    const { replica } = openReplica(storage)
    const doc = new Y.Doc()
    doc.getText("A").insert(0, "A")
    replica.receive(Y.encodeStateAsUpdate(doc), delivery())
    replica.commit()
    storage.sql.exec("UPDATE meta SET value = 99, crc = NULL WHERE key = 'schema'")
    end(new Log(storage, LIMITS))
    expect(openReplica(storage).replica.exists).toBe(false)
    storage.sql.exec("UPDATE meta SET value = ?, crc = NULL WHERE key = 'schema'", MIGRATIONS.length)
  })
})

/** What the first schema was, and one update that waits in it. */
const SCHEMA_1 = `
  CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
  CREATE TABLE log (
    id INTEGER PRIMARY KEY, revision INTEGER NOT NULL, part INTEGER NOT NULL, parts INTEGER NOT NULL,
    log_bytes INTEGER NOT NULL, log_rows INTEGER NOT NULL, clocks BLOB NOT NULL,
    crc INTEGER NOT NULL, bytes BLOB NOT NULL
  );
  CREATE TABLE snapshot (part INTEGER PRIMARY KEY, crc INTEGER NOT NULL, bytes BLOB NOT NULL);
  CREATE TABLE waiting (id INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
  CREATE TABLE quarantine (
    id INTEGER PRIMARY KEY, source TEXT NOT NULL, revision INTEGER NOT NULL, at INTEGER NOT NULL,
    reason TEXT NOT NULL, bytes BLOB NOT NULL
  );
  CREATE TABLE owner (client INTEGER PRIMARY KEY, subject TEXT NOT NULL);
  INSERT INTO meta VALUES ('schema', 1);
`

it("[D9] keeps what waited before the schema changed, since it was called saved then", async () => {
  const author = new Y.Doc()
  const updates: Uint8Array[] = []
  author.on("update", (update: Uint8Array) => updates.push(update))
  for (const letter of "ABC") author.getText("text").insert(author.getText("text").length, letter)
  await runInDurableObject(env.Room.getByName(freshId()), (_, { storage }) => {
    storage.sql.exec(SCHEMA_1)
    for (const update of updates.slice(1)) storage.sql.exec("INSERT INTO waiting (bytes) VALUES (?)", update)
    const { replica } = openReplica(storage)
    expect(replica.waiting.size).toBe(2)
    expect(replica.releaseAll()).toEqual({ released: [], dropped: [] })
    replica.commit()
    expect(replica.waiting.size).toBe(2)
    replica.receive(updates[0]!, delivery())
    replica.commit()
    expect(replica.waiting.size).toBe(0)
    expect(replica.document().getText("text").toString()).toBe("ABC")
    expect(storage.sql.exec("SELECT count(*) AS n FROM waiting").one()).toEqual({ n: 0 })
  })
})
