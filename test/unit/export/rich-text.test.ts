import { $convertFromMarkdownString, CHECK_LIST, TRANSFORMERS } from "@lexical/markdown"
import fc from "fast-check"
import { $createParagraphNode, $createTextNode, $getRoot } from "lexical"
import { defaultMarkdownParser } from "prosemirror-markdown"
import { describe, expect, it } from "vitest"
import { prosemirrorJSONToYDoc } from "y-prosemirror"
import * as Y from "yjs"
import { exportDocument } from "../../../src/export/formats.ts"
import { toHtml } from "../../../src/export/html.ts"
import { toJson } from "../../../src/export/json.ts"
import { toMarkdown } from "../../../src/export/markdown.ts"
import { toText } from "../../../src/export/text.ts"
import { body, element, load, writeElements, writeLexical } from "./editors.ts"

const SAMPLE = `# A *title*

Some **bold**, *italic*, ~~gone~~ and \`code\` with a [link](https://example.com/a?b=1&c=2).

- one
- two
    - nested

then

- [ ] open
- [x] done

and

3. three
4. four

> quoted

\`\`\`js
let a = 1 < 2
\`\`\``

describe.each(["V1", "V2"] as const)("a document written by Lexical, %s", (version) => {
  const write = () =>
    writeLexical(version, () => $convertFromMarkdownString(SAMPLE, [CHECK_LIST, ...TRANSFORMERS]))

  it("is Markdown again", async () => {
    expect(toMarkdown(write())).toBe(`# A *title*

Some **bold**, *italic*, ~~gone~~ and \`code\` with a [link](https://example.com/a?b=1\\&c=2).

- one
- two
  - nested

then

- [ ] open
- [x] done

and

3. three
4. four

> quoted

\`\`\`js
let a = 1 < 2
\`\`\`
`)
  })

  it("is HTML", async () => {
    const html = body(write())
    expect(html).toContain("<h1>A <em>title</em></h1>")
    expect(html).toContain("<strong>bold</strong>, <em>italic</em>, <s>gone</s> and <code>code</code>")
    expect(html).toContain(
      '<a href="https://example.com/a?b=1&amp;c=2" rel="noopener noreferrer nofollow">link</a>',
    )
    expect(html).toContain('<ol start="3">\n<li>three</li>\n<li>four</li>\n</ol>')
    expect(html).toContain('<pre><code class="language-js">let a = 1 &lt; 2</code></pre>')
    expect(html).toContain('<li><input type="checkbox" disabled checked> done</li>')
  })

  it("is text, a line a block", async () => {
    expect(toText(write())).toBe(
      "A title\nSome bold, italic, gone and code with a link.\none\ntwo\nnested\nthen\nopen\ndone\nand\nthree\nfour\nquoted\nlet a = 1 < 2",
    )
  })

  it("leaves the bytes as they were", async () => {
    const doc = write()
    const before = Y.encodeStateAsUpdate(doc)
    for (const format of ["json", "text", "markdown", "html"] as const) exportDocument(doc, format)
    expect(Y.encodeStateAsUpdate(doc)).toEqual(before)
    expect([...doc.share.values()].every((type) => type.constructor === Y.AbstractType)).toBe(true)
  })
})

it("a Lexical document is a tree in JSON", async () => {
  const doc = writeLexical("V1", () => {
    const paragraph = $createParagraphNode().append(
      $createTextNode("plain "),
      $createTextNode("bold").setFormat("bold"),
    )
    $getRoot().clear().append(paragraph)
  })
  expect(toJson(doc)).toMatchObject({
    root: {
      type: "root",
      children: [
        {
          type: "paragraph",
          children: [
            { type: "text", text: "plain ", format: 0 },
            { type: "text", text: "bold", format: 1 },
          ],
        },
      ],
    },
  })
})

