/** The past of a real paper (H1–H6): `node test/unit/history/paper-bench.ts` plays all of it, and measures. */
import { expect, it } from "vitest"
import type * as Y from "yjs"
import { runNow } from "../../../src/history/steps.ts"
import { below, seededRandom } from "../../kit/random.ts"
import { recordedEdits } from "../../kit/session.ts"
import { authorOf, OWNERS, Paper, updatesOf } from "./paper.ts"
import { ADMIN, DeskRoom } from "./room.ts"

const EDITS = 9_000
const BLANK = { via: null, from: null, to: null, dryRun: false }

it("[H1] [H3] [H4] [H6] has every state, every author and every way back of a paper by three people", () => {
  const edits = recordedEdits(EDITS)
  const random = seededRandom("paper")
  // Small, so that there are many segments and a few frames.
  const room = new DeskRoom(OWNERS, {
    compactFloorBytes: 8_000,
    segmentBytes: 4_000,
    frameFloorBytes: 30_000,
    valueBytes: 3_000,
  })
  const paper = new Paper()
  const states: { revision: number; text: string; ms: number }[] = []
  let left = 0
  let i = 0
  for (const { update, subject } of updatesOf(edits)) {
    room.clock += 200
    room.take(update, subject)
    paper.edit(edits[i]!, authorOf(i))
    i++
    if (left-- > 0) continue
    left = below(random, 8)
    const revision = room.commit()
    if (below(random, 40) === 0) states.push({ revision, text: paper.text, ms: room.clock })
    if (below(random, 400) === 0) room.restart()
  }
  room.commit()
  const { past, log } = room
  const { timeline } = past.history
  const textOf = (doc: Y.Doc) => doc.getText("text").toString()
  expect(log.past.size.bytes).toBeGreaterThan(0)
  expect(log.tables.rows("SELECT id FROM past WHERE kind = 'frame'").length).toBeGreaterThan(1)

  for (const { revision, text, ms } of states) {
    expect(textOf(runNow(timeline.rebuild(revision)))).toBe(text)
    expect(timeline.placeAt(ms + 100).revision).toBe(revision)
  }

  const { spans } = past.answer("blame", { root: "text", at: null }, ADMIN)
  const told: [string, string][] = []
  for (const { text, by, verified } of spans) {
    expect(verified).toBe(true)
    const last = told.at(-1)
    if (last?.[1] === by!.subject) last[0] += text
    else told.push([text!, by!.subject!])
  }
  expect(told).toEqual(paper.authors)

  const [one, other] = [states[Math.floor(states.length / 3)]!, states.at(-1)!]
  const { roots } = past.answer(
    "diff",
    { from: String(one.revision), to: String(other.revision), root: null },
    ADMIN,
  )
  const side = (gone: string) =>
    roots
      .text!.filter(({ op }) => op !== gone)
      .map(({ text }) => text)
      .join("")
  expect(side("insert")).toBe(one.text)
  expect(side("delete")).toBe(other.text)

  const { bytes, updateBytes } = log.past.size
  expect(bytes).toBeLessThanOrEqual(1.3 * updateBytes)

  const before = textOf(room.replica.document())
  const { backup, unresolved } = past.answer("rollback", { ...BLANK, by: "bob" }, ADMIN)
  // What was deleted before the last frame is kept by none but the segments before it.
  expect(unresolved).toEqual([])
  expect(textOf(room.replica.document())).toBe(paper.without("bob"))
  const again = past.answer("rollback", { ...BLANK, by: "bob" }, ADMIN)
  expect(again).toMatchObject({ inserted: 0, deleted: 0 })
  past.answer("restore", { id: backup!.id, root: null }, ADMIN)
  expect(textOf(room.replica.document())).toBe(before)
  expect(past.answer("restore", { id: backup!.id, root: null }, ADMIN).revision).toBe(log.state.revision)
})
