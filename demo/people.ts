/** Presence as the pages show it, whichever editor binding wrote the awareness states. */
import type { Awareness } from "y-protocols/awareness"
import type { Visitor } from "./visitor.ts"

/** One connected visitor. */
export interface Person extends Visitor {
  readonly clientId: number
  readonly isMe: boolean
}

const COLOR = /^#[0-9a-f]{6}$/i
const COUNTRY = /^[A-Z]{2}$/

/** Everyone who says who they are, the visitor first. Values from others are checked, because they go into the page's styles. */
export function listPeople(awareness: Awareness): Person[] {
  const people: Person[] = []
  for (const [clientId, state] of awareness.getStates()) {
    const visitor = readVisitor(state)
    if (visitor !== undefined) people.push({ ...visitor, clientId, isMe: clientId === awareness.clientID })
  }
  return people.sort((a, b) => Number(b.isMe) - Number(a.isMe) || a.clientId - b.clientId)
}

/**
 * Most bindings keep `{user: {name, color}}`; Lexical keeps `{name, color, awarenessData}`.
 * @returns undefined where a state names nobody
 */
export function readVisitor(state: Record<string, unknown>): Visitor | undefined {
  const user = (isRecord(state.user) ? state.user : state) as Record<string, unknown>
  const extra = isRecord(state.awarenessData) ? state.awarenessData : user
  if (typeof user.name !== "string") return undefined
  return {
    name: user.name.slice(0, 40),
    color: typeof user.color === "string" && COLOR.test(user.color) ? user.color : "#57534e",
    country: typeof extra.country === "string" && COUNTRY.test(extra.country) ? extra.country : null,
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null
}
