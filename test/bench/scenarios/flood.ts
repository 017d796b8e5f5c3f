/** Flood: 10 writers send 200 updates each as fast as they can; the clock stops when all of 50 receivers have all. */

import { textOf, typing } from "../edits.ts"
import { connectAll, disconnectAll } from "../load-client.ts"
import { mustEqual, mustServe, type Outcome, type Scenario, settled } from "../scenario.ts"
import { type Server, ServerFailure, spokenToAsHocuspocus, startServer } from "../servers.ts"
import { Receiver } from "../tally.ts"

const WRITERS = 10
const RECEIVERS = 50
const LIMIT_MS = 40_000

/** @param options.other half of the receivers are connected to this */
async function floodOnce(
  server: Server,
  id: string,
  { updatesEach, other = server }: { updatesEach: number; other?: Server },
): Promise<Outcome> {
  const receivers = Array.from({ length: RECEIVERS }, () => new Receiver())
  const half = RECEIVERS / 2
  const connect = (to: Server, from: number) =>
    connectAll(
      to,
      Array.from({ length: half }, () => id),
      { listener: (index) => receivers[from + index]!.listener },
    )
  const listening = [...(await connect(server, 0)), ...(await connect(other, half))]
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
    await floodOnce(server, "warm-up", { updatesEach: 20 })
    return await floodOnce(server, "flood", { updatesEach: 200 })
  },
}

/**
 * Floods with one dialect and with two take turns in one server. The clock would tell how busy the machine was: what the
 * second dialect costs is the CPU time of the server.
 */
export const floodMixed: Scenario = {
  name: "flood-mixed",
  title: "flood with half of the receivers on Hocuspocus' dialect: CPU time, in floods with one dialect",
  systems: ["yurt"],
  headline: { figure: "costFactor", better: "less" },
  limitMs: 240_000,
  async measure({ system }) {
    await using server = await startServer(system)
    const other = spokenToAsHocuspocus(server)
    const cpuMs = async () => {
      const used = await server.cpuMs()
      if (used === null) throw new ServerFailure("its CPU time cannot be read here")
      return used
    }
    for (const to of [server, other]) await floodOnce(server, "warm-up", { updatesEach: 50, other: to })
    let oneMs = 0
    let twoMs = 0
    const speeds: number[] = []
    for (let turn = 0; turn < 8; turn++) {
      const startMs = await cpuMs()
      await floodOnce(server, `one-${turn}`, { updatesEach: 200 })
      const middleMs = await cpuMs()
      const { figures } = await floodOnce(server, `two-${turn}`, { updatesEach: 200, other })
      oneMs += middleMs - startMs
      twoMs += (await cpuMs()) - middleMs
      speeds.push(figures.updatesPerSecond!)
    }
    const updatesPerSecond = speeds.toSorted((a, b) => a - b)[speeds.length >> 1]!
    return { figures: { costFactor: twoMs / oneMs, updatesPerSecond } }
  },
}
