/** Parts of the past that stand in the archive (H6): they are read like others, and the present needs none of them (D7). */
import { beforeEach, describe, expect, it, vi } from "vitest"
import * as Y from "yjs"
import { renameOrigins } from "../../../src/admin/person.ts"
import { contentsOf } from "../../../src/history/contents.ts"
import type { Limits } from "../../../src/limits.ts"
import { recordedEdits } from "../../kit/session.ts"
import { authorOf, OWNERS, Paper, updatesOf } from "./paper.ts"
import { ADMIN, DeskRoom } from "./room.ts"

const RECORDED = recordedEdits(1_500)
const LIMITS: Partial<Limits> = {
  compactFloorBytes: 4_000,
  segmentBytes: 1_500,
  frameFloorBytes: 6_000,
  valueBytes: 1_000,
  pastHereBytes: 4_000,
}
const BOB = { by: "bob", via: null, from: null, to: null, dryRun: false }
const AWAY = { code: "archive-unavailable" }

let segments: Map<string, Uint8Array>
let room: DeskRoom
let paper: Paper
let states: Map<number, string>

beforeEach(() => {
  segments = new Map()
  room = new DeskRoom(OWNERS, LIMITS, segments)
  paper = new Paper()
  states = new Map()
  let i = 0
  for (const { update, subject } of updatesOf(RECORDED)) {
    room.clock += 200
    room.take(update, subject)
    paper.edit(RECORDED[i]!, authorOf(i))
    if (++i % 5 > 0) continue
    const revision = room.commit()
    if (i % 75 === 0) states.set(revision, paper.text)
  }
  room.commit()
})

const present = () => room.replica.document().getText("text").toString()
const textAt = async (revision: number) => {
  const found = await room.past.reading(() => room.past.revisionAt(String(revision), undefined))
  return (await room.past.stateAside(found)).getText("text").toString()
}

/** What the archive should have: the parts of all that is moved, and nothing else. */
function expected(): string[] {
  const { moving } = room.log.past
  const pieces = room.log.tables.rows<Parameters<typeof moving.parts>[0]>(
    "SELECT * FROM past WHERE moved IS NOT NULL",
  )
  const names = pieces.flatMap((piece) => moving.parts(piece, piece.moved!).map(({ name }) => name))
  return [...names, ...(names.length > 0 ? [contentsOf(room.log.writer)] : [])].sort()
}

const kept = () => [...segments.keys()].sort()

