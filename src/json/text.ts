/** Makes a text what it should be: its characters by the smallest difference, then the formats that differ. */
import { SyncError } from "../errors.ts"
import type { Budget } from "../export/budget.ts"
import { type Json, valueToJson } from "../export/json.ts"
import { listRuns, type Run, type SharedType } from "../export/shared-types.ts"
import { differText } from "./difference.ts"
import { isObject, isSameJson } from "./plain.ts"
import { show } from "./pointer.ts"
import { deleteText, editDelta, insertDelta, insertText, type Step } from "./types.ts"

/** A stretch of a text: characters, or an embed, which counts as one. */
export interface WantedRun {
  readonly insert: string | object
  /** Exactly these. */
  readonly attributes: Readonly<Record<string, unknown>>
}

/** Stands for an embed where texts are compared. */
const EMBED = "\ufffc"

/** The runs of a delta. @throws SyncError "patch-failed" where the list is none */
export function readDelta(delta: readonly Json[]): WantedRun[] {
  return delta.map((run) => {
    const { insert, attributes = {} } = (isObject(run) ? run : {}) as { insert?: Json; attributes?: Json }
    const isInsert = typeof insert === "string" || isObject(insert)
    if (!isInsert || !isObject(attributes))
      throw new SyncError(
        "patch-failed",
        `a delta is a list of {insert, attributes?}, and ${show(run)} is none`,
      )
    return { insert, attributes }
  })
}

/** Whether a list is a delta and nothing else. */
export function isDelta(value: Json): value is Json[] {
  return Array.isArray(value) && value.every((run) => isObject(run) && Object.hasOwn(run, "insert"))
}

/** Make the characters of a text these; formats and embeds stay with what stays. */
export function writePlain(type: SharedType, text: string, budget: Budget): void {
  const there = charactersOf(listRuns(type, budget))
  for (const { at, remove, insert } of differText(there, text.toWellFormed()).toReversed()) {
    // Inserted first: it takes the formats of what it replaces.
    insertText(type, at + remove, insert)
    deleteText(type, at, remove)
  }
}

/** Make a text these runs. */
export function writeRuns(type: SharedType, runs: readonly WantedRun[], budget: Budget): void {
  const wanted = charactersOf(runs)
  const standing = charactersOf(listRuns(type, budget))
  const edits: Step[] = []
  let [place, next] = [0, 0]
  for (const { at, remove, insert } of differText(standing, wanted)) {
    next += at - place
    edits.push({ retain: at - place }, ...cut(runs, next, next + insert.length), { delete: remove })
    place = at + remove
    next += insert.length
  }
  editDelta(type, edits)
  replaceEmbeds(type, runs, budget)
  editDelta(type, listFormats([...listRuns(type, budget)], runs))
}

function charactersOf(runs: Iterable<{ readonly insert: unknown }>): string {
  let text = ""
  for (const { insert } of runs) text += typeof insert === "string" ? insert.toWellFormed() : EMBED
  return text
}

function lengthOf({ insert }: { readonly insert: unknown }): number {
  return typeof insert === "string" ? insert.length : 1
}

function cut(runs: readonly WantedRun[], from: number, to: number): WantedRun[] {
  const found: WantedRun[] = []
  let place = 0
  for (const run of runs) {
    const end = place + lengthOf(run)
    if (end > from && place < to) {
      const { insert } = run
      const part =
        typeof insert === "string"
          ? insert.slice(Math.max(0, from - place), Math.min(end, to) - place)
          : insert
      found.push({ ...run, insert: part })
    }
    place = end
  }
  return found
}

/** Two embeds look the same where texts are compared. */
function replaceEmbeds(type: SharedType, runs: readonly WantedRun[], budget: Budget): void {
  const embeds = new Map<number, WantedRun>()
  let place = 0
  for (const run of runs) {
    if (typeof run.insert !== "string") embeds.set(place, run)
    place += lengthOf(run)
  }
  place = 0
  for (const run of [...listRuns(type, budget)]) {
    const wanted = embeds.get(place)
    if (wanted !== undefined && !isSameJson(valueToJson(run.insert, budget.ahead()), wanted.insert)) {
      deleteText(type, place, 1)
      insertDelta(type, place, [wanted])
    }
    place += lengthOf(run)
  }
}

/** The formats that differ. The characters are the same by now. */
function listFormats(standing: readonly Run[], runs: readonly WantedRun[]): Step[] {
  const steps: Step[] = []
  let [index, used] = [0, 0]
  for (const wanted of runs) {
    for (let left = lengthOf(wanted); left > 0; ) {
      const run = standing[index]
      if (run === undefined) return steps
      const retain = Math.min(left, lengthOf(run) - used)
      const attributes = changeOf(run.attributes, wanted.attributes)
      steps.push(attributes === null ? { retain } : { retain, attributes })
      left -= retain
      used += retain
      if (used === lengthOf(run)) [index, used] = [index + 1, 0]
    }
  }
  return steps
}

/** What makes some attributes others; null: they are the same. */
function changeOf(
  there: Readonly<Record<string, unknown>>,
  wanted: Readonly<Record<string, unknown>>,
): Record<string, unknown> | null {
  const change: Record<string, unknown> = {}
  for (const key of Object.keys(there)) if (!Object.hasOwn(wanted, key)) change[key] = null
  for (const [key, value] of Object.entries(wanted)) {
    if (!isSameJson(there[key] ?? null, value)) change[key] = value
  }
  return Object.keys(change).length === 0 ? null : change
}
