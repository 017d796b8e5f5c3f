import { CodeHighlightNode, CodeNode } from "@lexical/code"
import { createHeadlessEditor } from "@lexical/headless"
import { LinkNode } from "@lexical/link"
import { ListItemNode, ListNode } from "@lexical/list"
import { $convertToMarkdownString, CHECK_LIST, TRANSFORMERS } from "@lexical/markdown"
import { HeadingNode, QuoteNode } from "@lexical/rich-text"
import { createYjsBinding, type Provider, syncYjsChangesToLexical } from "@lexical/yjs"
import { defaultMarkdownParser, schema } from "prosemirror-markdown"
import { describe, expect, it } from "vitest"
import { initProseMirrorDoc } from "y-prosemirror"
import { Awareness } from "y-protocols/awareness"
import * as Y from "yjs"
import { Budget } from "../../../src/export/budget.ts"
import { exportDocument } from "../../../src/export/formats.ts"
import { EDITOR_ROOTS, EDITORS, type Editor, IMPORTED, writeForEditor } from "../../../src/import/editors.ts"
import { readHtml } from "../../../src/import/html.ts"
import { readMarkdown } from "../../../src/import/markdown.ts"
import { writeRoot } from "../../../src/json/reconcile.ts"
import { load } from "../export/editors.ts"

const SAMPLE = `# A *title*

Some **bold**, *italic* and \`code\` with a [link](https://example.com/a?b=1).

- one
- two
  - nested
- three

then

3. three
4. four

> quoted

\`\`\`js
let a = 1 < 2
\`\`\`
`

/** Put blocks into a document, as a PUT does. */
function put(doc: Y.Doc, markdown: string, editor: Editor): Y.Doc {
  const root = doc.get(EDITOR_ROOTS[editor])
  const options = { budget: new Budget(100_000_000), nested: null, known: IMPORTED }
  doc.transact(() => writeRoot(root, writeForEditor(readMarkdown(markdown), editor), options))
  return doc
}

/** A stock Lexical editor on a document; resolves to what a person sees in it, as Markdown. */
async function openInLexical(doc: Y.Doc): Promise<string> {
  const nodes = [HeadingNode, QuoteNode, ListNode, ListItemNode, LinkNode, CodeNode, CodeHighlightNode]
  const editor = createHeadlessEditor({
    nodes,
    onError: (error) => {
      throw error
    },
  })
  const opened = new Y.Doc()
  const awareness = new Awareness(opened)
  // reason: a binding asks its provider for nothing but the awareness, whose states Lexical types as its own
  const provider = { awareness } as unknown as Provider
  const binding = createYjsBinding({ editor, id: "main", doc: opened, docMap: new Map([["main", opened]]) })
  binding.root
    .getSharedType()
    .observeDeep((events) => syncYjsChangesToLexical(binding, provider, events, false))
  Y.applyUpdate(opened, Y.encodeStateAsUpdate(doc))
  await new Promise<void>((resolve) => editor.update(() => {}, { onUpdate: resolve }))
  awareness.destroy()
  return editor.getEditorState().read(() => $convertToMarkdownString([CHECK_LIST, ...TRANSFORMERS]))
}

describe("a document begun by a backend", () => {
  it("opens in a stock ProseMirror editor as if it had been written there", () => {
    const doc = put(new Y.Doc(), SAMPLE, "prosemirror")
    const { doc: opened } = initProseMirrorDoc(load(doc).getXmlFragment("prosemirror"), schema)
    opened.check()
    expect(opened.textContent).toBe(defaultMarkdownParser.parse(SAMPLE)!.textContent)
    // The parser says which lists are tight, which is how Markdown looks and no part of what it says.
    const shown = (doc: { toJSON(): unknown }) =>
      JSON.stringify(doc.toJSON()).replaceAll('"tight":true', '"tight":false')
    expect(shown(opened)).toBe(shown(defaultMarkdownParser.parse(SAMPLE)!))
  })

  it("opens in a stock Lexical editor", async () => {
    const doc = put(new Y.Doc(), SAMPLE, "lexical")
    expect(await openInLexical(doc)).toBe(SAMPLE.trim().replaceAll("  - nested", "    - nested"))
  })

  it.each(EDITORS)("is the same Markdown again (%s)", (editor) => {
    const markdown = `${SAMPLE}\n- [ ] open\n- [x] done\n`
    const expected: Record<Editor, string> = {
      text: exportDocument(put(new Y.Doc(), markdown, "text"), "text"),
      tiptap: markdown,
      blocknote: markdown,
      lexical: markdown,
      prosemirror: `${SAMPLE}\n- open\n- done\n`,
    }
    const doc = load(put(new Y.Doc(), markdown, editor))
    // A list after a list needs another bullet, and a link's & is escaped.
    const again = exportDocument(doc, "markdown")
      .replaceAll("* [", "- [")
      .replaceAll(/^\* /gm, "- ")
      .replaceAll("\\&", "&")
    expect(again).toBe(expected[editor])
  })

  it.each(["tiptap", "prosemirror", "blocknote", "lexical"] as const)(
    "[G1] is changed by what is different when it comes again, beside what people write (%s)",
    (editor) => {
      const doc = put(new Y.Doc(), SAMPLE, editor)
      const other = load(doc)
      const before = Y.encodeStateVector(doc)
      put(doc, SAMPLE, editor)
      expect(Y.encodeStateVector(doc)).toEqual(before)
      // Somebody types at the end of "then" while the backend puts a paragraph in front and mends the title.
      const typed = firstText(other.get(EDITOR_ROOTS[editor]), "then")
      typed.text.insert(typed.end, " and now")
      put(doc, `Before\n\n${SAMPLE.replace("title", "better title")}`, editor)
      Y.applyUpdate(doc, Y.encodeStateAsUpdate(other))
      const text = exportDocument(load(doc), "text").split("\n")
      expect(text.slice(0, 3)).toEqual([
        "Before",
        "A better title",
        "Some bold, italic and code with a link.",
      ])
      expect(text).toContain("then and now")
      expect(text.filter((line) => line === "quoted")).toHaveLength(1)
    },
  )
})

