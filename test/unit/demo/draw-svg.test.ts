import { describe, expect, it } from "vitest"
import * as Y from "yjs"
import { DRAWING_FORMATS } from "../../../demo/draw-room.ts"
import { outlinePath, strokeOutline } from "../../../demo/draw-stroke.ts"
import { toSvg } from "../../../demo/draw-svg.ts"
import { chooseFormat, FORMATS } from "../../../src/export/formats.ts"

/** A drawing as a server meets it: loaded from bytes, no root read by anyone. */
function draw(...strokes: Record<string, unknown>[]): Y.Doc {
  const written = new Y.Doc()
  for (const { points, ...rest } of strokes) {
    const stroke = new Y.Map<unknown>(Object.entries(rest))
    if (Array.isArray(points)) stroke.set("points", Y.Array.from(points))
    written.getArray("strokes").push([stroke])
  }
  const loaded = new Y.Doc()
  Y.applyUpdate(loaded, Y.encodeStateAsUpdate(written))
  return loaded
}

/** Left, top, width and height of a picture. */
const viewBox = (svg: string) => /viewBox="([^"]*)"/.exec(svg)?.[1]?.split(" ").map(Number)
const paths = (svg: string) => [...svg.matchAll(/<path fill="([^"]*)" d="([^"]*)"\/>/g)]

describe("a drawing", () => {
  const line = { color: "#ff8800", width: 8, points: [0, 0, 500, 500, 0, 500, 1000, 0, 500] }

  it("is one path a stroke, in its colour and in the order drawn", () => {
    const svg = toSvg(draw(line, { ...line, color: "#00FF00" }))
    expect(paths(svg).map(([, color]) => color)).toEqual(["#ff8800", "#00FF00"])
    expect(svg).toMatch(
      /^<svg xmlns="http:\/\/www.w3.org\/2000\/svg" width="\d+" height="\d+" viewBox="[^"]+">\n/,
    )
    expect(svg.endsWith("</svg>\n")).toBe(true)
  })

  it("is as large as what was drawn: tenths of a px, wherever on the board", () => {
    const [left = 0, top = 0, width = 0, height = 0] = viewBox(toSvg(draw(line))) ?? []
    expect(left).toBeLessThan(0)
    expect(left + width).toBeGreaterThan(100)
    expect(width).toBeLessThan(100 + 2 * 16 + 2 * 8 + 2)
    expect(height).toBeLessThan(2 * 16 + 2 * 8 + 2)
    expect(top).toBeLessThan(0)
    const far = {
      ...line,
      points: line.points.map((value, index) => (index % 3 === 2 ? value : value - 100_000)),
    }
    expect(viewBox(toSvg(draw(far)))?.[0]).toBe(left - 10_000)
  })

  it("has a dot where a pen touched once, and more ink where it was pressed", () => {
    expect(paths(toSvg(draw({ ...line, points: [50, 50, 500] })))).toHaveLength(1)
    const height = (pressure: number) =>
      viewBox(toSvg(draw({ ...line, points: [0, 0, pressure, 500, 0, pressure, 1000, 0, pressure] })))?.[3] ??
      0
    expect(height(1000)).toBeGreaterThan(height(100))
  })

  it("of nothing is an empty picture", () => {
    const erased = new Y.Doc()
    erased.getArray("strokes").push([1])
    erased.getArray("strokes").delete(0, 1)
    for (const doc of [erased, draw({ ...line, points: [] })]) {
      expect(viewBox(toSvg(doc))).toEqual([0, 0, 100, 100])
      expect(paths(toSvg(doc))).toEqual([])
    }
  })

  it("by someone hostile holds no markup and no number that is none", () => {
    const svg = toSvg(
      draw(
        { ...line, color: '"/><script>alert(1)</script>' },
        { ...line, color: null },
        { ...line, width: Number.NaN },
        { ...line, width: -1 },
        { ...line, width: 1e300 },
        { ...line, width: '8"' },
        { ...line, points: "0 0 500" },
        { ...line, points: [0, '"/><script>', 500] },
        { ...line, points: [0.5, Number.POSITIVE_INFINITY, 500] },
        { ...line, points: [1, 2] },
        { color: "#000000" },
      ),
    )
    expect(paths(svg).map(([, color]) => color)).toEqual([
      "#000000",
      "#000000",
      "#ff8800",
      "#ff8800",
      "#ff8800",
      "#ff8800",
    ])
    expect(svg).not.toMatch(/script|NaN|Infinity|undefined/)
    for (const [, , path] of paths(svg)) expect(path).toMatch(/^M[-\d. MqZ]+$/)
  })

  it("that is none is not acceptable; a root that is not there is not found", () => {
    const doc = new Y.Doc()
    doc.getText("text").insert(0, "prose")
    doc.getArray("strokes")
    expect(() => toSvg(doc)).toThrow(expect.objectContaining({ code: "not-acceptable" }))
    expect(() => toSvg(doc, { root: "sketch" })).toThrow(expect.objectContaining({ code: "not-found" }))
  })

  it("is left as it was", () => {
    const doc = draw(line)
    const before = Y.encodeStateAsUpdate(doc)
    toSvg(doc)
    expect(Y.encodeStateAsUpdate(doc)).toEqual(before)
    expect(doc.getArray("strokes").length).toBe(1)
  })
})

