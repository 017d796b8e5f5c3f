/** Blocks in the history, whichever editor they are of: a paragraph or a heading, what stands before it, and how far it is indented. */
import { el } from "./element.ts"

/** How a block looks. */
export interface Look {
  readonly tag: "p" | "h1" | "h2" | "h3" | "blockquote" | "pre"
  /** What stands before it: a bullet, a number, a box; null before what is no item of a list. */
  readonly sign: string | null
  /** 0: at the margin. */
  readonly depth: number
}

/** What nobody knows more of: a block that is gone. */
export const PLAIN: Look = { tag: "p", sign: null, depth: 0 }

/** A block, still empty. */
export function makeBlock({ tag, sign, depth }: Look): HTMLElement {
  const block = el(tag, { class: sign !== null && "item", "data-sign": sign })
  block.style.setProperty("--depth", String(depth))
  return block
}

/** The tag of a heading; those below the third look like it. */
export function headingTag(level: number): "h1" | "h2" | "h3" {
  return level <= 1 ? "h1" : level === 2 ? "h2" : "h3"
}

/** What stands before an item. @param place its number, where numbers stand before it */
export function signOf(
  kind: "bullet" | "number" | "check",
  { place = 1, checked = false }: { place?: number; checked?: boolean },
): string {
  return kind === "number" ? `${place}.` : kind === "bullet" ? "•" : checked ? "☑" : "☐"
}
