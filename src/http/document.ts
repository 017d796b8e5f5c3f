/** `/docs/{id}`: the document itself. */
import { withoutToken } from "../access/door.ts"
import { encodeGrant, GRANT_HEADER, unwrap } from "../rpc.ts"
import { checkUpdateType, readBody } from "./body.ts"
import { answerJson, type DocumentAsk, noDocument, type Resource } from "./resource.ts"

/**
 * For what a browser would show as a page: it is what people typed, on the origin of the API. Stands on every export,
 * because a room may bring formats of its own.
 */
const CONTENT_SECURITY_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src https: data:"

/** GET exports, PATCH merges an update, POST is the room's own hook, DELETE removes it everywhere. */
export const document: Resource = {
  about: "document",
  path: "/docs/{id}",
  methods: {
    GET: { rights: "read", answer: exportDocument },
    PATCH: { rights: "write", answer: mergeUpdate },
    POST: { rights: "write", answer: callHook },
    DELETE: { rights: "admin", answer: removeDocument },
  },
}

async function exportDocument({ request, url, room, name, grant }: DocumentAsk): Promise<Response> {
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
  headers.set("content-security-policy", CONTENT_SECURITY_POLICY)
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body
  if (bytes instanceof Uint8Array) headers.set("content-length", String(bytes.byteLength))
  return new Response(bytes as BodyInit, { headers })
}

/** 202 where a part of the update waits for something that has not arrived: it is kept, and nobody sees it yet. */
async function mergeUpdate({ request, room, grant, limits }: DocumentAsk): Promise<Response> {
  checkUpdateType(request.headers)
  const conditions = {
    ifMatch: request.headers.get("if-match"),
    ifNoneMatch: request.headers.get("if-none-match"),
  }
  const update = await readBody(request, limits.bodyBytes)
  const merged = await unwrap(room.merge(update, grant, conditions))
  return answerJson(merged, merged.waiting === true ? 202 : 200)
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
