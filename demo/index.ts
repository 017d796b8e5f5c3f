/**
 * The start page. Its miniatures are the pages themselves, and get the page's token. Where the server asks for a
 * token and the page has none, it says how to make one, in place of pages that are all refused.
 */
import { addressOf, listEntries } from "./document-list.ts"
import { find } from "./element.ts"
import { knownDocuments, watchKnownDocuments } from "./known-documents.ts"
import { isLocal, page } from "./page.ts"
import { snippet } from "./snippet.ts"

/** As many of one's documents are on the start page; all of them are in documents.html. */
const RECENT = 4

// A server on this machine lets nobody else in, a phone in the same network included.
find("elsewhere").hidden = isLocal()
// A guest's token is found by each page, so that addresses can be passed on without it.
if (page.token !== undefined && !page.isGuest) passOn(page.token)
else if (!page.isGuest && (await asksForToken())) explain()
showMiniatures()

showRecent()
watchKnownDocuments(showRecent)

/** What was open here last. The documents of this page itself are in view already. */
function showRecent(): void {
  const own = knownDocuments().filter(({ id }) => !id.startsWith("hello-"))
  const entries = own.map(({ page, id, name, kind, at }) => ({
    href: addressOf(page, id),
    name: name || id,
    kind,
    id,
    at,
  }))
  find("recent").replaceChildren(...listEntries(entries.slice(0, RECENT)))
  find("all").replaceChildren(own.length > RECENT ? `Your ${own.length} documents` : "Your documents")
  find("yours").hidden = own.length === 0
}

function passOn(token: string): void {
  for (const frame of document.querySelectorAll("iframe"))
    frame.dataset.page = withToken(new URL(frame.dataset.page!, location.href).href, token)
  for (const link of document.querySelectorAll<HTMLAnchorElement>(
    "#minis a, #all, footer a[href^=documents]",
  ))
    link.href = withToken(link.href, token)
}

/**
 * Load the miniatures, once their addresses have the token: a frame that has begun to load, and is given an address
 * that differs in the hash alone, may stay with the first.
 */
function showMiniatures(): void {
  for (const frame of document.querySelectorAll("iframe")) frame.src = frame.dataset.page!
}

function withToken(address: string, token: string): string {
  const url = new URL(address)
  url.hash = new URLSearchParams({ token }).toString()
  return url.href
}

/** The list of documents is there for whoever needs no token. */
async function asksForToken(): Promise<boolean> {
  try {
    return [401, 503].includes((await fetch("/docs?limit=1")).status)
  } catch {
    // Offline: the miniatures show what this browser has kept.
    return false
  }
}

function explain(): void {
  find("minis").remove()
  find("lead").remove()
  find("mint").append(
    snippet("npm run token -- --doc '*' --doc '/counter/*' --doc '/cart/*'", "Copy the command"),
  )
  find("address").textContent = `${location.origin}/#token=…`
  find("locked").hidden = false
}
