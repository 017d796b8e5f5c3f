/**
 * Hocuspocus clients with many documents on one socket: the key that a frame begins with ↔ sockets of rooms.
 *
 * A client whose document's room is lost (it restarts, or cannot be opened for the moment) is not told, because it knows
 * no other way to come back than a new socket, and that would take all its documents along. Instead its token is asked
 * for again, after a pause that grows, and when the room has let it in a step 1 is sent in its name, so that the room and
 * the client exchange all they have.
 *
 * The client counts its updates, and what it had sent to the room that is gone nobody will acknowledge. So it is told of
 * no receipt until the new room has given one for everything that it was sent: then all is on disk, and the client gets as
 * many as it lacks.
 */
import { closeReason, SyncError } from "../errors.ts"
import type { Dialect } from "../wire/dialect.ts"
import { heartbeatOf, hocuspocus, readPassing, writeTokenRequest } from "../wire/hocuspocus.ts"
import { Bundle, type BundleLimits, type Loss, type Socket, type Speech } from "./bundle.ts"

/** A document as its client sees it. */
interface Part {
  readonly dialect: Dialect
  readonly document: string
  /** The client has been let in, by this room or one that is gone. */
  wasIn: boolean
  /** This room has let it in. */
  isIn: boolean
  /** What the client counts, as far as can be told from here. */
  owed: number
  /** It is being brought back: what it sent to this room and has no receipt yet, and whether something was refused. */
  repair: { pending: number; refused: boolean } | null
  attempts: number
  timer: ReturnType<typeof setTimeout> | null
}

/** A Hocuspocus client on whose socket documents are opened. */
export class HocuspocusBundle implements Speech<string> {
  readonly #bundle: Bundle<string>
  readonly #open: (document: string) => Promise<Socket>
  readonly #parts = new Map<string, Part>()
  /** Documents whose rooms have asked for a sign of life. */
  readonly #asking = new Set<string>()

  /** @param options.open opens a socket of the room of this document, which knocks there */
  constructor(
    client: Socket,
    { limits, open }: { limits: BundleLimits; open: (document: string) => Promise<Socket> },
  ) {
    this.#open = open
    this.#bundle = new Bundle(client, limits)
    this.#bundle.begin(this)
  }

