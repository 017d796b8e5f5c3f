/**
 * Every number of the server, with its unit and its source. An operator changes one by a variable
 * (`LIMIT_SOCKETS = "50"`), a subclass with `limits = readLimits(this.env, { sockets: 50 })`.
 *
 * Over 450 lines: it is one table, and whoever looks for a number looks here.
 */
import { SyncError } from "./errors.ts"

const KB = 1024
const MB = 1024 * KB

/** The defaults. */
export const LIMITS = {
  // ---- bytes on the wire
  /** A WebSocket frame, bytes. The platform takes 32 MiB. @source Cloudflare Workers limits, WebSocket message size */
  frameBytes: 26 * MB,
  /** One update inside a frame or a PATCH body, bytes. */
  updateBytes: 25 * MB,
  /** A REST body, bytes. */
  bodyBytes: 25 * MB,
  /** A body of JSON or plain text, bytes: parsed it takes several times as much, beside the document. */
  jsonBytes: 4 * MB,
  /** A body of Markdown or HTML, bytes: honest Markdown of this size takes some 3 s to be read, which the Worker does. */
  markupBytes: 512 * KB,
  /** Nesting of a body of JSON: a tree of an editor has two levels a node. */
  jsonDepth: 512,
  /** Objects and lists in one body: Yjs takes some seconds to replace ten thousand paragraphs by others. */
  jsonNodes: 30_000,
  /** Operations of one JSON Patch: each may have to walk a long list. */
  patchOperations: 1_000,
  /** Names in one JSON pointer. */
  pointerNames: 256,
  /** A document's snapshot plus its log, bytes: what fits a Durable Object's 128 MB when it is hydrated. */
  documentBytes: 50 * MB,
  /**
   * A document's estimated memory when it is hydrated, bytes: what is left of the platform's 128 MB beside its bytes and the
   * runtime.
   */
  documentWeight: 72 * MB,
  /** Client ids that have written in a document: one a visit; about 100 B each in memory, 7 B in a state vector. */
  clients: 500_000,
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
  /**
   * A step 1 with something in it costs this many frames, since it hydrates the document and reads all of its deletions: 30 ms
   * where there are 30,000 of them. So a hundred at once, and then five in three seconds.
   */
  step1Frames: 3_000,
  /** A fresh token costs this many frames, since the registries are asked: ten at once, and then one in six seconds. */
  renewalFrames: 30_000,

  /** The `_pk` of a socket's URL, characters: partyserver makes a tag of it. @source Durable Objects limits: a tag holds 256 */
  connectionIdLength: 128,
  /** The query of a socket's URL, characters: partyserver keeps it in the attachment, which holds 16 KB in all. */
  queryLength: 2_048,
  /** A grant that was dismissed is refused at the room's door for this long, ms: it may have passed the Worker just before. */
  dismissalMs: 60_000,

  // ---- storage
  /** Bytes that a row of SQLite counts beside its value: many tiny rows cost more to read back than their bytes say. */
  rowOverheadBytes: 200,
  /** Estimated bytes of memory per byte of a server-side edit's update: right for map entries, too much for text. */
  editWeight: 15,
  /** A log smaller than this is not worth a compaction, bytes with row overhead. */
  compactFloorBytes: 128 * KB,
  /** Updates of one peer that come within this time are logged with the time of the first, ms. */
  originMs: 100,
  /** Clocks larger than this have rows of their own beside the log's, bytes. */
  rowClocksBytes: 256 * KB,
  /** One stored value, bytes. @source Durable Objects limits: a SQLite row, string or BLOB holds at most 2 MB */
  valueBytes: 1 * MB,
  /** A commit starts at once when this much waits for it, bytes. */
  commitBytes: 256 * KB,
  /**
   * While edits keep coming, they are committed this long after the first of them, ms; the first edit after a pause is
   * committed at once. Under 1 s, so that every edit is durable within a second. Not shorter: rooms share a disk (0.4–1 ms
   * a commit), and each commit is a billed row.
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

  /** Who knocks has this long to show its token, ms; then it is closed, and may dial again. */
  knockMs: 30_000,
  /** What it may send until it is in, messages ... */
  knockMessages: 1_000,
  /** ... and bytes. @source Hocuspocus 4.7, whose server has the same two */
  knockBytes: 5 * MB,
  /** Bytes that are kept for all who knock at a room, until their tokens are verified. */
  knockTotalBytes: 16 * MB,
  /** Tokens it may show: each costs a signature. */
  knockTokens: 10,
  /** Sockets of one room that have shown no token yet. */
  knockers: 100,
  /** How a Hocuspocus client names a document, session included, UTF-16 units: a socket's attachment keeps it. */
  keyLength: 512,

  /** Documents on one socket: a page with a hundred opens one connection. */
  bundleDocuments: 128,
  /**
   * Documents that are opened on one socket in its life, those that are opened again among them; then the client comes
   * again. @source Workers limits: 1,000 calls to other objects for one request, and a document may take three
   */
  bundleOpens: 300,
  /** Bytes that are kept on one socket for documents that are still opening. */
  bundleWaitingBytes: 16 * MB,
  /** ... and that may be on their way to its client, of all its documents: rooms have bounds of their own, lower ones. */
  bundleUnreadBytes: 64 * MB,
  /** A document whose room is lost is opened again on the same socket after this, ms; each next time after twice as long. */
  bundleRetryMs: 500,
  /** ... to this ceiling, ms. */
  bundleRetryCeilingMs: 30_000,

  /** Connections that one subject may open to a room from one address at once, and each second for as long as it likes. */
  dialBurst: 60,
  dialsPerSecond: 2,
  /** Sockets of one room, and of one subject that may write in it. */
  sockets: 1000,
  socketsPerSubject: 100,
  /** What a message that was not read yet takes in memory beside its bytes. A guess. */
  messageOverheadBytes: 256,
  /** A receiver is asked for a sign that it reads after this many bytes ... */
  probeBytes: 1 * MB,
  /** ... and closed when this many went out without one. */
  unreadBytes: 8 * MB,
  /** A larger answer to a step 1 is one of those ... */
  deliveryFloorBytes: 128 * KB,
  /** ... of which so many bytes are on their way at once: what peers have not read yet lies in the room's memory. */
  deliveriesBytes: 32 * MB,
  /** A peer has this long to read its own while others wait for theirs, ms. */
  deliveryMs: 30_000,
  /** A socket's presence is put where it survives a hibernation this long after it changed, ms; well below the 10 s of idling that precede one. */
  attachMs: 1_000,

  // ---- streams
  /** Streams of one room, and of one subject that may write in it. */
  streams: 1000,
  streamsPerSubject: 100,
  /** Followers are told of changes at most this often, ms: each tick commits first, and a commit is a billed row. */
  streamTickMs: 250,
  /** ... and a tick waits this many times what the last one cost. */
  streamRest: 4,
  /** A stream that leaves this much unread is broken off, bytes. */
  streamBytes: 1 * MB,
  /** Silence is broken by a comment after this long, ms: proxies close what is silent for a minute. */
  streamBeatMs: 15_000,
  /** A stream ends after this long, ms, and its reader comes back: an object that is followed never leaves memory. */
  streamMs: 10 * 60_000,
  /** How long a reader waits before it comes back, ms. */
  streamRetryMs: 1_000,

  // ---- sockets over HTTP
  /** A request for what has come is answered after this long, ms, with nothing: proxies end what is silent for half a minute. */
  collectMs: 20_000,
  /** One answer brings no more than this, bytes, but for one message that is longer. @source Workers RPC limits: 32 MiB */
  collectBytes: 4 * MB,
  /** Whoever has not asked for so long, ms, has gone. */
  mailboxMs: 30_000,
  /** What all mailboxes of a room hold, bytes: a quarter of a Durable Object's memory. One alone may have more, a first sync. */
  mailboxesBytes: 32 * MB,

  // ---- events that are told to EVENTS_URL
  /** What changes within this time is told once, ms. */
  eventsMs: 2_000,
  /** Events that wait for a receiver who does not take them; older ones are dropped, and counted. */
  eventsKept: 200,
  /** ... and together so long, characters of JSON: they are one stored value. */
  eventsLength: 400 * KB,

  // ---- agents
  /** Text that one read gives and one write takes, characters; then it goes on with the next call. */
  agentTextLength: 32_000,
  /** Places that one search, or one quote that stands in several, names. */
  agentMatches: 50,
  /** Documents that one list gives, and those that one search looks through: each is a room that wakes. */
  agentDocuments: 100,
  agentSearched: 20,
  /** Pages of the archive's index that are read for one of these: a token may name many documents that are not there. */
  agentIndexPages: 20,
  /** Operations of one edit. */
  agentOperations: 100,
  /** How long an agent's caret is shown after it did something, ms, and at most. */
  agentShownMs: 30_000,
  agentShownCeilingMs: 10 * 60_000,
  /** Agents of one document that have a client id of their own; further ones share the server's. */
  agentHands: 500,
  /** How long an answer is kept for a call that comes again under the same key, ms, and how many a document keeps. */
  repeatMs: 24 * 3_600_000,
  repeats: 1_000,
  /** A key of such a call, characters, and the longest answer that is kept, characters of JSON. */
  repeatKeyLength: 200,
  repeatLength: 64 * KB,

  // ---- the archive
  /** An edit reaches the archive at most this long after it was made while people stay, ms. */
  flushMs: 30_000,
  /** One call to the archive, ms. */
  archiveTimeoutMs: 15_000,
  /** The part of it that the old backend may take to answer, ms: what it has is stored within the rest. */
  legacyTimeoutMs: 8_000,
  /** What a new document begins with (`Room.seed`), ms: everybody who opens it waits. */
  seedMs: 15_000,
  /** The first retry comes after this, ms; every next one after twice as long, with jitter. */
  retryMs: 1_000,
  /** ... to this ceiling, ms. */
  retryCeilingMs: 5 * 60_000,
  /** Times that a deletion reads and tries again where other rooms keep writing to the archive meanwhile. */
  removeAttempts: 5,
  /** A room that is open asks the archive again for what it holds after this long, ms: it may have been restored. */
  archiveVerifyMs: 24 * 3_600_000,
  /**
   * An empty room whose archive has everything drops its own copy after this long, ms, and starts from the
   * archive the next time. What it keeps of the past stays (`pastBytes`). 0: never. A Durable Object's storage costs about as much as D1's, so this is for those whose
   * archive must be the only copy.
   */
  retentionMs: 0,
  /** A chunk of a document in D1, bytes. As base64 text it is a third larger. @source D1 limits: a value holds at most 2 MB */
  archiveChunkBytes: 1 * MB,
  /** Chunks that travel to or from D1 at once: 8 MB, so that a large document does not pass through memory as one text. */
  archiveBatchChunks: 8,
  /** Times a call to D1, R2 or Postgres looks again because somebody else wrote between its look and its write. */
  archiveAttempts: 10,
  /**
   * What a write to D1 that ended half-way left behind, or one to R2 that landed after the deletion of what it wrote, is
   * swept after this long, ms; far beyond the life of any call.
   */
  archiveOrphanMs: 60 * 60_000,
  /** Bytes that travel to or from Postgres in one message. A larger document goes in parts, so that memory holds one part as text at a time. */
  postgresPartBytes: 4 * MB,
  /** To be connected to Postgres, ms. */
  postgresConnectMs: 5_000,
  /** One statement in Postgres, ms: ended on the server, so that what nobody waits for does not run on. */
  postgresStatementMs: 10_000,

  // ---- the past
  /** Log that makes one segment of the past, bytes before compression: what is read for one commit of it. */
  segmentBytes: 1 * MB,
  /** A whole state is kept where more than this many times its bytes would have to be replayed for the next one ... */
  frameFactor: 2,
  /** ... and at least so much, bytes: 40,000 keystrokes, which are replayed in 0.06 s ... */
  frameFloorBytes: 512 * KB,
  /** ... unless more than this many times the bytes of the updates would be kept for the past. */
  frameShare: 1.3,
  /** What a room keeps for its past, bytes. Beyond it the oldest is pruned. 0: nothing. A Durable Object holds 10 GB. */
  pastBytes: 1024 * MB,
  /** ... and of it in its own storage, bytes, where the archive takes the rest: R2 costs a thirteenth of a Durable Object's. */
  pastHereBytes: 16 * MB,
  /** What is fetched from there at once for one question, bytes as they are stored: a question that needs more begins anew. */
  pastFetchBytes: 4 * MB,
  /** Updates that are replayed for one state, bytes: some 4 million keystrokes. A frame is kept well before it is that far. */
  pastReadBytes: 64 * MB,
  /** Updates that are read for whose words these are, bytes: a million keystrokes, which take 3 s of the room's time. */
  pastScanBytes: 16 * MB,
  /** A list of differences or of authors, bytes: it is answered in one piece. @source Workers RPC limits: 32 MiB serialized */
  pastAnswerBytes: 12 * MB,
  /** Estimated memory of a state that is rebuilt, bytes: it stands beside the present document. */
  pastWeight: 40 * MB,
  /**
   * Pieces of content that a restore or a rollback writes and deletes: it is one change, made in one turn. So many take a
   * second; a third of 260,000 keystrokes takes 0.4 s.
   */
  restoreItems: 250_000,
  /**
   * What is read of the past in one turn, before the room looks after others: bytes of updates, some 5,000 keystrokes, which
   * take about 10 ms ...
   */
  pastStepBytes: 64 * KB,
  /** ... and pieces of a document, each by one author, which take about 5 ms. */
  pastStepItems: 4_096,
  /** Questions about the past that wait for one another: each holds a state of the past in memory. */
  pastQuestions: 32,
  /** Versions of a document. Those made by themselves are thinned with age; at this many no more are made by hand. */
  versions: 10_000,
  /** Who wrote since the version before: people and ways that one version names, the newest. */
  versionWriters: 500,
  /** A version's name, characters, and its `meta`, characters of JSON. */
  versionNameLength: 200,
  versionMetaLength: 4_096,
  /** While people stay, a version is made by itself this long after the first change that the last one lacks, ms. */
  versionEveryMs: 30 * 60_000,
  /** ... and when the last one has left; where a restart came between, this long after the last change, ms. */
  versionLeaveMs: 60_000,
  /** A version that a session left behind is replaced by the next one's within this time, ms: a page that is reloaded. */
  versionGapMs: 10 * 60_000,
  /** Of versions without a name that were made by themselves all are kept so long, ms; after it one an hour ... */
  versionsAllMs: 24 * 3_600_000,
  /** ... until so old, ms; after it one a day ... */
  versionsHourlyMs: 7 * 24 * 3_600_000,
  /** ... until so old, ms; after it one a week. */
  versionsDailyMs: 90 * 24 * 3_600_000,
  /** A request's body about the past, bytes: a name, notes, a moment. */
  pastBodyBytes: 64 * KB,
  /** In a list of activity, work that pauses for no longer is one stretch, ms, unless the request says otherwise ... */
  activityPauseMs: 60_000,
  /** ... which may say this at most, ms. */
  activityPauseCeilingMs: 24 * 3_600_000,
  /** Names of people who have written here: the newest that their tokens gave. */
  people: 10_000,

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
  /** Who asks whether its changes are saved and is only kept open hears an answer this often, ms: Y-Sweet's reconnect after 3 s. */
  askedMs: 1_500,
  /** A read probe puts a stock client's clock this far ahead at least: no client counts so far before it reads the probe ... */
  probeReach: 1_024,
  /** ... and by a random number below this more, which a peer that does not read would have to guess. */
  probeRange: 65_536,
  /** A peer that was not heard of for this long is asked for a sign of life, ms ... */
  silentMs: 40_000,
  /** ... and closed when none came for this long after, ms. */
  silentAnswerMs: 15_000,
  /** Checks for silent peers after something happened: the first asks them, the second closes them. Then the room may sleep. */
  silentLooks: 2,

  // ---- the document in memory
  /**
   * A hydrated document is dropped where nobody has needed it for this long, ms. No timer does it: a commit, a presence frame
   * or the alarm of an empty room looks.
   */
  dehydrateMs: 5_000,
  /** Bytes of updates of one sender that wait for a dependency. */
  pendingBytes: 1 * MB,
  /** Updates of one sender that wait for a dependency. */
  pendingUpdates: 1_000,
  /** Bytes of updates of everyone that wait for a dependency, each with its overhead. */
  pendingTotalBytes: 16 * MB,
  /** What an update that waits takes in memory besides, its bytes being on disk: else a million tiny ones would fill it. */
  pendingOverheadBytes: 512,
  /** Peers that have brought the same update which waits, of whom it is remembered: one a reconnect. */
  pendingPeers: 100,
  /** Clients whose content one update may let wait: an honest document has gaps in few of them, and each is work. */
  pendingSections: 4_096,
  /** An update that was judged and still waits is left alone for so long a byte, ms: 1 MB for 5 s. */
  pendingRestMs: 0.005,

  // ---- what one update may have
  /** Nesting of one value: reading and writing them is recursive in Yjs. */
  valueDepth: 64,
  /**
   * Nesting of shared types, in an update and in a document. Deleting or exporting them is recursive in Yjs and overflows
   * the stack at about 2,000 levels (Node 24); the deepest honest documents, nested lists, have some dozens.
   */
  typeDepth: 256,
  /** A map key, root name, format key or node name, bytes: every peer keeps them; a long URL fits. */
  keyBytes: 4096,
  /** Clients an update may introduce: one a visit, so some years of a busy document; about 100 B each in memory. */
  newClients: 65_536,
  /** Structs of one update: Yjs keeps some 150 B for each, and a Durable Object has 128 MB. */
  updateStructs: 1_000_000,
  /** Different root names in one update: a root costs every peer about 700 B whether it is used or not. */
  updateRoots: 4096,

  // ---- access
  /** A longer token is refused unread, characters. */
  tokenLength: 8192,
  /** The `sub` and the `jti` of a token, characters. */
  subjectLength: 256,
  /** The `name` and the `color` of a token, characters; longer ones are left out. */
  nameLength: 100,
  /** A token may become valid this much later than now, ms: clocks differ. It never lives a moment longer than its `exp`. */
  clockToleranceMs: 5_000,
  /** A token that the server signs for a client of Y-Sweet's ends after this at the latest, ms: they ask for the next one. */
  clientTokenMs: 3_600_000,
  /** A key set is fetched again when it is older than this, ms: how long a key that was taken out of it still works. */
  jwksMaxAgeMs: 10 * 60_000,
  /** ... for a key id it does not hold, or after a failure, at most this often, ms. */
  jwksCooldownMs: 30_000,
  /** One fetch of a key set, ms. */
  jwksTimeoutMs: 5_000,
  /** While the key server is out, the keys that it gave last are used until they are this old, ms. */
  jwksStaleMs: 24 * 3_600_000,
  /** Documents that one subject or token may have opened by socket and whose grants have not ended, of which a registry keeps count. */
  registryVisits: 10_000,
  /** A registry forgets visits that have ended at most this often, ms: each sweep is a billed alarm. */
  registrySweepMs: 3_600_000,
  /** Rooms that a registry asks in one turn to close sockets. @source Workers limits: 1,000 calls to other objects a turn */
  registryBatch: 200,
  /** One room's answer to that, ms ... */
  registryTimeoutMs: 3_000,
  /** ... and when it is asked again, ms; every next time after twice as long. With the first answer in time, all is closed within 5 s. */
  registryRetryMs: 1_000,
  /** ... to this ceiling, ms. */
  registryRetryCeilingMs: 60_000,

  // ---- what an operator sees (yurt/admin)
  /** A room in which something happened reports it this long after the first of it, ms: a request and some rows. */
  reportMs: 60_000,
  /** A report is taken within this, ms, or told again later: meanwhile the room's other chores wait. */
  lookoutMs: 5_000,
  /** What is counted between two reports is stored at most this often, ms: before an idle room leaves memory. */
  reportKeepMs: 8_000,
  /** How long it is kept who read, exported, restored, deleted, ms. 0: it is not written down. */
  auditMs: 90 * 24 * 3_600_000,
  /** Entries of the audit, of all documents together: some 200 MB. The oldest go first. */
  auditEntries: 1_000_000,
  /** Entries that wait in a room for its next report; further ones are only counted. */
  auditWaiting: 1_000,
  /** What rooms have used a day is kept so long, ms. */
  usageMs: 90 * 24 * 3_600_000,
  /** A room is billed as awake for this long after something happened, ms: its timers. A guess that fits what was measured. */
  awakeTailMs: 1_000,
  /** Operators who watch the frames of one room. */
  frameWatchers: 4,
  /** They are told this often, ms, of at most so many frames; the rest is counted. */
  frameTickMs: 100,
  framesShown: 200,
  /** A person's documents, and documents to be flushed, that one request asks. @source Workers limits: 1,000 calls a request */
  adminBatch: 50,
  /** Documents that one search looks through; it goes on from there. */
  adminSearch: 10_000,

  // ---- addresses
  /** A document's name, its party included, bytes of UTF-8. @source Durable Objects: very long names are lost on the way to the object */
  idBytes: 256,
  /** Entries of one page of a listing. */
  pageEntries: 1_000,
  /** What `/ready` found is answered for this long, ms: anybody may ask, and each look writes a row. */
  readyMs: 5_000,
} as const satisfies Record<string, number>

