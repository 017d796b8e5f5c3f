/** Places and boxes of a drawing. */

/** A place of the drawing, px at zoom 1. */
export interface Place {
  readonly x: number
  readonly y: number
}

/** A box, px of the drawing. */
export interface Bounds {
  readonly left: number
  readonly top: number
  readonly right: number
  readonly bottom: number
}

/** The smallest box around all of these, px; undefined where there are none. */
export function boundsOfAll(pieces: readonly { readonly bounds: Bounds }[]): Bounds | undefined {
  if (pieces.length === 0) return undefined
  const all = pieces.map(({ bounds }) => bounds)
  return {
    left: Math.min(...all.map(({ left }) => left)),
    top: Math.min(...all.map(({ top }) => top)),
    right: Math.max(...all.map(({ right }) => right)),
    bottom: Math.max(...all.map(({ bottom }) => bottom)),
  }
}
