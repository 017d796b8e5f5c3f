// @vitest-environment happy-dom
/** The provider in a page: what the window tells it, and the React hook. */
import { StrictMode } from "react"
import { createRoot } from "react-dom/client"
import { afterEach, expect, it } from "vitest"
import { WebSocket } from "ws"
import * as Y from "yjs"
import { indexedDb } from "../../../src/client/offline.ts"
import { Provider, type ProviderOptions } from "../../../src/client/provider.ts"
import { type ProviderState, useProvider } from "../../../src/client/react.ts"
import { PING } from "../../../src/wire/y-websocket.ts"
import { openRelay, type Relay } from "../../kit/relay.ts"

const running: { destroy(): unknown }[] = []

afterEach(async () => {
  for (const one of running.splice(0).reverse()) await one.destroy()
})

const inNode = { WebSocketPolyfill: WebSocket, disableBc: true }

async function relay(): Promise<Relay> {
  const opened = await openRelay()
  running.push({ destroy: () => opened.stop() })
  return opened
}

function open({ url }: Relay, options: ProviderOptions = {}): Provider {
  const provider = new Provider(url, "notes", new Y.Doc(), { ...inNode, ...options })
  running.push(provider)
  return provider
}

const synced = (provider: Provider) => expect.poll(() => provider.synced).toBe(true)

it("[C3] retries at once when the browser is back online, or the page is seen again", async () => {
  for (const comeBack of [
    () => window.dispatchEvent(new Event("online")),
    () => document.dispatchEvent(new Event("visibilitychange")),
  ]) {
    const server = await relay()
    const page = open(server, { maxBackoffTime: 3_600_000 })
    await synced(page)
    await server.stop()
    await expect.poll(() => page.status).toBe("disconnected")
    // It now waits longer and longer; with each return it tries at once.
    for (let tries = 0; tries < 12; tries++) {
      await expect.poll(() => page.status).toBe("disconnected")
      const attempt = new Promise((resolve) => page.once("connection-close", resolve))
      comeBack()
      await attempt
    }
    await server.listen()
    comeBack()
    await synced(page)
  }
})

it("[C3] asks an open socket for a sign of life when the browser is back online", async () => {
  const server = await relay()
  const page = open(server)
  await synced(page)
  window.dispatchEvent(new Event("online"))
  await expect.poll(() => server.received.at(-1)).toEqual({ type: "text", text: PING })
  expect([page.status, server.attempts.length]).toEqual(["connected", 1])
})

it("[C1] asks before a page with unsaved changes is left, where that is switched on", async () => {
  const server = await relay()
  const [guarded, other] = [open(server, { guardUnload: true }), open(server)]
  await Promise.all([synced(guarded), synced(other)])
  const leave = () => {
    const event = new Event("beforeunload", { cancelable: true })
    window.dispatchEvent(event)
    return !event.defaultPrevented
  }
  server.hold()
  other.doc.getMap("m").set("x", 1)
  expect(leave()).toBe(true)
  guarded.doc.getMap("m").set("y", 1)
  expect(leave()).toBe(false)
  guarded.disconnect()
  expect(leave()).toBe(false)
  guarded.connect()
  server.flush()
  await guarded.whenSaved()
  expect(leave()).toBe(true)
})

it("[C6] hands over what is not saved when the page is hidden for good", async () => {
  const server = await relay()
  const isTab = (name: string) => (attempt: { query: URLSearchParams }) => attempt.query.get("tab") === name
  const [leaving, staying] = ["leaving", "staying"].map((tab) =>
    open(server, { disableBc: false, params: { tab } }),
  )
  if (leaving === undefined || staying === undefined) throw new TypeError("Two tabs")
  await Promise.all([synced(leaving), synced(staying)])
  server.mute(isTab("leaving"))
  leaving.doc.getMap("m").set("last", "words")
  expect(staying.hasUnsavedChanges).toBe(false)
  // One window here stands for two: only what the tab without unsaved changes does on it is nothing.
  window.dispatchEvent(new Event("pagehide"))
  await staying.whenSaved()
  expect(server.disk("notes").getMap("m").toJSON()).toEqual({ last: "words" })
})

