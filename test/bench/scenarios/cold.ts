/**
 * Cold: a document is stored, the server is ended and started again on the same storage, and a fresh client asks
 * for everything: ms from connecting until the last byte of the whole document has come. Building the Y.Doc from
 * those bytes is the client's own work, the same everywhere, and is given apart.
 */

import { setTimeout as pause } from "node:timers/promises"
import * as Y from "yjs"
import { bigDocument, ROOT, traceOf } from "../edits.ts"
import { LoadClient } from "../load-client.ts"
import { mustEqual, type Outcome, type Scenario, type Setting, until } from "../scenario.ts"
import { type Server, startServer } from "../servers.ts"

const RESTARTS = 3
/** The peers save some time after an edit (2 s of silence by default) and do not say when: this is enough. */
const SAVE_MS = 5_000
const ARRIVAL_LIMIT_MS = 15_000

/** Put a document into a room and leave it there, stored as well as the system stores. */
async function store(server: Server, id: string, document: Uint8Array): Promise<void> {
  if (server.system.name === "sink") {
    const client = await LoadClient.connect(server, id)
    client.sendText(`fill ${document.length}`)
    await until(() => client.lastTextAtMs > 0, 10_000)
    return await client.leave()
  }
  let durable = false
  const client = await LoadClient.connect(server, id, {
    listener: (kind) => {
      durable ||= kind === "echo"
    },
  })
  client.send(2, document)
  if (server.system.name === "yurt") {
    client.askEcho(1)
    await until(() => durable, SAVE_MS)
  } else {
    await pause(SAVE_MS)
  }
  await client.leave()
  // What happens when the last one leaves (a snapshot, a save) may happen.
  await pause(1_500)
}

/** Ask for everything. @returns the document's bytes as they came, and how long that took */
async function fetchAll(
  server: Server,
  id: string,
  enough: number,
): Promise<{ ms: number; updates: Uint8Array[] }> {
  const parts: Array<{ kind: "step2" | "update"; frame: Buffer }> = []
  let bytes = 0
  const startedAtMs = performance.now()
  let endedAtMs = startedAtMs
  const client = await LoadClient.connect(server, id, {
    listener: (kind, frame) => {
      if (server.system.name !== "sink" && kind !== "step2" && kind !== "update") return
      parts.push({ kind: kind === "step2" ? kind : "update", frame })
      bytes += frame.length
      endedAtMs = performance.now()
    },
  })
  if (server.system.name === "sink") client.sendText("send")
  // A document can come in several frames: wait for about as many bytes as were stored.
  await until(() => bytes >= enough, server.system.name === "sink" ? ARRIVAL_LIMIT_MS : 2_000)
  const updates =
    server.system.name === "sink" ? [] : parts.map(({ kind, frame }) => client.payload(kind, frame))
  await client.leave()
  return { ms: endedAtMs - startedAtMs, updates }
}

async function measureCold(setting: Setting, document: Uint8Array): Promise<Outcome> {
  await using server = await startServer(setting.system)
  const expectedDoc = new Y.Doc()
  Y.applyUpdate(expectedDoc, document)
  const expected = expectedDoc.getText(ROOT).toString()
  await store(server, "cold", document)

  const arrivals: number[] = []
  const applications: number[] = []
  for (let i = 0; i < (setting.quick ? 1 : RESTARTS); i++) {
    await server.stop()
    await server.start()
    // Less than was sent is possible (another encoding of the same state), but not by half.
    const { ms, updates } = await fetchAll(server, "cold", document.length / 2)
    arrivals.push(ms)
    if (setting.system.name === "sink") continue
    const doc = new Y.Doc()
    const startedAtMs = performance.now()
    for (const update of updates) Y.applyUpdate(doc, update)
    applications.push(performance.now() - startedAtMs)
    mustEqual("after the restart, a fresh client's text", doc.getText(ROOT).toString(), expected)
  }
  const middle = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1]!
  const figures: Record<string, number> = { arrivalMs: middle(arrivals) }
  if (applications.length > 0) figures.applyMs = middle(applications)
  return { figures }
}

export const coldPaper: Scenario = {
  name: "cold-paper",
  title: "the paper's document after a restart: ms from connecting to its last byte",
  systems: ["yurt", "y-partyserver", "sink", "hocuspocus"],
  headline: { figure: "arrivalMs", better: "less" },
  maxRounds: 2,
  limitMs: 90_000,
  needsData: true,
  measure: async (setting) => await measureCold(setting, (await traceOf(setting.data!)).document),
}

export const coldBig: Scenario = {
  name: "cold-10mb",
  title: "a 10 MB document after a restart: ms from connecting to its last byte",
  systems: ["yurt", "y-partyserver", "sink", "hocuspocus"],
  headline: { figure: "arrivalMs", better: "less" },
  maxRounds: 2,
  limitMs: 90_000,
  measure: async (setting) => await measureCold(setting, await bigDocument()),
}
