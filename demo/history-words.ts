/** How the history names people and times, and in which colours. */
import type { Who } from "../src/client/provider.ts"
import type { Person } from "./people.ts"
import { COLORS } from "./visitor.ts"

/** What somebody is called. */
export function nameOf(who: Who | null): string {
  if (who === null) return "Someone"
  const name = who.name ?? who.subject
  return who.agent ?? name ?? (who.via === "server" ? "The server" : "Someone")
}

/** The colour that somebody has here; of those who are away one that is always the same. */
export function colorOf(who: Who | null, people: readonly Person[]): string {
  const present = people.find(({ name }) => name === who?.name)
  if (present !== undefined) return present.color
  const key = who?.subject ?? who?.via ?? ""
  let hash = 0
  for (const character of key) hash = (hash * 31 + (character.codePointAt(0) ?? 0)) >>> 0
  return COLORS[hash % COLORS.length]![0]
}

/** A time as people say it: of today without the day. */
export function timeOf(at: string): string {
  const time = new Date(at)
  const isToday = time.toDateString() === new Date().toDateString()
  return time.toLocaleString(
    "en",
    isToday ? { timeStyle: "medium" } : { dateStyle: "medium", timeStyle: "short" },
  )
}
