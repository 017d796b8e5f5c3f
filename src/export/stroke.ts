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

/** An outline as an SVG path, also good for `new Path2D(…)`: quadratic curves through the middles of its sides. */
export function outlinePath(outline: readonly (readonly [x: number, y: number])[]): string {
  const [first] = outline
  if (first === undefined) return ""
  const path = outline.map((point, index) => {
    const next = outline[(index + 1) % outline.length] ?? point
    return `${pair(point[0], point[1])} ${pair((point[0] + next[0]) / 2, (point[1] + next[1]) / 2)}`
  })
  return `M${pair(first[0], first[1])}Q${path.join(" ")}Z`
}

/** Hundredths of a px are finer than any screen. */
function pair(x: number, y: number): string {
  return `${Math.round(x * 100) / 100} ${Math.round(y * 100) / 100}`
}
