import { afterEach, expect, it } from "vitest"
import * as Y from "yjs"
import { Provider, type ProviderOptions } from "../../src/client/provider.ts"
import { openRelay, type Relay } from "./relay.ts"

const running: { destroy(): unknown }[] = []

afterEach(async () => {
  for (const one of running.splice(0).reverse()) await one.destroy()
})

async function relay(): Promise<Relay> {
  const opened = await openRelay()
  running.push({ destroy: () => opened.stop() })
  return opened
}

/** A page of its own: no other tab of the same browser. */
function open({ url }: Relay, options: ProviderOptions = {}, doc = new Y.Doc()): Provider {
  const provider = new Provider(url, "notes", doc, { disableBc: true, maxBackoffTime: 50, ...options })
  running.push(provider)
  return provider
}

it("syncs", async () => {
  const server = await relay()
  const a = open(server)
  const b = open(server)
  a.doc.getText("t").insert(0, "hello")
  await a.whenSaved()
  await expect.poll(() => b.doc.getText("t").toString()).toBe("hello")
  a.awareness.setLocalState({ name: "A" })
  await expect.poll(() => b.awareness.getStates().get(a.awareness.clientID)).toEqual({ name: "A" })
  expect(a.hasUnsavedChanges).toBe(false)
  a.doc.getText("t").insert(0, "hello")
  await server.crash()
  a.doc.getText("t").insert(0, "offline ")
  expect(a.hasUnsavedChanges).toBe(true)
  await server.listen()
  await a.whenSaved()
  expect(server.disk("notes").getText("t").toString()).toBe("offline hellohello")
  await expect.poll(() => b.doc.getText("t").toString()).toBe("offline hellohello")
  await expect.poll(() => b.awareness.getStates().get(a.awareness.clientID)).toEqual({ name: "A" })
})
