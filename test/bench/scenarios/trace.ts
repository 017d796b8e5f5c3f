/**
 * Trace: the real editing session of a paper, 259,778 single edits, one edit an update, through one socket; until
 * a second client has the exact final text. A Durable Object that receives every message and does nothing
 * ("sink") is the platform's own price.
 */

import { ROOT, type Trace, textOf, traceOf } from "../edits.ts"
import { disconnectAll, LoadClient } from "../load-client.ts"
import { freshDocument, mustEqual, type Outcome, type Scenario, settled, until } from "../scenario.ts"
import { type Server, startServer } from "../servers.ts"
import { Receiver } from "../tally.ts"

const LIMIT_MS = 60_000
/** No more than this waits in the client's socket: the rest is the server's to take. */
const WAITING_BYTES = 256 * 1024
const SENDS_A_TURN = 200

async function sendAll(client: LoadClient, trace: Trace, deadlineMs: number): Promise<boolean> {
  const { updates } = trace
  for (let i = 0; i < updates.length; ) {
    for (const end = Math.min(i + SENDS_A_TURN, updates.length); i < end; i++) client.send(2, updates[i]!)
    do {
      if (client.closed !== null || performance.now() > deadlineMs) return false
      await new Promise((resolve) => setImmediate(resolve))
    } while (client.waitingBytes > WAITING_BYTES)
  }
  return true
}

async function traceIntoSink(server: Server, trace: Trace): Promise<Outcome> {
  let echoed = false
  const client = await LoadClient.connect(server, "trace", {
    listener: () => {
      echoed = true
    },
  })
  const startedAtMs = performance.now()
  await sendAll(client, trace, startedAtMs + LIMIT_MS)
  client.sendText("end")
  if (!(await until(() => echoed, LIMIT_MS))) throw new Error("the sink did not answer")
  const seconds = (client.lastTextAtMs - startedAtMs) / 1000
  await client.leave()
  return { figures: { editsPerSecond: trace.updates.length / seconds, seconds } }
}

async function traceThrough(server: Server, trace: Trace): Promise<Outcome> {
  const receiver = new Receiver()
  const reading = await LoadClient.connect(server, "trace", { listener: receiver.listener })
  receiver.client = reading
  const writing = await LoadClient.connect(server, "trace")

  const startedAtMs = performance.now()
  const deadlineMs = startedAtMs + LIMIT_MS
  const sent = await sendAll(writing, trace, deadlineMs)
  let text = ""
  const complete =
    sent &&
    (await settled(
      () => receiver.lastAtMs,
      () => {
        text = textOf(receiver.updates())
        return text === trace.text
      },
      { quietMs: 500, limitMs: deadlineMs - performance.now() },
    ))
  if (writing.closed !== null) {
    throw new Error(`the writer was closed with ${writing.closed.code} ${writing.closed.reason}`)
  }
  if (!complete) {
    if (receiver.frames > 0 && sent && performance.now() < deadlineMs) {
      mustEqual("the receiver's text", text, trace.text)
    }
    receiver.digest()
    const clock = receiver.clocks.get(1) ?? 0
    await disconnectAll([writing, reading])
    const seconds = LIMIT_MS / 1000
    return {
      // The clock counts inserted letters only, so this is a little less than the edits that came.
      figures: { editsPerSecond: trace.updates.length / seconds, seconds },
      cutOff: `after ${seconds} s the receiver had the first ${clock} letters`,
    }
  }
  const seconds = (receiver.lastAtMs - startedAtMs) / 1000
  if (server.system.dialect.answers) {
    const doc = await freshDocument(server, "trace")
    mustEqual("a fresh client's text", doc.getText(ROOT).toString(), trace.text)
  }
  await disconnectAll([writing, reading])
  return { figures: { editsPerSecond: trace.updates.length / seconds, seconds, frames: receiver.frames } }
}

export const trace: Scenario = {
  name: "trace",
  title:
    "a real paper, 259,778 single edits through one socket: edits/s until a second client has the exact text",
  systems: ["yurt", "y-partyserver", "relay", "sink", "y-websocket", "hocuspocus"],
  headline: { figure: "editsPerSecond", better: "more" },
  maxRounds: 2,
  limitMs: 150_000,
  needsData: true,
  async measure({ system, quick, data }) {
    const prepared = await traceOf(data!, quick ? 10_000 : undefined)
    await using server = await startServer(system)
    return system.name === "sink"
      ? await traceIntoSink(server, prepared)
      : await traceThrough(server, prepared)
  },
}
