/**
 * A rich-text document in the words that Markdown, HTML and text share: blocks that hold lines of inlines.
 * Editors name the same thing differently (`bulletList`, `bullet_list`, `list` with listType "bullet", a Quill
 * line with `list: "bullet"`); here they come together. What has no word is taken for what it holds: a container
 * for its blocks, a mention for its label.
 */
import type * as Y from "yjs"
import { valueToJson } from "./json.ts"
import { pickRoots } from "./roots.ts"
import { type Kind, plainText, type Run, type SharedType, textRuns } from "./shared-types.ts"
import { isLexical, readLexical, readXml, type TreeNode } from "./tree.ts"

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

export type Inline =
  | { readonly kind: "text"; readonly text: string; readonly marks: Marks }
  | { readonly kind: "break" }
  | { readonly kind: "image"; readonly source: string; readonly alternative: string }

export interface ListItem {
  /** null: not a task. */
  readonly checked: boolean | null
  readonly blocks: Block[]
}

export interface Cell {
  readonly header: boolean
  readonly blocks: Block[]
}

export type Block =
  | { readonly kind: "paragraph"; readonly inlines: Inline[] }
  /** `level` 1–6. */
  | { readonly kind: "heading"; readonly level: number; readonly inlines: Inline[] }
  | { readonly kind: "quote"; readonly blocks: Block[] }
  | { readonly kind: "code"; readonly language: string; readonly text: string }
  | { readonly kind: "list"; readonly ordered: boolean; readonly start: number; readonly items: ListItem[] }
  | { readonly kind: "rule" }
  | { readonly kind: "table"; readonly rows: Cell[][] }
  /** Text that was never formatted, to be shown as it is. */
  | { readonly kind: "plain"; readonly text: string }

/**
 * The blocks of every root that holds something, or of the one asked for. A map or an array is its JSON, as code.
 *
 * @throws SyncError "not-found" when there is no root of that name
 */
export function readRootBlocks(doc: Y.Doc, root: string | undefined): { name: string; blocks: Block[] }[] {
  return pickRoots(doc, root)
    .map(({ name, kind, type }) => ({ name, blocks: readKindBlocks(kind, type) }))
    .filter(({ blocks }) => blocks.length > 0)
}

function readKindBlocks(kind: Kind, type: SharedType): Block[] {
  switch (kind) {
    case "text":
      return readTextBlocks(type)
    case "xml":
      return readXmlBlocks(type)
    case "map":
    case "array":
      return [{ kind: "code", language: "json", text: JSON.stringify(valueToJson(type), null, 2) }]
    case "empty":
      return []
    default:
      throw new TypeError(`unknown kind ${kind satisfies never}`)
  }
}

/** The blocks of a text: of a Lexical editor's tree, of a Quill delta, or one "plain" block. */
export function readTextBlocks(type: SharedType): Block[] {
  if (isLexical(type)) return readBlocks(readLexical(type).children)
  const runs = textRuns(type)
  const plain = runs.every(
    (run) => typeof run.insert === "string" && Object.keys(run.attributes).length === 0,
  )
  if (!plain) return readDelta(runs)
  const text = plainText(type)
  return text === "" ? [] : [{ kind: "plain", text }]
}

/** The blocks of an XmlFragment or XmlElement. */
export function readXmlBlocks(type: SharedType): Block[] {
  return readBlocks(readXml(type).children)
}

// ---- trees

/** A node's name as its editors agree on it: lower case, without `_` and `-`. */
function nameOf(node: TreeNode): string {
  return node.type.toLowerCase().replaceAll(/[_-]/g, "")
}

function readBlocks(nodes: readonly TreeNode[]): Block[] {
  const blocks: Block[] = []
  let line: TreeNode[] = []
  const endLine = () => {
    const inlines = readInlines(line)
    if (inlines.length > 0) blocks.push({ kind: "paragraph", inlines })
    line = []
  }
  for (const node of nodes) {
    if (isInline(node)) line.push(node)
    else {
      endLine()
      for (const block of readBlock(node)) {
        if (isItemWithoutList(node)) pushBlock(blocks, block)
        else blocks.push(block)
      }
    }
  }
  endLine()
  return blocks
}

/** Editors that write a list's items one by one (BlockNote, Quill) get one list again. */
function pushBlock(blocks: Block[], block: Block): void {
  const last = blocks.at(-1)
  if (block.kind === "list" && last?.kind === "list" && last.ordered === block.ordered) {
    for (const item of block.items) last.items.push(item)
  } else blocks.push(block)
}

function isItemWithoutList(node: TreeNode): boolean {
  return /^(blockcontainer|(bullet|numbered|check)listitem)$/.test(nameOf(node))
}

