/**
 * The room: one Durable Object, one document, everyone who is connected to it. The only conductor: it
 * knows partyserver, sockets and alarms, and calls the others in order.
 *
 *     socket → frame → rights → replica (vet) → fan-out (peers) → commit (log) → "saved" → outbox (archive)
 *
 * Subclass it, name an archive, and override the hooks you need:
 *
 *     export class Room extends YurtRoom<Env> { archive = d1Archive(this.env.DB) }
 */
import { type Connection, type ConnectionContext, Server, type WSMessage } from "partyserver"
import type * as Y from "yjs"
import { type AccessSettings, type Grant, verifyToken } from "../access/access.ts"
import { checkRevoked, Registry } from "../access/registry.ts"
import type { Archive, ArchivePage } from "../archive/archive.ts"
import { asSyncError, SyncError } from "../errors.ts"
import { entityTag, matchesEntityTag } from "../export/entity-tags.ts"
import { toJson } from "../export/json.ts"
import { render } from "../export/render.ts"
import { toText } from "../export/text.ts"
import { LIMITS, type Limits } from "../limits.ts"
import {
  type Answer,
  answer,
  type DocumentStatus,
  decodeGrant,
  type Exported,
  portableBody,
  type Revoked,
  type RoomRpc,
  type Visit,
} from "../rpc.ts"
import {
  PING,
  PONG,
  readCustom,
  readFrame,
  writeAwareness,
  writeCustom,
  writeQuery,
  writeRefusal,
  writeRenewed,
  writeSaved,
  writeStep1,
  writeStep2,
  writeUpdate,
} from "../wire/y-websocket.ts"
import { FanOut } from "./fan-out.ts"
import { UpdateLog } from "./log.ts"
import { Outbox } from "./outbox.ts"
import { type Entry, Presence } from "./presence.ts"
import { TokenBucket } from "./rate.ts"
import { type Received, Replica } from "./replica.ts"
import { Throttle } from "./throttle.ts"

const DONE = Promise.resolve()

/** What a socket's attachment keeps through a hibernation. Never a token. */
interface Attachment {
  readonly grant: Grant
  readonly presence: Entry | null
}

/** Someone connected. */
export class Peer {
  readonly connection: Connection
  grant: Grant
  /** A `saved` request that waits for the next commit; a newer one includes an older one. */
  awaitsSaved: Uint8Array | null = null
  /** Was told once that it may not write; the second time it is closed. */
  warned = false
  /** Bytes sent since it last gave a sign of reading. */
  unreadBytes = 0
  /** How much of that may be there: more after a first sync. */
  allowedBytes: number
  probed = false
  readonly frames: TokenBucket
  readonly bytes: TokenBucket

  constructor(connection: Connection, grant: Grant, limits: Limits) {
    this.connection = connection
    this.grant = grant
    this.allowedBytes = limits.unreadBytes
    this.frames = new TokenBucket(limits.frameBurst, limits.framesPerSecond)
    this.bytes = new TokenBucket(limits.byteBurst, limits.bytesPerSecond)
  }
}