/** The limits of a room: same names, your numbers. */
export type Limits = { readonly [Name in keyof typeof LIMITS]: number }

/** The limits that are about one update. */
export type UpdateLimits = Pick<
  Limits,
  "valueDepth" | "typeDepth" | "keyBytes" | "newClients" | "updateStructs" | "updateRoots"
>
/** What the platform allows at most, whatever an operator would like. */
const CEILINGS: { readonly [Name in keyof typeof LIMITS]?: number } = {
  frameBytes: 32 * MB,
  bodyBytes: 32 * MB,
  valueBytes: 2 * MB,
  idBytes: 1024,
  registryBatch: 1_000,
}

/** The numbers that may be 0. */
const MAY_BE_ZERO: ReadonlySet<string> = new Set(["retentionMs", "clockToleranceMs", "pastBytes", "auditMs"])

/** The numbers that may have a fraction. */
const MAY_BE_FRACTIONS: ReadonlySet<string> = new Set([
  "sendCostMs",
  "byteCostMs",
  "pendingRestMs",
  "lateGrowth",
  "lateShrink",
  "frameFactor",
  "frameShare",
])

/** Pairs of which the first must not be above the second: with such numbers nothing could ever pass. */
const ORDERED: readonly (readonly [keyof Limits, keyof Limits])[] = [
  ["updateBytes", "frameBytes"],
  ["frameBytes", "byteBurst"],
  ["commitWindowMs", "commitCeilingMs"],
  ["silentAnswerMs", "silentMs"],
  ["legacyTimeoutMs", "archiveTimeoutMs"],
  ["retryMs", "retryCeilingMs"],
  ["bundleRetryMs", "bundleRetryCeilingMs"],
  ["jwksMaxAgeMs", "jwksStaleMs"],
  ["activityPauseMs", "activityPauseCeilingMs"],
  ["versionsAllMs", "versionsHourlyMs"],
  ["versionsHourlyMs", "versionsDailyMs"],
]

