/** Networks without WebSockets: when the connection goes over HTTP, what it takes for an answer, and when it tries again. */
import { afterEach, describe, expect, it, vi } from "vitest"
import { Fallback } from "../../../src/client/fallback.ts"
import { writeChannelFrame } from "../../../src/wire/bundle.ts"
import { readUp } from "../../../src/wire/tunnel.ts"
import { open, opened, record, relay, token, when } from "./vocabulary.ts"

afterEach(() => vi.unstubAllGlobals())

/** What a server says on a stream. */
const event = (frame: Parameters<typeof writeChannelFrame>[0]) =>
  `data: ${Buffer.from(writeChannelFrame(frame)).toString("base64")}\n\n`
const OPENED = event({ channel: 0, type: "opened" })

const EVENTS = { headers: { "content-type": "text/event-stream" } }

/** A server over HTTP: every GET streams these and stays open, every PATCH is taken. */
function stubServer(...events: string[]) {
  const asked: { method: string; headers: Headers; body: Uint8Array | null }[] = []
  vi.stubGlobal("fetch", async (_: string, { method = "GET", headers, body, signal }: RequestInit) => {
    asked.push({ method, headers: new Headers(headers), body: (body as Uint8Array) ?? null })
    if (method === "PATCH") return new Response(null, { status: 204 })
    const stream = new ReadableStream<Uint8Array>({
      start(controller) {
        for (const one of [":\n\n", ...events]) controller.enqueue(new TextEncoder().encode(one))
        signal?.addEventListener("abort", () => controller.error(signal.reason))
      },
    })
    return new Response(stream, EVENTS)
  })
  return asked
}

describe("the network lets no socket through", () => {
  it("[C3] goes over HTTP after two that never opened, says so, and goes back to the first that opens", async () => {
    const server = await relay()
    server.refuse(400)
    const asked = stubServer(OPENED)
    const page = open(server, { token: "a.token.of-ada" })
    const seen = record(page, "status") as { status: string; transport: string }[]
    await expect.poll(() => page.status).toBe("connected")
    expect([page.transport, seen.at(-1)]).toEqual(["stream", { status: "connected", transport: "stream" }])
    // And once more, because HTTP works.
    await expect.poll(() => server.attempts.length).toBe(3)
    const [get] = asked
    expect(get!.headers.get("authorization")).toBe("Bearer a.token.of-ada")
    expect(get!.headers.get("yurt-session")).toMatch(/^[0-9a-f]{32}$/)

    server.admit()
    page.disconnect()
    page.connect()
    await when(page, "sync", true)
    expect(page.transport).toBe("websocket")
  })

  it("[C3] waits for the fifth on a page that has had a socket: a server that starts anew refuses some", async () => {
    const server = await relay()
    stubServer(OPENED)
    const page = await opened(server)
    server.refuse(503)
    server.drop()
    await expect.poll(() => page.transport).toBe("stream")
    expect(server.attempts.length).toBeGreaterThanOrEqual(6)
  })

  it("[C3] waits 10 s for an answer to the first upgrade, and 20 s where HTTP brings none either", async () => {
    const server = await relay()
    vi.useFakeTimers()
    const dialled: number[] = []
    class Swallowed {
      readyState = 0
      constructor() {
        dialled.push(Date.now())
      }
      close(): void {}
    }
    const passes = async (until: () => boolean) => {
      const fromMs = Date.now()
      while (!until() && Date.now() - fromMs < 60_000) await vi.advanceTimersByTimeAsync(100)
      return Date.now() - fromMs
    }
    stubServer(OPENED)
    const page = open(server, { WebSocketPolyfill: Swallowed })
    const took = await passes(() => page.status === "connected")
    expect(page.transport).toBe("stream")
    expect(took).toBeGreaterThanOrEqual(10_000)
    expect(took).toBeLessThan(11_000)

    vi.stubGlobal("fetch", async () => new Response("<h1>Accept our terms</h1>"))
    dialled.length = 0
    open(server, { WebSocketPolyfill: Swallowed })
    await passes(() => dialled.length === 3)
    const [first, second, third] = dialled.map((at) => at - dialled[0]!)
    expect(second! - first!).toBeLessThan(12_000)
    expect(third! - second!).toBeGreaterThanOrEqual(20_000)
  })

  it("[C3] is left alone where it was told so, and where HTTP does not work either", async () => {
    const server = await relay()
    server.refuse(503)
    const asked = stubServer()
    const page = open(server, { fallback: false })
    await expect.poll(() => server.attempts.length).toBeGreaterThan(4)
    expect([asked, page.transport]).toEqual([[], "websocket"])

    vi.stubGlobal("fetch", async () => new Response("<h1>Accept our terms</h1>"))
    const other = open(server)
    const problems = record(other, "connection-error")
    await expect.poll(() => problems.some((one) => String(one).includes("HTTP 200"))).toBe(true)
    server.admit()
    await when(other, "sync", true)
    expect(other.transport).toBe("websocket")
  })

  it("[C3] ends for good where the room says so", async () => {
    const server = await relay()
    server.refuse(502)
    const refusal = { error: "unauthorized", message: "The token has expired" }
    vi.stubGlobal("fetch", async () => Response.json(refusal, { status: 401 }))
    const page = open(server, { token: token("ada", Date.now() + 60_000) })
    const [closed] = await when(page, "closed")
    expect(closed).toEqual({ code: 4401, reason: "The token has expired" })

    stubServer(OPENED, event({ channel: 0, type: "close", code: 4403, reason: "no" }))
    const other = open(server)
    expect((await when(other, "closed"))[0]).toEqual({ code: 4403, reason: "no" })
  })

  it("[C7] needs no class for sockets at all, as in Node 20", async () => {
    const server = await relay()
    const asked = stubServer(OPENED)
    vi.stubGlobal("WebSocket", undefined)
    const page = open(server)
    await expect.poll(() => page.status).toBe("connected")
    expect([page.transport, server.attempts]).toEqual(["stream", []])
    await expect.poll(() => asked.filter(({ method }) => method === "PATCH").length).toBeGreaterThan(0)
    const [said] = asked.filter(({ method }) => method === "PATCH")
    expect([...readUp(said!.body!)][0]).toMatchObject({ channel: 0, type: "message" })
  })

  it("[C3] asks again and again where an answer is seen only once it has ended, as in React Native", async () => {
    const server = await relay()
    server.refuse(400)
    const waits: (string | null)[] = []
    vi.stubGlobal("fetch", async (_: string, { method, headers }: RequestInit) => {
      if (method === "PATCH") return new Response(null, { status: 204 })
      const wait = new Headers(headers).get("yurt-wait")
      waits.push(wait)
      const answer = new Response(wait === "0" ? OPENED : ":\n\n", EVENTS)
      if (wait !== "0") await new Promise((resolve) => setTimeout(resolve, 10))
      return { ok: true, headers: answer.headers, text: () => answer.text() }
    })
    const page = open(server)
    await expect.poll(() => page.status).toBe("connected")
    await expect.poll(() => waits.length).toBeGreaterThan(4)
    expect([page.transport, waits.slice(0, 4)]).toEqual(["poll", [null, "0", "15000", "15000"]])
  })

  it("[C4] brings a fresh token with every request from then on", async () => {
    const server = await relay()
    server.refuse(400)
    const asked = stubServer(OPENED)
    const names = ["first", "second"]
    const page = open(server, { token: () => token(names.shift() ?? "later", Date.now() + 300) })
    await expect.poll(() => page.status).toBe("connected")
    const subjects = () =>
      asked
        .map(({ headers }) => atob(headers.get("authorization")!.split(".")[1]!))
        .map((text) => JSON.parse(text).sub)
    await expect.poll(subjects).toContain("later")
    expect(asked.filter(({ method }) => method === "GET").length).toBe(1)
  })
})

