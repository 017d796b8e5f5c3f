/**
 * What a room costs at work and at rest, as `npm run bench -- cost` has measured it, and what others ask for the same: for the
 * calculator of the operator's page.
 */

/** A server on Durable Objects, in US$ of `prices.ts`. */
export interface Measured {
  /** 1,000 letters that one person types at five a second, and somebody watches. */
  readonly per1000Letters: number
  /** An hour in which two sockets are open and nobody does anything. */
  readonly perIdleHour: number
}

/** @source test/bench/results.json, scenario `cost` */
export const MEASURED: Readonly<Record<"Yurt" | "y-partyserver", Measured>> = {
  Yurt: { per1000Letters: 617e-6, perIdleHour: 180e-6 },
  "y-partyserver": { per1000Letters: 347e-6, perIdleHour: 8.06e-6 },
}

/** What Liveblocks asks beyond its plan, US$ for a minute in which somebody is in a room with somebody else. */
export const LIVEBLOCKS = {
  perMinute: 0.002,
  source: "https://liveblocks.io/docs/pricing/overview.md",
  asOf: "2026-11",
} as const

/** Rooms, and what is done in each a day. */
export interface Work {
  readonly rooms: number
  /** Hours in which one person types at five letters a second, and the others watch. */
  readonly hours: number
  /** Hours in which it stays open and nobody does anything. */
  readonly idle: number
}

const LETTERS_PER_HOUR = 5 * 3_600

/** US$ a day, by who asks for it. */
export function costsADay({ rooms, hours, idle }: Work): Readonly<Record<string, number>> {
  const own = Object.entries(MEASURED).map(([name, { per1000Letters, perIdleHour }]) => [
    name,
    rooms * ((hours * LETTERS_PER_HOUR * per1000Letters) / 1_000 + idle * perIdleHour),
  ])
  return { ...Object.fromEntries(own), Liveblocks: rooms * (hours + idle) * 60 * LIVEBLOCKS.perMinute }
}
