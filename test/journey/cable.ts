/** The cable between one person and the server: a TCP proxy that a test can cut, as a train does in a tunnel. */
import { once } from "node:events"
import { type AddressInfo, connect, createServer, type Socket } from "node:net"

export interface Cable {
  /** The server's address at this end of the cable. */
  readonly url: string
  /** Drop every connection and let none through. */
  cut(): void
  mend(): void
  close(): Promise<void>
}

/** @param serverUrl http://127.0.0.1:port */
export async function layCable(serverUrl: string): Promise<Cable> {
  const { port } = new URL(serverUrl)
  const open = new Set<Socket>()
  let isCut = false
  const dropAll = () => {
    for (const socket of open) socket.destroy()
  }
  const proxy = createServer((near) => {
    if (isCut) return near.destroy()
    const far = connect(Number(port), "127.0.0.1")
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(socket)
      socket.pipe(other)
      // Either end may reset; the other one is closed with it, and that is all there is to do.
      socket.on("error", () => other.destroy())
      socket.on("close", () => {
        open.delete(socket)
        other.destroy()
      })
    }
  })
  proxy.listen(0, "127.0.0.1")
  await once(proxy, "listening")
  return {
    url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    cut() {
      isCut = true
      dropAll()
    },
    mend() {
      isCut = false
    },
    async close() {
      dropAll()
      proxy.close()
      await once(proxy, "close")
    },
  }
}
