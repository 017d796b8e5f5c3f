/** All scenarios, in the order in which they run. */

import type { Scenario } from "../scenario.ts"
import { ceiling } from "./ceiling.ts"
import { coldBig, coldPaper } from "./cold.ts"
import { cost } from "./cost.ts"
import { cursors } from "./cursors.ts"
import { flood, floodMixed } from "./flood.ts"
import { memory } from "./memory.ts"
import { pace } from "./pace.ts"
import { rooms, roomsDurable } from "./rooms.ts"
import { trace } from "./trace.ts"
import { wake } from "./wake.ts"

export const SCENARIOS: readonly Scenario[] = [
  ceiling,
  flood,
  floodMixed,
  pace,
  ...cursors,
  trace,
  coldPaper,
  coldBig,
  rooms,
  roomsDurable,
  wake,
  memory,
  cost,
]

export function scenarioNamed(name: string): Scenario {
  const scenario = SCENARIOS.find((candidate) => candidate.name === name)
  if (scenario === undefined) throw new Error(`No scenario is called ${JSON.stringify(name)}`)
  return scenario
}
