/** A text of the document in an ordinary text field: what is typed here goes there, and what others write appears. */
import type * as Y from "yjs"

/** A change of a string: so many characters at a place are replaced. */
export interface Splice {
  readonly at: number
  readonly remove: number
  readonly insert: string
}

/**
 * Bind a field to a text.
 * @param origin of the field's transactions, for an undo manager
 * @returns a function that ends it
 */
export function bindField(
  field: HTMLTextAreaElement | HTMLInputElement,
  text: Y.Text,
  origin: unknown,
): () => void {
  /** What field and text both said, the last time they said the same. */
  let common = text.toString()
  // A field in which an input method composes must not be touched from outside.
  let composes = false
  let writes = false
  field.value = common

  const meet = (): void => {
    if (composes) return
    const mine = spliceBetween(common, field.value)
    const theirs = spliceBetween(common, text.toString())
    if (mine !== null) {
      const at = theirs === null ? mine.at : shift(mine.at, theirs)
      const remove = Math.min(mine.remove, text.length - at)
      writes = true
      text.doc?.transact(() => {
        if (remove > 0) text.delete(at, remove)
        if (mine.insert !== "") text.insert(at, mine.insert)
      }, origin)
      writes = false
    }
    common = text.toString()
    if (field.value === common) return
    const change = theirs ?? { at: common.length, remove: 0, insert: "" }
    const [start, end] = [shift(field.selectionStart ?? 0, change), shift(field.selectionEnd ?? 0, change)]
    field.value = common
    // To select in a field is to focus it, in some browsers.
    if (document.activeElement === field) field.setSelectionRange(start, end)
  }
  const begin = (): void => {
    composes = true
  }
  const end = (): void => {
    composes = false
    meet()
  }
  field.addEventListener("input", meet)
  field.addEventListener("compositionstart", begin)
  field.addEventListener("compositionend", end)
  const hear = (): void => {
    if (!writes) meet()
  }
  text.observe(hear)
  return () => {
    field.removeEventListener("input", meet)
    field.removeEventListener("compositionstart", begin)
    field.removeEventListener("compositionend", end)
    text.unobserve(hear)
  }
}

/** The one change that makes `to` of `from`; null where they are the same. Never between the two halves of a character. */
export function spliceBetween(from: string, to: string): Splice | null {
  if (from === to) return null
  const shorter = Math.min(from.length, to.length)
  let start = 0
  while (start < shorter && from[start] === to[start]) start++
  if (start > 0 && isHighHalf(from, start - 1)) start--
  let end = 0
  while (end < shorter - start && from.at(-1 - end) === to.at(-1 - end)) end++
  if (end > 0 && isHighHalf(from, from.length - end - 1)) end--
  return { at: start, remove: from.length - start - end, insert: to.slice(start, to.length - end) }
}

/** Where an index of the text is after a change of it. */
function shift(index: number, { at, remove, insert }: Splice): number {
  if (index <= at) return index
  return Math.max(at, index - remove) + insert.length
}

function isHighHalf(text: string, index: number): boolean {
  const code = text.charCodeAt(index)
  return code >= 0xd800 && code < 0xdc00
}
