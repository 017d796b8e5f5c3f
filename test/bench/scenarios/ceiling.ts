/**
 * Ceiling: what the load process can take and send by itself, so that a figure near it is known to be the
 * client's and not the server's.
 */

import { typing } from "../edits.ts"
import { connectAll, disconnectAll, LoadClient } from "../load-client.ts"
import { type Scenario, until } from "../scenario.ts"
import { startServer } from "../servers.ts"
import { Receiver } from "../tally.ts"

const RECEIVERS = 50
const FRAMES_EACH = 10_000
const SENDS = 200_000

export const ceiling: Scenario = {
  name: "ceiling",
  title: "the load process by itself: frames/s in (50 sockets) and out (one socket)",
  systems: ["ceiling"],
  headline: { figure: "inPerSecond", better: "more" },
  maxRounds: 1,
  limitMs: 60_000,
  async measure({ system }) {
    await using server = await startServer(system)
    const receivers = Array.from({ length: RECEIVERS }, () => new Receiver())
    const clients = await connectAll(
      server,
      receivers.map(() => `blast/${FRAMES_EACH}`),
      { listener: (index) => receivers[index]!.listener },
    )
    let startedAtMs = performance.now()
    for (const client of clients) client.sendText("start")
    await until(() => receivers.every((receiver) => receiver.frames >= FRAMES_EACH), 30_000)
    const lastAtMs = Math.max(...receivers.map((receiver) => receiver.lastAtMs))
    const inPerSecond = (RECEIVERS * FRAMES_EACH) / ((lastAtMs - startedAtMs) / 1000)
    await disconnectAll(clients)

    const client = await LoadClient.connect(server, "swallow")
    const [update] = typing(1_000, 1)
    startedAtMs = performance.now()
    for (let i = 0; i < SENDS; ) {
      for (const end = i + 200; i < end; i++) client.send(2, update!)
      do await new Promise((resolve) => setImmediate(resolve))
      while (client.waitingBytes > 256 * 1024)
    }
    const outPerSecond = SENDS / ((performance.now() - startedAtMs) / 1000)
    await client.leave()
    return { figures: { inPerSecond, outPerSecond } }
  },
}
