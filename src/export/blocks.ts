/**
 * The words that Markdown, HTML and text share for a rich-text document: blocks that hold lines of inlines.
 */

/** How characters look and where they lead. */
export interface Marks {
  readonly bold?: boolean
  readonly italic?: boolean
  readonly strike?: boolean
  readonly underline?: boolean
  readonly code?: boolean
  readonly subscript?: boolean
  readonly superscript?: boolean
  readonly highlight?: boolean
  /** An address as it was written; the writers decide which they trust. */
  readonly link?: string
}

/** A piece of a line. */
export type Inline =
  | { readonly kind: "text"; readonly text: string; readonly marks: Marks }
  | { readonly kind: "break" }
  | { readonly kind: "image"; readonly source: string; readonly alternative: string }

/** An item of a list. */
export interface ListItem {
  /** null: not a task. */
  readonly checked: boolean | null
  readonly blocks: Block[]
}

/** A cell of a table. */
export interface Cell {
  readonly header: boolean
  readonly blocks: Block[]
}

/** A piece of a document that stands on lines of its own. */
export type Block =
  | { readonly kind: "paragraph"; readonly inlines: Inline[] }
  /** `level` 1–6. */
  | { readonly kind: "heading"; readonly level: number; readonly inlines: Inline[] }
  | { readonly kind: "quote"; readonly blocks: Block[] }
  | { readonly kind: "code"; readonly language: string; readonly text: string }
  | { readonly kind: "list"; readonly ordered: boolean; readonly start: number; readonly items: ListItem[] }
  | { readonly kind: "rule" }
  | { readonly kind: "table"; readonly rows: Cell[][] }
  /** An image, or a file, a video, a sound, a page elsewhere, which are shown as a link. "" is what was not written. */
  | {
      readonly kind: "media"
      readonly image: boolean
      readonly source: string
      readonly name: string
      readonly caption: string
    }
  /** Blocks that a reader may fold away under their summary. */
  | { readonly kind: "details"; readonly summary: Inline[]; readonly blocks: Block[] }
  /** Blocks that stand one step deeper than those around them. */
  | { readonly kind: "indented"; readonly blocks: Block[] }
  /** Text that was never formatted, to be shown as it is. */
  | { readonly kind: "plain"; readonly text: string }

/** Add a block; a list goes on with the list before it where both are of one kind. */
export function pushBlock(blocks: Block[], block: Block): void {
  const last = blocks.at(-1)
  if (block.kind === "list" && last?.kind === "list" && last.ordered === block.ordered) {
    for (const item of block.items) last.items.push(item)
  } else blocks.push(block)
}

/** The characters of a line; a break is a newline, an image its alternative text. */
export function inlineText(inlines: readonly Inline[]): string {
  return inlines
    .map((inline) => {
      switch (inline.kind) {
        case "text":
          return inline.text
        case "break":
          return "\n"
        case "image":
          return inline.alternative
        default:
          throw new TypeError(`unknown inline ${inline satisfies never}`)
      }
    })
    .join("")
}
