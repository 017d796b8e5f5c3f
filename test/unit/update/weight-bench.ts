/**
 * What a document takes in memory beside what the vet estimates: `node --expose-gc test/unit/update/weight-bench.ts`.
 *
 * For each shape: bytes of the update, live heap (and buffers) of the Y.Doc that it makes, and by how much the `weight` of
 * the verdict and `weightOf` exceed that. Most shapes arrive as one update; "typed" ones a keystroke at a time.
 */
import * as prng from "lib0/prng"
import * as Y from "yjs"
import { createDocument, weightOf } from "../../../src/update/settle.ts"
import { vet } from "../../../src/update/vet.ts"

if (globalThis.gc === undefined) throw new Error("run with --expose-gc")
const collect = globalThis.gc

function live(): number {
  for (let i = 0; i < 4; i++) collect()
  // Long strings and buffers lie outside of the heap.
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/** Half of all client ids are above 2^31, and such numbers take memory of their own; `--small` is one of the others. */
const clientId = process.argv.includes("--small") ? 1_000_000_001 : 4_000_000_001

/** The updates by which a document of this shape comes about: its state, or each of its changes. */
function made(fill: (doc: Y.Doc) => void, { oneByOne = false } = {}): Uint8Array[] {
  const doc = new Y.Doc()
  doc.clientID = clientId
  const updates: Uint8Array[] = []
  if (oneByOne) doc.on("update", (update: Uint8Array) => updates.push(update))
  if (oneByOne) fill(doc)
  else doc.transact(() => fill(doc))
  return oneByOne ? updates : [Y.encodeStateAsUpdate(doc)]
}

function measure(name: string, updates: Uint8Array[]): void {
  let weight = 0
  let bytes = 0
  const known = new Map<number, number>()
  for (const update of updates) {
    const verdict = vet(update, known)
    if (verdict.kind === "refuse") throw new Error(`${name}: ${verdict.reason}`)
    weight += verdict.weight
    bytes += update.length
    for (const { client, end } of verdict.sections) known.set(client, end)
  }
  const before = live()
  const doc = createDocument()
  for (const update of updates) Y.applyUpdate(doc, update)
  const heap = live() - before
  const times = (estimate: number) => `× ${(estimate / heap).toFixed(2)}`
  const mb = (size: number) => `${(size / 1e6).toFixed(1)} MB`
  console.log(
    `${name.padEnd(28)} ${mb(bytes).padStart(9)} ${mb(heap).padStart(9)}   vet ${times(weight)}   document ${times(weightOf(doc))}`,
  )
}

const random = prng.create(1)
const SIZE = 40_000

measure(
  "plain text",
  made((doc) => doc.getText("t").insert(0, "lorem ipsum ".repeat(SIZE * 20))),
)
measure(
  "text in many scripts",
  made((doc) => doc.getText("t").insert(0, "漢字 Grüße ".repeat(SIZE * 10))),
)
measure(
  "scattered letters",
  made((doc) => {
    const text = doc.getText("t")
    for (let i = 0; i < SIZE; i++) text.insert(prng.int32(random, 0, Math.min(text.length, 400)), "x")
  }),
)
measure(
  "scattered letters, typed",
  made(
    (doc) => {
      const text = doc.getText("t")
      for (let i = 0; i < SIZE / 2; i++) text.insert(prng.int32(random, 0, Math.min(text.length, 400)), "x")
    },
    { oneByOne: true },
  ),
)
measure(
  "deleted here and there, typed",
  made(
    (doc) => {
      const text = doc.getText("t")
      text.insert(0, "lorem ipsum ".repeat(4000))
      for (let i = 0; i < SIZE / 2; i++)
        text.delete(text.length - 1 - 2 * i > 0 ? text.length - 1 - 2 * i + i : 0, 1)
    },
    { oneByOne: true },
  ),
)
measure(
  "map entries",
  made((doc) => {
    for (let i = 0; i < SIZE * 2; i++) doc.getMap("m").set(`key-${i}`, i)
  }),
)
measure(
  "rows {x, y} as Y.Map",
  made((doc) => {
    const rows = Array.from(
      { length: SIZE },
      (_, i) =>
        new Y.Map<number>([
          ["x", i / 3],
          ["y", i],
        ]),
    )
    doc.getArray("rows").push(rows)
  }),
)
measure(
  "rows as plain objects",
  made((doc) => {
    doc.getArray("rows").push(Array.from({ length: SIZE }, (_, i) => ({ x: i / 3, y: i, name: `row ${i}` })))
  }),
)
measure(
  "empty objects in an array",
  made((doc) => doc.getArray("a").push(Array.from({ length: SIZE * 10 }, () => ({})))),
)
measure(
  "small integers in an array",
  made((doc) => doc.getArray("a").push(Array.from({ length: SIZE * 10 }, (_, i) => i))),
)
measure(
  "fractions in an array",
  made((doc) => doc.getArray("a").push(Array.from({ length: SIZE * 10 }, (_, i) => i / 7))),
)
measure(
  "lists in a list",
  made((doc) => doc.getArray("a").push([Array.from({ length: SIZE * 10 }, () => [])])),
)
measure(
  "short words in an array",
  made((doc) => doc.getArray("a").push(Array.from({ length: SIZE * 4 }, (_, i) => `w${i}`))),
)
measure(
  "one object of many keys",
  made((doc) =>
    doc.getMap("m").set("k", Object.fromEntries(Array.from({ length: SIZE * 2 }, (_, i) => [`key ${i}`, i]))),
  ),
)
measure(
  "small embeds",
  made((doc) => {
    for (let i = 0; i < SIZE; i++) doc.getText("t").insertEmbed(0, { src: `image-${i}.png`, size: [i, 2] })
  }),
)
measure(
  "an embed of empty objects",
  made((doc) => doc.getText("t").insertEmbed(0, { list: Array.from({ length: SIZE * 10 }, () => ({})) })),
)
measure(
  "an embed of numbers",
  made((doc) => doc.getText("t").insertEmbed(0, { list: Array.from({ length: SIZE * 10 }, (_, i) => i) })),
)
measure(
  "formats",
  made((doc) => {
    const text = doc.getText("t")
    text.insert(0, "x".repeat(2 * SIZE))
    for (let i = 0; i < SIZE; i += 4)
      text.format(i, 2, { bold: true, link: { href: `https://example.org/${i}` } })
  }),
)
measure(
  "paragraphs",
  made((doc) => {
    const all = Array.from({ length: SIZE / 2 }, (_, i) => {
      const element = new Y.XmlElement("paragraph")
      element.setAttribute("id", String(i))
      element.insert(0, [new Y.XmlText("some words in a paragraph")])
      return element
    })
    doc.getXmlFragment("x").insert(0, all)
  }),
)
measure(
  "bytes",
  made((doc) => doc.getArray("a").push(Array.from({ length: SIZE }, () => new Uint8Array(40)))),
)
measure(
  "subdocuments",
  made((doc) => doc.getArray<Y.Doc>("a").push(Array.from({ length: SIZE / 10 }, () => new Y.Doc()))),
)
measure(
  "objects of a name of their own",
  made((doc) => doc.getArray("a").push(Array.from({ length: SIZE }, (_, i) => ({ [`name ${i}`]: true })))),
)
