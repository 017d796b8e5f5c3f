/**
 * An agent that is invited: a button among those who are here, and behind it a command that brings Scribe
 * (examples/agent), and a link for every agent that speaks MCP.
 */
import type { Provider } from "../src/client/provider.ts"
import { el } from "./element.ts"
import { page, requestHeaders, requestUrl, roomName } from "./page.ts"
import { claims, watchRights } from "./rights.ts"
import { snippet } from "./snippet.ts"

const NAME = "Scribe"

/** Put the button into the panel of who is here. Who may not write here invites nobody who does. */
export function showInvitation(provider: Provider): void {
  const people = document.getElementById("people")
  if (people === null) return
  const content = el("div", { class: "invitation" })
  const panel = el(
    "div",
    { id: "invitation", class: "panel wide", popover: "auto", role: "dialog", "aria-labelledby": "invite" },
    el("h2", { id: "invite" }, "Invite an agent"),
    content,
  )
  document.body.append(panel)
  const open = async (): Promise<void> => {
    people.hidePopover()
    content.replaceChildren(...describe(await readToken()))
    panel.showPopover()
  }
  const button = el(
    "button",
    { type: "button", class: "invite", onclick: () => void open() },
    "Invite an agent",
  )
  people.append(button)
  watchRights(provider, (readOnly) => {
    button.hidden = readOnly
  })
}

/** How an agent gets in: a token as the command has it, and as the link has it. */
interface Way {
  readonly argument: string
  readonly query: string
  readonly note: string
}

/** A guest's agent gets a token of its own; who has a server gets the command that makes one. */
async function readToken(): Promise<Way> {
  if (page.token === undefined) return { argument: "", query: "", note: "" }
  if (page.isGuest) {
    const query = new URLSearchParams({ agent: NAME, doc: roomName() })
    const answer = await fetch(`/guest?${query}`, { headers: requestHeaders() })
    const token = answer.ok ? await answer.text() : ""
    const note = "Both are good for an hour, and for this document alone. Whoever has them can write here."
    return { argument: ` ${token}`, query: `?token=${token}`, note }
  }
  const whom = claims?.sub === undefined ? "" : ` --sub ${quote(claims.sub)} --for ${quote(claims.sub)}`
  const command = `npm run -s token -- --agent ${NAME}${whom} --doc ${quote(roomName())} --hours 1`
  const note =
    "The command makes a token where your server\u2019s key is. An agent that takes the link needs one as well."
  return { argument: ` "$(${command})"`, query: "", note }
}

function describe({ argument, query, note }: Way): HTMLElement[] {
  const url = requestUrl()
  const scribe = `curl -s ${quote(`${location.origin}/scribe.js`)} | node --input-type=module - ${quote(url)}${argument}`
  return [
    el(
      "p",
      {},
      `${NAME} works by rule, without a model: it mends quotes and double blanks, keeps a line \u201cContents:\u201d right, and ` +
        "answers \u201c@scribe summarise\u201d where it stands. In a terminal with Node:",
    ),
    snippet(scribe, "Copy the command"),
    el("p", {}, "Or give an agent of yours this link. It speaks MCP, and is shown here with a caret:"),
    snippet(`${url}/-/mcp${query}`, "Copy the link"),
    ...(note === "" ? [] : [el("p", { class: "note" }, note)]),
  ]
}

/** As a shell takes it, whatever is in it. */
function quote(text: string): string {
  return /^[\w:/.@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}
