/**
 * Frames of a room as they pass, for an operator who watches: type, sender, bytes, revision; never what is in them, since
 * an admin's right is no right to read. Told in ticks, bounded, and nothing at all while nobody watches.
 */
import type { Grant } from "../access/rights.ts"
import { SyncError } from "../errors.ts"
import type { Limits } from "../limits.ts"
import type { Peer } from "../room/peer.ts"
import { HEARTBEAT, Stream, writeEvent } from "../room/stream.ts"

/** One frame that passed. */
export interface PassedFrame {
  /** ms since 1970. */
  readonly at: number
  readonly way: "in" | "out" | "room"
  /** The type of the frame; of the room itself: what happened. */
  readonly type: string
  /** Whose it is, or to whom it went; null: everybody. */
  readonly peer: string | null
  readonly subject: string | null
  readonly name: string | null
  readonly bytes: number
  /** How many it went to. */
  readonly to: number
  /** The room's newest revision when it passed. */
  readonly revision: number
}

/** Nothing of the document is wanted of these streams. */
const WANTED = { format: "update", path: [], text: false, presence: false } as const

/** Those who watch one room. */
export class Frames {
  readonly #limits: Limits
  readonly #watchers = new Set<Stream>()
  #batch: PassedFrame[] = []
  #skipped = 0
  #timer: ReturnType<typeof setTimeout> | null = null
  #beat: ReturnType<typeof setInterval> | null = null

  constructor(limits: Limits) {
    this.#limits = limits
  }

  /** Whether anybody watches. */
  get isWatched(): boolean {
    return this.#watchers.size > 0
  }

  /** Note a frame; only while somebody watches. */
  passed(
    frame: Pick<PassedFrame, "way" | "type" | "bytes" | "to" | "revision">,
    peer: Pick<Peer, "id" | "grant"> | null,
  ): void {
    if (this.#batch.length >= this.#limits.framesShown) this.#skipped++
    else
      this.#batch.push({
        at: Date.now(),
        ...frame,
        peer: peer?.id ?? null,
        subject: peer?.grant.subject ?? null,
        name: peer?.grant.name ?? null,
      })
    this.#timer ??= setTimeout(() => this.#tell(), this.#limits.frameTickMs)
  }

  /** Watch. @throws SyncError room-full where enough do */
  open(grant: Grant): Response {
    const { frameWatchers, streamBytes } = this.#limits
    if (this.#watchers.size >= frameWatchers)
      throw new SyncError("room-full", `${frameWatchers} watch this room already.`)
    const stream = new Stream(
      { grant, wanted: WANTED },
      { maxUnreadBytes: streamBytes, onClosed: (closed) => this.#forget(closed) },
    )
    this.#watchers.add(stream)
    this.#beat ??= setInterval(() => this.#keep(), this.#limits.streamBeatMs)
    stream.send(writeEvent({ type: "watching", retryMs: this.#limits.streamRetryMs, data: {} }))
    return new Response(stream.body, {
      headers: {
        "content-type": "text/event-stream",
        "cache-control": "no-store",
        "x-accel-buffering": "no",
      },
    })
  }

  /** End the streams of those whom this means (R6). */
  close(isMeant: (grant: Grant) => boolean): void {
    for (const stream of [...this.#watchers]) if (isMeant(stream.grant)) this.#end(stream)
  }

  #tell(): void {
    this.#timer = null
    const event = writeEvent({ type: "frames", data: { frames: this.#batch, skipped: this.#skipped } })
    this.#batch = []
    this.#skipped = 0
    for (const stream of [...this.#watchers]) {
      stream.send(event)
      if (!stream.isSlow) continue
      stream.abort()
      this.#forget(stream)
    }
  }

  /** A room that is watched is not idle, which is billed: who watches comes back after a while, or has gone. */
  #keep(): void {
    const now = Date.now()
    for (const stream of [...this.#watchers]) {
      const hasEnded = stream.grant.expiresAtMs !== null && stream.grant.expiresAtMs <= now
      if (!hasEnded && now - stream.openedAtMs < this.#limits.streamMs) stream.send(HEARTBEAT)
      else this.#end(stream)
    }
  }

  #end(stream: Stream): void {
    this.#forget(stream)
    stream.end(writeEvent({ type: "end", data: {} }))
  }

  #forget(stream: Stream): void {
    this.#watchers.delete(stream)
    if (this.#watchers.size > 0) return
    if (this.#beat !== null) clearInterval(this.#beat)
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#beat = null
    this.#timer = null
    this.#batch = []
  }
}
