/**
 * Every number of the server, with its unit and its source. A subclass changes one with
 * `limits = { ...LIMITS, sockets: 50 }`.
 */

const KB = 1024
const MB = 1024 * KB

export const LIMITS = {
  // ---- bytes on the wire
  /** A WebSocket frame, bytes. The platform takes 32 MiB. @source Cloudflare Workers limits, WebSocket message size */
  frameBytes: 26 * MB,
  /** One update inside a frame or a PATCH body, bytes. */
  updateBytes: 25 * MB,
  /** A REST body, bytes. */
  bodyBytes: 25 * MB,
  /** A document's snapshot plus its log, bytes: what fits a Durable Object's 128 MB when it is hydrated. */
  documentBytes: 50 * MB,
  /** What a `saved` request asks to have echoed, bytes: a version number. */
  questionBytes: 64,
  /** A custom text message, UTF-16 units. */
  messageLength: 64 * KB,
  /** Frames a socket may send at once, and each second for as long as it likes. A whole editing history replayed at once still fits. */
  frameBurst: 300_000,
  framesPerSecond: 5_000,
  /** The same for bytes. */
  byteBurst: 64 * MB,
  bytesPerSecond: 4 * MB,
  /** A step 1 with something in it costs this many frames: it hydrates the document. */
  step1Frames: 100,

  // ---- storage
  /** One stored value, bytes. @source Durable Objects limits: a SQLite row, string or BLOB holds at most 2 MB */
  valueBytes: 1 * MB,
  /** A commit starts at once when this much waits for it, bytes. */
  commitBytes: 256 * KB,
  /**
   * While edits keep coming, a commit follows the first of them after this long, ms; the first one after a pause comes at
   * once. Below a second, so that every edit is durable within one; not less, because many rooms share one disk (a commit
   * costs it 0.4–1 ms), and every commit is a billed row.
   */
  commitWindowMs: 800,
  /**
   * ... and after up to this long, ms, while the machine cannot keep up: 500 rooms on a disk that took 2 to 3 ms for
   * an fsync came to about 2 s.
   */
  commitCeilingMs: 4_000,

  // ---- fan-out
  /** The window never grows beyond this, ms. */
  tickCeilingMs: 25,
  /** Sockets of one room, and of one subject in it. */
  sockets: 1000,
  socketsPerSubject: 100,
  /** A receiver is asked for a sign that it reads after this many bytes ... */
  probeBytes: 1 * MB,
  /** ... and closed when this many went out without one. */
  unreadBytes: 8 * MB,
  /** A socket's presence is put where it survives a hibernation this long after it changed, ms; well below the 10 s of idling that precede one. */
  attachMs: 1_000,

  // ---- the archive
  /** An edit reaches the archive at most this long after it was made while people stay, ms. */
  flushMs: 30_000,
  /** One call to the archive, ms. */
  archiveTimeoutMs: 15_000,
  /** The first retry comes after this, ms; every next one after twice as long, with jitter. */
  retryMs: 1_000,
  /** ... to this ceiling, ms. */
  retryCeilingMs: 5 * 60_000,
  /**
   * An empty room whose archive has everything drops its own storage after this long, ms, and starts from the
   * archive the next time. 0: never. A Durable Object's storage costs about as much as D1's, so this is for those whose
   * archive must be the only copy.
   */
  retentionMs: 0,

  // ---- exports
  /**
   * An export may be at most this many times as long as the document's own bytes. Honest documents stay below 6: a
   * boolean is one byte in Yjs and "false," in JSON, a quotation mark is "&quot;" in HTML.
   */
  exportFactor: 8,
  /** ... plus this, bytes: what a page around a small document takes. */
  exportSpareBytes: 1 * MB,
  /** ... and never longer than this, bytes: it stands in memory beside the document. */
  exportBytes: 64 * MB,
  /** JSON inside Markdown and HTML is laid out on lines up to this length, bytes; what is longer nobody reads. */
  jsonLayoutBytes: 64 * KB,

  // ---- presence
  /** One awareness state, bytes of JSON. */
  awarenessBytes: 4 * KB,
  /** Nesting of an awareness state. */
  awarenessDepth: 16,

  // ---- the document in memory
  /** A hydrated document is let go when nobody has needed it for this long, ms. */
  dehydrateMs: 5_000,
  /** Bytes of updates that wait for a dependency. */
  pendingBytes: 1 * MB,
  /** Updates that wait for a dependency. */
  pendingUpdates: 1_000,
} as const satisfies Record<string, number>

/** The limits of a room: same names, your numbers. */
export type Limits = { readonly [Name in keyof typeof LIMITS]: number }
