/** What the server refuses: the reason, and a way on. Also the sign of a miniature that cannot connect. */
import type { Provider } from "../src/client/provider.ts"
import { el } from "./element.ts"
import { openDocument, requestHeaders, requestUrl } from "./page.ts"
import { readable } from "./reason.ts"

/** Close codes that say which way leads on. @source src/errors.ts */
const UNAUTHORIZED = 4401
const FORBIDDEN = 4403
const DELETED = 4404
/** Whoever cannot connect asks why at most this often, ms: a server that is away is not asked at each attempt. */
const ASK_EVERY_MS = 30_000

/** A button of the banner. */
type Way = readonly [label: string, go: () => void]

const RELOAD: Way = ["Reload", () => location.reload()]
const START_ANEW: Way = ["Start a new one", () => openDocument(null)]

/** Show a banner whenever the room refuses this page or a change of it. */
export function showRefusals(provider: Provider): void {
  const banner = el("div", { class: "banner", role: "alert", hidden: true })
  document.body.append(banner)
  let askedAtMs = Number.NEGATIVE_INFINITY

  const show = (sentence: string, ...ways: readonly Way[]): void => {
    const buttons = ways.map(([label, onclick]) => el("button", { type: "button", onclick }, label))
    banner.replaceChildren(el("p", {}, sentence), ...buttons)
    banner.hidden = false
  }
  provider.on("closed", ({ code, reason }) => {
    const closed = `The room is closed to this page: ${reason || `code ${code}`}`
    if (code === DELETED) show("This document was deleted. Nothing more can be written here.", START_ANEW)
    // A new document would be refused for the same reason.
    else if (code === UNAUTHORIZED || code === FORBIDDEN) show(closed, RELOAD)
    else show(closed, RELOAD, START_ANEW)
  })
  provider.on("refused", ({ reason }) => show(`Not taken: ${readable(reason)}`, RELOAD))
  provider.on("sync", (synced) => {
    if (synced) banner.hidden = true
  })
  provider.on("connection-error", async () => {
    if (!navigator.onLine || performance.now() - askedAtMs < ASK_EVERY_MS) return
    askedAtMs = performance.now()
    const reason = await askWhy()
    if (reason !== undefined && !provider.synced) show(`The server says: ${reason}`)
  })
}

/**
 * Why the room is not to be had. A browser tells a page nothing about a WebSocket that was refused at the door, so
 * the same door is tried with a small request.
 * @returns undefined when it is the network that is missing
 */
async function askWhy(): Promise<string | undefined> {
  try {
    const answer = await fetch(`${requestUrl()}/-/status`, { headers: requestHeaders() })
    if (![400, 401, 403, 503].includes(answer.status)) return undefined
    return ((await answer.json()) as { message: string }).message
  } catch {
    return undefined
  }
}