/** The text that holds these characters, and where they end in it. */
function firstText(type: Y.AbstractType<unknown>, wanted: string): { text: Y.Text; end: number } {
  let place = 0
  for (let item = type._start; item !== null; item = item.right) {
    if (item.deleted) continue
    if (item.content instanceof Y.ContentString && item.content.str.startsWith(wanted))
      return { text: type as Y.Text, end: place + wanted.length }
    if (item.content instanceof Y.ContentType) {
      try {
        return firstText(item.content.type as Y.AbstractType<unknown>, wanted)
      } catch {
        // Not in this one.
      }
    }
    place += item.length
  }
  throw new Error(`no text ${wanted}`)
}

describe("HTML", () => {
  const markdownOf = (html: string) => {
    const doc = new Y.Doc()
    const options = { budget: new Budget(100_000_000), nested: null, known: IMPORTED }
    doc.transact(() => writeRoot(doc.get("default"), writeForEditor(readHtml(html), "tiptap"), options))
    return exportDocument(load(doc), "markdown")
  }

  it("is read as a browser would show it", () => {
    const html = `<!doctype html><html><head><title>no</title><style>p { color: red }</style></head><body>
      <h1>A <em>title</em></h1>
      <p>Some <strong>bold</strong>,
        <a href="https://example.com/">link</a> &amp; <code>a &lt; b</code>&nbsp;caf&eacute; &#x1F600;</p>
      <ul><li>one<li>two<ol><li>three</ol></ul>
      <blockquote><p>quoted</blockquote>
      <pre><code class="language-js">let a = 1
let b</code></pre>
      <table><thead><tr><th>a<th>b</tr></thead><tbody><tr><td>1</td><td>2</td></tr></tbody></table>
      <ul><li><input type="checkbox" checked> done</li><li><input type="checkbox"> open</li></ul>
      <hr><script>alert("<p>no</p>")</script><!-- <p>no</p> -->
      loose text</body></html>`
    expect(markdownOf(html)).toBe(`# A *title*

Some **bold**, [link](https://example.com/) & \`a < b\`\u00a0café 😀

- one
- two
  1. three

> quoted

\`\`\`js
let a = 1
let b
\`\`\`

| a | b |
| - | - |
| 1 | 2 |

- [x] done
- [ ] open

---

loose text
`)
  })

  it("is what an export of it says again", () => {
    const doc = put(new Y.Doc(), SAMPLE, "tiptap")
    expect(markdownOf(exportDocument(doc, "html"))).toBe(exportDocument(doc, "markdown"))
  })

  it.each([
    ["tags that never end", "<a ".repeat(200_000)],
    ["quotes that never end", '<a href="'.repeat(200_000)],
    ["100,000 open tags", "<div>".repeat(100_000)],
    ["100,000 open marks", `${"<b>".repeat(100_000)}x`],
    ["closing tags alone", "</p>".repeat(200_000)],
    ["scripts that never end", "<script>".repeat(100_000)],
    ["comments that never end", "<!--".repeat(200_000)],
    ["references", "&#99999999;&nope;&amp".repeat(50_000)],
    ["less-than signs", "<".repeat(200_000)],
  ])("is read in time: %s", (_, html) => {
    const startedAt = performance.now()
    readHtml(html)
    expect(performance.now() - startedAt).toBeLessThan(5_000)
  })

  it("leads nowhere but to the web and to people", () => {
    const markdown = markdownOf('<p><a href="javascript:alert(1)">a</a> <img src="javascript:x" alt="b"></p>')
    expect(markdown).toBe("a b\n")
  })
})

it.each([
  ["brackets", "[".repeat(50_000)],
  ["stars", "*a**b ".repeat(900)],
  ["backticks", "`a``".repeat(1_000)],
  ["quotes", `${"> ".repeat(47)}x\n`.repeat(50)],
  ["lazy quotes", "> a\nb\n".repeat(1_000)],
  ["links", "[a](".repeat(30_000)],
  ["tables", `|${"a|".repeat(1000)}\n|${"-|".repeat(1000)}\n${`|${"b|".repeat(1000)}\n`.repeat(4)}`],
])("Markdown is read in time, or refused: %s", (_, markdown) => {
  const startedAt = performance.now()
  try {
    readMarkdown(markdown)
  } catch (refused) {
    expect(refused).toMatchObject({ code: "bad-request" })
  }
  expect(performance.now() - startedAt).toBeLessThan(8_000)
})

it("Markdown that nests without end is refused", () => {
  expect(() => readMarkdown(">".repeat(1_000))).toThrow("nests")
  expect(() => readMarkdown(`${"- ".repeat(10_000)}x`)).toThrow("nests")
  expect(() => readMarkdown(">".repeat(10_000))).toThrow("delimiters")
  expect(readMarkdown("- **a** *b* [c](d)\n".repeat(2_000))).toHaveLength(1)
})
