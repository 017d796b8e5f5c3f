import { $convertFromMarkdownString, CHECK_LIST, TRANSFORMERS } from "@lexical/markdown"
import fc from "fast-check"
import { defaultMarkdownParser } from "prosemirror-markdown"
import { describe, expect, it } from "vitest"
import { prosemirrorJSONToYDoc } from "y-prosemirror"
import * as Y from "yjs"
import { Budget } from "../../../src/export/budget.ts"
import { type Json, toJson } from "../../../src/export/json.ts"
import { applyMergePatch, applyPatch, type ChangeOptions, writeDocument } from "../../../src/json/patch.ts"
import { actAt, mergeJson } from "../../../src/json/plain.ts"
import { writePointer } from "../../../src/json/pointer.ts"
import { LIMITS } from "../../../src/limits.ts"
import { load, writeLexical } from "../export/editors.ts"

const options = (more: Partial<ChangeOptions> = {}): ChangeOptions => ({
  limits: LIMITS,
  nested: null,
  known: null,
  budget: new Budget(100_000_000),
  touch() {},
  ...more,
})

function patch(doc: Y.Doc, operations: Json, more: Partial<ChangeOptions> = {}): Json {
  doc.transact(() => applyPatch(doc, operations, options(more)))
  return toJson(doc)
}

/** A document with one of everything, as a server meets it. */
function sample(): Y.Doc {
  const doc = new Y.Doc()
  doc.getText("text").insert(0, "Hello, world")
  doc
    .getText("rich")
    .applyDelta([{ insert: "plain " }, { insert: "bold", attributes: { bold: true } }, { insert: " end" }])
  doc.getMap("plain").set("value", { title: "one", tags: ["a", "b"] })
  const map = doc.getMap<unknown>("map")
  map.set("n", 1)
  map.set("list", Y.Array.from(["x", "y", "z"]))
  map.set("title", new Y.Text("A title"))
  map.set("inner", new Y.Map(Object.entries({ deep: true })))
  doc.getArray("list").push([1, "two", { three: 3 }, null])
  const paragraph = new Y.XmlElement("paragraph")
  paragraph.insert(0, [new Y.XmlText("A paragraph")])
  const heading = new Y.XmlElement<{ level: number }>("heading")
  heading.setAttribute("level", 2)
  heading.insert(0, [new Y.XmlText("A heading")])
  doc.getXmlFragment("default").insert(0, [heading as unknown as Y.XmlElement, paragraph])
  return load(doc)
}

const refusal = (doc: Y.Doc, operations: Json): string => {
  try {
    patch(doc, operations)
  } catch (thrown) {
    const { code, message } = thrown as { code: string; message: string }
    return `${code}: ${message}`
  }
  return "taken"
}

