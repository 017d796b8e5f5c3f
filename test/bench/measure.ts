/**
 * One measurement in a process of its own: it starts the server, is the load, and tells the result to the process
 * that forked it. Usage (by run.ts): node measure.ts '{"scenario", "system", "quick", "data"}'
 */

import type { Outcome } from "./scenario.ts"
import { scenarioNamed } from "./scenarios/all.ts"
import { systemNamed } from "./servers.ts"

/** What a measurement was asked to do. */
export interface Order {
  readonly scenario: string
  readonly system: string
  readonly quick: boolean
  readonly data: string | null
}

/** What became of it. A failure is a result: the system could not do this. */
export type Result = { readonly outcome: Outcome } | { readonly failure: string }

const order = JSON.parse(process.argv[2] ?? "{}") as Order
const result: Result = await scenarioNamed(order.scenario)
  .measure({ system: systemNamed(order.system), quick: order.quick, data: order.data })
  .then(
    (outcome) => ({ outcome }),
    (error: Error) => ({ failure: `${error.name === "Error" ? "" : `${error.name}: `}${error.message}` }),
  )
process.send?.(result, () => process.exit(0))
