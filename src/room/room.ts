/**
 * The room: the Durable Object of one document. It receives the platform's events and calls the parts in order; it decides
 * nothing itself.
 *
 *     socket → dialogue → intake (vet, relay, commit, "saved") → replica → log
 *     alarm  → agenda   → archivist → archive
 *
 * Over 450 lines: the platform, the Worker and a subclass each call a part of its methods, and find them documented.
 */
import { type Connection, type ConnectionContext, Server, type WSMessage } from "partyserver"
import type * as Y from "yjs"
import { isOutage } from "../access/keys.ts"
import { checkRevoked } from "../access/revocations.ts"
import type { Grant } from "../access/rights.ts"
import type { AccessSettings } from "../access/settings.ts"
import { verifyToken } from "../access/token.ts"
import { TOOLS } from "../agent/tools.ts"
import type { Archive, ArchivePage, IndexPage } from "../archive/archive.ts"
import { asSyncError, SyncError } from "../errors.ts"
import { exportBudget } from "../export/budget.ts"
import { entityTag, matchesEntityTag } from "../export/entity-tags.ts"
import { chooseFormat, FORMATS, type Format } from "../export/formats.ts"
import type { Json } from "../export/json.ts"
import { type Limits, readLimits } from "../limits.ts"
import {
  type Answer,
  acceptsEvents,
  answer,
  type Changed,
  type ChangeRequest,
  type Conditions,
  DIALECT_HEADER,
  type DocumentStatus,
  decodeGrant,
  type Exported,
  type ExportRequest,
  findOwnBinding,
  MAILBOX_HEADER,
  type PastCalls,
  portableBody,
  type Readiness,
  type Revoked,
  type RoomRpc,
  type ToolArguments,
} from "../rpc.ts"
import { yurt } from "../wire/y-websocket.ts"
import { closeQuietly, type SocketPeer } from "./crowd.ts"
import type { Desk, DeskKit } from "./desk.ts"
import { EventCounts, logEvent, type RoomEvent } from "./events.ts"
import { assemble, type Parts } from "./parts.ts"
import { BY_SERVER } from "./past-rights.ts"
import type { Peer } from "./peer.ts"
import { readReceiver } from "./postbox.ts"
import { Pulse } from "./pulse.ts"
import type { Seed } from "./seed.ts"

const DONE = Promise.resolve()

/**
 * The room of one document, to be subclassed: name an archive, and override the hooks you need (`seed`, `onPost`,
 * `onCustomMessage`, `onEvent`) and the tables (`limits`, `formats`). Change the document by `edit`, look at it by `read`.
 * All other methods belong to the room or to partyserver; do not override or call them.
 *
 * @example
 * export class Room extends YurtRoom<Env> {
 *   archive = d1Archive(this.env.DB)
 * }
 */
