/** Rows about what programs send: patches and documents in JSON, Markdown and HTML, and streams that are not read. */
import { request as httpRequest } from "node:http"
import { ask, type Target } from "./attacker.ts"
import { http, type Row } from "./rows.ts"

const JSON_PATCH = "application/json-patch+json"

/** A PATCH of these operations, which leaves nothing behind where it is taken. */
function patch(what: string, gets: Row["gets"], operations: () => unknown): Row {
  return http(what, gets, () => ({
    ...{ method: "PATCH", headers: { "content-type": JSON_PATCH } },
    body: typeof operations() === "string" ? (operations() as string) : JSON.stringify(operations()),
  }))
}

/** A PUT into a root of the attacker's own, which is emptied again. */
function put(what: string, gets: Row["gets"], type: string, body: () => string): Row {
  return {
    what,
    gets,
    async attack(target) {
      const headers = { "content-type": type }
      const path = `/docs/${target.id}?root=attacker&editor=${type === "application/json" ? "text" : "tiptap"}`
      const outcome = await ask(target, { method: "PUT", path, headers, body: body() })
      await ask(target, {
        ...{ method: "PATCH", headers: { "content-type": JSON_PATCH } },
        body: JSON.stringify([{ op: "remove", path: "/attacker" }]),
      })
      return outcome
    },
  }
}

/** A tool used with these arguments. */
function tool(what: string, gets: Row["gets"], name: string, given: () => unknown): Row {
  return http(what, gets, (target) => ({
    ...{ method: "POST", path: `/docs/${target.id}/-/tools/${name}` },
    ...{ headers: { "content-type": "application/json" }, body: JSON.stringify(given()) },
  }))
}

/** Open streams and read nothing of them. */
async function openStreams(target: Target, count: number): Promise<() => void> {
  const token = (await target.mint?.()) ?? null
  const { hostname, port } = new URL(target.url)
  const streams = Array.from({ length: count }, () => {
    const sent = httpRequest({
      ...{ hostname, port, agent: false, path: `/docs/${target.id}?text=replace&presence=true` },
      headers: { accept: "text/event-stream", ...(token !== null && { authorization: `Bearer ${token}` }) },
    })
    sent.on("error", () => {})
    sent.on("response", (response) => response.pause())
    sent.end()
    return sent
  })
  return () => {
    for (const stream of streams) stream.destroy()
  }
}

