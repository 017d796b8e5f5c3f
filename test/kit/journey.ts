/** What the journeys with stock clients share: one real server a file, and clients who leave when their test ends. */
import { afterAll, afterEach, beforeAll } from "vitest"
import type { Client } from "./clients.ts"
import { startServer, type TestServer } from "./server.ts"
import { until } from "./until.ts"

export interface Journey {
  /** The server of this file; there from the first test on. */
  readonly server: TestServer
  /** Resolves when they are synced; they leave when the test ends, or where tests run beside each other when all have. */
  enter<Clients extends Client[]>(...clients: Clients): Promise<Clients>
  /** Do this when the test ends. */
  atEnd(act: () => void): void
}

/**
 * Start a server before the tests of a file, and end it after them.
 *
 * @param options.begin what begins with the server and goes on beside the tests
 * @param options.flags further wrangler flags
 * @param options.beside tests run beside each other
 */
export function setUpJourney({
  begin = () => {},
  flags = [],
  beside = false,
}: {
  begin?: (server: TestServer) => void
  flags?: readonly string[]
  beside?: boolean
} = {}): Journey {
  let server: TestServer
  const ends: (() => void)[] = []
  const end = () => {
    for (const act of ends.splice(0)) act()
  }
  beforeAll(async () => {
    server = await startServer(flags)
    begin(server)
  })
  if (!beside) afterEach(end)
  afterAll(async () => {
    end()
    await server.stop()
  })
  return {
    get server() {
      return server
    },
    async enter(...clients) {
      for (const client of clients) ends.push(() => client.leave())
      await synced(...clients)
      return clients
    },
    atEnd: (act) => void ends.push(act),
  }
}

/** Resolves to the clients when they are synced. */
export async function synced<Clients extends Client[]>(...clients: Clients): Promise<Clients> {
  await until(() => clients.every(({ synced }) => synced), "everyone is synced")
  return clients
}
