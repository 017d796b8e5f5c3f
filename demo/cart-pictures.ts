/** The products' pictures: a few shapes each, so that no image has to be fetched. */
import type { Sku } from "./cart-items.ts"
import { svg } from "./element.ts"

/** A shape: its path data (64 units square), then its fill, or a stroke's colour and width. */
type Shape = readonly [d: string, fill: string] | readonly [d: string, stroke: string, width: number]

const PICTURES: Record<Sku, readonly Shape[]> = {
  bread: [
    ["M8 36c0-12 11-19 24-19s24 7 24 19c0 9-8 13-24 13S8 45 8 36z", "#d9954a"],
    ["M13 34c0-9 9-14 19-14s19 5 19 14c0 7-7 10-19 10s-19-3-19-10z", "#f0bd78"],
    ["M22 29l5 9M31 26l5 12M41 27l4 9", "#c47f34", 2.5],
  ],
  honey: [
    ["M19 24h26c4 5 5 9 5 14 0 10-5 15-18 15s-18-5-18-15c0-5 1-9 5-14z", "#f2a51f"],
    ["M18 14h28v8a2 2 0 0 1-2 2H20a2 2 0 0 1-2-2z", "#8a5a2b"],
    ["M22 33h20v12H22z", "#fff3d6"],
    ["M28 39l2-3.5h4l2 3.5-2 3.5h-4z", "#e08e0b"],
  ],
  apples: [
    ["M25 27c-9-4-17 2-17 12 0 9 6 16 12 16 3 0 4-1 6-1s3 1 6 1c6 0 11-7 11-16 0-10-8-16-18-12z", "#d8432f"],
    ["M44 30c6-3 13 1 13 9 0 7-4 12-9 12-2 0-3-1-4-1", "#e9674f"],
    ["M26 26c0-6 2-10 6-13", "#6b4423", 3],
    ["M31 19c3-5 8-6 12-5-1 5-6 8-12 5z", "#5d9a3b"],
  ],
  kettle: [
    ["M20 27h24c4 5 6 10 6 15 0 7-6 11-18 11s-18-4-18-11c0-5 2-10 6-15z", "#3f7c8c"],
    ["M48 37c5-1 7-5 10-10", "#3f7c8c", 5],
    ["M20 26c0-16 24-16 24 0", "#2c5a66", 3.5],
    ["M26 24h12l-2-4h-8z", "#2c5a66"],
    ["M20 41c1 4 4 6 9 7", "#8fc1cd", 2.5],
  ],
  lantern: [
    ["M21 22h22v28H21z", "#ffe9ad"],
    ["M32 27c5 6 7 9 7 13a7 7 0 0 1-14 0c0-4 2-7 7-13z", "#f5931e"],
    ["M32 35c2 3 3 4 3 6a3 3 0 0 1-6 0c0-2 1-3 3-6z", "#fff3d6"],
    ["M18 50h28v6H18zM20 18h24v5H20zM26 13h12v5H26z", "#4a4038"],
    ["M26 12c0-7 12-7 12 0", "#4a4038", 2.5],
    ["M21.5 23v27M42.5 23v27", "#4a4038", 2.5],
  ],
  blanket: [
    ["M12 20h40v24a6 6 0 0 1-6 6H18a6 6 0 0 1-6-6z", "#a6455a"],
    ["M12 26h40v6H12zM12 38h40v3H12z", "#f0d9b8"],
    ["M12 33h40v4H12z", "#6d2338"],
    ["M16 50v5M22 50v5M28 50v5M34 50v5M40 50v5M46 50v5", "#a6455a", 2],
  ],
}

/** The picture of a product; decorative, its name stands beside it. */
export function picture(sku: Sku): SVGSVGElement {
  return svg(
    "svg",
    { viewBox: "0 0 64 64", class: "picture", "aria-hidden": "true" },
    ...PICTURES[sku].map(([d, color, width]) =>
      width === undefined
        ? svg("path", { d, fill: color })
        : svg("path", { d, fill: "none", stroke: color, "stroke-width": width, "stroke-linecap": "round" }),
    ),
  )
}
