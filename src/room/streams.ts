/**
 * The streams of a room: who follows the document over HTTP, as server-sent events.
 *
 *     event: state     the document, once                     event: presence   who is here, where it was asked for
 *     event: change    what changed, by whom, by which way    event: end, deleted
 *
 * The id of an event is the room's revision, so whoever comes back with it is told what changed since, out of the log, also
 * after a restart. That only holds for what is committed: each tick commits first, and sends after the disk has it. A
 * tick encodes once for all who want the same (F2).
 *
 * An open stream keeps the object in memory, which is billed; so streams end after a while, and their number is bounded.
 */
import { toBase64 } from "lib0/buffer"
import type { Grant } from "../access/rights.ts"
import { SyncError } from "../errors.ts"
import type { Json } from "../export/json.ts"
import type { Origin } from "../history/origin.ts"
import { patchBetween } from "../json/patch-between.ts"
import { getAt } from "../json/plain.ts"
import { parsePointer } from "../json/pointer.ts"
import type { Limits } from "../limits.ts"
import { mergeUpdates } from "../update/merge.ts"
import { readEntries } from "../wire/awareness.ts"
import type { Emit } from "./events.ts"
import { baseOf, LiveView } from "./live-view.ts"
import type { Entry, Log } from "./log.ts"
import type { Replica } from "./replica.ts"
import { HEARTBEAT, Stream, type Wanted, writeEvent } from "./stream.ts"
import { Throttle } from "./throttle.ts"

/** What the streams need of a room. */
export interface Source {
  readonly replica: Replica
  readonly log: Log
  readonly limits: Limits
  readonly emit: Emit
  /** Commit what was taken. @throws SyncError unavailable */
  readonly commit: () => number
  /** Resolves when all that was written is on disk. */
  readonly sync: () => Promise<void>
  /** The clients that are shown, and the entries of some of them. */
  readonly presence: { clients(): number[]; encode(clients: readonly number[]): Uint8Array }
}

/** What changed in a tick. */
interface Tick {
  readonly updates: Uint8Array[]
  readonly by: Set<string>
  readonly via: Set<string>
}

/** What a follower has of the document already: a revision; and from when on it may see the past, ms since 1970. */
interface Known {
  readonly after: number | null
  readonly sinceMs: number
}

/** The state vector of a document of nothing. */
const NOTHING_KNOWN = Uint8Array.of(0)

const noChange = (): Tick => ({ updates: [], by: new Set(), via: new Set() })

/** Tells followers what happens. */
export class Streams {
  readonly #source: Source
  readonly #all = new Set<Stream>()
  readonly #ticks = new Throttle(() => this.#tick())
  #gathered = noChange()
  readonly #moved = new Set<number>()
  /** The revision that followers know. */
  #revision = 0
  #view: LiveView | null = null
  /** First events of this revision: after a restart a thousand come back at once, and want the same. */
  readonly #firsts = new Map<string, Uint8Array>()
  #timer: ReturnType<typeof setTimeout> | null = null
  /** What was sent last; the next is sent after it. */
  #sending: Promise<void> = Promise.resolve()

  constructor(source: Source) {
    this.#source = source
  }

  /** How many follow. */
  get size(): number {
    return this.#all.size
  }

