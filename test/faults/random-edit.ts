/** A random edit of any shared type, nested ones too: what the convergence fuzz makes of its random numbers. */
import * as prng from "lib0/prng"
import * as Y from "yjs"
import { rootsOf } from "../kit/updates.ts"

const WORDS = ["a", "yurt ", "ß", "漢字", "🧶", "\n"]
const KEYS = ["one", "two", "three"]

/** Make one transaction of a few edits somewhere in the document. */
export function randomEdit(random: prng.PRNG, doc: Y.Doc): void {
  doc.transact(() => {
    const edits = prng.int32(random, 1, 3)
    for (let i = 0; i < edits; i++) edit(random, prng.oneOf(random, rootsOf(doc)))
  })
}

function edit(random: prng.PRNG, type: unknown): void {
  if (type instanceof Y.Map) {
    const key = prng.oneOf(random, KEYS)
    const held = type.get(key)
    if (held instanceof Y.AbstractType && prng.bool(random)) edit(random, held)
    else if (prng.int32(random, 0, 4) === 0) type.delete(key)
    else type.set(key, child(random))
    return
  }
  if (type instanceof Y.Text) {
    const at = prng.int32(random, 0, type.length)
    const length = Math.min(prng.int32(random, 1, 3), type.length - at)
    const kind = prng.int32(random, 0, 5)
    if (kind === 0 && length > 0) type.delete(at, length)
    else if (kind === 1 && length > 0) type.format(at, length, { bold: prng.bool(random) ? true : null })
    else if (kind === 2) type.insertEmbed(at, { image: prng.word(random) })
    else type.insert(at, prng.oneOf(random, WORDS))
    return
  }
  if (!(type instanceof Y.Array || type instanceof Y.XmlFragment)) return
  const at = prng.int32(random, 0, type.length)
  const held = at < type.length ? type.get(at) : undefined
  if (held instanceof Y.AbstractType && prng.bool(random)) edit(random, held)
  else if (held !== undefined && prng.int32(random, 0, 3) === 0) type.delete(at, 1)
  else if (type instanceof Y.Array) type.insert(at, [child(random)])
  else if (type instanceof Y.XmlElement && prng.bool(random)) type.setAttribute("id", prng.word(random))
  else type.insert(at, [prng.bool(random) ? new Y.XmlElement("p") : new Y.XmlText(prng.word(random))])
}

function child(random: prng.PRNG): unknown {
  switch (prng.int32(random, 0, 7)) {
    case 0:
      return new Y.Map([["one", prng.word(random)]])
    case 1:
      return Y.Array.from([prng.int32(random, -9, 9)])
    case 2:
      return new Y.Text(prng.word(random))
    case 3:
      return { nested: [prng.word(random), null] }
    case 4:
      return prng.uint8Array(random, 3)
    default:
      return prng.oneOf<unknown>(random, [true, null, 0.5, -7, ...WORDS])
  }
}
