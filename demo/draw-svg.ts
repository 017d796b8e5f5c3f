/** A drawing as SVG. */
import * as Y from "yjs"
import { SyncError } from "../src/errors.ts"
import { findRoot, findRoots } from "../src/export/roots.ts"
import { listValues, mapEntries, type SharedType } from "../src/export/shared-types.ts"
import { outlinePath, type Stroke, strokeOutline } from "./draw-stroke.ts"

/** Around everything that was drawn, px. */
const MARGIN_PX = 16

/** The widest pen, px: a number somebody else wrote decides about a picture's size. */
const WIDTH_LIMIT_PX = 1000

/**
 * A drawing as one SVG image, as large as what was drawn. Reads only.
 *
 * A drawing is a Y.Array of strokes in the root "strokes" (or `root`): each a Y.Map with `color` (`#rrggbb`),
 * `width` (px) and `points`, a Y.Array of integers: x and y in tenths of a px, pressure 0–1000, and so on.
 * What is not a stroke is left out.
 *
 * @throws SyncError "not-found" when there is no root of the name asked for, "not-acceptable" when there is
 * no "strokes": the document is not a drawing
 */
export function toSvg(doc: Y.Doc, options: { root?: string } = {}): string {
  if (options.root === undefined && findRoots(doc).every(({ name }) => name !== "strokes")) {
    throw new SyncError("not-acceptable", 'The document has no root "strokes": it is not a drawing.')
  }
  let left = Infinity
  let top = Infinity
  let right = -Infinity
  let bottom = -Infinity
  const paths: string[] = []
  for (const stroke of readStrokes(findRoot(doc, options.root ?? "strokes").type)) {
    const outline = strokeOutline(stroke)
    if (outline.length === 0) continue
    for (const [x, y] of outline) {
      left = Math.min(left, x)
      top = Math.min(top, y)
      right = Math.max(right, x)
      bottom = Math.max(bottom, y)
    }
    paths.push(`<path fill="${stroke.color}" d="${outlinePath(outline)}"/>`)
  }
  const x = paths.length === 0 ? 0 : Math.floor(left - MARGIN_PX)
  const y = paths.length === 0 ? 0 : Math.floor(top - MARGIN_PX)
  const width = paths.length === 0 ? 100 : Math.ceil(right + MARGIN_PX) - x
  const height = paths.length === 0 ? 100 : Math.ceil(bottom + MARGIN_PX) - y
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="${x} ${y} ${width} ${height}">`,
    ...paths,
    "</svg>\n",
  ].join("\n")
}

function* readStrokes(type: SharedType): Generator<Stroke> {
  for (const value of listValues(type)) {
    if (!(value instanceof Y.Map)) continue
    const { color, width, points } = Object.fromEntries(mapEntries(value))
    const numbers = points instanceof Y.Array ? listValues(points) : points
    if (!Array.isArray(numbers) || !numbers.every(Number.isSafeInteger)) continue
    yield {
      color: typeof color === "string" && /^#[0-9a-f]{6}$/i.test(color) ? color : "#000000",
      width: typeof width === "number" && width > 0 ? Math.min(width, WIDTH_LIMIT_PX) : 1,
      points: numbers,
    }
  }
}
