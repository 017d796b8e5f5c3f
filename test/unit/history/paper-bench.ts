/**
 * The whole recorded paper by three people: any of many random revisions, against the replay of the session, here and moved
 * out; how long a version takes to open, whose words it says they are, and what the past takes on disk.
 *
 *     YURT_TRACE=automerge-paper.json.gz node test/unit/history/paper-bench.ts [revisions] [edits]
 */
import { runNow } from "../../../src/history/steps.ts"
import { below, seededRandom } from "../../kit/random.ts"
import { recordedEdits } from "../../kit/session.ts"
import { authorOf, OWNERS, Paper, updatesOf } from "./paper.ts"
import { ADMIN, DeskRoom } from "./room.ts"

const wanted = Number(process.argv[2] ?? 1_000)
const edits = recordedEdits(Number(process.argv[3] ?? Number.POSITIVE_INFINITY))
const random = seededRandom("paper")
const room = new DeskRoom(OWNERS, { pastHereBytes: 256 * 1024 }, new Map())
const paper = new Paper()
const picked = new Set(Array.from({ length: wanted }, () => below(random, edits.length)))
const states: { revision: number; text: string }[] = []
let i = 0
for (const { update, subject } of updatesOf(edits)) {
  room.clock += 200
  room.take(update, subject)
  paper.edit(edits[i]!, authorOf(i))
  const isPicked = picked.has(i)
  // Five edits a second, at a commit a second.
  if (isPicked || i % 5 === 4) {
    const revision = room.commit()
    if (isPicked) states.push({ revision, text: paper.text })
  }
  if (++i % 20_000 === 0) room.restart()
}
room.commit()
const times: number[] = []
for (const { revision, text } of states) {
  const from = performance.now()
  const doc = runNow(room.past.history.timeline.rebuild(revision))
  times.push(performance.now() - from)
  if (doc.getText("text").toString() !== text) throw new Error(`Revision ${revision} differs`)
}
times.sort((a, b) => a - b)
const of = (share: number) => times[Math.floor(share * (times.length - 1))]!.toFixed(0)
console.log(`${states.length} revisions of ${edits.length} edits are as they were`)
console.log(`opening one: p50 ${of(0.5)} ms, p99 ${of(0.99)} ms, max ${of(1)} ms`)
const { bytes, updateBytes } = room.log.past.size
console.log(
  `kept for the past: ${bytes} bytes for ${updateBytes} of updates (${(bytes / updateBytes).toFixed(2)} ×); taken ${room.taken}`,
)
await room.mover.run()
room.restart()
for (const { revision, text } of states.filter((_, i) => i % 10 === 0)) {
  const doc = await room.past.stateAside(revision)
  if (doc.getText("text").toString() !== text)
    throw new Error(`Revision ${revision} differs after it was moved out`)
}
const { movedBytes } = room.past.status
console.log(`the same after ${movedBytes} bytes were moved out into the archive, and a restart`)
const { spans } = await room.past.answerAside("blame", { root: "text", at: null }, ADMIN)
const told: [text: string, by: string][] = []
for (const { text = "", by } of spans) {
  const last = told.at(-1)
  if (last?.[1] === by?.subject) last![0] += text
  else told.push([text, by?.subject ?? ""])
}
if (JSON.stringify(told) !== JSON.stringify(paper.authors)) throw new Error("The blame differs from the rule")
console.log(`blame is the rule, in ${told.length} stretches`)
const whole = { from: null, to: null, by: null, via: null }
for (const [verb, what] of [
  ["blame", { root: "text", at: null }],
  ["diff", { from: "1", to: null, root: null }],
  ["activity", { ...whole, groupMs: 60_000, newestFirst: true, cursor: null, limit: 100 }],
  ["rollback", { ...whole, by: "bob", dryRun: false }],
] as const) {
  // What somebody who types meanwhile waits for.
  let longest = 0
  let turn = performance.now()
  const look = setInterval(() => {
    longest = Math.max(longest, performance.now() - turn)
    turn = performance.now()
  }, 0)
  const from = performance.now()
  await room.past.answerAside(verb, what, ADMIN)
  const ms = performance.now() - from
  await new Promise((resolve) => setTimeout(resolve, 5))
  clearInterval(look)
  console.log(`${verb}: ${ms.toFixed(0)} ms, the longest turn ${longest.toFixed(0)} ms`)
}
if (room.replica.document().getText("text").toString() !== paper.without("bob"))
  throw new Error("The rollback differs from the replay without them")
console.log("the rollback of one is the replay without them")
