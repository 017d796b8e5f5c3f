/**
 * What the vet costs: `node test/unit/vet-bench.ts`. Prints µs a keystroke and ms a MB: processor time,
 * so that a busy machine matters less; medians of several rounds.
 *
 * Keystrokes as a text editor sends them (at the end, and all over a text of three clients), the state of a long
 * text, and that of a rich one with many small nested types; beside each what `Y.applyUpdate` takes for the same.
 */
import * as prng from "lib0/prng"
import * as Y from "yjs"
import { vet } from "../../../src/update/vet.ts"

const ROUNDS = 9
const random = prng.create(1)

/** Processor time of this process, ms. */
function now(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

function median(times: number[]): number {
  return times.sort((a, b) => a - b)[times.length >> 1]!
}

function keystrokes(clients: number, count: number): Uint8Array[] {
  const updates: Uint8Array[] = []
  const docs = Array.from({ length: clients }, (_, i) => {
    const doc = new Y.Doc()
    doc.clientID = 1_000_000_007 * (i + 1)
    return doc
  })
  for (const doc of docs) {
    doc.on("update", (update: Uint8Array, origin: unknown) => {
      if (origin === "remote") return
      updates.push(update)
      for (const other of docs) if (other !== doc) Y.applyUpdate(other, update, "remote")
    })
  }
  for (let i = 0; i < count; i++) {
    const text = docs[prng.int32(random, 0, clients - 1)]!.getText("text")
    const at = clients === 1 ? text.length : prng.int32(random, 0, text.length)
    if (text.length > 10 && i % 10 === 9) text.delete(Math.min(at, text.length - 1), 1)
    else text.insert(at, prng.letter(random))
  }
  return updates
}

function benchKeystrokes(name: string, updates: Uint8Array[]): void {
  const times: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const known = new Map<number, number>()
    const start = now()
    for (const update of updates) {
      const verdict = vet(update, known)
      if (verdict.kind !== "accept") throw new Error(`${name}: ${JSON.stringify(verdict)}`)
      for (const { client, end } of verdict.sections) known.set(client, end)
    }
    times.push(now() - start)
  }
  const doc = new Y.Doc()
  const start = now()
  for (const update of updates) Y.applyUpdate(doc, update)
  const applied = now() - start
  const micros = (ms: number) => ((ms * 1000) / updates.length).toFixed(2)
  console.log(`${name}: ${micros(median(times))} µs a keystroke (applying it: ${micros(applied)} µs)`)
}

function benchState(name: string, doc: Y.Doc): void {
  const state = Y.encodeStateAsUpdate(doc)
  const times: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const start = now()
    const verdict = vet(state, new Map())
    times.push(now() - start)
    if (verdict.kind !== "accept") throw new Error(`${name}: ${JSON.stringify(verdict)}`)
  }
  const start = now()
  Y.applyUpdate(new Y.Doc(), state)
  const applied = now() - start
  const mb = state.length / 1e6
  console.log(
    `${name}, ${mb.toFixed(2)} MB: ${(median(times) / mb).toFixed(1)} ms a MB (applying it: ${(applied / mb).toFixed(0)} ms a MB)`,
  )
}

benchKeystrokes("one writer at the end", keystrokes(1, 50_000))
const spread = keystrokes(3, 20_000)
benchKeystrokes("three writers all over", spread)

const scattered = new Y.Doc()
Y.applyUpdate(scattered, Y.mergeUpdates(spread))
benchState("the text of three writers", scattered)

const long = new Y.Doc()
for (let i = 0; i < 2000; i++) long.getText("text").insert(0, `${prng.word(random, 200, 800)} — ${i}\n`)
benchState("a long text", long)

const rich = new Y.Doc()
rich.transact(() => {
  for (let i = 0; i < 6000; i++) {
    const paragraph = new Y.XmlElement("paragraph")
    const text = new Y.XmlText(prng.word(random, 20, 60))
    text.format(3, 9, { bold: true, link: { href: "https://example.org" } })
    paragraph.setAttribute("id", String(i))
    paragraph.setAttribute("align", "left")
    paragraph.insert(0, [text])
    rich.getXmlFragment("doc").insert(i, [paragraph])
  }
})
benchState("a rich text", rich)

const values = new Y.Doc()
values.transact(() => {
  for (let i = 0; i < 8000; i++)
    values.getMap<unknown>("cells").set(`cell-${i}`, { x: i, y: [i / 3, "label"], ok: true })
})
benchState("a map of 8,000 objects", values)
