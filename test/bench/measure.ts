/**
 * One measurement in a process of its own: it starts the server, is the load, and tells the result to the process
 * that forked it. Usage (by run.ts): node measure.ts '{"scenario", "system", "quick", "data"}'
 */

import type { Outcome } from "./scenario.ts"
import { scenarioNamed } from "./scenarios/all.ts"
import { serverFailure, systemNamed } from "./servers.ts"

/** What a measurement was asked to do. */
export interface Order {
  readonly scenario: string
  readonly system: string
  readonly quick: boolean
  readonly data: string | null
}

/** What became of it. A failure is a result: the system could not do this. */
export type Result = { readonly outcome: Outcome } | { readonly failure: string }

/** Results are published; the folders of the machine that made them are not. */
const withoutFolders = (message: string): string => message.replace(/(?<![\w:/])(?:\/[\w.@+-]+)+\//g, "")

const order = JSON.parse(process.argv[2] ?? "{}") as Order
const measuring = scenarioNamed(order.scenario).measure({
  system: systemNamed(order.system),
  quick: order.quick,
  data: order.data,
})
const result: Result = await Promise.race([measuring, serverFailure]).then(
  (outcome) => ({ outcome }),
  (error: Error) => ({
    failure: withoutFolders(error.name === "Error" ? error.message : `${error.name}: ${error.message}`),
  }),
)
process.send?.(result, () => process.exit(0))
