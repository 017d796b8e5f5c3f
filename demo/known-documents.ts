/**
 * The documents somebody has had open in this browser, with their names, newest first. A name is what the document itself says
 * first, so it follows when somebody rewrites it. Kept in this browser alone, without tokens.
 */
import type { Provider } from "../src/client/provider.ts"
import { find } from "./element.ts"
import { page } from "./page.ts"

/** A document that was open here. */
export interface KnownDocument {
  /** Which page shows it: "kanban" for kanban.html. */
  readonly page: string
  /** What that page is called: "Cards". */
  readonly kind: string
  readonly id: string
  /** What the document calls itself; "" where it has no words. */
  readonly name: string
  /** When it was last open or changed while it was, ms since 1970. */
  readonly at: number
}

const KEPT = "documents"
/** As many are remembered. */
const MOST = 200
/** Longer names are cut. */
const NAME_CHARACTERS = 80
/** A name is read when nothing has changed for so long, ms. */
const READ_AFTER_MS = 250
/** @source src/errors.ts */
const DELETED = 4404

/** Newest first. */
export function knownDocuments(): readonly KnownDocument[] {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(KEPT) ?? "[]")
    return Array.isArray(kept) ? kept.filter(isKnown) : []
  } catch {
    // Written by somebody else: the list begins anew.
    return []
  }
}

/** Forget a document; the document itself stays where it is. */
export function forget(document: Pick<KnownDocument, "page" | "id">): void {
  keep(knownDocuments().filter((known) => !isSame(known, document)))
}

/** Be told when another page of this browser has changed the list. */
export function watchKnownDocuments(listener: () => void): void {
  addEventListener("storage", ({ key }) => {
    if (key === KEPT) listener()
  })
}

/**
 * Keep this page's document in the list, once there is anything in it, and its name true, in the header too.
 *
 * @param options.kind what the page is called
 * @param options.name what the document says first; default: it has no name, and goes by its id
 */
export function keepInList(
  provider: Provider,
  options: { kind: string; name?: (() => string) | undefined },
): void {
  if (page.mini) return
  const { kind, name: readName = () => "" } = options
  const self = { page: location.pathname.replace(/^\/|\.html$/g, ""), id: page.docId }
  let later: ReturnType<typeof setTimeout> | undefined
  const read = (): void => {
    if (provider.doc.store.clients.size === 0 || provider.closed !== null) return
    const name = cut(readName())
    show(name || page.docId, kind)
    const others = knownDocuments().filter((known) => !isSame(known, self))
    keep([{ ...self, kind, name, at: Date.now() }, ...others].slice(0, MOST))
  }
  provider.doc.on("update", () => {
    clearTimeout(later)
    later = setTimeout(read, READ_AFTER_MS)
  })
  provider.on("closed", ({ code }) => {
    if (code === DELETED) forget(self)
  })
  read()
}

function show(name: string, kind: string): void {
  document.title = `${name} · ${kind} · Yurt`
  find("bar").querySelector(".where .name")?.replaceChildren(name)
}

function keep(documents: readonly KnownDocument[]): void {
  localStorage.setItem(KEPT, JSON.stringify(documents))
}

function isSame(a: Pick<KnownDocument, "page" | "id">, b: Pick<KnownDocument, "page" | "id">): boolean {
  return a.page === b.page && a.id === b.id
}

/** One line, cut between two letters as people count them. */
function cut(name: string): string {
  const line = name.replaceAll(/\s+/g, " ").trim()
  if (line.length <= NAME_CHARACTERS) return line
  let end = 0
  for (const { index } of new Intl.Segmenter().segment(line)) if (index < NAME_CHARACTERS) end = index
  return `${line.slice(0, end)}…`
}

function isKnown(value: unknown): value is KnownDocument {
  if (typeof value !== "object" || value === null) return false
  const { page, kind, id, name, at } = value as Record<string, unknown>
  const areTexts = [page, kind, id, name].every((text) => typeof text === "string")
  return areTexts && typeof at === "number" && /^[a-z][a-z-]*$/.test(page as string)
}
