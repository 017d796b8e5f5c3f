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
  const names = Object.keys(before) as Array<keyof Reading>
  return Object.fromEntries(names.map((name) => [name, after[name] - before[name]])) as unknown as Reading
}
