/** What is kept of the past, and for how long: frames, versions by themselves, the budget (H2, H6). */
import { describe, expect, it } from "vitest"
import * as Y from "yjs"
import { parseMoment } from "../../../src/history/moments.ts"
import { Versions } from "../../../src/history/versions.ts"
import { LIMITS } from "../../../src/limits.ts"
import { recordedEdits } from "../../kit/session.ts"
import { authorOf, OWNERS, Paper, updatesOf } from "./paper.ts"
import { ADMIN, DeskRoom } from "./room.ts"

const RECORDED = recordedEdits(3_000)
const HOUR = 3_600_000
const DAY = 24 * HOUR

/** A paper of this many edits, five a commit, and what it was at some of its revisions. */
function written(edits: number, limits: ConstructorParameters<typeof DeskRoom>[1]) {
  const room = new DeskRoom(OWNERS, limits)
  const paper = new Paper()
  const states: { revision: number; text: string }[] = []
  let i = 0
  for (const { update, subject } of updatesOf(RECORDED.slice(0, edits))) {
    room.clock += 200
    room.take(update, subject)
    paper.edit(RECORDED[i]!, authorOf(i))
    if (++i % 5 > 0) continue
    const revision = room.commit()
    if (i % 100 === 0) states.push({ revision, text: paper.text })
  }
  room.commit()
  return { room, states }
}

const WHOLE = { from: null, to: null, by: null, via: null }
const textOf = (doc: Y.Doc) => doc.getText("text").toString()

describe("[H6] the past", () => {
  it("keeps a whole state before one could not be replayed any more", async () => {
    const limits = { compactFloorBytes: 4_000, segmentBytes: 2_000, pastReadBytes: 20_000 }
    const { room, states } = written(3_000, limits)
    expect(room.taken).toBeGreaterThan(30_000)
    for (const { revision, text } of states) expect(textOf(await room.past.stateAside(revision))).toBe(text)
  })

  it("keeps whole states as often as its share allows, so that little has to be replayed", async () => {
    const small = { compactFloorBytes: 4_000, segmentBytes: 2_000, frameFloorBytes: 3_000, frameFactor: 0.1 }
    const framesOf = ({ log }: DeskRoom) => log.tables.rows("SELECT 1 FROM past WHERE kind = 'frame'").length
    const { room: generous } = written(3_000, { ...small, frameShare: 10 })
    const { room, states } = written(3_000, { ...small, frameShare: 1 })
    const { bytes, updateBytes } = room.log.past.size
    expect(bytes).toBeLessThanOrEqual(updateBytes)
    expect(framesOf(room)).toBeGreaterThan(1)
    expect(framesOf(room)).toBeLessThan(framesOf(generous))
    for (const { revision, text } of states) expect(textOf(await room.past.stateAside(revision))).toBe(text)
  })

  it("forgets the oldest where it outgrows its budget, and nothing else", async () => {
    const limits = { compactFloorBytes: 4_000, segmentBytes: 2_000, pastBytes: 18_000, frameFloorBytes: 1e9 }
    const { room, states } = written(3_000, limits)
    const { past } = room
    expect(past.outgrown).toBe(true)
    const before = textOf(room.replica.document())
    await past.shrink()
    expect(past.outgrown).toBe(false)
    expect(room.log.past.size.bytes).toBeLessThanOrEqual(18_000)
    expect(textOf(room.replica.document())).toBe(before)
    const { fromRevision } = past.status
    expect(fromRevision).toBeLessThan(room.log.state.revision)
    expect(fromRevision).toBeGreaterThan(1)
    for (const { revision, text } of states) {
      const look = async () => textOf(await past.stateAside(past.revisionAt(`${revision}`, undefined)))
      if (revision < fromRevision) await expect(look()).rejects.toThrow("is not kept")
      else expect(await look()).toBe(text)
    }
  })

  it.each([
    ["fits the budget", { pastBytes: 2_000 }],
    ["can be rebuilt", { pastBytes: 10_000, pastWeight: 1_000 }],
  ])("comes to an end where no state %s, and begins anew", async (_, more) => {
    const limits = { compactFloorBytes: 4_000, segmentBytes: 2_000, ...more }
    const { room } = written(3_000, limits)
    const { past } = room
    await past.shrink()
    expect(past.outgrown).toBe(false)
    expect(past.status.bytes).toBe(0)
    expect(past.status.fromRevision).toBeGreaterThan(1)
  })

  it("keeps nothing with a budget of 0", () => {
    const { room } = written(500, { compactFloorBytes: 1_000, pastBytes: 0 })
    expect(room.past.status).toMatchObject({ bytes: 0, updateBytes: 0 })
    expect(() => room.past.history.placeOf("1", null)).toThrow("is not kept")
  })
})