/** What programs send. */
export const PROGRAMS: readonly Row[] = [
  patch("a patch that is no list", "400 bad-request", () => ({ op: "add" })),
  patch("a patch that is no JSON", "400 bad-request", () => "[{"),
  patch(
    "a patch that nests 100,000 deep",
    "400 bad-request",
    () => "[".repeat(100_000) + "]".repeat(100_000),
  ),
  patch("1 MB of operations", "413 too-large", () =>
    new Array(20_000).fill({ op: "add", path: "/attacker/-", value: 1 }),
  ),
  patch("a thousand tests of the whole document", ["409 test-failed", "413 too-large"], () =>
    new Array(1_000).fill({ op: "test", path: "", value: {} }),
  ),
  patch("copies that double", "413 too-large", () => [
    { op: "add", path: "/attacker/a", value: ["x".repeat(1_000)] },
    ...new Array(900).fill({ op: "copy", from: "/attacker", path: "/attacker/a/-" }),
  ]),
  patch("a path a thousand deep", "400 bad-request", () => [
    { op: "add", path: "/a".repeat(1_000), value: 1 },
  ]),
  patch("a path to __proto__", ["422 bad-update", "422 patch-failed"], () => [
    { op: "add", path: "/attacker/__proto__/admin", value: true },
  ]),
  patch(
    "a key named __proto__",
    "400 bad-request",
    () => '[{"op":"add","path":"/a","value":{"__proto__":{"a":1}}}]',
  ),
  http("an object that says what made it", "400 bad-request", (target) => ({
    ...{ method: "PATCH", headers: { "content-type": JSON_PATCH }, path: `/docs/${target.id}?nested=plain` },
    body: '[{"op":"add","path":"/attacker/-","value":{"constructor":1}}]',
  })),
  patch("an operation that is a method of every object", "400 bad-request", () => [
    { op: "toString", path: "/a" },
  ]),
  patch("an operation inside a text", "422 patch-failed", () => [
    { op: "add", path: "/text/0/1", value: "x" },
  ]),
  patch("a text operation beyond the end", "422 patch-failed", () => [
    { op: "text", path: "/text", index: 2 ** 50, delete: 2 ** 50 },
  ]),
  patch("a text operation at a negative place", "400 bad-request", () => [
    { op: "text", path: "/text", index: -1 },
  ]),
  put("a PUT of 512 KB of <", ["200", "413 too-large"], "text/html", () => "<".repeat(500_000)),
  put("a PUT of 100,000 open tags", "200", "text/html", () => "<div>".repeat(100_000)),
  put("a PUT of Markdown that nests without end", "400 bad-request", "text/markdown", () =>
    "> ".repeat(250_000),
  ),
  put("a PUT of Markdown of delimiters alone", "400 bad-request", "text/markdown", () =>
    "*a**b ".repeat(80_000),
  ),
  put("a PUT of 5 MB of JSON", ["413 too-large", "ended"], "application/json", () =>
    JSON.stringify("x".repeat(5_000_000)),
  ),
  tool("a quote that stands everywhere", "200", "edit", () => ({
    operations: new Array(100).fill({ op: "replace", quote: "e", with: "x".repeat(1_000) }),
  })),
  tool("handles of another document", "200", "edit", () => ({
    operations: Array.from({ length: 100 }, (_, i) => ({ op: "delete", handle: `${i.toString(36)}.${i}` })),
  })),
  tool("handles that are none", "200", "edit", () => ({
    operations: ["__proto__", "", "0.0", "zzzzzzzzzzz.zzzzzzzzzzz", "a".repeat(10_000)].map((handle) => ({
      op: "delete",
      handle,
    })),
  })),
  tool("an edit of 10,000 operations", "400 bad-request", "edit", () => ({
    operations: new Array(10_000).fill({ op: "insert_after", text: "x" }),
  })),
  tool("an edit of 5 MB", ["413 too-large", "ended"], "edit", () => ({
    operations: [{ op: "insert_after", text: "x".repeat(5_000_000) }],
  })),
  tool("writing of 1 MB", "413 too-large", "write", () => ({ text: "x".repeat(1_000_000) })),
  tool("a caret for ever", "200", "presence", () => ({
    ttlS: 0,
    status: "x".repeat(100_000),
    handle: "__proto__",
  })),
  http("a hundred calls of MCP in one request", "400 bad-request", (target) => ({
    ...{ method: "POST", path: `/docs/${target.id}/-/mcp` },
    headers: { "content-type": "application/json", accept: "application/json, text/event-stream" },
    body: JSON.stringify(
      new Array(100).fill({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "read" } }),
    ),
  })),
  http("a call of MCP that nests without end", "400", (target) => ({
    ...{ method: "POST", path: `/docs/${target.id}/-/mcp` },
    headers: { "content-type": "application/json", accept: "application/json, text/event-stream" },
    body: `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":${"[".repeat(100_000)}`,
  })),
  tool("arguments that are a list", "400 bad-request", "read", () => []),
  tool("a tool that is a method of every object", "404 not-found", "toString", () => ({})),
  http("a stream after what is no revision", "400 bad-request", {
    headers: { accept: "text/event-stream", "last-event-id": "9".repeat(400) },
  }),
  http("a stream of a path that is none", "400 bad-request", (target) => ({
    path: `/docs/${target.id}?path=${"/a".repeat(1_000)}`,
    headers: { accept: "text/event-stream" },
  })),
  {
    what: "a hundred streams that nobody reads",
    gets: "200",
    async attack(target) {
      const close = await openStreams(target, 100)
      try {
        let outcome = "200"
        for (let i = 0; i < 5 && outcome === "200"; i++) {
          const body = JSON.stringify([{ op: "add", path: "/attacker", value: String(i).repeat(300_000) }])
          outcome = await ask(target, { method: "PATCH", headers: { "content-type": JSON_PATCH }, body })
        }
        return outcome
      } finally {
        close()
        const body = JSON.stringify([{ op: "remove", path: "/attacker" }])
        await ask(target, { method: "PATCH", headers: { "content-type": JSON_PATCH }, body })
      }
    },
  },
]
