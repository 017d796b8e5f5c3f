/** A recorded editing session: real edits of a real paper, for tests that want more than a few words. */
import { existsSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { gunzipSync } from "node:zlib"
import * as prng from "lib0/prng"

/** One edit of a text, by index. */
export interface Edit {
  readonly at: number
  readonly deleted: number
  readonly inserted: string
}

/**
 * The first edits of a recorded session: `{txns: [{patches: [[at, deleted, inserted], …]}]}`, gzipped JSON, at
 * $YURT_TRACE or beside the repository. A clone has none, and gets generated ones.
 */
export function recordedEdits(count: number): Edit[] {
  const beside = fileURLToPath(new URL("../../../shared/data/automerge-paper.json.gz", import.meta.url))
  const path = process.env.YURT_TRACE ?? beside
  if (!existsSync(path)) {
    console.log(`No recorded session at ${path} (YURT_TRACE); the edits are generated.`)
    return generatedEdits(count)
  }
  const { txns } = JSON.parse(gunzipSync(readFileSync(path)).toString()) as {
    txns: { patches: [number, number, string][] }[]
  }
  return txns
    .flatMap(({ patches }) => patches)
    .slice(0, count)
    .map(([at, deleted, inserted]) => ({ at, deleted, inserted }))
}

/** Someone types, goes elsewhere now and then, and takes back one letter in ten. */
function generatedEdits(count: number): Edit[] {
  const random = prng.create(20261122)
  let length = 0
  let caret = 0
  return Array.from({ length: count }, () => {
    if (prng.int32(random, 0, 30) === 0) caret = prng.int32(random, 0, length)
    if (caret > 0 && prng.int32(random, 0, 9) === 0) {
      caret--
      length--
      return { at: caret, deleted: 1, inserted: "" }
    }
    length++
    return { at: caret++, deleted: 0, inserted: prng.word(random, 1, 1) }
  })
}

/** The text that the edits amount to. */
export function replayed(edits: readonly Edit[]): string {
  return edits.reduce(
    (text, { at, deleted, inserted }) => text.slice(0, at) + inserted + text.slice(at + deleted),
    "",
  )
}