export abstract class Room<Env extends Cloudflare.Env = Cloudflare.Env>
  extends Server<Env>
  implements RoomRpc
{
  static override options = { hibernate: true }

  /** The external database of this room's document; null: the room's own storage is all there is. */
  abstract readonly archive: Archive | null

  /** Override to change a number. */
  readonly limits: Limits = LIMITS

  readonly #peers = new Set<Peer>()
  readonly #peerOf = new WeakMap<WebSocket, Peer>()
  /** Peers whose presence the attachments do not have yet. */
  readonly #unattached = new Set<Peer>()
  #parts: Parts | null = null
  /** partyserver has run `onStart`: from here on frames skip its per-message work. */
  #started = false
  /** The archive was asked, or something is stored: the document is what this room says it is. */
  #opening: Promise<void> | null = null
  #alarmAt: number | null = null
  #removing = false
  /** Who owns which client id, as far as it was asked since the wake. */
  readonly #owners = new Map<number, string>()
  #welcoming: readonly Uint8Array[] | null = null
  /** The last one has left since the last alarm. */
  #emptied = false

  // ---- hooks and calls for a subclass

  /** A custom message (`provider.send`, YProvider's `sendMessage`) from a peer. Override it. */
  onCustomMessage(_peer: Peer, _message: string): void {}

  /** `POST` to the document's URL. Override it; by default there is nothing to post. */
  onPost(_request: Request): Response | Promise<Response> {
    throw new SyncError("method-not-allowed", "This room takes no POST")
  }

  /** Send a custom message to everyone connected, or to one. */
  sendCustomMessage(message: string, only?: Peer): void {
    for (const peer of only === undefined ? this.#peers : [only]) this.#sendText(peer, writeCustom(message))
  }

  /**
   * Change the document on the server, in one transaction, all or nothing. Everyone connected sees it.
   * @returns what `change` returned, once the change is durable
   */
  async edit<Result>(change: (doc: Y.Doc) => Result): Promise<Result> {
    await this.#ready()
    const { replica, fanOut } = this.#room
    const { result, update } = replica.edit(change)
    this.#welcoming = null
    // First the log, then the peers: the output gate holds the frames until the commit is durable.
    this.#commit()
    if (update !== null) fanOut.update(update, null)
    await this.#durable()
    return result
  }

  /** Look at the document. Do not keep or change the Y.Doc. */
  async read<Result>(look: (doc: Y.Doc) => Result): Promise<Result> {
    await this.#ready()
    return look(this.#room.replica.document())
  }

  /** A Y.Doc is in memory; most of a room's life needs none. */
  get hydrated(): boolean {
    return this.#room.replica.hydrated
  }

  // ---- what routes call (RPC)

  export(want: Parameters<RoomRpc["export"]>[0]): Promise<Answer<Exported | null>> {
    return answer(async () => {
      await this.#ready()
      const { replica } = this.#room
      if (!replica.exists) return null
      // A revision is of what is committed and never comes again, so it names the state.
      const revision = this.#commit()
      const etag = entityTag(`r${revision}`, want)
      const known = matchesEntityTag(want.ifNoneMatch, etag)
      return { etag, body: known ? null : portableBody(render(replica.document(), want)), revision }
    })
  }

  merge(update: Uint8Array, grant: Grant): Promise<Answer<{ revision: number }>> {
    return answer(async () => {
      await this.#ready()
      this.#take(update, { grant, sender: null, whole: true })
      const revision = this.#commit()
      await this.#durable()
      return { revision }
    })
  }

  remove(_grant: Grant): Promise<Answer<boolean>> {
    return answer(async () => {
      await this.#ready()
      const { replica, log, outbox } = this.#room
      if (!replica.exists) return false
      this.#removing = true
      try {
        await outbox.remove(log.state.revision + 1)
      } finally {
        this.#removing = false
        this.#arm()
      }
      for (const peer of this.#peers) this.#close(peer, new SyncError("deleted", "The document was deleted"))
      replica.erase()
      this.#owners.clear()
      this.#welcoming = null
      await this.ctx.storage.deleteAlarm()
      this.#alarmAt = null
      await this.ctx.storage.sync()
      return true
    })
  }

  status(): Promise<Answer<DocumentStatus | null>> {
    return answer(async () => {
      await this.#ready()
      const { replica, log, outbox } = this.#room
      if (!replica.exists) return null
      return {
        connections: this.#peers.size,
        revision: log.state.revision,
        archivedRevision: outbox.ledger.archivedRevision,
        archiveError: outbox.ledger.error,
        archiveAttempts: outbox.ledger.attempts,
        bytes: replica.bytes,
        logRows: log.state.logRows,
        quarantined: log.quarantined,
      }
    })
  }

  list(page: { cursor: string | null; limit: number }): Promise<Answer<ArchivePage>> {
    return answer(() => this.#room.outbox.list(page))
  }

  async dismiss(who: Revoked): Promise<void> {
    for (const peer of this.#room && this.#peers) {
      const { subject, tokenId } = peer.grant
      if ("subject" in who ? subject === who.subject : tokenId === who.tokenId) {
        this.#refuse(peer, new SyncError("unauthorized", "This token was revoked"))
      }
    }
  }

  async admit(visit: Visit | null): Promise<boolean> {
    return new Registry(this.ctx.storage).admit(visit)
  }

  async revoke(): Promise<Visit[]> {
    return new Registry(this.ctx.storage).revoke(Date.now())
  }

  // ---- sockets

  override async fetch(request: Request): Promise<Response> {
    try {
      // partyserver answers a throw of its start with the stack: start first, where it can be caught.
      await this.__unsafe_ensureInitialized()
      if (request.headers.get("Upgrade")?.toLowerCase() !== "websocket") return await this.onPost(request)
      checkQuery(new URL(request.url))
      await this.#ready()
      this.#checkCrowd(decodeGrant(request))
      return await super.fetch(request)
    } catch (thrown) {
      const error = asSyncError(thrown)
      if (error.code === "internal") console.error("A request failed", error.cause)
      return Response.json(error, { status: error.status })
    }
  }

  /** @throws SyncError room-full | rate-limited. Refused at the upgrade: stock clients reset their backoff on open. */
  #checkCrowd({ subject }: Grant): void {
    const { sockets, socketsPerSubject } = this.limits
    if (this.#peers.size >= sockets) {
      throw new SyncError("room-full", `The room has ${this.#peers.size} sockets; at most ${sockets}`)
    }
    if (subject === null) return
    let own = 0
    for (const peer of this.#peers) if (peer.grant.subject === subject) own++
    if (own >= socketsPerSubject)
      throw new SyncError("rate-limited", `${own} sockets are open; at most ${socketsPerSubject}`)
  }

  override onConnect(connection: Connection, { request }: ConnectionContext): void {
    const peer = new Peer(connection, decodeGrant(request), this.limits)
    const { replica, presence } = this.#room
    this.#stir()
    this.#admit(peer)
    this.#attach(peer)
    // A reader has nothing to give, so it is not asked.
    if (peer.grant.rights === "write") this.#send(peer, writeStep1(replica.stateVector()))
    if (presence.size > 0) this.#send(peer, writeAwareness(presence.encode(presence.clients())))
    if (peer.grant.expiresAtMs !== null) this.#arm()
  }

  /** The hot path skips partyserver, which reads the attachment and wraps the socket for every message. */
  override webSocketMessage(socket: WebSocket, message: WSMessage): Promise<void> {
    const peer = this.#started ? this.#peerOf.get(socket) : undefined
    if (peer === undefined) return super.webSocketMessage(socket, message)
    this.#receive(peer, message)
    return DONE
  }

  override onMessage(connection: Connection, message: WSMessage): void {
    this.#started = true
    const peer = this.#room && this.#peerOf.get(connection)
    if (peer) this.#receive(peer, message)
  }

  /** partyserver echoes a goodbye where its code can be sent; the others would be left waiting for an answer. */
  override async webSocketClose(
    socket: WebSocket,
    code: number,
    reason: string,
    wasClean: boolean,
  ): Promise<void> {
    await super.webSocketClose(socket, code, reason, wasClean)
    if (wasClean) closeQuietly(socket, { code: 1000, reason: "" })
  }

  override onClose(connection: Connection): void {
    const { presence } = this.#room
    // Where the close is what woke the room, the platform lists the socket no more.
    const peer = this.#peerOf.get(connection) ?? this.#recall(connection, presence)
    if (peer === undefined) return
    this.#dismiss(peer)
    // What it sent and nobody has committed yet may be with nobody else.
    this.#commit()
    if (this.#peers.size > 0) return
    this.#emptied = true
    this.#room.outbox.hurry()
    this.#arm()
  }

  override onError(connection: Connection, _error: unknown): void {
    this.onClose(connection)
  }

  #receive(peer: Peer, message: WSMessage): void {
    try {
      const now = Date.now()
      const length = typeof message === "string" ? message.length : message.byteLength
      if (!peer.frames.take(1, now) || !peer.bytes.take(length, now)) {
        throw new SyncError("rate-limited", `More than ${this.limits.framesPerSecond} frames a second`)
      }
      if (typeof message === "string") this.#receiveText(peer, message)
      else
        this.#receiveFrame(peer, message instanceof ArrayBuffer ? new Uint8Array(message) : bytesOf(message))
    } catch (thrown) {
      this.#refuse(peer, asSyncError(thrown))
    }
  }

  #receiveFrame(peer: Peer, message: Uint8Array): void {
    if (message.length > this.limits.frameBytes) {
      throw new SyncError("too-large", `Frame of ${message.length} bytes; at most ${this.limits.frameBytes}`)
    }
    const frame = readFrame(message)
    switch (frame.type) {
      case "update":
      case "step-2":
        return this.#receiveUpdate(peer, frame.update, frame.type === "step-2")
      case "awareness":
        return this.#receiveAwareness(peer, frame.entries)
      case "step-1":
        return this.#sync(peer, frame.stateVector)
      case "query": {
        const { presence } = this.#room
        return this.#send(peer, writeAwareness(presence.encode(presence.clients())))
      }
      case "saved":
        if (frame.payload.length > this.limits.questionBytes) {
          throw new SyncError(
            "too-large",
            `Question of ${frame.payload.length} bytes; at most ${this.limits.questionBytes}`,
          )
        }
        // A copy: the payload is a view that would keep the whole message alive.
        peer.awaitsSaved = frame.payload.slice()
        // With nothing left to write, the answer waits only for a commit that is still on its way to the disk.
        return this.#room.replica.hasUncommitted ? this.#commitSoon() : void this.#commit()
      case "renewal":
        return void this.#renew(peer, new TextDecoder().decode(frame.payload))
      case "refusal":
      case "notice":
        throw new SyncError("bad-frame", "A client does not refuse")
      case "probe":
        return this.#markRead(peer)
      default:
        throw new SyncError("bad-frame", `Unknown frame ${JSON.stringify(frame satisfies never)}`)
    }
  }

  #receiveUpdate(peer: Peer, update: Uint8Array, whole: boolean): void {
    if (peer.grant.rights !== "write") {
      // Stock clients answer a step 1 with what they have, be it nothing.
      if (update.length <= 2) return
      throw new SyncError("forbidden", "This connection may read only")
    }
    const received = this.#take(update, { grant: peer.grant, sender: peer, whole })
    if (received.kind === "taken") this.#commitSoon()
    else if (received.kind === "waiting") this.#send(peer, writeStep1(this.#room.replica.stateVector()))
  }

  #receiveAwareness(peer: Peer, entries: Uint8Array): void {
    const { presence, fanOut } = this.#room
    if (!peer.grant.presence) return
    const { changed, renewed, echo } = presence.note(peer, entries)
    if (echo) return this.#markRead(peer)
    if (changed.length === 0) return
    this.#attachSoon(peer)
    fanOut.awareness(changed, renewed ? null : peer)
  }

  #receiveText(peer: Peer, text: string): void {
    if (text === PING) return // partyserver's own attachments of the auto-response can be gone after a deploy
    const message = readCustom(text)
    if (message === null)
      throw new SyncError("bad-frame", `Text frame of ${text.length} characters is no custom message`)
    if (message.length > this.limits.messageLength) {
      throw new SyncError(
        "too-large",
        `Message of ${message.length} characters; at most ${this.limits.messageLength}`,
      )
    }
    this.onCustomMessage(peer, message)
  }

  /** Answer a step 1: with the stored bytes where the other has nothing, else from the hydrated document. */
  #sync(peer: Peer, stateVector: Uint8Array): void {
    const { replica } = this.#room
    if (peer.unreadBytes > this.limits.unreadBytes)
      throw new SyncError("slow-receiver", "Asks faster than it reads")
    const hasNothing = stateVector.length === 1 && stateVector[0] === 0
    if (!hasNothing && !peer.frames.take(this.limits.step1Frames, Date.now())) {
      throw new SyncError("rate-limited", "Too many step 1 in a short time")
    }
    const frames = hasNothing ? this.#welcome() : [writeStep2(replica.diff(stateVector))]
    for (const frame of frames) peer.allowedBytes += frame.length
    for (const frame of frames) this.#send(peer, frame)
  }

  /**
   * The whole document as frames. Kept while nothing is written: a crowd that comes at once, after a deploy say, shares
   * one copy of a large document.
   */
  #welcome(): readonly Uint8Array[] {
    const { replica } = this.#room
    if (this.#welcoming === null) {
      const updates = replica.whole()
      const last = updates.pop()!
      // A client calls itself synced after step 2, so that comes last.
      this.#welcoming = [...updates.map(writeUpdate), writeStep2(last)]
    }
    return this.#welcoming
  }

  /** A fresh token for an open socket. Verified outside of the turn; meanwhile the old grant holds. */
  async #renew(peer: Peer, token: string): Promise<void> {
    // In open mode there is nothing to renew.
    if (peer.grant.subject === null) return
    try {
      const grant = await verifyToken(token, this.name, this.env as AccessSettings)
      await checkRevoked(this.env, { grant, visit: null })
      if (grant.subject !== peer.grant.subject)
        throw new SyncError("forbidden", "The fresh token is someone else's")
      peer.grant = grant
      this.#attach(peer)
      this.#arm()
      if (grant.expiresAtMs !== null) this.#send(peer, writeRenewed(grant.expiresAtMs))
    } catch (thrown) {
      this.#refuse(peer, asSyncError(thrown))
    }
  }

  // ---- the path of an update

  #take(
    update: Uint8Array,
    { grant, sender, whole }: { grant: Grant; sender: Peer | null; whole: boolean },
  ): Received {
    const { replica, fanOut } = this.#room
    const { subject } = grant
    const received = replica.receive(update, {
      whole,
      ...(subject !== null && { claim: (client: number) => this.#claim(client, subject) }),
    })
    if (received.kind === "taken") {
      this.#welcoming = null
      fanOut.update(received.update, sender)
      for (const released of received.released) fanOut.update(released, null)
    }
    return received
  }

  /**
   * A client id belongs to the subject who first wrote under it, and before that to who shows themselves under it.
   * @throws SyncError forbidden
   */
  #claim(client: number, subject: string): void {
    if (this.#owners.get(client) === subject) return
    const { log, presence } = this.#room
    const owner = log.ownerOf(client) ?? presence.speakerOf(client)?.grant.subject ?? subject
    if (owner !== subject) throw new SyncError("forbidden", `Client id ${client} belongs to someone else`)
    log.own(client, subject)
    this.#owners.set(client, subject)
  }

  /** At once when quiet; else what comes within a window of the first edit becomes one row. */
  #commitSoon(): void {
    if (this.#room.replica.uncommittedBytes >= this.limits.commitBytes) this.#commit()
    else this.#room.commits.soon()
  }

  /**
   * Write what was taken, then acknowledge it, in one turn: the output gate holds the acknowledgements
   * until the write is durable (D1), and has let go the relays before it.
   * @returns the room's revision
   */
  #commit(): number {
    const { replica, outbox, fanOut, commits } = this.#room
    commits.clear()
    if (replica.hasUncommitted) fanOut.flush()
    const wrote = replica.hasUncommitted
    try {
      replica.commit()
    } catch (thrown) {
      // Nothing was acknowledged, and what was taken is still here: it is tried again, whoever comes or not.
      console.error(`A commit of ${this.name} failed and will be tried again`, thrown)
      commits.later()
      return this.#room.log.state.revision
    }
    const { revision } = this.#room.log.state
    if (wrote) {
      this.#stir()
      outbox.touch()
      this.#arm()
      commits.rest()
    }
    for (const peer of this.#peers) {
      if (peer.awaitsSaved === null) continue
      const payload = peer.awaitsSaved
      peer.awaitsSaved = null
      this.#send(peer, writeSaved(payload))
    }
    return revision
  }

  /** @throws SyncError unavailable where the commit before it has failed */
  async #durable(): Promise<void> {
    if (this.#room.replica.hasUncommitted)
      throw new SyncError("unavailable", "The disk did not take it; try again.")
    await this.ctx.storage.sync()
  }

  // ---- time passes

  override async alarm(): Promise<void> {
    try {
      await super.alarm()
    } catch (thrown) {
      // It may have failed before `onAlarm` set the next one: at the start, or in a subclass.
      console.error("The alarm failed and will come again", thrown)
      await this.#setNextAlarm()
    }
  }

  /** One that comes whatever happens in this one: when every call to the archive has had its time. */
  #setNextAlarm(): Promise<void> {
    this.#alarmAt = Date.now() + 2 * this.limits.archiveTimeoutMs
    return this.ctx.storage.setAlarm(this.#alarmAt)
  }

  /** Compacts, flushes, closes what has expired. Sets the next alarm first and never throws (A2). */
  override async onAlarm(): Promise<void> {
    // The platform repeats a throwing alarm six times and forgets it; this one is set whatever happens below.
    await this.#setNextAlarm()
    try {
      const { replica, outbox } = this.#room
      const now = Date.now()
      for (const peer of this.#peers) {
        if (peer.grant.expiresAtMs !== null && peer.grant.expiresAtMs <= now) {
          this.#refuse(peer, new SyncError("unauthorized", "The token has expired"))
        }
      }
      this.#commit()
      if (this.#compactionDue(replica)) replica.compact()
      this.#emptied = false
      const { dueAtMs } = outbox
      if (dueAtMs !== null && dueAtMs <= Date.now() && !this.#removing) await this.#flush()
      if (this.#peers.size === 0) {
        replica.dehydrate()
        this.#welcoming = null
      }
      if (this.#retireAtMs !== null && this.#retireAtMs <= now) return await this.#retire()
    } catch (thrown) {
      console.error("The alarm failed and will come again", thrown)
      return
    }
    this.#alarmAt = null
    if (this.#arm() === null) await this.ctx.storage.deleteAlarm()
  }

  /** When this room may drop its own storage, since the archive has everything; null: not as things are. */
  get #retireAtMs(): number | null {
    const { replica, outbox, log } = this.#room
    const { retentionMs } = this.limits
    if (retentionMs === 0 || this.#peers.size > 0 || this.archive === null) return null
    if (!log.exists || outbox.dirty || replica.isWaiting || replica.hasUncommitted) return null
    const idleSince = log.noted<number>("idle_since")
    if (idleSince !== null) return idleSince + retentionMs
    log.note("idle_since", Date.now())
    return Date.now() + retentionMs
  }

  /** Someone came or something was written: the time of idling begins anew. */
  #stir(): void {
    const { log } = this.#room
    if (this.limits.retentionMs > 0 && log.noted("idle_since") !== null) log.note("idle_since", null)
  }

  /** Drop the room's own storage. The next one to come finds a room that starts from the archive. */
  async #retire(): Promise<void> {
    this.#parts = null
    this.#opening = null
    this.#alarmAt = null
    this.#owners.clear()
    await this.ctx.storage.deleteAlarm()
    await this.ctx.storage.deleteAll()
  }

  #compactionDue(replica: Replica): boolean {
    return replica.outgrown || (this.#emptied && replica.untidy)
  }

  async #flush(): Promise<void> {
    const { replica, outbox } = this.#room
    const outcome = await outbox.flush(() => {
      const revision = this.#commit()
      const update = replica.encode()
      return {
        update,
        revision,
        updatedAtMs: Date.now(),
        json: () => toJson(replica.document()),
        text: () => toText(replica.document()),
      }
    })
    if (outcome === "newer") await this.#mergeArchived()
  }

  /** Merge what the archive holds into the room, and go on above its revision. */
  async #mergeArchived(): Promise<void> {
    const { replica, outbox, log, fanOut } = this.#room
    const found = await outbox.load()
    if (found.kind === "absent") {
      throw new SyncError(
        "archive-unavailable",
        `Archive ${this.archive?.name} has no copy of ${this.name} to merge`,
      )
    }
    const revision = found.kind === "found" ? found.document.revision : found.revision
    log.raise(revision + 1)
    if (found.kind === "found") {
      const received = replica.receive(found.document.update, { whole: true })
      if (received.kind === "taken") fanOut.update(received.update, null)
      this.#welcoming = null
    }
    this.#commit()
    outbox.touch()
  }

  /** Set the alarm to the earliest thing that will be due; null where nothing is. */
  #arm(): number | null {
    const { replica, outbox } = this.#room
    // What is being deleted is not flushed; were it due all the same, alarm would follow on alarm.
    const due = [this.#removing ? null : outbox.dueAtMs, this.#retireAtMs]
    if (this.#compactionDue(replica)) due.push(Date.now())
    for (const { grant } of this.#peers) due.push(grant.expiresAtMs)
    const at = due.reduce<number | null>(
      (soonest, time) => (time === null ? soonest : Math.min(time, soonest ?? time)),
      null,
    )
    if (at !== null && (this.#alarmAt === null || at < this.#alarmAt)) {
      this.#alarmAt = at
      void this.ctx.storage.setAlarm(at)
    }
    return at
  }

  // ---- opening and waking

  /** The parts of this room. Made at the first event, since a subclass's fields are set after our constructor. */
  get #room(): Parts {
    this.#parts ??= this.#wake()
    return this.#parts
  }

  #wake(): Parts {
    const { limits } = this
    const log = new UpdateLog(this.ctx.storage, limits)
    const replica = new Replica(log, { limits, onDamage: () => queueMicrotask(() => void this.#recover()) })
    const presence = new Presence<Peer>(limits, (peer) => peer.grant.subject)
    const outbox = new Outbox(this.name, { archive: this.archive, log, limits })
    const fanOut = new FanOut<Peer>(
      {
        peers: this.#peers,
        send: (peer, frame) => this.#send(peer, frame),
        encodePresence: (clients) => presence.encode(clients),
      },
      limits,
    )
    // The platform answers our provider's heartbeat itself, so a sleeping room sleeps on.
    this.ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair(PING, PONG))
    for (const connection of this.getConnections<Attachment>()) this.#recall(connection, presence)
    const commits = new Throttle(() => this.#commit(), {
      windowMs: limits.commitWindowMs,
      ceilingMs: limits.commitCeilingMs,
      wholeWindow: true,
    })
    const attaches = new Throttle(() => this.#attachAll(), { windowMs: limits.attachMs })
    return { log, replica, presence, outbox, fanOut, commits, attaches }
  }

  /** A socket that outlived the room's memory. Its attachment says who it is. */
  #recall(connection: Connection, presence: Presence<Peer>): Peer | undefined {
    const attachment = connection.state as Attachment | null
    if (attachment === null) return undefined
    const peer = new Peer(connection, attachment.grant, this.limits)
    this.#admit(peer)
    if (attachment.presence !== null) presence.restore(peer, attachment.presence)
    return peer
  }

  /**
   * The document is here: stored, or looked up in the archive once.
   * @throws SyncError archive-unavailable: never start empty over a document that exists
   */
  #ready(): Promise<void> {
    this.#opening ??= this.#open().catch((thrown) => {
      this.#opening = null
      throw thrown
    })
    return this.#opening
  }

  async #open(): Promise<void> {
    const { replica, outbox, log } = this.#room
    // Whoever is connected was let in after the archive was asked.
    if (replica.exists || this.archive === null || this.#peers.size > 0) return
    const found = await outbox.load()
    switch (found.kind) {
      case "absent":
        return
      case "deleted":
        return log.raise(found.revision)
      case "found":
        replica.adopt(found.document.update, found.document.revision)
        return outbox.loaded(found.document.revision)
    }
  }

  /**
   * Something stored was damaged and is in quarantine. Whoever is connected is asked for all they have, and the
   * archive for its copy; merging either twice changes nothing.
   */
  async #recover(): Promise<void> {
    const { replica } = this.#room
    for (const peer of this.#peers) {
      if (peer.grant.rights === "write") this.#send(peer, writeStep1(replica.stateVector()))
    }
    if (this.archive === null) return
    try {
      await this.#mergeArchived()
    } catch (thrown) {
      // The flush that follows finds a newer copy again, if there is one.
      console.warn(`No archived copy of ${this.name} was merged back: ${asSyncError(thrown).message}`)
    }
  }

  #admit(peer: Peer): void {
    this.#peers.add(peer)
    this.#peerOf.set(peer.connection, peer)
  }

  #dismiss(peer: Peer): void {
    if (!this.#peers.delete(peer)) return
    this.#peerOf.delete(peer.connection)
    this.#unattached.delete(peer)
    const { presence, fanOut } = this.#room
    const left = presence.leave(peer)
    if (left.length > 0) fanOut.awareness(left, null)
  }

  // ---- what goes out

  #send(peer: Peer, frame: Uint8Array): void {
    try {
      peer.connection.send(frame)
    } catch {
      // The socket is gone and its close event is on the way.
      return
    }
    peer.unreadBytes += frame.length
    if (peer.unreadBytes > this.limits.probeBytes) this.#probe(peer)
  }

  #sendText(peer: Peer, text: string): void {
    try {
      peer.connection.send(text)
    } catch {
      // The socket is gone and its close event is on the way.
    }
  }

  /**
   * The platform has no bufferedAmount, and a peer that never reads grows the process without bound. So it is asked for
   * what every stock client answers, its awareness, and what it says then echoes what the room knows.
   */
  #probe(peer: Peer): void {
    if (!peer.probed) {
      peer.probed = true
      peer.unreadBytes = 0
      return this.#send(peer, writeQuery())
    }
    if (peer.unreadBytes > peer.allowedBytes) {
      this.#refuse(peer, new SyncError("slow-receiver", `${peer.unreadBytes} bytes were not read`))
    }
  }

  #markRead(peer: Peer): void {
    peer.probed = false
    peer.allowedBytes = this.limits.unreadBytes
  }

  /** Answer an error: with a frame, and where it cannot go on, with a close. */
  #refuse(peer: Peer, error: SyncError): void {
    if (error.code === "internal") console.error("A frame failed", error.cause)
    else console.warn(`Refused a frame of ${this.name}: ${error.code}: ${error.message}`)
    switch (error.code) {
      case "forbidden":
        this.#send(peer, writeRefusal(error.message))
        if (!peer.warned) {
          peer.warned = true
          return
        }
        return this.#close(peer, error)
      case "pending-full":
        this.#send(peer, writeRefusal(error.message))
        return this.#send(peer, writeStep1(this.#room.replica.stateVector()))
      default:
        return this.#close(peer, error)
    }
  }

  #close(peer: Peer, error: SyncError): void {
    this.#dismiss(peer)
    closeQuietly(peer.connection, { code: error.closeCode, reason: error.message.slice(0, 120) })
  }

  /** At once after a pause, so that a renewal does not keep the room awake for a timer; then once a window for all. */
  #attachSoon(peer: Peer): void {
    this.#unattached.add(peer)
    this.#room.attaches.soon()
  }

  #attachAll(): void {
    const { attaches } = this.#room
    attaches.clear()
    attaches.rest()
    const changed = [...this.#unattached]
    this.#unattached.clear()
    for (const peer of changed) {
      try {
        this.#attach(peer)
      } catch (thrown) {
        // One socket whose attachment is too large must not cost the others theirs.
        this.#refuse(peer, asSyncError(thrown))
      }
    }
  }

  #attach(peer: Peer): void {
    const attachment: Attachment = { grant: peer.grant, presence: this.#room.presence.entryOf(peer) }
    peer.connection.setState(attachment)
  }
}

interface Parts {
  readonly log: UpdateLog
  readonly replica: Replica
  readonly presence: Presence<Peer>
  readonly outbox: Outbox
  readonly fanOut: FanOut<Peer>
  readonly commits: Throttle
  readonly attaches: Throttle
}

/**
 * partyserver keeps the whole URI in the socket's attachment, which holds 16 KB beside the presence, and makes `?_pk=` a
 * tag, which holds 256 characters.
 * @throws SyncError bad-request
 */
function checkQuery({ search, searchParams }: URL): void {
  const id = searchParams.get("_pk")
  if (id !== null && id.length > 128) {
    throw new SyncError("bad-request", `_pk has ${id.length} characters; at most 128`)
  }
  if (search.length > 2048) {
    throw new SyncError("bad-request", `The query has ${search.length} characters; at most 2048`)
  }
}

/** Close a socket that may be closed already. */
function closeQuietly(connection: WebSocket, { code, reason }: { code: number; reason: string }): void {
  try {
    connection.close(code, reason)
  } catch {
    // It is what was asked for.
  }
}

function bytesOf(view: ArrayBufferView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength)
}
