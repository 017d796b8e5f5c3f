/** A number that lives in a room. The room counts (counter-room.ts); the page only shows it. */
import * as Y from "yjs"
import { indexedDb } from "../src/client/offline.ts"
import { Provider } from "../src/client/provider.ts"
import source from "./counter-room.ts?raw"
import { find } from "./element.ts"
import { showHeader } from "./header.ts"
import { page, requestHeaders, requestUrl, roomsUrl } from "./page.ts"
import { snippet } from "./snippet.ts"

const doc = new Y.Doc()
const counter = doc.getMap<number>("counter")
const provider = new Provider(roomsUrl("/parties/counter"), page.docId, doc, {
  token: page.token,
  offline: indexedDb,
})

const show = (): void => find("number").replaceChildren((counter.get("n") ?? 0).toLocaleString("en"))
counter.observe(show)
provider.on("sync", show)

const address = requestUrl("/parties/counter")
const problem = find("problem")
find("raise").addEventListener("click", async () => {
  try {
    const answer = await fetch(address, { method: "POST", headers: requestHeaders() })
    if (!answer.ok) throw new Error(((await answer.json()) as { message: string }).message)
    problem.hidden = true
  } catch (error) {
    // What `fetch` throws says nothing to a visitor.
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
