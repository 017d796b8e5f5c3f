import fc from "fast-check"
import { schema } from "prosemirror-schema-basic"
import { describe, expect, it } from "vitest"
import { prosemirrorJSONToYDoc, yXmlFragmentToProsemirrorJSON } from "y-prosemirror"
import * as Y from "yjs"
import { exportDocument } from "../../../src/export/formats.ts"
import { toJson } from "../../../src/export/json.ts"
import { findRoots } from "../../../src/export/roots.ts"
import { toText } from "../../../src/export/text.ts"

/** The document as a server meets it: loaded from bytes, no root read by anyone. */
function load(write: (doc: Y.Doc) => void): Y.Doc {
  const written = new Y.Doc()
  write(written)
  const loaded = new Y.Doc()
  Y.applyUpdate(loaded, Y.encodeStateAsUpdate(written))
  return loaded
}

const everyKind = (doc: Y.Doc) => {
  doc.getText("prose").insert(0, "Hello")
  doc.getText("prose").format(0, 2, { bold: true })
  doc.getMap("settings").set("title", "A paper")
  doc.getArray("items").push(["Milk", { count: 2 }])
  doc.getXmlFragment("page").insert(0, [new Y.XmlElement("paragraph")])
  const nested = new Y.Map<unknown>()
  doc.getMap("settings").set("nested", nested)
  nested.set("text", new Y.Text("inside"))
}

describe("a root's kind is inferred from what it holds", () => {
  const kinds: [string, string, (doc: Y.Doc) => void][] = [
    ["characters", "text", (doc) => doc.getText("r").insert(0, "a")],
    ["an embed", "text", (doc) => doc.getText("r").insertEmbed(0, { image: "x" }, { width: 1 })],
    ["strings pushed to an array", "array", (doc) => doc.getArray("r").push(["a"])],
    ["bytes in an array", "array", (doc) => doc.getArray("r").push([new Uint8Array([1])])],
    ["maps in an array", "array", (doc) => doc.getArray("r").push([new Y.Map()])],
    ["texts in an array", "array", (doc) => doc.getArray("r").push([new Y.Text("a")])],
    ["keys", "map", (doc) => doc.getMap("r").set("a", 1)],
    ["XML elements", "xml", (doc) => doc.getXmlFragment("r").insert(0, [new Y.XmlElement("p")])],
    ["XML text", "xml", (doc) => doc.getXmlFragment("r").insert(0, [new Y.XmlText("p")])],
    ["XML and something else", "array", (doc) => doc.getArray("r").push([new Y.XmlElement("p"), 1])],
    [
      "a deleted key",
      "empty",
      (doc) => {
        doc.getMap("r").set("a", 1)
        doc.getMap("r").delete("a")
      },
    ],
    [
      "deleted characters",
      "empty",
      (doc) => {
        doc.getText("r").insert(0, "a")
        doc.getText("r").delete(0, 1)
      },
    ],
    [
      "XML children and attributes",
      "xml",
      (doc) => {
        const root = doc.get("r", Y.XmlElement)
        root.setAttribute("class", "wide")
        root.insert(0, [new Y.XmlElement("p")])
      },
    ],
  ]
  it.each(kinds)("%s → %s", (_, kind, write) => {
    expect(findRoots(load(write))).toMatchObject([{ name: "r", kind }])
  })

  it("and not from what the program has read: the same state has one export", () => {
    const write = (d: Y.Doc) => {
      d.getText("emptied").insert(0, "a")
      d.getText("emptied").delete(0, 1)
      d.getText("prose").insert(0, "x")
    }
    const looked = load(write)
    looked.getText("emptied")
    looked.getMap("prose")
    looked.getArray("never")
    expect(findRoots(looked)).toMatchObject([
      { name: "emptied", kind: "empty" },
      { name: "prose", kind: "text" },
    ])
    for (const format of ["json", "text", "markdown", "html"] as const)
      expect(exportDocument(looked, format)).toBe(exportDocument(load(write), format))
    expect(() => toJson(looked, { root: "never" })).toThrow(expect.objectContaining({ code: "not-found" }))
  })
})

it("an export leaves the document as it was, for bytes and for later readers", () => {
  const doc = load(everyKind)
  const before = Y.encodeStateAsUpdate(doc)
  toJson(doc)
  toText(doc)
  findRoots(doc)
  expect(Y.encodeStateAsUpdate(doc)).toEqual(before)
  expect(doc.getText("prose").toString()).toBe("Hello")
  expect(doc.getXmlFragment("page").toString()).toBe("<paragraph></paragraph>")
  expect(doc.getArray("items").get(0)).toBe("Milk")
  doc.getText("prose").insert(5, "!")
  expect(toJson(doc, { root: "prose" })).toEqual([
    { insert: "He", attributes: { bold: true } },
    { insert: "llo!" },
  ])
})