function readBlock(node: TreeNode): Block[] {
  const { attrs, children } = node
  const name = nameOf(node)
  switch (name) {
    case "paragraph":
    case "p":
      return [{ kind: "paragraph", inlines: readInlines(children) }]
    case "heading":
    case "h1":
    case "h2":
    case "h3":
    case "h4":
    case "h5":
    case "h6": {
      const level = Number(attrs.level ?? String(attrs.tag ?? name).replace(/^h(eading)?/, "")) || 1
      return [{ kind: "heading", level: Math.min(6, Math.max(1, level)), inlines: readInlines(children) }]
    }
    case "blockquote":
    case "quote":
      return [{ kind: "quote", blocks: readBlocks(children) }]
    case "codeblock":
    case "code":
    case "pre":
      return [
        { kind: "code", language: String(attrs.language ?? ""), text: inlineText(readInlines(children)) },
      ]
    case "bulletlist":
    case "orderedlist":
    case "tasklist":
    case "todolist":
    case "list":
    case "ul":
    case "ol": {
      // Lexical V2 leaves out what is the default: of its "list", that it is numbered.
      const style = attrs.listType ?? attrs.kind ?? (attrs.tag === "ul" ? "bullet" : "number")
      const ordered = name === "list" ? style === "number" || style === "ordered" : /^o/.test(name)
      const tasks = name === "list" ? style === "check" || style === "task" : /^t/.test(name)
      const start = Number(attrs.start ?? attrs.order) || 1
      return [{ kind: "list", ordered, start, items: readItems(children, tasks) }]
    }
    case "bulletlistitem":
    case "numberedlistitem":
    case "checklistitem": {
      const tasks = name === "checklistitem"
      return [
        { kind: "list", ordered: name === "numberedlistitem", start: 1, items: readItems([node], tasks) },
      ]
    }
    case "blockcontainer": {
      // BlockNote: what is indented under a block follows it in the same container.
      const [first, ...rest] = children
      const blocks = first === undefined ? [] : readBlock(first)
      const list = blocks[0]
      if (list?.kind !== "list") return [...blocks, ...readBlocks(rest)]
      list.items.at(-1)?.blocks.push(...readBlocks(rest))
      return blocks
    }
    case "horizontalrule":
    case "rule":
    case "hr":
    case "divider":
      return [{ kind: "rule" }]
    case "table":
      return [{ kind: "table", rows: readRows(node) }]
    default:
      return readBlocks(children)
  }
}

function readItems(nodes: readonly TreeNode[], tasks: boolean): ListItem[] {
  const items: ListItem[] = []
  for (const { attrs, children } of nodes) {
    const blocks = readBlocks(children)
    const last = items.at(-1)
    // Lexical puts a nested list into an item of its own, after the one it belongs to.
    if (last !== undefined && blocks.length > 0 && blocks.every((block) => block.kind === "list")) {
      last.blocks.push(...blocks)
    } else {
      items.push({ checked: tasks ? attrs.checked === true || attrs.checked === "true" : null, blocks })
    }
  }
  return items
}

function readRows(table: TreeNode): Cell[][] {
  const rows: Cell[][] = []
  for (const node of table.children) {
    if (/^(tablerow|tr)$/.test(nameOf(node))) rows.push(node.children.map(readCell))
    else rows.push(...readRows(node))
  }
  return rows
}

function readCell(node: TreeNode): Cell {
  const header = /^(tableheader|th)$/.test(nameOf(node)) || Number(node.attrs.headerState) > 0
  return { header, blocks: readBlocks(node.children) }
}

const INLINE = new Set([
  "text",
  "link",
  "autolink",
  "hardbreak",
  "linebreak",
  "br",
  "image",
  "img",
  "mention",
  "emoji",
])

function isInline(node: TreeNode): boolean {
  return node.text !== undefined || INLINE.has(nameOf(node))
}

function readInlines(nodes: readonly TreeNode[], around: Marks = {}): Inline[] {
  return nodes.flatMap((node): Inline[] => {
    const { attrs, text, children } = node
    if (text !== undefined) {
      const marks = { ...around, ...readMarks(node) }
      return text === "" ? [] : [{ kind: "text", text, marks }]
    }
    switch (nameOf(node)) {
      case "link":
      case "autolink":
        return readInlines(children, { ...around, link: String(attrs.url ?? attrs.href ?? "") })
      case "hardbreak":
      case "linebreak":
      case "br":
        return [{ kind: "break" }]
      case "image":
      case "img":
        return [
          {
            kind: "image",
            source: String(attrs.src ?? attrs.url ?? ""),
            alternative: String(attrs.alt ?? attrs.altText ?? attrs.title ?? ""),
          },
        ]
      default: {
        if (children.length > 0) return readInlines(children, around)
        const label = attrs.label ?? attrs.text ?? attrs.name ?? attrs.id
        return typeof label === "string" ? [{ kind: "text", text: label, marks: around }] : []
      }
    }
  })
}

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

