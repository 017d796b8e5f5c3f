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
  /** ... but where awareness states are so large that copying them takes longer: to this, ms. */
  presenceCeilingMs: 250,
  /** What one send costs, ms. Measured on workerd; several sends to a socket in one turn share it. */
  sendCostMs: 0.025,
  /** What one byte sent costs, ms: copying at about 1 GB/s. */
  byteCostMs: 1e-6,
  /** After a tick the next one waits this many times what the tick cost. */
  tickRest: 3,
  /** A tick that gathered more items than this doubles the window after it; one that gathered less than half of it halves it. */
  tickCrowd: 8,
  /** In a room of at most this many sockets a renewal of presence is relayed at once, and leaves no timer behind. 100 × 100 of them take 17 ms a second. */
  renewalSockets: 100,

  // ---- windows that grow while the machine cannot keep up
  /** A timer that runs this late twice in a row is a machine that cannot keep up, ms: a garbage collection makes one late. */
  lateMs: 20,
  /** What a window grows by for every late timer, and shrinks by for every one in time. */
  lateGrowth: 1.5,
  lateShrink: 0.95,
  /** The window is at least this many times the lateness, so that a long queue starts to shrink at once. */
  lateFactor: 4,

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

  // ---- presence
  /** One awareness state, bytes of JSON: tldraw's with 2,000 selected shapes. */
  awarenessBytes: 64 * KB,
  /** All states of a room together, bytes. */
  presenceBytes: 8 * MB,
  /** Nesting of an awareness state. */
  awarenessDepth: 16,
  /** Clocks of awareness entries stay below this: bindings keep them in 32-bit integers. */
  awarenessClock: 2 ** 31,
  /** An awareness frame has an entry for each of the room's sockets at most, and this many for those who have just left. */
  awarenessSpare: 100,
  /** Departed clients whose clock is remembered, so that another tab's late relay does not bring them back. */
  departedClients: 1_000,
  /**
   * A larger state is no part of a socket's attachment, bytes of UTF-8: one letter beyond Latin-1, and the platform stores
   * two bytes for each. @source Durable Objects limits: an attachment holds 16 KB
   */
  attachmentStateBytes: 4 * KB,
  /**
   * Whoever sends presence hears an answer at least this often, ms: stock y-websocket reconnects after 30 s of silence.
   * And is told of a state that was not taken at most this often.
   */
  answerMs: 10_000,
  /** A read probe puts a stock client's clock this far ahead at least: no client counts so far before it reads the probe ... */
  probeReach: 1_024,
  /** ... and by a random number below this more, which a peer that does not read would have to guess. */
  probeRange: 65_536,
  /** A peer that was not heard of for this long is asked for a sign of life, ms ... */
  silentMs: 40_000,
  /** ... and closed when none came for this long after, ms. */
  silentAnswerMs: 15_000,

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