describe("JSON Patch", () => {
  it("does the six operations of RFC 6902", () => {
    const doc = sample()
    const json = patch(doc, [
      { op: "test", path: "/map/n", value: 1 },
      { op: "replace", path: "/map/n", value: 2 },
      { op: "add", path: "/map/list/1", value: "new" },
      { op: "add", path: "/list/-", value: { four: 4 } },
      { op: "remove", path: "/map/inner/deep" },
      { op: "copy", from: "/text", path: "/map/copied" },
      { op: "move", from: "/list/0", path: "/list/2" },
      { op: "add", path: "/plain/value/tags/-", value: "c" },
      { op: "add", path: "/fresh/key", value: [1] },
    ])
    expect(json).toMatchObject({
      map: { n: 2, list: ["x", "new", "y", "z"], inner: {}, copied: "Hello, world", title: "A title" },
      list: ["two", { three: 3 }, 1, null, { four: 4 }],
      plain: { value: { title: "one", tags: ["a", "b", "c"] } },
      fresh: { key: [1] },
    })
  })

  it("means by a pointer into a rich text what its export shows", () => {
    const doc = sample()
    const json = patch(doc, [
      { op: "replace", path: "/default/content/0/attrs/level", value: 3 },
      { op: "replace", path: "/default/content/1/content/0/text", value: "A short paragraph" },
      {
        op: "add",
        path: "/default/content/-",
        value: { type: "paragraph", content: [{ type: "text", text: "x", marks: [{ type: "bold" }] }] },
      },
      { op: "test", path: "/default/content/2/content/0/text", value: "x" },
      { op: "replace", path: "/rich/1/insert", value: "bolder" },
      { op: "add", path: "/rich/0/attributes", value: { italic: true } },
    ]) as { [name: string]: Json }
    expect(json.default).toEqual({
      type: "doc",
      content: [
        { type: "heading", attrs: { level: 3 }, content: [{ type: "text", text: "A heading" }] },
        { type: "paragraph", content: [{ type: "text", text: "A short paragraph" }] },
        { type: "paragraph", content: [{ type: "text", text: "x", marks: [{ type: "bold" }] }] },
      ],
    })
    expect(json.rich).toEqual([
      { insert: "plain ", attributes: { italic: true } },
      { insert: "bolder", attributes: { bold: true } },
      { insert: " end" },
    ])
  })

  it("writes new objects as their neighbours are written, or as it is told", () => {
    const doc = sample()
    patch(doc, [
      { op: "add", path: "/list/-", value: { a: 1 } },
      { op: "add", path: "/map/made", value: { a: 1 } },
    ])
    expect(doc.getArray("list").get(4)).toEqual({ a: 1 })
    expect(doc.getMap("map").get("made")).toBeInstanceOf(Y.Map)
    patch(doc, [{ op: "add", path: "/map/plain", value: { a: 1 } }], { nested: "plain" })
    expect(doc.getMap("map").get("plain")).toEqual({ a: 1 })
    patch(doc, [{ op: "add", path: "/list/-", value: { a: 1 } }], { nested: "shared" })
    expect(doc.getArray("list").get(5)).toBeInstanceOf(Y.Map)
  })

  it("[G1] changes a text by what is different, so that what others wrote meanwhile stays", () => {
    const doc = sample()
    const other = load(doc)
    other.getText("text").insert(5, " wide")
    other.getXmlFragment("default").get(1)
    ;((other.getXmlFragment("default").get(1) as Y.XmlElement).get(0) as Y.XmlText).insert(11, " of theirs")
    patch(doc, [
      { op: "replace", path: "/text", value: "Hello, worlds!" },
      { op: "replace", path: "/default/content/1/content/0/text", value: "Our A paragraph" },
    ])
    Y.applyUpdate(doc, Y.encodeStateAsUpdate(other))
    expect(doc.getText("text").toString()).toBe("Hello wide, worlds!")
    expect(doc.getXmlFragment("default").toString()).toContain("Our A paragraph of theirs")
  })

  it("edits inside a text without sending it", () => {
    const doc = sample()
    patch(doc, [
      { op: "text", path: "/text", index: 7, delete: 5, insert: "there" },
      { op: "text", path: "/map/title", index: 7, insert: "!" },
      { op: "text", path: "/rich", index: 0, insert: "so ", attributes: { italic: true } },
      { op: "text", path: "/default/content/1", index: 2, insert: "new " },
      { op: "text", path: "/default/content/0/content/0/text", index: 9, insert: "?" },
    ])
    expect(doc.getText("text").toString()).toBe("Hello, there")
    expect(toJson(doc)).toMatchObject({
      map: { title: "A title!" },
      rich: [{ insert: "so ", attributes: { italic: true } }, { insert: "plain " }, {}, {}],
      default: {
        content: [{ content: [{ text: "A heading?" }] }, { content: [{ text: "A new paragraph" }] }],
      },
    })
  })

  it("makes an absent root what the path says, and a removed one empty", () => {
    const doc = new Y.Doc()
    expect(patch(doc, [{ op: "add", path: "/numbers/-", value: 1 }])).toEqual({ numbers: [1] })
    expect(patch(doc, [{ op: "add", path: "/settings/dark", value: true }])).toMatchObject({
      settings: { dark: true },
    })
    expect(patch(doc, [{ op: "add", path: "/words", value: "some" }])).toMatchObject({ words: "some" })
    expect(patch(doc, [{ op: "remove", path: "/words" }])).toMatchObject({ words: null })
    expect(patch(doc, [{ op: "add", path: "/words/0", value: "list" }])).toMatchObject({ words: ["list"] })
  })

  it("says which operation failed, and what stood there", () => {
    const cases: [Json, string][] = [
      [
        [{ op: "test", path: "/map/n", value: 2 }],
        'test-failed: Operation 0 ("test" "/map/n"): there is 1, not 2',
      ],
      [
        [{ op: "remove", path: "/map/nope" }],
        'patch-failed: Operation 0 ("remove" "/map/nope"): there is no key "nope"',
      ],
      [
        [
          { op: "test", path: "/map/n", value: 1 },
          { op: "replace", path: "/list/9", value: 1 },
        ],
        'patch-failed: Operation 1 ("replace" "/list/9"): there is a list of 4, which has no place 9',
      ],
      [[{ op: "add", path: "/text/0", value: "x" }], "patch-failed: Operation 0"],
      [[{ op: "add", path: "/nope" }], 'bad-request: Operation 0 ("add" "/nope"): "add" needs a value'],
      [[{ op: "jump", path: "/map" }], "bad-request: Operation 0"],
      [[{ op: "text", path: "/text", index: 99, insert: "x" }], "patch-failed: Operation 0"],
      [[{ op: "add", path: "/map/list/00", value: 1 }], "patch-failed: Operation 0"],
      [[{ op: "move", from: "/map", path: "/map/inner/map" }], "patch-failed: Operation 0"],
      [[{ op: "add", path: `${"/a".repeat(1_000)}`, value: 1 }], "bad-request: Operation 0"],
      [[{ op: "add", path: "no", value: 1 }], "bad-request: Operation 0"],
      [{ op: "add" }, "bad-request: A JSON Patch is a list of operations"],
    ]
    for (const [operations, wanted] of cases) expect(refusal(sample(), operations)).toContain(wanted)
  })

  it("splits no character of two units", () => {
    const doc = new Y.Doc()
    doc.getText("t").insert(0, "a😀b")
    expect(refusal(doc, [{ op: "text", path: "/t", index: 2, insert: "x" }])).toContain("two units")
  })
})