/** Names of a mark in ProseMirror, Tiptap, BlockNote and Quill. */
const MARKS: Readonly<Record<string, keyof Omit<Marks, "link">>> = {
  bold: "bold",
  strong: "bold",
  b: "bold",
  italic: "italic",
  em: "italic",
  strike: "strike",
  strikethrough: "strike",
  underline: "underline",
  code: "code",
  subscript: "subscript",
  superscript: "superscript",
  highlight: "highlight",
}

function readMarks({ attrs, marks = {} }: TreeNode): Marks {
  const found = readAttributes(marks)
  // V1 writes the format beside the text, V2 as the property `__format` of its attribute `p`.
  const format = Number(attrs.format ?? Object(marks.p).__format ?? 0)
  for (const [bit, name] of LEXICAL_FORMAT.entries())
    if (format & (1 << bit)) Object.assign(found, { [name]: true })
  return found
}

function readAttributes(attributes: Readonly<Record<string, unknown>>): Marks {
  const marks: { -readonly [Name in keyof Marks]: Marks[Name] } = {}
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === false) continue
    const name = key.toLowerCase().replace(/--[\w+/=]{8}$/i, "")
    const mark = MARKS[name]
    if (mark !== undefined) marks[mark] = true
    else if (name === "link" || name === "a") marks.link = String(Object(value).href ?? value)
    else if (name === "script") marks[value === "sub" ? "subscript" : "superscript"] = true
  }
  return marks
}

// ---- deltas

/** Quill's delta: the attributes of a newline are those of the line it ends. @source Quill, Delta document format */
function readDelta(runs: readonly Run[]): Block[] {
  const blocks: Block[] = []
  let line: Inline[] = []
  const endLine = (attributes: Readonly<Record<string, unknown>>) => {
    pushLine(blocks, line, attributes)
    line = []
  }
  for (const { insert, attributes } of runs) {
    if (typeof insert === "string") {
      for (const [index, text] of insert.split("\n").entries()) {
        if (index > 0) endLine(attributes)
        if (text !== "") line.push({ kind: "text", text, marks: readAttributes(attributes) })
      }
    } else line.push(...readEmbed(insert, readAttributes(attributes)))
  }
  if (line.length > 0) endLine({})
  return blocks
}

function readEmbed(embed: unknown, marks: Marks): Inline[] {
  const { image, formula, video } = Object(embed) as Record<string, unknown>
  if (typeof image === "string") return [{ kind: "image", source: image, alternative: "" }]
  if (typeof formula === "string") return [{ kind: "text", text: formula, marks: { ...marks, code: true } }]
  if (typeof video === "string") return [{ kind: "text", text: video, marks: { ...marks, link: video } }]
  return []
}

function pushLine(blocks: Block[], inlines: Inline[], attributes: Readonly<Record<string, unknown>>): void {
  const { header, list, blockquote, indent } = attributes
  const code = attributes["code-block"]
  const last = blocks.at(-1)
  if (typeof header === "number") {
    blocks.push({ kind: "heading", level: Math.min(6, Math.max(1, header)), inlines })
  } else if (typeof list === "string") {
    const tasks = list === "checked" || list === "unchecked"
    const item: ListItem = {
      checked: tasks ? list === "checked" : null,
      blocks: [{ kind: "paragraph", inlines }],
    }
    pushItem(blocks, item, { ordered: list === "ordered", indent: Number(indent) || 0 })
  } else if (blockquote) {
    if (last?.kind === "quote") last.blocks.push({ kind: "paragraph", inlines })
    else blocks.push({ kind: "quote", blocks: [{ kind: "paragraph", inlines }] })
  } else if (code) {
    const text = inlineText(inlines)
    const language = typeof code === "string" && code !== "plain" ? code : ""
    if (last?.kind === "code") blocks[blocks.length - 1] = { ...last, text: `${last.text}\n${text}` }
    else blocks.push({ kind: "code", language, text })
  } else blocks.push({ kind: "paragraph", inlines })
}

/** A list item goes as deep as its indent says, and as there are items to go under. */
function pushItem(blocks: Block[], item: ListItem, at: { ordered: boolean; indent: number }): void {
  const last = blocks.at(-1)
  const parent = last?.kind === "list" ? last.items.at(-1) : undefined
  if (at.indent > 0 && parent !== undefined) pushItem(parent.blocks, item, { ...at, indent: at.indent - 1 })
  else pushBlock(blocks, { kind: "list", ordered: at.ordered, start: 1, items: [item] })
}

// ---- text

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