it("a drawing's room writes SVG beside what every room writes", () => {
  const { name, format } = chooseFormat({ name: null, accept: "image/avif, image/svg+xml" }, DRAWING_FORMATS)
  expect([name, format.mediaType]).toEqual(["svg", "image/svg+xml"])
  expect(format.write(draw({ color: "#000000", width: 1, points: [0, 0, 500] }), {})).toMatch(/^<svg /)
  expect(chooseFormat({ name: "json", accept: null }, DRAWING_FORMATS).format).toBe(FORMATS.json)
})

it("a stroke's path goes round its outline and is closed", () => {
  const path = outlinePath([
    [0, 0],
    [10, 0],
    [10, 10.06],
  ])
  expect(path).toBe("M0 0q0 0 5 0 5 0 5 5 0 5.1 -5 0Z")
  expect(outlinePath(strokeOutline({ points: [], width: 8 }))).toBe("")
})

describe("things on the board", () => {
  /** A drawing without a stroke, as a server meets it. */
  function lay(things: Record<string, Record<string, unknown>>, words: Record<string, string> = {}): Y.Doc {
    const written = new Y.Doc()
    for (const [id, look] of Object.entries(things)) {
      const map = new Y.Map<unknown>(Object.entries(look))
      map.set("text", new Y.Text(words[id] ?? ""))
      written.getMap("things").set(id, map)
    }
    const loaded = new Y.Doc()
    Y.applyUpdate(loaded, Y.encodeStateAsUpdate(written))
    return loaded
  }
  const box = { kind: "box", at: [10, 20], size: [100, 50], color: "#1d5fd0", layer: "A" }

  it("are in the picture, below the ink, the lowest layer first", () => {
    const doc = lay({ over: { ...box, kind: "note", layer: "B" }, under: box }, { over: "bread <&> salt" })
    const stroke = new Y.Map<unknown>(Object.entries({ color: "#112233", width: 8, at: [1000, 0] }))
    stroke.set("points", Y.Array.from([0, 0, 500, 500, 0, 500]))
    doc.getArray("strokes").push([stroke])
    const svg = toSvg(doc)
    const order = ["stroke=", "fill-opacity", "&lt;&amp;>", "<path"].map((part) => svg.indexOf(part))
    expect(order).toEqual(order.toSorted((a, b) => a - b))
    expect(order[0]).toBeGreaterThan(0)
    // The stroke was moved by 1000 px since it was drawn.
    const [left = 0, , width = 0] = viewBox(svg) ?? []
    expect([left, left + width > 1050]).toEqual([10 - 16, true])
  })

  it("by someone hostile are no markup and no number that is none", () => {
    const svg = toSvg(
      lay(
        {
          good: box,
          script: { ...box, color: '"><script>' },
          far: { ...box, at: [1e300, 0] },
          nan: { ...box, size: [Number.NaN, "9"] },
          kind: { ...box, kind: "script" },
          list: { ...box, at: 7 },
          layer: { ...box, layer: {} },
        },
        { good: "\u0000]]><script>\u0007" },
      ),
    )
    expect(svg).not.toContain("<script")
    expect(svg).not.toMatch(/NaN|Infinity|e\+/)
    expect([...svg].every((letter) => letter === "\n" || letter >= " ")).toBe(true)
    expect([...svg.matchAll(/<rect /g)]).toHaveLength(3)
  })
})