export abstract class Room<Env extends Cloudflare.Env = Cloudflare.Env>
  extends Server<Env>
  implements RoomRpc
{
  static override options = { hibernate: true }

  /** The external database of this room's document; null: the room's own storage is all there is. */
  abstract readonly archive: Archive | null

  /** The room's numbers: the defaults, and what variables change. Override with `readLimits(this.env, { … })`. */
  readonly limits: Limits = readLimits(this.env)

  /** What an operator sees and does here: `desk` of "yurt/admin". null: nothing of it, and it weighs nothing. */
  readonly desk: DeskKit | null = null

  /** The formats of an export. Override with `{ ...FORMATS, mine: { mediaType, write } }`. */
  readonly formats: Readonly<Record<string, Format>> = FORMATS

  #parts: Parts | null = null
  /** partyserver has run `onStart`: from here on frames skip its per-message work. */
  #started = false
  /** Resolves once the document is loaded, from storage or the archive. null before the first request and after a failed load. */
  #opening: Promise<void> | null = null
  /** Recent dismissals, with their times, ms since 1970. */
  #dismissals: { readonly who: Revoked; readonly atMs: number }[] = []
  readonly #counts = new EventCounts()
  /** Who is told what happens in this room. */
  readonly #receiver = readReceiver(this.env)
  readonly #pulse = new Pulse()

  // ---- hooks and calls for a subclass

  /**
   * What a new document begins with. Called when somebody enters a document that is nowhere, neither here nor in the archive, or
   * when a program changes it; once, however many come at the same moment, and nobody is let in before it is written. So nothing
   * is doubled, as it is where every client inserts what a new document should show. Override it; by default a document begins empty.
   *
   * Not asked: where a GET (404) or a tool that reads looks for a document that is not there; where somebody brings a document of their own, by PUT, a
   * PATCH in bytes or `If-None-Match: *`; and where it was deleted, since whoever came back to it would undo that.
   *
   * @param _signal aborts after `seedMs`
   * @returns what a PUT takes, a function that writes into an empty document, or a Yjs V1 update that builds on nothing; null: an
   *   empty document, and it is asked again as long as nothing is written
   * @throws SyncError to refuse the document with it; whatever else is thrown is answered by `unavailable` (503, 1013), after
   *   which clients come again. Nothing is written then
   * @example seed() { return { markdown: "# Minutes", editor: "tiptap" } }
   */
  seed(_signal: AbortSignal): Seed | null | Promise<Seed | null> {
    return null
  }

  /**
   * Called with a custom message of a peer (`provider.send`, YProvider's `sendMessage`). Override it.
   * @param _message at most `messageLength` UTF-16 units
   */
  onCustomMessage(_peer: Peer, _message: string): void {}

  /**
   * Answers `POST` to the document's URL. Override it; by default the answer is 405. The caller has the right to write;
   * the token has been taken out of the request.
   */
  onPost(_request: Request): Response | Promise<Response> {
    throw new SyncError("method-not-allowed", "This room takes no POST")
  }

  /** Called with all that happens. Override it to count or forward; by default what an operator must know is logged. */
  onEvent(event: RoomEvent): void {
    logEvent(this.name, event)
  }

  /** Send a custom message to everyone connected, or to one peer. */
  sendCustomMessage(message: string, only?: Peer): void {
    for (const peer of only === undefined ? this.#room.crowd.peers : [only])
      peer.say({ type: "custom", message })
  }

  /**
   * Change the document on the server, in one transaction, all or nothing. Peers see it once it is committed.
   * @returns what `change` returned, once the change is durable
   * @throws SyncError unavailable where the disk did not take it, archive-unavailable where the document cannot be loaded;
   *   whatever `change` throws. Then nothing was changed
   * @example await this.edit((doc) => doc.getMap("counter").set("n", 1))
   */
  async edit<Result>(change: (doc: Y.Doc) => Result): Promise<Result> {
    await this.#begun()
    const result = this.#room.intake.edit(change, { at: Date.now(), subject: null, via: "server" })
    await this.ctx.storage.sync()
    return result
  }

  /**
   * Look at the document. Do not keep the Y.Doc.
   * @throws TypeError where `look` changed it; SyncError archive-unavailable where the document cannot be loaded
   * @example const text = await this.read((doc) => doc.getText("text").toString())
   */
  async read<Result>(look: (doc: Y.Doc) => Result): Promise<Result> {
    await this.#ready()
    return this.#room.replica.read(look)
  }

  /**
   * Ask about the document's past, or change the document by it, with every right: versions, differences, authors, restore
   * and rollback, by the verbs of `PastCalls`. A version that is made so is the server's own.
   * @returns the answer, once what it changed is durable
   * @throws SyncError not-found where there is no such document, version or moment; gone, too-large
   * @example await this.history("createVersion", { name: "Sent to print", meta: null })
   */
  history<Verb extends keyof PastCalls>(
    verb: Verb,
    ask: PastCalls[Verb]["ask"],
  ): Promise<PastCalls[Verb]["answer"]> {
    return this.#askPast(verb, ask, BY_SERVER)
  }

  // ---- what routes call (RPC)

  export(want: ExportRequest, grant?: Grant): Promise<Answer<Exported | null>> {
    return answer(async () => {
      const { name, format } = chooseFormat({ name: want.format, accept: want.accept }, this.formats)
      await this.#ready()
      const { replica, intake, log, archivist, past, desk } = this.#room
      if (!replica.exists) return null
      desk?.did("exported", grant ?? null)
      if (want.at !== undefined && want.at !== null) {
        const { at } = want
        const revision = await past.reading(() => past.revisionAt(at, grant))
        const etag = entityTag(revision, { format: name, root: want.root, isPast: true })
        const { mediaType } = format
        if (matchesEntityTag(want.ifNoneMatch, etag)) return { etag, mediaType, body: null, revision }
        const options = {
          budgetBytes: this.limits.exportBytes,
          ...(want.root !== null && { root: want.root }),
        }
        const doc = await past.stateAside(revision)
        return { etag, mediaType, body: portableBody(format.write(doc, options)), revision }
      }
      for (;;) {
        // A revision is committed and is never used again, so it names the state.
        const revision = intake.commitOrThrow()
        const etag = entityTag(revision, { format: name, root: want.root })
        const { mediaType } = format
        if (matchesEntityTag(want.ifNoneMatch, etag)) return { etag, mediaType, body: null, revision }
        const doc = replica.document()
        if (!log.damaged) {
          const budgetBytes = exportBudget(replica.bytes, this.limits)
          const options = want.root === null ? { budgetBytes } : { budgetBytes, root: want.root }
          return { etag, mediaType, body: portableBody(format.write(doc, options)), revision }
        }
        // Loading it was what found the damage: its state has a name again after the recovery (D7).
        await archivist.recover()
      }
    })
  }

  merge(
    update: Uint8Array,
    grant: Grant,
    conditions: Conditions,
  ): Promise<Answer<{ revision: number; waiting?: true }>> {
    return answer(async () => {
      await this.#ready()
      const { intake, changes, desk } = this.#room
      changes.check(conditions)
      const { subject, roots } = grant
      this.#room.past.history.persons.meet(grant)
      const { waits } = intake.take(
        update,
        {
          bearer: { subject, peer: null },
          origin: { at: Date.now(), subject, via: conditions.isCopy === true ? "import" : "rest" },
          whole: true,
          roots,
          revives: true,
        },
        null,
      )
      const revision = intake.commitOrThrow()
      desk?.did("wrote", grant)
      await this.ctx.storage.sync()
      return waits === null ? { revision } : { revision, waiting: true }
    })
  }

  change(request: ChangeRequest, grant: Grant, conditions: Conditions): Promise<Answer<Changed>> {
    return answer(async () => {
      if (request.how === "put" || conditions.ifNoneMatch !== null) await this.#ready()
      else await this.#begun()
      const changed = await this.#room.changes.make(request, grant, conditions)
      this.#room.desk?.did("wrote", grant)
      await this.ctx.storage.sync()
      return changed
    })
  }

  tool(name: string, given: ToolArguments, grant: Grant, key: string | null): Promise<Answer<ToolArguments>> {
    return answer(async () => {
      // A program that only looks makes no document, as a GET makes none: it may have made up the name.
      await (isReading(name) ? this.#ready() : this.#begun())
      this.#checkStillWelcome(grant)
      const { agents, past } = this.#room
      past.history.persons.meet(grant)
      const answered = await past.reading(() => agents.call(name, given as Json, grant, key))
      this.#room.desk?.did("used a tool", grant)
      await this.ctx.storage.sync()
      return answered as ToolArguments
    })
  }

  events(from: number | null): Promise<Answer<{ told: number | null; waiting: number; dropped: number }>> {
    return answer(async () => {
      await this.#ready()
      const { replica, postbox, agenda } = this.#room
      if (!replica.holds) throw new SyncError("not-found", `There is no document ${this.name}.`)
      if (from !== null) postbox.replay(from)
      agenda.arm()
      await this.ctx.storage.sync()
      return postbox.status
    })
  }

  remove(grant: Grant): Promise<Answer<boolean>> {
    return answer(async () => {
      // An archived copy that does not load opens for nobody, and can still be deleted.
      const isReadable = await this.#ready().then(
        () => true,
        (thrown) => {
          if (asSyncError(thrown).code !== "bad-update") throw thrown
          return false
        },
      )
      const { replica, authors, crowd, dialogue, outbox, archivist, log, past } = this.#room
      if (isReadable && !replica.holds) {
        // An earlier deletion may not have reached the archive yet.
        if (outbox.ledger.deleting) await archivist.remove()
        return false
      }
      replica.erase()
      // Its note went with the document, and who makes a new one of this name is not held.
      this.#room.intake.isLocked = false
      this.#room.desk?.did("deleted", grant)
      // In the same turn: whatever fails below, the archive's copy must not come back.
      if (this.archive !== null) outbox.note({ deleting: true, dueAtMs: Date.now() })
      authors.reread()
      past.forget()
      dialogue.changed()
      const gone = new SyncError("deleted", "The document was deleted")
      crowd.closeAll(gone)
      this.#room.streams.close(() => true, gone)
      this.#emit({ type: "deleted", revision: log.state.revision })
      try {
        if (this.archive !== null) await archivist.remove()
      } finally {
        // Where the archive failed, the alarm tries again.
        await this.#room.agenda.reset()
      }
      await this.ctx.storage.sync()
      return true
    })
  }

  status(): Promise<Answer<DocumentStatus | null>> {
    return answer(async () => {
      await this.#ready()
      const { replica, log, outbox, crowd, past } = this.#room
      if (!replica.holds) return null
      const { archivedRevision, error, attempts } = outbox.ledger
      return {
        connections: crowd.peers.size,
        revision: log.state.revision,
        archivedRevision,
        archiveError: error,
        archiveAttempts: attempts,
        bytes: replica.bytes,
        weight: replica.weight,
        clients: replica.clients,
        logRows: log.state.logRows,
        waiting: replica.waiting.size,
        quarantined: log.quarantined,
        damaged: log.damaged,
        hydrated: replica.hydrated,
        events: this.#counts.toJSON(),
        past: past.status,
      }
    })
  }

  list(page: IndexPage): Promise<Answer<ArchivePage>> {
    return answer(() => this.#room.archivist.list(page))
  }

  flush(_grant: Grant): Promise<Answer<{ revision: number; archivedRevision: number | null }>> {
    return answer(async () => {
      await this.#ready()
      const { replica, outbox, archivist, log } = this.#room
      if (!replica.holds) throw new SyncError("not-found", `There is no document ${this.name}.`)
      // Store even where the archive is thought to be up to date: it may have been restored to an older state.
      outbox.note({ archivedRevision: null })
      await archivist.flush()
      // The first flush has met a conflict and merged it; the second stores the result.
      if (outbox.dirty && outbox.ledger.attempts === 0) await archivist.flush()
      this.#room.agenda.arm()
      return { revision: log.state.revision, archivedRevision: outbox.ledger.archivedRevision }
    })
  }

  past<Verb extends keyof PastCalls>(
    verb: Verb,
    ask: PastCalls[Verb]["ask"],
    grant: Grant,
  ): Promise<Answer<PastCalls[Verb]["answer"]>> {
    return answer(async () => {
      const answered = await this.#askPast(verb, ask, grant)
      this.#room.desk?.did(verb === "restore" || verb === "rollback" ? "restored" : "saw the past", grant)
      return answered
    })
  }

  async #askPast<Verb extends keyof PastCalls>(
    verb: Verb,
    ask: PastCalls[Verb]["ask"],
    grant: Grant,
  ): Promise<PastCalls[Verb]["answer"]> {
    await this.#ready()
    const { replica, past } = this.#room
    if (!replica.exists) throw new SyncError("not-found", `There is no document ${this.name}.`)
    past.history.persons.meet(grant)
    const answered = await past.answerAside(verb, ask, grant)
    await this.ctx.storage.sync()
    return answered
  }

  hear(session: string, body: Uint8Array, grant: Grant): Promise<Answer<null>> {
    return answer(async () => {
      this.#room.tunnels.hear(session, body, grant)
      return null
    })
  }

  collect(session: string, waitMs: number, grant: Grant): Promise<Answer<Uint8Array[]>> {
    return answer(() => this.#room.tunnels.collect(session, waitMs, grant))
  }

  operate(verb: string, ask: object, grant: Grant): Promise<Answer<object>> {
    return answer(async () => {
      await this.#ready()
      return this.#desk.operate(verb, ask, grant)
    })
  }

  async dismiss(who: Revoked): Promise<void> {
    const { crowd, knockers, streams, agents, desk } = this.#room
    this.#dismissals = [...this.#recentDismissals(), { who, atMs: Date.now() }]
    knockers.dismiss((grant) => isMeant(who, grant))
    for (const peer of [...crowd.peers]) {
      if (isMeant(who, peer.grant)) crowd.close(peer, new SyncError("unauthorized", "This token was revoked"))
    }
    streams.close((grant) => isMeant(who, grant), new SyncError("unauthorized", "This token was revoked"))
    agents.seats.dismiss((grant) => isMeant(who, grant))
    desk?.dismiss((grant) => isMeant(who, grant))
  }

  async drain(): Promise<number> {
    const { intake, crowd, streams } = this.#room
    intake.commit()
    const restarting = new SyncError("restarting", "The server starts anew; connect again.")
    const gone = crowd.sendAway(restarting)
    streams.close(() => true, restarting)
    await this.ctx.storage.sync()
    return gone
  }

  ready(): Promise<Answer<Readiness>> {
    const { archive, limits } = this
    return answer(() =>
      this.#pulse.take(this.ctx.storage, { archive, limits, archivist: this.#room.archivist }),
    )
  }

  // ---- the platform's events

  override async fetch(request: Request): Promise<Response> {
    try {
      // partyserver answers an error at its start with the stack, so it is started here, where the error can be caught.
      await this.__unsafe_ensureInitialized()
      if (request.method === "GET" && acceptsEvents(request)) return await this.#follow(request)
      if (request.headers.get("Upgrade")?.toLowerCase() !== "websocket") return await this.onPost(request)
      checkQuery(new URL(request.url), this.limits)
      const grant = decodeGrant(request)
      // Who has not said yet who they are makes no document.
      await (grant === null ? this.#ready() : this.#begun())
      if (grant !== null) this.#checkStillWelcome(grant)
      const { crowd, knockers } = this.#room
      crowd.checkSpace(grant, knockers.size)
      if (grant === null) knockers.checkSpace()
      crowd.checkDial(grant?.subject ?? null, request.headers.get("cf-connecting-ip"))
      this.#room.outbox.doubt()
      const response = await super.fetch(request)
      const { webSocket } = response as Response & { readonly webSocket?: WebSocket | null }
      if (!webSocket || grant === null || !request.headers.has(MAILBOX_HEADER)) return response
      this.#room.tunnels.keep(new URL(request.url).searchParams.get("_pk") ?? "", {
        socket: webSocket,
        grant,
      })
      return new Response(null, { status: 204 })
    } catch (thrown) {
      const error = asSyncError(thrown)
      const { code, message, cause } = error
      this.#emit({ type: "refused", code, message, subject: null, cause })
      return Response.json(error, { status: error.status })
    }
  }

  override onConnect(connection: Connection, { request }: ConnectionContext): void {
    const { crowd, dialogue, knockers, agenda, idle } = this.#room
    const grant = this.#worthNow(decodeGrant(request))
    idle.stir()
    if (grant !== null && offersYurt(request)) dialogue.greet(crowd.admit(connection, grant, yurt))
    else knockers.knock(connection, { grant, isHocuspocus: request.headers.get(DIALECT_HEADER) !== null })
    agenda.arm()
  }

  /** The hot path: partyserver would read the attachment and wrap the socket for every message. */
  override webSocketMessage(socket: WebSocket, message: WSMessage): Promise<void> {
    const peer = this.#started ? this.#room.crowd.find(socket) : undefined
    if (peer === undefined) return super.webSocketMessage(socket, message)
    this.#room.dialogue.hear(peer, bytesOf(message))
    return DONE
  }

  override onMessage(connection: Connection, message: WSMessage): void | Promise<void> {
    this.#started = true
    const { crowd, dialogue, knockers } = this.#room
    const peer = crowd.find(connection)
    if (peer !== undefined) return dialogue.hear(peer, bytesOf(message))
    if (knockers.has(connection)) return knockers.hear(connection, bytesOf(message))
    crowd.answerStranger(connection)
  }

  /** partyserver answers a close only where its code can be sent; clients that used another would wait for an answer. */
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
    const { crowd, knockers } = this.#room
    if (knockers.left(connection)) return
    const peer = crowd.findOrRecall(connection)
    if (peer !== undefined) this.#left(peer)
  }

  #left(peer: SocketPeer): void {
    const { crowd, intake, agenda, outbox, idle } = this.#room
    crowd.left(peer)
    // Nobody else may have what it sent and is not committed yet.
    intake.commit()
    if (crowd.peers.size > 0) return
    idle.empty()
    outbox.hurry()
    agenda.arm()
  }

  override onError(connection: Connection, _error: unknown): void {
    this.onClose(connection)
  }

  override async alarm(): Promise<void> {
    try {
      await super.alarm()
    } catch (cause) {
      // It may have failed before `onAlarm` set the next alarm: at the start, or in a subclass.
      this.#emit({ type: "chore-failed", chore: "alarm", cause })
      await this.ctx.storage.setAlarm(Date.now() + 2 * this.limits.archiveTimeoutMs)
    }
  }

  override async onAlarm(): Promise<void> {
    this.#room.desk?.asked("alarms")
    await this.#room.agenda.run()
  }

  /** Answer with a stream of what happens. */
  async #follow(request: Request): Promise<Response> {
    const grant = decodeGrant(request)
    if (grant === null) throw new SyncError("unauthorized", "A stream needs its token in the request")
    await this.#begun()
    this.#checkStillWelcome(grant)
    // No id has a segment `-`, so only the Worker's own route is spelled like this.
    if (new URL(request.url).pathname.endsWith("/-/watch")) return this.#desk.watch(grant)
    this.#room.idle.stir()
    this.#room.outbox.doubt()
    return this.#room.streams.open(request, grant)
  }

  // ---- the parts

  /** @throws SyncError not-found where the class names no desk */
  get #desk(): Desk {
    const { desk } = this.#room
    if (desk !== null) return desk
    throw new SyncError("not-found", 'This room has no desk: give its class desk = desk, of "yurt/admin".')
  }

  /** The parts of this room. Made at the first event, because a subclass's fields are set after our constructor. */
  get #room(): Parts {
    this.#parts ??= this.#wake()
    return this.#parts
  }

  #wake(): Parts {
    return assemble({
      name: this.name,
      ctx: this.ctx,
      limits: this.limits,
      archive: this.archive,
      desk: this.desk?.seat({ name: this.name, ctx: this.ctx, env: this.env, limits: this.limits }) ?? null,
      receiver: this.#receiver,
      emit: (event) => this.#emit(event),
      seed: (signal) => this.seed(signal),
      custom: (peer, message) => this.onCustomMessage(peer, message),
      renew: (peer, token) => void this.#renew(peer, token),
      leave: (peer) => this.#leave(peer),
      left: (peer) => this.#left(peer),
      verify: (token) => this.#verify(token),
      retire: () => this.#retire(),
      connections: () => this.getConnections(),
    })
  }

  /** Drop the room's own storage. The next visitor finds a room that starts from the archive. */
  async #retire(): Promise<void> {
    const { archivist, agenda, idle, log } = this.#room
    const holds = await archivist.verify()
    // Somebody may have come or written while the archive was asked.
    const dueAtMs = idle.retiresAtMs
    if (!holds || dueAtMs === null || dueAtMs > Date.now()) return
    this.#emit({ type: "retired" })
    // In one turn: what came between the two would be acknowledged and then dropped.
    const cleared = agenda.end()
    const dropped = this.limits.pastBytes > 0 ? log.shed() : this.ctx.storage.deleteAll()
    this.#parts = null
    this.#opening = null
    await Promise.all([cleared, dropped])
  }

  /**
   * Resolves once the document is here: stored, or looked up in the archive. A room that holds nothing looks again each
   * time, since a row may have been added meanwhile.
   * @throws SyncError archive-unavailable: a room never starts empty over a document that exists
   */
  #ready(): Promise<void> {
    const { replica, crowd, archivist, intake, desk } = this.#room
    desk?.asked("requests")
    // Peers are let in only after the archive was asked.
    if (replica.holds || crowd.peers.size > 0) return this.#opening ?? DONE
    this.#opening ??= archivist
      .open()
      .then(() => intake.lookAgain())
      .finally(() => {
        this.#opening = null
      })
    return this.#opening
  }

  /** Resolves once the document is here, and has what a new one begins with. @throws SyncError as `#ready`, and as `Seeder.begin` */
  async #begun(): Promise<void> {
    await this.#ready()
    const { replica, crowd, seeder } = this.#room
    if (!replica.holds && crowd.peers.size === 0) await seeder.begin()
  }

  /** It may come back on the same socket, as whom it has shown itself to be. */
  #leave(peer: SocketPeer): void {
    this.#left(peer)
    this.#room.knockers.knock(peer.connection, { grant: peer.grant, isHocuspocus: true })
  }

  /** What a token that came on a socket is worth here, as at the door. @throws SyncError */
  async #verify(token: string): Promise<Grant> {
    const grant = await verifyToken(token, this.name, this.env as AccessSettings)
    const binding = findOwnBinding(this.env, { id: this.ctx.id, name: this.name })
    await checkRevoked(this.env, { grant, visit: { binding, name: this.name } })
    this.#checkStillWelcome(grant)
    await this.#begun()
    return this.#worthNow(grant)
  }

  /** What a grant is worth while an operator holds the document read-only: who writes is a reader until then. */
  #worthNow<Maybe extends Grant | null>(grant: Maybe): Maybe {
    return grant !== null && this.#room.intake.isLocked ? { ...grant, rights: "read" } : grant
  }

  /** Take a fresh token for an open socket. Verifying is asynchronous; meanwhile the old grant holds. */
  async #renew(peer: SocketPeer, token: string): Promise<void> {
    // In open mode there is nothing to renew. One renewal at a time, because each asks the registries.
    if (peer.grant.subject === null || peer.renewing) return
    const { crowd, fanOut, presence, dialogue, agenda } = this.#room
    peer.renewing = true
    try {
      const grant = await this.#verify(token)
      if (grant.subject !== peer.grant.subject)
        throw new SyncError("forbidden", "The fresh token is someone else's")
      if (peer.standing === "closing") return
      const mayWriteNow = grant.rights === "write" && peer.grant.rights === "read"
      peer.grant = grant
      if (!grant.presence) {
        const hidden = presence.hide(peer)
        if (hidden.length > 0) fanOut.awareness(hidden, peer)
      }
      crowd.attach(peer)
      agenda.arm()
      if (mayWriteNow) dialogue.askForAll(peer)
      if (grant.expiresAtMs !== null)
        peer.say({ type: "renewed", expiresAtMs: grant.expiresAtMs, rights: grant.rights })
    } catch (thrown) {
      // An outage of the key server or a registry says nothing of the token: the old grant holds until it ends (R7).
      if (!isOutage(thrown)) crowd.close(peer, asSyncError(thrown))
    } finally {
      peer.renewing = false
    }
  }

  #recentDismissals(): { readonly who: Revoked; readonly atMs: number }[] {
    const since = Date.now() - this.limits.dismissalMs
    return this.#dismissals.filter(({ atMs }) => atMs > since)
  }

  /** @throws SyncError unauthorized where the grant has ended, or was revoked, between the door and here (R6) */
  #checkStillWelcome(grant: Grant): void {
    if (grant.expiresAtMs !== null && grant.expiresAtMs <= Date.now())
      throw new SyncError("unauthorized", "The token has expired")
    if (this.#recentDismissals().some(({ who }) => isMeant(who, grant)))
      throw new SyncError("unauthorized", "This token was revoked")
  }

  #emit(event: RoomEvent): void {
    this.#counts.add(event)
    this.#parts?.desk?.note(event)
    if (this.#receiver !== null && this.#parts !== null) {
      this.#parts.postbox.note(event)
      this.#parts.agenda.arm()
    }
    if (event.type === "quarantined") {
      queueMicrotask(() => {
        this.#room.streams.restate()
        void this.#recoverSoon()
      })
    }
    try {
      this.onEvent(event)
    } catch (cause) {
      // A subclass's fault must not come between a commit and its alarm, or a deletion and its mark.
      console.error(`${this.name}: onEvent failed`, cause)
    }
  }

  /** Recover at once; where that fails the alarm tries again, for as long as it takes. */
  async #recoverSoon(): Promise<void> {
    const { archivist, agenda, log } = this.#room
    try {
      if (log.damaged) await archivist.recover()
    } catch (cause) {
      this.#emit({ type: "chore-failed", chore: "recover", cause })
    }
    agenda.arm()
  }
}

