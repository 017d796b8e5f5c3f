/** Flood: 10 writers send 200 updates each as fast as they can; the clock stops when all of 50 receivers have all. */

import { textOf, typing } from "../edits.ts"
import { connectAll, disconnectAll } from "../load-client.ts"
import { mustEqual, mustServe, type Outcome, type Scenario, settled } from "../scenario.ts"
import { type Server, startServer } from "../servers.ts"
import { Receiver } from "../tally.ts"

const WRITERS = 10
const RECEIVERS = 50
const LIMIT_MS = 40_000

async function floodOnce(server: Server, id: string, updatesEach: number): Promise<Outcome> {
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
  const updates = writing.map((_client, writer) => typing(1_000 + writer, updatesEach))
  const frames = writing.map((client, writer) => updates[writer]!.map((update) => client.frame(2, update)))
  const total = WRITERS * updatesEach

  const had = (receiver: Receiver) => {
    receiver.digest()
    return [...receiver.clocks.values()].reduce((sum, clock) => sum + clock, 0)
  }
  const startedAtMs = performance.now()
  for (let i = 0; i < updatesEach; i++) {
    for (let writer = 0; writer < WRITERS; writer++) writing[writer]!.sendFrame(frames[writer]![i]!)
  }
  const complete = await settled(
    () => Math.max(...receivers.map((receiver) => receiver.lastAtMs)),
    () => receivers.every((receiver) => had(receiver) === total),
    { quietMs: 300, limitMs: LIMIT_MS },
  )
  const framesEach = receivers.reduce((sum, receiver) => sum + receiver.frames, 0) / RECEIVERS
  if (!complete) {
    const worst = Math.min(...receivers.map(had))
    await disconnectAll([...listening, ...writing])
    return {
      figures: { updatesPerSecond: (worst / LIMIT_MS) * 1000, framesEach },
      cutOff: `after ${LIMIT_MS / 1000} s a receiver had ${worst} of ${total} updates`,
    }
  }
  const endedAtMs = Math.max(...receivers.map((receiver) => receiver.newestAtMs))
  const expected = textOf(updates.flat())
  mustEqual("the first receiver's text", textOf(receivers[0]!.updates()), expected)
  await mustServe(server, id, expected)
  await disconnectAll([...listening, ...writing])
  return { figures: { updatesPerSecond: (total / (endedAtMs - startedAtMs)) * 1000, framesEach } }
}

export const flood: Scenario = {
  name: "flood",
  title: "10 writers × 200 updates at once, 50 receivers: updates/s until all have all",
  systems: ["yurt", "y-partyserver", "relay", "y-websocket", "hocuspocus"],
  headline: { figure: "updatesPerSecond", better: "more" },
  limitMs: 120_000,
  async measure({ system }) {
    await using server = await startServer(system)
    // A small one first: compilers warm up on every side.
    await floodOnce(server, "warm-up", 20)
    return await floodOnce(server, "flood", 200)
  },
}
