/**
 * The one error class, its closed set of codes, and the one table that maps a code to what a client sees:
 * an HTTP status on a request, a close code on a socket.
 *
 * Close codes 4400–4499 are final: our provider and stock y-websocket from 3.1 on stop retrying on them; older ones and
 * YProvider do not, so a room tells stock clients by a frame (see crowd.ts).
 * 1013 ("try again later") is retried.
 */

const CODES = {
  /** A frame that cannot be read. */
  "bad-frame": { status: 400, close: 4400 },
  /** An update that is not a safe Yjs V1 update. */
  "bad-update": { status: 422, close: 4422 },
  /** A document id outside the grammar. */
  "bad-id": { status: 400, close: 4400 },
  /** A request that cannot be understood. */
  "bad-request": { status: 400, close: 4400 },
  /** Missing, invalid or expired token. */
  unauthorized: { status: 401, close: 4401 },
  /** A token without the right. */
  forbidden: { status: 403, close: 4403 },
  /** An origin that is not on the allowlist. */
  "origin-refused": { status: 403, close: 4403 },
  /** No such document or resource. */
  "not-found": { status: 404, close: 4404 },
  /** A state of the past that is not kept any more, or was never recorded. */
  gone: { status: 410, close: 4410 },
  /** The document was deleted. */
  deleted: { status: 404, close: 4404 },
  /** A method this resource does not have. */
  "method-not-allowed": { status: 405, close: 4405 },
  /** A format this server does not write. */
  "not-acceptable": { status: 406, close: 4406 },
  /** More bytes than the limit. */
  "too-large": { status: 413, close: 4413 },
  /** The document would outgrow its limit. */
  "document-full": { status: 413, close: 4413 },
  /** A body of a kind this resource does not take. */
  "unsupported-media-type": { status: 415, close: 4415 },
  /** The document is not in the state the request names. */
  "precondition-failed": { status: 412, close: 4412 },
  /** An operation that does not fit what stands in the document. */
  "patch-failed": { status: 422, close: 4422 },
  /** A test in a patch that the document does not pass. */
  "test-failed": { status: 409, close: 4409 },
  /** Other content stands under these clocks of this client id. */
  conflict: { status: 409, close: 4409 },
  /** Too much waits for an update that has not arrived. */
  "pending-full": { status: 409, close: 4409 },
  /** Too much in too short a time. */
  "rate-limited": { status: 429, close: 1013 },
  /** A socket that has given no sign of life. */
  silent: { status: 408, close: 1013 },
  /** A socket that does not read what is sent. */
  "slow-receiver": { status: 503, close: 1013 },
  /** More sockets than the room takes. */
  "room-full": { status: 503, close: 1013 },
  /** The server is closed until it has a key. */
  closed: { status: 503, close: 1013 },
  /** The external database does not answer. */
  "archive-unavailable": { status: 503, close: 1013 },
  /** The room is moving or overloaded. */
  unavailable: { status: 503, close: 1013 },
  /** The server goes away for a moment, for a newer one. @source RFC 6455 registry: 1012, service restart */
  restarting: { status: 503, close: 1012 },
  /** A fault of the server. */
  internal: { status: 500, close: 1011 },
} as const

/** Every way in which Yurt says no. */
export type ErrorCode = keyof typeof CODES

/** An error that knows its code; thrown anywhere, answered at the edges (a socket's message, a request, an alarm). */
export class SyncError extends Error {
  override readonly name = "SyncError"
  readonly code: ErrorCode

  /** @param message a plain sentence that carries the values, safe to show to a client */
  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
  }

  /** The HTTP status of this error. */
  get status(): number {
    return CODES[this.code].status
  }

  /** The WebSocket close code of this error. */
  get closeCode(): number {
    return CODES[this.code].close
  }

  /** The JSON body of an HTTP answer: `{error, message}`, never a stack. */
  toJSON(): { error: ErrorCode; message: string } {
    return { error: this.code, message: this.message }
  }
}

/**
 * Any thrown value as a SyncError. What is not one already becomes `internal`, with a message that
 * tells a client nothing about the inside; the original is kept as `cause` for the log.
 *
 * A SyncError that crossed Durable Object RPC arrives as a plain Error that has kept its name and its code.
 */
export function asSyncError(thrown: unknown): SyncError {
  if (thrown instanceof SyncError) return thrown
  if (thrown instanceof Error && thrown.name === "SyncError" && "code" in thrown && isCode(thrown.code)) {
    return new SyncError(thrown.code, thrown.message, { cause: thrown })
  }
  // What the platform throws while a Durable Object moves, restarts or has too much to do.
  if (thrown instanceof Error && ("retryable" in thrown || "overloaded" in thrown)) {
    return new SyncError("unavailable", "The room is moving or overloaded; try again.", { cause: thrown })
  }
  return new SyncError("internal", "The server failed to do this; the fault is logged.", { cause: thrown })
}

/**
 * An error out of the JSON text it was answered with.
 * @returns null where the text is something else
 */
export function parseSyncError(text: string): SyncError | null {
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch {
    return null
  }
  const { error, message } = Object(body) as { error?: unknown; message?: unknown }
  return isCode(error) && typeof message === "string" ? new SyncError(error, message) : null
}

function isCode(code: unknown): code is ErrorCode {
  return typeof code === "string" && Object.hasOwn(CODES, code)
}

/** The most that a close frame's reason holds, bytes of UTF-8. @source RFC 6455, 5.5: a control frame's payload has 125, of which 2 are the code */
const REASON_BYTES = 123

/**
 * A message as the reason of a WebSocket close: cut where it would be too long, between two characters. workerd
 * throws on a longer one, and cutting by characters would let through 120 of three bytes each.
 */
export function closeReason(message: string): string {
  const bytes = new Uint8Array(REASON_BYTES)
  const { read } = new TextEncoder().encodeInto(message.toWellFormed(), bytes)
  return message.toWellFormed().slice(0, read)
}
