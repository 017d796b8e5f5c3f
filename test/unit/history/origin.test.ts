/** Where updates came from, as it is written beside them. */
import { expect, it } from "vitest"
import { type Origin, readOrigins, writeOrigins } from "../../../src/history/origin.ts"

const ORIGINS: Origin[] = [
  { at: 1_000, subject: "kim", via: "socket" },
  { at: 1_000, subject: "kim", via: "agent", agent: "Scribe", onBehalfOf: "kim" },
  { at: 1_005, subject: "kim", via: "agent", agent: "Scribe", onBehalfOf: "kim", client: "Quill 3" },
  { at: 1_005, subject: "kim", via: "agent", agent: "Scribe", onBehalfOf: "kim", client: "Pen" },
  { at: 1_005, subject: "kim", via: "agent", client: "Pen" },
  { at: 1_006, subject: null, via: "agent" },
  { at: 1_007, subject: "ada", via: "rest" },
]

it("[H1] [G2] gives back who, when, by which way and what a program calls itself", () => {
  const next = readOrigins(writeOrigins(ORIGINS))
  expect(ORIGINS.map(() => next())).toEqual(ORIGINS)
})

it("[D7] costs nothing but itself where its bytes are damaged", () => {
  const bytes = writeOrigins(ORIGINS)
  for (let end = 0; end < bytes.length; end++) {
    const next = readOrigins(bytes.subarray(0, end))
    for (const { at } of ORIGINS) expect(next().at).toBeLessThanOrEqual(Math.max(at, 1_007))
  }
})
