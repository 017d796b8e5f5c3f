/** `/docs/{id}`: the document itself. */
import { withoutToken } from "../access/door.ts"
import { SyncError } from "../errors.ts"
import type { Block } from "../export/blocks.ts"
import { readHtml } from "../import/html.ts"
import { readMarkdown } from "../import/markdown.ts"
import {
  acceptsEvents,
  type ChangeRequest,
  type Conditions,
  encodeGrant,
  GRANT_HEADER,
  unwrap,
} from "../rpc.ts"
import { checkIdentity, mediaTypeOf, readBody } from "./body.ts"
import type { RouteOptions } from "./parties.ts"
import { answerJson, type DocumentAsk, noDocument, type Resource } from "./resource.ts"

/**
 * For what a browser would show as a page: it is what people typed, on the origin of the API. Stands on every export,
 * because a room may bring formats of its own.
 */
const CONTENT_SECURITY_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src https: data:"

/** GET exports, PUT creates or replaces, PATCH changes, POST is the room's own hook, DELETE removes it everywhere. */
export const document: Resource = {
  about: "document",
  path: "/docs/{id}",
  methods: {
    GET: { rights: "read", opens: isFollowing, answer: exportDocument },
    PUT: { rights: "write", answer: putDocument },
    PATCH: { rights: "write", answer: patchDocument },
    POST: { rights: "write", answer: callHook },
    DELETE: { rights: "admin", answer: removeDocument },
  },
}

function isFollowing(request: Request): boolean {
  return request.method === "GET" && acceptsEvents(request)
}

async function exportDocument({ request, url, room, grant, name, options }: DocumentAsk): Promise<Response> {
  if (isFollowing(request)) {
    const bare = withoutToken(request)
    bare.headers.set(GRANT_HEADER, encodeGrant(grant))
    return room.fetch(bare)
  }
  const exported = await unwrap(
    room.export(
      {
        format: url.searchParams.get("format"),
        accept: request.headers.get("accept"),
        root: url.searchParams.get("root"),
        ifNoneMatch: request.headers.get("if-none-match"),
        at: url.searchParams.get("at"),
      },
      grant,
    ),
  )
  if (exported === null) throw noDocument(name)
  const { etag, mediaType, body } = exported
  const headers = new Headers({
    etag,
    // May be kept, by this one reader, and must be asked about each time.
    "cache-control": "private, no-cache",
    vary: "Accept",
  })
  if (body === null) return new Response(null, { status: 304, headers })
  headers.set("content-type", mediaType)
  // A program that was given the link alone finds the rest.
  if (mediaType.startsWith("text/markdown")) headers.set("link", linksOf(url, options))
  headers.set("content-security-policy", CONTENT_SECURITY_POLICY)
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body
  if (bytes instanceof Uint8Array) headers.set("content-length", String(bytes.byteLength))
  return new Response(bytes as BodyInit, { headers })
}

function linksOf({ pathname }: URL, { agents }: RouteOptions): string {
  const links = [
    `<${pathname}/-/tools/read>; rel="service"; title="tools"`,
    `<${pathname}?format=json>; rel="alternate"; type="application/json"`,
    ...(agents === undefined ? [] : [`<${pathname}/-/mcp>; rel="service"; title="mcp"`]),
  ]
  return links.join(", ")
}

/** What a PUT may be made of, by its media type. */
const FORMATS: Readonly<Record<string, ChangeRequest["format"]>> = {
  "application/json": "json",
  "text/plain": "text",
  "text/markdown": "markdown",
  "text/html": "html",
}

/** What reads markup. */
const MARKUP: Readonly<Record<string, (text: string) => Block[]>> = { markdown: readMarkdown, html: readHtml }

/** How a PATCH in JSON is meant, by its media type. */
const PATCHES: Readonly<Record<string, ChangeRequest["how"]>> = {
  "application/json-patch+json": "json-patch",
  "application/merge-patch+json": "merge-patch",
}

/** 201 where it made the document. What stands there and is not in the body is deleted; the rest is only changed. */
async function putDocument(ask: DocumentAsk): Promise<Response> {
  const type = mediaTypeOf(ask.request.headers)
  const format = type === null || !Object.hasOwn(FORMATS, type) ? null : FORMATS[type]!
  if (format === null)
    throw unsupported(
      `A PUT body is ${Object.keys(FORMATS).join(", ")}; this one says it is ${type ?? "nothing"}.`,
    )
  return change(ask, { how: "put", format })
}

/** In bytes a PATCH is a Yjs update; in JSON it is one of the two kinds of patches there are. */
async function patchDocument(ask: DocumentAsk): Promise<Response> {
  const type = mediaTypeOf(ask.request.headers)
  if (type === null || type === "application/octet-stream") return mergeUpdate(ask)
  if (Object.hasOwn(PATCHES, type)) return change(ask, { how: PATCHES[type]!, format: "json" })
  throw unsupported(
    `A PATCH body is the bytes of a Yjs V1 update, application/octet-stream, or ${Object.keys(PATCHES).join(", ")}; this one says it is ${type}.`,
  )
}

function unsupported(message: string): SyncError {
  return new SyncError("unsupported-media-type", message)
}

/** 202 where a part of the update waits for something that has not arrived: it is kept, and nobody sees it yet. */
async function mergeUpdate({ request, room, grant, limits }: DocumentAsk): Promise<Response> {
  checkIdentity(request.headers)
  const update = await readBody(request, limits.bodyBytes)
  const merged = await unwrap(room.merge(update, grant, conditionsOf(request)))
  return answerJson(merged, merged.waiting === true ? 202 : 200)
}

async function change(
  { request, url, room, grant, limits }: DocumentAsk,
  { how, format }: Pick<ChangeRequest, "how" | "format">,
): Promise<Response> {
  checkIdentity(request.headers)
  const read = how === "put" ? MARKUP[format] : undefined
  const body = await readBody(request, read === undefined ? limits.jsonBytes : limits.markupBytes)
  const { searchParams } = url
  const { revision, created } = await unwrap(
    room.change(
      {
        how,
        format,
        body,
        blocks: read === undefined ? null : read(new TextDecoder().decode(body)),
        root: searchParams.get("root"),
        editor: searchParams.get("editor"),
        nested: searchParams.get("nested"),
        base: searchParams.get("base"),
      },
      grant,
      conditionsOf(request),
    ),
  )
  return answerJson({ revision }, created ? 201 : 200)
}

function conditionsOf({ headers }: Request): Conditions {
  return { ifMatch: headers.get("if-match"), ifNoneMatch: headers.get("if-none-match") }
}

async function callHook({ request, room, grant, limits }: DocumentAsk): Promise<Response> {
  const { url, headers } = withoutToken(request)
  headers.set(GRANT_HEADER, encodeGrant(grant))
  const body = await readBody(request, limits.bodyBytes)
  return room.fetch(new Request(url, { method: "POST", headers, body }))
}

async function removeDocument({ room, grant, name }: DocumentAsk): Promise<Response> {
  if (!(await unwrap(room.remove(grant)))) throw noDocument(name)
  return new Response(null, { status: 204 })
}
