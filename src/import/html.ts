/**
 * HTML as blocks. What a browser would do with broken HTML is not copied: tags are read as they come, one that was never
 * opened is left out, and one that was never closed ends with what is around it. Scripts, styles and comments are
 * nothing. What a tag means is found out by the reader of editors' trees (tree-blocks.ts), which knows HTML's names.
 */
import type { Block } from "../export/blocks.ts"
import { characterEntities } from "../export/no-entities.ts"
import type { TreeNode } from "../export/tree.ts"
import { readBlocks } from "../export/tree-blocks.ts"

/** Deeper elements are read as if their tags were not there: readers of trees are recursive. */
const DEPTH = 64

/** Elements without an end; of these three alone something is seen. @source HTML Standard, void elements */
const VOID = /^(area|base|br|col|embed|hr|img|link|meta|source|track|wbr)$/
const SEEN = /^(br|hr|img)$/

/** Elements whose content is no text of the page. */
const SILENT: ReadonlySet<string> = new Set([
  "script",
  "style",
  "template",
  "title",
  "noscript",
  "svg",
  "math",
])

/** Tags that are marks of the text in them. */
const MARKS: ReadonlyMap<string, string> = new Map([
  ...["b", "strong"].map((tag) => [tag, "bold"] as const),
  ...["i", "em", "cite", "dfn", "var"].map((tag) => [tag, "italic"] as const),
  ...["s", "del", "strike"].map((tag) => [tag, "strike"] as const),
  ...["u", "ins"].map((tag) => [tag, "underline"] as const),
  ...["code", "kbd", "samp", "tt"].map((tag) => [tag, "code"] as const),
  ...[
    ["sub", "subscript"],
    ["sup", "superscript"],
    ["mark", "highlight"],
  ].map(([tag, mark]) => [tag!, mark!] as const),
])

/** Tags that end a paragraph which was never closed. */
const BLOCKS =
  /^(p|h[1-6]|ul|ol|dl|table|blockquote|pre|hr|div|section|article|header|footer|main|aside|nav|figure|details|form|address)$/

/** The blocks of an HTML page, or of a piece of one. */
export function readHtml(html: string): Block[] {
  return readBlocks(new HtmlReader(html).read())
}

interface Open {
  readonly tag: string
  readonly attrs: Readonly<Record<string, string>>
  readonly children: TreeNode[]
}

class HtmlReader {
  readonly #html: string
  readonly #stack: Open[] = [{ tag: "", attrs: {}, children: [] }]
  /** Open tags that are marks, and links. */
  readonly #marks: { readonly tag: string; readonly mark: string; readonly value: unknown }[] = []
  #at = 0
  /** Text that has been read and not been added: a "<" that begins no tag is part of the text around it. */
  #raw = ""

  constructor(html: string) {
    this.#html = html
  }

