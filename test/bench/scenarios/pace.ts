/** Pace: 10 people type 10 letters a second, 50 receivers: the time from sending to each receipt. */

import { setTimeout as pause } from "node:timers/promises"
import { textOf, typing } from "../edits.ts"
import { connectAll, disconnectAll } from "../load-client.ts"
import { mustEqual, mustServe, type Outcome, type Scenario, settled } from "../scenario.ts"
import { type Server, startServer } from "../servers.ts"
import { Histogram, Receiver } from "../tally.ts"

const WRITERS = 10
const RECEIVERS = 50
const EVERY_MS = 100
const DRAIN_MS = 10_000

async function paceOnce(server: Server, id: string, lettersEach: number): Promise<Outcome> {
  const receivers = Array.from({ length: RECEIVERS }, () => new Receiver())
  const listening = await connectAll(
    server,
    receivers.map(() => id),
    { listener: (index) => receivers[index]!.listener },
  )
  for (const [index, receiver] of receivers.entries()) receiver.client = listening[index]
  const writing = await connectAll(
    server,
    Array.from({ length: WRITERS }, () => id),
  )
  const updates = writing.map((_client, writer) => typing(1_000 + writer, lettersEach))
  const frames = writing.map((client, writer) => updates[writer]!.map((update) => client.frame(2, update)))
  const sentAtMs = new Map(updates.map((_of, writer) => [1_000 + writer, new Float64Array(lettersEach)]))
  await pause(300)

  // Writers are spread over the period, as people are; a late timer sends late, and the time counts from then.
  const startedAtMs = performance.now()
  for (let i = 0; i < lettersEach; i++) {
    for (let writer = 0; writer < WRITERS; writer++) {
      const dueAtMs = startedAtMs + (i + writer / WRITERS) * EVERY_MS
      const early = dueAtMs - performance.now()
      if (early > 0) await pause(early)
      sentAtMs.get(1_000 + writer)![i] = performance.now()
      writing[writer]!.sendFrame(frames[writer]![i]!)
    }
  }

  const times = new Histogram()
  const total = WRITERS * lettersEach * RECEIVERS
  const complete = await settled(
    () => Math.max(...receivers.map((receiver) => receiver.lastAtMs)),
    () => {
      for (const receiver of receivers) {
        receiver.digest((clientId, from, to, atMs) => {
          for (let clock = from; clock < to; clock++) times.note(atMs - sentAtMs.get(clientId)![clock]!)
        })
      }
      return times.count === total
    },
    { quietMs: 300, limitMs: DRAIN_MS },
  )
  const figures = { p50Ms: times.quantile(0.5), p99Ms: times.quantile(0.99) }
  if (complete) {
    const expected = textOf(updates.flat())
    mustEqual("the first receiver's text", textOf(receivers[0]!.updates()), expected)
    await mustServe(server, id, expected)
  }
  await disconnectAll([...listening, ...writing])
  if (complete) return { figures }
  return { figures, cutOff: `${times.count} of ${total} receipts ${DRAIN_MS / 1000} s after the last letter` }
}

export const pace: Scenario = {
  name: "pace",
  title: "10 writers × 10 updates/s, 50 receivers: ms from send to receipt",
  systems: ["yurt", "y-partyserver", "relay", "y-websocket", "hocuspocus"],
  headline: { figure: "p50Ms", better: "less" },
  limitMs: 90_000,
  async measure({ system, quick }) {
    await using server = await startServer(system)
    await paceOnce(server, "warm-up", 10)
    return await paceOnce(server, "pace", quick ? 30 : 100)
  },
}
