/**
 * The shape of one pen stroke, for a screen and for an export alike: import this and both look the same.
 * Knows no document.
 */
import { getStroke } from "perfect-freehand"

/** A stroke as the drawing keeps it. */
export interface Stroke {
  /** `#rrggbb`. */
  readonly color: string
  /** Of the pen, px. */
  readonly width: number
  /** Flat triples x, y, pressure, all integers: x and y in tenths of a px, pressure 0–1000. */
  readonly points: readonly number[]
}

/**
 * The points of a stroke that somebody has moved since it was drawn.
 * @param at by how much, px: `[x, y]`; anything else is no move
 */
export function shiftPoints(points: readonly number[], at: unknown): readonly number[] {
  const [x, y] = Array.isArray(at) ? (at as unknown[]) : []
  if (!Number.isSafeInteger(x) || !Number.isSafeInteger(y)) return points
  const shift = [10 * (x as number), 10 * (y as number), 0]
  return points.map((number, index) => number + shift[index % 3]!)
}

/** The outline of a stroke as a polygon, px. Empty when it has no point. */
export function strokeOutline({ points, width }: Pick<Stroke, "points" | "width">): [x: number, y: number][] {
  const inputs: [number, number, number][] = []
  let hasPressure = false
  for (let i = 0; i + 2 < points.length; i += 3) {
    const pressure = points[i + 2]!
    inputs.push([points[i]! / 10, points[i + 1]! / 10, pressure / 1000])
    // A mouse reports one half, always; then the speed stands in for it.
    hasPressure ||= pressure !== 500
  }
  return getStroke(inputs, { size: width, thinning: 0.6, simulatePressure: !hasPressure, last: true }).map(
    ([x = 0, y = 0]) => [x, y],
  )
}

/**
 * An outline as an SVG path, also good for `new Path2D(…)`: quadratic curves through the middles of its sides.
 * In tenths of a px, each point relative to the one before, which is half as long; rounded before the difference
 * is taken, so that nothing adds up.
 */
export function outlinePath(outline: readonly (readonly [x: number, y: number])[]): string {
  const [first] = outline
  if (first === undefined) return ""
  let [x, y] = [Math.round(first[0] * 10), Math.round(first[1] * 10)]
  const start = `M${x / 10} ${y / 10}`
  const curves = outline.map((point, index) => {
    const next = outline[(index + 1) % outline.length] ?? point
    const [controlX, controlY] = [Math.round(point[0] * 10), Math.round(point[1] * 10)]
    const [endX, endY] = [Math.round((point[0] + next[0]) * 5), Math.round((point[1] + next[1]) * 5)]
    const curve = `${(controlX - x) / 10} ${(controlY - y) / 10} ${(endX - x) / 10} ${(endY - y) / 10}`
    x = endX
    y = endY
    return curve
  })
  return `${start}q${curves.join(" ")}Z`
}
