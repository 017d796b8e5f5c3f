import { expect, it } from "vitest"
import { findFaults, type Order } from "../folders.ts"

const order: Order = { top: ["low", "errors.ts"], low: ["errors.ts"], "errors.ts": [] }

/** The faults of one file among its neighbours. */
function faultsOf(path: string, source: string, typesFromAbove: Order = {}): string[] {
  return findFaults(new Map([[path, source]]), order, typesFromAbove)
}

it("lets a file import its neighbours and what is below", () => {
  const source = `import { a } from "./b.ts"\nimport "../low/c.ts"\nexport * from "../errors.ts"\nimport "yjs"\n`
  expect(faultsOf("top/a.ts", source)).toEqual([])
})

it.each([
  [`import { a } from "../top/a.ts"`, 1],
  [`import type { A } from "../top/a.ts"`, 1],
  [`import {\n  a,\n  b,\n} from "../top/a.ts"`, 4],
  [`import "./b.ts"\nexport { a } from "../top/a.ts"`, 2],
  [`\nimport "../top/a.ts"`, 2],
  [`export async function a() {\n  return await import("../top/a.ts")\n}`, 2],
])("names file and line of an import upward: %j", (source, line) => {
  expect(faultsOf("low/b.ts", source)).toEqual([`src/low/b.ts:${line} imports top, which low may not`])
})

it("lets types come from above only where they are named, and no values with them", () => {
  const types = { low: ["top"] }
  expect(faultsOf("low/b.ts", `import type { A } from "../top/a.ts"`, types)).toEqual([])
  expect(faultsOf("low/b.ts", `import { type A } from "../top/a.ts"`, types)).toHaveLength(1)
})

it("asks a place for a new folder, and an order that runs one way", () => {
  expect(faultsOf("new/a.ts", "")).toEqual(["src/new/a.ts:1 has no place in the order of test/folders.ts"])
  expect(() => findFaults(new Map(), { low: [], top: ["low"] })).toThrow("top import low")
})

it("asks a long file for the reason, in its header", () => {
  const long = "const a = 1\n".repeat(451)
  expect(faultsOf("low/b.ts", long.slice(12))).toEqual([])
  expect(faultsOf("low/b.ts", long)).toEqual(["src/low/b.ts:1 has 451 lines and does not say at its top why"])
  expect(faultsOf("low/b.ts", `/** Long, because a grammar is one thing. */\n${long}`)).toEqual([])
})
