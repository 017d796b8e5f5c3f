/** In which format a document is asked for, and whether the asker has it already: Accept, ?format= and If-None-Match. */
import { SyncError } from "../errors.ts"

/** Format → media type. The order is the server's preference where the asker has none; "update" is the default. */
const MEDIA_TYPES = {
  update: "application/octet-stream",
  "state-vector": "application/octet-stream",
  json: "application/json",
  text: "text/plain;charset=utf-8",
  markdown: "text/markdown;charset=utf-8",
  html: "text/html;charset=utf-8",
  svg: "image/svg+xml",
} as const

/** "update" and "state-vector" are Yjs V1 bytes, the others are strings. */
export type Format = keyof typeof MEDIA_TYPES

const FORMATS = Object.keys(MEDIA_TYPES) as Format[]

/** The media type of a format, as a Content-Type. */
export function mediaType(format: Format): string {
  return MEDIA_TYPES[format]
}

/**
 * The format a request asks for: `?format=` when it is there, else the best of `Accept`, else "update".
 * "state-vector" has no media type of its own and can be asked for by name only.
 *
 * @throws SyncError "bad-request" for an unknown name, "not-acceptable" when Accept leaves nothing; both list what there is
 */
export function chooseFormat(request: { name: string | null; accept: string | null }): Format {
  const { name, accept } = request
  if (name !== null) {
    const format = FORMATS.find((known) => known === name)
    if (format !== undefined) return format
    throw new SyncError(
      "bad-request",
      `Unknown format ${JSON.stringify(name)}; known: ${FORMATS.join(", ")}.`,
    )
  }
  if (accept === null || accept.trim() === "") return "update"
  const ranges = readAccept(accept)
  let best: { format: Format; quality: number } | null = null
  for (const format of FORMATS) {
    const quality = format === "state-vector" ? 0 : qualityOf(MEDIA_TYPES[format], ranges)
    if (quality > (best?.quality ?? 0)) best = { format, quality }
  }
  if (best !== null) return best.format
  const types = [...new Set(Object.values(MEDIA_TYPES))].join(", ")
  throw new SyncError("not-acceptable", `Nothing here fits Accept: ${accept}; there is ${types}.`)
}

interface MediaRange {
  readonly type: string
  /** 0–1; 0 rules it out. */
  readonly quality: number
}

/** @source RFC 9110, 12.5.1. What can't be read is left out. */
function readAccept(accept: string): MediaRange[] {
  return accept.split(",").flatMap((part) => {
    const [type = "", ...parameters] = part.split(";").map((text) => text.trim().toLowerCase())
    if (!/^[^/\s]+\/[^/\s]+$/.test(type)) return []
    const weight = parameters.find((parameter) => parameter.startsWith("q="))?.slice(2) ?? "1"
    return /^(0(\.\d{0,3})?|1(\.0{0,3})?)$/.test(weight) ? [{ type, quality: Number(weight) }] : []
  })
}

/** The most specific range that covers a media type decides. */
function qualityOf(mediaType: string, ranges: readonly MediaRange[]): number {
  const [type = ""] = mediaType.split(";")
  for (const range of [type, `${type.slice(0, type.indexOf("/"))}/*`, "*/*"]) {
    const found = ranges.filter((one) => one.type === range)
    if (found.length > 0) return Math.max(...found.map((one) => one.quality))
  }
  return 0
}

/**
 * A strong entity tag: the same for the same bytes, another one for another format or root of the same state.
 *
 * @param state what names the document's state; must never come again for another state of this id
 */
export function entityTag(state: string, want: { format: Format; root: string | null }): string {
  const root = want.root === null ? "" : `.${encodeURIComponent(want.root)}`
  return `"${state}.${want.format}${root}"`
}

/** Whether `If-None-Match` names this tag (weak comparison, lists, `*`). @source RFC 9110, 13.1.2 */
export function matchesEntityTag(ifNoneMatch: string | null, tag: string): boolean {
  if (ifNoneMatch === null) return false
  if (ifNoneMatch.trim() === "*") return true
  const opaque = tag.replace(/^W\//, "")
  return [...ifNoneMatch.matchAll(/"[^"]*"/g)].some(([one]) => one === opaque)
}
