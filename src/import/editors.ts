/**
 * Blocks in the JSON of an editor, so that it opens what was imported as if it had been written there. Each editor has a
 * root that it looks for, and names of its own; what it has no node for becomes what comes closest.
 */
import { SyncError } from "../errors.ts"
import type { Block, Inline, ListItem, Marks } from "../export/blocks.ts"
import type { Json } from "../export/json.ts"
import { safeImage, safeLink } from "../export/links.ts"
import { blockLines } from "../export/text.ts"
import { type Names, PROSEMIRROR, TIPTAP } from "./names.ts"

/** The editors a document can be written for. `tiptap` and `prosemirror` differ in the names of nodes. */
export const EDITORS = ["text", "tiptap", "prosemirror", "blocknote", "lexical"] as const

/** An editor's name. */
export type Editor = (typeof EDITORS)[number]

/** The root that an editor looks for where nobody has told it another. */
export const EDITOR_ROOTS: Readonly<Record<Editor, string>> = {
  text: "text",
  tiptap: "default",
  prosemirror: "prosemirror",
  blocknote: "document-store",
  lexical: "root",
}

/** What an import says of a node; other attributes that stand there (an id, an alignment) stay. */
export const IMPORTED: ReadonlySet<string> = new Set([
  ...["level", "language", "params", "start", "order", "checked", "src", "alt", "url"],
  ...["tag", "listType", "value", "format"],
])

/** The editor of this name. @throws SyncError "bad-request" that lists them */
export function parseEditor(name: string): Editor {
  const editor = EDITORS.find((one) => one === name)
  if (editor === undefined)
    throw new SyncError(
      "bad-request",
      `There is no editor ${JSON.stringify(name)}; known: ${EDITORS.join(", ")}.`,
    )
  return editor
}

/** Blocks as what a root of this editor holds, in the JSON that an export of it would give. */
export function writeForEditor(blocks: readonly Block[], editor: Editor): Json {
  switch (editor) {
    case "text":
      return blockLines(blocks).join("\n")
    case "tiptap":
      return {
        type: "doc",
        content: orEmpty(
          blocks.flatMap((block) => toNodes(block, TIPTAP)),
          "paragraph",
        ),
      }
    case "prosemirror":
      return {
        type: "doc",
        content: orEmpty(
          blocks.flatMap((block) => toNodes(block, PROSEMIRROR)),
          "paragraph",
        ),
      }
    case "blocknote": {
      const containers = blocks.flatMap(toContainers)
      const group = containers.length > 0 ? containers : [container({ type: "paragraph" }, [])]
      return { type: "doc", content: [{ type: "blockGroup", content: group }] }
    }
    case "lexical":
      return { type: "root", children: orEmpty(blocks.flatMap(toLexical), "paragraph") }
    default:
      throw new TypeError(`unknown editor ${editor satisfies never}`)
  }
}

function orEmpty(nodes: Json[], type: string): Json[] {
  return nodes.length > 0 ? nodes : [{ type }]
}

// ---- ProseMirror and Tiptap

function toNodes(block: Block, names: Names): Json[] {
  const all = (blocks: readonly Block[]) => blocks.flatMap((one) => toNodes(one, names))
  const paragraph = (inlines: readonly Inline[]): Json => node(names.paragraph, {}, toTexts(inlines, names))
  switch (block.kind) {
    case "paragraph": {
      const [only] = block.inlines
      const isImage = names.image?.block === true && block.inlines.length === 1 && only?.kind === "image"
      if (isImage) return all([media(only.source, only.alternative)])
      return [paragraph(block.inlines)]
    }
    case "heading":
      return [node("heading", { level: block.level }, toTexts(block.inlines, names))]
    case "quote":
      return [node("blockquote", {}, orEmpty(all(block.blocks), "paragraph"))]
    case "code":
      return [
        node(names.code.type, { [names.code.language]: block.language || null }, textOf(block.text, [])),
      ]
    case "list": {
      const isTasks = names.tasks !== null && block.items.some(({ checked }) => checked !== null)
      const items = block.items.map(({ checked, blocks }) => {
        const content = all(blocks)
        // An item begins with a paragraph.
        const type = (content[0] as { type?: Json } | undefined)?.type
        if (type !== "paragraph") content.unshift({ type: "paragraph" })
        if (isTasks && names.tasks !== null)
          return node(names.tasks.item, { checked: checked === true }, content)
        return node(names.item, {}, content)
      })
      if (isTasks && names.tasks !== null) return [node(names.tasks.list, {}, items)]
      if (!block.ordered) return [node(names.bullets, {}, items)]
      return [node(names.numbers.type, { [names.numbers.start]: block.start }, items)]
    }
    case "rule":
      return [node(names.rule, {}, [])]
    case "table": {
      if (names.table === null)
        return block.rows.map((row) =>
          paragraph(joinCells(row.map((cell) => blockLines(cell.blocks).join(" ")))),
        )
      const { table } = names
      const rows = block.rows.map((row) =>
        node(
          table.row,
          {},
          row.map((cell) =>
            node(cell.header ? table.header : table.cell, {}, orEmpty(all(cell.blocks), "paragraph")),
          ),
        ),
      )
      return [node(table.type, {}, rows)]
    }
    case "media": {
      const source = block.image ? safeImage(block.source) : null
      if (source !== null && names.image?.block === true)
        return [node("image", { src: source, alt: block.name || null }, [])]
      return [paragraph(linkTo(block))]
    }
    case "details":
      return [paragraph(block.summary), ...all(block.blocks)]
    case "indented":
      return all(block.blocks)
    case "plain":
      return block.text.split("\n").map((line) => paragraph(lineOf(line)))
    default:
      throw new TypeError(`unknown block ${block satisfies never}`)
  }
}

