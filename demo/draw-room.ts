import { FORMATS, type Format } from "../src/export/formats.ts"
import { toSvg } from "./draw-svg.ts"

/** The formats of a drawing: what every room writes, and `?format=svg`. */
export const DRAWING_FORMATS: Readonly<Record<string, Format>> = {
  ...FORMATS,
  svg: { mediaType: "image/svg+xml", write: toSvg },
}
