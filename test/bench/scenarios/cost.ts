/**
 * Cost: what a Durable Object is billed for while one person types five letters a second and another watches, and
 * while both only keep their sockets (each renews its presence every 15 s, as stock clients do). Counted inside
 * the object by meter.js, times the published prices.
 */

import { setTimeout as pause } from "node:timers/promises"
import { dollars } from "../../../src/admin/prices.ts"
import { textOf, typing } from "../edits.ts"
import { connectAll, disconnectAll } from "../load-client.ts"
import { mustServe, type Outcome, type Scenario, type Setting } from "../scenario.ts"
import { startServer } from "../servers.ts"
import { mapReading, type Reading, readMeter, since } from "./meter-reading.ts"

const EVERY_MS = 200
const RENEWAL_MS = 15_000
/** A save or a compaction that the typing caused belongs to the typing. */
const AFTER_MS = 12_000

async function measureCost({ system, quick }: Setting): Promise<Outcome> {
  await using server = await startServer(system, { metered: true })
  const letters = quick ? 50 : 250
  const idleMs = quick ? RENEWAL_MS : 3 * RENEWAL_MS
  const updates = typing(1_000, letters)
  const clients = await connectAll(server, ["cost", "cost"])
  const [typist] = clients
  let clock = 0
  const renew = () => {
    clock++
    for (const [who, client] of clients.entries()) {
      const json = JSON.stringify({ user: { name: `Visitor ${who}` } })
      client.sendFrame(client.awarenessFrame({ clientId: 10_000 + who, clock, json }))
    }
  }
  renew()
  await pause(1_000)

  const start = await readMeter(server)
  const startedAtMs = performance.now()
  for (const [i, update] of updates.entries()) {
    const early = startedAtMs + i * EVERY_MS - performance.now()
    if (early > 0) await pause(early)
    typist!.send(2, update)
  }
  const typedForMs = performance.now() - startedAtMs
  await pause(AFTER_MS)
  const typed = since(start, await readMeter(server))

  const idleStart = await readMeter(server)
  for (let passedMs = 0; passedMs < idleMs; passedMs += RENEWAL_MS) {
    renew()
    await pause(RENEWAL_MS)
  }
  const idle = since(idleStart, await readMeter(server))
  await mustServe(server, "cost", textOf(updates))
  await disconnectAll(clients)

  const perThousand = scale(typed, 1_000 / letters)
  const perHour = scale(idle, 3_600_000 / idleMs)
  return {
    figures: {
      rowsPer1000: perThousand.rowsWritten,
      rowsPerSecond: typed.rowsWritten / (typedForMs / 1000),
      awakeSecondsPer1000: perThousand.awakeMs / 1000,
      microdollarsPer1000: dollars(perThousand) * 1e6,
      wakesPerIdleHour: perHour.wakes,
      rowsPerIdleHour: perHour.rowsWritten,
      awakeSecondsPerIdleHour: perHour.awakeMs / 1000,
      microdollarsPerIdleHour: dollars(perHour) * 1e6,
    },
  }
}

const scale = (reading: Reading, factor: number): Reading => mapReading(reading, (count) => count * factor)

export const cost: Scenario = {
  name: "cost",
  title: "rows, wakes and US$ for 1,000 letters at typing pace, and for an idle hour with two sockets open",
  systems: ["yurt", "y-partyserver"],
  headline: { figure: "microdollarsPer1000", better: "less" },
  maxRounds: 1,
  slow: true,
  limitMs: 200_000,
  measure: measureCost,
}
