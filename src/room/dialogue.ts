/** The dialogue: what a peer said → may it? → do it. For any dialect; which bytes it said is the dialect's affair. */
import { asSyncError, SyncError } from "../errors.ts"
import type { Limits } from "../limits.ts"
import type { Said } from "../wire/dialect.ts"
import type { Authors } from "./authors.ts"
import type { Crowd, SocketPeer } from "./crowd.ts"
import type { FanOut } from "./fan-out.ts"
import type { Intake } from "./intake.ts"
import type { Origin } from "./origin.ts"
import type { Presence } from "./presence.ts"
import type { Replica } from "./replica.ts"
import { Welcome } from "./welcome.ts"

/** What the room itself does for a peer. */
export interface Hooks {
  /** An application's own message. */
  custom(peer: SocketPeer, message: string): void
  /** Something is to be done later: set the alarm. */
  arm(): void
  /** A fresh token. */
  renew(peer: SocketPeer, token: string): void
}

/** Talks to every peer of a room. */
export class Dialogue {
  readonly #crowd: Crowd
  readonly #intake: Intake<SocketPeer>
  readonly #replica: Replica
  readonly #authors: Authors
  readonly #presence: Presence<SocketPeer>
  readonly #fanOut: FanOut<SocketPeer>
  readonly #limits: Limits
  readonly #hooks: Hooks
  readonly #welcome: Welcome

  constructor(parts: {
    crowd: Crowd
    intake: Intake<SocketPeer>
    replica: Replica
    authors: Authors
    presence: Presence<SocketPeer>
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

  /** Say to someone who came in what a newcomer is told. */
  greet(peer: SocketPeer): void {
    // A reader has nothing to give, so it is not asked.
    if (peer.grant.rights === "write") this.askForAll(peer)
    const clients = this.#presence.clients()
    if (clients.length > 0) peer.say({ type: "awareness", entries: this.#presence.encode(clients) })
  }

  /** Ask for all that the room lacks, and for what others have carried under this subject's client ids. */
  askForAll(peer: SocketPeer): void {
    const lowered = this.#authors.carriedOf(peer.grant.subject)
    peer.say({ type: "step-1", stateVector: this.#replica.stateVector(lowered) })
  }

  /** A message has come. Never throws: what is wrong is answered. */
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
      // Of one that was refused for good only signs of life are looked at.
      if (peer.standing !== "in") return this.#crowd.answerUnheard(peer, now)
      const said = peer.dialect.read(message)
      if (said !== null) this.#do(peer, said, now)
    } catch (thrown) {
      this.#crowd.refuse(peer, asSyncError(thrown))
    }
  }

  /** Let the document go, and what is kept for newcomers: nobody has needed it for some time. */
  rest(): void {
    this.#replica.dehydrate()
    this.#welcome.forget()
  }

  /** The document has changed: what was kept for newcomers is old. */
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
      case "renewal":
        return this.#hooks.renew(peer, said.token)
      case "custom":
        return this.#custom(peer, said.message)
      case "ping":
        // The platform's own answer can be gone after a deploy.
        return peer.say({ type: "pong" })
      default:
        throw new SyncError("bad-frame", `Unknown frame ${JSON.stringify(said satisfies never)}`)
    }
  }

  /** Updates that come within `originMs` share one origin: so exact is their time, and so few bytes does it take. */
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
      if (update.length <= 2) return
      throw new SyncError("forbidden", "This connection may read only")
    }
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
    this.#stir(now)
  }

  /** Answer a step 1: with the stored bytes where the other has nothing, else from the hydrated document. */
  #sync(peer: SocketPeer, stateVector: Uint8Array): void {
    const hasNothing = stateVector.length === 1 && stateVector[0] === 0
    if (!hasNothing && !peer.frames.take(this.#limits.step1Frames, Date.now()))
      throw new SyncError("rate-limited", "Too many step 1 in a short time")
    const updates = hasNothing ? this.#welcome.updates() : [this.#replica.diff(stateVector)]
    this.#crowd.allow(
      peer,
      updates.reduce((total, update) => total + update.length, 0),
    )
    const last = updates.length - 1
    // A client calls itself synced after a step 2, so that comes last.
    for (const [i, update] of updates.entries()) peer.say({ type: i === last ? "step-2" : "update", update })
  }

  #note(peer: SocketPeer, entries: Uint8Array): void {
    const visible = peer.grant.presence
    const { changed, renewal, answer, proof, refused } = this.#presence.note(peer, entries, { visible })
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
    // With nothing left to write, the answer waits only for a commit that is still on its way to the disk.
    if (this.#replica.hasUncommitted) this.#intake.commitSoon()
    else this.#intake.commit()
  }

  #custom(peer: SocketPeer, message: string): void {
    const { messageLength } = this.#limits
    if (message.length > messageLength)
      throw new SyncError("too-large", `Message of ${message.length} characters; at most ${messageLength}`)
    this.#hooks.custom(peer, message)
  }

  /** Answer those who asked whether what they sent is durable, but nobody of whose something waits or was refused (D9). */
  acknowledge(): void {
    const { waiting } = this.#replica
    for (const peer of this.#crowd.peers) {
      const { question } = peer
      if (question === null) continue
      if (peer.owes || waiting.isWaitingFor(peer.id)) {
        this.#crowd.attachSoon(peer)
        continue
      }
      peer.question = null
      peer.say({ type: "saved", payload: question })
    }
  }
}
