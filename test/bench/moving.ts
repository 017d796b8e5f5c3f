/**
 * How long a move takes: documents out of a Hocuspocus SQLite file and out of a product's REST, into `yurt serve` on this
 * machine, and back out.
 *
 *     node test/bench/moving.ts [1000]
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Y from "yjs"
import { writeHocuspocusSqlite } from "../../src/cli/layouts/hocuspocus-sqlite.ts"
import { runYurt } from "../kit/command.ts"
import { type KeptDocument, startTiptap } from "../kit/old-servers.ts"
import { below, seededRandom } from "../kit/random.ts"
import { SelfHosted } from "../kit/self-hosted.ts"
import { until } from "../kit/until.ts"

const SECRET = "k4Zr8wq1Tn6vYb3mXc9sLd2pGf7hJj5u"
const WORDS = "a page that some people write together in an afternoon and read again later".split(" ")
const WRITES = 600
const VERSIONS = 3

const count = Number(process.argv[2] ?? 1_000)
const random = seededRandom("moving", 1)
const folder = mkdtempSync(join(tmpdir(), "yurt-moving-"))

/** A page of 600 words, a fifth of it deleted again, with three versions an hour apart. */
function makeDocument(n: number): KeptDocument {
  const doc = new Y.Doc()
  doc.clientID = n + 1
  const text = doc.getText("text")
  const versions: { at: string; bytes: Uint8Array }[] = []
  for (let i = 1; i <= WRITES; i++) {
    text.insert(below(random, text.length + 1), `${WORDS[below(random, WORDS.length)]} `)
    if (i % 5 === 0) text.delete(0, 3)
    if (i % (WRITES / VERSIONS) === 0)
      versions.push({
        at: new Date(Date.UTC(2026, 0, 1, versions.length)).toISOString(),
        bytes: Y.encodeStateAsUpdate(doc),
      })
  }
  return { now: Y.encodeStateAsUpdate(doc), versions }
}

const documents = new Map(Array.from({ length: count }, (_, n) => [`team/doc ${n}`, makeDocument(n)]))
const bytes = [...documents.values()].reduce((sum, { now }) => sum + now.length, 0)
const store = await writeHocuspocusSqlite(join(folder, "old.sqlite"), {})
for (const [id, { now }] of documents) await store.write(id, now)
await store.close()
console.log(`${count} documents, ${(bytes / count / 1000).toFixed(1)} KB each`)

const server = await SelfHosted.start({ AUTH_SECRET: SECRET, LIMIT_FLUSH_MS: "1" })
const old = await startTiptap(documents)

async function time(what: string, ...line: string[]): Promise<string> {
  const begin = performance.now()
  const { stderr } = await runYurt(line, { folder, env: { AUTH_SECRET: SECRET, TIPTAP_TOKEN: "tiptap" } })
  const said = stderr
    .trim()
    .split("\n")
    .filter((text) => !text.includes("a second:"))
  console.log(`${what.padEnd(44)} ${((performance.now() - begin) / 1000).toFixed(1)} s  ${said.join(" ")}`)
  return stderr
}

const from = ["import", "hocuspocus-sqlite", "old.sqlite", "--to", server.url]
await time("hocuspocus-sqlite", ...from)
await time("the same again: nothing has changed", ...from)
await time("the same, and every document verified", ...from, "--verify")
const cloud = ["import", "tiptap-cloud", old.url, "--to", server.url, "--prefix", "cloud/"]
await time(`tiptap-cloud, ${VERSIONS} versions each, verified`, ...cloud, "--verify")
const back = ["export", "--from", server.url, "--to", "back.sqlite", "--layout", "hocuspocus-sqlite"]
await until(
  async () => (await time("back into hocuspocus-sqlite", ...back, "--prefix", "team/")).includes(`${count} `),
  "every document is listed",
)
await old.close()
await server.stop()
rmSync(folder, { recursive: true, force: true })
