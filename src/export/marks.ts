/** What the editors call the marks of a text. */
import type { Marks } from "./blocks.ts"
import type { TreeNode } from "./tree.ts"

/** Lexical keeps a text's format as a number. @source lexical 0.52, LexicalConstants: bits 0–7 in this order */
const LEXICAL_FORMAT = [
  "bold",
  "italic",
  "strike",
  "underline",
  "code",
  "subscript",
  "superscript",
  "highlight",
] as const

/** Names of a mark in ProseMirror, Tiptap, BlockNote, Quill and Slate. */
const MARKS: ReadonlyMap<string, keyof Omit<Marks, "link">> = new Map([
  ["bold", "bold"],
  ["strong", "bold"],
  ["b", "bold"],
  ["italic", "italic"],
  ["em", "italic"],
  ["strike", "strike"],
  ["strikethrough", "strike"],
  ["underline", "underline"],
  ["code", "code"],
  ["subscript", "subscript"],
  ["superscript", "superscript"],
  ["highlight", "highlight"],
])

/** The marks of a text in a tree. */
export function readNodeMarks({ attrs, marks = {} }: TreeNode): Marks {
  const found = readMarks(marks)
  // V1 writes the format beside the text, V2 as the property `__format` of its attribute `p`.
  const format = Number(attrs.format ?? Object(marks.p).__format ?? 0)
  for (const [bit, name] of LEXICAL_FORMAT.entries())
    if (format & (1 << bit)) Object.assign(found, { [name]: true })
  return found
}

/** The marks among the attributes of a run; an unknown attribute is none. */
export function readMarks(attributes: Readonly<Record<string, unknown>>): Marks {
  const marks: { -readonly [Name in keyof Marks]: Marks[Name] } = {}
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === false) continue
    // y-prosemirror tells marks of one name apart, which a text can have twice, by a hash at the end.
    const name = key.toLowerCase().replace(/--[\w+/=]{8}$/i, "")
    const mark = MARKS.get(name)
    if (mark !== undefined) marks[mark] = true
    else if (name === "link" || name === "a") marks.link = String(Object(value).href ?? value)
    else if (name === "script") marks[value === "sub" ? "subscript" : "superscript"] = true
  }
  return marks
}
