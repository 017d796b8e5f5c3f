/** What the journeys with stock clients share: one real server a file, and clients who leave when their test ends. */
import { afterAll, afterEach, beforeAll } from "vitest"
import type { Client } from "./clients.ts"
import { startServer, type TestServer } from "./server.ts"
import { until } from "./until.ts"

export interface Journey {
  /** The server of this file; there from the first test on. */
  readonly server: TestServer
  /** Resolves when they are synced; they leave when the test ends. */
  enter<Clients extends Client[]>(...clients: Clients): Promise<Clients>
}

/**
 * Start a server before the tests of a file, and end it after them.
 *
 * @param options.begin what begins with the server and goes on beside the tests
 * @param options.flags further wrangler flags
 */
export function setUpJourney({
  begin = () => {},
  flags = [],
}: {
  begin?: (server: TestServer) => void
  flags?: readonly string[]
} = {}): Journey {
  let server: TestServer
  const present: Client[] = []
  beforeAll(async () => {
    server = await startServer(flags)
    begin(server)
  })
  afterEach(() => {
    for (const client of present.splice(0)) client.leave()
  })
  afterAll(() => server.stop())
  return {
    get server() {
      return server
    },
    async enter(...clients) {
      present.push(...clients)
      await synced(...clients)
      return clients
    },
  }
}

/** Resolves to the clients when they are synced. */
export async function synced<Clients extends Client[]>(...clients: Clients): Promise<Clients> {
  await until(() => clients.every(({ synced }) => synced), "everyone is synced")
  return clients
}
