/** The drawing the start page begins with: a yurt under the sun. The same strokes every time. */
import type { Stroke } from "./draw-stroke.ts"

type Curve = (t: number) => readonly [x: number, y: number]

/** Its strokes, bottom to top. */
export function yurt(): Stroke[] {
  const ink = "#1f1b18"
  return [
    stroke("#d97706", 7, arc(150, -120, 34, 0, 2 * Math.PI)),
    ...[0, 1, 2, 3, 4, 5, 6, 7].map((ray) => stroke("#d97706", 5, beam(150, -120, (ray * Math.PI) / 4))),
    stroke("#15803d", 8, (t) => [-260 + 520 * t, 112 + 10 * Math.sin(t * 9)]),
    stroke("#15803d", 6, (t) => [-230 + 440 * t, 132 + 8 * Math.sin(t * 7 + 2)]),
    stroke(ink, 8, (t) => [-150 + 240 * t, 10 - 95 * Math.sin(Math.PI * t) ** 0.9]),
    stroke(ink, 8, (t) => [-150 + 4 * Math.sin(t * 3), 10 + 98 * t]),
    stroke(ink, 8, (t) => [90 + 3 * Math.sin(t * 4), 10 + 98 * t]),
    stroke(ink, 7, (t) => [-152 + 244 * t, 14 + 14 * Math.sin(Math.PI * t)]),
    stroke("#d4351c", 6, (t) => [-140 + 222 * t, 34 + 14 * Math.sin(Math.PI * t) + 5 * Math.sin(t * 44)]),
    stroke("#1d5fd0", 8, (t) => [
      -58 + 56 * Math.min(1, Math.max(0, 2 * t - 0.5)),
      110 - 62 * Math.min(1, 3 * t, 3 - 3 * t),
    ]),
    stroke(ink, 5, (t) => [-30 + 10 * Math.sin(6 * t), -92 - 62 * t]),
  ]
}

function stroke(color: string, width: number, curve: Curve): Stroke {
  const points: number[] = []
  for (let step = 0; step <= 40; step++) {
    const [x, y] = curve(step / 40)
    points.push(Math.round(x * 10), Math.round(y * 10), 500)
  }
  return { color, width, points }
}

function arc(x: number, y: number, radius: number, from: number, to: number): Curve {
  return (t) => [x + radius * Math.cos(from + (to - from) * t), y + radius * Math.sin(from + (to - from) * t)]
}

function beam(x: number, y: number, angle: number): Curve {
  return (t) => [x + (48 + 22 * t) * Math.cos(angle), y + (48 + 22 * t) * Math.sin(angle)]
}