/** Values as people have them; keys and texts few, so that patches meet. */
const value = fc.letrec<{ json: Json }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom<Json>(null, true, 1, "word", "some words", ""),
    fc.array(tie("json"), { maxLength: 4 }),
    fc.dictionary(fc.constantFrom("a", "b", "c/d", "e~f"), tie("json"), {
      maxKeys: 3,
      noNullPrototype: true,
    }) as fc.Arbitrary<Json>,
  ),
})).json

/** Every place there is in a value. */
function placesOf(json: Json, at: string[] = []): string[][] {
  if (typeof json !== "object" || json === null) return [at]
  return [at, ...Object.entries(json).flatMap(([key, member]) => placesOf(member as Json, [...at, key]))]
}

describe("against the same operation on plain JSON", () => {
  it.each([null, "shared", "plain"] as const)("a patch of maps and lists is the same (%s)", (nested) => {
    fc.assert(
      fc.property(
        value,
        fc.array(fc.tuple(fc.nat(), value, fc.constantFrom("add", "replace", "remove")), { maxLength: 6 }),
        (first, steps) => {
          const doc = new Y.Doc()
          let expected: Json = { root: { first } }
          patch(doc, [{ op: "add", path: "/root/first", value: first }], { nested })
          for (const [pick, json, op] of steps) {
            const places = placesOf(expected).filter(({ length }) => length > 1)
            if (places.length === 0) return
            const place = places[pick % places.length]!
            const act =
              op === "remove" ? { kind: "remove" as const } : { kind: op as "add" | "replace", value: json }
            const operation =
              op === "remove"
                ? { op, path: writePointer(place) }
                : { op, path: writePointer(place), value: json }
            expected = actAt(expected, place, act)
            patch(doc, [operation], { nested })
            const shown = toJson(load(doc)) as { root?: Json }
            const { root } = expected as { root: Json }
            expect(shown.root ?? null).toEqual(Object.keys(root as object).length === 0 ? null : root)
          }
        },
      ),
      { numRuns: 150 },
    )
  })

  it("a merge patch is the same", () => {
    const object = fc.dictionary(fc.constantFrom("a", "b", "c"), value, {
      maxKeys: 3,
      noNullPrototype: true,
    }) as fc.Arbitrary<{ [key: string]: Json }>
    fc.assert(
      fc.property(object, object, (before, change) => {
        const doc = new Y.Doc()
        patch(doc, [
          { op: "add", path: "/root/keep", value: 1 },
          { op: "add", path: "/root/at", value: before },
        ])
        doc.transact(() => applyMergePatch(doc, { root: { at: change } }, options()))
        expect(toJson(load(doc))).toEqual({ root: mergeJson({ keep: 1, at: before }, { at: change }) })
      }),
      { numRuns: 150 },
    )
  })

  it("a document becomes any other", () => {
    const root = value.filter(
      (json) => json !== null && (typeof json === "object" || typeof json === "string"),
    )
    const hasSomething = (json: Json) => Object.keys(json as object | string).length > 0
    const document = fc.dictionary(fc.constantFrom("a", "b", "c"), root.filter(hasSomething), {
      maxKeys: 3,
      noNullPrototype: true,
    }) as fc.Arbitrary<Json>
    fc.assert(
      fc.property(document, document, (one, other) => {
        const doc = new Y.Doc()
        for (const wanted of [one, other]) {
          doc.transact(() => writeDocument(doc, wanted, options()))
          const shown = Object.entries(toJson(load(doc))).filter(([, json]) => json !== null)
          expect(Object.fromEntries(shown)).toEqual(wanted)
        }
      }),
      { numRuns: 150 },
    )
  })
})

