/** The things of a board as SVG, for an export and for a picture in a browser alike. Knows no document. */
import { boundsOfThing, FONT_PX, LETTER_PX, LINE_PX, type ThingLook } from "./things.ts"

/** Around words in a shape, px. @source draw.css */
export const PADDING_PX = 12
const ARROW_HEAD_PX = 14

/** One element. Colours are as in the document, on white. */
export function thingToSvg(look: ThingLook): string {
  const { kind, at, size, color } = look
  const stroke = `stroke="${color}" stroke-width="3" stroke-linejoin="round" stroke-linecap="round"`
  if (kind === "arrow") return `<path fill="none" ${stroke} d="${arrowPath(at.x, at.y, size.x, size.y)}"/>`
  if (kind === "text") return wordsToSvg(look, false)
  const words = wordsToSvg(look, kind !== "note")
  if (kind === "ellipse") {
    const [rx, ry] = [size.x / 2, size.y / 2]
    return `<ellipse fill="none" ${stroke} cx="${at.x + rx}" cy="${at.y + ry}" rx="${rx}" ry="${ry}"/>${words}`
  }
  const paint = kind === "note" ? `fill="${color}" fill-opacity="0.16"` : `fill="none" ${stroke}`
  return `<rect ${paint} x="${at.x}" y="${at.y}" width="${size.x}" height="${size.y}" rx="8"/>${words}`
}

/** A line with a head, from a place. */
export function arrowPath(x: number, y: number, dx: number, dy: number): string {
  const angle = Math.atan2(dy, dx)
  const side = (turn: number): string => {
    const [headX, headY] = [Math.cos(angle + turn) * ARROW_HEAD_PX, Math.sin(angle + turn) * ARROW_HEAD_PX]
    return `${round(x + dx - headX)} ${round(y + dy - headY)}`
  }
  return `M${x} ${y}L${x + dx} ${y + dy}M${side(0.5)}L${x + dx} ${y + dy}L${side(-0.5)}`
}

function wordsToSvg(look: ThingLook, isCentred: boolean): string {
  const { kind, at, size, color, words } = look
  if (words.trim() === "") return ""
  const lines = kind === "text" ? words.split("\n") : wrap(words, size.x - 2 * PADDING_PX)
  const { left, top } = boundsOfThing(look)
  const inset = kind === "text" ? 0 : PADDING_PX
  const x = isCentred ? at.x + size.x / 2 : left + inset
  const first = isCentred ? at.y + (size.y - lines.length * LINE_PX) / 2 : top + inset
  const spans = lines.map((line, index) => {
    const y = first + index * LINE_PX + LINE_PX * 0.72
    return `<tspan x="${round(x)}" y="${round(y)}">${escapeXml(line)}</tspan>`
  })
  const fill = kind === "text" ? color : "#1f1b18"
  const anchor = isCentred ? ' text-anchor="middle"' : ""
  return `<text fill="${fill}" font-family="system-ui, sans-serif" font-size="${FONT_PX}"${anchor}>${spans.join("")}</text>`
}

/** Lines of about so many px: where nothing can measure letters, they are counted. */
function wrap(words: string, width: number): string[] {
  const most = Math.max(1, Math.floor(width / LETTER_PX))
  return words.split("\n").flatMap((paragraph) => {
    const lines = [""]
    for (const word of paragraph.split(" ")) {
      const line = lines.at(-1)!
      if (line !== "" && line.length + word.length >= most) lines.push(word)
      else lines[lines.length - 1] = line === "" ? word : `${line} ${word}`
    }
    return lines
  })
}

function escapeXml(text: string): string {
  // XML has no way to write the other control characters.
  const clean = text.replaceAll(/[^\t\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, "")
  return clean.replaceAll("&", "&amp;").replaceAll("<", "&lt;")
}

function round(number: number): number {
  return Math.round(number * 10) / 10
}