/**
 * The limits of a deployment: the defaults, under what the code sets, under what the operator sets by variables. The
 * variable of a limit is its name in capitals: `LIMIT_SOCKETS_PER_SUBJECT` is `socketsPerSubject`.
 *
 * @param env the Worker's environment; only variables that begin with `LIMIT_` are looked at
 * @throws SyncError "internal" that names the variable, where it is no limit, no number, or makes no sense
 * @example limits = readLimits(this.env, { sockets: 50 })
 */
export function readLimits(env: object, overrides: Partial<Limits> = {}): Limits {
  const limits: Record<string, number> = { ...LIMITS, ...overrides }
  for (const [variable, value] of Object.entries(env)) {
    if (!variable.startsWith("LIMIT_")) continue
    const name = nameOf(variable)
    if (!Object.hasOwn(LIMITS, name)) throw new SyncError("internal", `There is no limit ${variable}.`)
    const text = String(value).trim()
    if (!(MAY_BE_FRACTIONS.has(name) ? /^\d+(\.\d+)?$/ : /^\d+$/).test(text))
      throw new SyncError("internal", `${variable} is ${JSON.stringify(text)}; it has to be a whole number.`)
    limits[name] = Number(text)
  }
  checkLimits(limits as Limits)
  return limits as Limits
}

/** @throws SyncError "internal" */
function checkLimits(limits: Limits): void {
  for (const [name, value] of Object.entries(limits)) {
    const least = MAY_BE_ZERO.has(name) ? 0 : MAY_BE_FRACTIONS.has(name) ? Number.MIN_VALUE : 1
    if (!(value >= least && value <= Number.MAX_SAFE_INTEGER))
      throw new SyncError("internal", `The limit ${name} is ${value}; at least ${least} makes sense.`)
  }
  for (const [name, ceiling] of Object.entries(CEILINGS)) {
    const value = limits[name as keyof Limits]
    if (value > ceiling)
      throw new SyncError("internal", `The limit ${name} is ${value}; the platform allows ${ceiling}.`)
  }
  for (const [small, large] of ORDERED) {
    if (limits[small] > limits[large])
      throw new SyncError(
        "internal",
        `The limit ${small} is ${limits[small]}, above ${large}, which is ${limits[large]}.`,
      )
  }
}

/** LIMIT_SOCKETS_PER_SUBJECT → socketsPerSubject; `step1Frames` is LIMIT_STEP1_FRAMES. */
function nameOf(variable: string): string {
  return variable
    .slice("LIMIT_".length)
    .toLowerCase()
    .replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase())
}
