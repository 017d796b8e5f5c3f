/** Outside a page: React Native has a `window` without `addEventListener` and few of a browser's globals, a worker has no `window`. */
import { fileURLToPath } from "node:url"
import { createContext, Script } from "node:vm"
import { build } from "esbuild"
import { expect, it } from "vitest"
import { WebSocket } from "ws"
import type * as Yjs from "yjs"
import type { Provider } from "../../../src/client/provider.ts"
import { onDisk, record, relay, running, text, token, type, when } from "./vocabulary.ts"

/** What an app finds besides the language in React Native; no Event, MessageEvent, BroadcastChannel, Buffer, atob, TextDecoder. */
const GLOBALS = {
  setTimeout,
  clearTimeout,
  setInterval,
  clearInterval,
  queueMicrotask,
  console,
  URLSearchParams,
  navigator: { product: "ReactNative" },
  crypto: { getRandomValues: (array: Uint32Array<ArrayBuffer>) => crypto.getRandomValues(array) },
  WebSocket,
}

/** What there is besides, and how the global object is called. */
const PLACES: readonly [string, Record<string, unknown>, string][] = [
  ["React Native", {}, "window"],
  [
    "a worker",
    { navigator: { userAgent: "" }, EventTarget, Event, BroadcastChannel, TextDecoder, TextEncoder, atob },
    "self",
  ],
]

it.each(PLACES)("[C7] constructs, syncs and saves with default options in %s", async (_, globals, name) => {
  const server = await relay()
  const { outputFiles } = await build({
    stdin: {
      contents: `export { Provider } from "../../../src/client/provider.ts"; export * as Y from "yjs"`,
      resolveDir: fileURLToPath(new URL(".", import.meta.url)),
      loader: "js",
    },
    bundle: true,
    format: "iife",
    globalName: "app",
    platform: "browser",
    write: false,
  })
  const context = createContext({ ...GLOBALS, ...globals })
  new Script(`globalThis.${name} = globalThis`).runInContext(context)
  new Script(outputFiles[0]?.text ?? "").runInContext(context)
  expect(
    new Script("[typeof document, typeof Buffer, typeof globalThis.addEventListener]").runInContext(context),
  ).toEqual(Array(3).fill("undefined"))
  const app = context.app as { Provider: typeof Provider; Y: typeof Yjs }
  const page = new app.Provider(server.url, "notes", new app.Y.Doc(), {
    token: token("ada", Date.now() + 60_000),
  })
  running.push(page)
  const problems = record(page, "connection-error")
  await when(page, "sync", true)
  server.edit("notes", (doc) => type({ doc }, "to a phone, "))
  await expect.poll(() => text(page)).toBe("to a phone, ")
  type(page, "from a phone")
  await page.whenSaved()
  page.awareness.setLocalState({ name: "phone" })
  await expect.poll(() => server.count("awareness")).toBeGreaterThan(1)
  expect([onDisk(server), problems]).toEqual(["to a phone, from a phone", []])
})