const SAMPLES = [
  "# A *title*\n\nSome **bold** and `code` with a [link](https://example.com/).\n\n- one\n- two\n\n> quoted\n",
  "Some *bold* words\n\n# A *title*\n\n1. two\n2. three\n\n```js\nlet a\n```\n\nlast\n",
  "# A title\n\nSome **bolder** and `code`.\n\n- one\n- zero\n- two\n",
  "",
]

describe.each([
  [
    "ProseMirror",
    (markdown: string) =>
      load(
        prosemirrorJSONToYDoc(
          defaultMarkdownParser.parse(markdown)!.type.schema,
          defaultMarkdownParser.parse(markdown)!.toJSON(),
          "root",
        ),
      ),
  ],
  [
    "Lexical",
    (markdown: string) =>
      writeLexical("V1", () => $convertFromMarkdownString(markdown, [CHECK_LIST, ...TRANSFORMERS])),
  ],
] as const)("a tree of %s", (_, write) => {
  it("becomes any other, and what is the same in both stays", () => {
    for (const from of SAMPLES) {
      for (const to of SAMPLES) {
        const [doc, wanted] = [write(from), toJson(write(to))]
        const before = Y.encodeStateVector(doc)
        doc.transact(() => writeDocument(doc, wanted, options()))
        const shown = toJson(load(doc))
        expect(shown).toEqual(wanted)
        if (from === to) expect(Y.encodeStateVector(doc)).toEqual(before)
      }
    }
  })
})
