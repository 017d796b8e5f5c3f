/**
 * The crowd: who is connected, through which socket. It handles sockets, the attachments that survive a hibernation, back
 * pressure, silence, refusing and closing. All code that works around partyserver's sockets is here.
 *
 * The platform has no `bufferedAmount`, and a peer that never reads grows the process without bound. So after `probeBytes`
 * a peer is sent a probe, which only a reader can answer, and it is closed when `unreadBytes` more went out without an
 * answer (F3).
 *
 * Over 450 lines: a socket's attachment, silence, back pressure and closing look at one another's state.
 */
import type { Connection } from "partyserver"
import type { Grant } from "../access/rights.ts"
import { closeReason, SyncError } from "../errors.ts"
import type { Origin } from "../history/origin.ts"
import type { Limits } from "../limits.ts"
import { NO_ENTRIES } from "../wire/awareness.ts"
import type { Dialect, Said, Told } from "../wire/dialect.ts"
import { dialectNamed } from "../wire/dialects.ts"
import { yurt } from "../wire/y-websocket.ts"
import type { Bearer } from "./authors.ts"
import { Deliveries } from "./deliveries.ts"
import type { Desk } from "./desk.ts"
import type { Emit } from "./events.ts"
import type { Knock } from "./knockers.ts"
import { judgeSilence } from "./liveness.ts"
import type { Peer, Speaker, Standing } from "./peer.ts"
import type { Kept, Presence } from "./presence.ts"
import { TokenBucket } from "./rate.ts"
import type { Dropped } from "./replica.ts"
import { Throttle } from "./throttle.ts"

/** What a socket's attachment keeps through a hibernation; never a token. */
interface Attachment {
  readonly standing: Standing
  readonly id: string
  readonly grant: Grant
  readonly dialect: string
  readonly presence: Kept | null
  /** See SocketPeer: what is not called saved must not be called so after a sleep either. */
  readonly owes: boolean
  readonly question: Uint8Array | null
  readonly receipts: number
  /** When it was heard last, and asked for a sign of life: the room may sleep between the question and the answer. */
  readonly heardAtMs: number
  readonly askedAtMs: number | null
}

/** What has to be done after a peer has gone. */
export interface Left {
  /** Clients whose awareness entry changed: relay these. */
  readonly clients: readonly number[]
  /** The client id it had announced; null: none. */
  readonly announced: number | null
}

/** A peer behind a WebSocket of its own. */
export class SocketPeer implements Peer {
  readonly id: string
  readonly connection: Connection
  readonly dialect: Dialect
  grant: Grant
  standing: Standing = "in"
  /** The bearer of what it sends: made once, because every frame asks for it. */
  readonly bearer: Bearer
  /** The origin of its newest update, shared by updates that come at once. */
  origin: Origin | null = null
  /** A `saved` question that waits for the next commit; a newer one covers the older ones. */
  question: Uint8Array | null = null
  /** Something it sent was refused: nothing is called saved before it has sent a step 2 that is taken whole. */
  owes = false
  /** Of a dialect that counts: updates taken whose receipts wait for the next commit. */
  receipts = 0
  /** Of a dialect that counts: it has sent a step 1, and the step 2 that it is asked for is worth a receipt. */
  opening = false
  /** It has been heard to renew its presence by itself. */
  renews = false
  /** It has asked whether what it sent is saved, so it may wait for an answer. */
  asks = false
  /** It was told that it may not write. */
  warned = false
  /** A renewal of its token is under way. */
  renewing = false
  /** Bytes sent since its last probe, or since it came. */
  unreadBytes = 0
  /** The probe under way, which only a reader can answer: `nonce` is for our own client to echo, null for stock ones. */
  probe: { readonly nonce: Uint8Array | null } | null = null
  /** How many bytes may be unread: more while a first sync is on its way. */
  allowedBytes: number
  /** When its last message came, ms since 1970. Heartbeats that the platform answers are not seen here. */
  heardAtMs = Date.now()
  askedAtMs: number | null = null
  readonly frames: TokenBucket
  readonly bytes: TokenBucket
  readonly #crowd: Crowd

