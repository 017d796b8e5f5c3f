/** What Tiptap and ProseMirror's own schemas call the nodes and marks of a document. */
import type { Marks } from "../export/blocks.ts"

/** The names of one schema; null: it has no such node. */
export interface Names {
  readonly paragraph: string
  readonly code: { readonly type: string; readonly language: string }
  readonly bullets: string
  readonly numbers: { readonly type: string; readonly start: string }
  readonly item: string
  readonly tasks: { readonly list: string; readonly item: string } | null
  readonly rule: string
  readonly lineBreak: string | null
  /** Whether an image stands among blocks or in a line. */
  readonly image: { readonly block: boolean } | null
  readonly table: {
    readonly type: string
    readonly row: string
    readonly cell: string
    readonly header: string
  } | null
  readonly marks: { readonly [Mark in keyof Marks]?: string }
}

/** Tiptap's, of the StarterKit and its extensions for tasks, tables and images. @source Tiptap 3.31 */
export const TIPTAP: Names = {
  paragraph: "paragraph",
  code: { type: "codeBlock", language: "language" },
  bullets: "bulletList",
  numbers: { type: "orderedList", start: "start" },
  item: "listItem",
  tasks: { list: "taskList", item: "taskItem" },
  rule: "horizontalRule",
  lineBreak: "hardBreak",
  image: { block: true },
  table: { type: "table", row: "tableRow", cell: "tableCell", header: "tableHeader" },
  marks: {
    ...{
      bold: "bold",
      italic: "italic",
      strike: "strike",
      underline: "underline",
      code: "code",
      link: "link",
    },
    ...{ subscript: "subscript", superscript: "superscript", highlight: "highlight" },
  },
}

/** Those of prosemirror-markdown: the basic schema and its lists. @source prosemirror-markdown 1.13 */
export const PROSEMIRROR: Names = {
  paragraph: "paragraph",
  code: { type: "code_block", language: "params" },
  bullets: "bullet_list",
  numbers: { type: "ordered_list", start: "order" },
  item: "list_item",
  tasks: null,
  rule: "horizontal_rule",
  lineBreak: "hard_break",
  image: { block: false },
  table: null,
  marks: { bold: "strong", italic: "em", code: "code", link: "link" },
}
