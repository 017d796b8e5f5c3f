import { afterEach, expect, it, vi } from "vitest"
import * as Y from "yjs"
import { Provider } from "../../../src/client/provider.ts"
import type { SyncError } from "../../../src/errors.ts"

afterEach(() => vi.unstubAllGlobals())

/** A provider that is not connected, and the requests that it sends, each answered by `answer`. */
function ask(answer: () => Response, options: { token?: string } = {}) {
  const sent: { method: string; url: string; token: string | null; body: unknown }[] = []
  vi.stubGlobal("fetch", async (url: string, init: RequestInit) => {
    const { method, headers, body } = new Request(url, init)
    sent.push({
      method,
      url,
      token: headers.get("authorization"),
      body: body === null ? null : await new Response(body).json(),
    })
    return answer()
  })
  const provider = new Provider("wss://notes.example/docs", "team/plan", new Y.Doc(), {
    connect: false,
    params: { tenant: "a b" },
    ...options,
  })
  return { sent, versions: provider.versions }
}

const DOCUMENT = "https://notes.example/docs/team/plan"

it("[H2] asks at the document's own address, with the provider's token and parameters", async () => {
  const { sent, versions } = ask(() => Response.json({}), { token: "a.b.c" })
  await versions.list({ limit: 2 })
  await versions.create({ name: "Before" })
  await versions.change("v_1", { name: null })
  await versions.restore(7, { root: "text" })
  await versions.diff({ from: 3, to: "v_1" })
  await versions.rollback({ by: "bot", from: 3, dryRun: true })
  const token = "Bearer a.b.c"
  expect(sent).toEqual([
    { method: "GET", url: `${DOCUMENT}/-/versions?tenant=a+b&limit=2`, token, body: null },
    { method: "POST", url: `${DOCUMENT}/-/versions?tenant=a+b`, token, body: { name: "Before" } },
    { method: "PATCH", url: `${DOCUMENT}/-/versions/v_1?tenant=a+b`, token, body: { name: null } },
    { method: "POST", url: `${DOCUMENT}/-/versions/7/restore?tenant=a+b`, token, body: { root: "text" } },
    { method: "GET", url: `${DOCUMENT}/-/diff?tenant=a+b&from=3&to=v_1`, token, body: null },
    {
      method: "POST",
      url: `${DOCUMENT}/-/rollback?tenant=a+b`,
      token,
      body: { by: "bot", from: "3", dryRun: true },
    },
  ])
})

it("[H2] opens an earlier state as a document of its own", async () => {
  const then = new Y.Doc()
  then.getText("text").insert(0, "Hello")
  const { sent, versions } = ask(() => new Response(Y.encodeStateAsUpdate(then) as BufferSource))
  expect((await versions.open("2026-11-24T09:00:00Z")).getText("text").toString()).toBe("Hello")
  expect(sent[0]?.url).toBe(`${DOCUMENT}?tenant=a+b&at=2026-11-24T09%3A00%3A00Z&format=update`)
})

it("[H2] rejects with the server's own error, and with unavailable where none comes", async () => {
  const codeOf = (failed: Promise<unknown>) => failed.then(null, (error: SyncError) => error.code)
  const gone = { error: "gone", message: "Revision 3 is not kept." }
  expect(await codeOf(ask(() => Response.json(gone, { status: 410 })).versions.open(3))).toBe("gone")
  expect(await codeOf(ask(() => new Response("<html>", { status: 502 })).versions.list())).toBe("unavailable")
  const offline = ask(() => {
    throw new TypeError("fetch failed")
  })
  expect(await codeOf(offline.versions.forget("v_1"))).toBe("unavailable")
})
