/** A number that lives in a room. The room counts (counter-room.ts); the page only shows it. */
import * as Y from "yjs"
import { indexedDb } from "../src/client/offline.ts"
import { Provider } from "../src/client/provider.ts"
import source from "./counter-room.ts?raw"
import { find } from "./element.ts"
import { showHeader } from "./header.ts"
import { page, requestHeaders, requestUrl, roomsUrl } from "./page.ts"
import { watchRights } from "./rights.ts"
import { snippet } from "./snippet.ts"

const doc = new Y.Doc()
const counter = doc.getMap<number>("counter")
const provider = new Provider(roomsUrl(), page.docId, doc, {
  token: page.token,
  offline: indexedDb,
})

const number = find("number")
const show = (): void => {
  const figures = (counter.get("n") ?? 0).toLocaleString("en")
  number.replaceChildren(figures)
  // counter.css divides the width by the number of figures, so that a long number fits.
  number.style.setProperty("--figures", String(figures.length))
}
counter.observe(show)

const address = requestUrl()
const problem = find("problem")
provider.on("sync", (synced) => {
  show()
  if (synced) problem.hidden = true
})
watchRights(provider, (readOnly) => {
  find<HTMLButtonElement>("raise").disabled = readOnly
})
find("raise").addEventListener("click", async () => {
  try {
    const answer = await fetch(address, { method: "POST", headers: requestHeaders() })
    if (!answer.ok) throw new Error(((await answer.json()) as { message: string }).message)
    problem.hidden = true
  } catch (error) {
    // The message of an error that `fetch` throws means nothing to a visitor.
    const unreachable = "The server cannot be reached, and it is the one that counts."
    problem.replaceChildren(
      error instanceof TypeError || !(error instanceof Error) ? unreachable : error.message,
    )
    problem.hidden = false
  }
})

const bearer = page.token === undefined ? "" : ` -H "Authorization: Bearer $TOKEN"`
find("curl").append(snippet(`curl -X POST${bearer} ${address}`, "Copy the command"))
find("source").append(snippet(source.trim(), "Copy the server’s source"))
showHeader(provider, { title: "Counter" })