describe("[H3] [B3] what is asked about the past", () => {
  const steps = { compactFloorBytes: 4_000, segmentBytes: 2_000, pastStepBytes: 1_000, pastStepItems: 50 }

  /** Ask, and let somebody write each time when it is others' turn. @returns the answer, and how often it was */
  async function beside<Answered>(room: DeskRoom, ask: () => Promise<Answered>) {
    const doc = room.replica.document()
    const other = new Y.Doc()
    Y.applyUpdate(other, Y.encodeStateAsUpdate(doc))
    other.clientID = 3
    let turns = 0
    let isAnswered = false
    const asking = ask().finally(() => {
      isAnswered = true
    })
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, 0))
      if (isAnswered) break
      const before = Y.encodeStateVector(other)
      other.getText("text").insert(0, "!")
      room.take(Y.encodeStateAsUpdate(other, before), "eve")
      room.commit()
      turns++
    }
    return { answered: await asking, turns }
  }

  it.each([
    ["blame", { root: "text", at: null }],
    ["diff", { from: "1", to: null, root: null }],
    ["activity", { ...WHOLE, groupMs: 0, newestFirst: false, cursor: null, limit: 10_000 }],
    ["prune", { before: "200" }],
  ] as const)(
    "[%s] comes in steps, between which others write, and is of the moment it began",
    async (verb, what) => {
      const { room } = written(1_500, steps)
      const wanted = written(1_500, steps).room.past.answer(verb, what, ADMIN)
      const { answered, turns } = await beside(room, async () => room.past.answerAside(verb, what, ADMIN))
      expect(turns).toBeGreaterThan(5)
      if (verb === "prune") expect(answered).toMatchObject({ fromRevision: 200 })
      else expect(answered).toEqual(wanted)
      expect(textOf(room.replica.document())).toContain("!".repeat(turns))
    },
  )

  it.each([{ what: "blame", root: "text" }, { what: "diff", from: "1" }, { what: "activity" }])(
    "[G1] is answered to an agent's tool in steps as well: $what",
    async (given) => {
      const { room } = written(1_500, steps)
      const { answered, turns } = await beside(room, async () =>
        room.agents.call("history", given, ADMIN, null),
      )
      expect(turns).toBeGreaterThan(5)
      expect(JSON.stringify(answered)).toContain('"bob"')
    },
  )

  it("[G1] is read in steps for a change of what its caller had read, which keeps what came meanwhile", async () => {
    const { room, states } = written(1_500, steps)
    const { revision, text } = states.at(-5)!
    const word = " ∎" // Not in any recorded paper.
    const body = new TextEncoder().encode(JSON.stringify(text + word))
    const request = { how: "put", format: "json", root: "text", body, base: String(revision) } as const
    const rest = { blocks: null, editor: null, nested: null }
    const free = { ifMatch: null, ifNoneMatch: null }
    const before = textOf(room.replica.document())
    expect(before).not.toBe(text)
    const { turns } = await beside(room, () => room.changes.make({ ...request, ...rest }, ADMIN, free))
    expect(turns).toBeGreaterThan(5)
    const after = textOf(room.replica.document())
    expect(after.replace(word, "")).toBe("!".repeat(turns) + before)
    expect(after).toContain(word)
  })

  it("takes back what one did up to then, and keeps what others wrote while it was read", async () => {
    const { room } = written(1_500, steps)
    const paper = new Paper()
    for (const [i, edit] of RECORDED.slice(0, 1_500).entries()) paper.edit(edit, authorOf(i))
    const ask = { ...WHOLE, by: "bob", dryRun: false }
    const { turns } = await beside(room, async () => room.past.answerAside("rollback", ask, ADMIN))
    expect(turns).toBeGreaterThan(5)
    expect(textOf(room.replica.document())).toBe("!".repeat(turns) + paper.without("bob"))
  })

  it("ends where the document is deleted meanwhile, and lets only so many wait", async () => {
    const { room } = written(1_500, { ...steps, pastQuestions: 2 })
    const ask = async () => room.past.answerAside("blame", { root: "text", at: null }, ADMIN)
    const asked = [ask(), ask()]
    await expect(ask()).rejects.toMatchObject({ code: "rate-limited" })
    expect(room.past.busy).toBe(true)
    await new Promise((resolve) => setTimeout(resolve, 0))
    room.replica.erase()
    for (const one of await Promise.allSettled(asked))
      expect(one).toMatchObject({ reason: { code: "not-found" } })
    expect(room.past.busy).toBe(false)
  })

  it("is refused where it would change too much at once, and then changes nothing", () => {
    const { room } = written(1_500, { ...steps, restoreItems: 10 })
    const before = textOf(room.replica.document())
    expect(() => room.past.answer("rollback", { ...WHOLE, by: "bob", dryRun: false }, ADMIN)).toThrow(
      "at once",
    )
    expect(() => room.past.answer("restore", { id: "5", root: null }, ADMIN)).toThrow("at once")
    expect(textOf(room.replica.document())).toBe(before)
  })
})