it("goes on without an offline copy where there is no IndexedDB", async () => {
  const server = await relay()
  const page = open(server, { offline: indexedDb })
  await synced(page)
})

function Page({ url, doc, onState }: { url: string; doc: Y.Doc; onState(state: ProviderState): void }) {
  const state = useProvider(url, "notes", doc, inNode)
  onState(state)
  return <p>{`${state.status} ${state.synced ? "synced" : "-"} ${state.saved ? "saved" : "unsaved"}`}</p>
}

it("[C7] gives a component one provider through strict mode, shared with its neighbours, until the last has gone", async () => {
  const server = await relay()
  const doc = new Y.Doc()
  running.push(doc)
  const seen = new Set<Provider>()
  const element = document.createElement("div")
  const root = createRoot(element)
  const pages = (count: number) => (
    <StrictMode>
      {Array.from({ length: count }, (_, key) => (
        <Page key={key} url={server.url} doc={doc} onState={({ provider }) => seen.add(provider)} />
      ))}
    </StrictMode>
  )
  root.render(pages(2))
  await expect.poll(() => element.textContent).toBe("connected synced savedconnected synced saved")
  server.hold()
  doc.getMap("m").set("x", 1)
  await expect.poll(() => element.textContent).toContain("unsaved")
  server.flush()
  await expect.poll(() => element.textContent).not.toContain("unsaved")
  expect([seen.size, server.attempts.length]).toEqual([1, 1])
  root.render(pages(1))
  await expect.poll(() => element.textContent).toBe("connected synced saved")
  root.render(pages(0))
  await expect.poll(() => server.connections()).toBe(0)
  root.render(pages(1))
  await expect.poll(() => element.textContent).toBe("connected synced saved")
  expect([seen.size, server.attempts.length]).toEqual([1, 2])
  root.unmount()
  await expect.poll(() => server.connections()).toBe(0)
})

it("[R5] gives a component the document that replaces one in conflict", async () => {
  const server = await relay()
  const doc = new Y.Doc()
  running.push(doc)
  let seen: ProviderState | undefined
  const root = createRoot(document.createElement("div"))
  root.render(
    <Page
      url={server.url}
      doc={doc}
      onState={(state) => {
        seen = state
      }}
    />,
  )
  await expect.poll(() => seen?.synced).toBe(true)
  expect(seen?.doc).toBe(doc)
  server.refuse(503)
  server.drop()
  doc.getText("t").insert(0, "mine")
  server.forge("notes", doc.clientID, (room) => room.getText("t").insert(0, "EVIL"))
  server.admit()
  await expect.poll(() => seen?.closed?.code).toBe(4409)
  expect([seen?.doc === doc, seen?.readOnly]).toEqual([false, true])
  expect(seen?.doc.getText("t").toString()).toContain("mine")
  root.unmount()
})

it("[C7] makes another provider for another document or address", async () => {
  const server = await relay()
  const docs = [new Y.Doc(), new Y.Doc()] as const
  running.push(...docs)
  const seen = new Set<Provider>()
  const root = createRoot(document.createElement("div"))
  const show = async (url: string, doc: Y.Doc, providers: number) => {
    root.render(<Page url={url} doc={doc} onState={(state) => seen.add(state.provider)} />)
    await expect.poll(() => seen.size).toBe(providers)
  }
  await show(server.url, docs[0], 1)
  await show(server.url, docs[1], 2)
  await show(server.url.replace("127.0.0.1", "localhost"), docs[1], 3)
  await show(server.url, docs[1], 3)
  await expect.poll(() => server.connections()).toBe(1)
  root.unmount()
  await expect.poll(() => server.connections()).toBe(0)
})
