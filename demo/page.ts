/**
 * What every demo page knows before it connects: which document, with which rights, and who is looking.
 *
 *     ?doc=team/plan   the document; made up and put into the address when it is missing
 *     ?mini=1          a miniature: the page without its header
 *     #token=…         a token for servers that ask for one (in the query it works too, but lands in logs)
 */

import type { Provider } from "../src/client/provider.ts"
import { keepOffline } from "./offline.ts"

/** The visitor, as others see them. */
export interface Visitor {
  readonly name: string
  /** "#rrggbb", dark enough for white text on it. */
  readonly color: string
  /** ISO 3166 two letters, from where the request entered the network; null when nobody knows. */
  readonly country: string | null
}

/** The part of a token's claims that a page shows. Only the server verifies them. */
interface Claims {
  readonly sub?: string
  readonly name?: string
  readonly color?: string
  readonly docs?: readonly { readonly id: string; readonly rights: "read" | "write" }[]
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

const MOODS = "Calm Brisk Kind Bold Quiet Sunny Clever Gentle Lucky Merry Swift Patient".split(" ")
const ANIMALS = "Otter Yak Heron Lynx Marmot Falcon Badger Ibex Hare Crane Fox Camel".split(" ")

const query = new URLSearchParams(location.search)
const token = new URLSearchParams(location.hash.slice(1)).get("token") ?? query.get("token") ?? undefined
const claims = token === undefined ? undefined : readClaims(token)

let docId = query.get("doc") || null

/** What the address says. */
export const page = {
  /** The document the address asks for, if it does. */
  asked: docId,
  /** The document of this page; one is made up when it is first asked for and the address has none. */
  get docId(): string {
    return docId ?? startDocument(madeUpId())
  },
  /** Shown small, without its header. */
  mini: query.has("mini"),
  token,
  /** The subject of the token; undefined where there is no token. */
  subject: claims?.sub,
}

document.documentElement.toggleAttribute("data-mini", page.mini)
if (!page.mini) keepOffline()

/** The same server, as a WebSocket address: `roomsUrl("docs")` → `ws://localhost:8787/docs`. */
export function roomsUrl(path: string): string {
  return new URL(path, location.href.replace(/^http/, "ws")).href.replace(/[?#].*$/, "")
}

/** The HTTP address of a room, for requests beside the socket. */
export function requestUrl(path: string, id: string = page.docId): string {
  return new URL(`${path}/${encodeURIComponent(id)}`, location.origin).href
}

/** The headers of such a request: the token, where there is one. */
export function requestHeaders(): Record<string, string> {
  return page.token === undefined ? {} : { authorization: `Bearer ${page.token}` }
}

/**
 * Be told whether this page may only read: at once by what the token says, and again by what the room says.
 * The server decides; a page only shows it.
 */
export function watchRights(provider: Provider, listener: (readOnly: boolean) => void): void {
  listener(isReadOnly())
  provider.on("read-only", (readOnly) => listener(readOnly || isReadOnly()))
}

/** Whether the token only lets one read this document. */
export function isReadOnly(): boolean {
  if (claims?.docs === undefined) return false
  const { docId } = page
  const entries = claims.docs.filter(({ id }) =>
    id.endsWith("*") ? docId.startsWith(id.slice(0, -1)) : id === docId,
  )
  return !entries.some(({ rights }) => rights === "write")
}

/** Say which document this page is about, before it connects; the address then says so too. @returns the id */
export function startDocument(id: string): string {
  docId = id
  history.replaceState(null, "", addressOf(id))
  return id
}

/** Go to another document of the same kind, or with null to the page as it is without one. */
export function openDocument(id: string | null): void {
  location.assign(addressOf(id))
}

function addressOf(id: string | null): URL {
  const address = new URL(location.href)
  if (id === null) address.searchParams.delete("doc")
  else address.searchParams.set("doc", id)
  return address
}

// ---- the visitor

const watchers = new Set<(visitor: Visitor) => void>()
let visitor: Visitor = {
  name: claims?.name ?? remembered("name", () => `${pick(MOODS)} ${pick(ANIMALS)}`),
  color: claims?.color ?? remembered("color", () => pick(COLORS)[0]),
  country: sessionStorage.getItem("country"),
}
void askCountry()

/** Who is looking, now. The object is a new one after every change. */
export function me(): Visitor {
  return visitor
}

/** Change one's name or colour; this browser remembers it. */
export function rename(change: Partial<Pick<Visitor, "name" | "color">>): void {
  for (const [key, value] of Object.entries(change)) localStorage.setItem(key, value)
  become(change)
}

/** Take another colour if others have the one that was made up for this visitor. */
export function avoidColors(taken: ReadonlySet<string>): void {
  const chosen = claims?.color ?? localStorage.getItem("color")
  const [free] = COLORS.find(([color]) => !taken.has(color)) ?? []
  if (chosen !== null || free === undefined || !taken.has(visitor.color)) return
  sessionStorage.setItem("color", free)
  become({ color: free })
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

/** A chosen value is the browser's; a made-up one the tab's, so that two tabs are two people until someone says who they are. */
function remembered(key: string, makeUp: () => string): string {
  const known = localStorage.getItem(key) ?? sessionStorage.getItem(key)
  if (known !== null) return known
  const made = makeUp()
  sessionStorage.setItem(key, made)
  return made
}

async function askCountry(): Promise<void> {
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

// ---- names

function madeUpId(): string {
  return `${pick(MOODS)}-${pick(ANIMALS)}-${randomText(5)}`.toLowerCase()
}

function pick<Item>(items: readonly Item[]): Item {
  return items[crypto.getRandomValues(new Uint32Array(1))[0]! % items.length]!
}

function randomText(length: number): string {
  const letters = "23456789abcdefghjkmnpqrstuvwxyz"
  return Array.from(
    crypto.getRandomValues(new Uint8Array(length)),
    (byte) => letters[byte % letters.length],
  ).join("")
}

function readClaims(jwt: string): Claims | undefined {
  try {
    const body = jwt.split(".")[1]!.replaceAll("-", "+").replaceAll("_", "/")
    return JSON.parse(
      new TextDecoder().decode(Uint8Array.from(atob(body), (char) => char.charCodeAt(0))),
    ) as Claims
  } catch {
    // Not a JWT: the server will say so, and the header shows its answer.
    return undefined
  }
}
