/** What a text says first: its name, where it has no other. */
import * as Y from "yjs"

/** The first line with words, without Markdown's signs at its beginning; "" where there is none. */
export function firstLine(text: string): string {
  for (const line of text.split("\n")) {
    const words = line.replace(/^[\s#>*+-]+/, "").trim()
    if (words !== "") return words
  }
  return ""
}

/** The first block with words of a text of Lexical's. */
export function firstBlock(root: Y.XmlText): string {
  for (const { insert } of root.toDelta() as { insert: unknown }[]) {
    const words = insert instanceof Y.XmlText ? wordsOf(insert).trim() : ""
    if (words !== "") return words
  }
  return ""
}

/** The first text with words of a fragment: ProseMirror's, Tiptap's or BlockNote's. */
export function firstText(fragment: Y.XmlFragment): string {
  for (const node of fragment.toArray()) {
    const words =
      node instanceof Y.XmlText ? wordsOf(node).trim() : node instanceof Y.XmlElement ? firstText(node) : ""
    if (words !== "") return words
  }
  return ""
}

function wordsOf(block: Y.XmlText): string {
  return (block.toDelta() as { insert: unknown }[])
    .map(({ insert }) =>
      typeof insert === "string" ? insert : insert instanceof Y.XmlText ? wordsOf(insert) : "",
    )
    .join("")
}
