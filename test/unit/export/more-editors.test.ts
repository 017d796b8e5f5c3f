import { slateNodesToInsertDelta } from "@slate-yjs/core"
import { getSchema, Node } from "@tiptap/core"
import { Mention } from "@tiptap/extension-mention"
import { prosemirrorJSONToYDoc } from "@tiptap/y-tiptap"
import {
  $createParagraphNode,
  $createTextNode,
  $getRoot,
  DecoratorNode,
  type SerializedLexicalNode,
} from "lexical"
import { describe, expect, it } from "vitest"
import * as Y from "yjs"
import { exportDocument, FORMATS } from "../../../src/export/formats.ts"
import { toJson } from "../../../src/export/json.ts"
import { toMarkdown } from "../../../src/export/markdown.ts"
import { findRoots } from "../../../src/export/roots.ts"
import { toText } from "../../../src/export/text.ts"
import { body, element, load, writeElements, writeLexical } from "./editors.ts"

/** A document from the bytes that another package wrote. */
function fromHex(hex: string): Y.Doc {
  const doc = new Y.Doc()
  Y.applyUpdate(
    doc,
    Uint8Array.from(hex.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16)),
  )
  return doc
}

describe("a document written by BlockNote", () => {
  const block = (content: Y.XmlElement, ...under: Y.XmlElement[]) =>
    element(
      "blockContainer",
      { id: "1" },
      content,
      ...(under.length > 0 ? [element("blockGroup", {}, ...under)] : []),
    )

  it.each(["image", "file", "video", "audio"])(
    "shows the address, name and caption of its %s block",
    (kind) => {
      const attributes = {
        url: "https://example.com/a.bin",
        caption: "A *caption*",
        name: "a.bin",
        showPreview: true,
      }
      const doc = writeElements(element("blockGroup", {}, block(element(kind, attributes))))
      const mark = kind === "image" ? "!" : ""
      expect(toMarkdown(doc)).toBe(`${mark}[a.bin](https://example.com/a.bin)\n\nA \\*caption\\*\n`)
      expect(body(doc)).toBe(
        kind === "image"
          ? '<figure><img src="https://example.com/a.bin" alt="a.bin"><figcaption>A *caption*</figcaption></figure>'
          : '<figure><a href="https://example.com/a.bin" rel="noopener noreferrer nofollow">a.bin</a><figcaption>A *caption*</figcaption></figure>',
      )
      expect(toText(doc)).toBe("a.bin\nA *caption*")
    },
  )

  it("shows what is known of a file that was not uploaded, and no address that is not trusted", () => {
    const doc = writeElements(
      element(
        "blockGroup",
        {},
        block(element("file", { url: "", name: "draft.pdf", caption: "" })),
        block(element("video", { url: "javascript:alert(1)", name: "", caption: "moving" })),
        block(element("image", { url: "http://example.com/a.png", name: "", caption: "" })),
      ),
    )
    expect(toText(doc)).toBe("draft.pdf\nmoving")
    for (const shown of [toMarkdown(doc), body(doc)]) {
      expect(shown).toContain("draft.pdf")
      expect(shown).toContain("moving")
      expect(shown).toMatch(/href="http:\/\/example.com\/a.png"|\]\(http:\/\/example.com\/a.png\)/)
      expect(shown).not.toMatch(/(href="|\]\()javascript/)
    }
  })

  it("keeps what is indented under a paragraph deeper in HTML, and all of it in Markdown and text", () => {
    const paragraph = (text: string) => element("paragraph", {}, text)
    const doc = writeElements(
      element(
        "blockGroup",
        {},
        block(paragraph("L0"), block(paragraph("L1"), block(paragraph("L2")))),
        block(paragraph("end")),
      ),
    )
    expect(body(doc)).toBe(`<p>L0</p>
<div class="indented">
<p>L1</p>
<div class="indented">
<p>L2</p>
</div>
</div>
<p>end</p>`)
    expect(toMarkdown(doc)).toBe("L0\n\nL1\n\nL2\n\nend\n")
    expect(toText(doc)).toBe("L0\nL1\nL2\nend")
  })
})

describe("a document written by Tiptap, with nodes of its own", () => {
  const leaf = (name: string, options: { inline?: boolean; attributes: string[] }) =>
    Node.create({
      name,
      group: options.inline ? "inline" : "block",
      inline: options.inline ?? false,
      atom: true,
      addAttributes: () => Object.fromEntries(options.attributes.map((one) => [one, { default: null }])),
    })
  const holder = (name: string, content: string, group = "block") => Node.create({ name, content, group })
  const schema = getSchema([
    Node.create({ name: "doc", topNode: true, content: "block+" }),
    Node.create({ name: "text", group: "inline" }),
    holder("paragraph", "inline*"),
    leaf("inlineMath", { inline: true, attributes: ["latex"] }),
    leaf("blockMath", { attributes: ["latex"] }),
    leaf("youtube", { attributes: ["src", "width"] }),
    holder("details", "detailsSummary detailsContent"),
    holder("detailsSummary", "inline*", ""),
    holder("detailsContent", "block+", ""),
  ])
  const text = (value: string) => ({ type: "text", text: value })
  const page = {
    type: "doc",
    content: [
      {
        type: "paragraph",
        content: [text("so "), { type: "inlineMath", attrs: { latex: "a_1^2" } }, text(" holds")],
      },
      { type: "blockMath", attrs: { latex: "\\\\sum x" } },
      { type: "youtube", attrs: { src: "https://www.youtube.com/watch?v=abc" } },
      {
        type: "details",
        content: [
          { type: "detailsSummary", content: [text("More")] },
          { type: "detailsContent", content: [{ type: "paragraph", content: [text("hidden")] }] },
        ],
      },
    ],
  }
  const doc = load(prosemirrorJSONToYDoc(schema, page, "page"))

  it("shows formulas, embeds and summaries in Markdown", () => {
    expect(toMarkdown(doc)).toBe(`so \`a_1^2\` holds

\`\`\`math
\\\\sum x
\`\`\`

[https://www.youtube.com/watch?v=abc](https://www.youtube.com/watch?v=abc)

More

hidden
`)
  })

  it("shows them in HTML and text", () => {
    expect(body(doc)).toBe(`<p>so <code>a_1^2</code> holds</p>
<pre><code class="language-math">\\\\sum x</code></pre>
<figure><a href="https://www.youtube.com/watch?v=abc" rel="noopener noreferrer nofollow">https://www.youtube.com/watch?v=abc</a></figure>
<details open>
<summary>More</summary>
<p>hidden</p>
</details>`)
    expect(toText(doc)).toBe("so a_1^2 holds\n\\\\sum x\nMore\nhidden")
  })
})

it("a mention of Tiptap is shown with its sign", () => {
  const schema = getSchema([
    Node.create({ name: "doc", topNode: true, content: "block+" }),
    Node.create({ name: "text", group: "inline" }),
    Node.create({ name: "paragraph", content: "inline*", group: "block" }),
    Mention,
  ])
  const mention = (attrs: object) => ({ type: "mention", attrs })
  const content = [
    mention({ id: "7", label: "Ada" }),
    { type: "text", text: " in " },
    mention({ id: "9", label: null, mentionSuggestionChar: "#" }),
  ]
  const page = { type: "doc", content: [{ type: "paragraph", content }] }
  const doc = load(prosemirrorJSONToYDoc(schema, page, "page"))
  expect(toText(doc)).toBe("@Ada in #9")
  expect(toMarkdown(doc)).toBe("@Ada in #9\n")
  expect(body(doc)).toBe("<p>@Ada in #9</p>")
})

class EquationNode extends DecoratorNode<null> {
  __equation = ""
  __inline = true
  static override getType() {
    return "equation"
  }
  static override clone(node: EquationNode) {
    return Object.assign(new EquationNode(node.__key), {
      __equation: node.__equation,
      __inline: node.__inline,
    })
  }
  static override importJSON() {
    return new EquationNode()
  }
  override exportJSON(): SerializedLexicalNode {
    return { type: "equation", version: 1 }
  }
  override isInline() {
    return this.__inline
  }
  override decorate() {
    return null
  }
}

it.each(["V1", "V2"] as const)("a formula of Lexical, %s, is shown, in a line or as a block", (version) => {
  const doc = writeLexical(version, () => {
    const inline = Object.assign(new EquationNode(), { __equation: "x^2" })
    const display = Object.assign(new EquationNode(), { __equation: "y^2", __inline: false })
    const line = $createParagraphNode().append($createTextNode("so "), inline)
    $getRoot().clear().append(line, display)
  }, [EquationNode])
  expect(toText(doc)).toBe("so x^2\ny^2")
  expect(toMarkdown(doc)).toBe("so `x^2`\n\n```math\ny^2\n```\n")
  expect(body(doc)).toBe('<p>so <code>x^2</code></p>\n<pre><code class="language-math">y^2</code></pre>')
})

describe("a document written by Slate", () => {
  // @slate-yjs/core 1.0.2, slateNodesToInsertDelta: a heading-one, a paragraph with bold text and a link, a bulleted-list, an image
  const doc = fromHex(
    "011592dbd2d10600070107636f6e74656e7406280092dbd2d10600047479706501770b68656164696e672d6f6e65040092dbd2d1060001548792dbd2d1060006280092dbd2d106030474797065017709706172616772617068040092dbd2d106030261208692dbd2d1060604626f6c6404747275658492dbd2d1060701628692dbd2d1060804626f6c64046e756c6c8792dbd2d1060906280092dbd2d1060a04747970650177046c696e6b280092dbd2d1060a0375726c01770c68747470733a2f2f652e782f040092dbd2d1060a016c8792dbd2d1060306280092dbd2d1060e047479706501770d62756c6c657465642d6c697374070092dbd2d1060e06280092dbd2d1061004747970650177096c6973742d6974656d040092dbd2d10610036f6e658792dbd2d1060e06280092dbd2d106150474797065017705696d616765280092dbd2d106150375726c01771168747470733a2f2f652e782f612e706e6700",
  )

  it("has code line by line, and mentions", () => {
    const written = new Y.Doc()
    const nodes = [
      {
        type: "code-block",
        language: "js",
        children: ["let a", "", "let b"].map((text) => ({ type: "code-line", children: [{ text }] })),
      },
      {
        type: "paragraph",
        children: [
          { text: "for " },
          { type: "mention", character: "Luke", children: [{ text: "" }] },
          { text: "." },
        ],
      },
    ]
    written.get("content", Y.XmlText).applyDelta(slateNodesToInsertDelta(nodes))
    expect(toMarkdown(load(written))).toBe("```js\nlet a\n\nlet b\n```\n\nfor Luke.\n")
    expect(toText(load(written))).toBe("let a\n\nlet b\nfor Luke.")
  })

  it("has its elements as blocks", () => {
    expect(toMarkdown(doc)).toBe("# T\n\na **b**[l](https://e.x/)\n\n- one\n\n![](https://e.x/a.png)\n")
    expect(toText(doc)).toBe("T\na bl\none\n")
    expect(body(doc)).toContain('<h1>T</h1>\n<p>a <strong>b</strong><a href="https://e.x/"')
  })

  it("is a tree in JSON, at the root and inside a map", () => {
    const heading = { type: "heading-one", content: [{ type: "text", text: "T" }] }
    expect(toJson(doc, { root: "content" })).toMatchObject({
      type: "doc",
      content: [heading, { type: "paragraph" }, { type: "bulleted-list" }, { type: "image" }],
    })
    const nested = new Y.Doc()
    const text = new Y.XmlText()
    nested.getMap("map").set("slate", text)
    const title = new Y.XmlText("T")
    title.setAttribute("type", "heading-one")
    text.insertEmbed(0, title)
    expect(toJson(load(nested))).toEqual({ map: { slate: { type: "doc", content: [heading] } } })
    expect(toText(load(nested))).toBe("T")
  })
})

describe("a text written by Quill", () => {
  const write = (...delta: { insert: unknown; attributes?: object }[]) => {
    const doc = new Y.Doc()
    doc.getText("quill").applyDelta(delta)
    return load(doc)
  }
  const cell = (text: string, row: string) => [
    { insert: text },
    { insert: "\n", attributes: { table: `row-${row}` } },
  ]

  it("has its tables, one after another as well", () => {
    const doc = write(
      ...[...cell("a", "1"), ...cell("b", "1"), ...cell("c", "2"), ...cell("d", "2")],
      ...[{ insert: "between\n" }, ...cell("e", "1")],
    )
    expect(body(doc)).toBe(
      "<table>\n<tr><td>a</td><td>b</td></tr>\n<tr><td>c</td><td>d</td></tr>\n</table>\n" +
        "<p>between</p>\n<table>\n<tr><td>e</td></tr>\n</table>",
    )
    expect(toMarkdown(doc)).toBe("| a | b |\n| - | - |\n| c | d |\n\nbetween\n\n| e |\n| - |\n")
  })

  it("has its lines indented, however deep they say they are", () => {
    const doc = write(
      ...[{ insert: "L0\nL1" }, { insert: "\n", attributes: { indent: 1 } }],
      ...[{ insert: "L2" }, { insert: "\n", attributes: { indent: 2, header: 3 } }],
      ...[{ insert: "end\nno" }, { insert: "\n", attributes: { indent: 1e9 } }],
    )
    expect(body(doc)).toMatch(
      /^<p>L0<\/p>\n<div class="indented">\n<p>L1<\/p>\n<div class="indented">\n<h3>L2<\/h3>\n<\/div>\n<\/div>\n<p>end<\/p>/,
    )
    expect(body(doc).match(/indented/g)).toHaveLength(2 + 8)
    expect(toMarkdown(doc)).toBe("L0\n\nL1\n\n### L2\n\nend\n\nno\n")
  })

  it("has its pictures' words, its videos on lines of their own, mentions and formulas", () => {
    const doc = write(
      { insert: { image: "https://example.com/a.png" }, attributes: { alt: "a *dot*" } },
      { insert: "\n" },
      { insert: { video: "https://example.com/v" } },
      { insert: "for " },
      { insert: { mention: { denotationChar: "@", id: "7", value: "Ada" } } },
      { insert: " as " },
      { insert: { formula: "e^x" } },
      { insert: "\n" },
    )
    expect(toMarkdown(doc)).toBe(
      "![a \\*dot\\*](https://example.com/a.png)\n\n[https://example.com/v](https://example.com/v)\n\nfor @Ada as `e^x`\n",
    )
    expect(toText(doc)).toBe("\nfor @Ada as e^x\n")
  })
})

describe("a document written by Yjs 14", () => {
  // @y/y 14.0.0-rc.7: the root "" of elements whose text lies directly in them, and roots "map", "arr" and "txt"
  const doc = fromHex(
    "0114b6e2d8a0cdd0c20e00070100030768656164696e6787b6e2d8a0cdd0c20e0003097061726167726170682800b6e2d8a0cdd0c20e00056c6576656c017d020400b6e2d8a0cdd0c20e00055469746c650400b6e2d8a0cdd0c20e0106706c61696e2086b6e2d8a0cdd0c20e0d04626f6c64027b7d84b6e2d8a0cdd0c20e0e04626f6c6486b6e2d8a0cdd0c20e1204626f6c64046e756c6c87b6e2d8a0cdd0c20e01030a62756c6c65744c6973740700b6e2d8a0cdd0c20e1403086c6973744974656d0700b6e2d8a0cdd0c20e1503097061726167726170680400b6e2d8a0cdd0c20e16046974656d2801036d6170016b017d012701036d61700474657874040400b6e2d8a0cdd0c20e1c066e6573746564080103617272037d01770374776f760101787d0304010374787402686584b6e2d8a0cdd0c20e27036c6c6f46b6e2d8a0cdd0c20e2604626f6c640474727565c6b6e2d8a0cdd0c20e27b6e2d8a0cdd0c20e2804626f6c64046e756c6c00",
  )

  it("has roots of the kinds that were meant", () => {
    expect(findRoots(doc).map(({ name, kind }) => [name, kind])).toEqual([
      ["", "xml"],
      ["arr", "array"],
      ["map", "map"],
      ["txt", "text"],
    ])
  })

  it("has runs with formats in JSON, and not a node a character", () => {
    expect(toJson(doc)).toEqual({
      "": {
        type: "doc",
        content: [
          { type: "heading", attrs: { level: 2 }, content: [{ type: "text", text: "Title" }] },
          {
            type: "paragraph",
            content: [
              { type: "text", text: "plain " },
              { type: "text", text: "bold", marks: [{ type: "bold" }] },
            ],
          },
          {
            type: "bulletList",
            content: [
              {
                type: "listItem",
                content: [{ type: "paragraph", content: [{ type: "text", text: "item" }] }],
              },
            ],
          },
        ],
      },
      arr: [1, "two", { x: 3 }],
      map: { k: 1, text: "nested" },
      txt: [{ insert: "he", attributes: { bold: true } }, { insert: "llo" }],
    })
  })

  it("has its lines in text, Markdown and HTML", () => {
    expect(toText(doc, { root: "" })).toBe("Title\nplain bold\nitem")
    expect(toText(doc)).toBe("Title\nplain bold\nitem\ntwo\nnested\nhello")
    expect(toMarkdown(doc, { root: "" })).toBe("## Title\n\nplain **bold**\n\n- item\n")
    expect(body(doc, { root: "" })).toBe(
      "<h2>Title</h2>\n<p>plain <strong>bold</strong></p>\n<ul>\n<li>item</li>\n</ul>",
    )
  })
})

it("no export of any of these leaves a trace: bytes, root types and listeners are as they were", () => {
  const written = new Y.Doc()
  written.getText("text").insert(0, "hello")
  written.getText("text").format(0, 2, { bold: true })
  written.getMap("map").set("nested", new Y.Text("inside"))
  written.getArray("array").push([new Y.XmlElement("p"), 1])
  written.getXmlFragment("xml").insert(0, [new Y.XmlElement("paragraph"), new Y.XmlText("text")])
  written.getMap("map").set("sub", new Y.Doc({ guid: "sub" }))
  const doc = load(written)
  const heard: string[] = []
  for (const event of ["update", "afterTransaction", "subdocs", "beforeTransaction"] as const)
    doc.on(event, () => heard.push(event))
  const trace = () => ({
    bytes: Y.encodeStateAsUpdate(doc),
    roots: [...doc.share].map(([name, type]) => [
      name,
      type.constructor.name,
      "_searchMarker" in type && type._searchMarker,
    ]),
    observers: [...doc.share.values()].map((type) => type._eH.l.length + type._dEH.l.length),
  })
  const before = trace()
  for (const { write } of Object.values(FORMATS)) write(doc, {})
  for (const { name } of findRoots(doc)) exportDocument(doc, "json", { root: name })
  expect(trace()).toEqual(before)
  expect(heard).toEqual([])
  expect(doc.getArray("array").length).toBe(2)
})
