/**
 * The one error class, its closed set of codes, and the one table that maps a code to what a client sees:
 * an HTTP status on a request, a close code on a socket.
 *
 * Close codes 4400–4499 are final: stock y-websocket and our provider stop retrying on them.
 * 1013 ("try again later") is retried.
 */

const CODES = {
  "bad-frame": { status: 400, close: 4400, says: "a frame that cannot be read" },
  "bad-update": { status: 422, close: 4422, says: "an update that is not a safe Yjs V1 update" },
  "bad-id": { status: 400, close: 4400, says: "a document id outside the grammar" },
  "bad-request": { status: 400, close: 4400, says: "a request that cannot be understood" },
  unauthorized: { status: 401, close: 4401, says: "missing, invalid or expired token" },
  forbidden: { status: 403, close: 4403, says: "a token without the right" },
  "origin-refused": { status: 403, close: 4403, says: "an origin that is not on the allowlist" },
  "not-found": { status: 404, close: 4404, says: "no such document or resource" },
  deleted: { status: 404, close: 4404, says: "the document was deleted" },
  "method-not-allowed": { status: 405, close: 4405, says: "a method this resource does not have" },
  "not-acceptable": { status: 406, close: 4406, says: "a format this server does not write" },
  "too-large": { status: 413, close: 4413, says: "more bytes than the limit" },
  "document-full": { status: 413, close: 4413, says: "the document would outgrow its limit" },
  "unsupported-media-type": {
    status: 415,
    close: 4415,
    says: "a body of a kind this resource does not take",
  },
  "precondition-failed": {
    status: 412,
    close: 4412,
    says: "the document is not in the state the request names",
  },
  conflict: { status: 409, close: 4409, says: "other content stands under these clocks of this client id" },
  "pending-full": { status: 409, close: 4409, says: "too much waits for an update that has not arrived" },
  "rate-limited": { status: 429, close: 1013, says: "too much in too short a time" },
  silent: { status: 408, close: 1013, says: "a socket that has given no sign of life" },
  "slow-receiver": { status: 503, close: 1013, says: "a socket that does not read what is sent" },
  "room-full": { status: 503, close: 1013, says: "more sockets than the room takes" },
  closed: { status: 503, close: 1013, says: "the server is closed until it has a key" },
  "archive-unavailable": { status: 503, close: 1013, says: "the external database does not answer" },
  unavailable: { status: 503, close: 1013, says: "the room is moving or overloaded" },
  internal: { status: 500, close: 1011, says: "a fault of the server" },
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
