/**
 * What the address of a page says: which document it shows, in which room, how large, and with which token.
 *
 *     ?doc=team/plan   the document; made up and put into the address when it is missing
 *     ?mini=1          a miniature: the page without its header
 *     #token=…         a token for servers that ask for one (in the query it works too, but lands in logs). Without one,
 *                      a deployment that is open to guests has one for them (guest.ts)
 *
 * Whose room answers is the page's own affair: `<html data-party="cart">` is a page of the party "cart".
 */

import { guestToken } from "./guest.ts"
import { madeUpName } from "./made-up.ts"
import { keepOffline } from "./offline.ts"

const query = new URLSearchParams(location.search)
const addressed = new URLSearchParams(location.hash.slice(1)).get("token") ?? query.get("token") ?? undefined
const guest = addressed === undefined && !isLocal() ? await guestToken() : undefined
let docId = readId(query.get("doc"))

/** What the address says. */
export const page = {
  /** The document the address named when the page was opened; null where it named none. */
  asked: docId,
  /** The document of this page; its id is made up when it is first read and the address has none. */
  get docId(): string {
    const start = guest === undefined ? "" : "demo-"
    return docId ?? startDocument(start + madeUpName("-", 5).toLowerCase())
  },
  /** The party of this page's rooms; null for the default one. */
  party: document.documentElement.dataset.party ?? null,
  /** Shown small, without its header. */
  mini: query.has("mini"),
  /** The token as the address has it, else that of a guest; undefined where there is none. */
  token: addressed ?? guest,
  /** The token is one that this deployment has for strangers. */
  isGuest: guest !== undefined,
}

document.documentElement.toggleAttribute("data-mini", page.mini)
if (!page.mini) keepOffline()
// A link with another token differs in the hash alone, for which a browser loads nothing.
addEventListener("hashchange", () => location.reload())

/** Where this page's rooms are, as a WebSocket address: `ws://localhost:8787/docs`. */
export function roomsUrl(): string {
  return new URL(roomsPath(), location.origin).href.replace(/^http/, "ws")
}

/** The HTTP address of this page's document, for requests beside the socket. A slash in the id stays one. */
export function requestUrl(): string {
  return new URL(`${roomsPath()}/${page.docId.split("/").map(encodeURIComponent).join("/")}`, location.origin)
    .href
}

/** The headers of such a request: the token, where there is one. */
export function requestHeaders(): Record<string, string> {
  return page.token === undefined ? {} : { authorization: `Bearer ${page.token}` }
}

/** The document's name in a token: the plain id in the default party, `/{party}/{id}` in any other. */
export function roomName(): string {
  return page.party === null ? page.docId : `/${page.party}/${page.docId}`
}

/** Whether the server is this very machine. */
export function isLocal(): boolean {
  return /^(localhost|127\..*|\[::1\])$/.test(location.hostname)
}

/** Decide the document of this page, before it connects, and put it into the address. @returns the id */
export function startDocument(id: string): string {
  docId = id
  history.replaceState(null, "", addressOf(id))
  return id
}

/** Go to another document of the same kind; null opens a new one. */
export function openDocument(id: string | null): void {
  location.assign(addressOf(id))
}

function roomsPath(): string {
  return page.party === null ? "/docs" : `/parties/${page.party}`
}

function addressOf(id: string | null): URL {
  const address = new URL(location.href)
  if (id === null) address.searchParams.delete("doc")
  else address.searchParams.set("doc", id)
  return address
}

/**
 * The id the address asks for. URLs swallow the segments `.` and `..`, so an id that has one would name another
 * address than the one it was meant for: it counts as none. All other rules for ids are the server's to tell.
 */
function readId(asked: string | null): string | null {
  const isSwallowed = asked?.split("/").some((segment) => segment === "." || segment === "..")
  return asked === "" || isSwallowed ? null : asked
}