describe("a document written by Tiptap", () => {
  it("keeps lists, tasks, tables, breaks, images and mentions", () => {
    const item = (name: string, ...children: Y.XmlElement[]) => element(name, {}, ...children)
    const paragraph = (...children: (Y.XmlElement | string)[]) => element("paragraph", {}, ...children)
    const cell = (name: string, text: string) => element(name, { colspan: 1 }, paragraph(text))
    const doc = writeElements(
      element("heading", { level: 2 }, "Plan"),
      element(
        "bulletList",
        {},
        item("listItem", paragraph("one"), item("orderedList", item("listItem", paragraph("deep")))),
      ),
      element(
        "taskList",
        {},
        element("taskItem", { checked: true }, paragraph("done")),
        element("taskItem", {}, paragraph("open")),
      ),
      paragraph("a", element("hardBreak", {}), "b ", element("mention", { id: "7", label: "@ada" })),
      element("image", { src: "https://example.com/a.png", alt: "A [picture]" }),
      element("horizontalRule", {}),
      element(
        "table",
        {},
        element("tableRow", {}, cell("tableHeader", "k"), cell("tableHeader", "v|w")),
        element("tableRow", {}, cell("tableCell", "1")),
      ),
    )
    expect(toMarkdown(doc)).toBe(`## Plan

- one
  1. deep

* [x] done
* [ ] open

a\\
b @ada

![A \\[picture\\]](https://example.com/a.png)

---

| k | v\\|w |
| - | - |
| 1 | |
`)
    expect(body(doc)).toBe(`<h2>Plan</h2>
<ul>
<li>one
<ol>
<li>deep</li>
</ol>
</li>
</ul>
<ul>
<li><input type="checkbox" disabled checked> done</li>
<li><input type="checkbox" disabled> open</li>
</ul>
<p>a<br>b @ada</p>
<p><img src="https://example.com/a.png" alt="A [picture]"></p>
<hr>
<table>
<tr><th>k</th><th>v|w</th></tr>
<tr><td>1</td></tr>
</table>`)
  })

  it("takes what it does not know for what it holds", () => {
    const doc = writeElements(
      element("callout", { kind: "info" }, element("paragraph", {}, "inside"), element("chart", {})),
    )
    expect(toMarkdown(doc)).toBe("inside\n")
    expect(toText(doc)).toBe("inside")
  })
})

describe("a document written by BlockNote", () => {
  it("has its items in lists again, with what is indented under them", () => {
    const block = (content: Y.XmlElement, ...under: Y.XmlElement[]) =>
      element(
        "blockContainer",
        {},
        content,
        ...(under.length > 0 ? [element("blockGroup", {}, ...under)] : []),
      )
    const doc = writeElements(
      element(
        "blockGroup",
        {},
        block(element("bulletListItem", {}, "one"), block(element("bulletListItem", {}, "deep"))),
        block(element("bulletListItem", {}, "two")),
        block(element("checkListItem", { checked: true }, "done")),
        block(element("paragraph", {}, "after")),
      ),
    )
    expect(toMarkdown(doc)).toBe("- one\n  - deep\n- two\n- [x] done\n\nafter\n")
  })
})

describe("a text", () => {
  const write = (edit: (text: Y.Text) => void) => {
    const doc = new Y.Doc()
    edit(doc.getText("text"))
    return load(doc)
  }

  it("that was never formatted is itself in Markdown, and keeps its lines in HTML", () => {
    const source = "\n# A <title>\n\n* item & more\n"
    const doc = write((text) => text.insert(0, source))
    expect(toMarkdown(doc)).toBe(source)
    expect(body(doc)).toBe('<pre class="plain">\n\n# A &lt;title&gt;\n\n* item &amp; more\n</pre>')
  })

  it("with a Quill delta has Quill's lines", () => {
    const doc = write((text) =>
      text.applyDelta([
        { insert: "Title" },
        { insert: "\n", attributes: { header: 1 } },
        { insert: "see " },
        { insert: "this", attributes: { bold: true, link: "https://example.com" } },
        { insert: "\none" },
        { insert: "\n", attributes: { list: "bullet" } },
        { insert: "deep" },
        { insert: "\n", attributes: { list: "bullet", indent: 1 } },
        { insert: "done" },
        { insert: "\n", attributes: { list: "checked" } },
        { insert: "let a\nlet b" },
        { insert: "\n", attributes: { "code-block": "plain" } },
        { insert: "wise" },
        { insert: "\n", attributes: { blockquote: true } },
        { insert: { image: "data:image/png;base64,AAAA" } },
        { insert: "\n" },
      ]),
    )
    expect(toMarkdown(doc)).toBe(`# Title

see [**this**](https://example.com/)

- one
  - deep
- [x] done

let a

\`\`\`
let b
\`\`\`

> wise

![](data:image/png;base64,AAAA)
`)
    expect(body(doc)).toContain("<h1>Title</h1>")
  })
})

