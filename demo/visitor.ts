/** Who is looking at this page, as others see them: a name, a colour, a country. */
import { madeUpName, pick } from "./made-up.ts"
import { isLocal } from "./page.ts"
import { claims } from "./rights.ts"

/** The visitor, as others see them. */
export interface Visitor {
  readonly name: string
  /** "#rrggbb", dark enough for white text on it. */
  readonly color: string
  /** ISO 3166 two letters, from where the request entered the network; null when nobody knows. */
  readonly country: string | null
}

/** The colours one can be. White text on each has a contrast of at least 4.5 : 1. */
export const COLORS = [
  ["#c2410c", "Rust"],
  ["#dc2626", "Red"],
  ["#be185d", "Pink"],
  ["#9333ea", "Purple"],
  ["#4f46e5", "Indigo"],
  ["#0369a1", "Blue"],
  ["#0f766e", "Teal"],
  ["#15803d", "Green"],
] as const

const watchers = new Set<(visitor: Visitor) => void>()
let visitor: Visitor = {
  name: claims?.name ?? remembered("name", madeUpName),
  color: claims?.color ?? remembered("color", () => pick(COLORS)[0]),
  country: isLocal() ? null : sessionStorage.getItem("country"),
}
void askCountry()

/** Who is looking, now. The object is a new one after every change. */
export function me(): Visitor {
  return visitor
}

/** Change the visitor's name or colour; this browser remembers it. */
export function rename(change: Partial<Pick<Visitor, "name" | "color">>): void {
  for (const [key, value] of Object.entries(change)) localStorage.setItem(key, value)
  become(change)
}

/** Take another name or colour where one of these others has the one that was made up for this visitor. */
export function differFrom(others: readonly Pick<Visitor, "name" | "color">[]): void {
  const names = new Set(others.map(({ name }) => name))
  const colors = new Set(others.map(({ color }) => color))
  if (isMadeUp("name") && names.has(visitor.name)) makeUp({ name: freeName(names) })
  const [free] = COLORS.find(([color]) => !colors.has(color)) ?? []
  if (isMadeUp("color") && colors.has(visitor.color) && free !== undefined) makeUp({ color: free })
}

/** Be told of every change of `me()`. @returns a function that ends it */
export function watchMe(listener: (visitor: Visitor) => void): () => void {
  watchers.add(listener)
  return () => watchers.delete(listener)
}

function become(change: Partial<Visitor>): void {
  visitor = { ...visitor, ...change }
  for (const listener of watchers) listener(visitor)
}

function makeUp(change: Partial<Pick<Visitor, "name" | "color">>): void {
  for (const [key, value] of Object.entries(change)) sessionStorage.setItem(key, value)
  become(change)
}

function isMadeUp(key: "name" | "color"): boolean {
  return claims?.[key] === undefined && localStorage.getItem(key) === null
}

function freeName(taken: ReadonlySet<string>): string {
  let name = madeUpName()
  for (let number = 2; taken.has(name); number++) name = `${madeUpName()} ${number}`
  return name
}

/** A chosen value is the browser's; a made-up one the tab's, so that two tabs are two people until someone says who they are. */
function remembered(key: string, makeUp: () => string): string {
  const known = localStorage.getItem(key) ?? sessionStorage.getItem(key)
  if (known !== null) return known
  const made = makeUp()
  sessionStorage.setItem(key, made)
  return made
}

async function askCountry(): Promise<void> {
  // `wrangler dev` says that everyone is in the United States.
  if (isLocal()) return
  try {
    const answer = await fetch("/where")
    if (!answer.ok || !answer.headers.get("content-type")?.includes("json")) return
    const { country } = (await answer.json()) as { country: string | null }
    if (country === null) return
    sessionStorage.setItem("country", country)
    become({ country })
  } catch {
    // Offline: the flag of the last visit stays, or there is none.
  }
}
