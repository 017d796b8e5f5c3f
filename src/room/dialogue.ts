/** The dialogue: a frame of a peer → its right → an act. For any dialect: the dialect alone knows the bytes. */
import { asSyncError, SyncError } from "../errors.ts"
import type { Origin } from "../history/origin.ts"
import type { Limits } from "../limits.ts"
import type { Said } from "../wire/dialect.ts"
import type { Authors } from "./authors.ts"
import type { Crowd, SocketPeer } from "./crowd.ts"
import type { FanOut } from "./fan-out.ts"
import type { Intake } from "./intake.ts"
import type { Speaker } from "./peer.ts"
import type { Presence } from "./presence.ts"
import type { Replica } from "./replica.ts"
import { Welcome } from "./welcome.ts"

/** Frames that the room itself handles. */
export interface Hooks {
  /** An application's own message. */
  custom(peer: SocketPeer, message: string): void
  /** Set the alarm: something is due later. */
  arm(): void
  /** A fresh token. */
  renew(peer: SocketPeer, token: string): void
  /** It goes, and its socket stays. */
  leave(peer: SocketPeer): void
}

/** Answers the frames of every peer of a room. */
export class Dialogue {
  readonly #crowd: Crowd
  readonly #intake: Intake<SocketPeer>
  readonly #replica: Replica
  readonly #authors: Authors
  readonly #presence: Presence<Speaker>
  readonly #fanOut: FanOut<SocketPeer>
  readonly #limits: Limits
  readonly #hooks: Hooks
  readonly #welcome: Welcome

  constructor(parts: {
    crowd: Crowd
    intake: Intake<SocketPeer>
    replica: Replica
    authors: Authors
    presence: Presence<Speaker>
    fanOut: FanOut<SocketPeer>
    limits: Limits
    hooks: Hooks
  }) {
    this.#crowd = parts.crowd
    this.#intake = parts.intake
    this.#replica = parts.replica
    this.#authors = parts.authors
    this.#presence = parts.presence
    this.#fanOut = parts.fanOut
    this.#limits = parts.limits
    this.#hooks = parts.hooks
    this.#welcome = new Welcome(parts.replica)
  }