it("several roots follow their names, and what is no text is JSON", () => {
  const doc = new Y.Doc()
  doc.getText("notes").insert(0, "hello")
  doc.getMap("a *map*").set("k", "<b>")
  const loaded = load(doc)
  expect(toMarkdown(loaded)).toBe('## a \\*map\\*\n\n```json\n{\n  "k": "<b>"\n}\n```\n\n## notes\n\nhello\n')
  expect(body(loaded)).toBe(
    '<section>\n<h2>a *map*</h2>\n<pre><code class="language-json">{\n  &quot;k&quot;: &quot;&lt;b&gt;&quot;\n}</code></pre>\n</section>\n<section>\n<h2>notes</h2>\n<pre class="plain">\nhello</pre>\n</section>',
  )
  expect(toMarkdown(load(new Y.Doc()))).toBe("")
})

describe("what someone hostile typed", () => {
  const attacks = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</title><script>",
    "</pre></code><script>",
    "&lt;script&gt;",
    "<!--",
    "[x](javascript:alert(1))",
  ]
  const addresses = [
    "javascript:alert(1)",
    " javascript:alert(1)",
    "java\nscript:alert(1)",
    "data:text/html,<script>",
    "vbscript:x",
    "//evil.example",
    "/relative",
    'https://a.example/"onmouseover="alert(1)',
    "data:image/svg+xml;base64,AAAA",
    "https://a.example/>)<script>",
  ]

  const hostile = () => {
    const doc = new Y.Doc()
    for (const [index, attack] of attacks.entries()) {
      const text = doc.getText(`${attack}`)
      text.insert(0, attack)
      text.format(0, 3, { bold: true })
      doc.getMap("map").set(attack, attack)
      doc
        .getXmlFragment("xml")
        .insert(index, [
          element("heading", { level: attack }, attack),
          element(attack, {}, attack),
          element("codeBlock", { language: attack }, attack),
          element(
            "orderedList",
            { start: attack },
            element("listItem", {}, element("paragraph", {}, attack)),
          ),
          element("mention", { label: attack }),
          element("file", { url: addresses[index] ?? attack, name: attack, caption: attack }),
          element(
            "details",
            {},
            element("detailsSummary", {}, attack),
            element("detailsContent", {}, attack),
          ),
          element("inlineMath", { latex: attack }),
          element("blockContainer", {}, element("paragraph", {}, attack), element("blockGroup", {}, attack)),
          element("taskList", {}, element("taskItem", { checked: attack }, attack)),
        ])
    }
    for (const address of addresses) {
      const paragraph = element("paragraph", {}, element("image", { src: address, alt: address }))
      doc.getXmlFragment("xml").insert(0, [paragraph])
      const linked = new Y.XmlText("linked")
      paragraph.insert(0, [linked])
      linked.format(0, 6, { link: { href: address } })
    }
    return load(doc)
  }

  it("is text in HTML: no tag and no attribute that the export has not written, links to http, https and mailto only", () => {
    const html = toHtml(hostile())
    const tags = [...html.matchAll(/<\/?([a-z0-9]+)([^>]*)>/gi)]
    const known =
      /^(html|head|meta|title|style|body|section|h[1-6]|p|br|pre|code|ol|ul|li|input|img|a|strong|figure|figcaption|details|summary|div)$/
    for (const [tag, name = "", attributes = ""] of tags) {
      expect(name, tag).toMatch(known)
      expect(attributes.replace(/"[^"]*"/g, '""'), tag).toMatch(
        /^( (charset|name|content|dir|class|start|type|href|rel|src|alt)=""| disabled| checked| open)*$/,
      )
    }
    for (const [, address] of html.matchAll(/href="([^"]*)"/g)) expect(address).toMatch(/^(https?:|mailto:)/)
    for (const [, address] of html.matchAll(/src="([^"]*)"/g)) expect(address).toMatch(/^https:/)
    expect(html).not.toContain("<!--")
  })

  it("is text in Markdown as well", () => {
    const html = renderMarkdown(toMarkdown(hostile()))
    expect(html).not.toMatch(/<script|<img[^>]*onerror|<!--/)
    for (const [, address] of html.matchAll(/(?:href|src)="([^"]*)"/g)) expect(address).toMatch(/^https?:/)
  })
})

// ---- Markdown, read by somebody else's parser

const commonmark = defaultMarkdownParser.tokenizer.set({ html: true }).enable(["strikethrough", "table"])

function renderMarkdown(markdown: string): string {
  return commonmark.render(markdown)
}

