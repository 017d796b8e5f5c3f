/** The formats of an export, and which of them a request asks for: `?format=`, then `Accept`. */
import "../start/quietly.ts"
import * as Y from "yjs"
import { SyncError } from "../errors.ts"
import type { ExportOptions } from "./budget.ts"
import { toHtml } from "./html.ts"
import { toJson } from "./json.ts"
import { toMarkdown } from "./markdown.ts"
import { toText } from "./text.ts"

/**
 * A format that a document can be exported in.
 *
 * @example
 * class Drawing extends Room {
 *   override formats = { ...FORMATS, svg: { mediaType: "image/svg+xml", write: toSvg } }
 * }
 */
export interface Format {
  /** The Content-Type of the answer; without its parameters, what `Accept` is compared with. */
  readonly mediaType: string
  /**
   * Write a document in this format. Reads only: the document is the same afterwards, to the byte and to the next reader.
   *
   * @throws SyncError "not-found" when there is no root of that name, "not-acceptable" when the document is nothing that
   * the format can show, "too-large" when the export would outgrow its budget
   */
  write(doc: Y.Doc, options: ExportOptions): Uint8Array | string
}

/**
 * The formats of every room, by the name that `?format=` takes. The order is the server's preference between formats that
 * an `Accept` ranks the same: "update" is the default, and "state-vector", whose media type is the same, is found by name only.
 */
export const FORMATS = {
  update: {
    mediaType: "application/octet-stream",
    write: (doc, { root }) => Y.encodeStateAsUpdate(whole(doc, root)),
  },
  "state-vector": {
    mediaType: "application/octet-stream",
    write: (doc, { root }) => Y.encodeStateVector(whole(doc, root)),
  },
  json: { mediaType: "application/json", write: (doc, options) => JSON.stringify(toJson(doc, options)) },
  text: { mediaType: "text/plain;charset=utf-8", write: toText },
  markdown: { mediaType: "text/markdown;charset=utf-8", write: toMarkdown },
  html: { mediaType: "text/html;charset=utf-8", write: toHtml },
} as const satisfies Readonly<Record<string, Format>>

function whole(doc: Y.Doc, root: string | undefined): Y.Doc {
  if (root === undefined) return doc
  throw new SyncError(
    "bad-request",
    `An update is of the whole document; there is none of the root ${JSON.stringify(root)}.`,
  )
}

/**
 * A document in one of the formats of `FORMATS`.
 *
 * @throws SyncError as `Format.write` does
 * @example
 * exportDocument(doc, "markdown") // "# Title\n\nSome **bold** words.\n"
 */
export function exportDocument(
  doc: Y.Doc,
  name: "update" | "state-vector",
  options?: ExportOptions,
): Uint8Array
export function exportDocument(
  doc: Y.Doc,
  name: Exclude<keyof typeof FORMATS, "update" | "state-vector">,
  options?: ExportOptions,
): string
export function exportDocument(
  doc: Y.Doc,
  name: keyof typeof FORMATS,
  options: ExportOptions = {},
): Uint8Array | string {
  return FORMATS[name].write(doc, options)
}

/**
 * The format that a request asks for: `?format=` when it is there, else the best of `Accept`, else the first of the table.
 *
 * @param request.name the value of `?format=`, null when it is absent
 * @param request.accept the header `Accept`, null when it is absent
 * @throws SyncError "bad-request" for an unknown name, "not-acceptable" when Accept rules every format out; both list
 * what there is
 */
export function chooseFormat(
  request: { readonly name: string | null; readonly accept: string | null },
  formats: Readonly<Record<string, Format>>,
): { name: string; format: Format } {
  const { name, accept } = request
  const all = Object.entries(formats).map(([key, format]) => ({ name: key, format }))
  const [first] = all
  if (first === undefined) throw new TypeError("a table of formats holds at least one")
  if (name !== null) {
    const named = all.find((one) => one.name === name)
    if (named !== undefined) return named
    const known = all.map((one) => one.name).join(", ")
    throw new SyncError("bad-request", `Unknown format ${JSON.stringify(name)}; known: ${known}.`)
  }
  if (accept === null || accept.trim() === "") return first
  const ranges = readAccept(accept)
  let best: { choice: (typeof all)[number]; rank: Rank } | null = null
  for (const choice of all) {
    const rank = rankOf(choice.format.mediaType, ranges)
    if (rank.quality > 0 && (best === null || isBetter(rank, best.rank))) best = { choice, rank }
  }
  if (best !== null) return best.choice
  const types = [...new Set(all.map(({ format }) => format.mediaType))].join(", ")
  throw new SyncError("not-acceptable", `Nothing here fits Accept: ${accept}; there is ${types}.`)
}

// Accept is read by hand: the kept package for it, `negotiator`, is CommonJS with its types in a second package, and these
// are 40 lines.

interface MediaRange {
  /** Type and subtype in lower case; either may be "*". */
  readonly type: string
  /** 0–1; 0 rules it out. */
  readonly quality: number
}

/** How much a request wants a media type. */
interface Rank {
  readonly quality: number
  /** Of the range that covers the type: 2 names it, 1 names its family (`text/*`), 0 takes anything. */
  readonly precision: number
}

/**
 * Between equal qualities the type that was named wins over one that a wildcard covers: axios sends
 * `application/json, text/plain, *&#47;*` by default, and means JSON.
 */
function isBetter(one: Rank, other: Rank): boolean {
  return one.quality > other.quality || (one.quality === other.quality && one.precision > other.precision)
}

/** @source RFC 9110, 12.5.1. A part that cannot be read is left out. */
function readAccept(accept: string): MediaRange[] {
  return accept.split(",").flatMap((part) => {
    const [type = "", ...parameters] = part.split(";").map((text) => text.trim().toLowerCase())
    if (!/^[^/\s]+\/[^/\s]+$/.test(type)) return []
    const weight = parameters.find((parameter) => parameter.startsWith("q="))?.slice(2) ?? "1"
    return /^(0(\.\d{0,3})?|1(\.0{0,3})?)$/.test(weight) ? [{ type, quality: Number(weight) }] : []
  })
}

/** The most precise range that covers a media type decides. @source RFC 9110, 12.5.1 */
function rankOf(mediaType: string, ranges: readonly MediaRange[]): Rank {
  const [type = ""] = mediaType.split(";")
  const family = `${type.slice(0, type.indexOf("/"))}/*`
  for (const [index, covering] of [type, family, "*/*"].entries()) {
    const found = ranges.filter((range) => range.type === covering)
    if (found.length > 0)
      return { quality: Math.max(...found.map((one) => one.quality)), precision: 2 - index }
  }
  return { quality: 0, precision: 0 }
}