  /** Send a newcomer the room's step 1, if it may write, and everybody's presence. */
  greet(peer: SocketPeer): void {
    const { rights } = peer.grant
    peer.say({ type: "admitted", rights })
    // A reader has nothing to give, so it is not asked; and who counts is asked when it asks.
    if (rights === "write" && !peer.dialect.counts) this.askForAll(peer)
    const clients = this.#presence.clients()
    if (clients.length > 0) peer.say({ type: "awareness", entries: this.#presence.encode(clients) })
  }

  /** Ask a peer for all that the room lacks, and for the content that others have carried under its subject's client ids. */
  askForAll(peer: SocketPeer): void {
    const lowered = this.#authors.carriedOf(peer.grant.subject)
    peer.say({ type: "step-1", stateVector: this.#replica.stateVector(lowered) })
  }

  /** Handle one message. Never throws: errors are answered to the peer. */
  hear(peer: SocketPeer, message: Uint8Array | string): void {
    try {
      const now = Date.now()
      if (!peer.frames.take(1, now) || !peer.bytes.take(message.length, now))
        throw new SyncError("rate-limited", `More than ${this.#limits.framesPerSecond} frames a second`)
      this.#crowd.heard(peer, now)
      if (peer.standing === "closing" || !this.#crowd.checkExpiry(peer, now)) return
      if (message.length > this.#limits.frameBytes)
        throw new SyncError(
          "too-large",
          `Frame of ${message.length} bytes; at most ${this.#limits.frameBytes}`,
        )
      // A peer that was refused for good is only answered, which keeps it from reconnecting.
      if (peer.standing !== "in") return this.#crowd.answer(peer)
      const said = peer.dialect.read(message)
      if (said === null) return
      this.#crowd.desk?.heard(peer, said, message.length)
      const { document, type } = said
      if (document !== undefined) return this.#crowd.turnAway(peer, { document, type })
      this.#do(peer, said, now)
    } catch (thrown) {
      this.#crowd.refuse(peer, asSyncError(thrown))
    }
  }

  /** Drop the Y.Doc and the bytes kept for newcomers from memory. */
  rest(): void {
    this.#replica.dehydrate()
    this.#welcome.forget()
  }

  /** The document has changed: drop the bytes kept for newcomers. */
  changed(): void {
    this.#welcome.forget()
  }

  #do(peer: SocketPeer, said: Said, now: number): void {
    switch (said.type) {
      case "update":
        return this.#take(peer, said.update, { whole: false, now })
      case "step-2":
        return this.#take(peer, said.update, { whole: true, now })
      case "step-1":
        return this.#sync(peer, said.stateVector)
      case "awareness":
        // A room that is awake for cursors alone need not keep a document in memory.
        if (this.#replica.rests) this.rest()
        return this.#note(peer, said.entries)
      case "query":
        return peer.say({ type: "awareness", entries: this.#presence.encode(this.#presence.clients()) })
      case "saved":
        return this.#ask(peer, said.payload)
      case "probe":
        return this.#crowd.markEchoed(peer, said.nonce)
      case "token":
        return this.#renew(peer, said.token)
      case "custom":
        return this.#custom(peer, said.message)
      case "ping":
        // The platform's own answer can be gone after a deploy.
        return peer.say({ type: "pong" })
      case "pong":
        return this.#crowd.markPonged(peer)
      case "leave":
        return this.#hooks.leave(peer)
      default:
        throw new SyncError("bad-frame", `Unknown frame ${JSON.stringify(said satisfies never)}`)
    }
  }

  /** Updates that come within `originMs` share one origin, which saves bytes in the log; their times are that exact. */
  #originOf(peer: SocketPeer, now: number): Origin {
    const { origin } = peer
    if (origin !== null && now - origin.at < this.#limits.originMs && now >= origin.at) return origin
    peer.origin = { at: now, subject: peer.grant.subject, via: "socket" }
    return peer.origin
  }

  #take(peer: SocketPeer, update: Uint8Array, { whole, now }: { whole: boolean; now: number }): void {
    const { grant } = peer
    if (grant.rights !== "write") {
      // Stock clients answer a step 1 with what they have, be it nothing.
      if (update.length <= 2 || (peer.opening && whole && this.#holds(peer, update)))
        return this.#count(peer, whole)
      throw new SyncError("forbidden", "This connection may read only")
    }
    this.#stir(now)
    const received = this.#intake.take(
      update,
      {
        bearer: peer.bearer,
        origin: this.#originOf(peer, now),
        whole,
        roots: grant.roots,
      },
      peer,
    )
    // It has brought all it has, and nothing of that was refused.
    if (whole && peer.owes) {
      peer.owes = false
      this.#crowd.attachSoon(peer)
    }
    // The same gap is asked for once: a client that has a gap itself would answer with the same bytes for ever (D9).
    if (received.waits === "new") this.askForAll(peer)
    this.#count(peer, whole)
  }

  /** Nothing of what a reader has is news: its whole delete set may be in the update all the same. */
  #holds(peer: SocketPeer, update: Uint8Array): boolean {
    if (!peer.frames.take(this.#limits.step1Frames, Date.now()))
      throw new SyncError("rate-limited", "Too many step 2 in a short time")
    return this.#replica.contains(update)
  }

  /** An update of somebody who counts was taken, and is worth a receipt once it is durable. */
  #count(peer: SocketPeer, whole: boolean): void {
    if (!peer.dialect.counts || (whole && !peer.opening)) return
    if (whole) peer.opening = false
    peer.receipts++
    this.#acknowledgeSoon()
  }

  /** Answer a step 1: from the stored bytes where the peer has nothing, else from the hydrated document. */
  #sync(peer: SocketPeer, stateVector: Uint8Array): void {
    if (!isEmptyVector(stateVector) && !peer.frames.take(this.#limits.step1Frames, Date.now()))
      throw new SyncError("rate-limited", "Too many step 1 in a short time")
    let answer: readonly Uint8Array[] | null = this.#answerTo(stateVector)
    const bytes = answer.reduce((total, update) => total + update.length, 0)
    this.#crowd.deliver(peer, bytes, () => {
      const updates = answer ?? this.#answerTo(stateVector)
      const last = updates.length - 1
      // A client calls itself synced after a step 2, so that comes last.
      for (const [i, update] of updates.entries())
        peer.say({ type: i === last ? "step-2" : "update", update })
    })
    // Where it waits for its turn, the bytes would wait in memory, and be out of date.
    answer = null
    if (!peer.dialect.counts) return
    // Its count has begun anew: what is on the way is in what it brings now.
    peer.receipts = 0
    peer.opening = true
    this.askForAll(peer)
  }

  /** What a document with this state vector lacks. */
  #answerTo(stateVector: Uint8Array): readonly Uint8Array[] {
    return isEmptyVector(stateVector) ? this.#welcome.updates() : [this.#replica.diff(stateVector)]
  }

  #note(peer: SocketPeer, entries: Uint8Array): void {
    const visible = peer.grant.presence
    const noted = this.#presence.note(peer, entries, { visible })
    const { changed, withdrawn, renewal, answer, proof, refused } = noted
    // A page that unloads says so before its socket closes.
    for (const client of withdrawn) this.#intake.ownerLeft(client)
    if (proof) this.#crowd.markRead(peer)
    if (refused !== null) this.#crowd.notify(peer, refused)
    if (answer) this.#crowd.answer(peer)
    if (changed.length === 0) return
    this.#fanOut.awareness(changed, peer, { renewal })
    // A renewal is kept at once: a timer would keep the room awake for nothing but a clock.
    if (renewal) {
      peer.renews = true
      return this.#crowd.attach(peer)
    }
    this.#crowd.attachSoon(peer)
    this.#stir(Date.now())
  }

  #stir(now: number): void {
    if (this.#crowd.stirred(now)) this.#hooks.arm()
  }

  #ask(peer: SocketPeer, payload: Uint8Array): void {
    const { questionBytes } = this.#limits
    if (payload.length > questionBytes)
      throw new SyncError("too-large", `Question of ${payload.length} bytes; at most ${questionBytes}`)
    // A copy: the payload is a view that would keep the whole message alive.
    peer.question = payload.slice()
    peer.asks = true
    this.#acknowledgeSoon()
    // Y-Sweet's clients reconnect after 3 s in which nothing comes, and the answer may have to wait for longer.
    if (peer.question !== null && peer.dialect.proof === "rumour") this.#crowd.answer(peer)
  }

  #acknowledgeSoon(): void {
    // With nothing left to write, the answer waits only for a commit that is still on its way to the disk.
    if (this.#replica.hasUncommitted) this.#intake.commitSoon()
    else this.#intake.commit()
  }

  #renew(peer: SocketPeer, token: string): void {
    if (!peer.frames.take(this.#limits.renewalFrames, Date.now()))
      throw new SyncError("rate-limited", "Too many fresh tokens in a short time")
    this.#hooks.renew(peer, token)
  }

  #custom(peer: SocketPeer, message: string): void {
    const { messageLength } = this.#limits
    if (message.length > messageLength)
      throw new SyncError("too-large", `Message of ${message.length} characters; at most ${messageLength}`)
    this.#hooks.custom(peer, message)
  }

  /**
   * Answer the peers who asked or who count whether their updates are durable, except those of whom something waits or was
   * refused (D9).
   */
  acknowledge(): void {
    const { waiting } = this.#replica
    for (const peer of this.#crowd.peers) {
      const { question } = peer
      if (question === null && peer.receipts === 0) continue
      const waits = waiting.isWaitingFor(peer.id)
      if (waits || (peer.owes && question !== null)) this.#crowd.attachSoon(peer)
      if (waits) continue
      // What was refused was not counted, so receipts do not ask what the peer owes.
      for (; peer.receipts > 0; peer.receipts--) peer.say({ type: "receipt", kept: true })
      if (question === null || peer.owes) continue
      peer.question = null
      peer.say({ type: "saved", payload: question })
    }
  }
}

/** Whether a state vector is that of an empty document. */
function isEmptyVector(stateVector: Uint8Array): boolean {
  return stateVector.length === 1 && stateVector[0] === 0
}
