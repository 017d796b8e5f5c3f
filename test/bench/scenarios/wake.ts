/**
 * Wake: one letter typed into a room that hibernates, with 10 MB stored and with next to nothing. CPU time of the
 * process, rows read, and the time until the other person has the letter. Several rooms, because the kernel counts
 * CPU time in hundredths of a second.
 */

import { setTimeout as pause } from "node:timers/promises"
import { bigDocument, typing, typingOnto } from "../edits.ts"
import { connectAll, disconnectAll, LoadClient } from "../load-client.ts"
import { type Outcome, type Scenario, type Setting, until } from "../scenario.ts"
import { type Server, startServer } from "../servers.ts"
import { type Reading, readMeter, since } from "./meter-reading.ts"

const ROOMS = 8
/** workerd evicts an idle room after 10 s. */
const IDLE_MS = 12_500
const IDLE_LIMIT_MS = 90_000
const SETTLE_MS = 2_000

interface Sleeper {
  typist: LoadClient
  watcher: LoadClient
  letter: Uint8Array
}

async function fillRooms(server: Server, document: Uint8Array, name: string): Promise<Sleeper[]> {
  const [letter] = typingOnto(document, 77, 1)
  const ids = Array.from({ length: ROOMS }, (_, room) => `${name}-${room}`)
  for (const id of ids) {
    let durable = false
    const author = await LoadClient.connect(server, id, {
      listener: (kind) => {
        durable ||= kind === "echo"
      },
    })
    author.send(2, document)
    author.askEcho(1)
    if (!(await until(() => durable, 15_000))) throw new Error(`${id} was never said to be durable`)
    await author.leave()
  }
  // A room that was left folds its log in, large or small; one that is entered again before that may not.
  await pause(SETTLE_MS)
  const sleepers: Sleeper[] = []
  for (const id of ids) {
    const [typist, watcher] = await connectAll(server, [id, id])
    sleepers.push({ typist: typist!, watcher: watcher!, letter: letter! })
  }
  return sleepers
}

/** Wait until nothing has happened inside the rooms for long enough that all of them are evicted. */
async function untilAsleep(server: Server): Promise<void> {
  const deadline = performance.now() + IDLE_LIMIT_MS
  let last = JSON.stringify(await readMeter(server))
  let sinceMs = performance.now()
  while (performance.now() - sinceMs < IDLE_MS) {
    if (performance.now() > deadline)
      throw new Error(`the rooms were not quiet within ${IDLE_LIMIT_MS / 1000} s`)
    await pause(500)
    const now = JSON.stringify(await readMeter(server))
    if (now !== last) {
      last = now
      sinceMs = performance.now()
    }
  }
}

async function wakeAll(
  server: Server,
  sleepers: Sleeper[],
): Promise<{ cpuMs: number; ms: number; reading: Reading }> {
  const idleFromMs = (await server.cpuMs()) ?? Number.NaN
  await pause(SETTLE_MS)
  const before = await readMeter(server)
  const fromMs = (await server.cpuMs()) ?? Number.NaN
  const times: number[] = []
  for (const { typist, watcher, letter } of sleepers) {
    let hereAtMs = 0
    watcher.listener = (kind) => {
      if (kind === "update" && hereAtMs === 0) hereAtMs = performance.now()
    }
    const sentAtMs = performance.now()
    typist.send(2, letter)
    if (!(await until(() => hereAtMs > 0, 10_000)))
      throw new Error("a letter did not reach the other after a wake")
    times.push(hereAtMs - sentAtMs)
  }
  await pause(SETTLE_MS)
  const toMs = (await server.cpuMs()) ?? Number.NaN
  const reading = since(before, await readMeter(server))
  const idleMs = fromMs - idleFromMs
  return {
    cpuMs: Math.max(0, toMs - fromMs - idleMs) / sleepers.length,
    ms: times.sort((a, b) => a - b)[times.length >> 1]!,
    reading,
  }
}

async function measureWake({ system }: Setting): Promise<Outcome> {
  await using server = await startServer(system, { metered: true })
  const small = await fillRooms(server, typing(3, 1)[0]!, "small")
  const big = await fillRooms(server, await bigDocument(), "big")
  await untilAsleep(server)
  const smallWake = await wakeAll(server, small)
  const bigWake = await wakeAll(server, big)
  await disconnectAll([...small, ...big].flatMap(({ typist, watcher }) => [typist, watcher]))
  const notes =
    bigWake.reading.wakes >= ROOMS && smallWake.reading.wakes >= ROOMS
      ? []
      : [`only ${smallWake.reading.wakes} + ${bigWake.reading.wakes} of ${2 * ROOMS} rooms had been asleep`]
  return {
    figures: {
      smallRowsRead: smallWake.reading.rowsRead / ROOMS,
      bigRowsRead: bigWake.reading.rowsRead / ROOMS,
      documentRowsRead: (bigWake.reading.rowsRead - smallWake.reading.rowsRead) / ROOMS,
      smallCpuMs: smallWake.cpuMs,
      bigCpuMs: bigWake.cpuMs,
      smallMs: smallWake.ms,
      bigMs: bigWake.ms,
    },
    notes,
  }
}

export const wake: Scenario = {
  name: "wake",
  title: "one letter into a hibernating room, 10 MB stored against nearly nothing",
  systems: ["yurt"],
  headline: { figure: "bigRowsRead", better: "less" },
  maxRounds: 1,
  slow: true,
  limitMs: 180_000,
  measure: measureWake,
}
