/**
 * A network that takes HTTP apart: a proxy before a server that lets no upgrade through, holds answers back, or cuts those
 * that are silent. It begins as one that lets everything through.
 */
import { once } from "node:events"
import { request as ask, createServer, type IncomingMessage, type ServerResponse } from "node:http"
import { type AddressInfo, connect, type Socket } from "node:net"

export interface HttpProxy {
  /** ws://127.0.0.1:port/docs */
  readonly docs: string
  /** What upgrades are answered with; "nothing": they are swallowed; null: they go through. */
  upgrades: 200 | 400 | 502 | "nothing" | null
  /** So many bytes of an answer are held back, or all of it until its end; null: none. */
  holds: number | "all" | null
  /** An answer that brings nothing for so long, ms, is cut; null: none is. */
  idleMs: number | null
  /** Upgrades that went through. */
  readonly opened: number
  /** Requests that were answered or are being answered, by method. */
  readonly requests: Readonly<Record<string, number>>
  /** Cut the answers that are on their way. */
  cut(): void
  close(): Promise<void>
}

/** @param upstream http://127.0.0.1:port */
export async function startHttpProxy(upstream: string): Promise<HttpProxy> {
  const { hostname, port } = new URL(upstream)
  const answers = new Set<ServerResponse>()
  const sockets = new Set<Socket>()
  let opened = 0
  const requests: Record<string, number> = {}
  function track<One extends ServerResponse | Socket>(one: One, all: Set<One>): void {
    all.add(one)
    one.on("close", () => all.delete(one)).on("error", () => {}) // its close follows
  }

  function forward(request: IncomingMessage, response: ServerResponse): void {
    const method = request.method ?? "GET"
    requests[method] = (requests[method] ?? 0) + 1
    track(response, answers)
    const own = ask({ hostname, port, path: request.url, method, headers: request.headers, agent: false })
    request.pipe(own)
    response.on("close", () => own.destroy())
    own.on("error", () => response.destroy())
    own.on("response", (answer) => void pass(answer, response))
  }

  async function pass(answer: IncomingMessage, response: ServerResponse): Promise<void> {
    const { holds } = proxy
    let held: Buffer[] | null = holds === null ? null : []
    let idle: ReturnType<typeof setTimeout> | undefined
    const awaitNext = () => {
      clearTimeout(idle)
      if (proxy.idleMs !== null) idle = setTimeout(() => response.destroy(), proxy.idleMs)
    }
    const begin = () => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      response.flushHeaders()
    }
    if (held === null) begin()
    awaitNext()
    answer.on("error", () => response.destroy())
    answer.on("data", (piece: Buffer) => {
      awaitNext()
      if (held === null) return void response.write(piece)
      held.push(piece)
      if (typeof holds !== "number" || Buffer.concat(held).length < holds) return
      begin()
      response.write(Buffer.concat(held))
      held = null
    })
    answer.on("end", () => {
      if (held !== null) begin()
      response.end(held === null ? undefined : Buffer.concat(held))
    })
    response.on("close", () => clearTimeout(idle))
  }

  const server = createServer(forward)
  server.on("upgrade", (request: IncomingMessage, client: Socket, head: Buffer) => {
    track(client, sockets)
    if (proxy.upgrades === "nothing") return
    if (proxy.upgrades !== null) {
      client.end(`HTTP/1.1 ${proxy.upgrades} No\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno`)
      return
    }
    opened++
    const up = connect(Number(port), hostname, () => {
      const lines = request.rawHeaders.flatMap((name, i, all) => (i % 2 ? [] : [`${name}: ${all[i + 1]}`]))
      up.write(`${request.method} ${request.url} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`)
      up.write(head)
      up.pipe(client).pipe(up)
    })
    track(up, sockets)
    up.on("close", () => client.destroy())
    client.on("close", () => up.destroy())
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")

  const proxy: HttpProxy = {
    docs: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/docs`,
    upgrades: null,
    holds: null,
    idleMs: null,
    get opened() {
      return opened
    },
    requests,
    cut() {
      for (const one of [...answers]) one.destroy()
    },
    async close() {
      proxy.cut()
      for (const one of [...sockets]) one.destroy()
      server.close()
      server.closeAllConnections()
      await once(server, "close")
    },
  }
  return proxy
}
