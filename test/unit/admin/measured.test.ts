import { readFileSync } from "node:fs"
import { expect, it } from "vitest"
import { costsADay, MEASURED } from "../../../src/admin/measured.ts"

const { scenarios } = JSON.parse(readFileSync(new URL("../../bench/results.json", import.meta.url), "utf8"))

it.each([
  ["Yurt", "yurt"],
  ["y-partyserver", "y-partyserver"],
] as const)("reckons %s as the last whole run has measured it", (name, system) => {
  const { microdollarsPer1000, microdollarsPerIdleHour } = scenarios.cost.systems[system].figures
  expect(MEASURED[name].per1000Letters * 1e6).toBeCloseTo(microdollarsPer1000, 6)
  expect(MEASURED[name].perIdleHour * 1e6).toBeCloseTo(microdollarsPerIdleHour, 6)
})

it("adds up a day: letters, idle hours, and minutes together", () => {
  const { per1000Letters, perIdleHour } = MEASURED.Yurt
  const day = costsADay({ rooms: 10, hours: 2, idle: 3 })
  expect(day.Yurt).toBeCloseTo(10 * (36 * per1000Letters + 3 * perIdleHour), 9)
  expect(day.Liveblocks).toBeCloseTo(10 * 5 * 60 * 0.002, 9)
  expect(Object.values(costsADay({ rooms: 0, hours: 2, idle: 3 }))).toEqual([0, 0, 0])
})