  constructor(
    crowd: Crowd,
    connection: Connection,
    { id, grant, dialect }: { id: string; grant: Grant; dialect: Dialect },
  ) {
    const { limits } = crowd
    this.#crowd = crowd
    this.id = id
    this.bearer = { subject: grant.subject, peer: id }
    this.connection = connection
    this.grant = grant
    this.dialect = dialect
    this.allowedBytes = limits.unreadBytes
    this.frames = new TokenBucket(limits.frameBurst, limits.framesPerSecond)
    this.bytes = new TokenBucket(limits.byteBurst, limits.bytesPerSecond)
  }

  say(frame: Told): void {
    const message = this.dialect.write(frame)
    if (message === null) return
    this.#crowd.desk?.said(this, frame, message.length)
    this.#crowd.send(this, message)
  }
}

/** The peers of a room. */
export class Crowd {
  /** The peers that take part; sockets that are only kept open are not among them. */
  readonly peers: Set<SocketPeer> = new Set()
  readonly limits: Limits
  /** Who sees every frame; null: nobody. */
  readonly desk: Desk | null
  readonly #ctx: DurableObjectState
  readonly #emit: Emit
  readonly #presence: Presence<Speaker>
  readonly #onCame: (peer: SocketPeer) => void
  readonly #onLeft: (left: Left) => void
  readonly #peerOf = new WeakMap<WebSocket, SocketPeer>()
  /** Sockets that this room has closed: their late close events change nothing. */
  readonly #dismissed = new WeakSet<WebSocket>()
  /** Peers whose presence is not in their attachment yet. */
  readonly #unattached = new Set<SocketPeer>()
  readonly #attaches: Throttle
  readonly #deliveries: Deliveries<SocketPeer>
  /** Sockets that are only kept open: when they were last answered, ms since 1970. */
  readonly #answeredAtMs = new WeakMap<WebSocket, number>()
  readonly #dials = new Map<string, TokenBucket>()
  #silenceCheckedAtMs = Date.now()
  /** How many more checks of silence are due since something last happened. */
  #looksLeft = 0
  #activeAtMs = 0