function toTexts(inlines: readonly Inline[], names: Names): Json[] {
  return inlines.flatMap((inline): Json[] => {
    switch (inline.kind) {
      case "text":
        return textOf(inline.text, toMarks(inline.marks, names))
      case "break":
        return names.lineBreak === null ? textOf("\n", []) : [{ type: names.lineBreak }]
      case "image": {
        const source = safeImage(inline.source)
        if (source !== null && names.image?.block === false)
          return [node("image", { src: source, alt: inline.alternative || null }, [])]
        return toTexts(linkTo(media(inline.source, inline.alternative)), names)
      }
      default:
        throw new TypeError(`unknown inline ${inline satisfies never}`)
    }
  })
}

function toMarks(marks: Marks, names: Names): Json[] {
  return Object.entries(marks).flatMap(([mark, value]): Json[] => {
    if (value === false) return []
    const type = names.marks[mark as keyof Marks]
    if (type === undefined) return []
    if (mark !== "link") return [{ type }]
    const href = safeLink(String(value))
    return href === null ? [] : [{ type, attrs: { href } }]
  })
}

function node(type: string, attrs: { [name: string]: Json }, content: Json[]): Json {
  return {
    type,
    ...(Object.keys(attrs).length > 0 ? { attrs } : {}),
    ...(content.length > 0 ? { content } : {}),
  }
}

function textOf(text: string, marks: Json[]): Json[] {
  if (text === "") return []
  return [{ type: "text", text, ...(marks.length > 0 ? { marks } : {}) }]
}

// ---- BlockNote

/** BlockNote's inline content is Tiptap's, and a newline is a break. */
const BLOCKNOTE: Names = { ...TIPTAP, lineBreak: "hardBreak", image: null }

function container(block: Json, under: Json[]): Json {
  const children = under.length > 0 ? [block, node("blockGroup", {}, under)] : [block]
  return node("blockContainer", { id: crypto.randomUUID() }, children)
}

function toContainers(block: Block): Json[] {
  const line = (
    type: string,
    attrs: { [name: string]: Json },
    inlines: readonly Inline[],
    under: Json[] = [],
  ) => container(node(type, attrs, toTexts(inlines, BLOCKNOTE)), under)
  const all = (blocks: readonly Block[]) => blocks.flatMap(toContainers)
  switch (block.kind) {
    case "paragraph":
      return [line("paragraph", {}, block.inlines)]
    case "heading":
      return [line("heading", { level: block.level }, block.inlines)]
    case "quote":
      return [line("quote", {}, joinLines(block.blocks))]
    case "code":
      return [
        container(node("codeBlock", { language: block.language || "text" }, textOf(block.text, [])), []),
      ]
    case "list":
      return block.items.map(({ checked, blocks: [first, ...rest] }, index) => {
        const inlines = first?.kind === "paragraph" ? first.inlines : []
        const under = all(first === undefined || first.kind === "paragraph" ? rest : [first, ...rest])
        if (checked !== null) return line("checkListItem", { checked }, inlines, under)
        if (!block.ordered) return line("bulletListItem", {}, inlines, under)
        const start = index === 0 && block.start !== 1 ? { start: block.start } : {}
        return line("numberedListItem", start, inlines, under)
      })
    case "rule":
      return [line("paragraph", {}, lineOf("———"))]
    case "table":
      return block.rows.map((row) =>
        line("paragraph", {}, joinCells(row.map((cell) => blockLines(cell.blocks).join(" ")))),
      )
    case "media": {
      const url = block.image ? safeImage(block.source) : null
      if (url === null) return [line("paragraph", {}, linkTo(block))]
      return [container(node("image", { url, name: block.name, caption: block.caption }, []), [])]
    }
    case "details":
      return [line("paragraph", {}, block.summary, all(block.blocks))]
    case "indented":
      return all(block.blocks)
    case "plain":
      return block.text.split("\n").map((text) => line("paragraph", {}, lineOf(text)))
    default:
      throw new TypeError(`unknown block ${block satisfies never}`)
  }
}