  /**
   * Answer a request for a stream: `?format=`, `?path=`, `?text=replace`, `?presence=true`, `?after=` or Last-Event-ID.
   * @throws SyncError bad-request | not-found | room-full | too-large
   */
  open(request: Request, grant: Grant): Response {
    const { replica, limits, commit } = this.#source
    const { searchParams } = new URL(request.url)
    const wanted = readWanted(searchParams, limits)
    const after = readAfter(searchParams.get("after") ?? request.headers.get("last-event-id"))
    if (!replica.exists) throw new SyncError("not-found", "There is no such document.")
    this.#checkSpace(grant)
    // Those who follow already are told first, so that everyone knows the same revision from here on.
    if (this.#all.size > 0) this.#ticks.now()
    this.#revision = commit()
    if (wanted.format === "json-patch") this.#view ??= new LiveView(this.#source)
    const stream = new Stream(
      { grant, wanted },
      { maxUnreadBytes: limits.streamBytes, onClosed: (closed) => this.#forget(closed) },
    )
    const first = this.#first(wanted, { after, sinceMs: grant.historySinceMs ?? 0 })
    const here = wanted.presence ? this.#presence(this.#source.presence.clients()) : null
    this.#all.add(stream)
    if (this.#all.size === 1) replica.watch((entries) => this.#gather(entries))
    this.#later(() => {
      stream.send(first, { first: true })
      if (here !== null) stream.send(here)
    })
    this.#plan()
    const headers = {
      "content-type": "text/event-stream",
      "cache-control": "no-store",
      "x-accel-buffering": "no",
      vary: "Accept",
    }
    return new Response(stream.body, { headers })
  }

  /** Note that these clients' presence has changed. */
  moved(clients: readonly number[]): void {
    if (this.#all.size === 0) return
    for (const client of clients) this.#moved.add(client)
    this.#ticks.soon()
  }

  /** What followers know does not hold any more: something stored was damaged. They are given the whole state. */
  restate(): void {
    for (const stream of this.#all) stream.isStale = true
    this.#view?.end()
    this.#view = null
    if (this.#all.size > 0) this.#ticks.soon()
  }

  /** End the streams of those whom this concerns. */
  close(isMeant: (grant: Grant) => boolean, error: SyncError): void {
    const event = writeEvent({ type: error.code === "deleted" ? "deleted" : "end", data: error.toJSON() })
    for (const stream of [...this.#all]) {
      if (!isMeant(stream.grant)) continue
      this.#forget(stream)
      this.#later(() => stream.end(event))
    }
  }

  /** Called within a commit, so nothing is done here but noting it. */
  #gather(entries: readonly Entry[]): void {
    for (const { update, origin } of entries) {
      this.#gathered.updates.push(update)
      noteOrigin(this.#gathered, origin)
    }
    queueMicrotask(() => this.#ticks.soon())
  }

  #tick(): number | null {
    const { limits, emit, commit } = this.#source
    if (this.#all.size === 0) return null
    const startedAtMs = performance.now()
    try {
      const hasNews = this.#gathered.updates.length > 0 || [...this.#all].some(({ isStale }) => isStale)
      // Cursors alone are no reason for a commit.
      this.#tell(hasNews ? commit() : this.#revision)
    } catch (cause) {
      // The disk is full, or the document has outgrown what JSON of it may have.
      const error =
        cause instanceof SyncError ? cause : new SyncError("internal", "The stream broke", { cause })
      emit({ type: "refused", code: error.code, message: error.message, subject: null, cause })
      this.close(() => true, error)
    }
    return Math.max(limits.streamTickMs, limits.streamRest * (performance.now() - startedAtMs))
  }

  #tell(revision: number): void {
    const tick = this.#gathered
    this.#gathered = noChange()
    const moved = [...this.#moved]
    this.#moved.clear()
    const isStale = [...this.#all].some((stream) => stream.isStale)
    const hasChanged = tick.updates.length > 0
    if (!hasChanged && !isStale && moved.length === 0) return
    if (hasChanged) this.#revision = revision
    if (hasChanged || isStale) this.#firsts.clear()
    const needsView = [...this.#all].some(({ wanted }) => wanted.format === "json-patch")
    if (needsView && this.#view === null) this.#view = new LiveView(this.#source)
    const states = needsView && hasChanged ? this.#view!.advance() : null
    const encoded = new Map<string, Uint8Array | null>()
    const here = moved.length > 0 ? this.#presence(moved) : null
    for (const stream of [...this.#all]) {
      if (stream.isSlow) {
        this.#break(stream)
        continue
      }
      const event = stream.isStale
        ? this.#state(stream.wanted)
        : hasChanged
          ? this.#change(stream.wanted, { tick, states, encoded })
          : null
      const first = stream.isStale
      stream.isStale = false
      const shown = stream.wanted.presence ? here : null
      if (event === null && shown === null) continue
      this.#later(() => {
        if (event !== null) stream.send(event, { first })
        if (shown !== null) stream.send(shown)
      })
    }
  }

  /** @returns null where nothing has changed at the path */
  #change(
    wanted: Wanted,
    {
      tick,
      states,
      encoded,
    }: { tick: Tick; states: { before: Json; after: Json } | null; encoded: Map<string, Uint8Array | null> },
  ): Uint8Array | null {
    const key = JSON.stringify([wanted.format, wanted.path, wanted.text])
    const known = encoded.get(key)
    if (known !== undefined) return known
    const [by, via] = [[...tick.by], [...tick.via]]
    let event: Uint8Array | null = null
    if (wanted.format === "update") {
      const update = toBase64(mergeUpdates(tick.updates))
      event = writeEvent({ type: "change", id: this.#revision, data: { update, by, via } })
    } else if (states !== null) {
      const patch = patchBetween(getAt(states.before, wanted.path), getAt(states.after, wanted.path), wanted)
      if (patch.length > 0)
        event = writeEvent({ type: "change", id: this.#revision, data: { patch, by, via } })
    }
    encoded.set(key, event)
    return event
  }

  #first(wanted: Wanted, known: Known): Uint8Array {
    const { format, path, text } = wanted
    const key = JSON.stringify([this.#revision, known, format, path, text])
    const first = this.#firsts.get(key) ?? this.#resume(wanted, known) ?? this.#state(wanted)
    // One at a time: each may be as long as the document.
    this.#firsts.clear()
    this.#firsts.set(key, first)
    return first
  }

  #state({ format, path }: Wanted): Uint8Array {
    const { replica, limits } = this.#source
    if (format === "json-patch") this.#view ??= new LiveView(this.#source)
    const data =
      format === "update"
        ? { update: toBase64(replica.diff(NOTHING_KNOWN)) }
        : { value: getAt(this.#view!.value, path) ?? null }
    return writeEvent({ type: "state", id: this.#revision, retryMs: limits.streamRetryMs, data })
  }

  /** What has changed since a revision; null where that cannot be told, so that the whole state is. */
  #resume(wanted: Wanted, { after, sinceMs }: Known): Uint8Array | null {
    const { log, limits } = this.#source
    if (after === null || after > this.#revision) return null
    const retryMs = limits.streamRetryMs
    const same = { type: "change", id: this.#revision, retryMs } as const
    // Who has missed nothing costs no reading.
    const loaded = after === this.#revision ? null : log.load()
    if (loaded !== null && (loaded.damaged || after < baseOf(loaded.updates, this.#revision))) return null
    const missed = loaded === null ? [] : loaded.updates.filter(({ revision }) => revision > after)
    // What was written and deleted again before somebody was let in is none of theirs (H5).
    if (missed.some(({ origin }) => origin.at < sinceMs)) return null
    const tick = noChange()
    for (const { origin } of missed) noteOrigin(tick, origin)
    const [by, via] = [[...tick.by], [...tick.via]]
    if (wanted.format === "update") {
      const update = missed.length === 0 ? null : toBase64(mergeUpdates(missed.map(({ update }) => update)))
      return writeEvent({ ...same, data: { update, by, via } })
    }
    const before = loaded === null ? this.#view!.value : this.#view!.at(after, loaded)
    if (before === null) return null
    const patch = patchBetween(getAt(before, wanted.path), getAt(this.#view!.value, wanted.path), wanted)
    return writeEvent({ ...same, data: { patch, by, via } })
  }

  #presence(clients: readonly number[]): Uint8Array {
    const { presence } = this.#source
    const entries = readEntries(presence.encode(clients), { maxEntries: clients.length })
    const data = entries.map(({ client, state }) => ({
      client,
      state: JSON.parse(new TextDecoder().decode(state)),
    }))
    return writeEvent({ type: "presence", data })
  }

  /** Nothing is told before it is on disk, and everything in order. */
  #later(send: () => void): void {
    this.#sending = this.#sending
      .then(this.#source.sync)
      .then(send)
      .catch((cause: unknown) => this.#source.emit({ type: "chore-failed", chore: "streams", cause }))
  }

  #break(stream: Stream): void {
    const { emit } = this.#source
    const message = `${stream.unreadBytes} bytes of a stream were not read`
    emit({ type: "refused", code: "slow-receiver", message, subject: stream.grant.subject })
    stream.abort()
    this.#forget(stream)
  }

  /** @throws SyncError room-full */
  #checkSpace({ subject, rights }: Grant): void {
    const { streams, streamsPerSubject } = this.#source.limits
    if (this.#all.size >= streams)
      throw new SyncError("room-full", `${this.#all.size} streams are open; at most ${streams}`)
    // Readers who share one public token are bounded by the room alone, as their sockets are.
    if (subject === null || rights === "read") return
    const own = [...this.#all].filter(({ grant }) => grant.subject === subject).length
    if (own >= streamsPerSubject)
      throw new SyncError("room-full", `${own} streams are open; at most ${streamsPerSubject} of one subject`)
  }

  #forget(stream: Stream): void {
    this.#all.delete(stream)
    if (![...this.#all].some(({ wanted }) => wanted.format === "json-patch")) {
      this.#view?.end()
      this.#view = null
    }
    if (this.#all.size > 0) return
    this.#source.replica.watch(null)
    this.#gathered = noChange()
    this.#moved.clear()
    this.#firsts.clear()
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }

  /** Wake up for the next heartbeat, or where a token or a stream's own time ends before. */
  #plan(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    const { streamBeatMs, streamMs } = this.#source.limits
    let dueAtMs = Date.now() + streamBeatMs
    for (const { grant, openedAtMs } of this.#all)
      dueAtMs = Math.min(dueAtMs, openedAtMs + streamMs, grant.expiresAtMs ?? Number.POSITIVE_INFINITY)
    this.#timer = setTimeout(() => this.#beat(), Math.max(1, dueAtMs - Date.now()))
  }

  #beat(): void {
    this.#timer = null
    const { streamBeatMs, streamMs } = this.#source.limits
    const now = Date.now()
    const hasEnded = ({ expiresAtMs }: Grant) => expiresAtMs !== null && expiresAtMs <= now
    this.close(hasEnded, new SyncError("unauthorized", "The token has expired"))
    for (const stream of [...this.#all]) {
      if (stream.isSlow) this.#break(stream)
      else if (now - stream.openedAtMs >= streamMs) {
        this.#forget(stream)
        this.#later(() => stream.end(HEARTBEAT))
      } else if (now - stream.sentAtMs >= streamBeatMs) stream.send(HEARTBEAT)
    }
    if (this.#all.size > 0) this.#plan()
  }
}

function noteOrigin({ by, via }: Tick, { subject, via: way }: Origin): void {
  if (subject !== null) by.add(subject)
  via.add(way)
}

/** @throws SyncError bad-request */
function readWanted(query: URLSearchParams, { pointerNames }: Limits): Wanted {
  const format = query.get("format") ?? "json-patch"
  if (format !== "json-patch" && format !== "update")
    throw new SyncError(
      "bad-request",
      `A stream is of "json-patch" or "update", not ${JSON.stringify(format)}.`,
    )
  const path = parsePointer(query.get("path") ?? "", pointerNames)
  if (format === "update" && path.length > 0)
    throw new SyncError("bad-request", "An update is of the whole document; there is none of a path.")
  return { format, path, text: query.get("text") !== "replace", presence: query.get("presence") === "true" }
}

/** @throws SyncError bad-request */
function readAfter(after: string | null): number | null {
  if (after === null || after === "") return null
  if (!/^\d{1,15}$/.test(after))
    throw new SyncError("bad-request", `after is a revision, not ${JSON.stringify(after)}.`)
  return Number(after)
}