describe("[H2] versions that were made by themselves", () => {
  const by = { subject: null, via: "server" } as const

  it("are thinned to one an hour, a day and a week with age; named ones and those by hand stay", () => {
    const { room } = written(5, {})
    const versions = new Versions(room.log.tables, LIMITS)
    const now = Date.UTC(2026, 5, 1)
    const make = (ageMs: number, more: { name?: string; trigger?: "manual" | "auto" } = {}) =>
      versions.make({
        ...{ revision: 1, createdBy: by, by: [], atMs: now - ageMs },
        ...{ trigger: more.trigger ?? "auto", name: more.name ?? null },
      })
    const quarter = HOUR / 4
    for (let age = 200 * DAY; age >= 0; age -= age > 8 * DAY ? 6 * HOUR : quarter) make(age)
    const named = make(300 * DAY, { name: "Kept" })
    const byHand = make(300 * DAY, { trigger: "manual" })
    versions.thin(now)
    const left = versions.list({ cursor: null, limit: 10_000, notBeforeMs: 0 }).versions
    const between = (from: number, to: number) =>
      left.filter(({ at, id }) => {
        const age = now - Date.parse(at)
        return age >= from && age < to && id !== named.id && id !== byHand.id
      }).length
    expect(between(0, DAY)).toBe(96)
    expect(between(2 * DAY, 3 * DAY)).toBe(24)
    expect(between(20 * DAY, 30 * DAY)).toBe(10)
    expect(between(100 * DAY, 170 * DAY)).toBe(10)
    expect(left.map(({ id }) => id)).toEqual(expect.arrayContaining([named.id, byHand.id]))
    versions.thin(now)
    expect(versions.count).toBe(left.length)
  })

  it("come every half hour while people stay, and when the last one has left", () => {
    const { room } = written(5, {})
    const { past } = room
    expect(past.versionDueAtMs({ isEmpty: true, hasEmptied: true })).toBe(null)
    past.touch()
    const here = past.versionDueAtMs({ isEmpty: false, hasEmptied: false })!
    expect(here - Date.now()).toBeGreaterThan(LIMITS.versionEveryMs - 1_000)
    expect(past.versionDueAtMs({ isEmpty: true, hasEmptied: true })).toBeLessThanOrEqual(Date.now())
    // After a restart nobody knows when the last one left.
    expect(past.versionDueAtMs({ isEmpty: true, hasEmptied: false })).toBe(
      room.log.state.at + LIMITS.versionLeaveMs,
    )
    room.restart()
    expect(room.past.versionDueAtMs({ isEmpty: false, hasEmptied: false })).toBe(here)
    room.past.makeVersion()
    expect(room.past.versionDueAtMs({ isEmpty: true, hasEmptied: true })).toBe(null)
    expect(room.past.answer("versions", { cursor: null, limit: 9 }, ADMIN).versions).toHaveLength(1)
  })
})

describe("[H2] a moment", () => {
  it.each([
    ["17", { kind: "revision", revision: 17 }],
    ["v_0a-B", { kind: "version", id: "v_0a-B" }],
    ["2026-11-26T09:30:00Z", { kind: "time", time: Date.UTC(2026, 10, 26, 9, 30) }],
    ["2026-11-26t09:30:00.25+01:30", { kind: "time", time: Date.UTC(2026, 10, 26, 8, 0, 0, 250) }],
  ])("%s is one", (text, moment) => expect(parseMoment(text)).toEqual(moment))

  it.each([
    "",
    "-1",
    "1.5",
    "1e3",
    "v_",
    "v_ä",
    "2026-11-26",
    "2026-11-26T09:30:00",
    "2026-02-30T25:00:00Z",
    "now",
  ])("%j is none", (text) => expect(() => parseMoment(text)).toThrow("is no moment"))
})
