/**
 * The log of a server of one's own: a line of JSON an event, with the document's id, so that it can be searched and
 * counted without parsing sentences.
 */
import type { RoomEvent } from "../room/events.ts"

/** How much an event matters; "debug" is what happens all the time. */
type Level = "debug" | "info" | "warn" | "error"

const LEVELS: { readonly [Type in RoomEvent["type"]]: Level } = {
  joined: "debug",
  left: "debug",
  committed: "debug",
  compacted: "debug",
  versioned: "debug",
  "past-moved": "debug",
  hydrated: "debug",
  archived: "debug",
  merged: "info",
  recovered: "info",
  deleted: "info",
  retired: "info",
  refused: "warn",
  dropped: "warn",
  conflict: "warn",
  "archive-failed": "warn",
  "commit-failed": "error",
  quarantined: "error",
  "past-damaged": "error",
  unapplied: "error",
  "clocks-lost": "error",
  "chore-failed": "error",
}

const RANKS: Readonly<Record<Level, number>> = { debug: 0, info: 1, warn: 2, error: 3 }

/**
 * One event as a line of JSON.
 * @param least what matters less is left out
 * @returns null where it is left out
 */
export function logLine(document: string, event: RoomEvent, least: string): string | null {
  const isFault = event.type === "refused" && event.code === "internal"
  const level = isFault ? "error" : LEVELS[event.type]
  const floor = Object.hasOwn(RANKS, least) ? RANKS[least as Level] : RANKS.info
  if (RANKS[level] < floor) return null
  const { type, ...values } = event
  const cause = "cause" in values ? { cause: describe(values.cause) } : {}
  return JSON.stringify({ time: new Date().toISOString(), level, event: type, document, ...values, ...cause })
}

/** A cause for the log: with its stack, and what caused it. */
function describe(cause: unknown): string | undefined {
  if (cause === undefined) return undefined
  if (!(cause instanceof Error)) return String(cause)
  const deeper = cause.cause === undefined ? "" : ` [${describe(cause.cause)}]`
  return `${cause.stack ?? cause}${deeper}`
}