  hear(message: Uint8Array | string): void {
    // An application's keep-alive.
    if (typeof message === "string") return
    const heartbeat = heartbeatOf(message)
    if (heartbeat !== null) return this.#beat(heartbeat)
    const passing = readPassing(message)
    // About no document, so no room can be asked.
    if (passing === null || passing.key.length > this.#bundle.limits.keyLength) return
    const { key, type } = passing
    const part = this.#parts.get(key)
    if (part === undefined) {
      // Before its token a client has nothing to say that it would not say again.
      if (type === "token") this.#begin(key, { document: passing.document, hello: message })
      return
    }
    if (type === "token" && !this.#bundle.has(key)) return this.#dial(key, { part, hello: message })
    if (type === "end") {
      this.#bundle.pass(key, message)
      return this.#forget(key)
    }
    if (type === "step-1") {
      part.owed = 1
      if (part.repair !== null) part.repair = { pending: 1, refused: false }
    } else if (type === "update") {
      part.owed++
      if (part.repair !== null && part.isIn) part.repair.pending++
    }
    // Until it is let in again, all that it sends comes with the step 2 that follows.
    if (part.repair === null || part.isIn || type === "token") this.#bundle.pass(key, message)
  }

  relay(key: string, message: Uint8Array | string): void {
    const part = this.#parts.get(key)
    if (part === undefined || typeof message === "string") return
    if (heartbeatOf(message) === "ping") {
      this.#asking.add(key)
      return this.#say(key, { type: "ping" })
    }
    const type = readPassing(message)?.type
    if (type === "admitted") this.#admitted(key, part)
    if (type === "kept" && part.repair !== null) return this.#kept(key, { part, repair: part.repair })
    if (type === "kept") part.owed = Math.max(0, part.owed - 1)
    if (type === "not kept" && part.repair !== null) part.repair.refused = true
    this.#bundle.tell(message)
    // Nothing that it sends is looked at any more; should it come again, it begins anew.
    if (type === "end") this.#forget(key)
  }

  opened(): void {}

  lost(key: string, { code, reason }: Loss): void {
    const part = this.#parts.get(key)
    if (part === undefined) return
    this.#asking.delete(key)
    const wasIn = part.isIn
    part.isIn = false
    // A token that has ended may be followed by another. Where none was good, the client was told.
    const isOver = code === 4401 ? !wasIn : code >= 4400 && code < 4500
    if (!isOver) return this.#comeBack(key, part)
    this.#forget(key)
    if (code === 4401) return
    const message = closeReason(reason)
    this.#say(key, part.wasIn ? { type: "end", reason: message } : { type: "denied", reason: message })
  }

  probe(): void {
    this.#bundle.tell(PING)
  }

  ended(): void {
    for (const { timer } of this.#parts.values()) if (timer !== null) clearTimeout(timer)
    this.#parts.clear()
    this.#asking.clear()
  }

  #begin(key: string, { document, hello }: { document: string; hello: Uint8Array }): void {
    const part: Part = {
      dialect: hocuspocus(key),
      document,
      wasIn: false,
      isIn: false,
      owed: 0,
      repair: null,
      attempts: 0,
      timer: null,
    }
    // It may be refused at once, and is told by the way of its document.
    this.#parts.set(key, part)
    this.#dial(key, { part, hello })
  }

  #dial(key: string, { part, hello }: { part: Part; hello: Uint8Array }): void {
    if (part.timer !== null) clearTimeout(part.timer)
    part.timer = null
    try {
      this.#bundle.open(key, () => this.#open(part.document))
      this.#bundle.pass(key, hello)
    } catch (thrown) {
      if (!(thrown instanceof SyncError)) throw thrown
      this.#say(key, { type: "denied", reason: thrown.message })
      this.#forget(key)
    }
  }

  /** Ask for its token again after a pause. */
  #comeBack(key: string, part: Part): void {
    part.repair = { pending: 0, refused: false }
    const { bundleRetryMs, bundleRetryCeilingMs } = this.#bundle.limits
    const ceiling = Math.min(bundleRetryCeilingMs, bundleRetryMs * 2 ** part.attempts++)
    part.timer = setTimeout(
      () => {
        part.timer = null
        this.#bundle.tell(writeTokenRequest(key))
      },
      ceiling * (0.5 + Math.random() / 2),
    )
  }

  #admitted(key: string, part: Part): void {
    if (part.isIn) return
    part.isIn = true
    part.wasIn = true
    part.attempts = 0
    if (part.repair === null) return
    part.repair = { pending: 1, refused: false }
    this.#bundle.pass(key, part.dialect.write({ type: "step-1", stateVector: NOTHING })!)
    // Its presence, which it would repeat only after a while.
    this.#say(key, { type: "query" })
  }

  /** A receipt of a room that has come back. */
  #kept(key: string, { part, repair }: { part: Part; repair: NonNullable<Part["repair"]> }): void {
    repair.pending--
    if (repair.pending > 0 || repair.refused) return
    part.repair = null
    for (; part.owed > 0; part.owed--) this.#say(key, { type: "receipt", kept: true })
  }

  #beat(heartbeat: "ping" | "pong"): void {
    if (heartbeat === "ping") return this.#bundle.tell(PONG)
    this.#bundle.markRead()
    for (const key of this.#asking) this.#bundle.pass(key, PONG)
    this.#asking.clear()
  }

  #forget(key: string): void {
    const part = this.#parts.get(key)
    if (part !== undefined && part.timer !== null) clearTimeout(part.timer)
    this.#parts.delete(key)
    this.#asking.delete(key)
    this.#bundle.close(key)
  }

  #say(key: string, frame: Parameters<Dialect["write"]>[0]): void {
    const message = hocuspocus(key).write(frame)
    if (message !== null) this.#bundle.tell(message)
  }
}

/** The state vector of who has nothing. */
const NOTHING = new Uint8Array([0])

const ANY = hocuspocus("any")
const PING = ANY.write({ type: "ping" })!
const PONG = ANY.write({ type: "pong" })!
