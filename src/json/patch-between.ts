/**
 * The JSON Patch between two states of a document, for those who follow it as JSON. A text is changed by the operation
 * `text`, which RFC 6902 does not have, unless it is asked for none: a letter typed into a long text would else send it all.
 *
 * Two states share what did not change, and what they share is passed over.
 */
import type { Json } from "../export/json.ts"
import { differ, differText } from "./difference.ts"
import { isObject, isSameJson } from "./plain.ts"
import { writePointer } from "./pointer.ts"

/** One operation. */
export type Operation =
  | { readonly op: "add" | "replace"; readonly path: string; readonly value: Json }
  | { readonly op: "remove"; readonly path: string }
  | {
      readonly op: "text"
      readonly path: string
      readonly index: number
      readonly delete?: number
      readonly insert?: string
    }

/** A text that takes less than this is replaced whole, characters: the operation would be as long. */
const SHORT_TEXT = 32

/**
 * What makes one value the other, to be done in order.
 *
 * @param options.text whether texts are changed by `text`
 * @example patchBetween({ n: 1 }, { n: 2 }, { text: true }) // [{ op: "replace", path: "/n", value: 2 }]
 */
export function patchBetween(
  before: Json | undefined,
  after: Json | undefined,
  options: { readonly text: boolean },
): Operation[] {
  const operations: Operation[] = []
  compare(before, after, { names: [], operations, ...options })
  return operations
}

interface At {
  readonly names: readonly (string | number)[]
  readonly operations: Operation[]
  readonly text: boolean
}

function compare(before: Json | undefined, after: Json | undefined, at: At): void {
  if (before === after) return
  const path = writePointer(at.names)
  if (after === undefined) at.operations.push({ op: "remove", path })
  else if (before === undefined) at.operations.push({ op: "add", path, value: after })
  else if (typeof before === "string" && typeof after === "string" && at.text && after.length >= SHORT_TEXT) {
    for (const edit of differText(before, after).toReversed()) {
      const { at: index, remove, insert } = edit
      at.operations.push({
        ...{ op: "text" as const, path, index },
        ...(remove > 0 && { delete: remove }),
        ...(insert !== "" && { insert }),
      })
    }
  } else if (Array.isArray(before) && Array.isArray(after)) compareLists(before, after, at)
  else if (isObject(before) && isObject(after)) {
    for (const key of Object.keys(before))
      if (!Object.hasOwn(after, key)) compare(before[key], undefined, inside(at, key))
    for (const [key, value] of Object.entries(after))
      compare(Object.hasOwn(before, key) ? before[key] : undefined, value, inside(at, key))
  } else if (!isSameJson(before, after)) at.operations.push({ op: "replace", path, value: after })
}

/** From the end to the start, so that places to the left stay what they were. */
function compareLists(before: readonly Json[], after: readonly Json[], at: At): void {
  const token = (value: Json) => JSON.stringify(value)
  for (const { at: place, remove, from, to } of differ(before.map(token), after.map(token)).toReversed()) {
    const both = Math.min(remove, to - from)
    for (let i = remove - 1; i >= both; i--) compare(before[place + i], undefined, inside(at, place + i))
    for (let i = to - from - 1; i >= both; i--) {
      const path = writePointer([...at.names, place + both])
      at.operations.push({ op: "add", path, value: after[from + i]! })
    }
    for (let i = both - 1; i >= 0; i--) compare(before[place + i], after[from + i], inside(at, place + i))
  }
}

function inside(at: At, name: string | number): At {
  return { ...at, names: [...at.names, name] }
}