  read(): TreeNode[] {
    const html = this.#html
    while (this.#at < html.length) {
      const open = html.indexOf("<", this.#at)
      this.#raw += html.slice(this.#at, open < 0 ? html.length : open)
      if (open < 0) break
      this.#at = open
      this.#tag()
    }
    this.#text()
    while (this.#stack.length > 1) this.#close()
    return this.#stack[0]!.children
  }

  #tag(): void {
    const html = this.#html
    if (html.startsWith("<!--", this.#at)) return this.#skipTo("-->")
    if (/^<[!?]/.test(html.slice(this.#at, this.#at + 2))) return this.#skipTo(">")
    const name = /^<(\/?)([a-z][a-z0-9-]{0,31})/i.exec(html.slice(this.#at, this.#at + 40))
    const end = name === null ? -1 : endOfTag(html, this.#at)
    if (name === null || end < 0) {
      // A "<" that begins no tag. Where the last tag never ends, the rest of the page is text.
      this.#raw += name === null ? "<" : html.slice(this.#at)
      this.#at = name === null ? this.#at + 1 : html.length
      return
    }
    const [opening, slash, tag] = [name[0], name[1], name[2]!.toLowerCase()]
    const rest = html.slice(this.#at + opening.length, end)
    this.#at = end + 1
    this.#text()
    if (slash === "/") this.#endTag(tag)
    else if (SILENT.has(tag)) this.#skipTo(`</${tag}`, ">")
    else this.#startTag(tag, readAttributes(rest))
  }

  /** Go behind the next of these, case aside; to the end where there is none. */
  #skipTo(...marks: string[]): void {
    for (const mark of marks) {
      const rest = mark.startsWith("</") ? this.#html.slice(this.#at).search(new RegExp(mark, "i")) : -1
      const found = mark.startsWith("</")
        ? rest < 0
          ? -1
          : this.#at + rest
        : this.#html.indexOf(mark, this.#at)
      this.#at = found < 0 ? this.#html.length : found + mark.length
    }
  }

  #startTag(tag: string, attrs: Readonly<Record<string, string>>): void {
    const mark = MARKS.get(tag)
    if (this.#isIn("pre") && tag !== "br") this.#language(tag, attrs)
    else if (mark !== undefined) this.#marks.push({ tag, mark, value: true })
    else if (tag === "a") this.#marks.push({ tag, mark: "link", value: { href: attrs.href ?? "" } })
    else if (tag === "input") this.#checkbox(attrs)
    else {
      if (BLOCKS.test(tag)) this.#closeParagraph()
      if (["li", "tr", "td", "th", "option", "dt", "dd"].includes(tag)) this.#closeSibling(tag)
      if (VOID.test(tag)) {
        if (SEEN.test(tag)) this.#add({ type: tag, attrs, children: [] })
      } else if (this.#stack.length <= DEPTH) this.#stack.push({ tag, attrs, children: [] })
    }
  }

  /** In a <pre> tags say nothing but which language it is. */
  #language(tag: string, attrs: Readonly<Record<string, string>>): void {
    const at = this.#stack.findLastIndex((open) => open.tag === "pre")
    const pre = this.#stack[at]!
    if (tag === "code" && attrs.class !== undefined)
      this.#stack[at] = { ...pre, attrs: { ...pre.attrs, ...languageOf(attrs.class) } }
  }

  #endTag(tag: string): void {
    const mark = this.#marks.findLastIndex((one) => one.tag === tag)
    if (mark >= 0) this.#marks.splice(mark, 1)
    else if (this.#isIn(tag)) {
      while (this.#stack.at(-1)!.tag !== tag) this.#close()
      this.#close()
    }
  }

  /** A checkbox makes a list one of tasks. */
  #checkbox({ type, checked }: Readonly<Record<string, string>>): void {
    if (type?.toLowerCase() !== "checkbox") return
    const item = this.#stack.findLastIndex((open) => open.tag === "li")
    const list = item < 1 ? undefined : this.#stack[item - 1]
    if (list?.tag !== "ul") return
    this.#stack[item - 1] = { ...list, attrs: { ...list.attrs, kind: "task" } }
    if (checked !== undefined)
      this.#stack[item] = { ...this.#stack[item]!, attrs: { ...this.#stack[item]!.attrs, checked: "true" } }
  }

  /** Add the text that has been read. */
  #text(): void {
    const raw = this.#raw
    if (raw === "") return
    this.#raw = ""
    const { tag } = this.#stack.at(-1)!
    const decoded = decode(raw)
    const text = this.#isIn("pre") ? decoded : decoded.replaceAll(/[ \t\n\r\f]+/g, " ")
    // Blanks between blocks are how the page was written.
    if (
      text.trim() === "" &&
      (tag === "" || /^(ul|ol|table|thead|tbody|tr|body|html|div)$/.test(tag)) &&
      !this.#follows()
    )
      return
    const marks = Object.fromEntries(this.#marks.map(({ mark, value }) => [mark, value]))
    this.#add({ type: "text", attrs: {}, text, marks, children: [] })
  }

  /** Whether a text or an image stands just before. */
  #follows(): boolean {
    const last = this.#stack.at(-1)!.children.at(-1)
    return last?.text !== undefined || last?.type === "img"
  }

  #add(node: TreeNode): void {
    this.#stack.at(-1)!.children.push(node)
  }

  #close(): void {
    const { tag, attrs, children } = this.#stack.pop()!
    const isParagraph = /^(p|h[1-6]|li|td|th)$/.test(tag)
    const kept = isParagraph ? trim(children) : children
    if (tag === "pre") this.#add({ type: "pre", attrs, children: trimNewlines(children) })
    else this.#add({ type: attrs.kind === "task" ? "tasklist" : tag, attrs, children: kept })
  }

  #closeParagraph(): void {
    if (this.#stack.at(-1)!.tag === "p") this.#close()
  }

  /** An item ends where the next begins, unless a list or table has begun inside it. */
  #closeSibling(tag: string): void {
    const around = { li: /^[uo]l$/, tr: /^table$/, td: /^tr$/, th: /^tr$/ }[tag] ?? /^(dl|select)$/
    const own = tag === "td" || tag === "th" ? /^t[dh]$/ : new RegExp(`^${tag}$`)
    for (let i = this.#stack.length - 1; i > 0; i--) {
      const { tag: open } = this.#stack[i]!
      if (around.test(open)) return
      if (!own.test(open)) continue
      while (this.#stack.length > i) this.#close()
      return
    }
  }

  #isIn(tag: string): boolean {
    return this.#stack.some((open) => open.tag === tag)
  }
}

/** Where a tag ends: at a ">" outside of quotes; -1 where it never does. */
function endOfTag(html: string, start: number): number {
  let quote = ""
  for (let at = start; at < html.length; at++) {
    const letter = html[at]!
    if (quote !== "") {
      if (letter === quote) quote = ""
    } else if ((letter === '"' || letter === "'") && html[at - 1] === "=") quote = letter
    else if (letter === ">") return at
  }
  return -1
}

function readAttributes(text: string): Record<string, string> {
  const attributes: [string, string][] = []
  for (const [, name, , double, single, bare] of text.matchAll(
    /([^\s=/>"']+)(\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+)))?/g,
  )) {
    attributes.push([name!.toLowerCase(), decode(double ?? single ?? bare ?? "")])
  }
  return Object.fromEntries(attributes)
}

function languageOf(className: string): { language?: string } {
  const language = /(?:^|\s)lang(?:uage)?-([\w+#.-]+)/.exec(className)?.[1]
  return language === undefined ? {} : { language }
}

function decode(text: string): string {
  if (!text.includes("&")) return text
  return text.replaceAll(
    /&(?:#x([0-9a-f]{1,6})|#(\d{1,7})|([a-z][a-z0-9]{1,31}));?/gi,
    (all, hex, digits, name) => {
      if (name !== undefined) return Object.hasOwn(characterEntities, name) ? characterEntities[name]! : all
      const code = hex === undefined ? Number(digits) : Number.parseInt(hex, 16)
      return code > 0 && code <= 0x10ffff && !(code >= 0xd800 && code < 0xe000)
        ? String.fromCodePoint(code)
        : "\ufffd"
    },
  )
}

/** Without the blanks at both ends, which a browser does not show. */
function trim(children: readonly TreeNode[]): TreeNode[] {
  const kept = [...children]
  const first = kept[0]
  if (first?.text !== undefined) kept[0] = { ...first, text: first.text.trimStart() }
  const last = kept.at(-1)
  if (last?.text !== undefined) kept[kept.length - 1] = { ...last, text: last.text.trimEnd() }
  return kept.filter(({ text }) => text !== "")
}

/** A newline just after <pre> is no part of it, and the last one ends its last line. */
function trimNewlines(children: readonly TreeNode[]): TreeNode[] {
  const text = children.map((child) => child.text ?? (child.type === "br" ? "\n" : "")).join("")
  return [{ type: "text", attrs: {}, text: text.replace(/^\n/, "").replace(/\n$/, ""), children: [] }]
}
