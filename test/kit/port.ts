/** Ports for servers that are about to start. */
import { randomInt } from "node:crypto"
import { createServer } from "node:net"

/**
 * A port nobody listens on. Below those that the kernel gives to connections, one of which could take it before the
 * server does; random, so that tests that run side by side do not meet.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(12_000, 32_000)
    if (await portIsFree(port)) return port
  }
}

export function portIsFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer()
    probe.on("error", () => resolve(false))
    probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)))
  })
}
