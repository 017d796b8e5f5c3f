/** Reading the counters that meter.js keeps inside a metered server. */

import type { Server } from "../servers.ts"

/** Counts since the server's start. */
export interface Reading {
  readonly wakes: number
  readonly alarms: number
  readonly messages: number
  readonly requests: number
  readonly rowsRead: number
  readonly rowsWritten: number
  /** Time in which a room could not hibernate, ms. */
  readonly awakeMs: number
}

export async function readMeter(server: Server): Promise<Reading> {
  const response = await fetch(server.http("/__meter"))
  return (await response.json()) as Reading
}

export function since(before: Reading, after: Reading): Reading {
  return mapReading(after, (count, name) => count - before[name])
}

/** Every count of a reading, changed. */
export function mapReading(
  reading: Reading,
  change: (count: number, name: keyof Reading) => number,
): Reading {
  const entries = Object.entries(reading) as [keyof Reading, number][]
  // reason: fromEntries forgets the names
  return Object.fromEntries(entries.map(([name, count]) => [name, change(count, name)])) as unknown as Reading
}
