/** The list of one's documents: those that were open in this browser, and the others that the server lists for this token. */
import { addressOf, type Entry, listEntries } from "./document-list.ts"
import { el, find } from "./element.ts"
import { forget, knownDocuments, watchKnownDocuments } from "./known-documents.ts"
import source from "./known-documents.ts?raw"
import { page, requestHeaders } from "./page.ts"
import { snippet } from "./snippet.ts"

/** A page of the server's list. @source docs/rest.md */
interface Listing {
  readonly documents: readonly { readonly id: string; readonly updatedAt: string }[]
  readonly cursor: string | null
}

/** Which page shows a document that has this root. */
const PAGES_BY_ROOT = [
  ["cards", "kanban"],
  ["columns", "kanban"],
  ["strokes", "draw"],
  ["things", "draw"],
  ["root", "rich"],
  ["default", "tiptap"],
  ["document-store", "blocknote"],
] as const
/** Pages of parties. */
const PARTIES: readonly string[] = ["counter", "cart"]
const PAGE_ENTRIES = 50

const field = find<HTMLInputElement>("find")
const listed: Entry[] = []
let cursor: string | null = null

const show = (): void => {
  const words = field.value.trim().toLowerCase()
  const matches = ({ name, id }: Pick<Entry, "name" | "id">): boolean =>
    `${name} ${id}`.toLowerCase().includes(words)
  const known = knownDocuments()
  const here = known.map(
    ({ page, id, name, kind, at }): Entry => ({
      href: addressOf(page, id),
      name: name || id,
      kind,
      id,
      at,
      forget: () => {
        forget({ page, id })
        show()
      },
    }),
  )
  const knownNames = new Set(known.map(({ page, id }) => (PARTIES.includes(page) ? `/${page}/${id}` : id)))
  const there = listed.filter(({ id }) => !knownNames.has(id))
  for (const [list, entries, nothing] of [
    ["here", here, "Nothing yet. What you open and write in is listed here, and only you see the list."],
    ["there", there, "Nothing else."],
  ] as const) {
    const found = listEntries(entries.filter(matches))
    const none = entries.length > 0 && words !== "" ? `Nothing is called “${field.value.trim()}”.` : nothing
    find(list).replaceChildren(...(found.length > 0 ? found : [el("li", { class: "none" }, none)]))
  }
}

/** The next page of the server's list. Who may not list sees no list. */
async function ask(): Promise<void> {
  const after = cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`
  try {
    const answer = await fetch(`/docs?limit=${PAGE_ENTRIES}${after}`, { headers: requestHeaders() })
    if (!answer.ok) return
    const listing = (await answer.json()) as Listing
    cursor = listing.cursor
    for (const { id, updatedAt } of listing.documents) listed.push(entryOf(id, Date.parse(updatedAt)))
    find("server").hidden = false
    find("more").hidden = cursor === null
    show()
  } catch {
    // Offline: there is only what this browser knows.
  }
}

function entryOf(id: string, at: number): Entry {
  const [, party, own] = /^\/([^/]+)\/(.*)$/s.exec(id) ?? []
  if (party === undefined || own === undefined) {
    // The address is one that leads on: it can be copied, and opened in another tab.
    const address = new URL(location.href)
    address.search = new URLSearchParams({ open: id }).toString()
    return { href: address.href, name: id, kind: null, id, at }
  }
  const kind = PARTIES.includes(party) ? party.replace(/^./, (letter) => letter.toUpperCase()) : party
  return { href: addressOf(party, own), name: own, kind, id, at }
}

/** Nothing but its content says what a document is, so whoever opens one has a look. */
async function pageOf(id: string): Promise<string> {
  const path = id.split("/").map(encodeURIComponent).join("/")
  const answer = await fetch(`/docs/${path}?format=json`, { headers: requestHeaders() })
  if (!answer.ok) return "text"
  const roots = (await answer.json()) as Record<string, unknown>
  return PAGES_BY_ROOT.find(([root]) => root in roots)?.[1] ?? "text"
}

/** `?open=notes` leads to the page of that document. */
async function lead(id: string): Promise<void> {
  location.replace(addressOf(await pageOf(id).catch(() => "text"), id))
}

const wanted = new URLSearchParams(location.search).get("open")
if (wanted !== null) void lead(wanted)
field.addEventListener("input", show)
find("more").addEventListener("click", () => void ask())
watchKnownDocuments(show)
find("source").append(snippet(source.trim(), "Copy the source"))
show()
// A guest's token lists nothing.
if (!page.isGuest) void ask()