describe("JSON", () => {
  it("gives what Yjs says for text, maps and arrays", () => {
    const write = (doc: Y.Doc) => {
      doc.getText("text").insert(0, "line one\nline two 🌍")
      doc.getArray("array").push([1, "two", null, true, { three: [3] }, new Y.Text("four")])
      doc.getMap("map").set("key", new Y.Array())
    }
    const typed = new Y.Doc()
    write(typed)
    expect(toJson(load(write))).toEqual(typed.toJSON())
  })

  it("says bytes as base64, a subdocument as its guid, a BigInt in decimals, and null where JSON has no word", () => {
    const doc = load((d) => {
      const array = d.getArray<unknown>("a")
      array.push([
        new Uint8Array([0, 255]),
        new Y.Doc({ guid: "sub" }),
        { deep: [2n ** 60n, undefined, NaN, -Infinity] },
      ])
    })
    expect(toJson(doc)).toEqual({
      a: ["AP8=", { guid: "sub" }, { deep: ["1152921504606846976", null, null, null] }],
    })
  })

  it("keeps a root and a key named __proto__", () => {
    const doc = load((d) => d.getMap("__proto__").set("__proto__", 1))
    expect(JSON.stringify(toJson(doc))).toBe('{"__proto__":{"__proto__":1}}')
  })

  it("picks one root, and names the others when it is not there", () => {
    const doc = load(everyKind)
    expect(toJson(doc, { root: "items" })).toEqual(["Milk", { count: 2 }])
    expect(() => toJson(doc, { root: "nope" })).toThrow(
      'No root "nope" in this document; it has "items", "page", "prose", "settings".',
    )
  })

  it("is the same whatever order the keys came in", () => {
    const one = load((d) => {
      d.getMap("b").set("x", 1)
      d.getMap("a").set("y", 2)
    })
    const other = load((d) => {
      d.getMap("a").set("y", 2)
      d.getMap("b").set("x", 1)
    })
    expect(JSON.stringify(toJson(one))).toBe(JSON.stringify(toJson(other)))
  })

  it("says XML as the ProseMirror document that y-prosemirror reads", () => {
    const paragraph = (...content: object[]) => ({ type: "paragraph", content })
    const page = {
      type: "doc",
      content: [
        { type: "heading", attrs: { level: 2 }, content: [{ type: "text", text: "A <b> in a title" }] },
        paragraph(
          { type: "text", text: "strong", marks: [{ type: "strong" }] },
          { type: "text", text: " " },
          {
            type: "text",
            text: "link",
            marks: [{ type: "link", attrs: { href: "https://a.b", title: null } }],
          },
        ),
        { type: "blockquote", content: [paragraph({ type: "text", text: "quoted" })] },
      ],
    }
    const written = prosemirrorJSONToYDoc(schema, page, "page")
    const doc = load((d) => Y.applyUpdate(d, Y.encodeStateAsUpdate(written)))
    const json = toJson(doc, { root: "page" }) as object
    expect(schema.nodeFromJSON(json).toJSON()).toEqual(
      schema.nodeFromJSON(yXmlFragmentToProsemirrorJSON(written.getXmlFragment("page"))).toJSON(),
    )
    expect(json).toEqual(page)
  })

  it("agrees with Yjs on any text that was inserted, deleted and formatted", () => {
    const edit = fc.record({
      at: fc.nat(40),
      text: fc.string({ maxLength: 5 }),
      remove: fc.nat(4),
      bold: fc.constantFrom(true, null, undefined),
    })
    fc.assert(
      fc.property(fc.array(edit, { maxLength: 40 }), (edits) => {
        const doc = new Y.Doc()
        const text = doc.getText("t")
        for (const { at, text: inserted, remove, bold } of edits) {
          const index = Math.min(at, text.length)
          text.delete(index, Math.min(remove, text.length - index))
          text.insert(index, inserted)
          if (bold !== undefined) text.format(index, inserted.length, { bold })
        }
        const loaded = load((d) => Y.applyUpdate(d, Y.encodeStateAsUpdate(doc)))
        const json = loaded.share.has("t") ? toJson(loaded, { root: "t" }) : null
        const runs = typeof json === "string" ? [{ insert: json }] : (json ?? [])
        expect(joined(runs as Run[])).toEqual(joined(text.toDelta()))
        expect(toText(loaded)).toBe(text.toString())
      }),
      { seed: 7, numRuns: 300 },
    )
  })
})

interface Run {
  insert: string
  attributes?: object
}

/** Runs of the same attributes as one. */
function joined(runs: Run[]): Run[] {
  const result: Run[] = []
  for (const run of runs.filter(({ insert }) => insert !== "")) {
    const last = result.at(-1)
    if (last && JSON.stringify(last.attributes) === JSON.stringify(run.attributes)) last.insert += run.insert
    else result.push({ ...run })
  }
  return result
}

describe("text", () => {
  it("is the text of the roots in name order, one after the other", () => {
    const doc = load((d) => {
      d.getText("b").insert(0, "second")
      d.getText("a").insert(0, "first\nroot")
      d.getText("empty")
    })
    expect(toText(doc)).toBe("first\nroot\nsecond")
    expect(toText(doc, { root: "b" })).toBe("second")
  })

  it("is a block a line of XML, without marks", () => {
    const doc = load((d) => {
      const item = new Y.XmlElement("listItem")
      item.insert(0, [new Y.XmlText("one"), new Y.XmlElement("hardBreak"), new Y.XmlText("two")])
      const list = new Y.XmlElement("bulletList")
      list.insert(0, [item])
      const title = new Y.XmlElement("heading")
      title.insert(0, [new Y.XmlText("Title")])
      d.getXmlFragment("page").insert(0, [title, list])
    })
    expect(toText(doc)).toBe("Title\none\ntwo")
  })

  it("is the strings of maps and arrays, at any depth, and neither keys nor numbers", () => {
    const doc = load((d) => {
      d.getArray("cart").push([{ name: "Milk", count: 2 }, new Y.Text("Bread"), ["Salt", true, null]])
      d.getMap("map").set("b", "beta")
      d.getMap("map").set("a", new Uint8Array([1]))
    })
    expect(toText(doc)).toBe("Milk\nBread\nSalt\nbeta")
  })
})