describe("[H6] the past that was moved out", () => {
  it("forgets whose it was where somebody is erased, and nothing else", async () => {
    await room.mover.run()
    const rename = (who: Uint8Array) => renameOrigins(who, "bob", "erased")
    room.log.rewriteOrigins(rename)
    room.log.tables.write((sql) => sql("UPDATE owner SET subject = 'erased' WHERE subject = 'bob'"))
    const { past } = room.log
    expect(past.readable().length).toBeGreaterThan(past.readable({ hereOnly: true }).length)
    for (const id of past.readable()) await room.past.reading(() => past.rewriteOrigins(id, rename))
    room.restart()
    for (const [revision, text] of states) expect(await textAt(revision)).toBe(text)
    const { spans } = await room.past.answerAside("blame", { root: "text", at: null }, ADMIN)
    expect(spans.map(({ text }) => text).join("")).toBe(paper.text)
    expect(JSON.stringify(spans)).toContain('"erased"')
    expect(JSON.stringify(spans)).not.toContain('"bob"')
    await room.mover.run()
    expect(kept()).toEqual(expected())
  })

  it("leaves no more here than its budget, and every state, author and way back as it was", async () => {
    expect(room.mover.dueAtMs).not.toBeNull()
    await room.mover.run()
    expect(room.mover.dueAtMs).toBeNull()
    const { bytes, movedBytes } = room.past.status
    expect(bytes - movedBytes).toBeLessThanOrEqual(2_000)
    expect(movedBytes).toBeGreaterThan(4_000)
    expect(kept()).toEqual(expected())
    expect(Math.max(...[...segments.values()].map(({ length }) => length))).toBeLessThanOrEqual(1_000)
    room.restart()
    for (const [revision, text] of states) expect(await textAt(revision)).toBe(text)
    const { spans } = await room.past.answerAside("blame", { root: "text", at: null }, ADMIN)
    expect(spans.map(({ text }) => text).join("")).toBe(paper.text)
    expect(spans.every(({ by }) => by !== null)).toBe(true)
    await room.past.answerAside("rollback", BOB, ADMIN)
    expect(present()).toBe(paper.without("bob"))
    // A second time it finds nothing to move.
    await room.mover.run()
    expect(kept()).toEqual(expected())
  })

  it("[D7] with a flipped bit is told as a gap, and the rest and the present are untouched", async () => {
    await room.mover.run()
    const name = kept().find((one) => one.includes("/segment.") && !one.includes("/segment.1."))!
    segments.get(name)![10]! ^= 1
    let gone = 0
    for (const [revision, text] of states) {
      const shown = await textAt(revision).catch((thrown) => thrown)
      if (shown !== text) expect(shown).toMatchObject({ code: "gone" })
      if (shown !== text) gone++
    }
    expect(gone).toBeGreaterThan(0)
    expect(gone).toBeLessThan(states.size)
    expect(room.past.status.damaged).toBe(1)
    expect(present()).toBe(paper.text)
  })

  it("[D7] of which an object is missing is a gap as well", async () => {
    await room.mover.run()
    segments.delete(kept().find((one) => one.includes("/segment.1."))!)
    await expect(textAt([...states.keys()][0]!)).rejects.toMatchObject({ code: "gone" })
    expect(await textAt([...states.keys()].at(-1)!)).toBe([...states.values()].at(-1))
  })

  it("stays here while the archive is away, and what was moved out waits for it", async () => {
    const { put, get } = { put: segments.set, get: segments.get }
    let calls = 0
    segments.set = function (name, bytes) {
      if (++calls === 4) throw new Error("away")
      return put.call(this, name, bytes)
    }
    await expect(room.mover.run()).rejects.toMatchObject(AWAY)
    expect(room.past.status.movedBytes).toBeGreaterThan(0)
    // A move that was cut short leaves the same objects the next time.
    await room.mover.run()
    expect(kept()).toEqual(expected())
    segments.get = () => {
      throw new Error("away")
    }
    await expect(textAt([...states.keys()][0]!)).rejects.toMatchObject(AWAY)
    await expect(room.past.answerAside("blame", { root: "text", at: null }, ADMIN)).rejects.toMatchObject(
      AWAY,
    )
    expect(room.past.status.damaged).toBe(0)
    // Neither the present, nor a version, nor what is here needs it.
    expect(present()).toBe(paper.text)
    room.past.touch()
    room.past.makeVersion()
    expect(await textAt(room.log.state.revision)).toBe(paper.text)
    segments.get = get
    expect(await textAt([...states.keys()][0]!)).toBe([...states.values()][0])
  })

  it("goes from the archive where it is pruned, outgrows its budget, or is deleted", async () => {
    await room.mover.run()
    const before = segments.size
    const [revision] = [...states.keys()].slice(-8)
    await room.past.answerAside("prune", { before: String(revision) }, ADMIN)
    expect(room.mover.dueAtMs).not.toBeNull()
    await room.mover.run()
    expect(kept()).toEqual(expected())
    expect(segments.size).toBeLessThan(before)
    expect(await textAt(revision!)).toBe(states.get(revision!))
    room.replica.erase()
    room.past.forget()
    expect(room.mover.dueAtMs).not.toBeNull()
    room.restart()
    await room.mover.run()
    expect(kept()).toEqual([])
  })

  it("[D8] goes also where a write that was given up lands after the deletion, and nothing else with it", async () => {
    await room.mover.run()
    const [late] = [...segments]
    room.replica.erase()
    room.past.forget()
    await room.mover.run()
    segments.set(...late!)
    // The next document under the id has a past as well.
    const next = new Y.Doc()
    for (let i = 0; i < 60; i++) {
      const before = Y.encodeStateVector(next)
      // Something that does not compress.
      next.getText("text").insert(0, Array.from({ length: 20 }, () => crypto.randomUUID()).join(""))
      room.take(Y.encodeStateAsUpdate(next, before), "ada")
      room.commit()
    }
    room.replica.compact()
    await room.mover.run()
    expect(kept()).toEqual([...expected(), late![0]].sort())
    expect(expected().length).toBeGreaterThan(0)
    room.restart()
    expect(room.mover.dueAtMs! - Date.now()).toBeGreaterThan(0)
    vi.useFakeTimers({ now: room.mover.dueAtMs!, toFake: ["Date"] })
    try {
      await room.mover.run()
    } finally {
      vi.useRealTimers()
    }
    expect(kept()).toEqual(expected())
    expect(room.mover.dueAtMs).toBeNull()
  })

  it("[D7] does not move out what is damaged", async () => {
    room.log.tables.write((sql) => sql("UPDATE past_bytes SET bytes = zeroblob(length(bytes)) WHERE id = 2"))
    await room.mover.run()
    expect(room.past.status.damaged).toBe(1)
    expect(kept()).toEqual(expected())
    expect(kept().length).toBeGreaterThan(0)
  })

  /** A room that has lost its storage and begins with what the archive has of this one. */
  async function lose(): Promise<void> {
    const { writer, state } = room.log
    const lost = room
    room = new DeskRoom(OWNERS, LIMITS, segments)
    room.adopt(lost, await room.mover.look({ writer, revision: state.revision }))
    room.restart()
  }

  const named = () => room.past.history.versions.list({ cursor: null, limit: 10, notBeforeMs: 0 }).versions
  const keepVersion = (name: string) => room.past.answer("createVersion", { name, meta: { by: name } }, ADMIN)

  it("keeps the names of its versions through the loss of two storages, and tells the archive of each change", async () => {
    await room.mover.run()
    const [first] = [...states.keys()]
    const old = room.past.history.versions.make({
      ...{ revision: first!, createdBy: { subject: "ada", via: "rest" }, by: [], trigger: "manual" },
      ...{ name: "draft", meta: null, atMs: 1 },
    })
    const now = keepVersion("today")
    expect(room.mover.dueAtMs).not.toBeNull()
    await room.mover.run()
    expect(room.mover.dueAtMs).toBeNull()

    await lose()
    expect(named()).toEqual([now, old])
    expect(await textAt(first!)).toBe(states.get(first!))
    room.past.answer("changeVersion", { id: old.id, name: "the first draft", meta: undefined }, ADMIN)
    // Its own writer says whose parts it goes on with.
    expect(room.mover.dueAtMs).not.toBeNull()
    await room.mover.run()
    expect(kept()).toContain(contentsOf(room.log.writer))

    await lose()
    expect(named().map(({ name }) => name)).toEqual(["today", "the first draft"])
    expect(await textAt(first!)).toBe(states.get(first!))
    // What cannot be read keeps nobody out.
    segments.set(contentsOf(room.log.writer), new Uint8Array([1, 2, 3]))
    await lose()
    expect([present(), named()]).toEqual([paper.text, []])
  })

  it("is found again by a room that has lost its storage, up to what was moved", async () => {
    await room.mover.run()
    const [{ last }] = room.log.tables.rows<{ last: number }>(
      "SELECT max(last) AS last FROM past WHERE moved IS NOT NULL",
    ) as [{ last: number }]
    await lose()
    expect(present()).toBe(paper.text)
    for (const [revision, text] of states) {
      const shown = await textAt(revision).catch((thrown) => thrown)
      if (revision <= last) expect(shown).toBe(text)
      else if (revision < room.log.state.revision) expect(shown).toMatchObject({ code: "gone" })
    }
    // It goes on, with a gap between.
    const { revision } = room.log.state
    for (const { update, subject } of updatesOf([...RECORDED, { at: 0, deleted: 0, inserted: "!" }]))
      room.take(update, subject)
    room.commit()
    room.replica.compact()
    expect(await textAt(revision)).toBe(paper.text)
    await expect(
      room.past.answerAside("diff", { from: String(last), to: null, root: null }, ADMIN),
    ).rejects.toMatchObject({ code: "gone" })
  })
})
