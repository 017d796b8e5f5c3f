/** A network that misbehaves: a TCP proxy before a server, whose connections can go silent, slow, or be cut. */
import { once } from "node:events"
import type { AddressInfo } from "node:net"
import { connect, createServer, type Socket } from "node:net"

export interface TcpProxy {
  readonly port: number
  /** http://127.0.0.1:port */
  readonly url: string
  /** From now on bytes in this direction are swallowed, on open and new connections; nobody is told. */
  swallow(direction: "up" | "down" | "both"): void
  /** Half-open: nothing is forwarded, nothing is read, nothing is closed. */
  hold(): void
  /** Reset every connection, in the middle of whatever it carries. */
  cut(): void
  /** The same, and let none through, as a tunnel does to a train. */
  sever(): void
  /** Forward again. What was swallowed is gone, so a stream that lost some ends here. */
  heal(): void
  /** Wait this long before a piece is forwarded, ms: asked for each. */
  delayMs: (() => number) | null
  close(): Promise<void>
}

export async function startProxy(upstreamPort: number): Promise<TcpProxy> {
  const pairs = new Set<Pair>()
  let swallowing: "up" | "down" | "both" | null = null
  let holding = false
  let severed = false

  function join(from: Socket, to: Socket, direction: "up" | "down", pair: Pair): void {
    // A chain of promises keeps the order of the pieces, however long each is delayed.
    let previous = Promise.resolve()
    from.on("data", (piece) => {
      if (swallowing === direction || swallowing === "both") {
        pair.torn = true
        return
      }
      if (proxy.delayMs === null) return void previous.then(() => to.writable && to.write(piece))
      const delayMs = proxy.delayMs()
      previous = previous.then(async () => {
        await new Promise((resolve) => setTimeout(resolve, delayMs))
        if (to.writable) to.write(piece)
      })
    })
    from.on("close", () => void previous.then(() => to.destroy()))
    from.on("error", () => {}) // its close follows
  }

  const server = createServer((client) => {
    if (severed) return client.destroy()
    const upstream = connect(upstreamPort, "127.0.0.1")
    const pair: Pair = { client, upstream, torn: false }
    pairs.add(pair)
    client.on("close", () => pairs.delete(pair))
    join(client, upstream, "up", pair)
    join(upstream, client, "down", pair)
    if (holding) stall(pair)
  }).listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as AddressInfo

  const proxy: TcpProxy = {
    port,
    url: `http://127.0.0.1:${port}`,
    delayMs: null,
    swallow(direction) {
      swallowing = direction
    },
    hold() {
      holding = true
      for (const pair of pairs) stall(pair)
    },
    sever() {
      severed = true
      proxy.cut()
    },
    heal() {
      swallowing = null
      holding = false
      severed = false
      for (const pair of pairs) {
        if (pair.torn) end(pair)
        else for (const socket of [pair.client, pair.upstream]) socket.resume()
      }
    },
    cut() {
      for (const pair of pairs) end(pair)
    },
    async close() {
      for (const pair of pairs) end(pair)
      server.close()
      await once(server, "close")
    },
  }
  return proxy
}

interface Pair {
  readonly client: Socket
  readonly upstream: Socket
  /** Bytes of it are missing. */
  torn: boolean
}

function stall({ client, upstream }: Pair): void {
  client.pause()
  upstream.pause()
}

function end({ client, upstream }: Pair): void {
  client.resetAndDestroy()
  upstream.resetAndDestroy()
}
