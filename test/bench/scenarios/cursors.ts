/**
 * Cursors: 50, 100 and 200 people move their pointer 20 times a second, and everyone sees everyone. The time is
 * the age of each state that arrives; states that a newer one overtook are not missed by anyone. A system keeps up
 * when everybody holds everybody's last position within a second of the last move.
 */

import { connectAll, disconnectAll, type Kind, type LoadClient } from "../load-client.ts"
import { type Scenario, until } from "../scenario.ts"
import { startServer } from "../servers.ts"
import { Histogram } from "../tally.ts"

const EVERY_MS = 50
const FIRST_ID = 10_000
const KEEPS_UP_MS = 1_000
const DRAIN_MS = 5_000

/** One receiver's view of everyone: the newest clock of each, by index. Read as it comes: it is a few varints. */
class Watcher {
  readonly clocks: Int32Array
  #self: number
  client: LoadClient | undefined
  frames = 0
  times: Histogram | undefined
  #sentAtMs: Float64Array[]

  constructor(self: number, sentAtMs: Float64Array[]) {
    this.#self = self
    this.#sentAtMs = sentAtMs
    this.clocks = new Int32Array(sentAtMs.length)
  }

  readonly listener = (kind: Kind, frame: Buffer): void => {
    if (kind !== "awareness" || this.client === undefined) return
    this.frames++
    const states = this.client.payload(kind, frame)
    const now = performance.now()
    let at = 0
    const readVarUint = () => {
      let value = 0
      let factor = 1
      for (;;) {
        const byte = states[at++]!
        value += (byte & 127) * factor
        if (byte < 128) return value
        factor *= 128
      }
    }
    for (let left = readVarUint(); left > 0; left--) {
      const who = readVarUint() - FIRST_ID
      const clock = readVarUint()
      const length = readVarUint()
      at += length
      if (who === this.#self || who < 0 || who >= this.clocks.length || clock <= this.clocks[who]!) continue
      this.clocks[who] = clock
      this.times?.note(now - this.#sentAtMs[who]![clock]!)
    }
  }
}

const stateOf = (who: number, step: number): string =>
  JSON.stringify({
    user: { name: `Visitor ${who}`, color: "#30bced" },
    cursor: { x: (who * 37 + step * 3) % 1900, y: (who * 53 + step * 7) % 1000 },
  })

async function measureCursors(people: number, { system, quick }: Parameters<Scenario["measure"]>[0]) {
  await using server = await startServer(system)
  const moves = quick ? 40 : 100
  const sentAtMs = Array.from({ length: people }, () => new Float64Array(moves + 2))
  const watchers = sentAtMs.map((_of, self) => new Watcher(self, sentAtMs))
  const clients = await connectAll(
    server,
    watchers.map(() => "cursors"),
    { listener: (index) => watchers[index]!.listener },
  )
  for (const [index, watcher] of watchers.entries()) watcher.client = clients[index]
  const move = (who: number, clock: number) => {
    sentAtMs[who]![clock] = performance.now()
    const frame = clients[who]!.awarenessFrame({ clientId: FIRST_ID + who, clock, json: stateOf(who, clock) })
    clients[who]!.sendFrame(frame)
  }
  const everyoneHas = (clock: number) =>
    watchers.every((watcher, self) => watcher.clocks.every((seen, who) => who === self || seen >= clock))

  // Everyone says hello first, one after another: the flood of first states is not what is measured.
  for (let who = 0; who < people; who++) {
    move(who, 1)
    if (who % 10 === 9) await until(() => clients[who]!.frames > 0, 20)
  }
  await until(() => everyoneHas(1), 5_000)

  const times = new Histogram()
  for (const watcher of watchers) {
    watcher.times = times
    watcher.frames = 0
  }
  const startedAtMs = performance.now()
  const last = moves + 1
  for (let clock = 2; clock <= last; clock++) {
    // In tenths of the period: 200 timers of a few ms each would measure the timers.
    for (let tenth = 0; tenth < 10; tenth++) {
      const early = startedAtMs + (clock - 2 + tenth / 10) * EVERY_MS - performance.now()
      if (early > 0) await new Promise((resolve) => setTimeout(resolve, early))
      else await new Promise((resolve) => setImmediate(resolve))
      for (let who = tenth; who < people; who += 10) move(who, clock)
    }
  }
  const sentForMs = performance.now() - startedAtMs
  const lastMoveAtMs = performance.now()
  const complete = await until(() => everyoneHas(last), DRAIN_MS)
  const lagMs = performance.now() - lastMoveAtMs
  const framesEach = watchers.reduce((sum, watcher) => sum + watcher.frames, 0) / people
  await disconnectAll(clients)
  const notes = sentForMs > moves * EVERY_MS * 1.1 ? ["the load process could not keep its pace"] : []
  return {
    figures: {
      p50Ms: times.quantile(0.5),
      p99Ms: times.quantile(0.99),
      framesEach,
      keepsUp: complete && lagMs <= KEEPS_UP_MS ? 1 : 0,
    },
    notes,
    ...(complete ? {} : { cutOff: `not everyone had the last positions after ${DRAIN_MS / 1000} s` }),
  }
}

const cursorsOf = (people: number): Scenario => ({
  name: `cursors-${people}`,
  title: `${people} cursors at 20 Hz: ms from send to receipt`,
  systems: ["yurt", "y-partyserver", "relay", "y-websocket", "hocuspocus"],
  headline: { figure: "p99Ms", better: "less" },
  maxRounds: 2,
  slow: people === 100,
  limitMs: 60_000,
  measure: (setting) => measureCursors(people, setting),
})

export const cursors: readonly Scenario[] = [50, 100, 200].map(cursorsOf)
