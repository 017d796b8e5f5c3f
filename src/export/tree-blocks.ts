/**
 * The blocks of an editor's tree. Editors name the same thing differently (`bulletList`, `bullet_list`, `list` with
 * listType "bullet", Slate's `bulleted-list`); here the names come together. A node of an unknown name is taken for what it
 * holds: a container for its blocks, a mention for its label, an embed for its address.
 */
import {
  type Block,
  type Cell,
  type Inline,
  inlineText,
  type ListItem,
  type Marks,
  pushBlock,
} from "./blocks.ts"
import { readNodeMarks } from "./marks.ts"
import type { TreeNode } from "./tree.ts"

/** A node's name as its editors agree on it: lower case, without `_` and `-`. */
function nameOf(node: TreeNode): string {
  return node.type.toLowerCase().replaceAll(/[_-]/g, "")
}

/** The blocks of sibling nodes; inline nodes that follow one another are a paragraph. */
export function readBlocks(nodes: readonly TreeNode[]): Block[] {
  const blocks: Block[] = []
  let line: TreeNode[] = []
  const endLine = () => {
    const inlines = readInlines(line)
    if (inlines.length > 0) blocks.push({ kind: "paragraph", inlines })
    line = []
  }
  for (const node of nodes) {
    if (isInline(node)) {
      line.push(node)
      continue
    }
    endLine()
    for (const block of readBlock(node)) {
      if (isItemWithoutList(node)) pushBlock(blocks, block)
      else blocks.push(block)
    }
  }
  endLine()
  return blocks
}

/** Editors that write a list's items one by one (BlockNote) get one list again. */
function isItemWithoutList(node: TreeNode): boolean {
  return /^(blockcontainer|(bullet|numbered|check|toggle)listitem)$/.test(nameOf(node))
}

/** Slate's examples spell a heading's level out. */
const SPELLED_LEVELS = ["one", "two", "three", "four", "five", "six"]

function readBlock(node: TreeNode): Block[] {
  const { attrs, children } = node
  const name = nameOf(node)
  switch (name) {
    case "paragraph":
    case "p":
      return [{ kind: "paragraph", inlines: readInlines(children) }]
    case "heading":
    case "headingone":
    case "headingtwo":
    case "headingthree":
    case "headingfour":
    case "headingfive":
    case "headingsix":
    case "h1":
    case "h2":
    case "h3":
    case "h4":
    case "h5":
    case "h6": {
      const word = String(attrs.tag ?? name).replace(/^h(eading)?/, "")
      const level = Number(attrs.level ?? (SPELLED_LEVELS.indexOf(word) + 1 || word)) || 1
      return [{ kind: "heading", level: Math.min(6, Math.max(1, level)), inlines: readInlines(children) }]
    }
    case "blockquote":
    case "quote":
      return [{ kind: "quote", blocks: readBlocks(children) }]
    case "codeblock":
    case "code":
    case "pre":
      return [
        {
          kind: "code",
          language: String(attrs.language ?? attrs.params ?? ""),
          text: codeText(children),
        },
      ]
    case "bulletlist":
    case "bulletedlist":
    case "orderedlist":
    case "numberedlist":
    case "tasklist":
    case "todolist":
    case "list":
    case "ul":
    case "ol": {
      // Lexical V2 leaves out what is the default: of its "list", that it is numbered.
      const style = attrs.listType ?? attrs.kind ?? (attrs.tag === "ul" ? "bullet" : "number")
      const ordered = name === "list" ? style === "number" || style === "ordered" : /^[on]/.test(name)
      const tasks = name === "list" ? style === "check" || style === "task" : /^t/.test(name)
      const start = readStart(attrs.start ?? attrs.order)
      return [{ kind: "list", ordered, start, items: readItems(children, tasks) }]
    }
    case "bulletlistitem":
    case "numberedlistitem":
    case "checklistitem":
    case "togglelistitem": {
      const items = readItems([node], name === "checklistitem")
      const ordered = name === "numberedlistitem"
      return [{ kind: "list", ordered, start: readStart(attrs.start), items }]
    }
    case "blockcontainer":
      return readContainer(children)
    case "details":
    case "collapsiblecontainer":
      return [readDetails(children)]
    case "horizontalrule":
    case "rule":
    case "hr":
    case "divider":
      return [{ kind: "rule" }]
    case "table":
      return [{ kind: "table", rows: readRows(node) }]
    default:
      return readUnknown(node)
  }
}

/** The text of code; Slate's has an element for each line. */
function codeText(children: readonly TreeNode[]): string {
  if (children.some(isInline)) return inlineText(readInlines(children))
  return children.map((line) => inlineText(readInlines(line.children))).join("\n")
}

/** The number of a list's first item; 1 for what Markdown cannot say. @source CommonMark 0.31, 5.2: at most nine digits */
function readStart(value: unknown): number {
  const start = Math.trunc(Number(value))
  return start >= 0 && start < 100_000_000 ? start : 1
}