/** Each character of a rendered page with the marks around it, blanks left out. */
function characters(html: string): string[] {
  const open: string[] = []
  const found: string[] = []
  const names: Record<string, string> = { b: "strong", i: "em", del: "s" }
  for (const [part] of html.matchAll(/<[^>]+>|&[a-z0-9#]+;|[^<&]/gisu)) {
    const [, closes, tag] = /^<(\/?)([a-z0-9]+)/i.exec(part) ?? []
    if (tag === undefined) {
      const character = { "&lt;": "<", "&gt;": ">", "&amp;": "&", "&quot;": '"', "&#39;": "'" }[part] ?? part
      if (/\S/u.test(character)) found.push(`${character} ${[...open].sort().join(",")}`)
    } else if (/^(strong|em|s|del|code|u|a)$/.test(tag)) {
      const name = names[tag] ?? tag
      if (closes) open.splice(open.lastIndexOf(name), 1)
      else open.push(name)
    }
  }
  return found
}

it("any formatted text means in Markdown, to a parser, what it means in HTML", () => {
  const text = fc.oneof(
    fc.string({ unit: fc.constantFrom(..."ab *_`~[]()<>!#+-.|\\&;1\"'=é🌍"), minLength: 1, maxLength: 6 }),
    fc.constantFrom("word", "two words", " ", "1. ", "- ", "&amp;", "**", "http://a.b/_c_", "\\", "!"),
  )
  const mark = fc.constantFrom("bold", "italic", "strike", "code", "underline")
  const marks = fc.uniqueArray(mark, { maxLength: 2 })
  const runs = fc.array(fc.record({ text, marks }), { minLength: 1, maxLength: 6 })
  const block = fc.record({ name: fc.constantFrom("paragraph", "heading", "blockquote", "listItem"), runs })
  fc.assert(
    fc.property(fc.array(block, { minLength: 1, maxLength: 4 }), (blocks) => {
      const doc = new Y.Doc()
      for (const { name, runs: content } of blocks) {
        const line = new Y.XmlText()
        line.applyDelta(
          content.map((run) => ({
            insert: run.text,
            attributes: Object.fromEntries(run.marks.map((one) => [one, true])),
          })),
        )
        const holder = new Y.XmlElement(name === "heading" ? "heading" : "paragraph")
        holder.insert(0, [line])
        const around =
          name === "listItem"
            ? [holder, "listItem", "bulletList"]
            : name === "blockquote"
              ? [holder, name]
              : [holder]
        const node = around.reduce((inner, outer) => {
          const wrapper = new Y.XmlElement(outer as string)
          wrapper.insert(0, [inner as Y.XmlElement])
          return wrapper
        }) as Y.XmlElement
        doc.getXmlFragment("page").push([node])
      }
      const loaded = load(doc)
      expect(characters(renderMarkdown(toMarkdown(loaded)))).toEqual(characters(body(loaded)))
    }),
    { seed: 99, numRuns: 300 },
  )
})

it.each([
  ["word", "🌍a", "word", "word<strong>🌍a</strong>word\n"],
  ["word ", "🌍a", " word", "word **🌍a** word\n"],
  ["🌍", '"a"', "b", '🌍<strong>"a"</strong>b\n'],
  ["a", " b ", "c", "a **b** c\n"],
])(
  "bold between %j and a neighbour is a delimiter where a parser will see one: %j %j",
  (before, bold, after, markdown) => {
    const doc = new Y.Doc()
    const line = new Y.XmlText()
    line.applyDelta([{ insert: before }, { insert: bold, attributes: { bold: {} } }, { insert: after }])
    const paragraph = new Y.XmlElement("paragraph")
    paragraph.insert(0, [line])
    doc.getXmlFragment("page").insert(0, [paragraph])
    expect(toMarkdown(load(doc))).toBe(markdown)
  },
)

it("any document of ProseMirror's basic schema comes back from Markdown with its blocks", () => {
  const source = [
    "# One\n\nTwo *three* **four** `five` [six](https://example.com/",
    "> quote\n>\n> - list\n>\n>   in quote\n> - more",
    "1. a\n2. b\n\n   c\n\n   ```\n   code\n   ```\n3. d",
    "- a\n\n  - b\n\n    > c",
    "```\n``` inside\n```\n\n---\n\nend",
    "a\\\nb",
  ]
  for (const markdown of source) {
    const page = defaultMarkdownParser.parse(markdown)
    const doc = load(prosemirrorJSONToYDoc(page.type.schema, page.toJSON(), "page"))
    const plain = (html: string) => html.replaceAll(/<\/?p>|\s| rel="[^"]*"|<br>/g, "")
    expect(plain(renderMarkdown(toMarkdown(doc)))).toBe(plain(renderMarkdown(markdown)))
  }
})