/** Whether a tool changes nothing. */
function isReading(tool: string): boolean {
  return TOOLS.some(({ name, writes }) => name === tool && !writes)
}

/** Our provider offers the subprotocol `yurt`; what every other client speaks is told by its first message. */
function offersYurt(request: Request): boolean {
  const offered = request.headers.get("sec-websocket-protocol") ?? ""
  return offered.split(",").some((one) => one.trim() === "yurt")
}

/** Whether a revocation means this grant. */
function isMeant(who: Revoked, { subject, tokenId }: Grant): boolean {
  return "subject" in who ? subject === who.subject : tokenId === who.tokenId
}

/**
 * partyserver keeps the whole URI in the socket's attachment, which holds 16 KB beside the presence, and makes `?_pk=` a
 * tag, which holds 256 characters.
 * @throws SyncError bad-request
 */
function checkQuery({ search, searchParams }: URL, { connectionIdLength, queryLength }: Limits): void {
  const id = searchParams.get("_pk")
  if (id !== null && id.length > connectionIdLength)
    throw new SyncError("bad-request", `_pk has ${id.length} characters; at most ${connectionIdLength}`)
  if (search.length > queryLength)
    throw new SyncError("bad-request", `The query has ${search.length} characters; at most ${queryLength}`)
}

function bytesOf(message: WSMessage): Uint8Array | string {
  if (typeof message === "string") return message
  if (message instanceof ArrayBuffer) return new Uint8Array(message)
  return new Uint8Array(message.buffer, message.byteOffset, message.byteLength)
}