/** BlockNote: what is indented under a block follows it in the same container. */
function readContainer([first, ...rest]: readonly TreeNode[]): Block[] {
  const blocks = first === undefined ? [] : readBlock(first)
  const under = readBlocks(rest)
  const [list] = blocks
  const item = list?.kind === "list" ? list.items.at(-1) : undefined
  if (item !== undefined) for (const block of under) item.blocks.push(block)
  else if (under.length > 0) blocks.push({ kind: "indented", blocks: under })
  return blocks
}

function readDetails(children: readonly TreeNode[]): Block {
  const isSummary = (node: TreeNode) => /^(details)?summary$|^collapsibletitle$/.test(nameOf(node))
  const [first] = readBlocks(children.filter(isSummary))
  const summary = first?.kind === "paragraph" ? first.inlines : []
  return { kind: "details", summary, blocks: readBlocks(children.filter((node) => !isSummary(node))) }
}

/** An image or embed for its address, a formula for its source, a container for what it holds. */
function readUnknown(node: TreeNode): Block[] {
  const { attrs, children } = node
  const formula = firstText(attrs.latex, attrs.equation, attrs.formula)
  const blocks = readBlocks(children)
  const source = readAddress(node)
  const [name, caption] =
    blocks.length > 0
      ? ["", firstText(attrs.caption)]
      : [
          firstText(attrs.name, attrs.fileName, attrs.title, attrs.alt, attrs.altText, attrs.label),
          firstText(attrs.caption),
        ]
  if (formula !== "") blocks.unshift({ kind: "code", language: "math", text: formula })
  else if (source + name + caption !== "") {
    blocks.unshift({ kind: "media", image: /^(image|img)$/.test(nameOf(node)), source, name, caption })
  }
  return blocks
}

/** Where an embed leads; "" where nothing says it. Lexical's playground keeps only the id of a video or a post. */
function readAddress(node: TreeNode): string {
  const { attrs } = node
  const address = firstText(attrs.url, attrs.src, attrs.href)
  if (address !== "") return address
  if (typeof attrs.videoID === "string")
    return `https://www.youtube.com/watch?v=${encodeURIComponent(attrs.videoID)}`
  if (nameOf(node) === "tweet" && typeof attrs.id === "string") {
    return `https://x.com/i/web/status/${encodeURIComponent(attrs.id)}`
  }
  return ""
}

function firstText(...values: unknown[]): string {
  return values.find((value): value is string => typeof value === "string" && value !== "") ?? ""
}

function readItems(nodes: readonly TreeNode[], tasks: boolean): ListItem[] {
  const items: ListItem[] = []
  for (const { attrs, children } of nodes) {
    const blocks = readBlocks(children)
    const last = items.at(-1)
    // Lexical puts a nested list into an item of its own, after the one it belongs to.
    if (last !== undefined && blocks.length > 0 && blocks.every((block) => block.kind === "list")) {
      for (const block of blocks) last.blocks.push(block)
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
    else for (const row of readRows(node)) rows.push(row)
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
  "inlinemath",
  "mathinline",
])

function isInline(node: TreeNode): boolean {
  const name = nameOf(node)
  return node.text !== undefined || INLINE.has(name) || (name === "equation" && node.attrs.inline === true)
}

/** Where an inline node without text has what it shows: a mention of Tiptap (label, id), of BlockNote's (user) and Slate's examples. */
const LABELS = ["label", "text", "name", "title", "user", "character", "id"]

function readInlines(nodes: readonly TreeNode[], around: Marks = {}): Inline[] {
  return nodes.flatMap((node) => readInline(node, around))
}

function readInline(node: TreeNode, around: Marks): Inline[] {
  const { attrs, text, children } = node
  if (text !== undefined) {
    return text === "" ? [] : [{ kind: "text", text, marks: { ...around, ...readNodeMarks(node) } }]
  }
  switch (nameOf(node)) {
    case "link":
    case "autolink":
      return readInlines(children, { ...around, link: firstText(attrs.url, attrs.href) })
    case "hardbreak":
    case "linebreak":
    case "br":
      return [{ kind: "break" }]
    case "image":
    case "img": {
      const alternative = firstText(attrs.alt, attrs.altText, attrs.title, attrs.caption, attrs.name)
      return [{ kind: "image", source: readAddress(node), alternative }, ...readInlines(children, around)]
    }
    default: {
      if (children.length > 0) return readInlines(children, around)
      const formula = firstText(attrs.latex, attrs.equation, attrs.formula)
      if (formula !== "") return [{ kind: "text", text: formula, marks: { ...around, code: true } }]
      const source = readAddress(node)
      const label = firstText(...LABELS.map((name) => attrs[name]), source)
      const marks = source === "" ? around : { ...around, link: source }
      // Tiptap's mentions say whom, and beside it by which sign: "@" or "#".
      const text = `${firstText(attrs.mentionSuggestionChar)}${label}`
      return label === "" ? [] : [{ kind: "text", text, marks }]
    }
  }
}
