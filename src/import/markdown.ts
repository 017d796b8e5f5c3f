/** Markdown (CommonMark with GitHub's tables, task lists and strikethrough) as blocks. */
import type { PhrasingContent, RootContent, TableCell } from "mdast"
import { fromMarkdown } from "mdast-util-from-markdown"
import { gfmStrikethroughFromMarkdown } from "mdast-util-gfm-strikethrough"
import { gfmTableFromMarkdown } from "mdast-util-gfm-table"
import { gfmTaskListItemFromMarkdown } from "mdast-util-gfm-task-list-item"
import { gfmStrikethrough } from "micromark-extension-gfm-strikethrough"
import { gfmTable } from "micromark-extension-gfm-table"
import { gfmTaskListItem } from "micromark-extension-gfm-task-list-item"
import { SyncError } from "../errors.ts"
import type { Block, Inline, Marks } from "../export/blocks.ts"
import { readHtml } from "./html.ts"

/** The marks that Markdown has no delimiter for, by the tags that an export writes for them. */
const TAGS: Readonly<Record<string, keyof Omit<Marks, "link">>> = {
  ...{ u: "underline", mark: "highlight", sub: "subscript", sup: "superscript" },
  ...{ strong: "bold", b: "bold", em: "italic", i: "italic", del: "strike", s: "strike" },
}

/** Where references lead. */
type Definitions = ReadonlyMap<string, { readonly url: string }>

/** Delimiters and quotes of one paragraph: the parser's work grows with their square, and 3,000 take 0.2 s. */
const MOST_DELIMITERS = 3_000

/** Where a paragraph ends at the latest: a blank line, an item, a row of a table. */
const PARAGRAPH_END = /\n[ \t]*(?=\n)|\n(?=[ \t]*(?:\||(?:[-*+]|\d{1,9}[.)])[ \t]))/

/**
 * The blocks of a Markdown text.
 * @throws SyncError "bad-request" where reading it would take too long: quotes and lists nest deep, or a paragraph has
 *   thousands of delimiters
 */
export function readMarkdown(markdown: string): Block[] {
  for (const stretch of markdown.split(PARAGRAPH_END)) {
    const delimiters = stretch.match(/[*_>[`<~]/g)?.length ?? 0
    if (delimiters > MOST_DELIMITERS)
      throw new SyncError(
        "bad-request",
        `The Markdown has ${delimiters} delimiters in one paragraph; at most ${MOST_DELIMITERS} are read.`,
      )
  }
  if (/^(?:[ \t]*(?:>|[-*+]|\d{1,9}[.)])){48}/m.test(markdown))
    throw new SyncError("bad-request", "The Markdown nests more than 48 quotes and lists.")
  const { children } = fromMarkdown(markdown, {
    extensions: [gfmTable(), gfmStrikethrough({ singleTilde: false }), gfmTaskListItem()],
    mdastExtensions: [gfmTableFromMarkdown(), gfmStrikethroughFromMarkdown(), gfmTaskListItemFromMarkdown()],
  })
  const definitions = new Map<string, { url: string }>()
  for (const child of children) {
    if (child.type === "definition" && !definitions.has(child.identifier))
      definitions.set(child.identifier, { url: child.url })
  }
  return toBlocks(children, definitions)
}

function toBlocks(nodes: readonly RootContent[], definitions: Definitions): Block[] {
  return nodes.flatMap((node) => toBlock(node, definitions))
}

function toBlock(node: RootContent, definitions: Definitions): Block[] {
  switch (node.type) {
    case "paragraph":
      return [{ kind: "paragraph", inlines: toInlines(node.children, definitions) }]
    case "heading":
      return [{ kind: "heading", level: node.depth, inlines: toInlines(node.children, definitions) }]
    case "blockquote":
      return [{ kind: "quote", blocks: toBlocks(node.children, definitions) }]
    case "code":
      return [{ kind: "code", language: node.lang ?? "", text: node.value }]
    case "thematicBreak":
      return [{ kind: "rule" }]
    case "html":
      return readHtml(node.value)
    case "list":
      return [
        {
          kind: "list",
          ordered: node.ordered === true,
          start: node.start ?? 1,
          items: node.children.map(({ checked = null, children }) => ({
            checked: checked ?? null,
            blocks: toBlocks(children, definitions),
          })),
        },
      ]
    case "table":
      return [
        {
          kind: "table",
          rows: node.children.map((row, index) =>
            row.children.map((cell) => toCell(cell, { header: index === 0, definitions })),
          ),
        },
      ]
    default:
      return []
  }
}

function toCell(
  { children }: TableCell,
  { header, definitions }: { header: boolean; definitions: Definitions },
): { header: boolean; blocks: Block[] } {
  return { header, blocks: [{ kind: "paragraph", inlines: toInlines(children, definitions) }] }
}

function toInlines(
  nodes: readonly PhrasingContent[],
  definitions: Definitions,
  around: Marks = {},
): Inline[] {
  const inlines: Inline[] = []
  /** Tags that are open among these nodes. */
  let marks = around
  const put = (more: readonly Inline[]) => {
    for (const inline of more) inlines.push(inline)
  }
  for (const node of nodes) {
    switch (node.type) {
      case "text":
        // A newline in Markdown's source is a blank on the page.
        put([{ kind: "text", text: node.value.replaceAll("\n", " "), marks }])
        break
      case "strong":
        put(toInlines(node.children, definitions, { ...marks, bold: true }))
        break
      case "emphasis":
        put(toInlines(node.children, definitions, { ...marks, italic: true }))
        break
      case "delete":
        put(toInlines(node.children, definitions, { ...marks, strike: true }))
        break
      case "inlineCode":
        put([{ kind: "text", text: node.value, marks: { ...marks, code: true } }])
        break
      case "break":
        put([{ kind: "break" }])
        break
      case "link":
        put(toInlines(node.children, definitions, { ...marks, link: node.url }))
        break
      case "linkReference": {
        const url = definitions.get(node.identifier)?.url
        put(toInlines(node.children, definitions, url === undefined ? marks : { ...marks, link: url }))
        break
      }
      case "image":
        put([{ kind: "image", source: node.url, alternative: node.alt ?? "" }])
        break
      case "imageReference":
        put([
          { kind: "image", source: definitions.get(node.identifier)?.url ?? "", alternative: node.alt ?? "" },
        ])
        break
      case "html": {
        const [, slash, tag = ""] = /^<(\/?)([a-z]+)\s*\/?>$/i.exec(node.value) ?? []
        const mark = Object.hasOwn(TAGS, tag.toLowerCase()) ? TAGS[tag.toLowerCase()] : undefined
        if (tag.toLowerCase() === "br") put([{ kind: "break" }])
        if (mark !== undefined) marks = { ...marks, [mark]: slash === "" || around[mark] === true }
        break
      }
      default:
        break
    }
  }
  return inlines
}
