/** A drawing as SVG. */
import * as Y from "yjs"
import { SyncError } from "../src/errors.ts"
import { findRoot, findRoots } from "../src/export/roots.ts"
import { listValues, mapEntries, type SharedType } from "../src/export/shared-types.ts"
import { outlinePath, type Stroke, shiftPoints, strokeOutline } from "./draw-stroke.ts"
import { boundsOfThing, readThing, type ThingLook } from "./things.ts"
import { thingToSvg } from "./things-svg.ts"

/** Around everything that was drawn, px. */
const MARGIN_PX = 16

/** The widest pen, px: a number somebody else wrote decides about a picture's size. */
const WIDTH_LIMIT_PX = 1000

/**
 * A drawing as one SVG image, as large as what was drawn. Reads only.
 *
 * A drawing is a Y.Array of strokes in the root "strokes" (or `root`): each a Y.Map with `color` (`#rrggbb`),
 * `width` (px) and `points`, a Y.Array of integers: x and y in tenths of a px, pressure 0–1000, and so on.
 * Below the strokes are the things of the root "things" (things.ts). What is neither is left out.
 *
 * @throws SyncError "not-found" when there is no root of the name asked for, "not-acceptable" when there is
 * neither "strokes" nor "things": the document is not a drawing
 */
export function toSvg(doc: Y.Doc, options: { root?: string } = {}): string {
  const names = new Set(findRoots(doc).map(({ name }) => name))
  if (options.root === undefined && !names.has("strokes") && !names.has("things")) {
    throw new SyncError(
      "not-acceptable",
      'The document has no root "strokes" or "things": it is not a drawing.',
    )
  }
  let left = Infinity
  let top = Infinity
  let right = -Infinity
  let bottom = -Infinity
  const paths: string[] = []
  for (const look of options.root === undefined && names.has("things")
    ? readThings(findRoot(doc, "things").type)
    : []) {
    const bounds = boundsOfThing(look)
    left = Math.min(left, bounds.left)
    top = Math.min(top, bounds.top)
    right = Math.max(right, bounds.right)
    bottom = Math.max(bottom, bounds.bottom)
    paths.push(thingToSvg(look))
  }
  const strokes = options.root ?? (names.has("strokes") ? "strokes" : null)
  for (const stroke of strokes === null ? [] : readStrokes(findRoot(doc, strokes).type)) {
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
    const { color, width, points, at } = Object.fromEntries(mapEntries(value))
    const numbers = points instanceof Y.Array ? listValues(points) : points
    if (!Array.isArray(numbers) || !numbers.every(Number.isSafeInteger)) continue
    yield {
      color: typeof color === "string" && /^#[0-9a-f]{6}$/i.test(color) ? color : "#000000",
      width: typeof width === "number" && width > 0 ? Math.min(width, WIDTH_LIMIT_PX) : 1,
      points: shiftPoints(numbers, at),
    }
  }
}

/** Bottom to top. */
function readThings(type: SharedType): ThingLook[] {
  const looks = mapEntries(type).map(([, value]) => (value instanceof Y.Map ? readThing(value) : undefined))
  return looks.filter((look) => look !== undefined).sort((a, b) => (a.layer < b.layer ? -1 : 1))
}