// ---- Lexical

/** The bits of a text's format. @source lexical 0.52, LexicalConstants */
const FORMATS: readonly (readonly [keyof Marks, number])[] = [
  ...([
    ["bold", 1],
    ["italic", 2],
    ["strike", 4],
    ["underline", 8],
  ] as const),
  ...([
    ["code", 16],
    ["subscript", 32],
    ["superscript", 64],
    ["highlight", 128],
  ] as const),
]

function element(type: string, props: { [name: string]: Json }, children: Json[]): Json {
  return { type, ...props, children }
}

function toLexical(block: Block): Json[] {
  const all = (blocks: readonly Block[]) => blocks.flatMap(toLexical)
  const paragraph = (inlines: readonly Inline[]) => element("paragraph", {}, toLexicalTexts(inlines))
  switch (block.kind) {
    case "paragraph":
      return [paragraph(block.inlines)]
    case "heading":
      return [element("heading", { tag: `h${block.level}` }, toLexicalTexts(block.inlines))]
    case "quote":
      return [element("quote", {}, toLexicalTexts(joinLines(block.blocks)))]
    case "code":
      return [element("code", { language: block.language || null }, toLexicalTexts(lineOf(block.text)))]
    case "list":
      return [toLexicalList(block)]
    case "rule":
      return [paragraph(lineOf("———"))]
    case "table":
      return block.rows.map((row) =>
        paragraph(joinCells(row.map((cell) => blockLines(cell.blocks).join(" ")))),
      )
    case "media":
      return [paragraph(linkTo(block))]
    case "details":
      return [paragraph(block.summary), ...all(block.blocks)]
    case "indented":
      return all(block.blocks)
    case "plain":
      return block.text.split("\n").map((text) => paragraph(lineOf(text)))
    default:
      throw new TypeError(`unknown block ${block satisfies never}`)
  }
}

function toLexicalList({ ordered, start, items }: Block & { kind: "list" }): Json {
  const isTasks = items.some(({ checked }) => checked !== null)
  let value = start
  const children = items.flatMap((item): Json[] => {
    const own = element(
      "listitem",
      { value: value++, ...checkedOf(item, isTasks) },
      toLexicalTexts(lineOfItem(item)),
    )
    const lists = item.blocks.filter((one) => one.kind === "list")
    // A nested list stands in an item of its own.
    return [own, ...lists.map((list) => element("listitem", { value }, [toLexicalList(list)]))]
  })
  const listType = isTasks ? "check" : ordered ? "number" : "bullet"
  return element("list", { listType, start, tag: ordered ? "ol" : "ul" }, children)
}

function checkedOf({ checked }: ListItem, isTasks: boolean): { checked?: boolean } {
  return isTasks ? { checked: checked === true } : {}
}

function lineOfItem({ blocks }: ListItem): Inline[] {
  return joinLines(blocks.filter((one) => one.kind !== "list"))
}

function toLexicalTexts(inlines: readonly Inline[]): Json[] {
  return inlines.flatMap((inline): Json[] => {
    switch (inline.kind) {
      case "break":
        return [{ type: "linebreak" }]
      case "image":
        return toLexicalTexts(linkTo(media(inline.source, inline.alternative)))
      case "text": {
        const { marks } = inline
        const format = FORMATS.reduce((bits, [mark, bit]) => (marks[mark] ? bits | bit : bits), 0)
        const lines = inline.text
          .split("\n")
          .flatMap((text, index): Json[] => [
            ...(index > 0 ? [{ type: "linebreak" }] : []),
            ...(text === "" ? [] : [{ type: "text", text, format }]),
          ])
        const url = safeLink(marks.link)
        return url === null ? lines : [element("link", { url }, lines)]
      }
      default:
        throw new TypeError(`unknown inline ${inline satisfies never}`)
    }
  })
}

// ---- what several lack a node for

function media(source: string, name: string): Block & { kind: "media" } {
  return { kind: "media", image: true, source, name, caption: "" }
}

/** A file, or an image where an editor has none in a line: its name, which leads to it. */
function linkTo({ source, name, caption }: Block & { kind: "media" }): Inline[] {
  const text = name || caption || source
  return text === "" ? [] : [{ kind: "text", text, marks: { link: source } }]
}

function lineOf(text: string): Inline[] {
  return text === "" ? [] : [{ kind: "text", text, marks: {} }]
}

function joinCells(cells: readonly string[]): Inline[] {
  return lineOf(cells.join(" | "))
}

/** Blocks where an editor has room for lines alone. */
function joinLines(blocks: readonly Block[]): Inline[] {
  return blocks.flatMap((block, index): Inline[] => {
    const isLine = block.kind === "paragraph" || block.kind === "heading"
    const line = isLine ? block.inlines : lineOf(blockLines([block]).join("\n"))
    return index > 0 ? [{ kind: "break" }, ...line] : [...line]
  })
}