  /** @param options.onCame called when a peer is here, also after a hibernation; options.onLeft when one has gone */
  constructor(
    ctx: DurableObjectState,
    options: {
      limits: Limits
      emit: Emit
      presence: Presence<Speaker>
      desk?: Desk | null
      onCame: (peer: SocketPeer) => void
      onLeft: (left: Left) => void
    },
  ) {
    this.#ctx = ctx
    this.limits = options.limits
    this.desk = options.desk ?? null
    this.#emit = options.emit
    this.#presence = options.presence
    this.#onCame = options.onCame
    this.#onLeft = options.onLeft
    this.#attaches = new Throttle(() => this.#attachAll())
    this.#deliveries = new Deliveries(options.limits, (peer) =>
      this.refuse(peer, new SyncError("slow-receiver", "The document was not read in time, and others wait")),
    )
  }

  /** The peer of a socket; undefined where the socket was closed or never admitted. */
  find(socket: WebSocket): SocketPeer | undefined {
    return this.#peerOf.get(socket)
  }

  /** The peer of a socket whose event woke the room, from its attachment: the platform no longer lists a closed socket. */
  findOrRecall(connection: Connection): SocketPeer | undefined {
    if (this.#dismissed.has(connection)) return undefined
    return this.#peerOf.get(connection) ?? this.recall(connection)
  }

  /** The peer whose socket has this name, the `_pk` of its URL; undefined where none has, or several have. */
  findNamed(name: string): SocketPeer | undefined {
    const [socket, ...others] = this.#ctx.getWebSockets(name)
    return socket === undefined || others.length > 0 ? undefined : this.#peerOf.get(socket)
  }

  /** Add a new socket. */
  admit(connection: Connection, grant: Grant, dialect: Dialect): SocketPeer {
    const peer = new SocketPeer(this, connection, { id: crypto.randomUUID(), grant, dialect })
    this.#add(peer)
    this.attach(peer)
    this.#emit({ type: "joined", subject: grant.subject, peers: this.peers.size, ...roleOf(peer) })
    return peer
  }

  /** Add a socket that outlived the room's memory; its attachment says whose it is. */
  recall(connection: Connection): SocketPeer | undefined {
    const attachment = connection.state as Attachment | Knock | null
    if (attachment === null || attachment.standing === "knocking") return undefined
    if (attachment.standing === "out" || attachment.standing === "closing") return undefined
    const { id, grant, standing, presence, owes, question, receipts } = attachment
    const dialect = dialectNamed(attachment.dialect)
    const peer = new SocketPeer(this, connection, { id, grant, dialect })
    peer.standing = standing
    peer.owes = owes
    peer.question = question
    peer.receipts = receipts
    peer.heardAtMs = attachment.heardAtMs
    peer.askedAtMs = attachment.askedAtMs
    // Somebody was asked before the room slept: the answer is to be looked for.
    if (peer.askedAtMs !== null && peer.askedAtMs > peer.heardAtMs) this.#looksLeft = 1
    this.#add(peer)
    if (presence !== null) this.#presence.restore(peer, presence)
    return peer
  }

  /**
   * Whether this one may dial again. Checked at the upgrade, because stock clients reset their backoff on open.
   * @param subject null: nobody can tell
   * @param address where the request came from; null where the platform does not say
   * @throws SyncError rate-limited
   */
  checkDial(subject: string | null, address: string | null): void {
    // A token may be shared by all who view a page, and an address by all of an office.
    if ((subject !== null || address !== null) && !this.#mayDial(JSON.stringify([subject, address])))
      throw new SyncError("rate-limited", "Too many connections were opened in a short time; wait a little.")
  }

  /**
   * Whether another socket may come in.
   * @param grant null: it knocks
   * @param knocking how many knock already
   * @throws SyncError room-full
   */
  checkSpace(grant: Grant | null, knocking: number): void {
    const { sockets, socketsPerSubject } = this.limits
    const open = this.peers.size + knocking
    // Those that are only kept open cost memory as well.
    if (open >= sockets || this.#ctx.getWebSockets().length >= 2 * sockets)
      throw new SyncError("room-full", `The room has ${open} sockets; at most ${sockets}`)
    const { subject, rights } = grant ?? { subject: null, rights: "read" }
    // Readers are bounded by the room alone.
    if (subject === null || rights === "read") return
    let own = 0
    for (const { grant } of this.peers) if (grant.subject === subject && grant.rights === "write") own++
    if (own >= socketsPerSubject)
      throw new SyncError("room-full", `${own} sockets are open; at most ${socketsPerSubject} of one subject`)
  }

  /** Send one message to one peer. */
  send(peer: SocketPeer, message: Uint8Array | string): void {
    if (peer.standing === "closing" || peer.standing === "out") return
    if (!sendQuietly(peer.connection, message)) return
    peer.unreadBytes += message.length + this.limits.messageOverheadBytes
    if (peer.unreadBytes <= this.limits.probeBytes) return
    if (peer.probe === null) this.#probe(peer)
    else if (peer.unreadBytes > peer.allowedBytes)
      this.refuse(peer, new SyncError("slow-receiver", `${peer.unreadBytes} bytes were not read`))
  }

  /**
   * Send the answer to a step 1: now, or where it is large, when others have read theirs.
   * @param bytes how large the answer is
   * @throws SyncError slow-receiver where the peer asks faster than it reads
   */
  deliver(peer: SocketPeer, bytes: number, send: () => void): void {
    const { unreadBytes, deliveryFloorBytes } = this.limits
    if (peer.unreadBytes > unreadBytes) throw new SyncError("slow-receiver", "Asks faster than it reads")
    const sendAllowed = () => {
      peer.allowedBytes = Math.max(unreadBytes, peer.unreadBytes + bytes)
      send()
    }
    if (bytes <= deliveryFloorBytes) return sendAllowed()
    this.#deliveries.request(peer, bytes, () => {
      sendAllowed()
      // The answer to it is what gives the next one its turn.
      if (peer.probe === null) this.#probe(peer)
    })
  }

  /** Note that the peer has read up to the last probe. What was sent after it may still be unread. */
  markRead(peer: SocketPeer): void {
    if (peer.probe === null) return
    peer.probe = null
    peer.allowedBytes = this.limits.unreadBytes
    this.#deliveries.done(peer)
  }

  /** Take an echo of our probe; a wrong one proves nothing. */
  markEchoed(peer: SocketPeer, nonce: Uint8Array): void {
    const asked = peer.probe?.nonce ?? null
    if (asked !== null && asked.length === nonce.length && asked.every((byte, i) => byte === nonce[i]))
      this.markRead(peer)
  }

  /** The answer to a ping. It can be guessed, so it proves something only of one that can prove nothing better. */
  markPonged(peer: SocketPeer): void {
    if (peer.dialect.proof === "answer" && this.#presence.announcedBy(peer) === null) this.markRead(peer)
  }

  /** What a peer said is about another document than this room's. Only who asks to be let in there is answered. */
  turnAway(peer: SocketPeer, { document, type }: { document: string; type: Said["type"] }): void {
    if (type !== "token") return
    const message = peer.dialect
      .about(document)
      .write({ type: "denied", reason: "This address is another document's" })
    if (message !== null) this.send(peer, message)
  }

  /** Send an empty awareness frame as a sign of life: stock clients reconnect after 30 s of silence (P5). */
  answer(peer: SocketPeer): void {
    const { answerMs, askedMs } = this.limits
    const message = peer.dialect.write({ type: "awareness", entries: NO_ENTRIES })
    if (message === null || peer.standing === "closing") return
    // Peers that are `out` are answered too, so that they do not reconnect.
    if (peer.standing === "in") this.send(peer, message)
    else this.#keepOpen(peer.connection, { message, everyMs: peer.asks ? askedMs : answerMs })
  }

  /** Not every frame is answered, since nobody counts whether it reads. */
  #keepOpen(
    connection: WebSocket,
    { message, everyMs }: { message: Uint8Array | string; everyMs: number },
  ): void {
    const now = Date.now()
    if (now - (this.#answeredAtMs.get(connection) ?? 0) < everyMs) return
    this.#answeredAtMs.set(connection, now)
    sendQuietly(connection, message)
  }

  /** Tell those who brought it that what they sent before is not taken after all. */
  refuseLate({ peers, error }: Dropped): void {
    for (const peer of [...this.peers]) {
      if (!peers.includes(peer.id)) continue
      // It was counted when it came, and no receipt of it is sent while it waits.
      if (peer.receipts > 0) peer.receipts--
      this.refuse(peer, error)
    }
  }

  /** Tell a peer of an error: with a frame, or with a close where the connection cannot go on. */
  refuse(peer: SocketPeer, error: SyncError): void {
    const { code, message, cause } = error
    this.#emit({ type: "refused", code, message, subject: peer.grant.subject, cause })
    if (!peer.owes) this.attachSoon(peer)
    peer.owes = true
    switch (code) {
      case "forbidden":
        // Told once: a reader's page may go on sending.
        if (!peer.warned) peer.say({ type: "refusal", reason: message })
        peer.warned = true
        return peer.say({ type: "receipt", kept: false })
      case "pending-full":
      case "document-full":
      case "conflict":
        this.notify(peer, error)
        return peer.say({ type: "receipt", kept: false })
      case "deleted":
        return this.#end(peer, error, "out")
      case "bad-frame":
      case "bad-update":
      case "too-large":
        return this.#end(peer, error, "unheard")
      default:
        return this.close(peer, error)
    }
  }

  /** Answer a socket that is only kept open and has no peer since the room woke, so that it does not reconnect. */
  answerStranger(connection: Connection): void {
    const attachment = connection.state as Attachment | null
    if (attachment?.standing !== "out") return
    const message = dialectNamed(attachment.dialect).write({ type: "awareness", entries: NO_ENTRIES })
    if (message !== null) this.#keepOpen(connection, { message, everyMs: this.limits.answerMs })
  }

  /** Tell a peer that one thing was not taken; the connection goes on. */
  notify(peer: SocketPeer, { code, message }: { code: SyncError["code"]; message: string }): void {
    if (peer.dialect === yurt) peer.say({ type: "notice", code, message })
    else peer.say({ type: "refusal", reason: message })
  }

  /** Close a peer's socket with what the error says. */
  close(peer: SocketPeer, error: SyncError): void {
    this.#dismiss(peer, "closing")
    try {
      // It may never answer the close: after a sleep the room must not take it for a peer again (R6).
      this.attach(peer)
    } catch {
      // Its attachment is too large, or the socket is gone already.
    }
    closeQuietly(peer.connection, { code: error.closeCode, reason: closeReason(error.message) })
  }

  /** End everyone's part in a document that is gone. */
  closeAll(error: SyncError): void {
    for (const peer of [...this.peers]) this.#end(peer, error, "out")
  }

  /** Close every socket, those that are only kept open as well: everyone is to come back. @returns how many peers had to go */
  sendAway(error: SyncError): number {
    const peers = [...this.peers]
    for (const peer of peers) this.close(peer, error)
    const { closeCode: code, message } = error
    for (const socket of this.#ctx.getWebSockets())
      closeQuietly(socket, { code, reason: closeReason(message) })
    return peers.length
  }

  /** Forget a peer whose socket has closed. */
  left(peer: SocketPeer): void {
    this.#dismiss(peer, "closing")
  }

  /** Write a peer's presence into its attachment: at once after a pause, then once a window for all. */
  attachSoon(peer: SocketPeer): void {
    this.#unattached.add(peer)
    this.#attaches.soon()
  }

  /** Write what the room knows of a peer into its attachment. @throws what the platform throws where it is too large */
  attach(peer: SocketPeer): void {
    const { id, grant, standing, owes, question, receipts, heardAtMs, askedAtMs } = peer
    const attachment: Attachment = {
      id,
      grant,
      standing,
      owes,
      question,
      receipts,
      heardAtMs,
      askedAtMs,
      dialect: peer.dialect.name,
      presence: this.#presence.keep(peer),
    }
    peer.connection.setState(attachment)
  }

  /** When the next token ends, ms since 1970; null: none does. */
  get nextExpiryMs(): number | null {
    let next: number | null = null
    for (const { grant } of this.peers) {
      if (grant.expiresAtMs !== null && (next === null || grant.expiresAtMs < next)) next = grant.expiresAtMs
    }
    return next
  }

  /** Close those whose token has ended. */
  closeExpired(nowMs: number): void {
    for (const peer of [...this.peers]) this.checkExpiry(peer, nowMs)
  }

  /** Rights hold while connected, not only at the door (R2). @returns whether the peer's token still holds */
  checkExpiry(peer: SocketPeer, nowMs: number): boolean {
    const { expiresAtMs } = peer.grant
    if (expiresAtMs === null || expiresAtMs > nowMs) return true
    this.close(peer, new SyncError("unauthorized", "The token has expired"))
    return false
  }

  /**
   * Note that a peer said something. The room is awake now, so this is a good moment to look for silent peers, if the last
   * look was `silentAnswerMs` ago.
   */
  heard(peer: SocketPeer, nowMs: number): void {
    peer.heardAtMs = nowMs
    if (nowMs - this.#silenceCheckedAtMs >= this.limits.silentAnswerMs) this.checkSilence(nowMs)
  }

  /**
   * Note that something visible happened: plan checks for peers that have fallen silent, then let the room sleep.
   * @returns whether no check was planned before, so that the alarm has to be set
   */
  stirred(nowMs: number): boolean {
    // A check since then may have asked someone, and set no alarm for the answer.
    const rested = this.#looksLeft < this.limits.silentLooks
    this.#activeAtMs = nowMs
    this.#looksLeft = this.limits.silentLooks
    return rested
  }

  /**
   * When the silent are to be looked at next, ms since 1970; null: when somebody says something. y-websocket renews its
   * presence every 15 s, so where all do, the one that lives tells on the others. YProvider and ours never do.
   */
  get nextLookMs(): number | null {
    if (this.#looksLeft === 0 || this.peers.size < 2) return null
    if ([...this.peers].every(({ renews }) => renews)) return null
    const { silentMs, silentAnswerMs } = this.limits
    return Math.max(this.#activeAtMs + silentMs, this.#silenceCheckedAtMs + silentAnswerMs) + 1
  }

  /** Ask silent peers for a sign of life, and close those that gave none. */
  checkSilence(nowMs: number): void {
    this.#silenceCheckedAtMs = nowMs
    let isAsking = false
    for (const peer of [...this.peers]) {
      const answeredMs = this.#ctx.getWebSocketAutoResponseTimestamp(peer.connection)?.getTime() ?? 0
      const heardAtMs = Math.max(peer.heardAtMs, answeredMs)
      const { kind } = judgeSilence({ heardAtMs, askedAtMs: peer.askedAtMs }, nowMs, this.limits)
      if (kind === "close") {
        this.close(peer, new SyncError("silent", `Nothing was heard for ${nowMs - heardAtMs} ms`))
      } else if (kind === "ask") {
        peer.askedAtMs = nowMs
        peer.say({ type: "ping" })
        this.attach(peer)
        isAsking = true
      }
    }
    this.#looksLeft = Math.max(0, this.#looksLeft - 1)
    if (isAsking) this.#looksLeft = Math.max(1, this.#looksLeft)
  }

  #add(peer: SocketPeer): void {
    this.peers.add(peer)
    this.#peerOf.set(peer.connection, peer)
    // It may have left before, on the same socket.
    this.#dismissed.delete(peer.connection)
    this.#onCame(peer)
  }

  /** End a peer's part for good. Our client understands the close; a stock one would reconnect at once, so it stays open. */
  #end(peer: SocketPeer, error: SyncError, standing: "unheard" | "out"): void {
    if (peer.dialect === yurt) return this.close(peer, error)
    peer.say({ type: "end", reason: error.message })
    if (standing === "out") this.#dismiss(peer, "out")
    else peer.standing = "unheard"
    this.attach(peer)
  }

  #dismiss(peer: SocketPeer, standing: "closing" | "out"): void {
    peer.standing = standing
    if (!this.peers.delete(peer)) return
    this.#unattached.delete(peer)
    this.#deliveries.forget(peer)
    if (standing === "closing") {
      this.#peerOf.delete(peer.connection)
      this.#dismissed.add(peer.connection)
    }
    const announced = this.#presence.announcedBy(peer)
    const clients = this.#presence.leave(peer)
    this.#emit({ type: "left", subject: peer.grant.subject, peers: this.peers.size, ...roleOf(peer) })
    this.#onLeft({ clients, announced })
  }

  #probe(peer: SocketPeer): void {
    const { proof } = peer.dialect
    const nonce = proof === "echo" ? crypto.getRandomValues(new Uint8Array(8)) : null
    peer.probe = { nonce }
    peer.unreadBytes = 0
    if (nonce !== null) return peer.say({ type: "probe", nonce })
    // A client that was never shown this one would say nothing of it.
    if (proof === "answer" && this.#presence.announcedBy(peer) === null) return peer.say({ type: "ping" })
    const entries = this.#presence.probe(peer)
    if (entries === null) return
    peer.say({ type: "awareness", entries })
    if (proof === "answer") peer.say({ type: "query" })
  }

  #mayDial(dialer: string): boolean {
    const { dialBurst, dialsPerSecond, sockets } = this.limits
    const bucket = this.#dials.get(dialer) ?? new TokenBucket(dialBurst, dialsPerSecond)
    // Newest last, and no more of them than there may be sockets.
    this.#dials.delete(dialer)
    this.#dials.set(dialer, bucket)
    if (this.#dials.size > sockets) this.#dials.delete(this.#dials.keys().next().value!)
    return bucket.take(1, Date.now())
  }

  #attachAll(): number | null {
    if (this.#unattached.size === 0) return null
    const changed = [...this.#unattached].filter(({ standing }) => standing !== "closing")
    this.#unattached.clear()
    for (const peer of changed) {
      try {
        this.attach(peer)
      } catch (cause) {
        // A socket whose attachment is too large must not keep the others from being attached.
        this.refuse(peer, new SyncError("internal", "The presence could not be kept", { cause }))
      }
    }
    return this.limits.attachMs
  }
}

function roleOf({ grant, dialect }: SocketPeer): { rights: Grant["rights"]; dialect: string } {
  return { rights: grant.rights, dialect: dialect.name }
}

/** Send on a socket that may be gone, with its close event on the way. @returns whether it was sent */
export function sendQuietly(connection: WebSocket, message: Uint8Array | string): boolean {
  try {
    connection.send(message)
    return true
  } catch {
    return false
  }
}

/** Close a socket that may be closed already. */
export function closeQuietly(
  connection: WebSocket,
  { code, reason }: { code: number; reason: string },
): void {
  try {
    connection.close(code, reason)
  } catch {
    // Already closed.
  }
}
