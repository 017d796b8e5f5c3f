/**
 * The smallest difference between two lists or two texts, so that a change says what changed and nothing else: what other
 * people write meanwhile beside it stays.
 *
 * Myers' greedy algorithm, which finds the fewest edits. Its work grows with their number, so it is given up where there
 * are many: then the whole middle that differs is one edit. A text is compared by lines, then each stretch that differs by
 * words, and each of these by characters, so a few changes in a long text are found wherever they lie.
 *
 * @source E. Myers, An O(ND) Difference Algorithm and Its Variations, 1986
 */

/** Replace `old[at, at + remove)` by `next[from, to)`. */
export interface Edit {
  readonly at: number
  readonly remove: number
  readonly from: number
  readonly to: number
}

/** Replace `remove` UTF-16 units at `at` by a text. */
export interface TextEdit {
  readonly at: number
  readonly remove: number
  readonly insert: string
}

/** More edits than this are not looked for: the trace of a search takes memory in the square of them. */
const MAX_EDITS = 600

/** Longer stretches are not compared by characters, UTF-16 units: a place takes 8 bytes and more. */
const MAX_CHARACTERS = 200_000

/**
 * The edits that make one list the other, from left to right, in places of the old one.
 *
 * @example differ(["a", "b", "d"], ["a", "c", "d"]) // [{ at: 1, remove: 1, from: 1, to: 2 }]
 */
export function differ(old: readonly unknown[], next: readonly unknown[]): Edit[] {
  let start = 0
  const shorter = Math.min(old.length, next.length)
  while (start < shorter && old[start] === next[start]) start++
  let end = 0
  while (end < shorter - start && old[old.length - 1 - end] === next[next.length - 1 - end]) end++
  const [oldEnd, nextEnd] = [old.length - end, next.length - end]
  if (start === oldEnd && start === nextEnd) return []
  const whole: Edit = { at: start, remove: oldEnd - start, from: start, to: nextEnd }
  if (start === oldEnd || start === nextEnd) return [whole]
  return search(old.slice(start, oldEnd), next.slice(start, nextEnd), start) ?? [whole]
}

/** @returns null where there are too many edits */
function search(old: readonly unknown[], next: readonly unknown[], offset: number): Edit[] | null {
  const [n, m] = [old.length, next.length]
  const most = Math.min(n + m, MAX_EDITS)
  // furthest[k + d]: how far in `old` a path with d edits comes on the diagonal k.
  const trace: Int32Array[] = []
  let furthest = new Int32Array(3)
  for (let d = 0; d <= most; d++) {
    const reached = new Int32Array(2 * d + 3)
    for (let k = -d; k <= d; k += 2) {
      const down = k === -d || (k !== d && at(furthest, d - 1, k - 1) < at(furthest, d - 1, k + 1))
      let x = d === 0 ? 0 : down ? at(furthest, d - 1, k + 1) : at(furthest, d - 1, k - 1) + 1
      while (x < n && x - k < m && old[x] === next[x - k]) x++
      reached[k + d + 1] = x
      if (x >= n && x - k >= m) return walkBack(trace, { d, n, m, offset })
    }
    trace.push(reached)
    furthest = reached
  }
  return null
}

function at(furthest: Int32Array, d: number, k: number): number {
  return furthest[k + d + 1]!
}

function walkBack(
  trace: readonly Int32Array[],
  { d: edits, n, m, offset }: { d: number; n: number; m: number; offset: number },
): Edit[] {
  const found: { at: number; remove: number; from: number; to: number }[] = []
  let [x, y] = [n, m]
  for (let d = edits; d > 0; d--) {
    const before = trace[d - 1]!
    const k = x - y
    const down = k === -d || (k !== d && at(before, d - 1, k - 1) < at(before, d - 1, k + 1))
    const fromX = down ? at(before, d - 1, k + 1) : at(before, d - 1, k - 1)
    const fromY = fromX - (down ? k + 1 : k - 1)
    const next = found.at(-1)
    const [endX, endY] = down ? [fromX, fromY + 1] : [fromX + 1, fromY]
    // Edits that touch are one.
    if (next !== undefined && next.at === endX + offset && next.from === endY + offset) {
      next.at = fromX + offset
      next.from = fromY + offset
      next.remove += endX - fromX
    } else
      found.push({
        at: fromX + offset,
        remove: endX - fromX,
        from: fromY + offset,
        to: endY + offset,
      })
    x = fromX
    y = fromY
  }
  return found.reverse()
}

/** How finely a text is taken apart, one after the other; joined, the parts are the text. */
const GRAINS: readonly ((text: string) => string[])[] = [
  (text) => text.split(/(?<=\n)/),
  (text) => text.split(/(?<=\s)(?=\S)/),
  (text) => (text.length > MAX_CHARACTERS ? [text] : Array.from(text)),
]

/**
 * The edits that make one text the other, from left to right, in places of the old one. None splits a character.
 *
 * @example differText("a cat", "a hat") // [{ at: 2, remove: 1, insert: "h" }]
 */
export function differText(old: string, next: string): TextEdit[] {
  return old === next ? [] : compare(old, next, 0)
}

function compare(old: string, next: string, grain: number): TextEdit[] {
  const takeApart = GRAINS[grain]
  if (takeApart === undefined || old === "" || next === "")
    return [{ at: 0, remove: old.length, insert: next }]
  const [parts, nextParts] = [takeApart(old), takeApart(next)]
  const edits: TextEdit[] = []
  let [part, offset] = [0, 0]
  for (const { at, remove, from, to } of differ(parts, nextParts)) {
    for (; part < at; part++) offset += parts[part]!.length
    const gone = parts.slice(at, at + remove).join("")
    for (const edit of compare(gone, nextParts.slice(from, to).join(""), grain + 1))
      edits.push({ ...edit, at: offset + edit.at })
  }
  return edits
}
