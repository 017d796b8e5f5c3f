/** What comes with a request: its body, its page of a listing. */
import { SyncError } from "../errors.ts"

/**
 * A request's body, counted while it is read: Content-Length may be absent, or a lie.
 *
 * @param maxBytes a longer body is refused
 * @throws SyncError "too-large" as soon as it is, "bad-request" when the body breaks off
 */
export async function readBody(request: Request, maxBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const tooLarge = (bytes: number) =>
    new SyncError("too-large", `The body has ${bytes} bytes or more; at most ${maxBytes} are taken.`)
  const declared = Number(request.headers.get("content-length"))
  if (declared > maxBytes) throw tooLarge(declared)
  const chunks: Uint8Array[] = []
  let length = 0
  const reader = request.body?.getReader()
  while (reader !== undefined) {
    const { done, value } = await reader.read().catch((cause: unknown) => {
      throw new SyncError("bad-request", `The body broke off after ${length} bytes.`, { cause })
    })
    if (done) break
    length += value.byteLength
    if (length > maxBytes) {
      // The answer is what counts; that the rest is not wanted need not reach anyone.
      reader.cancel().catch(() => {})
      throw tooLarge(length)
    }
    chunks.push(value)
  }
  const body = new Uint8Array(length)
  let offset = 0
  for (const chunk of chunks) {
    body.set(chunk, offset)
    offset += chunk.byteLength
  }
  return body
}

/** The media type of a body, in lower case and without its parameters; null where it says none. */
export function mediaTypeOf(headers: Headers): string | null {
  const [type = ""] = (headers.get("content-type") ?? "").split(";", 1)
  return type.trim().toLowerCase() || null
}

/**
 * Refuse a body that is encoded in some way.
 * @throws SyncError "unsupported-media-type"
 */
export function checkIdentity(headers: Headers): void {
  const encoding = headers.get("content-encoding")
  if (encoding !== null && encoding.toLowerCase() !== "identity") {
    throw new SyncError("unsupported-media-type", `A body is taken as it is, not as ${encoding}.`)
  }
}

/**
 * Refuse a body that is not the bytes of a Yjs update as they are.
 * @throws SyncError "unsupported-media-type"
 */
export function checkUpdateType(headers: Headers): void {
  const type = mediaTypeOf(headers)
  if (type !== null && type !== "application/octet-stream")
    throw new SyncError(
      "unsupported-media-type",
      `The body is the bytes of a Yjs V1 update, application/octet-stream; this one says it is ${type}.`,
    )
  checkIdentity(headers)
}

/**
 * Which page of a listing is asked for: `?cursor=` of the page before, `?limit=`, 100 unless it says otherwise.
 * @param maxEntries the most that `limit` may be
 * @throws SyncError "bad-request"
 */
export function parsePage(
  query: URLSearchParams,
  maxEntries: number,
): { cursor: string | null; limit: number } {
  const limit = query.get("limit") ?? "100"
  if (!/^\d{1,6}$/.test(limit) || Number(limit) < 1 || Number(limit) > maxEntries) {
    throw new SyncError(
      "bad-request",
      `limit is a whole number from 1 to ${maxEntries}, not ${JSON.stringify(limit)}.`,
    )
  }
  return { cursor: query.get("cursor") || null, limit: Number(limit) }
}
