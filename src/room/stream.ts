/**
 * One stream of events: somebody who follows the document over HTTP.
 *
 * The platform reads from a stream as its receiver does. What a receiver does not read stands in memory, so a stream that
 * leaves too much unread is broken off (F3); an EventSource comes back with the last id, and is told what it has missed.
 *
 * @source HTML Standard, server-sent events
 */
import type { Grant } from "../access/rights.ts"
import type { Json } from "../export/json.ts"

/** What a follower wants to be told. */
export interface Wanted {
  /** "json-patch": what changed in the JSON; "update": Yjs updates. */
  readonly format: "json-patch" | "update"
  /** Names of a JSON pointer: only what is there is told. */
  readonly path: readonly string[]
  /** Texts are changed by the operation `text`; else they are replaced, as RFC 6902 has it. */
  readonly text: boolean
  readonly presence: boolean
}

/** A follower. */
export class Stream {
  readonly grant: Grant
  readonly wanted: Wanted
  readonly body: ReadableStream<Uint8Array>
  /** When it was opened, and when something was sent last, ms since 1970. */
  readonly openedAtMs = Date.now()
  sentAtMs = Date.now()
  /** It is to be given the whole state: what it knew does not hold any more. */
  isStale = false
  readonly #maxUnreadBytes: number
  #controller!: ReadableStreamDefaultController<Uint8Array>
  /** What was sent and the platform has not asked for: kept here and not in the stream, which could not be rid of it. */
  #unread: Uint8Array[] = []
  #unreadBytes = 0
  #allowedBytes: number
  #isAsked = false
  #isOpen = true

  constructor(
    { grant, wanted }: { grant: Grant; wanted: Wanted },
    { maxUnreadBytes, onClosed }: { maxUnreadBytes: number; onClosed: (stream: Stream) => void },
  ) {
    this.grant = grant
    this.wanted = wanted
    this.#maxUnreadBytes = maxUnreadBytes
    this.#allowedBytes = maxUnreadBytes
    this.body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller
        },
        pull: () => {
          this.#isAsked = true
          this.#hand()
        },
        cancel: () => {
          this.#isOpen = false
          onClosed(this)
        },
      },
      { highWaterMark: 0 },
    )
  }

  /** How many bytes it has not read. */
  get unreadBytes(): number {
    return this.#unreadBytes
  }

  /** Whether it leaves too much unread. */
  get isSlow(): boolean {
    return this.#unreadBytes > this.#allowedBytes
  }

  /** Send encoded events. @param options.first a state, which may be long: what follows may wait for it */
  send(events: Uint8Array, { first = false }: { first?: boolean } = {}): void {
    if (!this.#isOpen) return
    this.sentAtMs = Date.now()
    this.#unread.push(events)
    this.#unreadBytes += events.byteLength
    if (first) this.#allowedBytes = this.#unreadBytes + this.#maxUnreadBytes
    this.#hand()
  }

  /** End it after what was sent, and a last event. */
  end(event: Uint8Array): void {
    this.send(event)
    this.#isOpen = false
    if (this.#unread.length === 0) this.#controller.close()
  }

  /** Break it off, and forget what was not read. */
  abort(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#unread = []
    this.#unreadBytes = 0
    this.#controller.close()
  }

  /** Hand on one piece where one was asked for. */
  #hand(): void {
    const [next] = this.#unread
    if (!this.#isAsked || next === undefined) return
    this.#isAsked = false
    this.#unread.shift()
    this.#unreadBytes -= next.byteLength
    if (this.#unread.length === 0) this.#allowedBytes = this.#maxUnreadBytes
    this.#controller.enqueue(next)
    if (!this.#isOpen && this.#unread.length === 0) this.#controller.close()
  }
}

const utf8 = new TextEncoder()

/** An event as bytes. JSON has no line breaks of its own, so the data is one line. */
export function writeEvent(event: {
  readonly type: string
  readonly id?: number
  readonly retryMs?: number
  readonly data: Json | object
}): Uint8Array {
  const { type, id, retryMs, data } = event
  const retry = retryMs === undefined ? "" : `retry: ${retryMs}\n`
  const named = id === undefined ? "" : `id: ${id}\n`
  return utf8.encode(`${retry}${named}event: ${type}\ndata: ${JSON.stringify(data)}\n\n`)
}

/** A comment, which keeps proxies from closing a silent connection. */
export const HEARTBEAT: Uint8Array = utf8.encode(":\n\n")