describe("a socket on trial", () => {
  /** Sockets that never answer, and when they were tried, ms. */
  function trials(outcome: "closes" | "opens" | "nothing") {
    vi.useFakeTimers()
    const began = Date.now()
    const at: number[] = []
    class Tried {
      onopen: (() => void) | null = null
      onclose: (() => void) | null = null
      constructor() {
        at.push(Math.round((Date.now() - began) / 1000))
        if (outcome !== "nothing")
          queueMicrotask(() => (outcome === "opens" ? this.onopen?.() : this.onclose?.()))
      }
      close(): void {}
    }
    let back = 0
    const fallback = new Fallback(Tried, () => back++)
    return { at, fallback, back: () => back }
  }

  it("[C3] is tried at once, after half a minute, then twice as long each time, to a quarter of an hour", async () => {
    const { at, fallback, back } = trials("closes")
    fallback.opened("ws://a/docs/b", [])
    await vi.advanceTimersByTimeAsync(2 * 3600_000)
    expect(at.slice(0, 7)).toEqual([0, 30, 90, 210, 450, 930, 1890])
    expect(at[8]! - at[7]!).toBe(960)
    expect(back()).toBe(0)
    const tried = at.length
    fallback.stop()
    await vi.advanceTimersByTimeAsync(3600_000)
    expect(at.length).toBe(tried)
  })

  it("[C3] is given up where nothing comes, and tried at once when the page is seen again", async () => {
    const { at, fallback } = trials("nothing")
    fallback.opened("ws://a/docs/b", [])
    await vi.advanceTimersByTimeAsync(60_000)
    expect(at).toEqual([0, 50])
    await vi.advanceTimersByTimeAsync(20_000)
    fallback.hurry()
    expect(at).toEqual([0, 50, 80])
    fallback.stop()
  })

  it("[C3] ends HTTP where it opens", async () => {
    const { at, fallback, back } = trials("opens")
    fallback.opened("ws://a/docs/b", [])
    await vi.advanceTimersByTimeAsync(600_000)
    expect([at, back()]).toEqual([[0], 1])
  })
})
